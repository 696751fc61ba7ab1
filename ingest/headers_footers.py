"""Tells the lines that run over pages, heads and feet, from the text between them.

Knows no file format.
"""

import re
from collections import Counter
from collections.abc import Sequence

from dunegpt.types import Page

_EDGE_LINES = 2
_MIN_REPEATS = 2
_MIN_WORDS = 4


def find_body_spans(pages: Sequence[Page]) -> list[tuple[int, int]]:
    """Return for each page the span of its text between running head and foot.

    A line at the edge of a page runs if it stands, numbers apart, at the same edge of
    most pages, and nowhere inside a page, as the rows of a table do. It stays on the
    page that is shown, and is left out of passages: it would be the beginning of every
    one of them. A page that has nothing else, and some words, keeps them all.
    """
    edges = [_edge_lines(page.text) for page in pages]
    inside = {key for page in pages for key in _inner_lines(page.text)}
    heads = Counter(k for head, _ in edges for k in {k for k, _ in head} - inside)
    feet = Counter(k for _, foot in edges for k in {k for k, _ in foot} - inside)
    least = max(_MIN_REPEATS, len(pages) // 2 + 1)
    spans = []
    for page, (head, foot) in zip(pages, edges, strict=True):
        start = max((at for key, at in head if heads[key] >= least), default=0)
        end = min(
            (at for key, at in foot if feet[key] >= least), default=len(page.text)
        )
        whole = start >= end and len(page.text.split()) >= _MIN_WORDS
        spans.append((0, len(page.text)) if whole else (start, max(start, end)))
    return spans


def _normalize_line(line: str) -> str:
    """Return a line without what differs from page to page."""
    return re.sub(r"\d+", "#", line).strip()


def _inner_lines(text: str) -> list[str]:
    keys = [key for line in text.split("\n") if (key := _normalize_line(line))]
    return keys[_EDGE_LINES:-_EDGE_LINES]


def _edge_lines(text: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return first and last lines of a page, numbers out: (line, where it ends/begins).

    Every line is paired with the offset that a body without it begins or ends at.
    """
    lines, at = [], 0
    for line in text.split("\n"):
        if key := _normalize_line(line):
            lines.append((key, at, at + len(line) + 1))
        at += len(line) + 1
    head = [(key, min(end, len(text))) for key, _, end in lines[:_EDGE_LINES]]
    foot = [(key, start) for key, start, _ in lines[-_EDGE_LINES:]]
    return head, foot
