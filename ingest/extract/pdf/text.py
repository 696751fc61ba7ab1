"""Text of a PDF page, with tables and columns put in reading order.

pdfium returns lines in drawing order, which is mostly the reading order. Only for pages
that seem to hold a table, lines across two columns, or sideways text are the places of
all words queried: table rows become ``cell | cell``, and columns follow each other.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from dunegpt.ingest.extract.pdf import layout as pdf_layout
from dunegpt.ingest.extract.pdf import lines as pdf_lines
from dunegpt.ingest.extract.pdf import repairs as pdf_repairs
from dunegpt.ingest.extract.pdf import rules as pdf_rules
from dunegpt.ingest.extract.pdf import scripts as pdf_scripts
from dunegpt.ingest.extract.pdf.glyphs import PageGlyphs, read_glyphs
from dunegpt.ingest.extract.pdf.segments import SegmentLine, TextSegment
from dunegpt.ingest.extract.pdf.tables import TableMemory

_NUMERIC = re.compile(r"[-+±~<>≤≥$(]*\d[\d.,\u00d7x^/%)eE+±-]*")
_DIGIT = re.compile(r"\d")
_CAPTION = re.compile(r"(?m)^(?:Table|TABLE|Tab\.)\s+[\dIVX]+")
_WORD_OR_END = re.compile("\n|[^\\s\0\u200b-\u200f\ufeff]+")
_NUMBER_BEFORE = re.compile(r"[-<>~±]?\d")
_ROW_FIRST = "0123456789-+±~<>≤≥$("
_SHORT_ROWS = 4
_SHORT_ROW_WORDS = range(2, 9)
_MAX_CHARACTERS = 20_000
_WIDE_LINE = 105
_MIN_ROWS = 3


def read_page_glyphs(layer: Any) -> PageGlyphs:
    """Return the characters of a page with all repairs, in drawing order."""
    glyphs = read_glyphs(layer)
    pdf_lines.turn_sideways_lines(glyphs)
    pdf_lines.drop_line_numbers(glyphs)
    pdf_repairs.close_spaced_letters(glyphs)
    pdf_repairs.compose_accents(glyphs)
    pdf_repairs.guess_ligatures(glyphs)
    pdf_repairs.decode_symbol_fonts(glyphs)
    pdf_scripts.mark_scripts(glyphs)
    return glyphs


def arrange_text(glyphs: PageGlyphs, memory: TableMemory | None = None) -> str:
    """Return the text of a page in reading order, with line feeds as line ends.

    Args:
        glyphs: The characters of the page.
        memory: The table at the end of the page before; updated.
    """
    text = glyphs.joined()
    if len(text) > _MAX_CHARACTERS or not (glyphs.quarters or _needs_layout(text)):
        if memory is not None:
            memory.forget()
        return text
    page = glyphs.layer.page
    find_rules = list if glyphs.quarters else cache(lambda: pdf_rules.find_rules(page))
    lines = list(_iter_lines(glyphs))
    if glyphs.is_sideways:
        # pdfium has no order for the lines of such a page.
        lines.sort(key=lambda line: -line[0].middle)
    return "\n".join(pdf_layout.arrange_lines(lines, memory, find_rules))


def _needs_layout(text: str) -> bool:
    """Return whether a page seems to contain a table or to mix two columns."""
    if _CAPTION.search(text):
        return True
    lines = text.split("\n")
    wide = sum(len(line) > _WIDE_LINE for line in lines)
    if wide > 5 and wide > 0.3 * len(lines):
        return True
    rows = short_rows = 0
    for line in lines:
        if not _DIGIT.search(line):
            short_rows = 0
            continue
        words = line.split()
        rows += _is_numeric(words)
        short_rows = short_rows + 1 if _is_short_row(line, words) else 0
        if rows >= _MIN_ROWS or short_rows >= _SHORT_ROWS:
            return True
    return False


def _is_numeric(words: list[str]) -> bool:
    """Return whether the words of a line are mostly numbers, as in a table row."""
    if len(words) < 3:
        return False
    numbers = sum(
        word[0] in _ROW_FIRST and bool(_NUMERIC.fullmatch(word)) for word in words
    )
    return numbers >= 2 and numbers >= 0.4 * len(words)


def _is_short_row(line: str, words: list[str]) -> bool:
    """Return whether a line is a few words with a number: no sentence."""
    return (
        len(words) in _SHORT_ROW_WORDS
        and line[-1] not in ".:;,"
        and line.count(" ") == len(words) - 1
        and any(_NUMBER_BEFORE.match(word) for word in words)
    )


def _iter_lines(glyphs: PageGlyphs) -> Iterator[SegmentLine]:
    """Yield the segments of each line in drawing order, split at wide gaps."""
    line: SegmentLine = []
    owners = glyphs.find_owners()
    words = [
        (match[0], owners[match.start()], owners[match.end() - 1])
        for match in _WORD_OR_END.finditer("".join(glyphs.texts))
    ]
    glyphs.measure(at for _, *ends in words for at in ends)
    for word, begin, end in words:
        if word == "\n":
            if line:
                yield line
            line = []
            continue
        first, last = glyphs.box(begin), glyphs.box(end)
        if first is None or last is None:
            continue
        left, top, right, bottom = first
        if begin != end:
            left, right = min(left, last[0]), max(right, last[2])
            bottom, top = min(bottom, last[3]), max(top, last[1])
        if not (line and line[-1].add(word, left, right, bottom, top)):
            line.append(TextSegment(word, left, right, bottom, top))
    if line:
        yield line
