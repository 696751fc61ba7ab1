"""The characters of a PDF page, as drawn, with access to their places and fonts.

Other modules repair characters in `PageGlyphs.texts`: an entry may become another text,
or none, but keeps its index, so that a quote is still found on the page.
"""

import ctypes
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pypdfium2 import raw

_FONT_NAME_BYTES = 128
_NO_WORD = re.compile(r"\W+")
_NOTHING = re.compile("\0")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LINE_END = re.compile(r"\0?\n")
_LINE = re.compile(r"[^\s\0](?:[^\n\0]*[^\s\0])?")
_SAME_LINE = 0.3
_WORD_GAP = 0.15
_MAX_GAP = 1.0


class GlyphBox(NamedTuple):
    """The place of a character in points; y increases upwards.

    Attributes:
        left: Its left edge; `right` minus `left` is its advance.
        bottom: The descent of its font; `top` minus `bottom` is its size.
        right: Its right edge.
        top: The ascent of its font.
    """

    left: float
    bottom: float
    right: float
    top: float

    @property
    def size(self) -> float:
        """The distance from descent to ascent."""
        return self.top - self.bottom

    @property
    def width(self) -> float:
        """The advance."""
        return self.right - self.left


@dataclass(slots=True)
class PageGlyphs:
    """The characters of a page in drawing order, with a line feed at each line end.

    Attributes:
        layer: The text page of pypdfium2; open as long as places are asked for.
        text: The characters as drawn, one per index of pdfium.
        texts: What each character reads as; a repaired one has another text, or none.
        unknown: The number of characters without a known meaning.
        quarters: By how many quarters of a turn, clockwise, sideways characters have to
            be turned to be read; their places are given as if they were.
    """

    layer: Any
    text: str
    texts: list[str]
    unknown: int = 0
    quarters: dict[int, int] = field(default_factory=dict)
    _boxes: dict[int, GlyphBox | None] = field(default_factory=dict)
    _name: Any = field(
        default_factory=lambda: ctypes.create_string_buffer(_FONT_NAME_BYTES)
    )
    _rectangle: Any = field(default_factory=raw.FS_RECTF)
    _sides: Any = field(init=False)

    def __post_init__(self) -> None:
        self._sides = (ctypes.c_float * 4).from_buffer(self._rectangle)

    _baselines: dict[int, float] = field(default_factory=dict)

    def box(self, at: int) -> GlyphBox | None:
        """Return the place of a character, upright; None if it has none."""
        try:
            return self._boxes[at]
        except KeyError:
            box = self._boxes[at] = self._measure(at)
            return box

    def _measure(self, at: int) -> GlyphBox | None:
        # The fields of the rectangle as an array: a third faster, at 200 calls a page.
        if not raw.FPDFText_GetLooseCharBox(self.layer.raw, at, self._rectangle):
            return None
        left, top, right, bottom = self._sides[:]
        if not (self.quarters and (quarter := self.quarters.get(at, 0))):
            return GlyphBox(left, bottom, right, top)
        x0, y0 = _turn(left, bottom, quarter)
        x1, y1 = _turn(right, top, quarter)
        return GlyphBox(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def baseline(self, at: int) -> float:
        """Return the height of the baseline under a character, upright."""
        if at not in self._baselines:
            x, y = ctypes.c_double(), ctypes.c_double()
            raw.FPDFText_GetCharOrigin(self.layer.raw, at, x, y)
            turned = _turn(x.value, y.value, self.quarters.get(at, 0))
            self._baselines[at] = turned[1]
        return self._baselines[at]

    def turn(self, at: int, quarter: int) -> None:
        """Give the place of a sideways character as if it were upright."""
        self.quarters[at] = quarter
        self._boxes.pop(at, None)
        self._baselines.pop(at, None)

    def angle(self, at: int) -> float:
        """Return by how much a character is turned, in radians; -1 if unknown."""
        return float(raw.FPDFText_GetCharAngle(self.layer.raw, at))

    @property
    def is_sideways(self) -> bool:
        """Whether most characters of the page are turned, all in one direction."""
        turned = self.quarters.values()
        return len(turned) > 0.6 * len(self.text) and len(set(turned)) == 1

    def is_drawn(self, at: int) -> bool:
        """Return whether the file holds a character, or pdfium added it as a space."""
        return not raw.FPDFText_IsGenerated(self.layer.raw, at)

    def font(self, at: int) -> str:
        """Return the name of the font of a character; empty if unknown."""
        name = self._name
        used = raw.FPDFText_GetFontInfo(
            self.layer.raw, at, name, _FONT_NAME_BYTES, None
        )
        return name.value.decode("utf-8", "replace") if used else ""

    def joined(self) -> str:
        """Return the text of the page with all repairs."""
        return "".join(self.texts)


def _turn(x: float, y: float, quarter: int) -> tuple[float, float]:
    """Return a point, turned clockwise around the origin by quarters of a turn."""
    return ((x, y), (y, -x), (-x, -y), (-y, x))[quarter]


def read_glyphs(layer: Any) -> PageGlyphs:
    """Return the characters of a page that are inside of its visible area."""
    count = layer.count_chars()
    text = layer.get_text_range() if count else ""
    if len(text) != count:
        codes = (raw.FPDFText_GetUnicode(layer.raw, at) for at in range(count))
        text = "".join(map(chr, codes))
    text = text.replace("\r\n", "\0\n").replace("\r", "\n")
    glyphs = PageGlyphs(layer, text, list(text))
    for match in _NOTHING.finditer(text):
        glyphs.texts[match.start()] = ""
    for match in _SURROGATES.finditer(text):
        pair = match[0].encode("utf-16", "surrogatepass").decode("utf-16")
        glyphs.texts[match.start() : match.end()] = [pair, ""]
    if count:
        visible = layer.get_text_bounded()
        _join_lines(glyphs)
        if len(visible) < count and _count_drawn(visible) < _count_drawn(text):
            _leave_out_hidden(glyphs, visible)
    return glyphs


def _join_lines(glyphs: PageGlyphs) -> None:
    """Remove the line ends that pdfium sees behind a script in the middle of a line."""
    text = glyphs.text
    for match in _LINE_END.finditer(text):
        before, behind = match.start() - 1, match.end()
        if before < 0 or behind >= len(text):
            continue
        left, right = glyphs.box(before), glyphs.box(behind)
        if left is None or right is None or right.left < left.left:
            continue
        size = max(right.top - right.bottom, left.top - left.bottom, 1.0)
        overlap = min(left.top, right.top) - max(left.bottom, right.bottom)
        gap = right.left - left.right
        if overlap < _SAME_LINE * size or not -_WORD_GAP < gap / size < _MAX_GAP:
            continue
        is_apart = gap > _WORD_GAP * size and not text[before].isspace()
        glyphs.texts[behind - 1] = " " if is_apart and text[behind] != " " else ""


def _leave_out_hidden(glyphs: PageGlyphs, visible: str) -> None:
    """Leave out the characters outside of the visible area of the page."""
    if len(_NO_WORD.sub("", visible)) >= len(_NO_WORD.sub("", glyphs.text)):
        return
    left, bottom, right, top = glyphs.layer.page.get_bbox()

    def is_hidden(at: int) -> bool:
        box = glyphs.box(at)
        return box is not None and not (
            box.left < right
            and box.right > left
            and box.bottom < top
            and box.top > bottom
        )

    for line in _LINE.finditer(glyphs.text):
        if is_hidden(line.start()) or is_hidden(line.end() - 1):
            for at in range(line.start(), line.end()):
                if not glyphs.text[at].isspace() and is_hidden(at):
                    glyphs.texts[at] = ""


def _count_drawn(text: str) -> int:
    """Return the number of characters that are no white space."""
    return len("".join(text.replace("\0", "").split()))
