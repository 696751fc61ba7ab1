"""Tables of office documents as lines: titles, one head, then rows."""

from collections.abc import Iterator

from dunegpt.ingest.extract.clean import join_row, to_one_line
from dunegpt.ingest.extract.table_rows import (
    Cell,
    count_head_rows,
    is_full_width,
    merge_heads,
)


def format_grid(grid: list[list[Cell]]) -> Iterator[str]:
    """Yield the lines of a table whose merged cells stand in each place they cover.

    Title rows stand alone, several head rows are one, and a cell over the whole width
    is written once.
    """
    while len(grid) > 1 and is_full_width(grid[0]):
        yield to_one_line(grid[0][0].text)
        grid = grid[1:]
    head = count_head_rows(grid)
    if head > 1:
        yield join_row(merge_heads([[c.text for c in row] for row in grid[:head]]))
        grid = grid[head:]
    for row in grid:
        texts = [cell.text for cell in row]
        rest = [""] * len(texts[1:])
        yield join_row(texts[:1] + rest if is_full_width(row) else texts)


def pad_grid(grid: list[list[Cell]]) -> list[list[Cell]]:
    """Return rows of equal length, short ones with empty cells at the end."""
    width = max(map(len, grid), default=0)
    return [row + [Cell("")] * (width - len(row)) for row in grid]
