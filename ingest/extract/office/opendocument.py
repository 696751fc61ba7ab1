"""OpenDocument spreadsheets (.ods): the cells of sheets as they are displayed.

A date is in ISO form, a negative number has its minus and decimals have a point, as in
other workbooks.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import mark_struck, to_one_line
from dunegpt.ingest.extract.office.open_xml import (
    get_attribute,
    local_name,
    parse_xml,
    read_bytes,
)
from dunegpt.ingest.extract.office.workbook import Row
from dunegpt.ingest.extract.table_rows import Cell
from dunegpt.text.typography import Shift, join_runs

CONTENT = "content.xml"
_MANIFEST = "META-INF/manifest.xml"
_MAX_REPEATED = 1000
_MAX_COLUMNS = 2000
_HIDDEN = {"collapse", "filter"}


@dataclass(frozen=True, slots=True)
class _Style:
    shift: Shift = ""
    is_struck: bool = False
    is_hidden: bool = False


@dataclass(slots=True)
class OpenSheet:
    """A sheet: its name, whether it is hidden, and its table."""

    name: str
    is_hidden: bool
    node: Any
    styles: dict[str, _Style]
    hidden_columns: set[int] = field(default_factory=set)

    @property
    def object_count(self) -> int:
        """Number of charts and other objects, which are not read."""
        return sum(1 for _ in self.node.iter("{*}object"))

    def iter_rows(self) -> Iterator[Row]:
        """Yield the rows that have cells, merged ones in each place they cover."""
        self._note_hidden_columns()
        number, merged = 1, list[tuple[int, int, int, Cell]]()
        for node in self.node.iter("{*}table-row"):
            repeated = _parse_count(node, "number-rows-repeated")
            is_hidden = get_attribute(node, "visibility") in _HIDDEN
            cells = self._read_cells(node, number, merged)
            for at in range(min(repeated, _MAX_REPEATED) if cells else 0):
                yield Row(number + at, cells, is_hidden)
            number += repeated
            merged = [each for each in merged if each[0] >= number]

    def _note_hidden_columns(self) -> None:
        at = 0
        for node in self.node.iter("{*}table-column"):
            count = _parse_count(node, "number-columns-repeated")
            if get_attribute(node, "visibility") in _HIDDEN:
                self.hidden_columns |= set(range(at, min(at + count, _MAX_COLUMNS)))
            at += count

    def _read_cells(
        self, row: Any, number: int, merged: list[tuple[int, int, int, Cell]]
    ) -> list[Cell]:
        cells = list[Cell]()
        for node in row.iterchildren("{*}table-cell", "{*}covered-table-cell"):
            count = _parse_count(node, "number-columns-repeated")
            text = self._read_cell(node)
            if not text and len(cells) + count > _MAX_COLUMNS:
                break
            rows = _parse_count(node, "number-rows-spanned")
            columns = _parse_count(node, "number-columns-spanned")
            cell = Cell(text, rows, columns)
            if text and (rows > 1 or columns > 1):
                at = len(cells)
                merged.append((number + rows - 1, at, at + columns - 1, cell))
            cells += [cell] * min(count, _MAX_COLUMNS)
        for _, left, right, cell in merged:
            right = min(right, _MAX_COLUMNS)  # noqa: PLW2901
            cells += [Cell("")] * (right + 1 - len(cells))
            cells[left : right + 1] = [cell] * (right + 1 - left)
        while cells and not cells[-1].text:
            cells.pop()
        return cells

    def _read_cell(self, node: Any) -> str:
        """Return the text of a cell as displayed, with its note."""
        text = to_one_line(
            " ".join(self._read_paragraph(p) for p in node.iterchildren("{*}p"))
        )
        kind = get_attribute(node, "value-type")
        if kind == "date":
            text = _format_date(get_attribute(node, "date-value")) or text
        elif kind in {"float", "percentage", "currency"}:
            value = get_attribute(node, "value")
            text = _sign(_point_decimals(text, value), value)
        style = self.styles.get(get_attribute(node, "style-name"), _Style())
        text = mark_struck(text) if style.is_struck else text
        return " ".join(filter(None, [text, *map(_read_note, _notes(node))]))

    def _read_paragraph(self, paragraph: Any) -> str:
        return join_runs(self._iter_runs(paragraph, _Style()))

    def _iter_runs(self, node: Any, style: _Style) -> Iterator[tuple[str, Shift]]:
        yield _build_run(node.text, style)
        for child in node:
            name = local_name(child)
            if name == "span":
                own = self.styles.get(get_attribute(child, "style-name"), style)
                yield from self._iter_runs(child, own)
            elif name in {"s", "tab", "line-break"}:
                yield " ", ""
            elif name == "a":
                yield from self._iter_runs(child, style)
            yield _build_run(child.tail, style)


def read_sheets(package: zipfile.ZipFile) -> Iterator[OpenSheet]:
    """Yield the sheets of a workbook.

    Raises:
        ExtractError: The workbook is encrypted.
    """
    if _MANIFEST in package.namelist() and re.search(
        rb"encryption-data", read_bytes(package, _MANIFEST)
    ):
        raise ExtractError("The workbook is encrypted with a password.")
    root = parse_xml(read_bytes(package, CONTENT))
    styles = _read_styles(root)
    for table in root.iter("{*}table"):
        if local_name(table.getparent()) != "spreadsheet":
            continue
        style = styles.get(get_attribute(table, "style-name"), _Style())
        yield OpenSheet(get_attribute(table, "name"), style.is_hidden, table, styles)


def _read_styles(root: Any) -> dict[str, _Style]:
    styles = {}
    for node in root.iter("{*}style"):
        shift: Shift = ""
        is_struck = is_hidden = False
        for properties in node:
            position = get_attribute(properties, "text-position")
            if position and not position.startswith("0"):
                is_low = position.startswith(("sub", "-"))
                shift = "sub" if is_low else "super"
            line = get_attribute(properties, "text-line-through-style", "none")
            is_struck = is_struck or line != "none"
            if local_name(properties) == "table-properties":
                is_hidden = get_attribute(properties, "display", "true") == "false"
        styles[get_attribute(node, "name")] = _Style(shift, is_struck, is_hidden)
    return styles


def _build_run(text: str | None, style: _Style) -> tuple[str, Shift]:
    text = text or ""
    return mark_struck(text) if style.is_struck else text, style.shift


def _notes(cell: Any) -> Iterator[Any]:
    yield from cell.iterchildren("{*}annotation")


def _read_note(note: Any) -> str:
    authors = [node.text or "" for node in note.iterchildren("{*}creator")]
    texts = ("".join(p.itertext()) for p in note.iterchildren("{*}p"))
    by = f" by {authors[0]}" if authors and authors[0] else ""
    return f"[comment{by}: {to_one_line(' '.join(texts))}]"


def _format_date(value: str) -> str:
    """Return a stored date; without its time at midnight, without seconds of zero."""
    day, _, time = value.partition("T")
    time = re.sub(r"(?:\.0+)?$", "", time)
    if not time or time == "00:00:00":
        return day
    return f"{day} {time.removesuffix(':00') if time.count(':') > 1 else time}"


def _point_decimals(text: str, value: str) -> str:
    """Return a displayed number with a decimal point where it has a comma.

    The stored value tells which of both the comma is.
    """
    match = re.search(r"\d[\d.]*,\d+", text)
    if not match:
        return text
    pointed = match[0].replace(".", "").replace(",", ".")
    whole = float(re.sub(r"[.,]", "", match[0]))
    stored = abs(float(value or 0))
    return text.replace(match[0], pointed) if stored * 100 < whole else text


def _sign(text: str, value: str) -> str:
    """Return a displayed number with the minus that its format may leave out."""
    if not value.startswith("-") or re.match(r"\s*\D{0,3}[-\u2212]", text):
        return text
    if not re.search(r"[1-9]", text):
        return text
    return "-" + text.strip().replace("(", "", 1).replace(")", "", 1)


def _parse_count(node: Any, name: str) -> int:
    text = get_attribute(node, name, "1")
    return max(int(text), 1) if text.isdigit() else 1
