"""Plain text files to pages, cut at form feeds or at a fixed number of lines."""

from collections.abc import Iterator
from pathlib import Path

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean
from dunegpt.types import Page

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LINES = 60


def pages(path: Path) -> Iterator[Page]:
    """Yield the pages of a text file, of 60 lines where it has no form feeds."""
    content = decode(path.read_bytes())
    number = 0
    for sheet in content.split("\f"):
        lines = sheet.split("\n")
        for start in range(0, len(lines), _LINES):
            number += 1
            text = clean("\n".join(lines[start : start + _LINES]), keep_layout=True)
            yield Page(number, "", text)


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file look like text of any encoding."""
    if head.startswith(UTF16_MARKS):
        return True
    if b"\0" in head:
        return False
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return odd * 100 <= len(head)


def decode(content: bytes) -> str:
    """Return text from bytes: UTF-8, else UTF-16 by its mark, else Windows-1252.

    Raises:
        ExtractError: It is not text.
    """
    if content.startswith(UTF16_MARKS):
        encoding = "utf-16"
    elif not is_text(content[:4096]):
        raise ExtractError("The file is not text.")
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
