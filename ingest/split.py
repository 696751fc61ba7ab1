"""Cuts the pages of a file into passages along headings, sentences and lines.

A passage runs on over a page break unless the heading changes there; it never cuts a
sentence or a line that fits into a passage. Passages overlap by whole sentences. Knows
no file format and no model: how long a text is, it is told.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from langchain_text_splitters import RecursiveCharacterTextSplitter

from dunegpt.types import Page, Passage

VERSION = "1"
"""Part of the key of every shard: raise it when the output changes."""

_SENTENCE_END = re.compile(r"\n{2,}|(?<=[.!?])\s+(?=[A-Z0-9(\[])")
_RECORD_WORDS = (300, 1000)
_RUNNING_LINES = 2
_RUNNING_PAGES = 2


@dataclass(frozen=True, slots=True)
class Splitter:
    """Cuts to a size measured by ``count``, in the encoder's tokens."""

    count: Callable[[str], int]
    passage_tokens: int
    overlap_tokens: int

    def split(
        self, document_id: str, file_key: str, pages: Sequence[Page]
    ) -> Iterator[Passage]:
        """Yield the passages of one file, in order."""
        records = _Records()
        bodies = zip(pages, body_spans(pages), strict=True)
        for heading, run in groupby(bodies, key=lambda body: body[0].heading):
            section = _Section(list(run))
            record = records.take(section.text)
            for start, end in self._spans(section.text):
                first, offset = section.place(start)
                last, stop = section.place(end - 1)
                yield Passage(
                    document_id=document_id,
                    file_key=file_key,
                    first_page=first,
                    last_page=last,
                    start=offset,
                    end=stop + 1,
                    heading=heading,
                    text=section.text[start:end],
                    record=record,
                )

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each passage in a text, white space trimmed."""
        pieces = self._pieces(text)
        first = 0
        while first < len(pieces):
            size, last = 0, first
            while last < len(pieces) and (
                size + pieces[last][2] <= self.passage_tokens or last == first
            ):
                size += pieces[last][2]
                last += 1
            yield from _trimmed(text, pieces[first][0], pieces[last - 1][1])
            if last == len(pieces):
                return
            first = self._overlapping(pieces, first, last)

    def _overlapping(
        self, pieces: list[tuple[int, int, int]], first: int, last: int
    ) -> int:
        """Return the piece to begin the next passage with.

        The overlap leaves room for the piece that comes next, so that no passage
        holds an overlap only.
        """
        room = min(self.overlap_tokens, self.passage_tokens - pieces[last][2])
        begin = last
        while begin - 1 > first and pieces[begin - 1][2] <= room:
            begin -= 1
            room -= pieces[begin][2]
        return begin

    def _pieces(self, text: str) -> list[tuple[int, int, int]]:
        """Return start, end and tokens of the sentences that make up a text.

        A sentence too long for a passage (a table, a log) is cut at lines, else at
        words. Nothing is stripped and nothing overlaps, so offsets are sums of
        lengths. The library's own ``add_start_index`` searches for the text of a
        piece, and gave wrong places or -1 where text repeats
        (langchain-text-splitters 1.1.3).
        """
        splitter = RecursiveCharacterTextSplitter(
            separators=["\n", " ", ""],
            keep_separator="end",
            chunk_size=self.passage_tokens,
            chunk_overlap=0,
            # White space alone counts 0, and would be given twice, as an overlap.
            length_function=lambda piece: self.count(piece) or 1,
            strip_whitespace=False,
        )
        pieces, start = [], 0
        for sentence in _sentences(text):
            size = self.count(sentence)
            fits = size <= self.passage_tokens
            for piece in [sentence] if fits else splitter.split_text(sentence):
                end = start + len(piece)
                pieces.append((start, end, size if fits else self.count(piece)))
                start = end
        if start != len(text):
            raise ValueError("the pieces do not add up to the text")
        return pieces


def _sentences(text: str) -> Iterator[str]:
    """Yield the sentences and paragraphs of a text, white space after them included."""
    start = 0
    for gap in _SENTENCE_END.finditer(text):
        yield text[start : gap.end()]
        start = gap.end()
    if start < len(text):
        yield text[start:]


class _Section:
    """Consecutive pages under one heading, as one text without running lines."""

    def __init__(self, bodies: list[tuple[Page, tuple[int, int]]]) -> None:
        self._bodies = bodies
        self._starts = []
        parts, length = [], 0
        for page, (start, end) in bodies:
            self._starts.append(length)
            parts.append(page.text[start:end])
            length += end - start + 1
        self.text = "\n".join(parts)

    def place(self, offset: int) -> tuple[int, int]:
        """Return page number and offset in that page of an offset in the text."""
        at = bisect_right(self._starts, offset) - 1
        page, (start, _) = self._bodies[at]
        return page.number, start + offset - self._starts[at]


def body_spans(pages: Sequence[Page]) -> list[tuple[int, int]]:
    """Return for each page the span of its text between running head and foot.

    A line at the edge of a page runs if it stands, numbers apart, at the same edge of
    most pages, and nowhere inside a page, as the rows of a table do. It stays on the
    page that is shown, and is left out of passages: it would be the beginning of every
    one of them.
    """
    edges = [_edges(page.text) for page in pages]
    inside = {key for page in pages for key in _inner_lines(page.text)}
    heads = Counter(k for head, _ in edges for k in {k for k, _ in head} - inside)
    feet = Counter(k for _, foot in edges for k in {k for k, _ in foot} - inside)
    least = max(_RUNNING_PAGES, len(pages) // 2 + 1)
    spans = []
    for page, (head, foot) in zip(pages, edges, strict=True):
        start = max((at for key, at in head if heads[key] >= least), default=0)
        end = min(
            (at for key, at in foot if feet[key] >= least), default=len(page.text)
        )
        spans.append((start, max(start, end)))
    return spans


def _key(line: str) -> str:
    """Return a line without what differs from page to page."""
    return re.sub(r"\d+", "#", line).strip()


def _inner_lines(text: str) -> list[str]:
    keys = [key for line in text.split("\n") if (key := _key(line))]
    return keys[_RUNNING_LINES:-_RUNNING_LINES]


def _edges(text: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return first and last lines of a page, numbers out: (line, where it ends/begins).

    Every line is paired with the offset that a body without it begins or ends at.
    """
    lines, at = [], 0
    for line in text.split("\n"):
        if key := _key(line):
            lines.append((key, at, at + len(line) + 1))
        at += len(line) + 1
    head = [(key, min(end, len(text))) for key, _, end in lines[:_RUNNING_LINES]]
    foot = [(key, start) for key, start, _ in lines[-_RUNNING_LINES:]]
    return head, foot


class _Records:
    """Groups sections into records of about 300 to 1,000 words."""

    def __init__(self) -> None:
        self._number = 0
        self._words = 0

    def take(self, text: str) -> int:
        """Return the record that a section belongs to."""
        words = len(text.split())
        full = self._words >= _RECORD_WORDS[0]
        if full or (self._words and self._words + words > _RECORD_WORDS[1]):
            self._number += 1
            self._words = 0
        self._words += words
        return self._number


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the span without white space around it, if anything is left."""
    piece = text[start:end]
    if piece.strip():
        left = len(piece) - len(piece.lstrip())
        yield start + left, start + len(piece.rstrip())
