"""Tables and columns of PDF pages: in the order in which a person reads them."""

import io
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.ingest.test_extract import Reader

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
