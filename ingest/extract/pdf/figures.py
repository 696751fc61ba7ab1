"""Figures of a PDF page: captions, their pictures, and the text within these.

Their text is taken out of the page, whose sentences then go on around them. Pages
without a caption or the ticks of axes are left as they are: no places are asked for.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dunegpt.ingest.extract.figures import (
    UNNUMBERED,
    FigureText,
    format_inner,
    parse_label,
)
from dunegpt.ingest.extract.pdf.glyphs import PageGlyphs
from dunegpt.ingest.extract.pdf.pictures import (
    Picture,
    Rectangle,
    find_pictures,
    make_box,
)
from dunegpt.ingest.extract.pdf.pieces import (
    Piece,
    find_quarter,
    is_alike,
    read_pieces,
    take_out,
    turn_back,
)
from dunegpt.types import Box

_MAY_BE_CAPTION = re.compile(
    r"\n\W{0,2}(?:Supplementary |Extended Data )?"
    r"(?:Fig|FIG)[a-zA-Z.]{0,6}\s?[A-Z]{0,2}[.-]?[\dIVX]"
)
_TICK = r"[-\u2212\u2013]?\d[\d.]*"
_TICKS = re.compile(rf"\n(?:{_TICK}\n){{4}}|\n(?:{_TICK} ){{4,}}{_TICK}\n")
_TABLE = re.compile(r"(?:Table|TABLE|Tab\.)\s+[A-Z]{0,2}[.-]?[\dIVX]")
_SENTENCE_END = (".", ":", "!", "?")
_LINE_PITCH = 1.75
_DRAFT_PITCH = 2.3
_OWN_COLUMN = 0.3
_REACH = 0.25
_BESIDE = 25.0
_SHORT_WORDS = 6
_MIN_TICKS = 4
_PROSE_SHARE = 0.2
_MAX_PROSE = 6
_GRID_SHARE = 0.6


AreAlike = Callable[[Piece, Piece], bool]


@dataclass(slots=True)
class _Caption(Rectangle):
    """A caption: its label, its pieces, and the pictures that it is about."""

    label: str = ""
    pieces: list[Piece] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


def take_figures(glyphs: PageGlyphs, number: int) -> list[FigureText]:
    """Return the figures of a page, and take their text out of it.

    Args:
        glyphs: The characters of the page, repaired; changed.
        number: Number of the page.
    """
    text = f"\n{glyphs.joined()}\n"
    has_caption = ("Fig" in text or "FIG" in text) and _MAY_BE_CAPTION.search(text)
    if not has_caption and not _TICKS.search(text):
        return []
    return _PageFigures(glyphs, number).take()


class _PageFigures:
    """Finds the figures of one page."""

    def __init__(self, glyphs: PageGlyphs, number: int) -> None:
        self._glyphs = glyphs
        self._number = number
        self._quarter = find_quarter(glyphs)
        self._pieces = read_pieces(glyphs)
        self._captions = list(
            _find_captions(
                self._pieces, lambda one, next_: is_alike(glyphs, one, next_)
            )
        )
        self._taken = {id(p) for c in self._captions for p in c.pieces}
        self._prose = [piece for piece in self._pieces if piece.is_prose]
        self._prose_lines = {piece.line for piece in self._prose}
        self._pictures: list[Picture] = []

    def take(self) -> list[FigureText]:
        """Return the figures and take their text out."""
        if not self._captions:
            numeric = [piece for piece in self._pieces if piece.is_numeric]
            if len(numeric) < _MIN_TICKS or _is_grid(numeric):
                return []
        self._pictures = [
            Picture(*turn_back(_sides(picture), -self._quarter % 4), picture.is_drawn)
            for picture in find_pictures(self._glyphs.layer.page)
        ]
        self._assign_pictures()
        figures, removed = list[FigureText](), list[Piece]()
        for caption in self._captions:
            area, inner = self._measure(caption)
            figures.append(self._make(caption, area, inner))
            removed += [*caption.pieces, *inner]
        for picture in self._iter_unnamed():
            area, inner = self._measure(_Caption(*_sides(picture), pictures=[picture]))
            inner = [piece for piece in inner if not piece.is_prose]
            box = self._make_box(area)
            figures.append(FigureText(UNNUMBERED, _format_pieces(inner), box))
            removed += inner
        if removed:
            take_out(self._glyphs, removed, self._pieces)
        return figures

    def _make(
        self, caption: _Caption, area: Rectangle, inner: list[Piece]
    ) -> FigureText:
        own = "".join(_join_lines(caption.pieces))
        text = "\n".join(filter(None, [own, _format_pieces(inner)]))
        return FigureText(caption.label, text, self._make_box(area))

    def _make_box(self, area: Rectangle) -> Box:
        drawn = Rectangle(*turn_back(_sides(area), self._quarter))
        return make_box(self._glyphs.layer.page, self._number, drawn)

    def _assign_pictures(self) -> None:
        """Give each caption the pictures above it, or else below or beside it."""
        for caption in self._captions:
            self._assign_around(caption)
        claimed = {id(p) for c in self._captions for p in c.pictures}
        free = [p for p in self._pictures if id(p) not in claimed]
        above = {id(c): self._find_pictures(c, free, 1) for c in self._captions}
        below = {id(c): self._find_pictures(c, free, -1) for c in self._captions}
        # Captions stand on the same side of all figures of a document.
        if sum(map(bool, below.values())) > sum(map(bool, above.values())):
            above, below = below, above
        for sides in (above, below):
            for caption in self._captions:
                own = [p for p in sides[id(caption)] if id(p) not in claimed]
                if not caption.pictures and own:
                    caption.pictures = own
                    claimed |= set(map(id, own))
        plain = [p for p in self._pictures if id(p) not in claimed]
        for caption in self._captions:
            if not caption.pictures:
                own = self._find_beside(caption, plain)
                for side in (1, -1):
                    own = own or self._find_pictures(caption, plain, side, is_last=True)
                caption.pictures = own = [p for p in own if id(p) not in claimed]
                claimed |= set(map(id, own))
        self._pictures = [p for p in self._pictures if id(p) not in claimed]

    def _assign_around(self, caption: _Caption) -> None:
        """Give a caption the picture that it stands in, as far as it is on its side."""
        x, y = caption.middle
        for picture in self._pictures:
            if not (
                picture.left < x < picture.right and picture.bottom < y < picture.top
            ):
                continue
            inside = [p for p in self._pieces if _is_inside(p, picture)]
            prose = sum(p.is_prose and self._is_free(p) for p in inside)
            if prose > _MAX_PROSE or not picture.is_drawn:
                continue
            if picture.top - caption.top > caption.bottom - picture.bottom:
                picture.bottom = caption.top
            else:
                picture.top = caption.bottom
            caption.pictures = [picture]
            return

    def _find_pictures(
        self,
        caption: _Caption,
        pictures: list[Picture],
        side: int,
        *,
        is_last: bool = False,
    ) -> list[Picture]:
        """Return the pictures on one side of a caption, with no text between.

        Args:
            caption: The caption.
            pictures: Those to choose from.
            side: 1 for above, -1 for below.
            is_last: Whether all of them may be lines and boxes only, and may begin
                beside the caption.
        """
        found: list[Picture] = []
        reach = _REACH * self._glyphs.layer.page.get_height()
        edge = caption.top if side > 0 else caption.bottom
        for picture in sorted(
            pictures, key=lambda p: side * (p.bottom if side > 0 else p.top)
        ):
            near, far = _edges(picture, side)
            _, middle = caption.middle
            if side * (near - middle) < 0 or side * (near - edge) > reach:
                continue
            overlap = picture.overlap(caption.left, caption.right)
            if overlap < (0 if is_last else _OWN_COLUMN):
                continue
            if not self._is_blocked(caption, picture, edge, near):
                found.append(picture)
                edge = max(edge, far, key=lambda y: side * y)
        return found if is_last or any(p.is_drawn for p in found) else []

    def _is_blocked(
        self, caption: _Caption, picture: Picture, edge: float, near: float
    ) -> bool:
        """Return whether running text or a caption stands before a picture."""
        low, high = sorted((edge, near))
        for piece in self._pieces:
            _, y = piece.middle
            if not low < y < high or not _overlaps(piece, caption, picture):
                continue
            own = any(piece is each for each in caption.pieces)
            is_text = piece.is_prose or id(piece) in self._taken
            if not own and (is_text or _TABLE.match(piece.text)):
                return True
        return False

    def _find_beside(self, caption: _Caption, pictures: list[Picture]) -> list[Picture]:
        """Return the picture to the left or right of a caption."""
        beside = [
            picture
            for picture in pictures
            if picture.bottom < caption.top
            and picture.top > caption.bottom
            and (picture.right < caption.left + 2 or picture.left > caption.right - 2)
        ]
        beside.sort(
            key=lambda p: min(abs(p.right - caption.left), abs(p.left - caption.right))
        )
        return beside[:1]

    def _iter_unnamed(self) -> Iterator[Picture]:
        """Yield the pictures without a caption that have the ticks of an axis."""
        for picture in self._pictures:
            if not picture.is_drawn or self._is_below_table(picture):
                continue
            inside = [p for p in self._pieces if _is_inside(p, picture, _BESIDE)]
            numeric = [p for p in inside if p.is_numeric]
            ticks = sum(len(p.text.split(" ")) for p in numeric)
            prose = sum(p.is_prose for p in inside)
            if ticks < _MIN_TICKS or prose > _PROSE_SHARE * len(inside):
                continue
            if not _is_grid(numeric):
                yield picture

    def _is_below_table(self, picture: Picture) -> bool:
        return any(
            _TABLE.match(p.text)
            and picture.bottom < p.bottom < picture.top + 3 * p.size
            and picture.overlap(p.left, p.right) > 0
            for p in self._pieces
        )

    def _measure(self, caption: _Caption) -> tuple[Rectangle, list[Piece]]:
        """Return the place of a caption's pictures with all labels, and these."""
        if not caption.pictures:
            return Rectangle(*_sides(caption)), []
        area = Rectangle(*_sides(caption.pictures[0]))
        for picture in caption.pictures:
            area.add(*_sides(picture))
        inner = [p for p in self._pieces if self._is_free(p) and _is_inside(p, area)]
        for _ in range(3):  # ticks, then the titles of axes
            added = [
                piece
                for piece in self._pieces
                if self._is_free(piece)
                and _is_label(piece, area, caption)
                and not any(piece is own for own in inner)
                and not self._is_in_line(piece)
            ]
            for piece in added:
                area.add(*_sides(piece))
            inner += added
            if not added:
                break
        self._taken |= {id(piece) for piece in inner}
        inner.sort(key=lambda piece: piece.spans[0])
        return area, inner

    def _is_in_line(self, piece: Piece) -> bool:
        """Return whether a piece stands in a line of running text."""
        _, y = piece.middle
        reach = 3 * piece.size
        return piece.line in self._prose_lines or any(
            abs(other.middle[1] - y) < 0.5 * other.size
            and -1 < piece.left - other.right < reach
            for other in self._prose
            if other is not piece
        )

    def _is_free(self, piece: Piece) -> bool:
        return id(piece) not in self._taken


def _find_captions(pieces: list[Piece], are_alike: AreAlike) -> Iterator[_Caption]:
    """Yield the captions of figures, with all their lines.

    Args:
        pieces: Of the page, in drawing order.
        are_alike: Returns whether two lines are set in the same size.
    """
    at = 0
    while at < len(pieces):
        label = parse_label(pieces[at].text)
        if (
            not label
            or pieces[at].is_sideways
            or _is_in_sentence(pieces, at, are_alike)
        ):
            at += 1
            continue
        caption = _Caption(*_sides(pieces[at]), label, [pieces[at]])
        at += 1
        while at < len(pieces) and _continues(caption, pieces[at], are_alike):
            caption.pieces.append(pieces[at])
            caption.add(*_sides(pieces[at]))
            at += 1
        yield caption


def _is_in_sentence(pieces: list[Piece], at: int, are_alike: AreAlike) -> bool:
    """Return whether a piece goes on with the sentence of the line above it."""
    if at == 0:
        return False
    above, own = pieces[at - 1], pieces[at]
    if above.line == own.line:
        return own.left - above.right < 2 * own.size and not above.text.endswith(
            _SENTENCE_END
        )
    is_below = 0 < above.bottom - own.bottom < _LINE_PITCH * own.size
    is_full = above.right > own.left + 0.5 * own.width
    return (
        is_below
        and are_alike(above, own)
        and is_full
        and above.left < own.right
        and not above.text.endswith(_SENTENCE_END)
        and above.is_prose
    )


def _continues(caption: _Caption, piece: Piece, are_alike: AreAlike) -> bool:
    """Return whether a piece belongs to a caption that ends before it."""
    last, first = caption.pieces[-1], caption.pieces[0]
    if piece.is_sideways or parse_label(piece.text) or _TABLE.match(piece.text):
        return False
    if piece.line == last.line:
        return piece.left - last.right < 3 * last.size
    if not are_alike(last, piece):
        return False
    if caption.overlap(piece.left, piece.right) < _OWN_COLUMN:
        return False
    if not _is_next_line(caption.pieces, piece):
        return False
    is_short = last.right < piece.right - 4 * last.size
    is_centered = abs(sum(last.middle[:1]) - piece.middle[0]) < 2 * last.size
    if last.text.endswith(_SENTENCE_END) and is_short and not is_centered:
        return False
    # A line that begins further left than a caption is that of the text below.
    return piece.left > first.left - 12 * last.size or is_centered


def _is_next_line(lines: list[Piece], piece: Piece) -> bool:
    """Return whether a piece is as near below the last line as this to the others."""
    last = lines[-1]
    pitch = last.bottom - piece.bottom
    if not 0.5 * last.size < pitch:
        return False
    bottoms = sorted({round(line.bottom, 1) for line in lines}, reverse=True)
    if len(bottoms) < 2:
        return pitch < _LINE_PITCH * last.size
    return (
        pitch < 1.2 * (bottoms[-2] - bottoms[-1]) and pitch < _DRAFT_PITCH * last.size
    )


def _is_grid(numeric: list[Piece]) -> bool:
    """Return whether numbers are the cells of a table, not the ticks of axes.

    A cell has others both beside it and above or below it.
    """
    cells = 0
    for piece in numeric:
        _, y = piece.middle
        row = [p for p in numeric if abs(p.middle[1] - y) < 0.4 * piece.size]
        column = [p for p in numeric if p.overlap(piece.left, piece.right) > 0]
        cells += len(row) > 1 and len(column) > 1
    return cells > _GRID_SHARE * len(numeric)


def _is_label(piece: Piece, area: Rectangle, caption: _Caption) -> bool:
    """Return whether a piece at the edge of a picture is one of its labels."""
    if piece.is_prose or len(piece.text.split(" ")) > 2 * _SHORT_WORDS:
        return False
    x, y = piece.middle
    is_level = area.bottom - piece.size < y < area.top + piece.size
    is_above = area.left <= x <= area.right
    gap = 1.8 * piece.size
    if is_level and (piece.is_sideways or piece.is_numeric):
        beside = max(_BESIDE, 2 * piece.size) if piece.is_sideways else gap
        return area.left - beside < piece.right and piece.left < area.right + beside
    if piece.is_sideways or not is_above:
        return False
    lies_within = area.left - gap < piece.left and piece.right < area.right + gap
    if (
        caption.pieces
        and caption.top < area.top
        and y > caption.top
        and y < area.bottom
    ):
        return lies_within  # between picture and caption
    if not area.bottom - gap - piece.size < y < area.top + gap:
        return False
    # Axes of ROOT have their titles at the end.
    is_centered = abs(x - area.middle[0]) < 2 * gap or (
        y < area.bottom and abs(piece.right - area.right) < 2 * gap
    )
    is_title = y < area.bottom or len(piece.text.split(" ")) <= _SHORT_WORDS
    return lies_within and (piece.is_numeric or (is_centered and is_title))


def _is_inside(piece: Piece, area: Rectangle, margin: float = 2.0) -> bool:
    x, y = piece.middle
    sticks_out = piece.right > area.right + 0.3 * piece.width + margin
    return (
        area.left - margin <= x <= area.right + margin
        and area.bottom - margin <= y <= area.top + margin
        and not (piece.is_prose and sticks_out)
    )


def _format_pieces(pieces: list[Piece]) -> str:
    """Return what stands in a picture; ticks that follow each other as one text."""
    texts: list[str] = []
    was_numeric = False
    for piece in pieces:
        if piece.is_numeric and was_numeric:
            texts[-1] += f" {piece.text}"
        else:
            texts.append(piece.text)
        was_numeric = piece.is_numeric
    return format_inner(texts)


def _join_lines(pieces: list[Piece]) -> Iterator[str]:
    """Yield the text of pieces with a line feed at each line end."""
    last = pieces[0]
    for piece in pieces:
        if piece is not pieces[0]:
            yield "\n" if piece.line != last.line else " "
        yield piece.text
        last = piece


def _edges(picture: Picture, side: int) -> tuple[float, float]:
    """Return the near and the far edge of a picture, seen from below or above."""
    edges = (picture.bottom, picture.top)
    return edges if side > 0 else edges[::-1]


def _overlaps(piece: Piece, caption: Rectangle, picture: Rectangle) -> bool:
    left = min(caption.left, picture.left)
    right = max(caption.right, picture.right)
    return piece.overlap(left, right) > _OWN_COLUMN


def _sides(area: Rectangle) -> tuple[float, float, float, float]:
    return area.left, area.bottom, area.right, area.top
