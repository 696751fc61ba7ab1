"""Slides: typography, lists, merged cells, equations, objects, what is hidden."""

# ruff: noqa: E501, RUF001 - one case a line, with signs as they are printed

import copy
import io
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from lxml import etree
from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches

from dunegpt.ingest.extract import ExtractTask
from dunegpt.ingest.extract.highlight import find_boxes
from tests.ingest.extract.test_extract import PPTX, Reader

_MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_A14 = "http://schemas.microsoft.com/office/drawing/2010/main"
_M = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def new_slide(deck: Any, title: str = "Title") -> Any:
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = title
    return slide


def add_box(shapes: Any, text: str = "") -> Any:
    box = shapes.add_textbox(Inches(1), Inches(2), Inches(6), Inches(1))
    box.text_frame.text = text
    return box


def add_runs(paragraph: Any, *runs: tuple[str, str]) -> None:
    """Add runs; each with the XML attributes and children of its properties."""
    for text, properties in runs:
        run = paragraph.add_run()
        run.text = text
        if properties:
            attributes, _, children = properties.partition(">")
            made = etree.fromstring(
                f'<a:rPr xmlns:a="{_A}" {attributes}>{children}</a:rPr>'
            )
            old = run._r.find(f"{{{_A}}}rPr")
            if old is not None:
                run._r.remove(old)
            run._r.insert(0, made)


def save(deck: Any) -> bytes:
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def lines_of(read: Reader, deck: Any) -> list[str]:
    """Return the lines of all slides, without their titles."""
    pages = read(save(deck), "a.pptx")
    return [line for page in pages for line in page.text.split("\n")[1:]]


UP = 'baseline="30000"'
DOWN = 'baseline="-25000"'


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("4 × 10", ""), ("-", UP), ("6", UP), (" s", "")], "4 × 10⁻⁶ s"),
        ([("2", ""), ("10", UP), (" bins of ", ""), ("39", UP), ("Ar", "")], "2¹⁰ bins of ³⁹Ar"),
        ([("CO", ""), ("2", DOWN), (" in m", ""), ("3", 'baseline="30%"')], "CO₂ in m³"),
        ([("25 ", ""), ("m", '><a:latin typeface="Symbol"/>'), ("m", "")], "25 µm"),
        ([("50 ", ""), ("\uf057", '><a:sym typeface="Symbol"/>')], "50 Ω"),
        ([("a ", ""), ("\uf0e0", '><a:sym typeface="Wingdings"/>'), (" b", "")], "a → b"),
        ([("180", 'strike="sngStrike"'), (" 160 kV", "")], "[struck out: 180] 160 kV"),
        ([("45 kg", ""), ("3", 'baseline="30000"><a:hlinkClick/>')], "45 kg [note 3]"),
    ],
)  # fmt: skip
def test_typography_keeps_its_meaning(
    read: Reader, runs: list[tuple[str, str]], expected: str
) -> None:
    deck = Presentation()
    add_runs(add_box(new_slide(deck).shapes).text_frame.paragraphs[0], *runs)
    assert lines_of(read, deck) == [expected]


def test_marks_of_typed_notes_are_no_exponents(read: Reader) -> None:
    deck = Presentation()
    slide = new_slide(deck)
    first, second = (add_box(slide.shapes).text_frame.paragraphs[0] for _ in range(2))
    add_runs(first, ("45 kg", ""), ("2", UP), (" in 12 m", ""), ("2", UP))
    add_runs(second, ("2", UP), (" without cables", ""))
    assert lines_of(read, deck) == [
        "45 kg [note 2] in 12 m²", "[note 2] without cables",
    ]  # fmt: skip


def test_title_keeps_its_scripts(read: Reader) -> None:
    deck = Presentation()
    slide = new_slide(deck, "")
    paragraph = slide.shapes.title.text_frame.paragraphs[0]
    add_runs(paragraph, ("Flux of 10", ""), ("6", UP), (" ν", ""))
    [page] = read(save(deck), "a.pptx")
    assert page.heading == "Flux of 10⁶ ν"


def test_numbers_of_lists_are_computed(read: Reader) -> None:
    deck = Presentation()
    frame = add_box(new_slide(deck).shapes).text_frame
    kinds = [
        ("Vent", 0, 'type="arabicPeriod"'), ("open", 1, 'type="alphaLcParenR"'),
        ("wait", 1, 'type="alphaLcParenR"'), ("Fill", 0, 'type="arabicPeriod"'),
        ("slowly", 1, 'type="alphaLcParenR"'), ("plain", 0, ""),
        ("Late", 0, 'type="romanUcParenBoth" startAt="4"'),
        ("Later", 0, 'type="romanUcParenBoth" startAt="4"'),
    ]  # fmt: skip
    for number, (text, level, kind) in enumerate(kinds):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.text = text
        paragraph.level = level
        if kind:
            mark = etree.fromstring(f'<a:buAutoNum xmlns:a="{_A}" {kind}/>')
            paragraph._p.get_or_add_pPr().append(mark)
    assert lines_of(read, deck) == [
        "1. Vent", "a) open", "b) wait", "2. Fill", "a) slowly", "plain",
        "(IV) Late", "(V) Later",
    ]  # fmt: skip


def test_merged_cells_are_repeated(read: Reader) -> None:
    deck = Presentation()
    table = new_slide(deck).shapes.add_table(5, 3, 0, 0, 9, 9).table
    texts = [
        ["Crate", "HV (V)", ""], ["", "top", "bottom"], ["C1", "1500", "1480"],
        ["", "1490", "1470"], ["all", "", "0"],
    ]  # fmt: skip
    for at, row in enumerate(texts):
        for column, text in enumerate(row):
            table.cell(at, column).text = text
    for first, last in [
        ((0, 0), (1, 0)),
        ((0, 1), (0, 2)),
        ((2, 0), (3, 0)),
        ((4, 0), (4, 1)),
    ]:
        table.cell(*first).merge(table.cell(*last))
    add_runs(table.cell(2, 2).text_frame.paragraphs[0], ("2", UP))
    assert lines_of(read, deck) == [
        "Crate | HV (V) top | HV (V) bottom", "C1 | 1500 | 1480²", "C1 | 1490 | 1470",
        "all | all | 0",
    ]  # fmt: skip


def equation(text: str) -> Any:
    run = f"<m:r><m:t>{text}</m:t></m:r>"
    return etree.fromstring(
        f'<a14:m xmlns:a14="{_A14}"><m:oMath xmlns:m="{_M}">{run}</m:oMath></a14:m>'
    )


@pytest.mark.parametrize("in_group", [False, True])
def test_shapes_with_an_alternative_are_read_once(read: Reader, in_group: bool) -> None:
    deck = Presentation()
    shapes = new_slide(deck).shapes
    parent = shapes.add_group_shape().shapes if in_group else shapes
    box = add_box(parent, "It must exceed ")._element
    box.find(f".//{{{_A}}}p").append(equation("3 ms"))
    around = box.getparent()
    alternative = etree.SubElement(around, f"{{{_MC}}}AlternateContent")
    etree.SubElement(alternative, f"{{{_MC}}}Choice", Requires="a14").append(box)
    fallback = copy.deepcopy(box)
    for paragraph in fallback.iter(f"{{{_A}}}p"):
        paragraph.clear()
    etree.SubElement(alternative, f"{{{_MC}}}Fallback").append(fallback)
    assert lines_of(read, deck) == ["It must exceed 3 ms"]


def test_hidden_slides_and_shapes_are_said(read: Reader) -> None:
    deck = Presentation()
    slide = new_slide(deck, "Backup")
    slide._element.set("show", "0")
    add_box(slide.shapes, "old value 5")._element.nvSpPr.cNvPr.set("hidden", "1")
    [page] = read(save(deck), "a.pptx")
    assert page.label == "slide 1 (hidden)"
    assert page.text == "Backup\n[hidden shape: old value 5]"


def test_text_of_the_master_is_read_once(read: Reader) -> None:
    deck = Presentation()
    # python-pptx adds no shapes to masters: take one from a slide.
    box = add_box(new_slide(deck, "One").shapes, "DUNE-doc-4711 DRAFT")._element
    deck.slide_master.shapes._spTree.append(box)
    new_slide(deck, "Two")
    pages = read(save(deck), "a.pptx")
    assert [page.text for page in pages] == [
        "One\nSlide master: DUNE-doc-4711 DRAFT", "Two",
    ]  # fmt: skip


def test_embedded_workbooks_are_read(read: Reader) -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    book.add_worksheet().write_row(0, 0, ["Pump", 12])
    book.close()
    deck = Presentation()
    slide = new_slide(deck)
    slide.shapes.add_ole_object(io.BytesIO(out.getvalue()), "Excel.Sheet.12", 0, 0)
    assert lines_of(read, deck) == ["Pump | 12"]
    assert "sheets" in read.task.made_with


def test_an_object_that_cannot_be_read_is_in_the_ledger(read: Reader) -> None:
    deck = Presentation()
    slide = new_slide(deck)
    slide.shapes.add_ole_object(io.BytesIO(b"\0\1\2"), "Visio.Drawing", 0, 0)
    assert lines_of(read, deck) == []
    assert any("slide 1 cannot be read" in remark for remark in read.task.remarks)


def test_comments_name_their_authors(read: Reader) -> None:
    deck = Presentation()
    slide = new_slide(deck)

    def add_part(owner: Any, name: str, kind: str, content: str) -> None:
        uri = PackURI(f"/ppt/{name}.xml")
        part = Part(uri, "application/xml", owner.part.package, content.encode())
        owner.part.relate_to(part, kind)

    space = f'xmlns:p="{_P}" xmlns:a="{_A}"'
    add_part(
        deck,
        "commentAuthors",
        RELATIONSHIP_TYPE.COMMENT_AUTHORS,
        f'<p:cmAuthorLst {space}><p:cmAuthor id="0" name="Ada"/></p:cmAuthorLst>',
    )
    add_part(
        slide,
        "comments/comment1",
        RELATIONSHIP_TYPE.COMMENTS,
        f'<p:cmLst {space}><p:cm authorId="0"><p:text>Check 5 kV</p:text></p:cm>'
        '<p:cm authorId="9"><p:txBody><a:p><a:r><a:t>Done</a:t></a:r></a:p></p:txBody>'
        "</p:cm></p:cmLst>",
    )
    assert lines_of(read, deck) == ["[comment by Ada: Check 5 kV]", "[comment: Done]"]


def test_a_damaged_shape_does_not_cost_the_slide(read: Reader) -> None:
    deck = Presentation()
    slide = new_slide(deck)
    add_box(slide.shapes, "kept")
    frame = slide.shapes.add_table(1, 1, 0, 0, 9, 9)._element
    data = frame.find(f".//{{{_A}}}graphicData")
    data.clear()
    space = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    data.set("uri", space)
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    etree.SubElement(data, f"{{{space}}}relIds").set(f"{{{links}}}dm", "rId99")
    assert lines_of(read, deck) == ["kept"]
    assert "A shape on slide 1 is damaged" in read.task.remarks[0]


def test_a_quote_with_scripts_and_numbers_is_found_on_its_slide(tmp_path: Path) -> None:
    deck = Presentation()
    slide = new_slide(deck)
    frame = add_box(slide.shapes).text_frame
    add_runs(frame.paragraphs[0], ("A flux of 4 × 10", ""), ("-6", UP), (" per s", ""))
    step = frame.add_paragraph()
    step.text = "Fill the cryostat"
    mark = etree.fromstring(f'<a:buAutoNum xmlns:a="{_A}" type="arabicPeriod"/>')
    step._p.get_or_add_pPr().append(mark)
    path = tmp_path / "a.pptx"
    path.write_bytes(save(deck))
    quote = "A flux of 4 × 10⁻⁶ per s\n1. Fill the cryostat"
    [box] = find_boxes(ExtractTask(path, "a.pptx", ""), PPTX, 1, quote)
    assert 0.2 < box.top < 0.3


def test_a_quote_of_a_table_is_found_on_its_slide(tmp_path: Path) -> None:
    deck = Presentation()
    table = new_slide(deck).shapes.add_table(2, 2, 0, 0, 9, 9).table
    for at, text in enumerate(["Module", "Voltage", "North", "180 kV"]):
        table.cell(at // 2, at % 2).text = text
    path = tmp_path / "a.pptx"
    path.write_bytes(save(deck))
    task = ExtractTask(path, "a.pptx", "")
    assert len(list(find_boxes(task, PPTX, 1, "North | 180 kV"))) == 1
