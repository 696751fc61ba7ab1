"""Open XML workbooks: the cells of sheets as they are displayed.

Number formats, rich text, merged ranges, notes, hidden rows and columns, and formulas
that were never computed. Rows are read one after the other. Does not know tables.
"""

import html
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from dunegpt.ingest.extract.clean import mark_struck, to_one_line
from dunegpt.ingest.extract.office.formulas import shift_formula
from dunegpt.ingest.extract.office.number_formats import BUILT_IN, format_number
from dunegpt.ingest.extract.office.open_xml import (
    get_attribute,
    local_name,
    parse_xml,
    read_bytes,
    read_relations,
)
from dunegpt.ingest.extract.office.sheet_strings import (
    parse_column,
    parse_reference,
    read_font,
    read_notes,
    read_rich_text,
)
from dunegpt.ingest.extract.table_rows import Cell
from dunegpt.text.typography import decode_symbols

WORKBOOK = "xl/workbook.xml"
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]+\d+:[A-Z]+\d+)\"")
_LAST_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]*?\br=\"(\d+)\"")
_RUNNING = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(Header|Footer)>(.*?)</", re.S)
_RUNNING_CODE = re.compile(
    r'&(?:"[^"]*"|\d+|K(?:[\dA-F]{6}|\d\d[+-]\d{3})|[A-Z&])', re.I
)
_MAX_COLUMNS = 2000
_MAX_MERGED_RANGES = 1000


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook: its name and part, and whether it is hidden."""

    name: str
    part: str
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number in the sheet, its cells from column A, whether it is hidden."""

    number: int
    cells: list[Cell]
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class _Style:
    number_format: str = "General"
    font: str = ""
    is_struck: bool = False


@dataclass(slots=True)
class _Losses:
    """What the cells of a sheet did not tell."""

    uncomputed: int = 0
    unknown_symbols: int = 0


@dataclass(slots=True)
class SheetReader:
    """Reads the rows of one sheet."""

    book: "Workbook"
    sheet: Sheet
    content: bytes
    losses: _Losses = field(default_factory=_Losses)
    hidden_columns: set[int] = field(default_factory=set)
    _shared: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    @property
    def last_row(self) -> int:
        """The number of the last row of the sheet."""
        rows = _LAST_ROW.findall(self.content[-200_000:]) or [b"0"]
        return int(rows[-1])

    def read_running_lines(self) -> Iterator[str]:
        """Yield the header and the footer of the sheet as it is printed."""
        seen = set()
        for kind, raw in _RUNNING.findall(self.content[-100_000:]):
            text = html.unescape(raw.decode("utf-8", "replace"))
            text = to_one_line(_RUNNING_CODE.sub(" ", text))
            if text and text not in seen:
                seen.add(text)
                yield f"{kind.decode()}: {text}"

    def iter_rows(self) -> Iterator[Row]:
        """Yield the rows that have cells, merged ones in each place they cover."""
        merged = _MergedRanges(_MERGED.findall(self.content))
        notes = self.book.read_notes(self.sheet.part)
        number = 0
        events = etree.iterparse(
            io.BytesIO(self.content),
            tag=("{*}row", "{*}col"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        )
        for _, node in events:
            if local_name(node) == "col":
                self._note_hidden_columns(node)
                continue
            number = int(node.get("r") or number + 1)
            for left_out in sorted(at for at in notes if at < number):
                yield Row(left_out, _note_cells([], notes.pop(left_out)))
            cells = merged.fill(number, self._read_cells(node, number))
            cells = _note_cells(cells, notes.pop(number, {}))
            yield Row(number, cells, is_on_attribute(node, "hidden"))
            node.clear()
            while node.getprevious() is not None:
                del node.getparent()[0]
        for left_out in sorted(notes):
            yield Row(left_out, _note_cells([], notes[left_out]))

    def _note_hidden_columns(self, node: Any) -> None:
        if is_on_attribute(node, "hidden"):
            first, last = int(node.get("min", "1")), int(node.get("max", "1"))
            self.hidden_columns |= set(range(first - 1, min(last, _MAX_COLUMNS)))

    def _read_cells(self, row: Any, number: int) -> list[Cell]:
        cells = list[Cell]()
        for node in row.iterchildren("{*}c"):
            column = parse_column(node.get("r", "")) if node.get("r") else len(cells)
            if column >= _MAX_COLUMNS:
                break
            cells += [Cell("")] * (column - len(cells))
            cells[column:] = [Cell(self._read_cell(node, number, column))]
        return cells

    def _read_cell(self, node: Any, row: int, column: int) -> str:
        """Return the text of a cell as it is displayed."""
        kind = node.get("t", "n")
        style = self.book.get_style(node.get("s", ""))
        value, formula, rich = "", None, None
        for child in node:
            name = local_name(child)
            if name == "v":
                value = child.text or ""
            elif name == "f":
                formula = child
            elif name == "is":
                rich = child
        if formula is not None and self.book.is_uncomputed(kind, value):
            self.losses.uncomputed += 1
            return self._read_formula(formula, row, column)
        if kind in {"s", "inlineStr", "str"}:
            text = self._read_string(kind, value, rich, style)
        elif kind == "b":
            text = "TRUE" if value.strip() == "1" else "FALSE"
        elif kind == "n":
            text = self._format(value, style)
        else:
            text = value
        return mark_struck(text) if style.is_struck else text

    def _format(self, value: str, style: _Style) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        return format_number(number, style.number_format, is_1904=self.book.is_1904)

    def _read_string(self, kind: str, value: str, rich: Any, style: _Style) -> str:
        if kind == "s":
            index = int(value) if value.strip().isdigit() else -1
            strings = self.book.strings
            text = strings[index] if 0 <= index < len(strings) else ""
        else:
            text = value if rich is None else read_rich_text(rich)
        text, unknown = decode_symbols(text, style.font)
        self.losses.unknown_symbols += unknown
        return text

    def _read_formula(self, node: Any, row: int, column: int) -> str:
        """Return a formula; one that is shared is moved to its place."""
        text, ident = node.text or "", node.get("si", "")
        if node.get("t") == "shared" and text:
            self._shared[ident] = text, row, column
        elif node.get("t") == "shared" and ident in self._shared:
            source, first_row, first_column = self._shared[ident]
            text = shift_formula(source, row - first_row, column - first_column)
        return f"={text}" if text else "=?"


class Workbook:
    """An open workbook: its sheets, and what all of them share."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        self.package = package
        self.names = set(package.namelist())
        root = parse_xml(read_bytes(package, WORKBOOK))
        relations = read_relations(package, WORKBOOK)
        self.sheets = [
            Sheet(
                node.get("name", ""),
                relations.get(get_attribute(node, "id"), ""),
                node.get("state", "visible") != "visible",
            )
            for sheets in root.iterchildren("{*}sheets")
            for node in sheets.iterchildren("{*}sheet")
        ]
        properties = next(root.iterchildren("{*}workbookPr"), None)
        self.is_1904 = properties is not None and is_on_attribute(
            properties, "date1904"
        )
        calculation = next(root.iterchildren("{*}calcPr"), None)
        self._must_compute = calculation is not None and is_on_attribute(
            calculation, "fullCalcOnLoad"
        )
        self._relations = relations
        self.strings = self._read_strings()
        self._styles = self._read_styles()

    def open_sheet(self, sheet: Sheet) -> SheetReader:
        """Return a reader of a sheet; an empty one if the sheet has no part."""
        content = b"<worksheet/>"
        if sheet.part in self.names:
            content = read_bytes(self.package, sheet.part)
        return SheetReader(self, sheet, content)

    def get_style(self, index: str) -> _Style:
        """Return a cell style by its index."""
        at = int(index) if index.isdigit() else 0
        return self._styles[at] if at < len(self._styles) else _Style()

    def is_uncomputed(self, kind: str, value: str) -> bool:
        """Return whether the value of a formula was never computed.

        Files made by programs have no value, or 0 and the order to compute on loading.
        """
        if not value:
            return kind != "str"
        return self._must_compute and kind == "n" and value.strip() == "0"

    def read_notes(self, part: str) -> dict[int, dict[int, str]]:
        """Return the notes and comments of a sheet, by row number and column."""
        return read_notes(self.package, part)

    def _find_part(self, name: str) -> str:
        return next((p for p in self._relations.values() if p.endswith(name)), "")

    def _read_strings(self) -> list[str]:
        part = self._find_part("sharedStrings.xml")
        if part not in self.names:
            return []
        root = parse_xml(read_bytes(self.package, part))
        return [read_rich_text(node) for node in root.iterchildren("{*}si")]

    def _read_styles(self) -> list[_Style]:
        part = self._find_part("styles.xml")
        if part not in self.names:
            return []
        root = parse_xml(read_bytes(self.package, part))
        codes = dict(BUILT_IN)
        for node in root.iter("{*}numFmt"):
            codes[int(node.get("numFmtId", "0"))] = node.get("formatCode", "General")
        fonts = [
            read_font(node)
            for parent in root.iterchildren("{*}fonts")
            for node in parent.iterchildren("{*}font")
        ]
        styles = []
        for parent in root.iterchildren("{*}cellXfs"):
            for node in parent.iterchildren("{*}xf"):
                code = codes.get(int(node.get("numFmtId", "0")), "General")
                at = int(node.get("fontId", "0"))
                font, is_struck = fonts[at] if at < len(fonts) else ("", False)
                styles.append(_Style(code, font, is_struck))
        return styles


class _MergedRanges:
    """Repeats the value of a merged range in each cell of it."""

    def __init__(self, references: list[bytes]) -> None:
        ranges = list[tuple[int, int, int, int]]()
        for reference in references[:_MAX_MERGED_RANGES]:
            first, last = (parse_reference(r) for r in reference.decode().split(":"))
            ranges.append((*first, *last))
        self._ranges = sorted(ranges, reverse=True)
        self._open = list[tuple[int, int, int, Cell]]()

    def fill(self, number: int, cells: list[Cell]) -> list[Cell]:
        """Return the cells of a row with those of the merged ranges in it."""
        while self._ranges and self._ranges[-1][0] <= number:
            top, left, bottom, right = self._ranges.pop()
            right = min(right, _MAX_COLUMNS - 1)
            text = cells[left].text if top == number and left < len(cells) else ""
            if text:
                cell = Cell(text, bottom - top + 1, right - left + 1)
                self._open.append((bottom, left, right, cell))
        self._open = [each for each in self._open if each[0] >= number]
        for _, left, right, cell in self._open:
            cells = cells + [Cell("")] * (right + 1 - len(cells))
            cells[left : right + 1] = [cell] * (right + 1 - left)
        return cells


def _note_cells(cells: list[Cell], notes: dict[int, str]) -> list[Cell]:
    """Return cells with their notes behind their texts."""
    for column, note in notes.items():
        cells = cells + [Cell("")] * (column + 1 - len(cells))
        cells[column] = Cell(f"{cells[column].text} {note}".strip())
    return cells


def is_on_attribute(node: Any, name: str) -> bool:
    """Return whether an attribute is there and not off."""
    return node.get(name, "0") not in {"0", "false"}
