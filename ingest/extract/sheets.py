"""Workbooks to pages: runs of rows of each sheet, with the head of the table repeated.

Values are those that the program which wrote the file had computed: no formula is run.
Uses calamine (Rust, MIT): .xlsx, .xlsb, .xls and .ods.
"""

import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from itertools import groupby

from lxml import etree
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
)

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import charts
from dunegpt.ingest.extract.clean import one_line, row
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_ROWS = 40
_CHARACTERS = 6000
_SHEET_CHARACTERS = 1_000_000

_LONG_ROW = 400
_MAX_MERGED = 1000

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta

Region = list[tuple[int, str]]
"""The rows of a table: number in the sheet, text."""

Cells = tuple[int, list[str]]
"""A row: number in the sheet, texts."""


def pages(task: Task) -> Iterator[Page]:
    """Yield the regions of all sheets.

    Raises:
        ExtractError: Damaged, or encrypted with a password.
    """
    try:
        book = CalamineWorkbook.from_path(str(task.path))
        names = [s.name for s in book.sheets_metadata]
        hidden = {
            s.name
            for s in book.sheets_metadata
            if s.visible != SheetVisibleEnum.Visible
        }
        number = 0
        shown = charts.of_workbook(task.path)
        for position, name in enumerate(names, start=1):
            for first, last, text in _sheet(task, book, name):
                number += 1
                label = f"{name}!{first}:{last}" + (" (hidden)" * (name in hidden))
                yield Page(number, name, text, label)
            for text in shown.get(position, ()):
                number += 1
                yield Page(number, name, text, f"{name}, chart")
    except PasswordError as error:
        raise ExtractError("The workbook is encrypted with a password.") from error
    except (CalamineError, zipfile.BadZipFile, etree.XMLSyntaxError) as error:
        raise ExtractError(f"The workbook is damaged: {error}.") from error


def _sheet(
    task: Task, book: CalamineWorkbook, name: str
) -> Iterator[tuple[int, int, str]]:
    """Yield first row, last row and text of each page of one sheet."""
    sheet = book.get_sheet_by_name(name)
    top = (sheet.start or (0, 0))[0] + 1
    room = _SHEET_CHARACTERS
    for region in _regions(_rows(sheet), top):
        for part in _parts(region):
            text = "\n".join(line for _, line in part)
            room -= len(text)
            if room < 0:
                task.remark(
                    f"The sheet {name} is cut off before row {part[-1][0]} of"
                    f" {top + sheet.height - 1}: over {_SHEET_CHARACTERS:,} characters."
                )
                return
            yield part[0][0], part[-1][0], text


def _rows(sheet: CalamineSheet) -> Iterator[Sequence[Cell]]:
    """Yield the rows of a sheet; what is merged stands in each of its cells."""
    ranges = sheet.merged_cell_ranges or []
    if not 0 < len(ranges) <= _MAX_MERGED:
        yield from sheet.iter_rows()
        return
    top, left = sheet.start or (0, 0)
    kept: dict[tuple[int, int], Cell] = {}
    for number, cells in enumerate(sheet.iter_rows(), start=top):
        values = list(cells)
        for (first, begin), (last, end) in ranges:
            span = range(max(begin - left, 0), min(end - left + 1, len(values)))
            if first <= number <= last and span:
                value = kept.setdefault((first, begin), values[span[0]])
                for at in span:
                    values[at] = value
        yield values


def _regions(rows: Iterator[Sequence[object]], top: int) -> Iterator[Region]:
    """Yield the tables of a sheet: rows and columns between empty ones."""
    block: list[Cells] = []
    for number, cells in enumerate(rows, start=top):
        texts = [one_line(value_text(cell)) for cell in cells]
        if any(texts):
            block.append((number, texts))
        elif block:
            yield from _side_by_side(block)
            block = []
    if block:
        yield from _side_by_side(block)


def _side_by_side(block: list[Cells]) -> Iterator[Region]:
    """Yield the tables that stand beside each other in a run of rows, left first."""
    width = max(len(texts) for _, texts in block)
    used = [
        any(t[at : at + 1] != [""] and t[at:] for _, t in block) for at in range(width)
    ]
    for first, last in _runs(used):
        parts = [(number, texts[first:last]) for number, texts in block]
        for _, rows in groupby(parts, key=lambda part: any(part[1])):
            table = [part for part in rows if any(part[1])]
            if table:
                yield _lines(table)


def _runs(used: list[bool]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of columns that hold something."""
    for filled, run in groupby(range(len(used)), key=used.__getitem__):
        if filled:
            columns = list(run)
            yield columns[0], columns[-1] + 1


def _lines(table: list[Cells]) -> Region:
    """Return the rows of a table as text; with the head at each cell if they are long.

    Of a long row a passage holds a part only: there each cell says what it is.
    """
    head = table[0][1]
    rows = [(number, row(texts)) for number, texts in table]
    long = sum(len(line) for _, line in rows) > _LONG_ROW * len(rows)
    if not long or len(rows) < 2 or not all(head[:2]):
        return rows
    named = [
        (
            number,
            row(f"{h}: {t}" if h else t for h, t in zip(head, texts, strict=True) if t),
        )
        for number, texts in table[1:]
    ]
    return [rows[0], *named]


def _parts(region: Region) -> Iterator[Region]:
    """Yield a region in parts of the size of a page, its first row repeated."""
    head, part, size = region[0], list[tuple[int, str]](), 0
    repeated = len(head[1]) <= _LONG_ROW
    for number, line in region:
        if part and (len(part) >= _ROWS or size + len(line) > _CHARACTERS):
            yield part
            part, size = ([(number, head[1])], len(head[1])) if repeated else ([], 0)
        part.append((number, line))
        size += len(line)
    yield part


def value_text(value: object) -> str:
    """Return a cell's value as a person reads it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return (
            repr(int(value))
            if value.is_integer() and abs(value) < 1e15
            else _short(value)
        )
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    return "" if value is None else str(value)


def _short(value: float) -> str:
    """Return a number without the noise of binary fractions."""
    return repr(float(f"{value:.15g}"))
