"""Text of a page of a PDF: as the file draws it, tables and columns put in order.

pdfium gives lines in drawing order, mostly right. Only on pages that seem to hold a
table, or lines that run across two columns, is the place of every character asked for
(5 ms instead of 1): there rows become ``cell | cell``, and columns follow each other.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pypdfium2 import raw

from dunegpt.ingest.extract import pdf_table
from dunegpt.ingest.extract.pdf_table import Segment

_NUMERIC = re.compile(r"[-+±~<>≤≥$(]*\d[\d.,\u00d7x^/%)eE+±-]*")
_CAPTION = re.compile(r"(?m)^(?:Table|TABLE|Tab\.)\s+[\dIVX]+")
_MOST_CHARACTERS = 20_000
_WIDE_LINE = 105
_LEAST_ROWS = 3


def text_of(layer: Any) -> str:
    """Return the text of a page's layer, with line feeds for line ends."""
    text: str = layer.get_text_bounded()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _needs_places(text) or layer.count_chars() > _MOST_CHARACTERS:
        return text
    lines = [_segments(words) for words in _lines(layer)]
    return "\n".join(pdf_table.arranged([line for line in lines if line]))


def _needs_places(text: str) -> bool:
    """Return whether a page seems to hold a table or to mix two columns."""
    lines = text.split("\n")
    rows = sum(_is_numeric(line) for line in lines)
    if rows >= _LEAST_ROWS or _CAPTION.search(text):
        return True
    wide = sum(len(line) > _WIDE_LINE for line in lines)
    return wide > 5 and wide > 0.3 * len(lines)


def _is_numeric(line: str) -> bool:
    """Return whether numbers are much of a line, as in the row of a table."""
    if not any(character.isdigit() for character in line):
        return False
    tokens = line.split()
    numbers = sum(bool(_NUMERIC.fullmatch(token)) for token in tokens)
    return len(tokens) >= 3 and numbers >= 2 and numbers >= 0.4 * len(tokens)


def _lines(layer: Any) -> Iterator[list[Segment]]:
    """Yield the words of each line, in drawing order."""
    box = raw.FS_RECTF()
    words: list[Segment] = []
    word: Segment | None = None
    for at in range(layer.count_chars()):
        code = raw.FPDFText_GetUnicode(layer.raw, at)
        if code in {10, 13}:
            if words:
                yield words
            words, word = [], None
        elif code in {32, 9, 160, 0}:
            word = None
        elif raw.FPDFText_GetLooseCharBox(layer.raw, at, box):
            if word is None:
                word = Segment("", box.left, box.right, box.bottom, box.top)
                words.append(word)
            word.text += chr(code)
            word.right = max(word.right, box.right)
            word.left = min(word.left, box.left)
            word.top, word.bottom = max(word.top, box.top), min(word.bottom, box.bottom)
    if words:
        yield words


def _segments(words: Sequence[Segment]) -> list[Segment]:
    """Return the runs of words of a line that wide gaps set apart."""
    found: list[Segment] = []
    for word in words:
        if found and found[-1].goes_on(word):
            found[-1].add(word)
        else:
            found.append(word)
    return found
