"""The characters of a PDF page, as drawn, with access to their places and fonts.

Other modules repair characters in `PageGlyphs.texts`: an entry may become another text,
or none, but keeps its index, so that a quote is still found on the page.
"""

import ctypes
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, count, repeat
from struct import Struct
from typing import Any, NamedTuple

from pypdfium2 import raw

_FONT_NAME_BYTES = 128
_NOTHING = re.compile("\0")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LINE_END = re.compile("\n")
_SPAN_END = re.compile("\n|\ufffe(?!\0?\n)")
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
_AT_ONCE = 512
_sides = bytearray(_AT_ONCE * _RECTANGLE.size)
_first_target = ctypes.addressof(ctypes.c_char.from_buffer(_sides))
_TARGETS = [
    ctypes.c_void_p(_first_target + at * _RECTANGLE.size) for at in range(_AT_ONCE)
]
"""Where pdfium writes the places that are measured together, until they are read."""


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
    call: the function of pdfium is called with converted ones, for many characters in
    one loop of the interpreter, which takes a tenth of the time.
    """

    def __init__(self, layer: Any, quarters: dict[int, int]) -> None:
        super().__init__()
        self._quarters = quarters
        self._page = ctypes.cast(layer.raw, ctypes.c_void_p)

    def __missing__(self, at: int) -> GlyphBox | None:
        box = None
        if _get_loose_char_box(self._page, at, _TARGETS[0]):
            box = tuple.__new__(GlyphBox, _RECTANGLE.unpack_from(_sides))
            if self._quarters and (quarter := self._quarters.get(at, 0)):
                box = _turn_box(box, quarter)
        self[at] = box
        return box

    def measure(self, characters: list[int]) -> None:
        """Measure characters whose places were not asked for yet."""
        for begin in range(0, len(characters), _AT_ONCE):
            some = characters[begin : begin + _AT_ONCE]
            known = list(map(_get_loose_char_box, repeat(self._page), some, _TARGETS))
            sides = _RECTANGLE.iter_unpack(_sides[: len(some) * _RECTANGLE.size])
            self.update(
                zip(some, map(tuple.__new__, repeat(GlyphBox), sides), strict=True)
            )
            if not all(known):
                self.update(
                    (at, None)
                    for at, is_known in zip(some, known, strict=True)
                    if not is_known
                )
            if self._quarters:
                self._turn(some)

    def _turn(self, characters: list[int]) -> None:
        for at in characters:
            if (quarter := self._quarters.get(at, 0)) and (box := self[at]):
                self[at] = _turn_box(box, quarter)


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
    _spans: list[tuple[int, int]] = field(default_factory=list)
    _baselines: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._boxes = _GlyphBoxes(self.layer, self.quarters)
        self.box = self._boxes.__getitem__

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Begin and end of each line; pdfium has a mark for a hyphen at its end."""
        if not self._spans:
            begin = 0
            for match in _SPAN_END.finditer(self.text):
                self._spans.append((begin, match.start()))
                begin = match.end()
            self._spans.append((begin, len(self.text)))
        return self._spans

    def measure(self, characters: Iterable[int]) -> None:
        """Ask for the places of many characters at once; `box` has them then."""
        self._boxes.measure(list(set(characters).difference(self._boxes)))

    def measured(self) -> list[GlyphBox]:
        """Return the places that were asked for."""
        return list(filter(None, self._boxes.values()))

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

    def find_owners(self) -> list[int]:
        """Return the character that each letter of the repaired text comes from."""
        return list(chain.from_iterable(map(repeat, count(), map(len, self.texts))))

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
    size = layer.count_chars()
    text = layer.get_text_range() if size else ""
    is_split = len(text) != size
    if is_split:
        codes = (raw.FPDFText_GetUnicode(layer.raw, at) for at in range(size))
        text = "".join(map(chr, codes))
    text = _merge_alternatives(text.replace("\r\n", "\0\n")).replace("\r", "\n")
    glyphs = PageGlyphs(layer, text, list(text))
    for match in _NOTHING.finditer(text):
        glyphs.texts[match.start()] = ""
    for match in _SURROGATES.finditer(text) if is_split else ():
        pair = match[0].encode("utf-16", "surrogatepass").decode("utf-16")
        glyphs.texts[match.start() : match.end()] = [pair, ""]
    if size:
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
    text, box = glyphs.text, glyphs.box
    ends = []
    for match in _LINE_END.finditer(text, 0, len(text) - 1):
        end = match.start()
        before = end - 2 if text[end - 1 : end] == "\0" else end - 1
        if before >= 0:
            ends.append((before, end + 1))
    glyphs.measure(at for pair in ends for at in pair)
    for before, behind in ends:
        left, right = box(before), box(behind)
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
    glyphs.measure((0, len(glyphs.text) - 1))
    lefts, tops, rights, bottoms = zip(*glyphs.measured(), strict=True)
    if (
        max(lefts) < right
        and min(rights) > left
        and max(bottoms) < top
        and min(tops) > bottom
    ):
        return

    def is_hidden(box: GlyphBox | None) -> bool:
        return box is not None and not (
            box.left < right
            and box.right > left
            and box.bottom < top
            and box.top > bottom
        )

    lines = [
        line
        for line in _LINE.finditer(glyphs.text)
        if is_hidden(glyphs.box(line.start())) or is_hidden(glyphs.box(line.end() - 1))
    ]
    if not lines:
        return
    visible = glyphs.layer.get_text_bounded()
    if sum(map(str.isalnum, visible)) >= sum(map(str.isalnum, glyphs.text)):
        return
    for line in lines:
        for at in range(line.start(), line.end()):
            if not glyphs.text[at].isspace() and is_hidden(glyphs.box(at)):
                glyphs.texts[at] = ""
