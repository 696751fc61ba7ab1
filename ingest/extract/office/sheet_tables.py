"""Tables on spreadsheet sheets: finds them, their titles and heads, and cuts them.

Empty rows and columns separate tables. Lines with one text above a table are its
titles; the head, of one row or more, is repeated on every page, with the units below.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from dunegpt.ingest.extract.clean import join_row, to_one_line
from dunegpt.ingest.extract.office.workbook import Row
from dunegpt.ingest.extract.table_rows import (
    Cell,
    count_head_rows,
    is_full_width,
    merge_heads,
)
from dunegpt.text.units import UNIT_PATTERN

_PAGE_ROWS = 40
_PAGE_CHARACTERS = 6000
_LONG_ROW = 400
_TITLE_GAP = 3
_HIDDEN_ROW = "(hidden row)"
_HIDDEN_COLUMN = "(hidden column)"
_UNIT = re.compile(rf"[(\[]?\s*{UNIT_PATTERN}\s*[)\]]?")
_NUMERIC = re.compile(r"[<>≤≥~≈±+\u2212-]?\s*[\d.]")


@dataclass(frozen=True, slots=True)
class TablePart:
    """One page of a table: its first and last row in the sheet, and its lines."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of equal length, from column `left` of the sheet."""

    left: int
    rows: list[Row]

    @property
    def is_single_text(self) -> bool:
        return len(self.rows) == 1 and _count_filled(self.rows[0]) == 1


def iter_parts(rows: Iterable[Row], hidden_columns: set[int]) -> Iterator[TablePart]:
    """Yield the pages of all tables of a sheet, in order.

    Args:
        rows: In order; what a hidden column holds is said in its head.
        hidden_columns: From 0; read as the rows are, so it may fill meanwhile.
    """
    title: _Table | None = None
    for table in _find_tables(rows):
        if title is not None:
            gap = table.rows[0].number - title.rows[0].number
            if gap <= _TITLE_GAP and not table.is_single_text:
                yield from _cut_table(table, hidden_columns, title.rows[0])
                title = None
                continue
            yield from _cut_table(title, hidden_columns)
            title = None
        if table.is_single_text:
            title = table
        else:
            yield from _cut_table(table, hidden_columns)
    if title is not None:
        yield from _cut_table(title, hidden_columns)


def _find_tables(rows: Iterable[Row]) -> Iterator[_Table]:
    """Yield the tables of a sheet, which empty rows and columns separate."""
    block = list[Row]()
    for row in rows:
        is_next = not block or row.number == block[-1].number + 1
        if block and not (is_next and _count_filled(row)):
            yield from _split_columns(block)
            block = []
        if _count_filled(row):
            block.append(row)
    if block:
        yield from _split_columns(block)


def _count_filled(row: Row) -> int:
    """Return how many cells of a row have a text, merged ones counted once."""
    return len({id(cell) for cell in row.cells if cell.text})


def _split_columns(block: list[Row]) -> Iterator[_Table]:
    """Yield the tables side by side in a block of rows, from left to right."""
    width = max(len(row.cells) for row in block)
    used = [False] * width
    for row in block:
        for at, cell in enumerate(row.cells):
            if cell.text:
                used[at] = True
    for filled, run in groupby(range(width), key=used.__getitem__):
        if not filled:
            continue
        columns = list(run)
        first, size = columns[0], len(columns)
        parts = [
            Row(row.number, _take_cells(row.cells, first, size), row.is_hidden)
            for row in block
        ]
        for has_text, group in groupby(parts, key=lambda row: _count_filled(row) > 0):
            if has_text:
                yield _Table(first, list(group))


def _take_cells(cells: list[Cell], first: int, size: int) -> list[Cell]:
    taken = cells[first : first + size]
    return taken + [Cell("")] * (size - len(taken))


def _cut_table(
    table: _Table, hidden_columns: set[int], title: Row | None = None
) -> Iterator[TablePart]:
    """Yield a table in pages, each with its titles and its head."""
    titles, head, rows = _part_table(table, hidden_columns)
    if title is not None:
        titles = [(title.number, _filled_text(title)), *titles]
    lines = _format_rows(head, rows)
    top = [line for _, line in titles] + ([head.line] if head else [])
    repeated = top if sum(map(len, top)) <= _LONG_ROW else top[len(titles) :]
    repeated = repeated if sum(map(len, repeated)) <= _LONG_ROW else []
    numbers = [number for number, _ in titles] + (
        [head.first, head.last] if head else []
    )
    part, count, size = list(top), len(head.rows) if head else 0, sum(map(len, top))
    has_rows = False
    for number, line in lines:
        is_full = count >= _PAGE_ROWS or size + len(line) > _PAGE_CHARACTERS
        if has_rows and is_full:
            yield TablePart(min(numbers), max(numbers), "\n".join(part))
            part, numbers, size = list(repeated), [], sum(map(len, repeated))
            count, has_rows = len(head.rows) if head else 0, False
        part.append(line)
        numbers.append(number)
        count, size, has_rows = count + 1, size + len(line), True
    if part:
        yield TablePart(min(numbers), max(numbers), "\n".join(part))


@dataclass(frozen=True, slots=True)
class _Head:
    """The rows that name the columns, as one."""

    rows: list[Row]
    names: list[str]

    @property
    def line(self) -> str:
        return join_row(self.names)

    @property
    def first(self) -> int:
        return self.rows[0].number

    @property
    def last(self) -> int:
        return self.rows[-1].number


def _part_table(
    table: _Table, hidden_columns: set[int]
) -> tuple[list[tuple[int, str]], _Head | None, list[Row]]:
    """Return the titles of a table with their row numbers, its head, and its rows."""
    rows, titles = table.rows, list[tuple[int, str]]()
    if hidden_columns.issuperset(range(table.left, table.left + len(rows[0].cells))):
        rows = [_mark_hidden(row) for row in rows]
        return titles, None, rows
    if any(_count_filled(row) > 1 for row in rows):
        while _count_filled(rows[0]) == 1 and len(rows) > 1:
            titles.append((rows[0].number, _filled_text(rows[0])))
            rows = rows[1:]
    if len(rows) < 2:
        return titles, None, rows
    count = max(count_head_rows([row.cells for row in rows]), 1)
    if len(rows) > count + 1 and _has_units(rows[count], rows[count + 1]):
        count += 1
    head = rows[:count]
    names = merge_heads([[cell.text for cell in row.cells] for row in head])
    for at, name in enumerate(names):
        if name and table.left + at in hidden_columns:
            names[at] = f"{name} {_HIDDEN_COLUMN}"
    return titles, _Head(head, names), rows[count:]


def _mark_hidden(row: Row) -> Row:
    """Return a row of hidden columns with that said of each cell."""
    cells = [
        replace(cell, text=f"{cell.text} {_HIDDEN_COLUMN}") if cell.text else cell
        for cell in row.cells
    ]
    return Row(row.number, cells, row.is_hidden)


def _has_units(row: Row, below: Row) -> bool:
    """Return whether a row has units only, each above a number."""
    pairs = [(a.text, b.text) for a, b in zip(row.cells, below.cells, strict=True)]
    pairs = [(unit, number) for unit, number in pairs if unit]
    are_units = all(_UNIT.fullmatch(unit) and "1" not in unit for unit, _ in pairs)
    return are_units and all(_NUMERIC.match(number) for _, number in pairs)


def _filled_text(row: Row) -> str:
    text = next(cell.text for cell in row.cells if cell.text)
    return to_one_line(f"{text} {_HIDDEN_ROW}" if row.is_hidden else text)


def _format_rows(head: _Head | None, rows: list[Row]) -> list[tuple[int, str]]:
    """Return rows as text; in long rows, name the column at each cell.

    A passage may hold only part of a long row, so each cell carries its column name.
    """
    lines = [(row.number, _format_row(row)) for row in rows]
    size = sum(len(line) for _, line in lines) + (len(head.line) if head else 0)
    is_long = size > _LONG_ROW * (len(lines) + 1)
    if head is None or not is_long or not all(head.names[:2]):
        return lines
    return [(row.number, _name_cells(head.names, row)) for row in rows]


def _format_row(row: Row) -> str:
    texts = [cell.text for cell in row.cells]
    if is_full_width(row.cells):
        texts = texts[:1] + [""] * len(texts[1:])
    return join_row([*texts, *[_HIDDEN_ROW] * row.is_hidden])


def _name_cells(names: list[str], row: Row) -> str:
    named = [
        f"{name}: {cell.text}" if name else cell.text
        for name, cell in zip(names, row.cells, strict=False)
        if cell.text
    ]
    return join_row([*named, *[_HIDDEN_ROW] * row.is_hidden])
