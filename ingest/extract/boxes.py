"""Where a quote stands on a page, for highlighting: found on demand, never stored.

For PDF pages the rectangles of the text, a line each; for slides those of the shapes
that hold the quote. Other formats have no positions.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import kinds, pdf
from dunegpt.ingest.extract.formats import FORMATS, PDF, PPTX
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Box

_SIDE = 100_000
_LEAST = 3


def boxes(task: Task, claimed: str, page: int, quote: str) -> list[Box]:
    """Return the rectangles of a quote on a page; none if it is not there.

    Raises:
        ExtractError: The file cannot be read.
    """
    kind = kinds.media_type(task.path, task.name, claimed)
    wanted = "".join(_letters(quote))
    finder = _FINDERS.get(FORMATS[kind]) if kind in FORMATS else None
    if finder is None or len(wanted) < _LEAST:
        return []
    return list(finder(task, page, wanted))


def _letters(text: str) -> Iterator[str]:
    """Yield what counts in a comparison: letters and digits, case and form apart."""
    from unicodedata import normalize  # noqa: PLC0415 - start-up time

    for character in normalize("NFKC", text).casefold():
        if character.isalnum():
            yield character


def _on_pdf(task: Task, number: int, wanted: str) -> Iterator[Box]:
    document = pdf.opened(task)
    try:
        page = document[number - 1]
        layer = page.get_textpage()
        for start, count in _found(layer, wanted):
            yield from _rectangles(page, layer, number, start, count)
    except (pdfium.PdfiumError, IndexError) as error:
        raise ExtractError(f"Page {number} cannot be read: {error}.") from error
    finally:
        document.close()


def _found(layer: Any, wanted: str) -> Iterator[tuple[int, int]]:
    """Yield first character and count of the first place where the letters stand."""
    count = layer.count_chars()
    found, places = [], []
    for at in range(count):
        for letter in _letters(chr(raw.FPDFText_GetUnicode(layer.raw, at))):
            found.append(letter)
            places.append(at)
    begin = "".join(found).find(wanted)
    if begin >= 0:
        first, last = places[begin], places[begin + len(wanted) - 1]
        yield first, last - first + 1


def _rectangles(
    page: Any, layer: Any, number: int, start: int, count: int
) -> Iterator[Box]:
    sides = [ctypes.c_double() for _ in range(4)]
    for index in range(raw.FPDFText_CountRects(layer.raw, start, count)):
        if not raw.FPDFText_GetRect(layer.raw, index, *map(ctypes.byref, sides)):
            continue
        left, top, right, bottom = (side.value for side in sides)
        corners = [_on_screen(page, left, top), _on_screen(page, right, bottom)]
        (x0, x1), (y0, y1) = (sorted(axis) for axis in zip(*corners, strict=True))
        yield Box(number, x0, y0, x1, y1)


def _on_screen(page: Any, x: float, y: float) -> tuple[float, float]:
    """Return a point of a page in parts of its width and height, turned upright."""
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(
        page.raw, 0, 0, _SIDE, _SIDE, 0, x, y, ctypes.byref(across), ctypes.byref(down)
    )
    return (_part(across.value), _part(down.value))


def _part(value: int) -> float:
    return round(min(max(value / _SIDE, 0.0), 1.0), 5)


def _on_slide(task: Task, number: int, wanted: str) -> Iterator[Box]:
    from pptx import Presentation  # noqa: PLC0415 - start-up time

    from dunegpt.ingest.extract.pptx import DAMAGED, flat  # noqa: PLC0415

    try:
        with task.path.open("rb") as file:
            deck = Presentation(file)
            slide = deck.slides[number - 1]
        width, height = deck.slide_width or 1, deck.slide_height or 1
        for shape in flat(slide.shapes):
            if shape.has_text_frame:
                text = "".join(_letters(shape.text_frame.text))
                if text and (wanted in text or (len(text) > 8 and text in wanted)):
                    yield _shape_box(shape, number, width, height)
    except (*DAMAGED, IndexError) as error:
        raise ExtractError(f"Slide {number} cannot be read: {error}.") from error


def _shape_box(shape: Any, number: int, width: int, height: int) -> Box:
    """Return where a shape is; one in a group is moved by the group's own scale."""
    left, top = float(shape.left or 0), float(shape.top or 0)
    right, bottom = left + (shape.width or 0), top + (shape.height or 0)
    for group in shape._element.iterancestors("{*}grpSp"):
        frame = group.find("{*}grpSpPr/{*}xfrm")
        if frame is not None and frame.find("{*}chExt") is not None:
            x, y = _axis(frame, "x", "cx"), _axis(frame, "y", "cy")
            left, right, top, bottom = x(left), x(right), y(top), y(bottom)
    values = (left / width, top / height, right / width, bottom / height)
    return Box(number, *(round(min(max(value, 0.0), 1.0), 5) for value in values))


def _axis(frame: Any, offset: str, extent: str) -> Callable[[float], float]:
    """Return the function from a group's own coordinates to those around it."""
    inner, outer = (int(frame.find(f"{{*}}{n}").get(offset)) for n in ("chOff", "off"))
    inside, outside = (
        int(frame.find(f"{{*}}{n}").get(extent)) for n in ("chExt", "ext")
    )
    scale = outside / inside if inside else 1.0
    return lambda value: outer + (value - inner) * scale


_FINDERS: dict[Any, Callable[[Task, int, str], Iterator[Box]]] = {
    PDF: _on_pdf,
    PPTX: _on_slide,
}
