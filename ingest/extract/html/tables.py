"""HTML tables as rows in which each value stands under its head.

Merged cells are repeated, several head rows become one, a table within a cell is
written in the cell; a table that only places text on the page is no table.
"""

from collections.abc import Callable, Iterator

from bs4.element import Tag

from dunegpt.ingest.extract.clean import join_row, to_one_line
from dunegpt.ingest.extract.table_rows import (
    Cell,
    count_head_rows,
    expand_cells,
    is_full_width,
    merge_heads,
)

_BLOCKS_OF_LAYOUT = ["h1", "h2", "h3", "h4", "h5", "h6", "table", "article", "section"]
_ENDLESS = 1000

ReadText = Callable[[Tag], str]


def is_layout(table: Tag) -> bool:
    """Return whether a table only places text: it has no heads, but whole sections."""
    if table.get("role") in {"presentation", "none"}:
        return True
    cells = [cell for row in _own_rows(table) for cell in _own_cells(row)]
    if any(cell.name == "th" for cell in cells):
        return False
    return len(cells) < 2 or any(cell.find(_BLOCKS_OF_LAYOUT) for cell in cells)


def iter_cells(table: Tag) -> Iterator[Tag]:
    """Yield the cells of a table without those of tables in it."""
    for row in _own_rows(table):
        yield from _own_cells(row)


def format_table(
    table: Tag, read_text: ReadText, is_hidden: Callable[[Tag], bool]
) -> list[str]:
    """Return the title lines and rows of a table, each on one line."""
    grid = list[list[Cell]]()
    for section in _sections(table):
        rows = [row for row in section if not is_hidden(row)]
        cells = [
            [
                _build_cell(cell, read_text, len(rows) - number)
                for cell in _own_cells(row)
                if not is_hidden(cell)
            ]
            for number, row in enumerate(rows)
        ]
        grid += expand_cells(cells)
    lines = list[str]()
    while grid and is_full_width(grid[0]):
        lines.append(to_one_line(grid.pop(0)[0].text))
    head = count_head_rows(grid)
    if head > 1:
        names = merge_heads([[cell.text for cell in row] for row in grid[:head]])
        lines.append(join_row(names))
        grid = grid[head:]
    lines += [join_row(_row_texts(row)) for row in grid]
    return [line for line in lines if line]


def format_nested(table: Tag, read_text: ReadText) -> str:
    """Return a table that stands in a cell on one line: ``P1, 3 l/s; P2, 4 l/s``."""
    rows = (
        ", ".join(filter(None, (read_text(cell).strip() for cell in _own_cells(row))))
        for row in _own_rows(table)
    )
    return "; ".join(filter(None, rows))


def _row_texts(row: list[Cell]) -> list[str]:
    """Return the texts of a row; that of a group of rows once, in the first column."""
    if is_full_width(row):
        return [row[0].text, *[""] * (len(row) - 1)]
    return [cell.text for cell in row]


def _build_cell(cell: Tag, read_text: ReadText, rows_left: int) -> Cell:
    rows = min(_parse_span(cell, "rowspan") or _ENDLESS, max(rows_left, 1))
    is_head = cell.name == "th" or cell.find_parent("thead") is not None
    return Cell(
        read_text(cell), rows, max(_parse_span(cell, "colspan"), 1), is_head=is_head
    )


def _parse_span(cell: Tag, name: str) -> int:
    text = str(cell.get(name, "1")).strip()
    return int(text) if text.isdigit() and text.isascii() else 1


def _own_rows(table: Tag) -> list[Tag]:
    return [row for section in _sections(table) for row in section]


def _sections(table: Tag) -> list[list[Tag]]:
    """Return the rows of each section as displayed: heads first, feet last."""
    heads, bodies, feet = list[list[Tag]](), list[list[Tag]](), list[list[Tag]]()
    loose = list[Tag]()
    for child in table.children:
        if not isinstance(child, Tag):
            continue
        if child.name == "tr":
            loose.append(child)
            continue
        if loose:
            bodies.append(loose)
            loose = []
        if child.name in {"thead", "tbody", "tfoot"}:
            own = [row for row in child.children if isinstance(row, Tag)]
            rows = [row for row in own if row.name == "tr"]
            {"thead": heads, "tbody": bodies, "tfoot": feet}[child.name].append(rows)
    return [*heads, *bodies, loose, *feet]


def _own_cells(row: Tag) -> list[Tag]:
    cells = [child for child in row.children if isinstance(child, Tag)]
    return [cell for cell in cells if cell.name in {"td", "th"}]
