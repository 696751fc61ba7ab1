"""Where a quote stands on a page."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.util import Inches
from reportlab.pdfgen.canvas import Canvas

from dunegpt.config import ExtractTable
from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import Box
from tests.ingest.test_extract import OCTETS, make_pdf


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(ExtractTable()) as sandbox:
        yield sandbox


class Finder:
    """Finds quotes in bytes."""

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        self.sandbox, self.path = sandbox, path

    def __call__(self, content: bytes, quote: str, page: int = 1) -> list[Box]:
        self.path.write_bytes(content)
        return self.sandbox.boxes(self.path, "a", OCTETS, page, quote)


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


@pytest.mark.parametrize("quote", ["not there", "", "a"])
def test_what_is_not_there(find: Finder, quote: str) -> None:
    assert find(make_pdf("The drift field"), quote) == []


def test_a_page_that_is_not_there(find: Finder) -> None:
    with pytest.raises(ExtractError, match="Page 7 cannot be read"):
        find(make_pdf("text"), "text", 7)
    with pytest.raises(ExtractError, match="encrypted"):
        find(make_pdf("secret", password="x"), "secret")


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
