"""Spreadsheets: pages of table rows per sheet, with the head of the table repeated.

Cells are as displayed, with their number formats and notes, but those of .xlsb files,
which are stored values; formulas are not evaluated: one without a stored value is shown
itself. The values of .xlsb and .xls files are read with calamine (Rust, MIT).
"""

import datetime as dt
import struct
import zipfile
from collections.abc import Iterator, Sequence

from lxml import etree
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
)

from dunegpt.errors import ExtractError
from dunegpt.files import host_error
from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.ingest.extract.office import charts as office_charts
from dunegpt.ingest.extract.office import opendocument as office_opendocument
from dunegpt.ingest.extract.office.biff import SheetDisplay, read_displays
from dunegpt.ingest.extract.office.number_formats import format_general
from dunegpt.ingest.extract.office.sheet_drawings import read_drawings
from dunegpt.ingest.extract.office.sheet_tables import TablePart, iter_parts
from dunegpt.ingest.extract.office.workbook import (
    WORKBOOK,
    Row,
    Sheet,
    SheetReader,
    Workbook,
)
from dunegpt.ingest.extract.table_rows import Cell
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_SHEET_CHARACTERS = 1_000_000
_MAX_MERGED_RANGES = 1000
_HIDDEN = " (hidden)"

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the tables and charts of all sheets.

    Raises:
        ExtractError: The workbook is damaged, or encrypted with a password.
    """
    try:
        names = _member_names(task)
        if not names & {WORKBOOK, office_opendocument.CONTENT}:
            yield from _read_stored_values(task)
            return
        with zipfile.ZipFile(task.path) as package:
            if WORKBOOK in names:
                yield from _read_open_xml(task, Workbook(package))
            else:
                yield from _read_opendocument(task, package)
    except PasswordError as error:
        raise ExtractError("The workbook is encrypted with a password.") from error
    except (
        CalamineError,
        zipfile.BadZipFile,
        etree.XMLSyntaxError,
        KeyError,
        ValueError,
    ) as error:
        raise ExtractError(f"The workbook is damaged: {error}.") from error


def _member_names(task: ExtractTask) -> set[str]:
    if not zipfile.is_zipfile(task.path):
        return set()
    with zipfile.ZipFile(task.path) as package:
        return set(package.namelist())


def _read_opendocument(task: ExtractTask, package: zipfile.ZipFile) -> Iterator[Page]:
    number = 0
    for sheet in office_opendocument.read_sheets(package):
        parts = iter_parts(sheet.iter_rows(), sheet.hidden_columns)
        for part in _limit_parts(task, sheet.name, None, parts):
            number += 1
            yield _build_page(number, sheet.name, sheet.is_hidden, part, part.text)
        if sheet.object_count:
            task.remark(
                f"{sheet.object_count} charts or objects on the sheet {sheet.name} were"
                " left out."
            )


def _read_open_xml(task: ExtractTask, book: Workbook) -> Iterator[Page]:
    number = 0
    for sheet in book.sheets:
        reader = book.open_sheet(sheet)
        running = list(reader.read_running_lines())
        parts = iter_parts(_clean_rows(reader.iter_rows()), reader.hidden_columns)
        for part in _limit_parts(task, sheet.name, reader.last_row, parts):
            number += 1
            text = "\n".join([*running, part.text])
            yield _build_page(number, sheet.name, sheet.is_hidden, part, text)
            running = []
        for label, text in read_drawings(task, book.package, sheet):
            number += 1
            yield Page(number, sheet.name, text, f"{sheet.name}, {label}")
        _remark_losses(task, sheet, reader)


def _clean_rows(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield rows with each text on one line; merged cells stay one."""
    for row in rows:
        cleaned = {id(cell): _clean_cell(cell) for cell in row.cells}
        yield Row(row.number, [cleaned[id(c)] for c in row.cells], row.is_hidden)


def _clean_cell(cell: Cell) -> Cell:
    return Cell(to_one_line(cell.text), cell.rows, cell.columns) if cell.text else cell


def _remark_losses(task: ExtractTask, sheet: Sheet, reader: SheetReader) -> None:
    losses = reader.losses
    if losses.uncomputed:
        task.remark(
            f"The sheet {sheet.name} has {losses.uncomputed} formulas that were never"
            " computed; they are shown instead of their values. Open the file in a"
            " spreadsheet program and save it to get the values."
        )
    if losses.unknown_symbols:
        task.remark(
            f"The sheet {sheet.name} has {losses.unknown_symbols} unknown characters"
            " of symbol fonts."
        )


def _build_page(
    number: int, name: str, is_hidden: bool, part: TablePart, text: str
) -> Page:
    label = f"{name}!{part.first}:{part.last}" + _HIDDEN * is_hidden
    return Page(number, name, text, label)


def _limit_parts(
    task: ExtractTask, name: str, last_row: int | None, parts: Iterator[TablePart]
) -> Iterator[TablePart]:
    """Yield the pages of a sheet up to the limit; remark on what is cut off."""
    remaining = _SHEET_CHARACTERS
    for part in parts:
        remaining -= len(part.text)
        if remaining < 0:
            task.remark(
                f"The sheet {name} is cut off before row {part.last}"
                f"{f' of {last_row}' if last_row else ''}:"
                f" over {_SHEET_CHARACTERS:,} characters."
            )
            return
        yield part


# ── stored values ─────────────────────────────────────────────────────────────────


def _read_stored_values(task: ExtractTask) -> Iterator[Page]:
    """Yield the tables of a workbook that is not Open XML in text form."""
    book = CalamineWorkbook.from_path(str(task.path))
    charts = office_charts.read_workbook_charts(task.path)
    displays = _read_displays(task)
    number = 0
    for position, metadata in enumerate(book.sheets_metadata, start=1):
        name = metadata.name
        is_hidden = metadata.visible != SheetVisibleEnum.Visible
        sheet = book.get_sheet_by_name(name)
        shown = displays.get(name, SheetDisplay())
        rows = _clean_rows(_iter_value_rows(sheet, shown))
        parts = iter_parts(rows, shown.hidden_columns)
        for part in _limit_parts(task, name, sheet.total_height, parts):
            number += 1
            yield _build_page(number, name, is_hidden, part, part.text)
        for text in charts.get(position, ()):
            number += 1
            yield Page(number, name, text, f"{name}, chart")


def _read_displays(task: ExtractTask) -> dict[str, SheetDisplay]:
    """Return what an old workbook shows beyond its values; remark if it is damaged."""
    try:
        return read_displays(task.path)
    except (OSError, ValueError, IndexError, struct.error) as error:
        if host_error(error):
            raise
        task.remark("Number formats and notes of the workbook could not be read.")
        return {}


def _iter_value_rows(sheet: CalamineSheet, shown: SheetDisplay) -> Iterator[Row]:
    """Yield the rows of a sheet, with the value of a merged range in each cell.

    calamine 0.9 gives rows from the first row of the sheet, but cells from the first
    column that is used.
    """
    ranges = sheet.merged_cell_ranges or []
    ranges = ranges if len(ranges) <= _MAX_MERGED_RANGES else []
    left = (sheet.start or (0, 0))[1]
    merged = dict[tuple[int, int], Cell]()
    for number, values in enumerate(sheet.iter_rows()):
        cells = _build_cells(values, number, left, shown)
        for (first, begin), (last, end) in ranges:
            span = range(max(begin - left, 0), min(end - left + 1, len(cells)))
            if first <= number <= last and span:
                text = cells[span[0]].text
                cell = merged.setdefault(
                    (first, begin), Cell(text, last - first + 1, end - begin + 1)
                )
                for column in span:
                    cells[column] = cell
        yield Row(number + 1, cells, number in shown.hidden_rows)


def _build_cells(
    values: Sequence[Value], row: int, left: int, shown: SheetDisplay
) -> list[Cell]:
    cells = []
    for column, value in enumerate(values, start=left):
        text = shown.texts.get((row, column)) or format_value(value)
        note = shown.notes.get((row, column), "")
        cells.append(Cell(f"{text} {note}".strip() if note else text))
    return cells


def format_value(value: object) -> str:
    """Return a stored value as text."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return format_general(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, dt.timedelta):
        return _format_duration(value)
    return "" if value is None else str(value)


def _format_duration(value: dt.timedelta) -> str:
    """Return hours and minutes: ``36:00``, not ``1 day, 12:00:00``."""
    seconds = round(abs(value.total_seconds()))
    sign = "-" if value < dt.timedelta() else ""
    text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}"
    return f"{text}:{seconds % 60:02d}" if seconds % 60 else text
