"""Titles of slides that are drawn last: read first, and feet that are: read last.

PowerPoint and Keynote write shapes in the order of their layers, and templates hold the
title in one of the last. Only slides are looked at: pages that are wider than high.
"""

import re
from itertools import takewhile
from statistics import median
from typing import NamedTuple

from dunegpt.ingest.extract.pdf.glyphs import GlyphBox, PageGlyphs

_LINE = re.compile(r"[^\s\0](?:[^\n\0]*[^\s\0])?")
_TOP_SHARE = 0.25
_FOOT_SHARE = 0.12
_LARGER = 1.15
_MIN_LINES = 3
_MAX_TITLE = 120


def move_title_first(glyphs: PageGlyphs, text: str) -> str:
    """Return the text of a page with its title in front, and its foot at the end.

    Args:
        glyphs: The characters of the page.
        text: Their text in reading order.
    """
    page = glyphs.layer.page
    width, height = page.get_size()
    if width <= height or page.get_rotation() or glyphs.quarters:
        return text
    spans = [match.span() for match in _LINE.finditer(glyphs.text)]
    places = [_Line(box, *span) for span in spans if (box := glyphs.box(span[0]))]
    title = _find_late_title(glyphs, places)
    own = _read(glyphs, title) if title else ""
    lines = text.split("\n")
    if title is None or lines.count(own) != 1 or len(own) > _MAX_TITLE:
        return text
    lines.remove(own)
    foot = [_read(glyphs, line) for line in _find_early_foot(glyphs, places, title)]
    if foot and lines[: len(foot)] == foot:
        lines = [*lines[len(foot) :], *foot]
    return "\n".join([own, *lines])


class _Line(NamedTuple):
    """A drawn line: the place of its first character, and its begin and end."""

    box: GlyphBox
    begin: int
    end: int


def _read(glyphs: PageGlyphs, line: _Line) -> str:
    return "".join(glyphs.texts[line.begin : line.end]).strip()


def _find_late_title(glyphs: PageGlyphs, lines: list[_Line]) -> _Line | None:
    """Return the large line at the top of a slide if it is not drawn first."""
    if len(lines) < _MIN_LINES:
        return None
    first = max(lines, key=lambda line: line.box.bottom)
    _, bottom, _, top = glyphs.layer.page.get_bbox()
    is_at_top = first.box.bottom > top - _TOP_SHARE * (top - bottom)
    is_large = first.box.size > _LARGER * median(line.box.size for line in lines)
    is_alone = all(
        line.box.top < first.box.bottom + 0.5 * first.box.size
        for line in lines
        if line is not first
    )
    is_late = first is not lines[0] and is_at_top and is_large and is_alone
    return first if is_late else None


def _find_early_foot(
    glyphs: PageGlyphs, lines: list[_Line], title: _Line
) -> list[_Line]:
    """Return the lines at the foot of a slide that are drawn before all others.

    Templates hold the name of the meeting and the page number. In front of the text,
    they would stand between it and its title.
    """
    _, bottom, _, top = glyphs.layer.page.get_bbox()
    edge = bottom + _FOOT_SHARE * (top - bottom)
    body = [line for line in lines if line is not title]
    foot = list(takewhile(lambda line: line.box.top < edge, body))
    rest = body[len(foot) :]
    lowest = min((line.box.bottom for line in rest), default=0.0)
    return foot if all(line.box.bottom <= lowest for line in foot) else []
