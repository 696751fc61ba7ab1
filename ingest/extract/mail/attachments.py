"""Reads the attachments of a mail as files of the mail."""

from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import programs
from dunegpt.ingest.extract.media_type import UNKNOWN
from dunegpt.ingest.extract.members import prefix_page, read_member
from dunegpt.ingest.extract.scratch import scratch_folder
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_MAX_DEPTH = 1
_MAX_ATTACHMENTS = 100
_LOGO_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attached file.

    Attributes:
        kind: Its media type as the mail has it.
        is_inline: Whether the text shows it, as a picture in a signature.
    """

    name: str
    kind: str
    content: bytes
    is_inline: bool = False


def read_attachments(
    task: ExtractTask, attachments: list[Attachment], number: int
) -> Iterator[Page]:
    """Yield the pages of attachments, the first with the number after `number`.

    What cannot be read is remarked. Small pictures within the text, the logos of
    signatures, are left out, and so are pictures without text.
    """
    if not attachments:
        return
    if task.depth > _MAX_DEPTH:
        names = ", ".join(each.name for each in attachments)
        task.remark(f"{names}: attached to a mail within a mail, not read.")
        return
    for each in attachments[_MAX_ATTACHMENTS:]:
        task.remark(f"{each.name}: not read, over {_MAX_ATTACHMENTS} attachments.")
    with scratch_folder(task.limits.max_file_mb) as folder:
        for each in attachments[:_MAX_ATTACHMENTS]:
            if each.is_inline and len(each.content) < _LOGO_BYTES and _is_image(each):
                continue
            path = folder / "attachment"
            path.write_bytes(each.content)
            claimed = each.kind or UNKNOWN
            try:
                for page in read_member(task, path, each.name, claimed):
                    number += 1
                    yield prefix_page(page, each.name, number)
            except ExtractError as error:
                if not (_is_image(each) and _has_tesseract(task)):
                    task.remark(f"{each.name}: {error}")
                elif "No page has any text" not in str(error):
                    task.remark(f"{each.name}: {error}")


def _is_image(attachment: Attachment) -> bool:
    return attachment.kind.startswith("image/")


def _has_tesseract(task: ExtractTask) -> bool:
    found = task.made_with.get(programs.TESSERACT, programs.ABSENT)
    return found != programs.ABSENT
