"""Files embedded in office documents: read like a file of their own, one level deep."""

import io
import zipfile
from collections.abc import Iterator

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import media_type
from dunegpt.ingest.extract.registry import FORMATS
from dunegpt.ingest.extract.scratch import scratch_folder
from dunegpt.ingest.extract.task import ExtractTask

_OCTETS = "application/octet-stream"
_MAX_DEPTH = 1
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGES = ("Package", "CONTENTS", "EmbeddedOdf")
_NATIVE = "\x01Ole10Native"


def read_embedded(
    task: ExtractTask, content: bytes, name: str, where: str
) -> Iterator[str]:
    """Yield the texts of the pages of an embedded file; remark if it cannot be read.

    Args:
        task: That of the document.
        content: The embedded file.
        name: Its file name.
        where: Place in the document, for the remark: ``slide 3``.
    """
    if task.depth > _MAX_DEPTH:
        task.remark(f"The embedded file {name} on {where} is nested too deeply.")
        return
    with scratch_folder(task.limits.max_file_mb) as folder:
        path = folder / "embedded"
        part = task.subtask(path, name, "")
        part.images_read = task.images_read
        try:
            path.write_bytes(_unwrap(content))
            part.media_type = media_type.detect_media_type(path, name, _OCTETS)
            if part.media_type not in FORMATS:
                raise ExtractError("its type is unknown.")
            own = FORMATS[part.media_type]
            task.made_with[own.name] = own.version
            for page in own.read_pages(part):
                yield page.text
        except (ExtractError, zipfile.BadZipFile, ValueError, KeyError) as error:
            task.remark(f"The embedded file {name} on {where} cannot be read: {error}")
        task.merge(part)
        for remark in part.remarks:
            task.remark(f"{where}, embedded {name}: {remark}")


def _unwrap(content: bytes) -> bytes:
    """Return the file in an OLE object; the object itself if it is a document."""
    if not content.startswith(_OLE):
        return content
    import olefile  # noqa: PLC0415 - start-up time

    try:
        with olefile.OleFileIO(io.BytesIO(content)) as compound:
            for name in _PACKAGES:
                if compound.exists(name):
                    return bytes(compound.openstream(name).read())
            if compound.exists(_NATIVE):
                return _unwrap_native(bytes(compound.openstream(_NATIVE).read()))
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ExtractError(f"it is damaged: {error}.") from error
    return content


def _unwrap_native(stream: bytes) -> bytes:
    """Return the file in a stream of the packager: sizes and names, then the file."""
    at = 6
    for _ in range(2):  # label, file name
        at = stream.index(b"\0", at) + 1
    at += 4
    size = int.from_bytes(stream[at : at + 4], "little")
    at += 4 + size  # name of the temporary file
    size = int.from_bytes(stream[at : at + 4], "little")
    return stream[at + 4 : at + 4 + size]
