"""Titles of slides that are drawn last: read first, as on the screen.

PowerPoint and Keynote write shapes in the order of their layers, and templates hold the
title in one of the last. Only slides are looked at: pages that are wider than high.
"""

import re
from statistics import median

from dunegpt.ingest.extract.pdf.glyphs import PageGlyphs

_LINE = re.compile(r"[^\s\0](?:[^\n\0]*[^\s\0])?")
_TOP_SHARE = 0.25
_LARGER = 1.15
_MIN_LINES = 3
_MAX_TITLE = 120


def move_title_first(glyphs: PageGlyphs, text: str) -> str:
    """Return the text of a page with its title in front.

    Args:
        glyphs: The characters of the page.
        text: Their text in reading order.
    """
    page = glyphs.layer.page
    width, height = page.get_size()
    if width <= height or page.get_rotation() or glyphs.quarters:
        return text
    title = _find_late_title(glyphs)
    lines = text.split("\n")
    if not title or lines.count(title) != 1:
        return text
    lines.remove(title)
    return "\n".join([title, *lines])


def _find_late_title(glyphs: PageGlyphs) -> str:
    """Return the large line at the top of a slide if it is not drawn first, or ""."""
    spans = [match.span() for match in _LINE.finditer(glyphs.text)]
    places = [(box, span) for span in spans if (box := glyphs.box(span[0]))]
    if len(places) < _MIN_LINES:
        return ""
    first, (begin, end) = max(places, key=lambda place: place[0].bottom)
    _, bottom, _, top = glyphs.layer.page.get_bbox()
    is_at_top = first.bottom > top - _TOP_SHARE * (top - bottom)
    is_large = first.size > _LARGER * median(box.size for box, _ in places)
    is_alone = all(
        box.top < first.bottom + 0.5 * first.size
        for box, span in places
        if span[0] != begin
    )
    if begin == spans[0][0] or not (is_at_top and is_large and is_alone):
        return ""
    title = "".join(glyphs.texts[begin:end]).strip()
    return title if len(title) <= _MAX_TITLE else ""
