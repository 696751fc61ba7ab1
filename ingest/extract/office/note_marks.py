"""Which raised characters of office documents are typed marks of notes, no exponents.

A mark counts if some paragraph begins with it, raised, as a note does: with
``³ in air`` below, ``45 kg³`` is 45 kg with note 3. What is raised behind 10, a bracket
or a unit of length stays a power.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from dunegpt.text.typography import Shift

_MARK = re.compile(r"[\[(]?(\d{1,2}|[a-z])[\])]?")
_ISOTOPE = re.compile(r"\d{1,3}")
_ELEMENT = re.compile(r"[A-Z][a-z]?(?![a-z])")
_POWER_BASE = re.compile(
    r"(?:(?<![\w.])(?:10|2|e)|[)\]}]|(?<![A-Za-z])(?:[kcdmnµ\u03bc]?m|in|ft|s)"
    r"|(?<![\w])[A-Za-z\u0370-\u03ff])$"
)

Runs = Iterable[tuple[str, Shift]]


def find_leading_mark(runs: Runs) -> str:
    """Return the mark with which a paragraph begins; empty if it begins with none."""
    mark = ""
    for text, shift in _iter_merged(runs):
        if not text.strip():
            continue
        if mark:
            is_isotope = _ISOTOPE.fullmatch(mark) and _ELEMENT.match(text)
            return "" if shift or is_isotope else mark
        match = _MARK.fullmatch(text.strip())
        if shift != "super" or not match:
            return ""
        mark = match[1]
    return ""


def mark_notes(runs: Runs, marks: frozenset[str]) -> list[tuple[str, Shift]]:
    """Return runs with the marks of notes on the line, as ``[note 3]``.

    Args:
        runs: Those of a paragraph.
        marks: Marks with which paragraphs of the document or slide begin.
    """
    merged = list(_iter_merged(runs))
    if not marks:
        return merged
    made, before = list[tuple[str, Shift]](), ""
    for at, (text, shift) in enumerate(merged):
        following = merged[at + 1][0] if at + 1 < len(merged) else ""
        match = _MARK.fullmatch(text.strip())
        is_mark = shift == "super" and match is not None and match[1] in marks
        if match and is_mark and not _is_power(before, match[1], following):
            space = " " if before.strip() and not before.endswith(" ") else ""
            made.append((f"{space}[note {match[1]}]", ""))
        else:
            made.append((text, shift))
        before += text
    return made


def _iter_merged(runs: Runs) -> Iterator[tuple[str, Shift]]:
    """Yield runs with neighbours that are shifted alike as one."""
    filled = (run for run in runs if run[0])
    for shift, group in groupby(filled, key=lambda run: run[1]):
        yield "".join(text for text, _ in group), shift


def _is_power(before: str, mark: str, following: str) -> bool:
    is_isotope = _ISOTOPE.fullmatch(mark) and _ELEMENT.match(following)
    return bool(is_isotope or (before.strip() and _POWER_BASE.search(before)))
