"""Tells pages that are scanned pictures from pages of text.

A scan may hold a line of text of its own: a stamp, a document number, a page number.
Areas decide: pictures cover most of the page, and the text very little of it.
"""

from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

MAX_STAMP_CHARACTERS = 400
_MIN_CHARACTERS = 16
_PICTURE_SHARE = 0.5
_TEXT_SHARE = 0.03
_CHARACTER_AREA = 55.0
_MAX_DEPTH = 3


def is_scan(page: Any, text: str) -> bool:
    """Return whether a page has to be recognized from its picture.

    Args:
        page: A page of pypdfium2.
        text: Its text layer.
    """
    drawn = len(text.strip())
    if drawn < _MIN_CHARACTERS:
        return bool(raw.FPDFPage_CountObjects(page.raw) > 0)
    if drawn > MAX_STAMP_CHARACTERS:
        return False
    width, height = page.get_size()
    area = max(width * height, 1.0)
    if drawn * _CHARACTER_AREA > _TEXT_SHARE * area:
        return False
    return bool(_picture_area(page) >= _PICTURE_SHARE * area)


def _picture_area(page: Any) -> float:
    """Return the area that pictures cover on a page, in square points."""
    left, bottom, right, top = page.get_bbox()
    area = 0.0
    for image in page.get_objects([raw.FPDF_PAGEOBJ_IMAGE], max_depth=_MAX_DEPTH):
        try:
            x0, y0, x1, y1 = image.get_bounds()
        except pdfium.PdfiumError:
            continue
        across = min(x1, right) - max(x0, left)
        upwards = min(y1, top) - max(y0, bottom)
        area += max(across, 0.0) * max(upwards, 0.0)
    return area
