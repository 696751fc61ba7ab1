"""Old Excel workbooks (.xls, BIFF8): how numbers are displayed, and notes of cells.

Complements a reader of values: tells the text of each number whose format is not
General and of each error, which rows and columns are hidden, and the notes.
Source: [MS-XLS], sections 2.4 and 2.5.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.ingest.extract.office.number_formats import BUILT_IN, format_number

_STREAMS = ("Workbook", "Book")
_BOF, _EOF, _CONTINUE = 0x0809, 0x000A, 0x003C
_BOUNDSHEET, _FORMAT, _XF, _DATE_1904 = 0x0085, 0x041E, 0x00E0, 0x0022
_NUMBER, _RK, _MULRK, _FORMULA, _ERROR = 0x0203, 0x027E, 0x00BD, 0x0006, 0x0205
_CELLS = {_NUMBER, _RK, _MULRK, _FORMULA, _ERROR}
_ROW, _COLUMNS, _NOTE, _OBJECT, _TEXT = 0x0208, 0x007D, 0x001C, 0x005D, 0x01B6
_BIFF8 = 0x0600
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?",
    0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip
_MAX_COLUMN = 256


@dataclass(slots=True)
class SheetDisplay:
    """What a sheet shows beyond the values of its cells; rows and columns from 0."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    notes: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def read_displays(path: Path) -> dict[str, SheetDisplay]:
    """Return what the sheets of a workbook show, by name; empty if it is no BIFF8."""
    import olefile  # noqa: PLC0415 - start-up time

    if not olefile.isOleFile(str(path)):
        return {}
    with olefile.OleFileIO(str(path)) as compound:
        name = next((each for each in _STREAMS if compound.exists(each)), "")
        content = bytes(compound.openstream(name).read()) if name else b""
    if content[4:6] != struct.pack("<H", _BIFF8):
        return {}
    return _BookReader(content).read_sheets()


class _BookReader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._sheets = list[tuple[str, int]]()
        self._codes = dict(BUILT_IN)
        self._formats = list[int]()
        self._is_1904 = False
        for kind, data in _iter_records(content, 0):
            if kind == _BOUNDSHEET:
                name = _read_string(data[6:], data[7:])
                self._sheets.append((name, int.from_bytes(data[:4], "little")))
            elif kind == _FORMAT:
                count = int.from_bytes(data[2:4], "little")
                code = _decode(data[5:], count, is_wide=bool(data[4] & 1))
                self._codes[int.from_bytes(data[:2], "little")] = code
            elif kind == _XF:
                self._formats.append(int.from_bytes(data[2:4], "little"))
            elif kind == _DATE_1904:
                self._is_1904 = data[:1] == b"\x01"

    def read_sheets(self) -> dict[str, SheetDisplay]:
        return {name: self._read_sheet(at) for name, at in self._sheets}

    def _read_sheet(self, start: int) -> SheetDisplay:
        shown = SheetDisplay()
        comments = _Comments()
        for kind, data in _iter_records(self._content, start):
            if kind in _CELLS:
                self._read_cells(shown, kind, data)
            elif kind == _ROW and data[12] & 0x20:
                shown.hidden_rows.add(int.from_bytes(data[:2], "little"))
            elif kind == _COLUMNS and data[8] & 1:
                first, last = struct.unpack_from("<HH", data)
                shown.hidden_columns |= set(range(first, min(last, _MAX_COLUMN) + 1))
            else:
                comments.add(kind, data)
        shown.notes = comments.resolve()
        return shown

    def _read_cells(self, shown: SheetDisplay, kind: int, data: bytes) -> None:
        row, column, style = struct.unpack_from("<HHH", data)
        if kind == _MULRK:
            for at in range(4, len(data) - 2, 6):
                style, packed = struct.unpack_from("<HI", data, at)
                self._show(shown, row, column, style, _unpack(packed))
                column += 1
        elif kind == _RK:
            packed = struct.unpack_from("<I", data, 6)[0]
            self._show(shown, row, column, style, _unpack(packed))
        elif kind == _ERROR:
            if data[7]:
                shown.texts[row, column] = _ERRORS.get(data[6], "#N/A")
        elif kind == _NUMBER or data[12:14] != b"\xff\xff":
            number = struct.unpack_from("<d", data, 6)[0]
            self._show(shown, row, column, style, number)
        elif data[6] == 2:  # the result of a formula is an error
            shown.texts[row, column] = _ERRORS.get(data[8], "#N/A")

    def _show(
        self, shown: SheetDisplay, row: int, column: int, style: int, number: float
    ) -> None:
        index = self._formats[style] if style < len(self._formats) else 0
        code = self._codes.get(index, "General")
        if code.lower() != "general":
            text = format_number(number, code, is_1904=self._is_1904)
            shown.texts[row, column] = text


class _Comments:
    """Puts the notes of a sheet together from the records that they are cut into."""

    def __init__(self) -> None:
        self._object = -1
        self._length = 0
        self._texts = dict[int, str]()
        self._places = dict[int, tuple[int, int, str]]()

    def add(self, kind: int, data: bytes) -> None:
        """Take a record; those of anything else are passed over."""
        if kind == _OBJECT and len(data) >= 8:
            self._object = int.from_bytes(data[6:8], "little")
        elif kind == _TEXT and len(data) >= 12:
            self._length = int.from_bytes(data[10:12], "little")
        elif kind == _CONTINUE and self._length and self._object not in self._texts:
            wide = bool(data[0] & 1)
            self._texts[self._object] = _decode(data[1:], self._length, is_wide=wide)
            self._length = 0
        elif kind == _NOTE and len(data) >= 11:
            row, column, _, ident, count = struct.unpack_from("<HHHHH", data)
            author = _decode(data[11:], count, is_wide=bool(data[10] & 1))
            self._places[ident] = row, column, author

    def resolve(self) -> dict[tuple[int, int], str]:
        """Return the notes by row and column."""
        notes = {}
        for ident, (row, column, author) in self._places.items():
            text = to_one_line(self._texts.get(ident, ""))
            text = text.removeprefix(f"{author}:").strip() if author else text
            by = f" by {author}" if author.strip() else ""
            if text:
                notes[row, column] = f"[comment{by}: {text}]"
        return notes


def _iter_records(content: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of the records of one part of a stream."""
    at, depth = start, 0
    while at + 4 <= len(content):
        kind, size = struct.unpack_from("<HH", content, at)
        data = content[at + 4 : at + 4 + size]
        at += 4 + size
        depth += (kind == _BOF) - (kind == _EOF)
        if depth == 1:
            yield kind, data
        if depth <= 0:
            return


def _read_string(header: bytes, data: bytes) -> str:
    """Return a short string: its length is the first byte, then its options."""
    return _decode(data[1:], header[0], is_wide=bool(data[0] & 1))


def _decode(data: bytes, count: int, *, is_wide: bool) -> str:
    if is_wide:
        return data[: 2 * count].decode("utf-16-le", "replace")
    return data[:count].decode("latin-1")


def _unpack(packed: int) -> float:
    """Return a number that is stored in four bytes (RK)."""
    if packed & 2:
        number = float(packed >> 2 if packed < 1 << 31 else (packed >> 2) - (1 << 30))
    else:
        number = float(struct.unpack("<d", struct.pack("<Q", (packed & ~3) << 32))[0])
    return number / 100 if packed & 1 else number
