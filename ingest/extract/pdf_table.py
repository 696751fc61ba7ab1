"""Puts the pieces of a page's lines in order: tables as rows, columns one by one.

Works on places only; knows no PDF.
"""

import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

_GAP = 0.9
_NUMBER_GAP = 0.45
_LEAST_COLUMNS = 3
_LEAST_ROWS = 3
_HEAD_ROWS = 6
_PROSE_WORDS = 5
_HEADING_NUMBER = re.compile(r"(?:\d+(?:\.\d+)*\.?|[A-Z]\.)")
_NUMBER = re.compile(r"[^\w]*\d[\d.,\u00d7x^/%()eE+±\s-]*\S{0,4}")


@dataclass(slots=True)
class Segment:
    """A run of words without a wide gap; y grows upwards."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    rights: list[float] = field(default_factory=list)

    def goes_on(self, word: "Segment") -> bool:
        """Return whether a word goes on with this run; numbers stand nearer."""
        height = word.height
        numbers = word.text[0].isdigit() and self.text[-1].isdigit()
        gap = (_NUMBER_GAP if numbers else _GAP) * height
        near = -0.5 * height <= word.left - self.right <= gap
        return near and abs(word.bottom - self.bottom) < 0.7 * height

    def add(self, word: "Segment") -> None:
        """Append a word."""
        self.text += f" {word.text}"
        self.rights.append(self.right)
        self.right = max(self.right, word.right)
        self.bottom = min(self.bottom, word.bottom)
        self.top = max(self.top, word.top)

    @property
    def middle(self) -> float:
        """Half way up."""
        return (self.bottom + self.top) / 2

    @property
    def height(self) -> float:
        """From bottom to top."""
        return max(self.top - self.bottom, 1.0)

    @property
    def words(self) -> int:
        """How many words it has."""
        return self.text.count(" ") + 1

    def split(self) -> "Iterator[Segment]":
        """Yield each word as a piece of its own."""
        left = self.left
        words = self.text.split(" ")
        for word, right in zip(words, [*self.rights, self.right], strict=True):
            yield Segment(word, left, right, self.bottom, self.top)
            left = right


Line = list[Segment]


def arranged(lines: list[Line]) -> Iterator[str]:
    """Yield the lines of a page as text, those of tables as rows."""
    at = 0
    while at < len(lines):
        end = _end_of_run(lines, at)
        if end - at < _LEAST_ROWS or _ends_sentence(lines[at]):
            yield _plain(lines[at])
            at += 1
            continue
        run = lines[at:end]
        if _is_prose(run):
            yield from _columns_in_turn(run)
        elif rows := _rows(run):
            yield from ("", *rows, "")
        else:
            yield from map(_plain, run)
        at = end


def _plain(line: Line) -> str:
    return " ".join(segment.text for segment in line)


def _ends_sentence(line: Line) -> bool:
    """Return whether a line is the end of the text above a table."""
    return len(line) == 1 and line[0].text.endswith((".", ":"))


def _end_of_run(lines: list[Line], begin: int) -> int:
    """Return where the lines end that have gaps, from one that may head a table.

    Lines of one short piece count while a line with a gap follows soon: they are cells
    that are alone on their line.
    """
    last, at, loose = begin, begin, 0
    while at < len(lines) and loose <= _HEAD_ROWS:
        if at > begin and not _is_near(lines[at - 1], lines[at]):
            break
        if _is_heading(lines[at]):
            break
        if len(lines[at]) >= 2:
            last, loose = at + 1, 0
        elif lines[at][0].words > 3:
            break
        else:
            loose += 1
        at += 1
    multi = sum(len(line) >= 2 for line in lines[begin:last])
    return last if multi >= _LEAST_ROWS and multi * 2 >= last - begin else begin


def _is_heading(line: Line) -> bool:
    """Return whether a line is a numbered heading: ``5.2   Results``."""
    number, *rest = line
    titled = len(rest) == 1 and rest[0].text[:1].isupper()
    return titled and bool(_HEADING_NUMBER.fullmatch(number.text))


def _is_near(before: Line, after: Line) -> bool:
    """Return whether two lines are not farther apart than the rows of a table."""
    height = max(before[0].height, after[0].height)
    return abs(before[0].middle - after[0].middle) < 4 * height


def _is_prose(run: list[Line]) -> bool:
    """Return whether the lines are those of two columns of text side by side."""
    pairs = [line for line in run if len(line) == 2]
    long = [s.words >= _PROSE_WORDS for line in pairs for s in line]
    return len(pairs) > 0.7 * len(run) and sum(long) > 0.7 * len(long)


def _columns_in_turn(run: list[Line]) -> Iterator[str]:
    """Yield the left column, then the right one."""
    pairs = [line for line in run if len(line) == 2]
    middle = sum(line[0].right + line[1].left for line in pairs) / (2 * len(pairs))
    for right in (False, True):
        for line in run:
            if own := [s for s in line if (s.left >= middle) is right]:
                yield _plain(own)


def _rows(run: list[Line]) -> list[str]:
    """Return the rows of a table; none if its pieces do not stand in columns."""
    segments = [segment for line in run for segment in line]
    bands = _bands(segments)
    columns = _columns(bands)
    numeric = sum(map(_is_numeric, bands))
    few = len(columns) < _LEAST_COLUMNS or numeric < _LEAST_ROWS
    if few or numeric * 2 < len(bands) - _head(bands):
        return []
    head = _head(bands)
    grid = [_cells(band, columns) for band in bands[head:]]
    if head:
        single = [[w for s in band for w in s.split()] for band in bands[:head]]
        grid.insert(0, _merged([_cells(band, columns) for band in single]))
    merged = grid[:1]
    for cells in grid[1:]:
        if len(merged) > 1 and _continues(cells, columns):
            merged[-1] = _merged([merged[-1], cells])
        else:
            merged.append(cells)
    return [" | ".join(cells).rstrip(" |") for cells in merged]


def _bands(segments: list[Segment]) -> list[Line]:
    """Return the pieces by the height that they stand at, from the top, left first."""
    bands: list[Line] = []
    for segment in sorted(segments, key=lambda s: -s.middle):
        last = bands[-1][0] if bands else None
        near = last and abs(last.middle - segment.middle) < 0.5 * last.height
        if near:
            bands[-1].append(segment)
        else:
            bands.append([segment])
    return [sorted(band, key=lambda s: s.left) for band in bands]


def _columns(bands: list[Line]) -> list[tuple[float, float]]:
    """Return left and right of each column: what the fullest rows leave no gap in."""
    rows = [band for band in bands if _is_numeric(band)]
    bands = rows if len(rows) >= 2 else bands
    most = max(len(band) for band in bands)
    full = [band for band in bands if len(band) >= max(2, most - 1)]
    spans = sorted((s.left, s.right) for band in full for s in band)
    columns = [spans[0]]
    for left, right in spans[1:]:
        if left <= columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _cells(band: Line, columns: list[tuple[float, float]]) -> list[str]:
    """Return the text of a row in each column, by where the pieces' middles are."""
    edges = [(a[1] + b[0]) / 2 for a, b in pairwise(columns)]
    cells = [""] * len(columns)
    for segment in band:
        middle = (segment.left + segment.right) / 2
        at = bisect(edges, middle)
        cells[at] = f"{cells[at]} {segment.text}".strip()
    return cells


def _head(bands: list[Line]) -> int:
    """Return how many rows stand above the first one of numbers; 0 if too many."""
    for count, band in enumerate(bands[: _HEAD_ROWS + 1]):
        if _is_numeric(band):
            return count
    return 0


def _is_numeric(band: Line) -> bool:
    """Return whether at least half of a row are numbers."""
    numbers = sum(bool(_NUMBER.fullmatch(segment.text)) for segment in band)
    return len(band) > 1 and numbers * 2 >= len(band)


def _continues(cells: list[str], columns: list[tuple[float, float]]) -> bool:
    """Return whether a row only goes on with cells of the row above it."""
    filled = sum(bool(cell) for cell in cells)
    return len(columns) > 2 and not cells[0] and filled * 3 <= len(columns)


def _merged(rows: list[list[str]]) -> list[str]:
    return [" ".join(filter(None, parts)) for parts in zip(*rows, strict=True)]
