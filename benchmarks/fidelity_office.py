"""Writes the facts of `extraction_fidelity` into PDF and office files."""

import html
import io
import zipfile
from collections.abc import Callable
from typing import Any

import xlsxwriter
from pptx import Presentation
from pptx.util import Inches, Pt
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from benchmarks.fidelity_facts import PLAIN, Fact, Maker, Runs, runs_of

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FONTS = ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",)


def write_docx(maker: Maker) -> bytes:
    """Return a document of the facts of all kinds that the format has."""

    def run(text: str, properties: str = "") -> str:
        space = 'xml:space="preserve"'
        own = f"<w:t {space}>{html.escape(text)}</w:t>"
        return f"<w:r><w:rPr>{properties}</w:rPr>{own}</w:r>"

    def paragraph(runs: Runs, properties: str = "") -> str:
        names = {"super": "superscript", "sub": "subscript"}
        made = (
            run(t, properties + (f'<w:vertAlign w:val="{names[s]}"/>' if s else ""))
            for t, s in runs
        )
        return f"<w:p>{''.join(made)}</w:p>"

    parts = [paragraph(runs_of(f.sentence)) for k in PLAIN for f in maker.sentences(k)]
    mark = (
        '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
        '<w:footnoteReference w:id="2"/></w:r>'
    )
    for fact in maker.sentences("note mark"):
        before = fact.sentence.removesuffix(" today.")
        parts.append(f"<w:p>{run(before)}{mark}{run(' today.')}</w:p>")
    for fact in maker.sentences("struck"):
        before, after = fact.sentence.split(fact.value)
        struck = run(fact.value, "<w:strike/>")
        parts.append(f"<w:p>{run(before)}{struck}{run(after)}</w:p>")
    parts += [
        paragraph([(f.sentence, "")], "<w:vanish/>") for f in maker.sentences("hidden")
    ]
    parts.append(_docx_table(maker.table("merged table"), paragraph))
    note = f'<w:footnote w:id="2">{paragraph([("By us.", "")])}</w:footnote>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in (
            ("document", f"<w:body>{''.join(parts)}</w:body>"),
            ("styles", ""),
            ("footnotes", note),
        ):
            archive.writestr(
                f"word/{name}.xml", f'<w:{name} xmlns:w="{_W}">{text}</w:{name}>'
            )
        archive.writestr("[Content_Types].xml", _DOCX_TYPES)
        archive.writestr("_rels/.rels", _DOCX_RELATIONS)
        archive.writestr("word/_rels/document.xml.rels", _DOCX_PARTS)
    return out.getvalue()


_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_DOCX_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
    ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_WORD}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{_WORD}.styles+xml"/>'
    f'<Override PartName="/word/footnotes.xml" ContentType="{_WORD}.footnotes+xml"/>'
    "</Types>"
)
_DOCX_RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1"'
    f' Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
)
_DOCX_PARTS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    f'<Relationship Id="r2" Type="{_OFFICE}/footnotes" Target="footnotes.xml"/>'
    "</Relationships>"
)


def _docx_table(facts: list[Fact], paragraph: Callable[[Runs], str]) -> str:
    def cell(text: str, properties: str = "") -> str:
        inner = paragraph([(text, "")])
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"

    begin, goes_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    rows = [
        cell("Module", begin)
        + cell("Plane", begin)
        + cell("Size", '<w:gridSpan w:val="2"/>'),
        cell("", goes_on) + cell("", goes_on) + cell("Length (m)") + cell("Mass (kg)"),
    ]
    for at in range(0, len(facts), 4):
        v = [fact.value for fact in facts[at : at + 4]]
        rows.append(
            cell(facts[at].owner, begin) + cell("east") + cell(v[0]) + cell(v[1])
        )
        rows.append(cell("", goes_on) + cell("west") + cell(v[2]) + cell(v[3]))
    grid = "<w:tblGrid>" + '<w:gridCol w:w="2000"/>' * 4 + "</w:tblGrid>"
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    made = (f"<w:tr>{head if n < 2 else ''}{row}</w:tr>" for n, row in enumerate(rows))
    return f"<w:tbl><w:tblPr/>{grid}{''.join(made)}</w:tbl>"


def write_pptx(maker: Maker) -> bytes:
    """Return a document of the facts of all kinds that the format has."""
    deck = Presentation()
    for kind in (*PLAIN, "struck"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = "Records"
        box = slide.shapes.add_textbox(0, Inches(2), Inches(8), Inches(4)).text_frame
        for fact in maker.sentences(kind):
            _add_runs(box.add_paragraph(), fact)
    facts = maker.table("merged table")
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    shape = slide.shapes.add_table(2 + len(facts) // 2, 4, 0, 0, Inches(8), Inches(5))
    _fill_table(shape.table, facts)
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def _add_runs(paragraph: Any, fact: Fact) -> None:
    if fact.kind == "struck":
        before, after = fact.sentence.split(fact.value)
        parts = [(before, ""), (fact.value, "struck"), (after, "")]
    else:
        parts = [(text, str(shift)) for text, shift in runs_of(fact.sentence)]
    for text, style in parts:
        run = paragraph.add_run()
        run.text, run.font.size = text, Pt(14)
        properties = run._r.get_or_add_rPr()
        if style == "struck":
            properties.set("strike", "sngStrike")
        elif style:
            properties.set("baseline", "30000" if style == "super" else "-25000")


def _fill_table(table: Any, facts: list[Fact]) -> None:
    """Write head and rows, with merged cells, into a table of a slide."""
    for column, text in enumerate(("Module", "Plane", "Size")):
        table.cell(0, column).text = text
    table.cell(1, 2).text, table.cell(1, 3).text = "Length (m)", "Mass (kg)"
    table.cell(0, 2).merge(table.cell(0, 3))
    for column in (0, 1):
        table.cell(0, column).merge(table.cell(1, column))
    for at in range(0, len(facts), 4):
        row = 2 + at // 2
        table.cell(row, 0).text = facts[at].owner
        table.cell(row, 0).merge(table.cell(row + 1, 0))
        for step, plane in enumerate(("east", "west")):
            table.cell(row + step, 1).text = plane
            table.cell(row + step, 2).text = facts[at + 2 * step].value
            table.cell(row + step, 3).text = facts[at + 2 * step + 1].value


def write_xlsx(maker: Maker) -> bytes:
    """Return a document of the facts of all kinds that the format has."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    formats = {
        "super": book.add_format({"font_script": 1}),
        "sub": book.add_format({"font_script": 2}),
    }
    sheet = book.add_worksheet("Records")
    for row, fact in enumerate(f for kind in PLAIN for f in maker.sentences(kind)):
        pieces = list[Any]()
        for text, shift in runs_of(fact.sentence):
            pieces += [formats[shift], text] if shift else [text] * bool(text)
        if len(pieces) > 1:
            sheet.write_rich_string(row, 0, *pieces)
        else:
            sheet.write_string(row, 0, fact.sentence)
    _write_formats(book, maker)
    _write_merged(book, maker.table("merged table"))
    book.close()
    return out.getvalue()


def _write_formats(book: Any, maker: Maker) -> None:
    """Write numbers whose format is part of the value."""
    sheet = book.add_worksheet("Formats")
    sheet.write_row(0, 0, ["Owner", "Displayed"])
    shown = [
        (0.985, "0.0%", "98.5%"),
        (42, "00000", "00042"),
        (1.5, "[h]:mm", "36:00"),
        (3.2e-9, "0.0E+00", "3.2E-09"),
        (45000, "yyyy-mm-dd", "2023-03-15"),
    ]
    for row, (number, form, text) in enumerate(shown, start=1):
        owner = maker.owner()
        sheet.write_string(row, 0, owner)
        sheet.write_number(row, 1, number, book.add_format({"num_format": form}))
        maker.facts.append(
            Fact("number format", owner, text, row=(owner,), column="Displayed")
        )


def _write_merged(book: Any, facts: list[Fact]) -> None:
    sheet = book.add_worksheet("Table")
    sheet.merge_range(0, 0, 1, 0, "Module")
    sheet.merge_range(0, 1, 1, 1, "Plane")
    sheet.merge_range(0, 2, 0, 3, "Size")
    sheet.write_row(1, 2, ["Length (m)", "Mass (kg)"])
    for at in range(0, len(facts), 4):
        row = 2 + at // 2
        sheet.merge_range(row, 0, row + 1, 0, facts[at].owner)
        for step, plane in enumerate(("east", "west")):
            values = [float(f.value) for f in facts[at + 2 * step :][:2]]
            sheet.write_row(row + step, 1, [plane, *values])


def write_pdf(maker: Maker) -> bytes:
    """Return a document of the facts of all kinds that the format has."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    font = "Helvetica"
    for path in _FONTS:
        try:
            pdfmetrics.registerFont(TTFont("Facts", path))
            font = "Facts"
        except OSError:
            continue
    for kind in PLAIN:
        _draw_sentences(canvas, font, [(f.sentence, "") for f in maker.sentences(kind)])
    notes = [(f.sentence, "4") for f in maker.sentences("note mark")]
    _draw_sentences(canvas, font, [*notes, ("^{4} As weighed in the north hall.", "")])
    _draw_table(canvas, font, maker.table("table"))
    canvas.save()
    return out.getvalue()


def _draw_sentences(
    canvas: Canvas, font: str, sentences: list[tuple[str, str]]
) -> None:
    """Draw a page; a note mark is set after the value."""
    for number, (sentence, note) in enumerate(sentences):
        text = canvas.beginText(72, 740 - 30 * number)
        marked = sentence.replace(" today", f"^{{{note}}} today") if note else sentence
        for own, shift in runs_of(marked):
            text.setFont(font, 7 if shift else 11)
            text.setRise({"super": 4, "sub": -2, "": 0}[shift])
            text.textOut(own)
        canvas.drawText(text)
    canvas.showPage()


def _draw_table(canvas: Canvas, font: str, facts: list[Fact]) -> None:
    canvas.setFont(font, 10)
    canvas.drawString(72, 760, "Table 1: Sizes of the modules")
    rows: list[tuple[str, ...]] = [("Module", "Plane", "Length (m)", "Mass (kg)")]
    for at in range(0, len(facts), 2):
        rows.append((*facts[at].row, facts[at].value, facts[at + 1].value))
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            canvas.drawString(72 + 120 * column, 730 - 18 * number, text)
    canvas.showPage()
