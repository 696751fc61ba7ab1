"""Outlook messages (.msg) to a page, through olefile."""

from collections.abc import Iterator

import olefile

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean, one_line
from dunegpt.ingest.extract.html import pages_of
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_STREAM = "__substg1.0_"
_FIELDS = {
    "From": ("0C1A", "0C1F"),
    "To": ("0E04",),
    "Cc": ("0E03",),
    "Subject": ("0037",),
}
_HEADERS, _BODY, _HTML, _FILE_NAME = "007D", "1000", "1013", "3707"


def pages(task: Task) -> Iterator[Page]:
    """Yield the message.

    Raises:
        ExtractError: Damaged.
    """
    try:
        with olefile.OleFileIO(str(task.path)) as message:
            yield _page(message)
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ExtractError(f"The message is damaged: {error}.") from error


def _page(message: olefile.OleFileIO) -> Page:
    head = []
    for name, tags in _FIELDS.items():
        values = [one_line(_text(message, [], tag)) for tag in tags]
        if value := " ".join(filter(None, values)):
            head.append(f"{name}: {value}")
    for line in _text(message, [], _HEADERS).split("\n"):
        if line.lower().startswith("date:"):
            head.append(one_line(line))
    attached = [
        one_line(_text(message, [entry], _FILE_NAME))
        for entry in sorted({e[0] for e in message.listdir()})
        if entry.startswith("__attach")
    ]
    if names := ", ".join(filter(None, attached)):
        head.append(f"Attached: {names}")
    body = clean(_text(message, [], _BODY)) or "\n\n".join(
        page.text for page in pages_of(_bytes(message, [], f"{_HTML}0102"))
    )
    subject = one_line(_text(message, [], "0037"))
    return Page(1, subject, "\n".join([*head, "", body]).strip())


def _text(message: olefile.OleFileIO, folder: list[str], tag: str) -> str:
    """Return a property as text: Unicode, else what Windows wrote."""
    if wide := _bytes(message, folder, f"{tag}001F"):
        return wide.decode("utf-16-le", errors="replace").replace("\r\n", "\n")
    narrow = _bytes(message, folder, f"{tag}001E")
    return narrow.decode("cp1252", errors="replace").replace("\r\n", "\n")


def _bytes(message: olefile.OleFileIO, folder: list[str], tag: str) -> bytes:
    path = [*folder, _STREAM + tag]
    if not message.exists(path):
        return b""
    with message.openstream(path) as stream:
        content: bytes = stream.read()
    return content
