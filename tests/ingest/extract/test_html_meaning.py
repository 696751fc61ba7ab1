"""HTML: raised figures, merged cells, and what the author hid or withdrew."""

# ruff: noqa: RUF001 - the signs are the subject

from pathlib import Path

import pytest

from dunegpt.ingest.extract.html.document import read_html
from tests.ingest.extract.test_extract import Reader


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def text_of(source: str) -> str:
    """Return the lines of all pages that are not empty."""
    lines = "\n".join(page.text for page in read_html(source)).split("\n")
    return "\n".join(filter(None, lines))


# ── raised and lowered text ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("2.5 × 10<sup>−7</sup> Pa m<sup>3</sup>/s", "2.5 × 10⁻⁷ Pa m³/s"),
        ("2<sup>12</sup> codes of 10<sup>9</sup>", "2¹² codes of 10⁹"),
        ("SF<sub>6</sub>, <sup>39</sup>Ar, 1 cm<sup>−2</sup>", "SF₆, ³⁹Ar, 1 cm⁻²"),
        ("e<sup>x/2</sup> of V<sub>HV</sub>", "e^(x/2) of V_(HV)"),
        ("e<sup>x<sup>2</sup></sup>", "e^(x²)"),
        ("10<span style='font-size:7pt; Vertical-Align: super'>8</span> n", "10⁸ n"),
        ("the 2<sup>nd</sup> at 20 <sup>o</sup>C", "the 2nd at 20 °C"),
        ("sin<sup>2</sup>θ", "sin²θ"),
    ],
)  # fmt: skip
def test_raised_text_stays_raised(source: str, text: str) -> None:
    assert text_of(f"<p>{source}</p>") == text


def test_raised_text_by_a_style_sheet() -> None:
    sheet = "<style>.c5 {vertical-align:super;font-size:8pt}</style>"
    assert text_of(f"{sheet}<p>3 × 10<span class=c5>5</span> V</p>") == "3 × 10⁵ V"


@pytest.mark.parametrize(
    "mark",
    [
        "<sup><a href='#fn4'>4</a></sup>",
        "<a href='#_ftn4' name='_ftnref4'><sup>[4]</sup></a>",
        "<sup class='footnote'>4</sup>",
        "<sup role='doc-noteref'>4</sup>",
    ],
)
def test_a_footnote_mark_is_no_exponent(mark: str) -> None:
    assert text_of(f"<p>A lid of 60 kg{mark} and 7 m<sup>2</sup>") == (
        "A lid of 60 kg [note 4] and 7 m²"
    )


def test_a_mark_without_link_is_known_by_its_note() -> None:
    source = (
        "<p>A lid of 60 kg<sup>2</sup>, 10<sup>2</sup> bolts, 4 m<sup>2</sup>.</p>"
        "<p><sup>39</sup>Ar decays.</p><p><sup>2</sup> Weighed in May.</p>"
    )
    assert text_of(source) == (
        "A lid of 60 kg [note 2], 10² bolts, 4 m².\n³⁹Ar decays.\n"
        "[note 2] Weighed in May."
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<mfrac><mi>Q</mi><mi>t</mi></mfrac><mo>=</mo><mn>4</mn>", "Q/t=4"),
        (
            "<mfrac><mrow><mi>a</mi><mo>−</mo><mi>b</mi></mrow><mn>2</mn></mfrac>",
            "(a−b)/2",
        ),
        (
            "<msup><mn>10</mn><mrow><mo>−</mo><mn>4</mn></mrow></msup><mi>V</mi>",
            "10⁻⁴V",
        ),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "√(x+1)"),
        ("<msubsup><mi>m</mi><mn>21</mn><mn>2</mn></msubsup>", "m₂₁²"),
        ("<mover><mi>ν</mi><mo>¯</mo></mover>", "ν̄"),
        (
            "<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><mn>14</mn>"
            "</mmultiscripts>",
            "¹⁴₆C",
        ),
    ],
)
def test_mathml(source: str, text: str) -> None:
    assert text_of(f"<p><math>{source}</math></p>") == text


def test_a_formula_that_is_there_three_times_is_read_once() -> None:
    source = (
        "<span class='katex'><span class='katex-mathml'><math><semantics><mrow>"
        "<mi>p</mi><mo>=</mo><mn>7</mn></mrow><annotation encoding='a/x-tex'>p=7"
        "</annotation></semantics></math></span><span class='katex-html'"
        " aria-hidden='true'>p=7</span></span>"
    )
    assert text_of(f"<p>At {source} bar.</p>") == "At p=7 bar."


# ── tables ────────────────────────────────────────────────────────────────────────


def test_a_merged_cell_counts_for_each_row_and_column() -> None:
    source = (
        "<table><tr><th>Cryostat<th>Pump<th>Flow<th>Load</tr>"
        "<tr><td rowspan=3>East<td>A<td rowspan=2>4 l/s<td>1</tr><tr><td>B<td>2</tr>"
        "<tr><td>C<td colspan=2>off</tr></table>"
    )
    assert text_of(source).split("\n") == [
        "Cryostat | Pump | Flow | Load",
        "East | A | 4 l/s | 1",
        "East | B | 4 l/s | 2",
        "East | C | off | off",
    ]


@pytest.mark.parametrize("cell", ["th", "td"])
def test_a_head_of_two_rows_names_each_column(cell: str) -> None:
    source = (
        f"<table><tr><{cell} rowspan=2>Rack<{cell} colspan=2>Current (A)</tr>"
        f"<tr><{cell}>idle<{cell}>full</tr><tr><td>R1<td>3<td>9</tr></table>"
    )
    assert text_of(source).split("\n") == [
        "Rack | Current (A) idle | Current (A) full",
        "R1 | 3 | 9",
    ]


def test_a_title_over_the_table_is_not_its_head() -> None:
    source = (
        "<table><tr><th colspan=2>Valves of May</th></tr><tr><th>Valve</th><th>bar</th>"
        "</tr><tr><td colspan=2>North</td></tr><tr><td>V9</td><td>2</td></tr></table>"
    )
    lines = text_of(source).split("\n")
    assert lines[:2] == ["Valves of May", "Valve | bar"]
    assert lines[2].startswith("North |")


def test_a_table_in_a_cell_stays_there() -> None:
    inner = "<table><tr><td>low<td>3 l/s<tr><td>high<td>5 l/s</table>"
    source = f"<table><tr><th>Pump<th>Rates<tr><td>P1<td>{inner}<tr><td>P2<td>1</table>"
    assert text_of(source) == ("Pump | Rates\nP1 | low, 3 l/s; high, 5 l/s\nP2 | 1")


def test_a_table_for_the_layout_is_none() -> None:
    source = (
        "<table><tr><td><h2>Left</h2><p>one</p></td><td><p>two</p></td></tr></table>"
    )
    assert text_of(source) == "Left\none\ntwo"


def test_an_endless_span_ends() -> None:
    source = "<table><tr><td rowspan=99999 colspan=99999>a<td>b</tr></table>" * 3
    assert len(text_of(source)) < 20_000


# ── hidden and struck out ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>OLD</p>",
        "<div style='color:red; DISPLAY : none !important'><p>OLD</p></div>",
        "<span style='visibility:hidden'>OLD</span>",
        "<p class='gone'>OLD</p>",
        "<p id=secret>OLD</p>",
        "<template><p>OLD</p></template>",
        "<dialog>OLD</dialog>",
        "<!-- OLD <p>OLD</p> -->",
        "<!--[if mso]><p>OLD</p><![endif]-->",
        "<div style='font-size:0px'>OLD</div>",
        "<table><tr hidden><td>OLD</td></tr><tr><td>x</td><td style='display:none'>OLD"
        "</td></tr></table>",
        "<ol><li hidden>OLD</li></ol>",
    ],
)
def test_what_the_page_hides_is_left_out(hidden: str) -> None:
    sheet = "<style>.gone, #secret { display: none } @media print {.new{display:none}}"
    text = text_of(f"{sheet}</style><p class=new>NEW 1.1 bar</p>{hidden}<p>END</p>")
    assert "NEW 1.1 bar" in text
    assert "OLD" not in text
    assert text.endswith("END")


def test_a_later_rule_shows_again_what_another_hides() -> None:
    sheet = "<style>p {display:none} p.x {display:block}</style>"
    assert text_of(f"{sheet}<p>A</p><p class=x>B</p>") == "B"


@pytest.mark.parametrize(
    "source",
    [
        "<del>2.5 bar</del>",
        "<s>2.5 <b>bar</b></s>",
        "<strike>2.5 bar</strike>",
        "<span style='text-decoration: underline line-through'>2.5 bar</span>",
    ],
)
def test_struck_text_is_marked(source: str) -> None:
    assert text_of(f"<p>At {source} 3 bar.") == "At [struck out: 2.5 bar] 3 bar."


# ── numbers of items, fields, signs ───────────────────────────────────────────────


def test_items_have_the_numbers_of_a_browser() -> None:
    source = (
        "<ol start=4><li>Vent.<ol type=a><li>Wait.<li>Log.</ol><li value=9>Close.</ol>"
        "<ol type=I reversed><li>x<li>y</ol><ol style='list-style-type:none'><li>z</ol>"
    )
    lines = text_of(source).split("\n")
    assert lines == [
        "4. Vent.",
        "a. Wait.",
        "b. Log.",
        "9. Close.",
        "II. x",
        "I. y",
        "z",
    ]


def test_a_description_stands_with_its_term() -> None:
    source = "<dl><dt>PT7<dd>1.2 bar<dt>TT8:<dd><p>88 K</p></dl>"
    assert text_of(source) == "PT7: 1.2 bar\nTT8: 88 K"


def test_fields_and_pictures_say_what_they_show() -> None:
    source = (
        "Flow: <input value='18 L/min'><input type=hidden value=H> <input type=checkbox"
        " checked>ok <input type=radio>no <select><option>A<option selected>B</select>"
        "<p><img alt='Map of the hall'><img alt='scan.png'></p>"
    )
    lines = text_of(source).split("\n")
    assert lines[0] == "Flow: 18 L/min ☒ ok ☐ no B"
    assert lines[1] == "[image: Map of the hall]"


@pytest.mark.parametrize(
    "text",
    [
        "$a_1<a_2$ and found t = 3.7 at r<s",
        "write to <bo@example.test> before 5 pm",
        "ssh <account>@host",
        "if x<y and z>4 then 8 V",
        "E<5 MeV && E>3 MeV",
    ],
)
def test_text_between_signs_does_not_vanish(text: str) -> None:
    assert text_of(f"<p>{text}</p>") == text
    assert text_of(f"<p>{text}</p><script>if (a<b) {{}}</script>") == text


def test_a_soft_hyphen_is_no_character() -> None:
    assert text_of("<p>tem&shy;per&shy;ature</p>") == "temperature"


def test_one_bad_byte_does_not_spoil_a_page(read: Reader) -> None:
    source = "<html><meta charset=utf-8><p>152 µm, Größe".encode() + b" \xe9t\xe9</p>"
    [page] = read(source, "a.html")
    assert page.text == "152 µm, Größe été"
