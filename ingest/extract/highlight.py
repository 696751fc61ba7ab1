"""Locates a quote on a page for highlighting; computed on demand, never stored.

On PDF pages, one rectangle per line of text; on slides, the bounding boxes of the
shapes that contain the quote. Other formats have no positions.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import media_type
from dunegpt.ingest.extract.formats import pdf
from dunegpt.ingest.extract.pdf import annotations as pdf_annotations
from dunegpt.ingest.extract.pdf import text as pdf_text
from dunegpt.ingest.extract.pdf.pictures import Rectangle, make_box
from dunegpt.ingest.extract.registry import FORMATS, PDF, PPTX
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Box

_MIN_CHARACTERS = 3


def find_boxes(task: ExtractTask, claimed: str, page: int, quote: str) -> list[Box]:
    """Return the rectangles of a quote on a page; empty if it is not found.

    Raises:
        ExtractError: The file cannot be read.
    """
    kind = media_type.detect_media_type(task.path, task.name, claimed)
    wanted = "".join(_comparable_characters(quote))
    finder = _FINDERS.get(FORMATS[kind]) if kind in FORMATS else None
    if finder is None or len(wanted) < _MIN_CHARACTERS:
        return []
    return list(finder(task, page, wanted))


def _comparable_characters(text: str) -> Iterator[str]:
    """Yield the letters and digits of a text, case-folded and in NFKC."""
    from unicodedata import normalize  # noqa: PLC0415 - start-up time

    for character in normalize("NFKC", text).casefold():
        if character.isalnum():
            yield character


def _find_on_pdf(task: ExtractTask, number: int, wanted: str) -> Iterator[Box]:
    document = pdf.open_pdf(task)
    try:
        page = document[number - 1]
        layer = page.get_textpage()
        found = list(_find_characters(layer, wanted))
        for start, count in found:
            yield from _merge_rectangles(page, layer, number, start, count)
        if not found:
            yield from _find_in_annotations(document, page, layer, number, wanted)
    except (pdfium.PdfiumError, IndexError) as error:
        raise ExtractError(f"Page {number} cannot be read: {error}.") from error
    finally:
        document.close()


def _find_characters(layer: Any, wanted: str) -> Iterator[tuple[int, int]]:
    """Yield index and length in characters of the first occurrence, if any."""
    letters, positions = [], []
    for at, text in enumerate(pdf_text.read_page_glyphs(layer).texts):
        for letter in _comparable_characters(text):
            letters.append(letter)
            positions.append(at)
    begin = "".join(letters).find(wanted)
    if begin >= 0:
        first, last = positions[begin], positions[begin + len(wanted) - 1]
        yield first, last - first + 1


def _find_in_annotations(
    document: pdfium.PdfDocument, page: Any, layer: Any, number: int, wanted: str
) -> Iterator[Box]:
    """Yield the rectangles of the fields and comments that hold a quote."""
    for found in pdf_annotations.iter_annotations(document, page, layer):
        if wanted in "".join(_comparable_characters(found.text)):
            sides = (found.left, found.bottom, found.right, found.top)
            yield make_box(page, number, Rectangle(*sides))


def _merge_rectangles(
    page: Any, layer: Any, number: int, start: int, count: int
) -> Iterator[Box]:
    sides = [ctypes.c_double() for _ in range(4)]
    for index in range(raw.FPDFText_CountRects(layer.raw, start, count)):
        if not raw.FPDFText_GetRect(layer.raw, index, *map(ctypes.byref, sides)):
            continue
        left, top, right, bottom = (side.value for side in sides)
        yield make_box(page, number, Rectangle(left, bottom, right, top))


def _find_on_slide(task: ExtractTask, number: int, wanted: str) -> Iterator[Box]:
    from pptx import Presentation  # noqa: PLC0415 - start-up time

    from dunegpt.ingest.extract.formats.pptx import (  # noqa: PLC0415
        DAMAGE_ERRORS,
        flatten_shapes,
        read_shape_text,
    )
    from dunegpt.ingest.extract.office.open_xml import resolve_alternatives  # noqa: PLC0415
    from dunegpt.ingest.extract.office.slide_figures import (  # noqa: PLC0415
        make_shape_box,
    )

    try:
        with task.path.open("rb") as file:
            deck = Presentation(file)
            slide = deck.slides[number - 1]
        width, height = deck.slide_width or 1, deck.slide_height or 1
        resolve_alternatives(slide._element)
        for shape in flatten_shapes(slide.shapes):
            text = "".join(_comparable_characters(read_shape_text(task, shape)))
            if text and (wanted in text or (len(text) > 8 and text in wanted)):
                yield make_shape_box(shape, number, (width, height))
    except (*DAMAGE_ERRORS, IndexError) as error:
        raise ExtractError(f"Slide {number} cannot be read: {error}.") from error


_FINDERS: dict[Any, Callable[[ExtractTask, int, str], Iterator[Box]]] = {
    PDF: _find_on_pdf,
    PPTX: _find_on_slide,
}
