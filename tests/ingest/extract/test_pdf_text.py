"""Tables and columns of PDF pages: in the order in which a person reads them."""

import io
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.ingest.extract.test_extract import Reader

LEFT, RIGHT = 60, 320
PROSE = "the argon of the cryostat is cleaned by a filter of copper and"


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def drawn(*pieces: tuple[float, float, str]) -> bytes:
    """Return a page with pieces of text at x and y, drawn in this order."""
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFontSize(9)
    for x, y, text in pieces:
        canvas.drawString(x, y, text)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def grid(*rows: list[str], top: float = 700, step: float = 90) -> bytes:
    """Return a page with a table, between two lines of prose."""
    cells = [
        (60 + step * column, top - 14 * line, text)
        for line, row in enumerate(rows)
        for column, text in enumerate(row)
        if text
    ]
    above = (60, top + 40, f"{PROSE} more.")
    below = (60, top - 14 * len(rows) - 60, f"{PROSE} less.")
    return drawn(above, *cells, below)


def test_a_table_keeps_cells_apart(read: Reader) -> None:
    rows = [["Run", "Field", "Lifetime"], ["7", "475", "3.5"], ["8", "500", "4.1"]]
    rows += [["9", "", "4.4"], ["10", "480", "4.6"]]
    [page] = read(grid(*rows), "a.pdf")
    lines = page.text.split("\n")
    at = lines.index("Run | Field | Lifetime")
    assert lines[at : at + 5] == [
        "Run | Field | Lifetime",
        "7 | 475 | 3.5",
        "8 | 500 | 4.1",
        "9 | | 4.4",
        "10 | 480 | 4.6",
    ]
    assert page.text.startswith(PROSE)
    assert page.text.endswith("less.")


def test_a_head_of_several_lines_is_one_row(read: Reader) -> None:
    rows = [["Run", "Drift", "Electron"], ["", "field", "lifetime"]]
    rows += [[str(n), f"{n}75", f"{n}.5"] for n in range(1, 5)]
    [page] = read(grid(*rows), "a.pdf")
    assert "Run | Drift field | Electron lifetime\n1 | 175 | 1.5" in page.text


def test_units_of_a_table_survive(read: Reader) -> None:
    rows = [["Beam", "Energy", "Mass"], ["a", "1.2 ± 0.1 GeV", "10 kt"]]
    rows += [["b", "2.4 ± 0.2 GeV", "20 kt"], ["c", "3.6 ± 0.3 GeV", "30 kt"]]
    [page] = read(grid(*rows, step=120), "a.pdf")
    assert "1.2 ± 0.1 GeV" in page.text
    assert "10 kt" in page.text


def test_a_list_of_contents_is_no_table(read: Reader) -> None:
    rows = [[f"{n} Chapter", str(10 * n)] for n in range(1, 8)]
    [page] = read(grid(*rows, step=300), "a.pdf")
    assert " | " not in page.text


def test_a_list_of_contents_with_dots_is_no_table(read: Reader) -> None:
    rows = [[f"{n}", f"Part {n} . . . . . . .", str(10 * n)] for n in range(1, 8)]
    [page] = read(grid(*rows, step=120), "a.pdf")
    assert " | " not in page.text


def test_words_with_wide_gaps_are_no_table(read: Reader) -> None:
    rows = [["one fish", "two fish", "red fish"]] * 5
    [page] = read(grid(*rows), "a.pdf")
    assert " | " not in page.text


def test_columns_drawn_line_by_line_are_put_one_after_the_other(read: Reader) -> None:
    lines = [
        (x, 700 - 12 * n, f"{side} {n} {PROSE[:44]}")
        for n in range(20)
        for x, side in ((LEFT, "left"), (RIGHT, "right"))
    ]
    [page] = read(drawn(*lines), "a.pdf")
    order = [line.split()[:2] for line in page.text.split("\n") if line]
    assert order == [[side, str(n)] for side in ("left", "right") for n in range(20)]


@pytest.mark.parametrize(
    "text",
    [
        "1.2 ± 0.1 GeV",
        "10 kt",
        "3.5 m \u00d7 6 m",
        "\u03bd_e",
        "\u03c3(\u03bd_\u03bc) < 5 \u00b5s",
        "\u221240 °C",
    ],
)
@pytest.mark.parametrize("name", ["a.md", "a.html", "a.txt", "a.rst", "a.csv", "a.eml"])
def test_units_and_letters_survive(read: Reader, text: str, name: str) -> None:
    source = text.replace("<", "&lt;") if name == "a.html" else text
    content = f"Subject: x\nFrom: a\n\n{source}" if name == "a.eml" else source
    assert text in read(content.encode(), name)[0].text


def table_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if " | " in line]


def test_empty_cells_keep_their_column(read: Reader) -> None:
    rows = [["Channel", "Minimum", "Maximum", "Unit"], ["FT7", "", "12.5", "l/min"]]
    rows += [
        ["FT8", "0.5", "", "l/min"],
        ["TC1", "", "95", "K"],
        ["PT4", "1", "2", "bar"],
    ]
    [page] = read(grid(*rows), "a.pdf")
    assert table_lines(page.text) == [
        "Channel | Minimum | Maximum | Unit",
        "FT7 | | 12.5 | l/min",
        "FT8 | 0.5 | | l/min",
        "TC1 | | 95 | K",
        "PT4 | 1 | 2 | bar",
    ]


def test_rows_that_all_lack_a_cell(read: Reader) -> None:
    rows = [["Valve", "Opens", "Closes", "Place"], ["V1", "1.3", "", "roof"]]
    rows += [
        ["V2", "1.4", "", "roof"],
        ["V3", "", "1.1", "pit"],
        ["V4", "", "1.2", "pit"],
    ]
    [page] = read(grid(*rows), "a.pdf")
    assert table_lines(page.text)[1:] == [
        "V1 | 1.3 | | roof",
        "V2 | 1.4 | | roof",
        "V3 | | 1.1 | pit",
        "V4 | | 1.2 | pit",
    ]


def test_a_head_over_two_columns_applies_to_both(read: Reader) -> None:
    heads = [(255.0, 700.0, "Threshold"), (60.0, 686.0, "Run"), (240.0, 686.0, "Low")]
    heads += [(330.0, 686.0, "High"), (150.0, 686.0, "Gain")]
    heads[0] = (264.0, 700.0, "Threshold")
    body = [
        (60.0 + 90 * column, 672.0 - 14 * row, f"{row}{column}.5")
        for row in range(1, 5)
        for column in range(4)
    ]
    [page] = read(drawn(*heads, *body), "a.pdf")
    lines = table_lines(page.text)
    assert lines[0] == "Run | Gain | Threshold Low | Threshold High"
    assert lines[1] == "10.5 | 11.5 | 12.5 | 13.5"


def sheets(*pages: list[tuple[float, float, str]]) -> bytes:
    """Return a PDF with pieces of text on each page."""
    out = io.BytesIO()
    canvas = Canvas(out)
    for page in pages:
        canvas.setFontSize(9)
        for x, y, text in page:
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def rows_of(first: int, last: int) -> list[tuple[float, float, str]]:
    return [
        (60 + 90 * column, 700 - 14 * (row - first), text)
        for row in range(first, last)
        for column, text in enumerate([str(row), f"{row}.25", f"{row}0"])
    ]


HEAD = [(60.0, 714.0, "Run"), (150.0, 714.0, "Charge"), (240.0, 714.0, "Noise")]


def test_a_table_that_goes_on_gets_its_head_again(read: Reader) -> None:
    running = [(60.0, 780.0, "DUNE-doc-777")]
    pages = read(
        sheets(
            HEAD + rows_of(10, 30), running + rows_of(30, 50), running + rows_of(50, 60)
        ),
        "a.pdf",
    )
    for page, row in zip(pages, ("10", "30", "50"), strict=True):
        assert table_lines(page.text)[:2] == [
            "Run | Charge | Noise",
            f"{row} | {row}.25 | {row}0",
        ]


def test_another_table_does_not_get_the_head(read: Reader) -> None:
    below = [(60.0, 300.0 - 14 * n, f"{PROSE} {n}.") for n in range(8)]
    pages = read(sheets(HEAD + rows_of(10, 30) + below, rows_of(30, 50)), "a.pdf")
    assert table_lines(pages[1].text)[0] == "30 | 30.25 | 300"


def ruled(
    pieces: list[tuple[float, float, str]], rules: list[tuple[float, float, float]]
) -> bytes:
    """Return a page with pieces of text, and rules from left to right at a height."""
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFontSize(9)
    for x, y, text in pieces:
        canvas.drawString(x, y, text)
    for left, right, y in rules:
        canvas.line(left, y, right, y)
    canvas.save()
    return out.getvalue()


def test_a_head_over_a_rule_applies_to_its_columns(read: Reader) -> None:
    heads = [(150.0, 714.0, "Noise"), (60.0, 700.0, "Run")]
    heads += [(150.0 + 90 * n, 700.0, text) for n, text in enumerate(["U", "V", "W"])]
    body = [
        (60.0 + 90 * column, 686.0 - 14 * row, f"{row}{column}.5")
        for row in range(1, 6)
        for column in range(4)
    ]
    content = ruled(heads + body, [(55, 380, 726), (145, 375, 711), (55, 380, 694)])
    [page] = read(content, "a.pdf")
    assert table_lines(page.text)[0] == "Run | Noise U | Noise V | Noise W"
    content = ruled(heads + body, [(55, 380, 726), (55, 380, 694)])
    [page] = read(content, "a.pdf")
    assert table_lines(page.text)[0] == "Run | Noise U | V | W"


@pytest.mark.parametrize("line", [0, 1])
def test_cells_over_several_rows_are_repeated(read: Reader, line: int) -> None:
    pieces = [(60.0, 714.0, "Plane"), (150.0, 714.0, "Gain"), (240.0, 714.0, "Noise")]
    rules = []
    for group, name in enumerate("UVW"):
        top = 695.0 - 42 * group
        rules.append((55.0, 300.0, top + 11))
        pieces.append((60.0, top - 14 * line, name))
        for row in range(2):
            y = top - 14 * row
            pieces += [(150.0, y, f"{group}{row}.5"), (240.0, y, f"{group}{row}0")]
    pieces.sort(key=lambda piece: (-piece[1], piece[0]))
    [page] = read(ruled(pieces, [*rules, (55.0, 300.0, 570.0)]), "a.pdf")
    assert table_lines(page.text)[1:4] == [
        "U | 00.5 | 000",
        "U | 01.5 | 010",
        "V | 10.5 | 100",
    ]
    [page] = read(ruled(pieces, []), "a.pdf")
    assert any(row.startswith("| 0") for row in table_lines(page.text))


def test_a_row_of_words_is_no_head(read: Reader) -> None:
    rows = [["If", "Then", "Delay"], ["oxygen is low", "siren on", "none"]]
    rows += [["level is low", "cathode off", f"{n} s"] for n in range(3, 8)]
    [page] = read(grid(*rows, step=120), "a.pdf")
    lines = table_lines(page.text)
    assert lines[:2] == ["If | Then | Delay", "oxygen is low | siren on | none"]


def test_items_dates_and_contents_are_no_headings(read: Reader) -> None:
    lines = [
        "3.1 Purity of the argon",
        "The argon of the cryostat is cleaned by a filter of copper and the",
        "limit of the purity is told in the specification of the pumps, see",
        "3.4. Filters are in use for it in all of the cryostats, except those",
        "of the first run.",
        "1. Close the valve of the first line of the cryostat and wait for the",
        "pressure to fall.",
        "13 May 2021: Draft of the report on all of the pumps",
    ]
    [page] = read(drawn(*((60, 700 - 14 * n, t) for n, t in enumerate(lines))), "a.pdf")
    assert page.heading == "3.1 Purity of the argon"
    assert "\n".join(lines[1:5]) in page.text
    assert "\n".join(lines[5:7]) in page.text
    contents = [f"{n} Purity of the run {n} . . . . . . . . {n}" for n in range(1, 6)]
    contents.append("7 Summary of the filters")
    pieces = [(60.0, 700.0 - 14 * n, text) for n, text in enumerate(contents)]
    [page] = read(drawn(*pieces), "a.pdf")
    assert page.heading == ""


def draw_slide(*pieces: tuple[float, float, str], wide: bool) -> bytes:
    """Return a page with pieces at height and size, drawn in this order."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(720, 405) if wide else (405, 720))
    for y, size, text in pieces:
        canvas.setFontSize(size)
        canvas.drawString(40, y, text)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize("wide", [True, False])
def test_a_title_that_is_drawn_last_is_read_first(read: Reader, wide: bool) -> None:
    top = 360 if wide else 680
    body = [(240.0 - 30 * n, 14.0, f"Filter {n} is ready") for n in range(4)]
    title = (float(top), 24.0, "State of the filters")
    [page] = read(
        draw_slide(*body, title, (20.0, 8.0, "Larch, May"), wide=wide), "a.pdf"
    )
    assert page.text.startswith("State of the filters" if wide else "Filter 0")
    assert page.text.count("State of the filters") == 1
    [page] = read(draw_slide(*body, (300.0, 14.0, "Filter 9"), wide=wide), "a.pdf")
    assert page.text.startswith("Filter 0")


def test_a_foot_that_is_drawn_first_is_read_last(read: Reader) -> None:
    foot = [(20.0, 8.0, "Larch, May"), (9.0, 8.0, "7")]
    body = [(240.0 - 30 * n, 14.0, f"Filter {n} is ready") for n in range(4)]
    title = (360.0, 24.0, "State of the filters")
    [page] = read(draw_slide(*foot, *body, title, wide=True), "a.pdf")
    lines = page.text.replace("\n\n", "\n").split("\n")
    assert lines[0] == "State of the filters"
    assert lines[-2:] == ["Larch, May", "7"]
