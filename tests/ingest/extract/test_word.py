"""Word documents: typography, lists, tables, fields, revisions, objects, headers."""

# ruff: noqa: E501, RUF001 - one case a line, with signs as they are printed

import io
from pathlib import Path

import pytest
import xlsxwriter

from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import Reader

_NAMESPACES = (
    ' xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
    ' xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def run(text: str, properties: str = "") -> str:
    made = f"<w:rPr>{properties}</w:rPr>" if properties else ""
    return f'<w:r>{made}<w:t xml:space="preserve">{text}</w:t></w:r>'


def raised(text: str) -> str:
    return run(text, '<w:vertAlign w:val="superscript"/>')


def lowered(text: str) -> str:
    return run(text, '<w:vertAlign w:val="subscript"/>')


def symbol(code: str, font: str = "Symbol") -> str:
    return f'<w:r><w:sym w:font="{font}" w:char="{code}"/></w:r>'


def paragraph(*runs: str, properties: str = "") -> str:
    made = f"<w:pPr>{properties}</w:pPr>" if properties else ""
    return f"<w:p>{made}{''.join(runs)}</w:p>"


def cell(content: str, properties: str = "") -> str:
    body = content if content.startswith("<w:") else paragraph(run(content))
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{body}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    made = f"<w:trPr>{properties}</w:trPr>" if properties else ""
    return f"<w:tr>{made}{''.join(c if c[0] == '<' else cell(c) for c in cells)}</w:tr>"


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(rows)}</w:tbl>"


def document(
    body: str, relations: dict[str, str] | None = None, **parts: str | bytes
) -> bytes:
    """Return a document with parts of ``word/``; XML ones without their root."""
    links = "".join(
        f'<Relationship Id="{ident}" Target="{target}"/>'
        for ident, target in (relations or {}).items()
    )
    rels = f"<Relationships>{links}</Relationships>"
    members: dict[str, str | bytes] = {
        "word__document_dot_xml": _root("document", f"<w:body>{body}</w:body>"),
        "word___rels__document_dot_xml_dot_rels": rels,
    }
    for name, content in parts.items():
        is_xml = isinstance(content, str)
        path = f"word__{name}_dot_xml" if is_xml else f"word__{name}"
        members[path] = _root(name, content) if isinstance(content, str) else content
    return samples.zipped(**members)


def _root(name: str, content: str) -> str:
    return f"<w:{name}{_NAMESPACES}>{content}</w:{name}>"


def text_of(read: Reader, content: bytes) -> str:
    return "\n".join(page.text for page in read(content, "a.docx"))


# ── typography ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run("4 × 10"), raised("-"), raised("6"), run(" per s")], "4 × 10⁻⁶ per s"),
        ([run("2"), raised("10"), run(" bins, "), raised("14"), run("C")], "2¹⁰ bins, ¹⁴C"),
        ([run("H"), lowered("2"), run("O at χ"), raised("2"), run("/ndf")], "H₂O at χ²/ndf"),
        ([run("10"), run("7", '<w:position w:val="6"/><w:sz w:val="14"/>')], "10⁷"),
        ([run("10"), run("8", '<w:rStyle w:val="Up"/>')], "10⁸"),
        ([run("V"), lowered("HV"), run(" = 5")], "V_(HV) = 5"),
        ([run("e"), raised("x/2")], "e^(x/2)"),
        ([run("25 "), symbol("F06D"), run("m, 10 k"), symbol("F057")], "25 µm, 10 kΩ"),
        ([symbol("F0A3"), run(" 3 "), symbol("F0B1"), run(" 0.1")], "≤ 3 ± 0.1"),
        ([run("10"), run("\uf02d", '<w:rFonts w:ascii="Symbol"/>'), run("5")], "10−5"),
        ([symbol("F0FE", "Wingdings"), run(" yes "), symbol("F0A8", "Wingdings")], "☑ yes ☐"),
        ([run("D", '<w:rFonts w:ascii="Symbol" w:hAnsi="Symbol"/>'), run("t")], "Δt"),
        ([run("at "), run("180", "<w:strike/>"), run(" 160 kV")], "at [struck out: 180] 160 kV"),
        ([run("a", '<w:strike w:val="0"/>'), run("b", "<w:dstrike/>")], "a[struck out: b]"),
        ([raised("3"), run("He", '<w:vertAlign w:val="baseline"/>')], "³He"),
    ],
)  # fmt: skip
def test_typography_keeps_its_meaning(
    read: Reader, runs: list[str], expected: str
) -> None:
    styles = (
        '<w:style w:type="character" w:styleId="Base"><w:name w:val="up"/><w:rPr>'
        '<w:vertAlign w:val="superscript"/></w:rPr></w:style>'
        '<w:style w:type="character" w:styleId="Up"><w:name w:val="upper"/>'
        '<w:basedOn w:val="Base"/></w:style>'
    )
    assert text_of(read, document(paragraph(*runs), styles=styles)) == expected


def test_unknown_symbols_are_in_the_ledger(read: Reader) -> None:
    text = text_of(read, document(paragraph(run("a "), symbol("F041", "Own Logos"))))
    assert text == "a \N{REPLACEMENT CHARACTER}"
    assert "1 characters of symbol fonts are unknown" in read.task.remarks[0]


def test_marks_of_notes_are_no_exponents(read: Reader) -> None:
    note = (
        "<w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr>"
        '<w:footnoteReference w:id="2" {}/>{}</w:r>'
    )
    custom = note.format('w:customMarkFollows="1"', "<w:t>3</w:t>")
    again = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        "<w:r><w:instrText> NOTEREF _Ref1 \\f </w:instrText></w:r>"
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
        + raised("2")
        + '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    link = f'<w:hyperlink w:anchor="_bib12">{raised("12")}</w:hyperlink>'
    body = (
        paragraph(run("45 kg"), note.format("", ""))
        + paragraph(run("46 kg"), custom)
        + paragraph(run("47 kg"), again)
        + paragraph(run("48 m"), link)
    )
    notes = f'<w:footnote w:id="2">{paragraph(run("in air"))}</w:footnote>'
    text = text_of(read, document(body, footnotes=notes))
    assert text.split("\n\n") == [
        "45 kg [in air]", "46 kg [in air]", "47 kg [note 2]", "48 m [note 12]",
    ]  # fmt: skip


def test_marks_of_typed_notes_are_no_exponents(read: Reader) -> None:
    body = (
        paragraph(run("45 kg"), raised("3"), run(" at 10"), raised("3"), run(" Hz"))
        + paragraph(raised("3"), run(" in air"))
    )  # fmt: skip
    text = text_of(read, document(body))
    assert text == "45 kg [note 3] at 10³ Hz\n\n[note 3] in air"


# ── lists ─────────────────────────────────────────────────────────────────────────


def level(at: int, kind: str, text: str, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
        f'{more}<w:lvlText w:val="{text}"/></w:lvl>'
    )


def item(text: str, at: int = 0, number: int = 1) -> str:
    place = f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>'
    return paragraph(run(text), properties=place)


NUMBERING = (
    '<w:abstractNum w:abstractNumId="0">'
    + level(0, "upperRoman", "%1.")
    + level(1, "lowerLetter", "(%2)")
    + level(2, "decimal", "%1.%2.%3", "<w:isLgl/>")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="1">'
    + level(0, "decimal", "%1", '<w:pStyle w:val="Head1"/>')
    + level(1, "decimal", "%1.%2", '<w:pStyle w:val="Head2"/>')
    + '</w:abstractNum><w:abstractNum w:abstractNumId="2">'
    + level(0, "bullet", "\uf0b7")
    + "</w:abstractNum>"
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
    '<w:startOverride w:val="5"/></w:lvlOverride></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="4"><w:abstractNumId w:val="2"/></w:num>'
)


def test_list_numbers_are_those_that_are_printed(read: Reader) -> None:
    body = (
        item("Vent") + item("open", 1) + item("wait", 1) + item("log", 2)
        + item("Fill") + item("slowly", 1) + item("bullet", 0, 4)
        + item("Restart", 0, 2) + item("Next", 0, 2) + item("Plain", 0, 0)
    )  # fmt: skip
    text = text_of(read, document(body, numbering=NUMBERING))
    assert text.split("\n\n") == [
        "I. Vent", "(a) open", "(b) wait", "1.2.1 log", "II. Fill", "(a) slowly",
        "bullet", "V. Restart", "VI. Next", "Plain",
    ]  # fmt: skip


def test_headings_are_numbered_by_their_style(read: Reader) -> None:
    styles = "".join(
        f'<w:style w:styleId="Head{n}"><w:name w:val="heading {n}"/><w:pPr><w:numPr>'
        f'<w:numId w:val="3"/></w:numPr></w:pPr></w:style>'
        for n in (1, 2)
    )

    def heading(text: str, at: int) -> str:
        return paragraph(run(text), properties=f'<w:pStyle w:val="Head{at}"/>')

    body = (
        heading("Field", 1) + paragraph(run("a")) + heading("Purity", 1)
        + heading("Rods", 2) + paragraph(run("b"))
    )  # fmt: skip
    pages = read(document(body, styles=styles, numbering=NUMBERING), "a.docx")
    assert [page.heading for page in pages] == ["1 Field", "2 Purity > 2.1 Rods"]


def test_numbers_in_the_cells_of_a_table(read: Reader) -> None:
    number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="3"/></w:numPr>'
    empty = paragraph(properties=number)
    body = table(row("No", "Part"), row(cell(empty), "U"), row(cell(empty), "V"))
    text = text_of(read, document(body, numbering=NUMBERING))
    assert text == "No | Part\n1 | U\n2 | V"


# ── tables ────────────────────────────────────────────────────────────────────────

DOWN = '<w:vMerge w:val="restart"/>'
GOES_ON = "<w:vMerge/>"


def test_merged_cells_are_repeated(read: Reader) -> None:
    body = table(
        row("Crate", "Slot", "HV (V)"),
        row(cell("C1", DOWN), "1", "1500"),
        row(cell("", GOES_ON), "2", "1480"),
        row(cell("C2", DOWN), cell("3", DOWN), "1510"),
        row(cell("", GOES_ON), cell("", GOES_ON), "1520"),
        row(cell("spare", '<w:gridSpan w:val="2"/>'), "0"),
    )
    assert text_of(read, document(body)).split("\n") == [
        "Crate | Slot | HV (V)", "C1 | 1 | 1500", "C1 | 2 | 1480", "C2 | 3 | 1510",
        "C2 | 3 | 1520", "spare | spare | 0",
    ]  # fmt: skip


def test_heads_of_two_rows_become_one_below_the_title(read: Reader) -> None:
    body = table(
        row(cell("Table 3: lengths", '<w:gridSpan w:val="3"/>')),
        row(cell("Plane", DOWN), cell("Length (m)", '<w:gridSpan w:val="2"/>')),
        row(cell("", GOES_ON), "top", "bottom"),
        row("U", "5.8", "6.1"),
        row("V", "5.9", "6.2", properties='<w:gridAfter w:val="1"/>'),
    )
    assert text_of(read, document(body)).split("\n") == [
        "Table 3: lengths", "Plane | Length (m) top | Length (m) bottom",
        "U | 5.8 | 6.1", "V | 5.9 | 6.2",
    ]  # fmt: skip


def test_a_row_that_begins_later_keeps_its_columns(read: Reader) -> None:
    body = table(
        row("A", "B", "C"), row("2", "3", properties='<w:gridBefore w:val="1"/>')
    )
    assert text_of(read, document(body)) == "A | B | C\n | 2 | 3"


def test_a_table_in_a_cell_stays_in_its_row(read: Reader) -> None:
    inner = table(row("P1", "3 l/s"), row("P2", "4 l/s"))
    nested = cell(paragraph(run("pumps")) + inner)
    text = text_of(read, document(table(row("Site", "Flow"), row("SURF", nested))))
    assert text == "Site | Flow\nSURF | pumps P1, 3 l/s; P2, 4 l/s"


# ── revisions, fields, hidden text ────────────────────────────────────────────────


def test_tracked_changes_are_taken_as_accepted(read: Reader) -> None:
    gone = "<w:del><w:r><w:delText>180</w:delText></w:r></w:del>"
    new = f"<w:ins>{run('160')}</w:ins>"
    moved = f"<w:moveFrom>{run('moved ')}</w:moveFrom>"
    cells = table(row("a", "b"), row("c", "d", properties="<w:del/>"), row("e", "f"))
    body = paragraph(run("at "), gone, new, run(" kV"), moved) + cells
    assert text_of(read, document(body)) == "at 160 kV\n\na | b\ne | f"


def test_hidden_text_is_left_out_and_said(read: Reader) -> None:
    body = paragraph(run("seen "), run("secret", "<w:vanish/>"), run("too"))
    assert text_of(read, document(body)) == "seen too"
    assert read.task.remarks == ["Hidden text of the document was left out."]


def test_form_fields_show_their_state(read: Reader) -> None:
    def form(data: str) -> str:
        return (
            '<w:r><w:fldChar w:fldCharType="begin"><w:ffData>'
            f"{data}</w:ffData></w:fldChar></w:r>"
            "<w:r><w:instrText> FORM </w:instrText></w:r>"
            '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
        )

    body = paragraph(
        form("<w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox>"),
        run(" tested, "),
        form("<w:checkBox><w:default w:val='0'/></w:checkBox>"),
        run(" failed by "),
        form(
            "<w:ddList><w:result w:val='1'/><w:listEntry w:val='FNAL'/>"
            "<w:listEntry w:val='CERN'/></w:ddList>"
        ),
    )
    assert text_of(read, document(body)) == "☒ tested, ☐ failed by CERN"


def test_comments_stand_where_they_are_made(read: Reader) -> None:
    comments = (
        '<w:comment w:id="0" w:author="Ada">'
        + paragraph(run("Is it 10"), raised("4"), run("?"))
        + "</w:comment>"
    )
    body = paragraph(
        run("10"), raised("5"), '<w:r><w:commentReference w:id="0"/></w:r>'
    )
    text = text_of(read, document(body, comments=comments))
    assert text == "10⁵ [comment by Ada: Is it 10⁴?]"


# ── objects, headers ──────────────────────────────────────────────────────────────


def box(text: str) -> str:
    return f"<w:txbxContent>{paragraph(run(text))}</w:txbxContent>"


@pytest.mark.parametrize(
    ("choice", "fallback"),
    [
        (f"<wps:txbx>{box('in the box')}</wps:txbx>", f"<v:textbox>{box('in the box')}</v:textbox>"),
        ("<wps:wsp/>", f"<v:textbox>{box('in the box')}</v:textbox>"),
    ],
    ids=["choice", "fallback"],
)  # fmt: skip
def test_text_boxes_are_read_once(read: Reader, choice: str, fallback: str) -> None:
    alternative = (
        f"<w:r><mc:AlternateContent><mc:Choice Requires='wps'>{choice}</mc:Choice>"
        f"<mc:Fallback>{fallback}</mc:Fallback></mc:AlternateContent></w:r>"
    )
    text = text_of(read, document(paragraph(run("before"), alternative)))
    assert text == "before\nin the box"


def test_headers_and_footers_are_on_the_first_page(read: Reader) -> None:
    header = (
        paragraph(run("DUNE-doc-4711-v2"))
        + '<w:p><w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict>'
        "</w:r></w:p>"
    )
    footer = paragraph(
        run("Page "), f'<w:fldSimple w:instr=" PAGE ">{run("7")}</w:fldSimple>'
    )
    section = (
        '<w:sectPr><w:headerReference r:id="h1"/><w:footerReference r:id="f1"/>'
        '<w:headerReference r:id="h1"/></w:sectPr>'
    )
    content = document(
        paragraph(run("Body.")) + section,
        {"h1": "hdr.xml", "f1": "ftr.xml"},
        hdr=header,
        ftr=footer,
    )
    assert text_of(read, content) == (
        "Header: DUNE-doc-4711-v2 | DRAFT\nFooter: Page\n\nBody."
    )


def test_embedded_workbooks_and_diagrams_are_read(read: Reader) -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    book.add_worksheet("Cost").write_row(0, 0, ["Pump", 12])
    book.close()
    diagram = (
        "<dgm:ptLst><dgm:pt><dgm:t><a:p><a:r><a:t>Design</a:t></a:r></a:p></dgm:t>"
        "</dgm:pt></dgm:ptLst>"
    )
    body = paragraph(
        run("Costs"), '<w:r><w:object><o:OLEObject r:id="x1"/></w:object></w:r>'
    ) + paragraph(
        run("Steps"), '<w:r><w:drawing><dgm:relIds r:dm="d1"/></w:drawing></w:r>'
    )
    content = document(
        body,
        {"x1": "book.xlsx", "d1": "data1.xml"},
        book_dot_xlsx=out.getvalue(),
        data1=diagram,
    )
    assert text_of(read, content).split("\n\n") == [
        "Costs", "Pump | 12", "Steps", "Design",
    ]  # fmt: skip


def test_an_object_that_cannot_be_read_is_in_the_ledger(read: Reader) -> None:
    body = paragraph(
        run("See"), '<w:r><w:object><o:OLEObject r:id="x1"/></w:object></w:r>'
    )
    content = document(body, {"x1": "thing.bin"}, thing_dot_bin=b"\x00\x01\x02")
    assert text_of(read, content) == "See"
    assert "thing.bin" in read.task.remarks[0]


# ── equations ─────────────────────────────────────────────────────────────────────


def math(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


def part(name: str, text: str) -> str:
    return f"<m:{name}>{math(text)}</m:{name}>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"<m:sSup>{part('e', '10')}{part('sup', '−9')}</m:sSup>", "10⁻⁹"),
        (f"<m:sSup>{part('e', 'e')}{part('sup', 'x+1')}</m:sSup>", "e^{x+1}"),
        (f"<m:sPre>{part('sub', '6')}{part('sup', '14')}{part('e', 'C')}</m:sPre>", "¹⁴_6C"),
        (f"<m:d><m:dPr><m:begChr m:val='|'/><m:endChr m:val='|'/></m:dPr>{part('e', 'x')}</m:d>", "|x|"),
        (f"<m:func>{part('fName', 'sin')}{part('e', 'θ')}</m:func>", "sin θ"),
        (f"<m:limLow>{part('e', 'lim')}{part('lim', 'x→0')}</m:limLow>", "lim_(x→0)"),
        (f"<m:m><m:mr>{part('e', '1')}{part('e', '2')}</m:mr><m:mr>{part('e', '3')}{part('e', '4')}</m:mr></m:m>", "[1, 2; 3, 4]"),
        (f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr>{part('sub', 'i')}{part('sup', 'n')}{part('e', 'x')}</m:nary>", "∑_i^n x"),
        (f"<m:f>{part('num', 'a+b')}{part('den', '2')}</m:f>", "(a+b)/2"),
    ],
)  # fmt: skip
def test_equations_are_on_one_line(read: Reader, content: str, expected: str) -> None:
    body = paragraph(f"<m:oMath>{content}</m:oMath>")
    assert text_of(read, document(body)) == expected
