"""Pieces of the lines of a PDF page: words without a wide gap, with their places.

Unlike a `TextSegment`, a piece knows its characters, so that it can be taken out of the
page, and sideways text stands where it is seen.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pypdfium2 import raw

from dunegpt.ingest.extract.pdf.glyphs import PageGlyphs
from dunegpt.ingest.extract.pdf.pictures import Rectangle, Sides

_WORD = re.compile("[^\\s\0\u200b-\u200f\ufeff]+")
_RAISED = "\u00b9\u00b2\u00b3\u2070-\u207b"
_NUMBER = re.compile(
    r"[-\u2212\u2013+]?(?:\d[\d.,]*|\.\d+)(?:[eE][-+]?\d+)?"
    rf"(?:[\u00d7x]?10\^?[{_RAISED}]*)?[{_RAISED}]*%?|[{_RAISED}]+"
)
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_MAY_BE_TWO = re.compile(r"Fig|FIG|Table|TABLE")
_MANY_WORDS = 9
_WIDE_GAP = 1.0
_PROSE_WORDS = 5
_MOST = 0.6
_EQUAL = 0.01
_SAME_SIZE = 0.08
_OTHER_SIZE = 0.5


@dataclass(slots=True)
class Piece(Rectangle):
    """A run of words on one line.

    Attributes:
        spans: First and last index of the characters of each word.
        line: Number of its line; pieces of one line follow each other.
        is_sideways: Whether it runs up or down.
        is_prose: Whether it looks like a part of a sentence.
    """

    text: str = ""
    spans: list[tuple[int, int]] = field(default_factory=list)
    line: int = 0
    is_sideways: bool = False
    is_prose: bool = False

    @property
    def size(self) -> float:
        """The height of its letters."""
        return max(self.width if self.is_sideways else self.height, 1.0)

    @property
    def is_numeric(self) -> bool:
        """Whether it has only numbers, as the ticks of an axis."""
        return all(_NUMBER.fullmatch(word) for word in self.text.split(" "))


def read_pieces(glyphs: PageGlyphs) -> list[Piece]:
    """Return the pieces of a page, in drawing order.

    A line of many words is taken as one piece, without asking for the place of each,
    unless it may hold two captions. On a page whose text is sideways, places are those
    of the page turned upright, by `find_quarter`.
    """
    pieces: list[Piece] = []
    quarter = find_quarter(glyphs)
    owners = glyphs.find_owners()
    begin = 0
    lines = []
    for line in "".join(glyphs.texts).split("\n"):
        words = [
            (begin + match.start(), begin + match.end(), match[0])
            for match in _WORD.finditer(line)
        ]
        begin += len(line) + 1
        lines.append((line, words))
    ends = (pair for _, words in lines for pair in (words[:1] + words[-1:]))
    glyphs.measure(owners[at] for begin, end, _ in ends for at in (begin, end - 1))
    for number, (line, words) in enumerate(lines):
        if _is_one(glyphs, owners, line, words):
            joined = " ".join(word for _, _, word in words)
            whole = [(words[0][0], words[-1][1], joined)]
            pieces += _read_line(glyphs, owners, number, whole, quarter)
        else:
            pieces += _read_line(glyphs, owners, number, words, quarter)
    for piece in pieces:
        piece.is_prose = len(_LETTERS.findall(piece.text)) >= _PROSE_WORDS
    return pieces


def _is_one(
    glyphs: PageGlyphs, owners: list[int], line: str, words: list[tuple[int, int, str]]
) -> bool:
    """Return whether a line is many words of one size, not two captions."""
    if len(words) < _MANY_WORDS or _MAY_BE_TWO.search(line):
        return False
    first, last = (glyphs.box(owners[at]) for at in (words[0][0], words[-1][1] - 1))
    if first is None or last is None:
        return False
    return abs(first.size - last.size) < _EQUAL * first.size


def _read_line(
    glyphs: PageGlyphs,
    owners: list[int],
    number: int,
    words: list[tuple[int, int, str]],
    page_quarter: int,
) -> Iterator[Piece]:
    """Yield the pieces of a line.

    Args:
        glyphs: The characters of the page.
        owners: Index of the character that each letter of the page's text comes from.
        number: Number of the line.
        words: Begin and end in the text of the page, and text.
        page_quarter: That of `find_quarter`.
    """
    piece: Piece | None = None
    glyphs.measure(owners[at] for begin, end, _ in words for at in (begin, end - 1))
    for begin, end, text in words:
        first, last = owners[begin], owners[end - 1]
        found = _measure(glyphs, first, last, page_quarter)
        if found is None:
            continue
        sides, is_sideways = found
        if piece is None or not _goes_on(piece, sides, is_sideways=is_sideways):
            if piece is not None:
                yield piece
            piece = Piece(*sides, text, [], number, is_sideways)
        else:
            piece.text += f" {text}"
            piece.add(*sides)
        piece.spans.append((first, last))
    if piece is not None:
        yield piece


def _measure(
    glyphs: PageGlyphs, first: int, last: int, page_quarter: int
) -> tuple[Sides, bool] | None:
    """Return where characters stand, and whether they run up or down."""
    begin, end = glyphs.box(first), glyphs.box(last)
    if begin is None or end is None:
        return None
    left, right = min(begin.left, end.left), max(begin.right, end.right)
    bottom, top = min(begin.bottom, end.bottom), max(begin.top, end.top)
    sides = (left, bottom, right, top)
    if not glyphs.quarters:
        return sides, False
    quarter = (glyphs.quarters.get(first, 0) - page_quarter) % 4
    return turn_back(sides, quarter), quarter % 2 == 1


def find_quarter(glyphs: PageGlyphs) -> int:
    """Return by how many quarters, clockwise, a page has to be turned to be read."""
    if not glyphs.quarters:
        return 0
    quarter, count = Counter(glyphs.quarters.values()).most_common(1)[0]
    letters = sum(not text.isspace() for text in glyphs.texts if text)
    return quarter if count > _MOST * letters else 0


def turn_back(sides: Sides, quarter: int) -> Sides:
    """Return where a rectangle was before it was turned clockwise by quarters."""
    if not quarter:
        return sides
    left, bottom, right, top = sides
    corners = _turn_back(left, bottom, quarter), _turn_back(right, top, quarter)
    (left, right), (bottom, top) = map(sorted, zip(*corners, strict=True))
    return left, bottom, right, top


def is_alike(glyphs: PageGlyphs, piece: Piece, following: Piece) -> bool:
    """Return whether a piece is set in the size of the one before it."""
    difference = abs(piece.size - following.size) / piece.size
    if difference < _SAME_SIZE or difference > _OTHER_SIZE:
        return difference < _SAME_SIZE
    # The boxes of Type 3 and of mathematical fonts depend on the letters.
    last, first = piece.spans[-1][1], following.spans[0][0]
    sizes = [raw.FPDFText_GetFontSize(glyphs.layer.raw, at) for at in (last, first)]
    is_scaled = max(sizes) <= 1  # then the size is that of the matrix, not of the font
    is_same_font = glyphs.font(last) == glyphs.font(first)
    return sizes[0] == sizes[1] and (is_same_font or not is_scaled)


def take_out(glyphs: PageGlyphs, pieces: list[Piece], all_pieces: list[Piece]) -> None:
    """Remove pieces from a page, and the ends of lines that nothing is left of."""
    taken = {id(piece) for piece in pieces}
    kept_lines = {piece.line for piece in all_pieces if id(piece) not in taken}
    gone = {piece.line for piece in pieces} - kept_lines
    for line, end in enumerate(list(_iter_line_ends(glyphs))):
        if line in gone:
            glyphs.texts[end] = glyphs.texts[end].replace("\n", "", 1)
    for piece in pieces:
        for first, last in piece.spans:
            for at in range(first, last + 1):
                glyphs.texts[at] = "\n" * glyphs.texts[at].count("\n")


def _iter_line_ends(glyphs: PageGlyphs) -> Iterator[int]:
    """Yield the index of the character that ends each line."""
    for at, text in enumerate(glyphs.texts):
        for _ in range(text.count("\n")):
            yield at


def _turn_back(x: float, y: float, quarter: int) -> tuple[float, float]:
    """Return a point of the page; `quarter` turns made it upright, clockwise."""
    return ((x, y), (-y, x), (-x, -y), (y, -x))[quarter]


def _goes_on(piece: Piece, sides: Sides, *, is_sideways: bool) -> bool:
    """Return whether a word stands right behind a piece."""
    if piece.is_sideways or is_sideways:
        gap = _WIDE_GAP * piece.size
        return piece.is_sideways == is_sideways and piece.is_near(sides, gap)
    height = piece.top - piece.bottom
    return -0.5 * height <= sides[0] - piece.right <= _WIDE_GAP * height
