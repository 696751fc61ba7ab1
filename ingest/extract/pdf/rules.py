"""Horizontal rules of a PDF page: the lines between the rows of a table."""

import ctypes
from typing import Any, NamedTuple

import pypdfium2 as pdfium
from pypdfium2 import raw

_MAX_PATHS = 4_000
_MAX_POINTS = 400
_THICKNESS = 2.5
_MIN_LENGTH = 8.0


class Rule(NamedTuple):
    """A horizontal line, in points of the page."""

    left: float
    right: float
    y: float


def find_rules(page: Any) -> list[Rule]:
    """Return the horizontal lines of a page: strokes, thin bars, edges of boxes."""
    rules: list[Rule] = []
    paths = page.get_objects([raw.FPDF_PAGEOBJ_PATH], max_depth=1)
    for count, path in enumerate(paths):
        if count >= _MAX_PATHS:
            break
        try:
            left, bottom, right, top = path.get_bounds()
        except pdfium.PdfiumError:
            continue
        if right - left < _MIN_LENGTH:
            continue
        if top - bottom <= _THICKNESS:
            rules.append(Rule(left, right, (bottom + top) / 2))
        else:
            rules.extend(_edges(path))
    return rules


def _edges(path: Any) -> list[Rule]:
    """Return the level edges of a path with several lines."""
    count = raw.FPDFPath_CountSegments(path.raw)
    if not 2 <= count <= _MAX_POINTS:
        return []
    matrix = path.get_matrix()
    edges = []
    last: tuple[float, float] | None = None
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(path.raw, index)
        x, y = ctypes.c_float(), ctypes.c_float()
        if not raw.FPDFPathSegment_GetPoint(segment, x, y):
            return []
        point = matrix.on_point(x.value, y.value)
        is_line = raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_LINETO
        if last and is_line and abs(point[1] - last[1]) < 1:
            left, right = sorted((last[0], point[0]))
            if right - left >= _MIN_LENGTH:
                edges.append(Rule(left, right, point[1]))
        last = point
    return edges
