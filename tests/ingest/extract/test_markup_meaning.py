"""Markdown, reStructuredText and text fields: typography that carries the number."""

# ruff: noqa: RUF001 - the signs are the subject

from pathlib import Path
from textwrap import dedent

import pytest

from dunegpt.ingest.docdb.text_repair import repair_text
from dunegpt.ingest.extract.html.markup import has_tags
from tests.ingest.extract.test_extract import Reader


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Leak of 2 × 10<sup>-8</sup> bar", "Leak of 2 × 10⁻⁸ bar"),
        ("$2.5 \\times 10^{6}$ events, $\\nu_e$", "2.5 × 10⁶ events, $\\nu_e$"),
        ("10^9^ n/cm^2^ of SF~6~", "10⁹ n/cm² of SF₆"),
        ("~~2 bar~~ 3 bar[^1] for $5", "[struck out: 2 bar] 3 bar [note 1] for $5"),
        ("5\\*3 &mu;m and `10^2^`", "5*3 μm and `10^2^`"),
        ("a<b, c>d, <ada@x.test>, $m_1<m_2$", "a<b, c>d, <ada@x.test>, m₁<m₂"),
        ("7 V <!-- OLD 9 V --> <span hidden>OLD</span>now", "7 V  now"),
        ("![The hall](h.png) <b>bold</b>", "[image: The hall] bold"),
        ("| pad \\| pin | `V` |", "pad|pin | `V`"),
        ("HV_CATHODE_01 and __init__ in x_1", "HV_CATHODE_01 and __init__ in x_1"),
    ],
)
def test_markdown(read: Reader, line: str, text: str) -> None:
    [page] = read(line.encode(), "a.md")
    assert page.text == text


def test_markdown_blocks_keep_their_lines(read: Reader) -> None:
    source = (
        "# Runs\n<!-- OLD\n\n# OLD\n-->\n<table><tr><th>Run<th>V\n<tr><td rowspan=2>7"
        "<td>475\n<tr><td>480</table>\n\n```\na<sup>2</sup> <!-- b -->\n```\n"
        "## Next\nx\n"
    )
    first, second = read(source.encode(), "a.md")
    assert "Run | V\n7 | 475\n7 | 480" in first.text
    assert "a<sup>2</sup> <!-- b -->" in first.text
    assert "OLD" not in first.text
    assert (second.heading, second.line) == ("Runs > Next", 13)


def test_rst(read: Reader) -> None:
    source = (
        ".. |hv| replace:: 180 kV\n.. OLD 9 kV\n   OLD\n\nAt |hv|, 10\\ :sup:`-9` bar,"
        " H\\ :sub:`2`\\ O and :math:`10^{-3}`.\n"
    )
    [page] = read(source.encode(), "a.rst")
    assert page.text == "At 180 kV, 10⁻⁹ bar, H₂O and 10⁻³."


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (
            """
            +-------+-------------+
            | Rack  | Current [A] |
            |       +------+------+
            |       | min  | max  |
            +=======+======+======+
            | R4,   | 1.5  | 22   |
            | north +------+------+
            |       | 0.4  | 9    |
            +-------+------+------+
            """,
            [
                "Rack | Current [A] min | Current [A] max",
                "R4, north | 1.5 | 22",
                "R4, north | 0.4 | 9",
            ],
        ),
        (
            """
            =====  ====  =====
            Valve   Pressure
            -----  -----------
            Name   low   high
            =====  ====  =====
            V1     1.1   1.3
            V2           1.4
                         bar
            =====  ====  =====
            """,
            [
                "Valve Name | Pressure low | Pressure high",
                "V1 | 1.1 | 1.3",
                "V2 |  | 1.4 bar",
            ],
        ),
        (
            """
            .. csv-table:: Leaks
               :header: "Flange", "Rate, mbar l/s"

               "F1", 2e-9
               "F2", "3e-9"
            """,
            ["Leaks", "Flange | Rate, mbar l/s", "F1 | 2e-9", "F2 | 3e-9"],
        ),
        (
            """
            .. list-table::
               :header-rows: 1

               * - Pump
                 - Flow
               * - P1
                 - 4 l/s,
                   at most
            """,
            ["Pump | Flow", "P1 | 4 l/s, at most"],
        ),
        ("+------+\n| open |\n", ["| open |"]),
    ],
)
def test_rst_tables(read: Reader, table: str, rows: list[str]) -> None:
    [page] = read(dedent(table).encode(), "a.rst")
    assert page.text.split("\n") == rows


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("10&lt;sup&gt;6&lt;/sup&gt; events at m&lt;5", "10⁶ events at m<5"),
        ("p<q, r > s, H<sub>2</sub>O", "p<q, r > s, H₂O"),
        ("mail <bo@x.test> <i>now</i>", "mail <bo@x.test> <i>now</i>"),
    ],
)
def test_fields_of_docdb(field: str, text: str) -> None:
    assert repair_text(field) == text


def test_what_is_html() -> None:
    assert has_tags("a<br>b")
    assert has_tags("<p class='x'>b")
    assert not has_tags("p <q and r> s, x<5 and y>3, <bo@x.test>")
