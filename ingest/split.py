"""Cuts the pages of a file into passages along headings, sentences and lines.

A passage runs on over a page break unless the heading changes there; it never cuts a
sentence or the row of a table that fits into a passage. One that begins within a table
leads with the caption and the head of it. Passages overlap by whole sentences. The text
of a figure is a passage of its own, and running text goes on around it. Knows no file
format and no model: how long a text is, it is told.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from langchain_text_splitters import RecursiveCharacterTextSplitter

from dunegpt.ingest.headers_footers import find_body_spans
from dunegpt.text.sentences import split_passage
from dunegpt.types import Figure, Page, Passage

VERSION = "3"
"""Part of the key of every shard: raise it when the output changes."""

_ROW = re.compile(r"(?m)^[^\n]* \|(?: [^\n]*)?(?:\n+|\Z)")
_TABLE_CAPTION = re.compile(
    r"(?:Table|TABLE|Tab\.)\s+[A-Z]{0,4}[.-]?\d*[\d.-]*\s*[:.|]?\s"
)
_RECORD_WORDS = (300, 1000)
_SLIDE = "slide "
_SENTENCE_ENDS = (".", ":", "!", "?")
_FEW_WORDS = 40
_MERGED_WORDS = 120

Body = tuple[Page, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a passage is made of: a sentence, a row, or a part of one too long.

    Attributes:
        head: First row of the table that it belongs to, if it is a later one.
        part: Whether it goes on with a sentence or row that was too long.
    """

    start: int
    end: int
    tokens: int
    head: str = ""
    part: bool = False

    @property
    def prefix(self) -> str:
        """What a passage that begins here goes on with."""
        return " ".join(filter(None, [self.head, "(continued)" * self.part]))


@dataclass(frozen=True, slots=True)
class Splitter:
    """Cuts to a size measured by ``count``, in the encoder's tokens."""

    count_tokens: Callable[[str], int]
    passage_tokens: int
    overlap_tokens: int

    def split(
        self, document_id: str, file_key: str, pages: Sequence[Page]
    ) -> Iterator[Passage]:
        """Yield the passages of one file, in order."""
        records = _RecordNumbering()
        for heading, run in _group_by_heading(pages):
            section = _Section(run)
            records.begin_section(section.text)
            for start, end, lead in self._passage_spans(section.text):
                first, offset = section.locate(start)
                last, stop = section.locate(end - 1)
                text = section.text[start:end]
                yield Passage(
                    document_id=document_id,
                    file_key=file_key,
                    first_page=first,
                    last_page=last,
                    start=offset,
                    end=stop + 1,
                    heading=heading,
                    text=text,
                    record=records.assign_record(text),
                    lead=lead,
                )
            for page, figure in _iter_figures(run):
                text = page.text[figure.start : figure.end]
                for start, end, lead in self._passage_spans(text):
                    yield Passage(
                        document_id=document_id,
                        file_key=file_key,
                        first_page=page.number,
                        last_page=page.number,
                        start=figure.start + start,
                        end=figure.start + end,
                        heading=heading,
                        text=text[start:end],
                        record=records.assign_record(text[start:end]),
                        lead=_lead_of_figure(figure, text[start:end], lead),
                        figure=figure.label,
                        box=figure.box,
                    )

    def _passage_spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and lead of each passage in a text, white space trimmed."""
        pieces = self._split_pieces(text)
        first = 0
        while first < len(pieces):
            size, last = 0, first
            while last < len(pieces) and (
                size + pieces[last].tokens <= self.passage_tokens or last == first
            ):
                size += pieces[last].tokens
                last += 1
            for start, end in _trim_span(
                text, pieces[first].start, pieces[last - 1].end
            ):
                yield start, end, pieces[first].prefix
            if last == len(pieces):
                return
            first = self._overlap_start(pieces, first, last)

    def _overlap_start(self, pieces: list[_Piece], first: int, last: int) -> int:
        """Return the piece to begin the next passage with.

        The overlap leaves room for the piece that comes next, so that no passage
        holds an overlap only.
        """
        room = min(self.overlap_tokens, self.passage_tokens - pieces[last].tokens)
        begin = last
        while begin - 1 > first and pieces[begin - 1].tokens <= room:
            begin -= 1
            room -= pieces[begin].tokens
        return begin

    def _split_pieces(self, text: str) -> list[_Piece]:
        """Return the sentences and rows that make up a text, those too long in parts.

        Nothing is stripped and nothing overlaps, so offsets are sums of lengths. The
        library's own ``add_start_index`` searches for the text of a piece, and gave
        wrong places or -1 where text repeats (langchain-text-splitters 1.1.3).
        """
        splitter = RecursiveCharacterTextSplitter(
            separators=["\n", " ", ""],
            keep_separator="end",
            chunk_size=self.passage_tokens,
            chunk_overlap=0,
            # White space alone counts 0, and would be given twice, as an overlap.
            length_function=lambda piece: self.count_tokens(piece) or 1,
            strip_whitespace=False,
        )
        pieces: list[_Piece] = []
        start = 0
        for atom, head in _split_atoms(text):
            size = self.count_tokens(atom)
            fits = size <= self.passage_tokens
            for number, piece in enumerate(
                [atom] if fits else splitter.split_text(atom)
            ):
                end = start + len(piece)
                tokens = size if fits else self.count_tokens(piece)
                part = number > 0
                name = _first_cell(atom) if part and " | " in atom else ""
                lead = " ".join(filter(None, [head, name]))
                pieces.append(_Piece(start, end, tokens, lead, part))
                start = end
        if start != len(text):
            raise ValueError("the pieces do not add up to the text")
        return pieces


def _group_by_heading(pages: Sequence[Page]) -> Iterator[tuple[str, list[Body]]]:
    """Yield the pages under each heading; slides with few words go with neighbours."""
    bodies = [
        (page, span)
        for page, body in zip(pages, find_body_spans(pages), strict=True)
        for span in _iter_running_spans(page, *body)
    ]
    last: tuple[str, list[Body]] | None = None
    for heading, group in groupby(bodies, key=lambda body: body[0].heading):
        run = list(group)
        if last is not None and _should_merge(last[1], run):
            title = heading.rpartition(" > ")[2]
            last = (" / ".join(filter(None, [last[0], title])), last[1] + run)
            continue
        if last is not None:
            yield last
        last = (heading, run)
    if last is not None:
        yield last


def _iter_running_spans(page: Page, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield what is between figures in a span of a page, or an empty span."""
    begins = [start, *(max(start, figure.end) for figure in page.figures)]
    stops = [*(min(end, figure.start) for figure in page.figures), end]
    spans = [
        span
        for begin, stop in zip(begins, stops, strict=True)
        for span in _trim_span(page.text, begin, stop)
    ]
    if not page.figures:
        spans = [(start, end)]
    yield from spans or [(start, start)]


def _iter_figures(run: list[Body]) -> Iterator[tuple[Page, Figure]]:
    """Yield the figures of pages, each of which may be in a run several times."""
    for _, bodies in groupby(run, key=lambda body: body[0].number):
        page, _ = next(bodies)
        for figure in page.figures:
            yield page, figure


def _lead_of_figure(figure: Figure, text: str, lead: str) -> str:
    """Return what a passage of a figure leads with: its label, unless it begins so."""
    return lead if text.startswith(figure.label) else f"{figure.label} {lead}".strip()


def _should_merge(before: list[Body], after: list[Body]) -> bool:
    """Return whether two runs are slides of one section of which one says little."""
    if not all(page.label.startswith(_SLIDE) for page, _ in before + after):
        return False
    sections = {page.heading.rpartition(" > ")[0] for page, _ in before + after}
    words = [sum(len(p.text[a:b].split()) for p, (a, b) in r) for r in (before, after)]
    return (
        len(sections) == 1 and min(words) < _FEW_WORDS and sum(words) <= _MERGED_WORDS
    )


def _split_atoms(text: str) -> Iterator[tuple[str, str]]:
    """Yield sentences and rows, white space after them included, with a table's head.

    The head of a table is its caption and its first row, which has the caption only.
    """
    at, caption, head = 0, "", ""
    for row in _ROW.finditer(text):
        if row.start() > at:
            sentences = list(split_passage(text[at : row.start()]))
            yield from ((sentence, "") for sentence in sentences)
            caption, head = _find_caption(sentences), ""
        yield row[0], head or caption
        if row[0].endswith("\n\n"):
            caption = head = ""
        elif not head:
            head = f"{caption} {row[0].strip()}".strip()
        at = row.end()
    yield from ((sentence, "") for sentence in split_passage(text[at:]))


def _find_caption(sentences: list[str]) -> str:
    """Return the caption of a table that ends a text: the line that begins one."""
    paragraph = "".join(sentences).rstrip().rpartition("\n\n")[2]
    caption = " ".join(paragraph.split())
    return caption if _TABLE_CAPTION.match(caption) else ""


def _first_cell(row: str) -> str:
    return next((c.strip() for c in row.split(" | ") if c.strip()), "")


class _Section:
    """Consecutive pages under one heading, as one text without running lines."""

    def __init__(self, bodies: list[Body]) -> None:
        self._bodies: list[Body] = []
        self._starts: list[int] = []
        self.text = ""
        parts, length = list[str](), 0
        for page, (start, end) in bodies:
            own = page.text[start:end]
            if page.figures and not own:
                continue
            if parts:
                is_same = page.number == self._bodies[-1][0].number
                is_apart = is_same and parts[-1].endswith(_SENTENCE_ENDS)
                parts.append("\n\n" if is_apart else "\n")
                length += len(parts[-1])
            self._bodies.append((page, (start, end)))
            self._starts.append(length)
            parts.append(own)
            length += len(own)
        self.text = "".join(parts)

    def locate(self, offset: int) -> tuple[int, int]:
        """Return page number and offset in that page of an offset in the text."""
        at = bisect_right(self._starts, offset) - 1
        page, (start, _) = self._bodies[at]
        return page.number, start + offset - self._starts[at]


class _RecordNumbering:
    """Groups passages into records of about 300 to 1,000 words, by their sections."""

    def __init__(self) -> None:
        self._number = 0
        self._words = 0

    def begin_section(self, text: str) -> None:
        """Begin a record with a section, unless it fits to what came before."""
        words = len(text.split())
        full = self._words >= _RECORD_WORDS[0]
        if full or (self._words and self._words + words > _RECORD_WORDS[1]):
            self._start_record()

    def assign_record(self, text: str) -> int:
        """Return the record that a passage of the section belongs to."""
        words = len(text.split())
        if self._words and self._words + words > _RECORD_WORDS[1]:
            self._start_record()
        self._words += words
        return self._number

    def _start_record(self) -> None:
        self._number += 1
        self._words = 0


def _trim_span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the span without white space around it, if anything is left."""
    piece = text[start:end]
    if piece.strip():
        left = len(piece) - len(piece.lstrip())
        yield start + left, start + len(piece.rstrip())
