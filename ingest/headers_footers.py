"""Separates running headers and footers from the text between them.

Knows no file format.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from dunegpt.types import Page

_EDGE_LINES = 2
_MIN_REPEATS = 2
_MIN_WORDS = 4


def find_body_spans(pages: Sequence[Page]) -> list[tuple[int, int]]:
    """Return for each page the span of its text between running head and foot.

    A line at the edge of a page runs if it stands, numbers apart, at the same edge of
    most pages, and nowhere inside a page, as the rows of a table do. It stays on the
    page that is shown, and is left out of passages: it would be the beginning of every
    one of them. A line within a title would take that along, and is not left out. A
    page that has nothing else, and some words, keeps them all. The text of figures does
    not count.
    """
    edges = [_edge_lines(page) for page in pages]
    inside = {key for page in pages for key in _inner_lines(page)}
    heads = Counter(k for head, _ in edges for k in {k for k, _ in head} - inside)
    feet = Counter(k for _, foot in edges for k in {k for k, _ in foot} - inside)
    least = max(_MIN_REPEATS, len(pages) // 2 + 1)
    spans = []
    for page, (head, foot) in zip(pages, edges, strict=True):
        start = _last_running(head, heads, least, 0)
        end = _last_running(foot[::-1], feet, least, len(page.text))
        whole = start >= end and len(page.text.split()) >= _MIN_WORDS
        spans.append((0, len(page.text)) if whole else (start, max(start, end)))
    return spans


def _last_running(
    edge: list[tuple[str, int]], counts: Counter[str], least: int, default: int
) -> int:
    """Return where the body begins, or ends, within the lines of an edge.

    Args:
        edge: The lines from the edge inwards, each with the offset behind it.
        counts: The number of pages that have each line at this edge.
        least: From how many pages on a line runs.
        default: The offset if no line at the very edge runs.
    """
    found = default
    for key, at in edge:
        if counts[key] < least:
            break
        found = at
    return found


def _normalize_line(line: str) -> str:
    """Return a line without what differs from page to page."""
    return re.sub(r"\d+", "#", line).strip()


def _iter_lines(page: Page) -> Iterator[tuple[str, int, int]]:
    """Yield the lines outside of figures, without numbers, and where they stand."""
    at = 0
    for line in page.text.split("\n"):
        end = at + len(line) + 1
        if key := _normalize_line(line):
            if not any(figure.start <= at < figure.end for figure in page.figures):
                yield key, at, min(end, len(page.text))
        at = end


def _inner_lines(page: Page) -> list[str]:
    return [key for key, _, _ in _iter_lines(page)][_EDGE_LINES:-_EDGE_LINES]


def _edge_lines(page: Page) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the first and last lines of a page: (line, where it ends or begins).

    Every line is paired with the offset that a body without it begins or ends at.
    """
    lines = list(_iter_lines(page))
    head = [(key, end) for key, _, end in lines[:_EDGE_LINES]]
    foot = [(key, start) for key, start, _ in lines[-_EDGE_LINES:]]
    return head, foot
