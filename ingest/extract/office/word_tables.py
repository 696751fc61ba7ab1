"""Tables of Word documents as rows in which each value stands under its head.

A cell merged over rows or columns counts for each of them; heads of several rows become
one; a table within a cell is written in the cell.
"""

from collections.abc import Callable, Iterator
from typing import Any

from dunegpt.ingest.extract.office.open_xml import get_attribute, is_on
from dunegpt.ingest.extract.table_lines import format_grid, pad_grid
from dunegpt.ingest.extract.table_rows import Cell

_MAX_SPAN = 200

ReadParagraph = Callable[[Any], str]


def iter_cells(table: Any) -> Iterator[Any]:
    """Yield the cells of a table, without those of nested tables."""
    for row in _iter_rows(table):
        yield from _own_cells(row)


def format_table(table: Any, read: ReadParagraph) -> Iterator[str]:
    """Yield the title lines and rows of a table, each on one line.

    Args:
        table: A ``w:tbl``.
        read: Returns the text of a paragraph.
    """
    yield from format_grid(_build_grid(table, read))


def _build_grid(table: Any, read: ReadParagraph) -> list[list[Cell]]:
    """Return the cells of each row, those merged in every place that they cover."""
    grid = list[list[Cell]]()
    for row in _iter_rows(table):
        before, is_head = _read_row_properties(row)
        above = grid[-1] if grid else []
        cells = [Cell("")] * before
        for node in _own_cells(row):
            span, merged = _read_spans(node)
            at = len(cells)
            if merged == "continue" and at < len(above):
                read_cell(node, read)  # counts its list numbers
                cells += above[at : at + span] + [above[at]] * (at + span - len(above))
                continue
            if merged == "left" and cells:
                cells.append(cells[-1])
                continue
            cell = Cell(read_cell(node, read), 1, span, is_head)
            cells += [cell] * span
        grid.append(cells)
    return pad_grid(grid)


def read_cell(cell: Any, read: ReadParagraph) -> str:
    """Return the text of a cell, with tables and text boxes in it."""
    parts = list[str]()
    for node in _iter_blocks(cell):
        if node.tag.endswith("}p"):
            parts.append(read(node))
        else:
            parts.append(_format_nested(node, read))
    return " ".join(filter(None, (part.strip() for part in parts)))


def _format_nested(table: Any, read: ReadParagraph) -> str:
    """Return a table that stands in a cell on one line: ``P1, 3 l/s; P2, 4 l/s``."""
    rows = ([cell.text for cell in row] for row in _build_grid(table, read))
    return "; ".join(filter(None, (", ".join(filter(None, row)) for row in rows)))


def _iter_blocks(node: Any) -> Iterator[Any]:
    """Yield the outermost paragraphs and tables of a cell, in order."""
    for child in node:
        name = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if name == "tbl":
            yield child
        elif name == "p":
            yield child
            for content in child.iter("{*}txbxContent"):
                yield from _iter_blocks(content)
        elif name and name not in {"tcPr", "del", "moveFrom"}:
            yield from _iter_blocks(child)


def _iter_rows(table: Any) -> Iterator[Any]:
    """Yield the rows of a table without deleted ones."""
    for child in table:
        name = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if name == "tr":
            deleted = (p.find("{*}del") for p in child.iterchildren("{*}trPr"))
            if not any(node is not None for node in deleted):
                yield child
        elif name in {"sdt", "sdtContent", "ins", "customXml"}:
            yield from _iter_rows(child)


def _own_cells(node: Any) -> Iterator[Any]:
    for child in node:
        name = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if name == "tc":
            yield child
        elif name in {"sdt", "sdtContent", "ins", "customXml"}:
            yield from _own_cells(child)


def _read_row_properties(row: Any) -> tuple[int, bool]:
    """Return the number of columns left out before a row, and whether it is a head."""
    before, is_head = 0, False
    for properties in row.iterchildren("{*}trPr"):
        for node in properties:
            if not isinstance(node.tag, str):
                continue
            if node.tag.endswith("}gridBefore"):
                before = _parse_span(node)
            elif node.tag.endswith("}tblHeader"):
                is_head = is_on(node)
    return before, is_head


def _read_spans(cell: Any) -> tuple[int, str]:
    """Return how many columns a cell covers, and how it goes on: continue, left, ""."""
    span, merged = 1, ""
    for properties in cell.iterchildren("{*}tcPr"):
        for node in properties.iterchildren("{*}gridSpan"):
            span = max(_parse_span(node), 1)
        for node in properties.iterchildren("{*}vMerge"):
            if get_attribute(node, "val", "continue") == "continue":
                merged = "continue"
        for node in properties.iterchildren("{*}hMerge"):
            if get_attribute(node, "val", "continue") == "continue":
                merged = "left"
    return span, merged


def _parse_span(node: Any) -> int:
    text = get_attribute(node, "val")
    return min(int(text), _MAX_SPAN) if text.isdigit() else 0
