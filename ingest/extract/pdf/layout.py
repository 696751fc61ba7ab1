"""Layout analysis: orders the segments of a page as table rows and text columns.

Works on coordinates only; does not depend on PDF.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.pdf.segments import SegmentLine
from dunegpt.ingest.extract.pdf.tables import (
    MAX_HEAD_ROWS,
    MIN_ROWS,
    FindRules,
    TableMemory,
    build_table,
)

_PROSE_WORDS = 5
_LINES_AROUND = 3
_HEADING_NUMBER = re.compile(r"(?:\d+(?:\.\d+)*\.?|[A-Z]\.)")


def arrange_lines(
    lines: list[SegmentLine],
    memory: TableMemory | None = None,
    find_rules: FindRules = list,
) -> Iterator[str]:
    """Yield the lines of a page as text, with tables as rows.

    Args:
        lines: The segments of each line, in drawing order.
        memory: The table at the end of the page before; updated. A table that goes on
            at the top of this page gets its head again.
        find_rules: Returns the horizontal rules of the page.
    """
    memory = TableMemory() if memory is None else memory
    at, above = 0, 0
    while at < len(lines):
        end = _find_table_end(lines, at)
        if end - at < MIN_ROWS or _ends_sentence(lines[at]):
            yield _join_segments(lines[at])
            at += 1
            above += 1
            continue
        run = lines[at:end]
        if _is_prose(run):
            yield from _read_columns(run)
        elif table := build_table(run, find_rules):
            head = memory.head_of(table) if above <= _LINES_AROUND else ""
            yield from ("", *filter(None, [head]), *table.rows, "")
            memory.keep(table, head)
            at, above = end, _LINES_AROUND + 1
            last = len(lines) - end
            if last > _LINES_AROUND:
                memory.forget()
            continue
        else:
            yield from map(_join_segments, run)
        above += end - at
        at = end
    if above > 0 and above <= _LINES_AROUND:
        memory.forget()


def _join_segments(line: SegmentLine) -> str:
    return " ".join(segment.text for segment in line)


def _ends_sentence(line: SegmentLine) -> bool:
    """Return whether a line ends the text above a table."""
    return len(line) == 1 and line[0].text.endswith((".", ":"))


def _find_table_end(lines: list[SegmentLine], begin: int) -> int:
    """Return the index after the last row of a table that may begin at `begin`.

    Lines of one short segment are included if a line with a gap follows soon: they are
    cells that are alone on their line.
    """
    end, index, single_count = begin, begin, 0
    while index < len(lines) and single_count <= MAX_HEAD_ROWS:
        if index > begin and not _is_near(lines[index - 1], lines[index]):
            break
        if _is_heading(lines[index]):
            break
        if len(lines[index]) >= 2:
            end, single_count = index + 1, 0
        elif lines[index][0].words > 3:
            break
        else:
            single_count += 1
        index += 1
    multi = sum(len(line) >= 2 for line in lines[begin:end])
    return end if multi >= MIN_ROWS and multi * 2 >= end - begin else begin


def _is_heading(line: SegmentLine) -> bool:
    """Return whether a line is a numbered heading such as ``5.2   Results``."""
    number, *rest = line
    titled = len(rest) == 1 and rest[0].text[:1].isupper()
    return titled and bool(_HEADING_NUMBER.fullmatch(number.text))


def _is_near(above: SegmentLine, below: SegmentLine) -> bool:
    """Return whether two lines are as close as the rows of a table."""
    height = max(above[0].height, below[0].height)
    return abs(above[0].middle - below[0].middle) < 4 * height


def _is_prose(run: list[SegmentLine]) -> bool:
    """Return whether the lines are two columns of prose side by side."""
    pairs = [line for line in run if len(line) == 2]
    long = [s.words >= _PROSE_WORDS for line in pairs for s in line]
    return len(pairs) > 0.7 * len(run) and sum(long) > 0.7 * len(long)


def _read_columns(run: list[SegmentLine]) -> Iterator[str]:
    """Yield the left column, then the right one."""
    pairs = [line for line in run if len(line) == 2]
    middle = sum(line[0].right + line[1].left for line in pairs) / (2 * len(pairs))
    for right in (False, True):
        for line in run:
            if segments := [s for s in line if (s.left >= middle) is right]:
                yield _join_segments(segments)
