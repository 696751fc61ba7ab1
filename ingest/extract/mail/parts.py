"""The text and the attachments of a message, from its MIME parts."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from email.message import EmailMessage, Message

from dunegpt.ingest.extract.calendar_text import iter_events
from dunegpt.ingest.extract.clean import clean_text, to_one_line
from dunegpt.ingest.extract.encoding import decode, decode_as
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.mail.attachments import Attachment
from dunegpt.ingest.extract.mail.quotes import mark_quotes

_SIGNATURES = frozenset(
    "application/pgp-signature application/pkcs7-signature application/applefile"
    " application/x-pkcs7-signature application/pgp-encrypted".split()
)
_SHOWN = frozenset("text/plain text/html text/calendar message/delivery-status".split())
_WORD = re.compile(r"\w+")
_ADDRESS = re.compile(r"<?\b(?:https?|mailto|cid):[^\s>]*>?")
_MOST = 0.7
_NEARLY_ALL = 0.9

Remark = Callable[[str], None]
Part = EmailMessage | Message


def read_message(message: EmailMessage, remark: Remark) -> tuple[str, list[Attachment]]:
    """Return the text of a message, and its attachments in order.

    Args:
        message: The message.
        remark: Is told what cannot be read.
    """
    texts, attachments = list[str](), list[Attachment]()
    for found in _iter_parts(message, remark):
        if isinstance(found, str):
            texts.append(found)
        else:
            attachments.append(found)
    body = "\n\n".join(dict.fromkeys(filter(None, texts)))
    return body, [each for each in attachments if not _is_told(each, body)]


def get_header(message: Part, name: str) -> str:
    """Return a header as text, even if it is malformed; empty if it is missing.

    Old programs write its bytes without saying in which encoding they are.
    """
    own = (str(v) for k, v in message.raw_items() if k.lower() == name.lower())
    raw = next(own, "")
    if not raw.isascii():
        content = raw.encode("utf-8", "surrogateescape")
        return to_one_line(re.sub(r"\r?\n(?=[ \t])", "", decode(content)))
    try:
        value = message.get(name, "")
    except (ValueError, IndexError, AttributeError, TypeError):
        value = raw
    return to_one_line(str(value))


def _iter_parts(part: Part, remark: Remark) -> Iterator[str | Attachment]:
    kind = part.get_content_type()
    is_attached = part.get_content_disposition() == "attachment"
    if kind == "multipart/alternative" and part.is_multipart():
        yield from _iter_alternatives(part, remark)
    elif kind == "multipart/encrypted":
        remark("The message is encrypted.")
    elif kind == "message/rfc822" and part.is_multipart():
        yield _attach_message(part)
    elif kind == "message/delivery-status" and part.is_multipart():
        yield clean_text("\n".join(str(own) for own in _subparts(part)))
    elif part.is_multipart():
        for own in _subparts(part):
            yield from _iter_parts(own, remark)
    elif kind in _SIGNATURES:
        return
    elif is_attached or part.get_filename() or not _is_shown(kind):
        yield _attach(part)
    else:
        yield _format_text(part, kind)


def _is_shown(kind: str) -> bool:
    return kind in _SHOWN or kind.startswith("multipart/")


def _iter_alternatives(part: Part, remark: Remark) -> Iterator[str | Attachment]:
    """Yield the fuller of the alternatives; both where each says more than the other.

    HTML is preferred: it says what is raised, struck out or in a table.
    """
    plain, rich = list[str](), list[str]()
    for own in _subparts(part):
        is_plain = own.get_content_type() == "text/plain"
        for found in _iter_parts(own, remark):
            if not isinstance(found, str) or own.get_content_type() == "text/calendar":
                yield found
            else:
                (plain if is_plain else rich).append(found)
    one, other = "\n\n".join(plain).strip(), "\n\n".join(rich).strip()
    words, rich_words = _words(one), _words(other)
    if _share(words, rich_words) >= _MOST:
        yield other
    elif _share(rich_words, words) >= _NEARLY_ALL:
        yield one
    else:
        yield one
        yield other


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKC", _ADDRESS.sub(" ", text)).casefold()
    return set(_WORD.findall(plain))


def _share(words: set[str], others: set[str]) -> float:
    """Return which share of some words is among others; 1 if there are none."""
    return len(words & others) / len(words) if words else 1.0


def _subparts(part: Part) -> list[Part]:
    payload = part.get_payload()
    parts = payload if isinstance(payload, list) else []
    return [own for own in parts if isinstance(own, Message)]


def _attach_message(part: Part) -> Attachment:
    """Return a forwarded message as a file named after its subject."""
    inner = _subparts(part)[0]
    name = _file_name(part) or get_header(inner, "Subject") or "message"
    name = name if name.lower().endswith(".eml") else f"{name}.eml"
    return Attachment(name, "message/rfc822", bytes(inner))


def _attach(part: Part) -> Attachment:
    kind = part.get_content_type()
    content = _get_bytes(part)
    if kind.startswith("text/") and part.get_content_charset():
        content = decode_as(content, part.get_content_charset() or "").encode()
    inline = part.get_content_disposition() != "attachment" and bool(part["Content-ID"])
    return Attachment(_file_name(part) or kind, kind, content, is_inline=inline)


def _file_name(part: Part) -> str:
    try:
        return to_one_line(part.get_filename() or "")
    except (ValueError, IndexError, AttributeError, TypeError):
        return ""


def _format_text(part: Part, kind: str) -> str:
    charset = part.get_content_charset() or ""
    text = decode_as(_get_bytes(part), charset).replace("\r\n", "\n")
    if kind == "text/html":
        pages = read_html(text, mark_quotes=True)
        return mark_quotes("\n\n".join(p.text for p in pages), is_wrapped=False)
    if kind == "text/calendar":
        return "\n\n".join(f"Invitation: {event.text}" for event in iter_events(text))
    is_flowed = str(part.get_param("format", "")).lower() == "flowed"
    return clean_text(mark_quotes(text, is_flowed=is_flowed))


def _get_bytes(part: Part) -> bytes:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    return str(part.get_payload() or "").encode("utf-8", "surrogateescape")


def _is_told(attachment: Attachment, body: str) -> bool:
    """Return whether an attached invitation is the one in the text."""
    if not attachment.name.lower().endswith(".ics"):
        return False
    text = decode_as(attachment.content, "utf-8").replace("\r\n", "\n")
    events = list(iter_events(text))
    return bool(events) and all(event.text in body for event in events)
