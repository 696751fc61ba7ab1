"""Outlook messages (.msg), read with olefile: one page, then those of attachments."""

from collections.abc import Iterator
from email.header import Header

import olefile

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean_text, to_one_line
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.mail.attachments import Attachment, read_attachments
from dunegpt.ingest.extract.mail.quotes import mark_quotes
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_STREAM_PREFIX = "__substg1.0_"
_FIELDS = {
    "From": ("0C1A", "0C1F"),
    "To": ("0E04",),
    "Cc": ("0E03",),
    "Subject": ("0037",),
}
_HEADERS, _BODY, _HTML, _RTF = "007D", "1000", "1013", "1009"
_LONG_FILE_NAME, _FILE_NAME, _DISPLAY_NAME = "3707", "3704", "3001"
_MIME_TYPE, _CONTENT_ID, _DATA = "370E", "3712", "3701"


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the message as one page, then the pages of its attachments.

    Raises:
        ExtractError: The message is damaged.
    """
    try:
        with olefile.OleFileIO(str(task.path)) as message:
            attachments = list(_iter_attachments(task, message))
            page = _build_page(task, message, [], attachments)
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ExtractError(f"The message is damaged: {error}.") from error
    yield page
    yield from read_attachments(task, attachments, page.number)


def _build_page(
    task: ExtractTask,
    message: olefile.OleFileIO,
    folder: list[str],
    attachments: list[Attachment],
) -> Page:
    headers = []
    for name, tags in _FIELDS.items():
        values = [to_one_line(_read_text(message, folder, tag)) for tag in tags]
        if value := " ".join(filter(None, values)):
            headers.append(f"{name}: {value}")
    for line in _read_text(message, folder, _HEADERS).split("\n"):
        if line.lower().startswith("date:"):
            headers.append(to_one_line(line))
    if attachments:
        headers.append(f"Attached: {', '.join(each.name for each in attachments)}")
    subject = to_one_line(_read_text(message, folder, "0037"))
    body = _read_body(task, message, folder)
    return Page(1, subject, "\n".join([*headers, "", body]).strip())


def _read_body(task: ExtractTask, message: olefile.OleFileIO, folder: list[str]) -> str:
    """Return the text of a message: of its HTML if it has any, else the plain text."""
    rich = _read_property(message, folder, f"{_HTML}0102")
    source: bytes | str = rich or _read_text(message, folder, _HTML)
    if source:
        pages = read_html(source, mark_quotes=True)
        text = "\n\n".join(page.text for page in pages)
        if text.strip():
            return mark_quotes(text, is_wrapped=False)
    plain = clean_text(_read_text(message, folder, _BODY))
    if not plain and message.exists([*folder, f"{_STREAM_PREFIX}{_RTF}0102"]):
        task.remark("The text of the message is in RTF only, which is not read.")
    return mark_quotes(plain)


def _iter_attachments(
    task: ExtractTask, message: olefile.OleFileIO
) -> Iterator[Attachment]:
    """Yield the attached files; forwarded messages without their own attachments."""
    paths = message.listdir()
    for entry in sorted({path[0] for path in paths}):
        if not entry.startswith("__attach"):
            continue
        tags = (_LONG_FILE_NAME, _FILE_NAME, _DISPLAY_NAME)
        names = (to_one_line(_read_text(message, [entry], tag)) for tag in tags)
        name = next(filter(None, names), "attachment")
        kind = _read_text(message, [entry], _MIME_TYPE)
        inner = [entry, f"{_STREAM_PREFIX}{_DATA}000D"]
        if message.exists([*inner, f"{_STREAM_PREFIX}0037001F"]):
            if any(path[:2] == inner and path[2].startswith("__att") for path in paths):
                task.remark(f"{name}: its attachments are not read.")
            yield Attachment(f"{name}.eml", "message/rfc822", _as_mail(message, inner))
            continue
        content = _read_property(message, [entry], f"{_DATA}0102")
        is_inline = bool(_read_text(message, [entry], _CONTENT_ID))
        yield Attachment(name, kind, content, is_inline=is_inline)


def _as_mail(message: olefile.OleFileIO, folder: list[str]) -> bytes:
    """Return an attached Outlook message as an e-mail with its header and text."""
    lines = []
    for name, tags in _FIELDS.items():
        values = [to_one_line(_read_text(message, folder, tag)) for tag in tags]
        if value := " ".join(filter(None, values)):
            lines.append(f"{name}: {Header(value, 'utf-8').encode()}")
    rich = _read_property(message, folder, f"{_HTML}0102")
    kind = "html" if rich else "plain; charset=utf-8"
    head = "\n".join([*lines, f"Content-Type: text/{kind}", "", ""]).encode()
    return head + (rich or _read_text(message, folder, _BODY).encode())


def _read_text(message: olefile.OleFileIO, folder: list[str], tag: str) -> str:
    """Return a text property, stored as UTF-16 or else as Windows-1252."""
    if wide := _read_property(message, folder, f"{tag}001F"):
        return wide.decode("utf-16-le", errors="replace").replace("\r\n", "\n")
    narrow = _read_property(message, folder, f"{tag}001E")
    return narrow.decode("cp1252", errors="replace").replace("\r\n", "\n")


def _read_property(message: olefile.OleFileIO, folder: list[str], tag: str) -> bytes:
    path = [*folder, _STREAM_PREFIX + tag]
    if not message.exists(path):
        return b""
    with message.openstream(path) as stream:
        content: bytes = stream.read()
    return content
