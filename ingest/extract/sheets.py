"""Workbooks to pages: runs of rows of each sheet, with the head of the table repeated.

Values are those that the program which wrote the file had computed: no formula is run.
Uses calamine (Rust, MIT): .xlsx, .xlsb, .xls and .ods.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

from python_calamine import (
    CalamineError,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
)

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import row
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_ROWS = 40
_CHARACTERS = 6000
_SHEET_CHARACTERS = 1_000_000

Region = list[tuple[int, str]]
"""Rows without an empty one between them: number in the sheet, text."""


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
        for name in names:
            for first, last, text in _sheet(task, book, name):
                number += 1
                label = f"{name}!{first}:{last}" + (" (hidden)" * (name in hidden))
                yield Page(number, name, text, label)
    except PasswordError as error:
        raise ExtractError("The workbook is encrypted with a password.") from error
    except CalamineError as error:
        raise ExtractError(f"The workbook is damaged: {error}.") from error


def _sheet(
    task: Task, book: CalamineWorkbook, name: str
) -> Iterator[tuple[int, int, str]]:
    """Yield first row, last row and text of each page of one sheet."""
    sheet = book.get_sheet_by_name(name)
    top = (sheet.start or (0, 0))[0] + 1
    room = _SHEET_CHARACTERS
    for region in _regions(sheet.iter_rows(), top):
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


def _regions(rows: Iterator[Sequence[object]], top: int) -> Iterator[Region]:
    """Yield the runs of rows that hold something."""
    region: Region = []
    for number, cells in enumerate(rows, start=top):
        if line := row(value_text(cell) for cell in cells):
            region.append((number, line))
            continue
        if region:
            yield region
        region = []
    if region:
        yield region


def _parts(region: Region) -> Iterator[Region]:
    """Yield a region in parts of the size of a page, its first row repeated."""
    head, part, size = region[0], list[tuple[int, str]](), 0
    for number, line in region:
        if part and (len(part) >= _ROWS or size + len(line) > _CHARACTERS):
            yield part
            part, size = [(number, head[1])], len(head[1])
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
