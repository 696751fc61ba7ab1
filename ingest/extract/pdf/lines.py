"""Lines of a PDF page: sideways text, and the line numbers in the margin of drafts."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import median

from dunegpt.ingest.extract.pdf.glyphs import GlyphBox, PageGlyphs

_QUARTER = math.pi / 2
_TOLERANCE = 0.05
_WORD_GAP = 0.18

_NUMBER_FIRST = re.compile(r"\s*(\d{1,4})(?=\s|$)")
_NUMBER_LAST = re.compile(r"(?<=\s)(\d{1,4})\s*$")
_MAYBE_FIRST = re.compile(r"\n[ \0]*\d{1,4}(?=[\s\0]|$)")
_MIN_NUMBERS = 5
_LINE = re.compile(r"[^\s\0](?:[^\n\0]*[^\s\0])?")
_HYPHENS = "\ufffe"
_EDGE = 2.0
_MARGIN_GAP = 0.35
_SMALL = 0.85
_BODY_LINE = 20
_BESIDE = 0.8
_STEPS = (1, 5)
_LOWER_SHARE = 0.2
_PROSE_WORDS = 5
_SAME_LINE = 0.3
_TOUCHING = 0.2
_MAX_GAP = 1.0
_SAME_SIZE = 0.05

FindSizes = Callable[[], list[float]]


def turn_sideways_lines(glyphs: PageGlyphs) -> None:
    """Give sideways characters upright places, and break them into lines."""
    text = glyphs.text
    spans = []
    for begin, end in glyphs.spans:
        last = end - 1
        while last > begin and text[last] in " \0":
            last -= 1
        if begin < end:
            spans.append((begin, end, last))
    glyphs.measure(at for begin, _, last in spans for at in (begin, last))
    for begin, end, last in spans:
        if _runs_right(glyphs.box(begin), glyphs.box(last)):
            continue
        middle = (begin + end) // 2
        while middle > begin and text[middle] in " \0\n":
            middle -= 1
        if not _quarter(glyphs.angle(middle)):
            continue
        drawn = [at for at in range(begin, end) if text[at] not in " \0"]
        turned = []
        for at in drawn:
            if quarter := _quarter(glyphs.angle(at)):
                glyphs.turn(at, quarter)
                turned.append(at)
        _break_lines(glyphs, turned)


def _runs_right(first: GlyphBox | None, final: GlyphBox | None) -> bool:
    """Return whether a line ends right of where it begins: it is not sideways."""
    if first is None or final is None:
        return False
    rises = abs(final.bottom - first.bottom)
    return final.left - first.left > rises + 0.5 * first.size > 0.5


def _quarter(angle: float) -> int:
    """Return the quarters of a turn clockwise that make a character upright, or 0."""
    quarters = angle / _QUARTER
    near = round(quarters)
    if angle < 0 or abs(quarters - near) > _TOLERANCE:
        return 0
    return (4 - near) % 4


def _break_lines(glyphs: PageGlyphs, turned: list[int]) -> None:
    """Put line ends and spaces between characters that were turned upright."""
    for last, at in pairwise(turned):
        before, box = glyphs.box(last), glyphs.box(at)
        if before is None or box is None:
            continue
        size = max(box.size, before.size, 1.0)
        rises = abs(glyphs.baseline(at) - glyphs.baseline(last)) > 0.6 * size
        if rises or box.right < before.left:
            glyphs.texts[at] = f"\n{glyphs.texts[at]}"
        elif box.left - before.right > _WORD_GAP * size and at == last + 1:
            glyphs.texts[at] = f" {glyphs.texts[at]}"


@dataclass(frozen=True, slots=True)
class _Number:
    """A number at the begin or end of a line, and the rest of that line."""

    value: int
    begin: int
    end: int
    left: float
    right: float
    size: float
    rest: str
    inner: float


def drop_line_numbers(glyphs: PageGlyphs) -> None:
    """Leave out the line numbers in the margins of a draft.

    They count in even steps, stand below each other outside of the text, and are small,
    or the lines beside them go on in the middle of sentences: a numbered list does not.
    """
    find_sizes = cache(lambda: _measure_body(glyphs))
    for is_first in (True, False):
        if not _may_have_numbers(glyphs.text, is_first):
            continue
        numbers = list(_find_numbers(glyphs, is_first))
        for numbers_at_edge in _group_by_edge(numbers):
            for number in _count_up(glyphs, numbers_at_edge, is_first, find_sizes):
                _drop(glyphs, number)


def _may_have_numbers(text: str, is_first: bool) -> bool:
    """Return whether enough lines begin, or end, with a digit."""
    if is_first:
        count = len(_MAYBE_FIRST.findall(f"\n{text}\n"))
    else:
        ends = (line.rstrip(" \0")[-1:] for line in text.split("\n"))
        count = sum(map(str.isdecimal, ends))
    return count >= _MIN_NUMBERS


def _group_by_edge(numbers: list[_Number]) -> Iterator[list[_Number]]:
    """Yield the numbers that are aligned at their right edges, or at their left."""
    for edge in ("right", "left"):
        columns: dict[int, list[_Number]] = defaultdict(list)
        for number in numbers:
            columns[round(getattr(number, edge) / _EDGE)].append(number)
        for key in sorted(columns):
            near = columns[key] + columns.get(key + 1, [])
            yield sorted(near, key=lambda number: number.begin)


def _find_numbers(glyphs: PageGlyphs, is_first: bool) -> Iterator[_Number]:
    """Yield the numbers at the begin, or at the end, of lines, if some count up."""
    candidates = list(_match_numbers(glyphs, is_first))
    if not _may_count_up([int(found[1]) for _, _, _, found in candidates]):
        return
    glyphs.measure(
        begin + at
        for begin, _, _, found in candidates
        for at in (found.start(1), found.end(1) - 1)
    )
    for begin, end, line, found in candidates:
        first, last = begin + found.start(1), begin + found.end(1) - 1
        rest = line[found.end(1) :] if is_first else line[: found.start(1)]
        left, right = glyphs.box(first), glyphs.box(last)
        if left is None or right is None:
            continue
        inner = _inner_edge(glyphs, begin, end, first, last, is_first)
        yield _Number(
            int(found[1]), first, last + 1, left.left, right.right, left.size,
            rest.strip(), inner,
        )  # fmt: skip


def _match_numbers(
    glyphs: PageGlyphs, is_first: bool
) -> Iterator[tuple[int, int, str, re.Match[str]]]:
    """Yield begin, end and text of each line with a number at its edge, and that."""
    text = glyphs.text
    for begin, end in glyphs.spans:
        if begin == end:
            continue
        edge = text[begin if is_first else end - 1]
        if edge == "\0" and not is_first and end - begin > 1:
            edge = text[end - 2]
        if not (edge.isdecimal() or edge.isspace() or edge == "\0"):
            continue
        line = text[begin:end].replace("\0", " ")
        found = (_NUMBER_FIRST.match if is_first else _NUMBER_LAST.search)(line)
        if found:
            yield begin, end, line, found


def _may_count_up(values: list[int]) -> bool:
    """Return whether enough numbers are in steps, whatever stands between them."""
    for step in _STEPS:
        counts: dict[int, int] = {}
        for value in values:
            counts[value] = max(counts.get(value, 0), counts.get(value - step, 0) + 1)
        if max(counts.values(), default=0) >= _MIN_NUMBERS:
            return True
    return False


def _inner_edge(
    glyphs: PageGlyphs, begin: int, end: int, first: int, last: int, is_first: bool
) -> float:
    """Return the edge of a line's text that faces its number; NaN without text."""
    span = range(last + 1, end) if is_first else range(first - 1, begin - 1, -1)
    for at in span:
        if glyphs.text[at] not in " \0" and (box := glyphs.box(at)):
            return box.left if is_first else box.right
    return math.nan


def _count_up(
    glyphs: PageGlyphs, numbers: list[_Number], is_first: bool, find_sizes: FindSizes
) -> list[_Number]:
    """Return the line numbers in a column of numbers; empty if there are none.

    Args:
        glyphs: The characters of the page.
        numbers: The column, in drawing order.
        is_first: Whether they stand at the begin of lines.
        find_sizes: Returns the sizes of the long lines of the page.
    """
    if len(numbers) < _MIN_NUMBERS or any(not number.value for number in numbers):
        return []
    for step in _STEPS:
        run = [numbers[0]]
        for number in numbers[1:]:
            if number.value - run[-1].value == step:
                run.append(number)
        if len(run) >= max(_MIN_NUMBERS, 0.8 * len(numbers)):
            if not _is_margin(glyphs, run, is_first, find_sizes):
                return []
            return run + _find_restarted(numbers, run, find_sizes)
    return []


def _find_restarted(
    numbers: list[_Number], run: list[_Number], find_sizes: FindSizes
) -> list[_Number]:
    """Return the numbers in the column of small line numbers that begin to count anew.

    TeX may start again at 1 on the last line of a page.
    """
    size = median(number.size for number in run)
    if size > _SMALL * _body_size(find_sizes(), run):
        return []
    alike = abs(size) * _SAME_SIZE
    own = {number.begin for number in run}
    return [n for n in numbers if n.begin not in own and abs(n.size - size) < alike]


def _is_margin(
    glyphs: PageGlyphs, run: list[_Number], is_first: bool, find_sizes: FindSizes
) -> bool:
    """Return whether counting numbers stand outside of the text that they count."""
    size = median(number.size for number in run)
    edges = [number.right if is_first else number.left for number in run]
    if any(
        abs(number.inner - edge) < _MARGIN_GAP * size
        for number, edge in zip(run, edges, strict=True)
        if number.rest
    ):
        return False
    rests = [number.rest for number in run if number.rest]
    if len(rests) < 0.5 * len(run) and not _stand_beside(glyphs, run):
        return False
    if size < _SMALL * _body_size(find_sizes(), run):
        return True
    if len(rests) < 0.5 * len(run):
        rests = _lines_inside(glyphs, run)
    if not rests:
        return False
    lower = sum(rest[:1].islower() for rest in rests)
    words = median(len(rest.split()) for rest in rests)
    return words >= _PROSE_WORDS and lower >= _LOWER_SHARE * len(rests)


def _stand_beside(glyphs: PageGlyphs, run: list[_Number]) -> bool:
    """Return whether numbers are at the heights of lines; labels of axes are not."""
    lines = [
        box
        for match in _LINE.finditer(glyphs.text)
        if len(match[0]) > _BODY_LINE and (box := glyphs.box(match.start()))
    ]
    beside = 0
    for number in run:
        box = glyphs.box(number.begin)
        beside += box is not None and any(
            line.bottom < (box.bottom + box.top) / 2 < line.top for line in lines
        )
    return beside >= _BESIDE * len(run)


def _measure_body(glyphs: PageGlyphs) -> list[float]:
    """Return the sizes of the long lines of a page."""
    middles = [
        (match.start() + match.end()) // 2
        for match in _LINE.finditer(glyphs.text)
        if len(match[0]) > _BODY_LINE
    ]
    glyphs.measure(middles)
    return [box.size for box in map(glyphs.box, middles) if box]


def _body_size(sizes: list[float], run: list[_Number]) -> float:
    """Return the usual size of the text on a page beside line numbers."""
    return median(sizes) if len(sizes) >= len(run) / 2 else 0.0


def _lines_inside(glyphs: PageGlyphs, run: list[_Number]) -> list[str]:
    """Return the lines of a page, if all are beside the column of numbers."""
    own = {number.begin for number in run}
    left = min(number.left for number in run)
    right = max(number.right for number in run)
    lines = []
    for match in _LINE.finditer(glyphs.text):
        first, last = glyphs.box(match.start()), glyphs.box(match.end() - 1)
        if match.start() in own or first is None or last is None:
            continue
        if first.left < right and last.right > left:
            return []
        lines.append(match[0])
    return lines


def _drop(glyphs: PageGlyphs, number: _Number) -> None:
    """Leave out a number, and the line end if it is alone on its line."""
    for at in range(number.begin, number.end):
        glyphs.texts[at] = ""
    if number.begin and glyphs.text[number.begin - 1] in _HYPHENS:
        glyphs.texts[number.end] = ""
    text = glyphs.text
    if not number.rest and (end := text.find("\n", number.end)) >= 0:
        glyphs.texts[end] = ""
    before, behind = number.begin - 1, number.end
    while before >= 0 and text[before] in " \n\0":
        before -= 1
    while behind < len(text) and text[behind] in " \n\0":
        behind += 1
    if before >= 0 and behind < len(text):
        _join_around(glyphs, before, behind)


def _join_around(glyphs: PageGlyphs, before: int, behind: int) -> None:
    """Join a line that was broken by its number, which is drawn in the middle of it."""
    left, right = glyphs.box(before), glyphs.box(behind)
    if left is None or right is None:
        return
    size = max(left.size, right.size, 1.0)
    overlap = min(left.top, right.top) - max(left.bottom, right.bottom)
    gap = (right.left - left.right) / size
    if overlap < _SAME_LINE * size or not -_TOUCHING < gap < _MAX_GAP:
        return
    for at in range(before + 1, behind):
        glyphs.texts[at] = ""
    if gap > _TOUCHING:
        glyphs.texts[before + 1] = " "
