"""Where a PDF page has pictures: images, and drawings made of paths.

Objects that touch each other are one picture. Does not look at text.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pypdfium2 import raw

from dunegpt.types import Box

_DEVICE_SIDE = 100_000
_MAX_OBJECTS = 6_000
_MAX_PATHS = 500
_MAX_PICTURES = 100
_WHOLE_PAGE = 0.8
_GAP = 5.0
_THIN = 3.0
_MIN_SIDE = 28.0
_MIN_STRIP = 8.0
_LONG = 120.0
_MAX_CLIPPED = 500
_CLIPPED_SHARE = 0.001
_RECTANGLE_SEGMENTS = 5
_MAX_POINTS = 200
_bounds = [ctypes.c_float() for _ in range(4)]
"""Where pdfium writes the place of an object, until it is read."""
_MATRIX = ("a", "b", "c", "d", "e", "f")

Sides = tuple[float, float, float, float]
"""Left, bottom, right and top in points; y increases upwards."""


@dataclass(slots=True)
class Rectangle:
    """A rectangle in points of the page; y increases upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """The distance from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """The distance from bottom to top."""
        return self.top - self.bottom

    @property
    def middle(self) -> tuple[float, float]:
        """The center."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def add(self, left: float, bottom: float, right: float, top: float) -> None:
        """Grow to hold another rectangle."""
        self.left, self.bottom = min(self.left, left), min(self.bottom, bottom)
        self.right, self.top = max(self.right, right), max(self.top, top)

    def contains(self, sides: Sides) -> bool:
        """Return whether another rectangle lies within this one."""
        left, bottom, right, top = sides
        return (
            self.left <= left
            and self.bottom <= bottom
            and right <= self.right
            and top <= self.top
        )

    def is_near(self, sides: Sides, gap: float = 0.0) -> bool:
        """Return whether another rectangle is as near as a gap, or overlaps."""
        left, bottom, right, top = sides
        return (
            left <= self.right + gap
            and right >= self.left - gap
            and bottom <= self.top + gap
            and top >= self.bottom - gap
        )

    def overlap(self, left: float, right: float) -> float:
        """Return the share of the shorter of two spans that is in both, sideways."""
        common = min(self.right, right) - max(self.left, left)
        return common / max(min(self.width, right - left), 1.0)


@dataclass(slots=True)
class Picture(Rectangle):
    """A picture on a page.

    Attributes:
        is_drawn: Whether it is more than lines and boxes, which tables have as well.
    """

    is_drawn: bool = False


def find_pictures(page: Any) -> list[Picture]:
    """Return the pictures of a page, except for those that are its background."""
    pictures: list[Picture] = []
    reader = _ObjectReader(page)
    for item in reader.iter_objects():
        last = pictures[-1] if pictures else None
        if (whole := _measure(item)) is None or (
            last and last.is_drawn and last.contains(whole)
        ):
            continue  # most parts of a drawing
        for sides, is_drawn in reader.read(item, whole):
            last = pictures[-1] if pictures else None
            if last and last.is_near(sides, _GAP):
                last.add(*sides)
                last.is_drawn = last.is_drawn or is_drawn
            else:
                pictures.append(Picture(*sides, is_drawn))
        if len(pictures) > _MAX_PICTURES:
            pictures = _merge(pictures)
            if len(pictures) > _MAX_PICTURES // 2:
                break
    return [picture for picture in _merge(pictures) if _is_large(picture)]


def _is_large(picture: Picture) -> bool:
    """Return whether a picture is no ornament, such as a bullet or an underline."""
    short, long = sorted((picture.width, picture.height))
    return short >= _MIN_SIDE or (
        picture.is_drawn and short >= _MIN_STRIP and long >= _LONG
    )


def make_box(page: Any, number: int, area: Rectangle) -> Box:
    """Return a rectangle in points as fractions of the page as it is shown."""
    corners = [
        _to_page_fraction(page, area.left, area.bottom),
        _to_page_fraction(page, area.right, area.top),
    ]
    (x0, x1), (y0, y1) = (sorted(axis) for axis in zip(*corners, strict=True))
    return Box(number, x0, y0, x1, y1)


def _to_page_fraction(page: Any, x: float, y: float) -> tuple[float, float]:
    """Return a point as fractions of page width and height, rotation applied."""
    across, down = ctypes.c_int(), ctypes.c_int()
    size = (0, 0, _DEVICE_SIDE, _DEVICE_SIDE)
    target = (ctypes.byref(across), ctypes.byref(down))
    raw.FPDF_PageToDevice(page.raw, *size, 0, x, y, *target)
    return (_to_fraction(across.value), _to_fraction(down.value))


def _to_fraction(value: int) -> float:
    return round(min(max(value / _DEVICE_SIDE, 0.0), 1.0), 5)


class _ObjectReader:
    """Reads kind and place of the objects of a page that are no text."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._view: Sides = page.get_bbox()
        left, bottom, right, top = self._view
        self._largest = _WHOLE_PAGE * (right - left) * (top - bottom)
        self._clipped = 0

    def iter_objects(self) -> Iterator[Any]:
        """Yield the objects that are no text; of very many paths, a part of them."""
        page = self._page.raw
        count = raw.FPDFPage_CountObjects(page)
        step = 1 + count // _MAX_PATHS  # enough to find the edges of a picture
        for index in range(min(count, _MAX_OBJECTS)):
            item = raw.FPDFPage_GetObject(page, index)
            kind = raw.FPDFPageObj_GetType(item)
            is_path = kind == raw.FPDF_PAGEOBJ_PATH
            if kind != raw.FPDF_PAGEOBJ_TEXT and (not is_path or index % step == 0):
                yield item

    def read(self, item: Any, sides: Sides) -> Iterator[tuple[Sides, bool]]:
        """Yield the place of what an object draws, and whether only pictures have it.

        The background of the page is left out.

        Args:
            item: The object.
            sides: Its place, with what is clipped off.
        """
        kind = raw.FPDFPageObj_GetType(item)
        sides = _intersect(sides, self._view)
        area = (sides[2] - sides[0]) * (sides[3] - sides[1])
        if area > _CLIPPED_SHARE * self._largest and self._clipped < _MAX_CLIPPED:
            self._clipped += 1
            for clip in _iter_clips(item, kind):
                sides = _intersect(sides, clip)
        width, height = sides[2] - sides[0], sides[3] - sides[1]
        if width < 0 or height < 0:
            return
        if width * height <= self._largest:
            yield (
                sides,
                kind != raw.FPDF_PAGEOBJ_PATH
                or (
                    min(width, height) > _THIN
                    and raw.FPDFPath_CountSegments(item) > _RECTANGLE_SEGMENTS
                ),
            )
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            yield from _iter_form(item, self._largest)


def _iter_form(form: Any, largest: float) -> Iterator[tuple[Sides, bool]]:
    """Yield what is drawn by a form that is as large as the page."""
    matrix = _read_matrix(form)
    for index in range(min(raw.FPDFFormObj_CountObjects(form), _MAX_OBJECTS)):
        item = raw.FPDFFormObj_GetObject(form, index)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_TEXT or (sides := _measure(item)) is None:
            continue
        placed = _transform(matrix, sides)
        width, height = placed[2] - placed[0], placed[3] - placed[1]
        if width * height <= largest:
            is_path = kind == raw.FPDF_PAGEOBJ_PATH
            yield placed, not is_path or min(width, height) > _THIN


def _iter_clips(item: Any, kind: int) -> Iterator[Sides]:
    """Yield the boxes of the paths that an object is clipped to.

    A form is as large as all that is drawn in it; what it shows is in the clip path of
    its first object.
    """
    yield from map(_bound, _iter_clip_paths(item))
    if kind == raw.FPDF_PAGEOBJ_FORM and raw.FPDFFormObj_CountObjects(item):
        matrix = _read_matrix(item)
        for points in _iter_clip_paths(raw.FPDFFormObj_GetObject(item, 0)):
            yield _transform(matrix, _bound(points))


def _iter_clip_paths(item: Any) -> Iterator[list[tuple[float, float]]]:
    """Yield the points of each path that an object is clipped to."""
    if not (clip := raw.FPDFPageObj_GetClipPath(item)):
        return
    for path in range(max(raw.FPDFClipPath_CountPaths(clip), 0)):
        points = []
        count = raw.FPDFClipPath_CountPathSegments(clip, path)
        for index in range(min(count, _MAX_POINTS)):
            segment = raw.FPDFClipPath_GetPathSegment(clip, path, index)
            x, y = ctypes.c_float(), ctypes.c_float()
            if raw.FPDFPathSegment_GetPoint(segment, x, y):
                points.append((x.value, y.value))
        if points and count <= _MAX_POINTS:
            yield points


def _bound(points: list[tuple[float, float]]) -> Sides:
    across, upwards = zip(*points, strict=True)
    return min(across), min(upwards), max(across), max(upwards)


def _intersect(one: Sides, other: Sides) -> Sides:
    """Return what is in both boxes; one of negative size if nothing is."""
    return (
        max(one[0], other[0]), max(one[1], other[1]),
        min(one[2], other[2]), min(one[3], other[3]),
    )  # fmt: skip


def _read_matrix(form: Any) -> tuple[float, ...]:
    own = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(form, own):
        return (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    return tuple(getattr(own, name) for name in _MATRIX)


def _transform(matrix: tuple[float, ...], sides: Sides) -> Sides:
    """Return the box of a box within a form, in points of the page."""
    a, b, c, d, e, f = matrix
    corners = [(sides[x], sides[y]) for x in (0, 2) for y in (1, 3)]
    return _bound([(a * x + c * y + e, b * x + d * y + f) for x, y in corners])


def _measure(item: Any) -> Sides | None:
    """Return the place of an object; None if it has none."""
    if not raw.FPDFPageObj_GetBounds(item, *_bounds):
        return None
    left, bottom, right, top = (side.value for side in _bounds)
    return (left, bottom, right, top) if left <= right and bottom <= top else None


def _merge(pictures: list[Picture]) -> list[Picture]:
    """Return pictures, those that touch each other as one."""
    merged: list[Picture] = []
    for picture in pictures:
        own = picture
        while near := [other for other in merged if _touch(other, own)]:
            for other in near:
                own.add(other.left, other.bottom, other.right, other.top)
                own.is_drawn = own.is_drawn or other.is_drawn
            merged = [other for other in merged if other not in near]
        merged.append(own)
    return merged


def _touch(one: Picture, other: Picture) -> bool:
    return one.is_near((other.left, other.bottom, other.right, other.top), _GAP)
