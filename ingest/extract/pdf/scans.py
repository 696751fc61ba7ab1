"""Tells pages that are scanned pictures from pages of text.

A scan may hold a line of text of its own: a stamp, a document number, a page number.
Areas decide: pictures cover most of the page, and the text very little of it.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

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
    sides = [ctypes.c_float() for _ in range(4)]
    area = 0.0
    for picture in _iter_pictures(
        page.raw, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject
    ):
        if not raw.FPDFPageObj_GetBounds(picture, *sides):
            continue
        x0, y0, x1, y1 = (side.value for side in sides)
        across = min(x1, right) - max(x0, left)
        upwards = min(y1, top) - max(y0, bottom)
        area += max(across, 0.0) * max(upwards, 0.0)
    return area


def _iter_pictures(
    holder: Any, count: Callable[..., int], get: Callable[..., Any], depth: int = 0
) -> Iterator[Any]:
    """Yield the images of a page or form, by handle.

    A page may draw tens of thousands of lines, and pypdfium2 makes an object of each.
    """
    find_kind = raw.FPDFPageObj_GetType
    for index in range(count(holder)):
        handle = get(holder, index)
        kind = find_kind(handle)
        if kind == raw.FPDF_PAGEOBJ_PATH:
            continue  # nearly all
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            yield handle
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _MAX_DEPTH - 1:
            yield from _iter_pictures(
                handle,
                raw.FPDFFormObj_CountObjects,
                raw.FPDFFormObj_GetObject,
                depth + 1,
            )
