"""Rows of tables with merged cells and heads of several rows, for all formats.

A cell merged over rows or columns counts for each of them; a head of several rows
becomes one, so that each column has one name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMERIC = re.compile(r"[<>≤≥~≈±+\u2212-]?\s*[\d.]")
_MAX_SPAN = 1000
_MAX_CELLS = 100_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as the file has it.

    Attributes:
        rows: Number of rows that it covers, from 1.
        columns: Number of columns that it covers, from 1.
        is_head: Whether the file says that it names a row or column.
    """

    text: str
    rows: int = 1
    columns: int = 1
    is_head: bool = False


def expand_cells(rows: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """Return the rows with each merged cell in every place that it covers."""
    grid, open_cells, room = list[list[Cell]](), dict[int, tuple[int, Cell]](), 0
    for row in rows:
        made, own = list[Cell](), list(row)
        while own or any(column >= len(made) for column in open_cells):
            at = len(made)
            if at in open_cells:
                left, cell = open_cells.pop(at)
                if left > 1:
                    open_cells[at] = left - 1, cell
                made.append(cell)
                continue
            cell = own.pop(0) if own else Cell("")
            room += cell.columns
            columns = min(cell.columns, _MAX_SPAN) if room < _MAX_CELLS else 1
            for column in range(at, at + max(columns, 1)):
                if column in open_cells:  # overlaps a cell from above: keep that one
                    break
                if cell.rows > 1:
                    open_cells[column] = min(cell.rows, _MAX_SPAN) - 1, cell
                made.append(cell)
        grid.append(made)
    return grid


def merge_heads(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return several head rows as one: the texts of each column from top to bottom.

    >>> merge_heads([["Module", "Length", "Length"], ["Module", "U", "V"]])
    ['Module', 'Length U', 'Length V']
    """
    width = max((len(row) for row in rows), default=0)
    names = []
    for column in range(width):
        texts = [row[column].strip() for row in rows if column < len(row)]
        names.append(" ".join(dict.fromkeys(filter(None, texts))))
    return names


def count_head_rows(grid: Sequence[Sequence[Cell]]) -> int:
    """Return how many rows at the top of a table name its columns.

    Rows of head cells only; else a row with a cell over several columns, without a
    number, and the row that divides it.
    """
    marked = 0
    while marked < len(grid) and _is_head_row(grid[marked]):
        marked += 1
    if marked or len(grid) < 3 or not _has_wide_cell(grid[0]):
        return marked
    no_numbers = not any(_NUMERIC.match(cell.text) for row in grid[:2] for cell in row)
    return 2 if no_numbers and not _has_wide_cell(grid[1]) else 0


def _is_head_row(row: Sequence[Cell]) -> bool:
    return bool(row) and all(cell.is_head or not cell.text.strip() for cell in row)


def _has_wide_cell(row: Sequence[Cell]) -> bool:
    """Return whether a cell covers several columns, but not the whole row."""
    return any(1 < cell.columns < len(row) for cell in row)


def is_full_width(row: Sequence[Cell]) -> bool:
    """Return whether one cell covers the whole row, as a title or a group does."""
    return len(row) > 1 and all(cell is row[0] for cell in row)
