"""The characters of a PDF page, as drawn, with access to their places and fonts.

Other modules repair characters in `PageGlyphs.texts`: an entry may become another text,
or none, but keeps its index, so that a quote is still found on the page.
"""

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from pypdfium2 import raw

_FONT_NAME_BYTES = 128
_NOTHING = re.compile("\0")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LINE_END = re.compile(r"\0?\n")
_LINE = re.compile(r"[^\s\0](?:[^\n\0]*[^\s\0])?")
_SPACES = re.compile(r"[\t \u00a0]*\r[\r\t \u00a0]+|[\t \u00a0]+\r")
_ALTERNATIVES = re.compile(
    "-[\u00ad\u2010\u2011]+|\u00b5\u03bc|\u03a9\u2126|\u0394\u2206|\u2126\u03a9|\u2206\u0394"
    "|\u00b7\u2219|\u00af\u02c9"
)
_SAME_LINE = 0.3
_WORD_GAP = 0.15
_MAX_GAP = 1.0
_RECTANGLE = Struct("4f")
"""The layout of FS_RECTF: left, top, right, bottom."""
_get_loose_char_box = ctypes.PYFUNCTYPE(ctypes.c_int)(
    ctypes.cast(raw.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)


class GlyphBox(NamedTuple):
    """The place of a character in points; y increases upwards.

    Attributes:
        left: Its left edge; `right` minus `left` is its advance.
        top: The ascent of its font.
        right: Its right edge.
        bottom: The descent of its font; `top` minus `bottom` is its size.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def size(self) -> float:
        """The distance from descent to ascent."""
        return self.top - self.bottom

    @property
    def width(self) -> float:
        """The advance."""
        return self.right - self.left


class _GlyphBoxes(dict[int, GlyphBox | None]):
    """The places of the characters of a page, measured when they are asked for.

    A page asks for some hundred places, and pypdfium2 converts all arguments of each
    call: the function of pdfium is called with converted ones, a third of the time.
    """

    def __init__(self, layer: Any, quarters: dict[int, int]) -> None:
        super().__init__()
        self._quarters = quarters
        self._page = ctypes.cast(layer.raw, ctypes.c_void_p)
        self._sides = bytearray(_RECTANGLE.size)
        sides = (ctypes.c_char * _RECTANGLE.size).from_buffer(self._sides)
        self._target = ctypes.c_void_p(ctypes.addressof(sides))

    def __missing__(self, at: int) -> GlyphBox | None:
        box = None
        if _get_loose_char_box(self._page, at, self._target):
            box = tuple.__new__(GlyphBox, _RECTANGLE.unpack(self._sides))
            if self._quarters and (quarter := self._quarters.get(at, 0)):
                box = _turn_box(box, quarter)
        self[at] = box
        return box


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
        box: Returns the place of a character, upright; None if it has none.
    """

    layer: Any
    text: str
    texts: list[str]
    unknown: int = 0
    quarters: dict[int, int] = field(default_factory=dict)
    box: Callable[[int], GlyphBox | None] = field(init=False)
    _boxes: _GlyphBoxes = field(init=False)
    _name: Any = field(
        default_factory=lambda: ctypes.create_string_buffer(_FONT_NAME_BYTES)
    )
    _baselines: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._boxes = _GlyphBoxes(self.layer, self.quarters)
        self.box = self._boxes.__getitem__

    def measured(self) -> list[int]:
        """Return the characters whose places were asked for."""
        return list(self._boxes)

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


def _turn_box(box: GlyphBox, quarter: int) -> GlyphBox:
    """Return a place, turned clockwise around the origin by quarters of a turn."""
    x0, y0 = _turn(box.left, box.bottom, quarter)
    x1, y1 = _turn(box.right, box.top, quarter)
    return GlyphBox(min(x0, x1), max(y0, y1), max(x0, x1), min(y0, y1))


def read_glyphs(layer: Any) -> PageGlyphs:
    """Return the characters of a page that are inside of its visible area."""
    count = layer.count_chars()
    text = layer.get_text_range() if count else ""
    if len(text) != count:
        codes = (raw.FPDFText_GetUnicode(layer.raw, at) for at in range(count))
        text = "".join(map(chr, codes))
    text = _merge_alternatives(text.replace("\r\n", "\0\n")).replace("\r", "\n")
    glyphs = PageGlyphs(layer, text, list(text))
    for match in _NOTHING.finditer(text):
        glyphs.texts[match.start()] = ""
    for match in _SURROGATES.finditer(text):
        pair = match[0].encode("utf-16", "surrogatepass").decode("utf-16")
        glyphs.texts[match.start() : match.end()] = [pair, ""]
    if count:
        _join_lines(glyphs)
        _leave_out_hidden(glyphs)
    return glyphs


def _merge_alternatives(text: str) -> str:
    """Return text with one meaning of each character that has several, padded by NUL.

    The tables of fonts that macOS writes may list all characters that look like a
    glyph: a space is tab, line feed, space and no-break space then.
    """
    if "\r" in text:
        text = _SPACES.sub(lambda spaces: " ".ljust(len(spaces[0]), "\0"), text)
    return _ALTERNATIVES.sub(lambda signs: signs[0][0].ljust(len(signs[0]), "\0"), text)


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


def _leave_out_hidden(glyphs: PageGlyphs) -> None:
    """Leave out the characters outside of the visible area of the page.

    The ends of its lines were measured before, and tell of most pages that all of it
    is visible.
    """
    left, bottom, right, top = glyphs.layer.page.get_bbox()

    def is_hidden(at: int) -> bool:
        box = glyphs.box(at)
        return box is not None and not (
            box.left < right
            and box.right > left
            and box.bottom < top
            and box.top > bottom
        )

    if not any(map(is_hidden, [0, *glyphs.measured(), len(glyphs.text) - 1])):
        return
    lines = [
        line
        for line in _LINE.finditer(glyphs.text)
        if is_hidden(line.start()) or is_hidden(line.end() - 1)
    ]
    if not lines:
        return
    visible = glyphs.layer.get_text_bounded()
    if sum(map(str.isalnum, visible)) >= sum(map(str.isalnum, glyphs.text)):
        return
    for line in lines:
        for at in range(line.start(), line.end()):
            if not glyphs.text[at].isspace() and is_hidden(at):
                glyphs.texts[at] = ""
