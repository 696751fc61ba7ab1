"""Groups the lines under each heading into a page, for formats without pages."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from dunegpt.ingest.extract.figures import find_marked, mark_figure
from dunegpt.types import Page

PICTURE = "picture"
"""Stands for the label of a figure until its caption is found, see `join_captions`."""

_PATH_LEVELS = 3
_PAGE_CHARACTERS = 12_000


@dataclass(frozen=True, slots=True)
class SectionLine:
    """One line or block of a document.

    Attributes:
        level: Heading level, from 1; 0 for text.
        number: Line number in the file, or 0.
        figure: Label of the figure that it belongs to; empty for running text.
    """

    text: str
    level: int = 0
    number: int = 0
    figure: str = ""


def split_sections(lines: Iterable[SectionLine], *, title: str = "") -> Iterator[Page]:
    """Yield one page per heading that has text below it; long ones are split.

    A heading without text is joined with the next section, so that no text is lost and
    no page is just a title. The heading of a page is the path of headings above it.

    Args:
        lines: Lines in file order.
        title: Heading for text before the first heading.
    """
    path, group, has_body, number = list[SectionLine](), list[SectionLine](), False, 0
    for line in lines:
        size = sum(len(row.text) + 1 for row in group) if len(group) % 64 == 0 else 0
        if has_body and (line.level or size > _PAGE_CHARACTERS):
            number += 1
            yield _build_page(number, _format_heading(path, title), group)
            group, has_body = [], False
        if line.level:
            path = [above for above in path if above.level < line.level] + [line]
        group.append(line)
        has_body = has_body or (not line.level and bool(line.text.strip()))
    if any(line.text.strip() for line in group):
        yield _build_page(number + 1, _format_heading(path, title), group)


def _format_heading(path: list[SectionLine], title: str) -> str:
    return " > ".join(line.text for line in path[-_PATH_LEVELS:]) or title


def _build_page(number: int, heading: str, lines: list[SectionLine]) -> Page:
    labels = [label for label, _ in groupby(line.figure for line in lines) if label]
    text = "\n".join(_mark_figures(lines) if labels else (line.text for line in lines))
    first = next((line.number for line in lines if line.text.strip()), 0)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n").rstrip()
    page = Page(number, heading, text, f"line {first}" if first else "", first)
    return find_marked(page, labels) if labels else page


def _mark_figures(lines: list[SectionLine]) -> Iterator[str]:
    """Yield the lines; the texts of figures stand apart, and are marked."""
    for label, group in groupby(lines, key=lambda line: line.figure):
        own = "\n".join(line.text for line in group)
        yield f"\n{mark_figure(own.strip())}\n" if label else own


def join_captions(lines: Iterable[SectionLine]) -> Iterator[SectionLine]:
    """Yield lines; those of a picture get the label of the caption that follows."""
    waiting = list[SectionLine]()
    for line in lines:
        is_blank = not line.text.strip() and not line.level
        if line.figure == PICTURE or (waiting and is_blank):
            waiting.append(line)
            continue
        yield from (replace(each, figure=line.figure) for each in waiting)
        waiting.clear()
        yield line
    yield from (replace(each, figure="") for each in waiting)
