"""Characters of PDF pages: scripts, accents, symbol fonts, spacing, sideways text."""

import io
from pathlib import Path

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.ingest.extract.test_extract import Reader

FONT = "Times-Roman"
Run = str | tuple[str, int]
"""A text on the line, or a text with 1 for raised and -1 for lowered."""


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def draw_runs(
    *lines: list[Run], size: float = 11, small: float = 7.5, rotate: int = 0
) -> bytes:
    """Return a page with lines of text, with raised and lowered runs."""
    out = io.BytesIO()
    canvas = Canvas(out)
    if rotate:
        canvas.setPageRotation(rotate)
    for number, line in enumerate(lines):
        x, y = 72.0, 500 - 20 * number
        for run in line:
            text, shift = (run, 0) if isinstance(run, str) else run
            font_size = small if shift else size
            canvas.setFont(FONT, font_size)
            canvas.drawString(x, y + (0.36 if shift > 0 else 0.18) * size * shift, text)
            x += stringWidth(text, FONT, font_size)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (["a sample of 10", ("6", 1), " events"], "a sample of 10⁶ events"),
        (["2", ("10", 1), " channels"], "2¹⁰ channels"),
        (["5.0 \xd7 10", ("25", 1), " protons"], "5.0 \xd7 10²⁵ protons"),
        (["2.5e", ("3", 1), " is odd, 10", ("-12", 1), " s"], "10⁻¹² s"),
        (["an area of 12 m", ("2", 1), " and 3 cm", ("3", 1)], "12 m² and 3 cm³"),
        (["9.8 m s", ("-2", 1), ", mbar L s", ("-1", 1)], "m s⁻², mbar L s⁻¹"),
        (
            ["R", ("2", 1), " = 0.98, x", ("2", 1), " + y", ("3", 1)],
            "R² = 0.98, x² + y³",
        ),
        (["dated by ", ("14", 1), "C and ", ("39", 1), "Ar"], "by ¹⁴C and ³⁹Ar"),
        (["H", ("2", -1), "O and N", ("2", -1)], "H₂O and N₂"),
        (["Ca", ("2+", 1), " in SiO", ("2", -1)], "Ca²⁺ in SiO₂"),
        (["e", ("-5t/7", 1), " falls"], "e^(-5t/7) falls"),
        (["(1 + z)", ("3", 1), " grows"], "(1 + z)³ grows"),
        (["at 20 ", ("o", 1), "C or 87", ("o", 1), "C"], "87°C"),
        (
            ["10", ("5", 1), "counts, 2 \xd7 10", ("4", 1), "  7"],
            "10⁵counts, 2 \xd7 10⁴ 7",
        ),
        (["held for 7", ("2", 1), " = 49 days"], "7² = 49 days"),
    ],
)
def test_raised_and_lowered(read: Reader, runs: list[Run], text: str) -> None:
    [page] = read(draw_runs(["The value is ", *runs]), "a.pdf")
    assert text in page.text


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_raised_on_turned_pages(read: Reader, rotate: int) -> None:
    lines: list[list[Run]] = [["a rate of 10", ("3", 1), " Hz, not of 103 Hz"]]
    [page] = read(draw_runs(*lines, rotate=rotate), "a.pdf")
    assert page.text == "a rate of 10³ Hz, not of 103 Hz"


def test_raised_at_full_size(read: Reader) -> None:
    [page] = read(draw_runs(["at 10", ("4", 1), " volts for a day"], small=11), "a.pdf")
    assert page.text == "at 10⁴ volts for a day"


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (["a mass of 45", ("3", 1), " kg in all"], "a mass of 45 kg [note 3] in all"),
        (["a mass of 45 kg", ("3", 1), " in all"], "a mass of 45 kg [note 3] in all"),
        (
            ["by J. Doe", ("*1", 1), ", A. Roe", ("(2)", 1)],
            "Doe [note *1], A. Roe [note 2]",
        ),
        (["the filter", ("2", 1), " is new"], "the filter [note 2] is new"),
        (["as said.", ("12", 1), " Then"], "as said. [note 12] Then"),
        (["98.5", ("1", 1), " % of it"], "98.5 % [note 1] of it"),
        (["1,250", ("4", 1), " V today"], "1,250 V [note 4] today"),
        (["PT100", ("(2)", 1), " denotes it"], "PT100 [note 2] denotes it"),
    ],
)
def test_marks_of_notes_are_no_powers(read: Reader, runs: list[Run], text: str) -> None:
    [page] = read(draw_runs(["It has ", *runs]), "a.pdf")
    assert text in page.text


def test_notes_at_the_foot(read: Reader) -> None:
    foot: list[Run] = [("3", 1), " Without the copper."]
    [page] = read(draw_runs(["It weighs 45", ("3", 1), " kg."], foot), "a.pdf")
    assert page.text.split("\n") == [
        "It weighs 45 kg [note 3].",
        "[note 3] Without the copper.",
    ]


def test_a_bullet_is_no_base(read: Reader) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    for text, x, size in [("\u2022", 60, 20), ("10 papers and 3 talks", 75, 12)]:
        canvas.setFont(FONT, size)
        canvas.drawString(x, 700, text)
    canvas.save()
    [page] = read(out.getvalue(), "a.pdf")
    assert page.text == "\u2022 10 papers and 3 talks"


def test_a_stacked_fraction(read: Reader) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    for text, x, y, size in [
        ("It ran for 3", 72, 700, 11), ("1", 129, 704, 7), ("2", 129, 697, 7),
        ("years.", 136, 700, 11),
    ]:  # fmt: skip
        canvas.setFont(FONT, size)
        canvas.drawString(x, y, text)
    canvas.save()
    [page] = read(out.getvalue(), "a.pdf")
    assert page.text.replace("\n", " ") == "It ran for 3 1/2 years."


@pytest.mark.slow
def test_numbers_of_one_size_stay(read: Reader) -> None:
    line = "In 2024 the 106 boards of run 103 took 12 x 10 s, and 3 kg of H2O."
    [page] = read(draw_runs([line]), "a.pdf")
    assert page.text == line
    [page] = read(draw_runs(["No. 8 up to ", ("3", 1), "\u2044"]), "a.pdf")
    assert "note" not in page.text


def test_marks_of_notes_in_a_table_stay_in_their_cells(read: Reader) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(72, 700, "Table 2: Gains")
    rows = [("Board", "", "Gain", "Noise"), ("PT100", "(1)", "7.5", "512"),
            ("PT100", "(2)", "7.9", "498"), ("PT200", "", "8.1", "505")]  # fmt: skip
    for at, (name, mark, *values) in enumerate(rows):
        y = 670 - 16 * at
        canvas.setFont(FONT, 11)
        canvas.drawString(72, y, name)
        canvas.setFont(FONT, 7)
        canvas.drawString(72 + stringWidth(name, FONT, 11), y + 4, mark)
        canvas.setFont(FONT, 11)
        for x, value in zip((180, 260), values, strict=True):
            canvas.drawString(x, y, value)
    canvas.save()
    [page] = read(out.getvalue(), "a.pdf")
    assert "PT100 [note 1] | 7.5 | 512\nPT100 [note 2] | 7.9 | 498" in page.text


def draw_pieces(*pieces: tuple[float, float, str], size: float = 11) -> bytes:
    """Return a page with pieces of text at x and y."""
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFont(FONT, size)
    for x, y, text in pieces:
        canvas.drawString(x, y, text)
    canvas.save()
    return out.getvalue()


def draw_accented(text: str, *, accent_first: bool) -> bytes:
    """Return a page where an accent in brackets is drawn over the letter behind it."""
    pieces, x = [], 72.0
    marks = iter(text)
    for character in marks:
        if character == "[":
            accent, _, letter = next(marks), next(marks), next(marks)
            width = stringWidth(letter, FONT, 11)
            offset = (width - stringWidth(accent, FONT, 11)) / 2
            pair = [(x + offset, 700.0, accent), (x, 700.0, letter)]
            pieces += pair if accent_first else pair[::-1]
        else:
            width = stringWidth(character, FONT, 11)
            pieces.append((x, 700.0, character))
        x += width
    return draw_pieces(*pieces)


@pytest.mark.parametrize("accent_first", [True, False])
def test_accents_are_put_on_their_letters(read: Reader, accent_first: bool) -> None:
    drawn = "J. M[\xa8]uller of K[\xa8]oln, F. Garc[\xb4]ia, Ren[\xb4]e and [\xb8]ca va"
    [page] = read(draw_accented(drawn, accent_first=accent_first), "a.pdf")
    assert page.text == "J. Müller of Köln, F. García, René and ça va"


def test_accents_of_their_own_stay(read: Reader) -> None:
    text = "the angle x^2 is ~5, and `quoted` words ~ more"
    [page] = read(draw_runs([text]), "a.pdf")
    assert page.text == text


def draw_spaced(text: str, tracking: float, *, spaces: bool, size: float = 12) -> bytes:
    """Return a page where each character is drawn apart, with or without spaces."""
    pieces, x = [], 60.0
    for character in text:
        if character != " " or spaces:
            pieces.append((x, 700.0, character))
        x += stringWidth(character, FONT, size) + tracking
    return draw_pieces(*pieces, size=size)


@pytest.mark.parametrize("spaces", [True, False])
@pytest.mark.parametrize("tracking", [0, 1.5, 3, 6])
@pytest.mark.parametrize(
    "text", ["STATUS OF THE CRYOSTAT", "Flow of 12.5 l/min at 87.3 K in tank B"]
)
def test_spaced_out_letters(
    read: Reader, text: str, tracking: float, spaces: bool
) -> None:
    [page] = read(draw_spaced(text, tracking, spaces=spaces), "a.pdf")
    assert page.text == text


@pytest.mark.parametrize(
    "text", ["wires U V W X Y Z of plane A", "A B C D E F G H I J K"]
)
def test_single_letters_stay_apart(read: Reader, text: str) -> None:
    [page] = read(draw_runs([text]), "a.pdf")
    assert page.text == text


def draw_sideways(
    rows: list[list[str]], *, clockwise: bool = False, rotate: int = 0
) -> bytes:
    """Return a page with the cells of rows written sideways."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(600, 800))
    if rotate:
        canvas.setPageRotation(rotate)
    canvas.setFont(FONT, 11)
    if clockwise:
        canvas.translate(40, 760)
        canvas.rotate(-90)
    else:
        canvas.translate(560, 40)
        canvas.rotate(90)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            canvas.drawString(130 * column, 400 - 22 * number, cell)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize("clockwise", [True, False])
def test_rows_of_a_sideways_table(read: Reader, clockwise: bool) -> None:
    rows = [["Pump", "Power", "Flow"], ["P1", "1.2 kW", "12 l/s"]]
    rows += [[f"P{n}", f"{n}.4 kW", f"{n}0 l/s"] for n in range(2, 7)]
    [page] = read(draw_sideways(rows, clockwise=clockwise), "a.pdf")
    lines = [line for line in page.text.split("\n") if line]
    assert lines == [" | ".join(row) for row in rows]


@pytest.mark.parametrize("clockwise", [True, False])
def test_lines_of_sideways_prose(read: Reader, clockwise: bool) -> None:
    rows = [[f"Rack {n} stands {3 * n} m behind the door."] for n in range(1, 9)]
    [page] = read(
        draw_sideways(rows, clockwise=clockwise, rotate=0 if clockwise else 90), "a.pdf"
    )
    assert [line for line in page.text.split("\n") if line] == [r[0] for r in rows]


PROSE = [
    "The level of the argon was measured with two capacitors",
    "and with a chain of thermometers over a whole week. The",
    "mean level in the first cryostat was found to be equal to",
    "12.4 m, which is below the limit of the safety review.",
    "the second one is left out, since the readout had failed",
    "before the filling was over. The spread of all values is",
    "as large as the precision of a single one of them.",
    "No other level was read in this week.",
]


@pytest.mark.parametrize("side", [50, 520])
@pytest.mark.parametrize(("start", "step"), [(1, 1), (96, 1), (871, 1)])
@pytest.mark.parametrize("order", ["before", "after", "last"])
def test_line_numbers_are_left_out(
    read: Reader, side: float, start: int, step: int, order: str
) -> None:
    body = [(90.0, 700.0 - 18 * n, line) for n, line in enumerate(PROSE)]
    numbers = [
        (
            side - stringWidth(str(start + n * step), FONT, 11),
            700.0 - 18 * n,
            str(start + n),
        )
        for n in range(len(PROSE))
    ]
    drawn = [piece for pair in zip(body, numbers, strict=True) for piece in pair]
    if order == "before":
        drawn = [piece for pair in zip(numbers, body, strict=True) for piece in pair]
    if order == "last":
        drawn = body + numbers
    [page] = read(draw_pieces(*drawn), "a.pdf")
    assert page.text.replace("\n\n", "\n").split("\n") == PROSE


def test_a_numbered_list_keeps_its_numbers(read: Reader) -> None:
    steps = [f"{n} Close the valve of line {n} and wait for it." for n in range(1, 9)]
    pieces = [(72.0, 700.0 - 18 * n, line) for n, line in enumerate(steps)]
    [page] = read(draw_pieces(*pieces), "a.pdf")
    assert page.text.replace("\n\n", "\n").split("\n") == steps


def test_small_line_numbers_beside_headings(read: Reader) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    titles = [f"{n}.1 Results of the run number {n} of the year" for n in range(1, 9)]
    for number, title in enumerate(titles):
        for text, x, size in ((str(5 + number), 50, 6), (title, 90, 11)):
            canvas.setFont(FONT, size)
            canvas.drawString(x, 700 - 18 * number, text)
    canvas.save()
    [page] = read(out.getvalue(), "a.pdf")
    assert [line for line in page.text.split("\n") if line] == titles


def draw_numbered(*, breaks_lines: bool) -> bytes:
    """Return a page with small line numbers; the last one begins to count anew."""
    out = io.BytesIO()
    canvas = Canvas(out)
    for at, line in enumerate(PROSE):
        y = 700 - 18 * at
        number = (str(1 if at == len(PROSE) - 1 else at + 2), 50.0, 5)
        begin, _, end = line.partition(" ")
        middle = 90 + stringWidth(f"{begin} ", FONT, 11)
        pieces = [(begin, 90.0, 11), number, (end, middle, 11)]
        if not breaks_lines:
            pieces = [(line, 90.0, 11), number]
        for text, x, size in pieces:
            canvas.setFont(FONT, size)
            canvas.drawString(x, y, text)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize("breaks_lines", [True, False])
def test_line_numbers_that_begin_anew(read: Reader, breaks_lines: bool) -> None:
    [page] = read(draw_numbered(breaks_lines=breaks_lines), "a.pdf")
    assert page.text.replace("\n\n", "\n").split("\n") == PROSE


def test_all_meanings_of_a_glyph_are_one(read: Reader) -> None:
    codes = {"S": "\t\r \u00a0", "-": "-\u00ad\u2010", "u": "\u00b5\u03bc"}
    content = draw_mapped(codes, "aSwell-madeS3SumSgap", "ABCDEF+Cambria")
    [page] = read(content, "a.pdf")
    assert page.text == "a well-made 3 µm gap"


def draw_mapped(codes: dict[str, str], text: str, font: str) -> bytes:
    """Return a page in a font whose table maps the letters of a text to others."""
    mapped = "\n".join(
        f"<{ord(letter):02x}> <{meaning.encode('utf-16-be').hex()}>"
        for letter, meaning in codes.items()
    )
    table = (
        "/CIDInit /ProcSet findresource begin begincmap /CMapName /T def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{mapped}\nendbfchar endcmap end"
    )
    content = f"BT /F1 11 Tf 72 700 Td ({text}) Tj ET"
    objects = [
        "<</Type /Catalog /Pages 2 0 R>>",
        "<</Type /Pages /Kids [3 0 R] /Count 1>>",
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R"
        " /Resources <</Font <</F1 4 0 R>>>>>>",
        f"<</Type /Font /Subtype /TrueType /BaseFont /{font} /ToUnicode 6 0 R>>",
        f"<</Length {len(content)}>>\nstream\n{content}\nendstream",
        f"<</Length {len(table)}>>\nstream\n{table}\nendstream",
    ]
    out = "%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    out += "".join(f"{place:010} 00000 n \n" for place in places)
    out += (
        f"trailer <</Size {len(objects) + 1} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF"
    )
    return out.encode("ascii")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("font", "code", "sign"),
    [
        ("ABCDEF+SymbolMT", 0xF06D, "µ"),
        ("ABCDEF+Symbol", 0xF0B1, "±"),
        ("Symbol", 0xF057, "Ω"),
        ("Symbol", 0xF0A3, "≤"),
        ("Wingdings", 0xF0FE, "☑"),
        ("Wingdings-Regular", 0xF0A8, "☐"),
    ],
)
def test_private_use_codes_of_symbol_fonts(
    read: Reader, font: str, code: int, sign: str
) -> None:
    plain = {letter: letter for letter in "the 5 Amps"}
    content = draw_mapped(plain | {"x": chr(code)}, "the 5 xA", font)
    [page] = read(content, "a.pdf")
    assert sign in page.text
    assert read.task.remarks == []


def test_an_unknown_symbol_is_told(read: Reader) -> None:
    plain = {letter: letter for letter in "the 5 Amps and so on"}
    content = draw_mapped(plain | {"x": "\uf0f7"}, "the x Amps and so on", "MTExtra")
    [page] = read(content, "a.pdf")
    assert page.text == "the \ufffd Amps and so on"
    assert read.task.remarks == [
        "Some characters of a symbol font have no known meaning."
    ]


def test_numbers_of_an_axis_stay(read: Reader) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    for number in range(6):
        canvas.setFont(FONT, 7)
        canvas.drawString(60, 500 + 31 * number, str(number))
    for number, line in enumerate(PROSE):
        canvas.setFont(FONT, 11)
        canvas.drawString(72, 440 - 18 * number, line)
    canvas.save()
    [page] = read(out.getvalue(), "a.pdf")
    lines = [line for line in page.text.split("\n") if line]
    assert lines[:6] == ["0", "1", "2", "3", "4", "5"]
