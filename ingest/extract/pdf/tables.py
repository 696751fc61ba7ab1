"""Tables of a page: finds columns and heads in lines of segments, and builds rows.

Works on coordinates of segments and rules only.
"""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from dunegpt.ingest.extract.pdf.rules import Rule
from dunegpt.ingest.extract.pdf.segments import SegmentLine, TextSegment

Columns = list[tuple[float, float]]
"""Left and right edge of each column."""
Grid = list[list[str]]
"""The cells of each row."""
FindRules = Callable[[], list[Rule]]
IsRow = Callable[[SegmentLine], bool]

MIN_ROWS = 3
MAX_HEAD_ROWS = 6
_MIN_COLUMNS = 3
_CENTERED = 0.3
_WHOLE = 0.95
_ALIGNED = 3.0
_LEADER = re.compile(r"(?:\. ?){5}|\u2026{2}")
_LEADER_SHARE = 0.3
_ALIGNED_SHARE = 0.75
_NUMBER = re.compile(r"[^\w]*\d[\d.,\u00d7x^/%()eE+±\s-]*\S{0,4}")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table.

    Attributes:
        rows: Each with its cells joined by bars; the first one is the head, if any.
        columns: Left and right edge of each column.
        has_head: Whether the first row is a head.
    """

    rows: list[str]
    columns: Columns
    has_head: bool


@dataclass(slots=True)
class TableMemory:
    """The head of the table at the end of a page, for its rows on the next one."""

    columns: Columns = field(default_factory=list)
    head: str = ""

    def head_of(self, table: Table) -> str:
        """Return the head of a table that has none and goes on from the last page."""
        same = len(table.columns) == len(self.columns) and all(
            left < other_right and other_left < right
            for (left, right), (other_left, other_right) in zip(
                table.columns, self.columns, strict=True
            )
        )
        return self.head if same and not table.has_head else ""

    def keep(self, table: Table, head: str) -> None:
        """Remember a table, and the head that it was given."""
        self.columns = table.columns
        self.head = table.rows[0] if table.has_head else head

    def forget(self) -> None:
        """Forget the table: something else stands below it."""
        self.columns, self.head = [], ""


def build_table(run: list[SegmentLine], find_rules: FindRules) -> Table | None:
    """Return the table of a run of lines; None if its segments form no columns.

    Args:
        run: The segments of each line.
        find_rules: Returns the horizontal rules of the page; called if they matter.
    """
    segments = [segment for line in run for segment in line]
    bands = _group_by_height(segments)
    if sum(_has_leader(band) for band in bands) > _LEADER_SHARE * len(bands):
        return None
    return _build_rows(bands, _is_numeric, find_rules) or _build_rows(
        bands, _has_value, find_rules
    )


def _has_leader(band: SegmentLine) -> bool:
    """Return whether a line has a row of dots, as lists of contents have."""
    return any(_LEADER.search(segment.text) for segment in band)


def _build_rows(
    bands: list[SegmentLine], is_row: IsRow, find_rules: FindRules
) -> Table | None:
    """Return the table of bands, some of which are rows; None if it is none."""
    columns = _find_columns(bands, is_row)
    head = _count_head_rows(bands, is_row)
    if is_row is _has_value:
        head = _end_head(bands[:head], len(columns))
    numeric = sum(map(is_row, bands))
    if len(columns) < _MIN_COLUMNS or numeric < MIN_ROWS:
        return None
    if numeric * 2 < len(bands) - head:
        return None
    if is_row is _has_value and not _is_aligned(bands, columns):
        return None
    grid = [_assign_cells(band, columns) for band in bands[head:]]
    lacks_first = any(not row[0] for row in grid)
    rules = find_rules() if lacks_first or head > 1 else []
    if lacks_first:
        heights = [band[0].middle for band in bands[head:]]
        grid = repeat_merged_cells(grid, heights, columns, rules)
    if head:
        grid.insert(0, _read_head(bands[:head], columns, rules))
    merged = grid[:1]
    for cells in grid[1:]:
        if len(merged) > 1 and _is_continuation(cells, columns):
            merged[-1] = _merge_rows([merged[-1], cells])
        else:
            merged.append(cells)
    rows = [" | ".join(cells).rstrip(" |") for cells in merged]
    return Table(rows, columns, bool(head))


def _end_head(bands: list[SegmentLine], columns: int) -> int:
    """Return how many bands are heads, where rows of words may follow: a full row does.

    A row of units in brackets is one of the head.
    """
    for count, band in enumerate(bands[1:], start=1):
        if len(band) >= columns and not all(s.text[0] in "([" for s in band):
            return count
    return len(bands)


def _read_head(
    bands: list[SegmentLine], columns: Columns, rules: list[Rule]
) -> list[str]:
    """Return the head of each column: the bands above the rows, from top to bottom.

    A head over a rule, or centered over several columns, applies to each of them.
    """
    rows = []
    for number, band in enumerate(bands):
        cells = [""] * len(columns)
        below = [segment for lower in bands[number + 1 :] for segment in lower]
        for segment in band:
            underlined = _find_underlined(segment, columns, rules) if below else []
            spanned = underlined or _find_spanned(segment, band, below, columns)
            if spanned:
                for column in spanned:
                    cells[column] = f"{cells[column]} {segment.text}".strip()
            else:
                words = _assign_cells(list(segment.split()), columns)
                cells = [f"{a} {b}".strip() for a, b in zip(cells, words, strict=True)]
        rows.append(cells)
    return _merge_rows(rows)


def _find_underlined(
    segment: TextSegment, columns: Columns, rules: list[Rule]
) -> list[int]:
    """Return the columns over which the rule below a head goes, if more than one."""
    width = columns[-1][1] - columns[0][0]
    for rule in rules:
        depth = segment.bottom - rule.y
        if not -0.3 * segment.height < depth < 0.8 * segment.height:
            continue
        if rule.left > segment.left + 2 or rule.right < segment.right - 2:
            continue
        if rule.right - rule.left > _WHOLE * width:
            continue
        spanned = [
            at
            for at, (left, right) in enumerate(columns)
            if rule.left - 2 < (left + right) / 2 < rule.right + 2
        ]
        if len(spanned) > 1:
            return spanned
    return []


def repeat_merged_cells(
    grid: Grid, heights: list[float], columns: Columns, rules: list[Rule]
) -> Grid:
    """Return rows with the first cells repeated that are merged over several rows.

    Rules across the first column divide the rows into groups. If each group has one
    text in that column, it applies to all of its rows; the same for the next columns.
    """
    filled = [list(row) for row in grid]
    lonely: set[int] = set()
    for column, (left, right) in enumerate(columns[:-1]):
        middle = (left + right) / 2
        lines = sorted({round(r.y) for r in rules if r.left < middle < r.right})
        groups: dict[int, list[int]] = {}
        for at, height in enumerate(heights):
            groups.setdefault(bisect(lines, height), []).append(at)
        named = [[at for at in rows if grid[at][column]] for rows in groups.values()]
        if len(groups) < 2 or any(len(found) != 1 for found in named):
            break
        for rows, [owner] in zip(groups.values(), named, strict=True):
            for at in rows:
                filled[at][column] = grid[owner][column]
            if len(rows) > 1 and sum(map(bool, grid[owner])) == 1:
                lonely.add(owner)
    return [row for at, row in enumerate(filled) if at not in lonely]


def _find_spanned(
    segment: TextSegment,
    band: SegmentLine,
    below: SegmentLine,
    columns: Columns,
) -> list[int]:
    """Return the columns that a head is centered over, if more than one.

    Each of them must have a head of its own below, and no other one beside.
    """
    centers = [(left + right) / 2 for left, right in columns]
    middle = (segment.left + segment.right) / 2
    pitch = min(b - a for a, b in pairwise(centers))
    nearest = min(abs(center - middle) for center in centers)
    best: tuple[float, range] | None = None
    for first in range(len(columns)):
        for last in range(first + 1, len(columns)):
            left, right = columns[first][0], columns[last][1]
            offset = abs((centers[first] + centers[last]) / 2 - middle)
            offset = min(offset, abs((left + right) / 2 - middle))
            spanned = range(first, last + 1)
            if segment.left < left - pitch / 2 or segment.right > right + pitch / 2:
                continue
            if any(
                s is not segment and s.left < right and s.right > left for s in band
            ):
                continue
            if not all(_has_head(below, columns[column]) for column in spanned):
                continue
            if best is None or offset < best[0]:
                best = offset, spanned
    is_centered = best and best[0] < _CENTERED * pitch and best[0] < nearest / 2
    return list(best[1]) if best and is_centered else []


def _has_head(below: SegmentLine, column: tuple[float, float]) -> bool:
    """Return whether a word of the lower heads stands over a column."""
    words = [word for segment in below for word in segment.split()]
    width = column[1] - column[0]
    return any(
        column[0] - width < (word.left + word.right) / 2 < column[1] + width
        for word in words
    )


def _is_aligned(bands: list[SegmentLine], columns: Columns) -> bool:
    """Return whether segments have left, right or middle in common by column."""
    edges = [(a[1] + b[0]) / 2 for a, b in pairwise(columns)]
    cells: list[SegmentLine] = [[] for _ in columns]
    for band in bands:
        for segment in band:
            cells[bisect(edges, (segment.left + segment.right) / 2)].append(segment)
    aligned = 0
    for column in cells:
        counts = [
            Counter(round(value / _ALIGNED) for value in values)
            for values in (
                [s.left for s in column],
                [s.right for s in column],
                [(s.left + s.right) / 2 for s in column],
            )
        ]
        aligned += max((max(c.values()) for c in counts if c), default=0)
    return aligned >= _ALIGNED_SHARE * sum(map(len, cells))


def _group_by_height(segments: list[TextSegment]) -> list[SegmentLine]:
    """Return the segments grouped by height, top to bottom and left to right."""
    bands: list[SegmentLine] = []
    for segment in sorted(segments, key=lambda s: -s.middle):
        last = bands[-1][0] if bands else None
        near = last and abs(last.middle - segment.middle) < 0.5 * last.height
        if near:
            bands[-1].append(segment)
        else:
            bands.append([segment])
    return [sorted(band, key=lambda s: s.left) for band in bands]


def _find_columns(bands: list[SegmentLine], is_row: IsRow) -> Columns:
    """Return left and right of each column, from the spans of the fullest rows."""
    rows = [band for band in bands if is_row(band)]
    if is_row is _is_numeric and len(rows) >= 2:
        bands = rows
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


def _assign_cells(band: SegmentLine, columns: Columns) -> list[str]:
    """Return the text of a row in each column, by the middle of each segment."""
    edges = [(a[1] + b[0]) / 2 for a, b in pairwise(columns)]
    cells = [""] * len(columns)
    for segment in band:
        middle = (segment.left + segment.right) / 2
        at = bisect(edges, middle)
        cells[at] = f"{cells[at]} {segment.text}".strip()
    return cells


def _count_head_rows(bands: list[SegmentLine], is_row: IsRow) -> int:
    """Return the number of rows above the first numeric one; 0 if too many."""
    for count, band in enumerate(bands[: MAX_HEAD_ROWS + 1]):
        if is_row(band):
            return count
    return 0


def _is_numeric(band: SegmentLine) -> bool:
    """Return whether at least half of the cells in a row are numbers."""
    numbers = sum(bool(_NUMBER.fullmatch(segment.text)) for segment in band)
    return len(band) > 1 and numbers * 2 >= len(band)


def _has_value(band: SegmentLine) -> bool:
    """Return whether a row has a number behind its first cell, or before its last."""
    return len(band) > 1 and any(_NUMBER.fullmatch(s.text) for s in band)


def _is_continuation(cells: list[str], columns: Columns) -> bool:
    """Return whether a row only continues cells of the row above it."""
    filled = sum(bool(cell) for cell in cells)
    return len(columns) > 2 and not cells[0] and filled * 3 <= len(columns)


def _merge_rows(rows: list[list[str]]) -> list[str]:
    return [" ".join(filter(None, parts)) for parts in zip(*rows, strict=True)]
