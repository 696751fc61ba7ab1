"""E-mails and mailboxes to pages: a message is a page, its attachments more of them.

An attachment is named and its text follows where it is text; others are listed by name.
"""

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean, one_line
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.html import pages_of
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_FIELDS = ("From", "To", "Cc", "Date", "Subject")
_BOX = "application/mbox"


def pages(task: Task) -> Iterator[Page]:
    """Yield a page for each message."""
    number = 0
    for raw in _messages(task):
        message = email.message_from_bytes(raw, policy=email.policy.default)
        if not isinstance(message, EmailMessage):
            raise ExtractError("The message is damaged.")
        number += 1
        yield Page(number, _field(message, "Subject"), _text(message))


def _messages(task: Task) -> Iterator[bytes]:
    if task.kind != _BOX:
        content = task.path.read_bytes()
        wide = content[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in content[:200]
        yield decode(content).encode() if wide else content
        return
    message: list[bytes] = []
    with task.path.open("rb") as box:
        for line in box:
            if line.startswith(b"From ") and message:
                yield b"".join(message)
                message = []
            elif not line.startswith(b"From "):
                message.append(line)
    yield b"".join(message)


def _field(message: EmailMessage, name: str) -> str:
    """Return a header as text, whatever it holds; empty if there is none."""
    try:
        value = message.get(name, "")
    except (ValueError, IndexError, AttributeError, TypeError):
        raw = [v for k, v in message.raw_items() if k.lower() == name.lower()]
        value = str(raw[0]) if raw else ""
    return one_line(str(value))


def _text(message: EmailMessage) -> str:
    head = [f"{name}: {v}" for name in _FIELDS if (v := _field(message, name))]
    body, attached = "", []
    for part in message.walk():
        if part.is_multipart():
            continue
        name = part.get_filename()
        kind = part.get_content_type()
        if name or part.get_content_disposition() == "attachment":
            attached.append(one_line(name or kind))
        elif kind == "text/plain" and not body:
            body = clean(_content(part))
        elif kind == "text/html" and (not body or not _has_plain(message)):
            body = "\n\n".join(page.text for page in pages_of(_content(part)))
    listed = [f"Attached: {', '.join(attached)}"] if attached else []
    return "\n".join([*head, *listed, "", body]).strip()


def _has_plain(message: EmailMessage) -> bool:
    return any(
        p.get_content_type() == "text/plain" and not p.get_filename()
        for p in message.walk()
    )


def _content(part: EmailMessage) -> str:
    """Return the text of a part, also where its encoding is not what it says."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return str(payload or "")
    charset = part.get_content_charset() or ""
    try:
        if charset and not re.fullmatch(r"us-ascii|ascii", charset, re.I):
            return payload.decode(charset).replace("\r\n", "\n")
        return decode(payload)
    except (LookupError, UnicodeDecodeError, ExtractError):
        return payload.decode("utf-8", errors="replace").replace("\r\n", "\n")
