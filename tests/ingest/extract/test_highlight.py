"""Where a quote stands on a page."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.util import Inches
from reportlab.pdfgen.canvas import Canvas

from dunegpt.config import ExtractSettings
from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import Box
from tests.ingest.extract.test_extract import OCTETS, make_pdf
from tests.ingest.extract.test_pdf_contents import add_comment, draw_lines
from tests.ingest.extract.test_pdf_glyphs import (
    Run,
    draw_accented,
    draw_runs,
    draw_sideways,
    draw_spaced,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(ExtractSettings()) as sandbox:
        yield sandbox


class Finder:
    """Finds quotes in bytes."""

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        self.sandbox, self.path = sandbox, path

    def __call__(self, content: bytes, quote: str, page: int = 1) -> list[Box]:
        self.path.write_bytes(content)
        return self.sandbox.find_boxes(self.path, "a", OCTETS, page, quote)


@pytest.fixture
def find(sandbox: Sandbox, tmp_path: Path) -> Finder:
    return Finder(sandbox, tmp_path / "file")


def test_a_quote_over_two_lines(find: Finder) -> None:
    content = make_pdf("first page", "The drift field is\n475 V/cm in the detec-\ntor.")
    boxes = find(content, "field is 475 V/cm in the detector", 2)
    assert len(boxes) == 3
    assert all(box.page == 2 for box in boxes)
    first, second, _ = boxes
    # Drawn at 72 points from the left and 760 from below, on A4.
    assert first.left > 72 / 596
    assert second.left == pytest.approx(72 / 596, abs=0.01)
    assert first.bottom == pytest.approx(1 - 760 / 842, abs=0.01)
    assert first.top < first.bottom < second.bottom


def test_a_turned_page(find: Finder) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(600, 800))
    canvas.setPageRotation(90)
    canvas.drawString(60, 300, "turned")
    canvas.save()
    [box] = find(out.getvalue(), "turned")
    # The library makes the sheet 800 wide and 600 high, and turns it clockwise.
    assert box.left == pytest.approx(300 / 600, abs=0.02)
    assert box.top == pytest.approx(60 / 800, abs=0.02)
    assert box.bottom > box.top


@pytest.mark.slow
@pytest.mark.parametrize("quote", ["not there", "", "a"])
def test_what_is_not_there(find: Finder, quote: str) -> None:
    assert find(make_pdf("The drift field"), quote) == []


def test_a_page_that_is_not_there(find: Finder) -> None:
    with pytest.raises(ExtractError, match="Page 7 cannot be read"):
        find(make_pdf("text"), "text", 7)
    with pytest.raises(ExtractError, match="encrypted"):
        find(make_pdf("secret", password="x"), "secret")


@pytest.mark.slow
def test_a_slide(find: Finder) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    deck.slide_width, deck.slide_height = Inches(10), Inches(5)
    box = slide.shapes.add_textbox(Inches(1), Inches(2), Inches(4), Inches(1))
    box.text_frame.text = "The drift field is 475 V/cm"
    group = slide.shapes.add_group_shape()
    inner = group.shapes.add_textbox(Inches(6), Inches(3), Inches(2), Inches(1))
    inner.text_frame.text = "in a group"
    out = io.BytesIO()
    deck.save(out)
    assert find(out.getvalue(), "drift field is 475") == [Box(1, 0.1, 0.4, 0.5, 0.6)]
    assert find(out.getvalue(), "in a group") == [Box(1, 0.6, 0.6, 0.8, 0.8)]


def test_a_format_without_places(find: Finder) -> None:
    assert find(b"# Head\n\nThe drift field", "drift field") == []


@pytest.mark.slow
def test_a_quote_with_a_power_and_a_note(find: Finder) -> None:
    lines: list[list[Run]] = [
        ["It took 10", ("6", 1), " events and weighs 45", ("3", 1), " kg in all."],
        [
            "The rate of H",
            ("2", -1),
            "O is 2 \xd7 10",
            ("-9", 1),
            " mbar L s",
            ("-1", 1),
        ],
    ]
    content = draw_runs(*lines)
    for quote in ("10⁶ events and weighs 45 kg [note 3] in all", "took 10⁶ events"):
        boxes = find(content, quote)
        assert boxes
        assert all(abs(box.bottom - (1 - 500 / 842)) < 0.02 for box in boxes)
    boxes = find(content, "H₂O is 2 \xd7 10⁻⁹ mbar L s⁻¹")
    assert min(box.left for box in boxes) > 120 / 595
    assert all(abs(box.bottom - (1 - 480 / 842)) < 0.02 for box in boxes)
    assert find(content, "10⁷ events") == []


@pytest.mark.slow
def test_a_quote_with_repaired_letters(find: Finder) -> None:
    content = draw_accented("found by M[\xa8]uller in Z[\xa8]urich", accent_first=True)
    assert find(content, "by Müller in Zürich")
    content = draw_spaced("TANK OF ARGON", 5, spaces=False)
    [box, *_] = find(content, "TANK OF ARGON")
    assert box.left == pytest.approx(60 / 595, abs=0.01)


def test_a_quote_in_sideways_text(find: Finder) -> None:
    content = draw_sideways([["The pump of rack 7 takes 340 W."], ["Not this one."]])
    boxes = find(content, "rack 7 takes 340 W")
    # Read from below: 560 points from the left, less the 400 of the line.
    assert all(0.2 < box.left < box.right < 0.3 for box in boxes)
    assert max(box.bottom - box.top for box in boxes) > 0.05


def test_a_quote_in_a_comment(find: Finder) -> None:
    content = draw_lines("The valve opens at 1.3 bar.")
    content = add_comment(content, 1, "No: at 1.5 bar.", (300, 690, 400, 710))
    [box] = find(content, "No: at 1.5 bar.")
    assert box.left == pytest.approx(300 / 595, abs=0.01)
    assert box.top == pytest.approx(1 - 710 / 842, abs=0.01)
