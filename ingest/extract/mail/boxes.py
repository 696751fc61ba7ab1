"""Splits a mailbox (mbox) into its messages.

A message begins at a line ``From ADDRESS DATE`` that stands after an empty line and
before a header; a sentence that begins with "From " is text, escaped or not.
"""

import re
from collections.abc import Iterable, Iterator

_POSTMARK = re.compile(
    rb"From \S.*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.{0,20}\d{1,2}:\d\d"
    rb".*\b(?:19|20)\d\d\b"
    rb"|From \S+(?: at \S+)?\s+\d{4}-\d\d-\d\d[T ]\d\d:\d\d|From -?\s*$"
)
_HEADER = re.compile(rb">?[!-9;-~]+:(?:\s|$)")
_MAIL_HEADER = re.compile(
    rb"(?:Received|Return-Path|MIME-Version|Message-ID|Date|Subject|From|To|Cc|Reply-To"
    rb"|Delivered-To|X-[\w-]+|DKIM-Signature|Content-[\w-]+|References|In-Reply-To"
    rb"|Sender|Status|List-[\w-]+|Organization|User-Agent|Envelope-to):",
    re.I,
)
_ESCAPED = re.compile(rb"^>(>*From )")


def split_messages(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of each message, without the line before it."""
    message, is_blank, held = list[bytes](), True, b""
    for line in lines:
        if held:
            if _begins_message(held, line, is_blank=is_blank):
                if b"".join(message).strip():
                    yield b"".join(message)
                message = []
            else:
                message.append(held)
            is_blank, held = False, b""
        if line.startswith(b"From "):
            held = line
            continue
        message.append(_ESCAPED.sub(rb"\1", line))
        is_blank = not line.strip()
    if held and not _POSTMARK.match(held):
        message.append(held)
    if b"".join(message).strip():
        yield b"".join(message)


def _begins_message(postmark: bytes, following: bytes, *, is_blank: bool) -> bool:
    """Return whether a line that begins with "From " separates two messages."""
    is_dated = bool(_POSTMARK.match(postmark))
    if is_blank and is_dated:
        return bool(_HEADER.match(following))
    if is_dated or (is_blank and len(postmark.split()) <= 3):
        return bool(_MAIL_HEADER.match(following))
    return False
