"""Figures of slides: pictures and charts, with their captions and places."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dunegpt.ingest.extract.clean import clean_text, to_one_line
from dunegpt.ingest.extract.figures import (
    UNNUMBERED,
    FigureText,
    format_description,
    format_inner,
    parse_label,
)
from dunegpt.types import Box

_LONGEST_CAPTION = 600


@dataclass(slots=True)
class _Picture:
    """A picture or chart: where it is, its description and rows, its caption."""

    box: Box
    texts: list[str] = field(default_factory=list)
    caption: str = ""


@dataclass(slots=True)
class SlideFigures:
    """Collects the figures of one slide.

    Attributes:
        number: Number of the slide.
        size: Its width and height.
    """

    number: int
    size: tuple[int, int]
    _pictures: list[_Picture] = field(default_factory=list)
    _captions: list[tuple[str, Box]] = field(default_factory=list)

    def add(self, shape: Any, texts: list[str]) -> bool:
        """Add a chart, or a text that is a caption; return whether it is one."""
        if getattr(shape, "has_chart", False):
            rows = [text for text in texts if text]
            self._pictures.append(_Picture(self._find_box(shape), rows))
            return True
        text = to_one_line(texts[0]) if len(texts) == 1 else ""
        if len(text) > _LONGEST_CAPTION or not parse_label(text, needs_sign=True):
            return False
        self._captions.append((text, self._find_box(shape)))
        return True

    def add_picture(self, shape: Any, recognized: str) -> None:
        """Add a picture with the text that was recognized in it."""
        texts = [format_inner(recognized.split("\n"))]
        if described := format_description(_read_description(shape)):
            texts.insert(0, f"[image: {described}]")
        picture = _Picture(self._find_box(shape), list(filter(None, texts)))
        self._pictures.append(picture)

    def build(self) -> list[FigureText]:
        """Return the figures that have any text, each caption with what is nearest."""
        figures = []
        for caption, box in self._captions:
            free = [picture for picture in self._pictures if not picture.caption]
            nearest = min(free, key=lambda own: _distance(own.box, box), default=None)
            if nearest is None:
                label = parse_label(caption, needs_sign=True)
                figures.append(FigureText(label, caption, box))
            else:
                nearest.caption = caption
        for picture in self._pictures:
            label = parse_label(picture.caption, needs_sign=True) or UNNUMBERED
            text = "\n".join(filter(None, [picture.caption, *picture.texts]))
            figures.append(FigureText(label, clean_text(text), picture.box))
        return figures

    def _find_box(self, shape: Any) -> Box:
        return make_shape_box(shape, self.number, self.size)


def _read_description(shape: Any) -> str:
    properties = shape._element.find(".//{*}cNvPr")
    return str(properties.get("descr", "")) if properties is not None else ""


def _distance(one: Box, other: Box) -> float:
    """Return how far two boxes are apart, in shares of the slide."""
    across = max(one.left - other.right, other.left - one.right, 0.0)
    down = max(one.top - other.bottom, other.top - one.bottom, 0.0)
    return across + down


def make_shape_box(shape: Any, number: int, size: tuple[int, int]) -> Box:
    """Return the bounding box of a shape, with the transforms of its groups applied.

    Args:
        shape: A shape of python-pptx.
        number: Number of the slide.
        size: Width and height of the slide.
    """
    left, top = float(shape.left or 0), float(shape.top or 0)
    right, bottom = left + (shape.width or 0), top + (shape.height or 0)
    for group in shape._element.iterancestors("{*}grpSp"):
        frame = group.find("{*}grpSpPr/{*}xfrm")
        if frame is not None and frame.find("{*}chExt") is not None:
            x, y = (
                _group_transform(frame, "x", "cx"),
                _group_transform(frame, "y", "cy"),
            )
            left, right, top, bottom = x(left), x(right), y(top), y(bottom)
    width, height = size
    values = (left / width, top / height, right / width, bottom / height)
    return Box(number, *(round(min(max(value, 0.0), 1.0), 5) for value in values))


def _group_transform(frame: Any, offset: str, extent: str) -> Callable[[float], float]:
    """Return the function that maps a group's inner coordinates to the outer ones."""
    inner, outer = (int(frame.find(f"{{*}}{n}").get(offset)) for n in ("chOff", "off"))
    inside, outside = (
        int(frame.find(f"{{*}}{n}").get(extent)) for n in ("chExt", "ext")
    )
    scale = outside / inside if inside else 1.0
    return lambda value: outer + (value - inner) * scale
