"""Text of a PDF page, with tables and columns put in reading order.

pdfium returns lines in drawing order, which is mostly the reading order. Only for pages
that seem to hold a table, lines across two columns, or sideways text are the places of
all words queried: table rows become ``cell | cell``, and columns follow each other.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from dunegpt.ingest.extract import (
    pdf_layout,
    pdf_lines,
    pdf_repairs,
    pdf_rules,
    pdf_scripts,
)
from dunegpt.ingest.extract.pdf_glyphs import PageGlyphs, read_glyphs
from dunegpt.ingest.extract.pdf_segments import TextSegment
from dunegpt.ingest.extract.pdf_tables import TableMemory

_NUMERIC = re.compile(r"[-+±~<>≤≥$(]*\d[\d.,\u00d7x^/%)eE+±-]*")
_DIGIT = re.compile(r"\d")
_CAPTION = re.compile(r"(?m)^(?:Table|TABLE|Tab\.)\s+[\dIVX]+")
_WORD_OR_END = re.compile("\n|[^\\s\0\u200b-\u200f\ufeff]+")
_SHORT_ROWS = re.compile(
    r"(?:^(?=[^\n]*(?<!\S)[-+<>~±]?\d)(?![^\n]*[.:;,]$)\S+(?: \S+){1,7}\n){4}", re.M
)
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
    lines = [_split_segments(words) for words in _iter_lines(glyphs) if words]
    if glyphs.is_sideways:
        # pdfium has no order for the lines of such a page.
        lines.sort(key=lambda line: -line[0].middle)
    return "\n".join(pdf_layout.arrange_lines(lines, memory, find_rules))


def _needs_layout(text: str) -> bool:
    """Return whether a page seems to contain a table or to mix two columns."""
    lines = text.split("\n")
    rows = sum(_is_numeric(line) for line in lines)
    if rows >= _MIN_ROWS or _CAPTION.search(text):
        return True
    if _SHORT_ROWS.search(text):
        return True
    wide = sum(len(line) > _WIDE_LINE for line in lines)
    return wide > 5 and wide > 0.3 * len(lines)


def _is_numeric(line: str) -> bool:
    """Return whether a line is mostly numbers, like a table row."""
    if not _DIGIT.search(line):
        return False
    tokens = line.split()
    numbers = sum(bool(_NUMERIC.fullmatch(token)) for token in tokens)
    return len(tokens) >= 3 and numbers >= 2 and numbers >= 0.4 * len(tokens)


def _iter_lines(glyphs: PageGlyphs) -> Iterator[list[TextSegment]]:
    """Yield the words of each line in drawing order."""
    words: list[TextSegment] = []
    owners = [at for at, text in enumerate(glyphs.texts) for _ in text]
    for match in _WORD_OR_END.finditer("".join(glyphs.texts)):
        if match[0] == "\n":
            if words:
                yield words
            words = []
            continue
        first = glyphs.box(owners[match.start()])
        last = glyphs.box(owners[match.end() - 1])
        if first is None or last is None:
            continue
        word = TextSegment(
            match[0],
            min(first.left, last.left),
            max(first.right, last.right),
            min(first.bottom, last.bottom),
            max(first.top, last.top),
        )
        words.append(word)
    if words:
        yield words


def _split_segments(words: Sequence[TextSegment]) -> list[TextSegment]:
    """Return the words of a line merged into segments, split at wide gaps."""
    segments: list[TextSegment] = []
    for word in words:
        if segments and segments[-1].continues_with(word):
            segments[-1].add(word)
        else:
            segments.append(word)
    return segments
