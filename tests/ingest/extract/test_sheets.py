"""Spreadsheets: cells as displayed, heads, notes, what is hidden or not computed."""

# ruff: noqa: E501, RUF001 - cases side by side, with signs as they are printed

import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.office.formulas import shift_formula
from dunegpt.ingest.extract.office.number_formats import format_number
from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import Reader

Fill = Callable[[Any, Any], None]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def make_book(fill: Fill, **options: object) -> bytes:
    """Return a workbook; ``fill`` gets the book and its sheet Data."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, options)
    fill(book, book.add_worksheet("Data"))
    book.close()
    return out.getvalue()


def replace_in_sheet(content: bytes, old: str, new: str) -> bytes:
    """Return a workbook with the XML of its first sheet changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w") as to,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                text, count = re.subn(old, new, data.decode())
                assert count
                data = text.encode()
            to.writestr(name, data)
    return out.getvalue()


def lines_of(read: Reader, content: bytes) -> list[str]:
    return [line for page in read(content, "a.xlsx") for line in page.text.split("\n")]


# ── number formats ────────────────────────────────────────────────────────────────

DAY = 45424.75  # 12 May 2024, 18:00


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (0.985, "0.0%", "98.5%"), (42, "00000", "00042"), (1.5, "[h]:mm", "36:00"),
        (180000, '#,##0" V"', "180,000 V"), (87.3, '0.0\\ "K"', "87.3 K"),
        (3.2e-9, "0.00E+00", "3.20E-09"), (12345, "##0.0E+0", "12.3E+3"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"), (5, 'General" V"', "5 V"),
        (1234.5, '_("$"* #,##0.00_)', "$1,234.50"), (7.5, "0.0 kV", "7.5 kV"),
        (-0.25, "0.00;[Red](0.00)", "-0.25"), (-5, "0;0", "-5"), (-5, "0;-0", "-5"),
        (0, '0.0;-0.0;"-"', "0"), (7, ";;;", "7"), (-0.001, "0.0", "0.0"),
        (1.5e6, '0.0,,"M"', "1.5M"), (2.5, "# ?/?", "2 1/2"), (0.3125, "# ?/16", "5/16"),
        (2500, '[>=1000]0.0,"k";0', "2.5k"), (25, '[>=1000]0.0,"k";0', "25"),
        (123456789, "000-00-0000", "123-45-6789"), (1234567.8, "#,##0.0#", "1,234,567.8"),
        (1.0005, "0.000", "1.001"), (0.1 + 0.2, "General", "0.3"), (1e300, "@", "1e+300"),
        (DAY, "dd/mm/yyyy hh:mm", "2024-05-12 18:00"), (DAY, "m/d/yy", "2024-05-12"),
        (DAY, "d-mmm-yy", "12 May 2024"), (DAY, "mmm-yy", "May 2024"),
        (DAY, "h:mm AM/PM", "6:00 PM"), (DAY, "mmmm d, yyyy", "May 12, 2024"),
        (1234.5 / 86400, "mm:ss.0", "20:34.5"), (0.5, "[mm]:ss", "720:00"),
        (-1, "yyyy-mm-dd", "-1"),
    ],
)  # fmt: skip
def test_numbers_as_they_are_displayed(value: float, code: str, expected: str) -> None:
    assert format_number(float(value), code) == expected


def test_days_may_count_from_1904() -> None:
    assert format_number(1.0, "yyyy-mm-dd", is_1904=True) == "1904-01-02"


def test_cells_of_a_file_are_as_displayed(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        cells = [
            (0.031, "0.0%"), (7, "000"), (3.5, '0.0" kV"'), (-2, "0.0_);(0.0)"),
        ]  # fmt: skip
        for row, (value, code) in enumerate(cells):
            sheet.write(row, 0, value, book.add_format({"num_format": code}))
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        sheet.write_datetime(4, 0, dt.datetime(2024, 4, 3), day)
        sheet.write_boolean(5, 0, True)

    assert lines_of(read, make_book(fill)) == [
        "3.1%", "007", "3.5 kV", "-2.0", "2024-04-03", "TRUE",
    ]  # fmt: skip


def test_rich_text_keeps_its_meaning(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        up = book.add_format({"font_script": 1})
        down = book.add_format({"font_script": 2})
        gone = book.add_format({"font_strikeout": True})
        sign = book.add_format({"font_name": "Symbol"})
        sheet.write_rich_string(0, 0, "4 × 10", up, "-6", " of H", down, "2", "O")
        sheet.write_rich_string(1, 0, "at ", gone, "180", " 160 kV")
        sheet.write_string(2, 0, "old", gone)
        sheet.write_rich_string(3, 0, "5 ", sign, "m", "m")

    assert lines_of(read, make_book(fill)) == [
        "4 × 10⁻⁶ of H₂O", "at [struck out: 180] 160 kV", "[struck out: old]", "5 µm",
    ]  # fmt: skip


# ── formulas ──────────────────────────────────────────────────────────────────────


def test_formulas_without_a_value_are_shown_and_said(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Item", "Units", "CHF"])
        sheet.write_row(1, 0, ["Board", 150])
        sheet.write_formula(1, 2, "=B2*410", value=61500)
        sheet.write_row(2, 0, ["Crate", 6])
        sheet.write_formula(2, 2, "=B3*5200")

    content = make_book(fill)
    # A shared formula, of which the second cell has no text and no value.
    cell = r'<c r="C3"><f>.*?</f><v>.*?</v></c>'
    shared = '<c r="C3"><f t="shared" ref="C3:C4" si="0">B3*$B$2</f></c></row>'
    more = '<row r="4"><c r="C4"><f t="shared" si="0"/><v></v></c>'
    content = replace_in_sheet(content, cell, shared + more)
    assert lines_of(read, content) == [
        "Item | Units | CHF", "Board | 150 | 61500", "Crate | 6 | =B3*$B$2",
        " |  | =B4*$B$2",
    ]  # fmt: skip
    [remark] = read.task.remarks
    assert "The sheet Data has 2 formulas that were never computed" in remark


def test_a_zero_that_is_to_be_computed_is_no_value(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_formula(0, 0, "=SUM(B1:B9)")

    assert lines_of(read, make_book(fill)) == ["=SUM(B1:B9)"]
    assert len(read.task.remarks) == 1


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("B2*C2", "C3*D3"), ("$B2+C$2+$D$2", "$B3+D$2+$D$2"), ("SUM(A1:Z9)", "SUM(B2:AA10)"),
        ('IF(A1="B2",LOG10(A1),0)', 'IF(B2="B2",LOG10(B2),0)'), ("'B2'!A1", "'B2'!B2"),
    ],
)  # fmt: skip
def test_shared_formulas_are_moved(formula: str, expected: str) -> None:
    assert shift_formula(formula, 1, 1) == expected


# ── heads ─────────────────────────────────────────────────────────────────────────


def test_every_page_has_the_head_below_the_title(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write(2, 1, "Boards of NP04, revision B")
        sheet.write(3, 1, "status of May")
        sheet.write_row(5, 1, ["Board", "Slot", "Rate"])
        sheet.write_row(6, 1, ["", "", "Hz"])
        for number in range(90):
            sheet.write_row(7 + number, 1, [f"B-{number}", number % 5, number * 1.5])

    pages = read(make_book(fill), "a.xlsx")
    assert [page.label for page in pages] == [
        "Data!3:4", "Data!6:45", "Data!46:83", "Data!84:97",
    ]  # fmt: skip
    for page in pages[1:]:
        assert page.text.startswith("Board | Slot | Rate Hz\nB-")
    assert pages[1].text.split("\n")[1] == "B-0 | 0 | 0"
    assert pages[3].text.split("\n")[-1] == "B-89 | 4 | 133.5"


def test_title_goes_with_the_table_below(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.merge_range(0, 0, 0, 2, "Cables of NP02")
        sheet.write_row(2, 0, ["Cable", "From", "Length (m)"])
        for number in range(60):
            sheet.write_row(3 + number, 0, [f"C{number}", "F1", number])

    pages = read(make_book(fill), "a.xlsx")
    assert len(pages) == 2
    for page in pages:
        head = "Cables of NP02\nCable | From | Length (m)\nC"
        assert page.text.startswith(head)


def test_heads_of_two_rows_become_one(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.merge_range(0, 0, 1, 0, "Plane")
        sheet.merge_range(0, 1, 0, 2, "Length")
        sheet.write_row(1, 1, ["top", "bottom"])
        sheet.write_row(2, 1, ["[m]", "[m]"])
        sheet.merge_range(3, 0, 4, 0, "U")
        sheet.write_row(3, 1, [5.8, 6.1])
        sheet.write_row(4, 1, [5.9, 6.2])

    assert lines_of(read, make_book(fill)) == [
        "Plane | Length top [m] | Length bottom [m]", "U | 5.8 | 6.1", "U | 5.9 | 6.2",
    ]  # fmt: skip


def test_a_row_of_letters_is_no_row_of_units(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        for row, cells in enumerate([["Bay", "Side"], ["A", "V"], ["B", "W"]]):
            sheet.write_row(row, 0, cells)

    assert lines_of(read, make_book(fill)) == ["Bay | Side", "A | V", "B | W"]


# ── notes, hidden parts, drawings ─────────────────────────────────────────────────


def test_notes_stand_in_their_cells(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Module", "kV"])
        sheet.write_row(1, 0, ["M1", 90])
        sheet.write_comment(1, 1, "Lowered on 12 May.", {"author": "Ada"})
        sheet.write_comment(3, 0, "No module here.")

    assert lines_of(read, make_book(fill)) == [
        "Module | kV", "M1 | 90 [comment by Ada: Lowered on 12 May.]",
        "[comment: No module here.]",
    ]  # fmt: skip


def test_hidden_rows_columns_and_sheets_are_said(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Run", "Old", "New"])
        sheet.write_row(1, 0, [1, 2, 3])
        sheet.write_row(2, 0, [4, 5, 6])
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})
        sheet.write(1, 5, "spare")
        sheet.set_column(5, 5, None, None, {"hidden": True})
        other = book.add_worksheet("Backup")
        other.write(0, 0, "old")
        other.hide()

    pages = read(make_book(fill), "a.xlsx")
    assert pages[0].text.split("\n") == [
        "Run | Old (hidden column) | New", "1 | 2 | 3", "4 | 5 | 6 | (hidden row)",
    ]  # fmt: skip
    assert pages[1].text == "spare (hidden column)"
    assert pages[2].label == "Backup!1:1 (hidden)"


def test_text_boxes_headers_and_charts_are_read(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["a", 5])
        sheet.set_header('&L&"Arial,Bold"DUNE-doc-4711&C&K01+000DRAFT&R&P of &N')
        sheet.insert_textbox(3, 3, "Do not exceed 180 kV")
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Data!$B$1:$B$1", "name": "volts"})
        sheet.insert_chart(9, 9, chart)
        book.add_worksheet("Empty")

    pages = read(make_book(fill), "a.xlsx")
    assert pages[0].text == "Header: DUNE-doc-4711 DRAFT of\na | 5"
    assert {page.label: page.text for page in pages[1:]} == {
        "Data, text box": "Do not exceed 180 kV",
        "Data, chart": " | volts\n | 5",
    }


def test_drawings_are_read_from_top_to_bottom(read: Reader) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.write(0, 0, "x")
        for row, column in [(20, 1), (2, 9), (2, 1)]:
            sheet.insert_textbox(row, column, f"at {row}, {column}")

    pages = read(make_book(fill), "a.xlsx")[1:]
    assert [page.text for page in pages] == ["at 2, 1", "at 2, 9", "at 20, 1"]


def test_a_damaged_sheet_is_said(read: Reader) -> None:
    content = make_book(lambda _, sheet: sheet.write(0, 0, "x"))
    broken = replace_in_sheet(content, "</sheetData>", "")
    with pytest.raises(ExtractError, match="damaged"):
        read(broken, "a.xlsx")


def test_charts_name_their_axes_and_show_their_formats(read: Reader) -> None:
    def fill(book: Any, sheet: Any) -> None:
        day = book.add_format({"num_format": "d mmm yyyy"})
        share = book.add_format({"num_format": "0.0%"})
        sheet.write_datetime(0, 0, dt.datetime(2024, 5, 12), day)
        sheet.write_number(0, 1, 0.985, share)
        chart = book.add_chart({"type": "line"})
        ends = {"categories": "=Data!$A$1:$A$1", "values": "=Data!$B$1:$B$1"}
        chart.add_series({"name": "NP04", **ends})
        chart.set_title({"name": "Efficiency"})
        chart.set_x_axis({"name": "Day"})
        chart.set_y_axis({"name": "Share (%)"})
        sheet.insert_chart(9, 9, chart)

    content = make_book(fill)
    # xlsxwriter stores no formats with the values of a chart; Excel does.
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w") as to,
    ):
        for name in source.namelist():
            text = source.read(name)
            if name.startswith("xl/charts/"):
                old = b"<c:formatCode>General<"
                for code in (b"d mmm yyyy", b"0.0%"):
                    text = text.replace(old, b"<c:formatCode>%s<" % code, 1)
            to.writestr(name, text)
    page = read(out.getvalue(), "a.xlsx")[-1]
    assert page.text.split("\n") == [
        "Efficiency", "Values: Share (%)", "Day | NP04", "12 May 2024 | 98.5%",
    ]  # fmt: skip


# ── OpenDocument ──────────────────────────────────────────────────────────────────

_SPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in [
        ("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"),
        ("fo", "xsl-fo-compatible"), ("draw", "drawing"),
    ]
)  # fmt: skip


def open_document(*rows: str, columns: str = "") -> bytes:
    """Return an OpenDocument workbook of a sheet Data."""
    styles = (
        '<style:style style:name="up"><style:text-properties'
        ' style:text-position="super 58%"/></style:style>'
        '<style:style style:name="gone"><style:text-properties'
        ' style:text-line-through-style="solid"/></style:style>'
        '<style:style style:name="hide"><style:table-properties table:display="false"/>'
        "</style:style>"
    )
    content = (
        f"<office:document-content {_SPACES}><office:automatic-styles>{styles}"
        "</office:automatic-styles><office:body><office:spreadsheet>"
        f'<table:table table:name="Data">{columns}{"".join(rows)}</table:table>'
        '<table:table table:name="Old" table:style-name="hide"><table:table-row>'
        "<table:table-cell><text:p>x</text:p></table:table-cell></table:table-row>"
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    return samples.zipped(
        mimetype="application/vnd.oasis.opendocument.spreadsheet",
        content_dot_xml=content,
    )


def open_row(*cells: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def open_cell(text: str, attributes: str = "", more: str = "") -> str:
    paragraph = f"<text:p>{text}</text:p>"
    return f"<table:table-cell {attributes}>{more}{paragraph}</table:table-cell>"


def number_cell(kind: str, value: str, text: str) -> str:
    name = "date-value" if kind == "date" else "value"
    return open_cell(text, f'office:value-type="{kind}" office:{name}="{value}"')


def test_cells_of_an_open_document_are_as_displayed(read: Reader) -> None:
    up = '<text:span text:style-name="up">−6</text:span>'
    note = "<office:annotation><text:p>Check it</text:p></office:annotation>"
    down = 'table:number-rows-spanned="2"'
    content = open_document(
        open_row(open_cell("Crate"), open_cell("HV"), open_cell("Share")),
        open_row(
            open_cell("C1", down),
            number_cell("float", "-1500", "(1,500 V)"),
            number_cell("percentage", "0.985", "98,5 %"),
        ),
        open_row(
            "<table:covered-table-cell/>",
            open_cell(f"4 × 10{up}", more=note),
            number_cell("date", "2024-04-03T14:30:00", "03/04/24"),
            attributes='table:visibility="filter"',
        ),
        open_row(
            '<table:table-cell table:number-columns-repeated="16384"/>',
            attributes='table:number-rows-repeated="1000000"',
        ),
        columns='<table:table-column table:number-columns-repeated="2"/>'
        '<table:table-column table:visibility="collapse"/>',
    )
    pages = read(content, "a.ods")
    assert pages[0].text.split("\n") == [
        "Crate | HV | Share (hidden column)", "C1 | -1,500 V | 98.5 %",
        "C1 | 4 × 10⁻⁶ [comment: Check it] | 2024-04-03 14:30 | (hidden row)",
    ]  # fmt: skip
    assert [page.label for page in pages] == ["Data!1:3", "Old!1:1 (hidden)"]


def test_objects_of_an_open_document_are_in_the_ledger(read: Reader) -> None:
    chart = "<draw:frame><draw:object/></draw:frame>"
    row = open_row(open_cell("old", 'table:style-name="gone"', chart))
    assert read(open_document(row), "a.ods")[0].text == "[struck out: old]"
    assert read.task.remarks == ["1 charts or objects on the sheet Data were left out."]
