"""Comma and tab separated tables to pages: runs of rows with the head repeated."""

import csv
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import row
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_ROWS = 40
_CHARACTERS = 6000
_FILE_CHARACTERS = 1_000_000
_DELIMITERS = ",;\t|"


def pages(task: Task) -> Iterator[Page]:
    """Yield runs of rows; each run after the first begins with the head again."""
    text = decode(task.path.read_bytes())
    number, head, part, room = 0, "", list[str](), _FILE_CHARACTERS
    first = line = 1
    for line, text_row in _rows(task, text):
        head = head or text_row
        if part and (len(part) >= _ROWS or sum(map(len, part)) > _CHARACTERS):
            number += 1
            yield Page(number, "", "\n".join(part), f"line {first}", first)
            part, first = [head], line
        room -= len(text_row)
        if room < 0:
            task.remark(
                f"The table is cut off at line {line} of {text.count(chr(10)) + 1}:"
                f" over {_FILE_CHARACTERS:,} characters."
            )
            break
        part.append(text_row)
    if part:
        yield Page(number + 1, "", "\n".join(part), f"line {first}", first)


def _rows(task: Task, text: str) -> Iterator[tuple[int, str]]:
    """Yield the rows that hold something, with the line that each begins on."""
    csv.field_size_limit(10_000_000)
    reader = csv.reader(text.split("\n"), delimiter=_delimiter(task, text))
    line = 1
    for cells in reader:
        if joined := row(cells):
            yield line, joined
        line = reader.line_num + 1


def _delimiter(task: Task, text: str) -> str:
    """Return what stands between cells: what splits the first lines most evenly."""
    if task.kind == "text/tab-separated-values":
        return "\t"
    lines = [line for line in text[:20_000].split("\n")[:20] if line.strip()]
    counts = {d: [line.count(d) for line in lines] for d in _DELIMITERS}
    steady = [d for d in _DELIMITERS if min(counts[d], default=0) > 0]
    return max(steady, key=lambda d: min(counts[d])) if steady else ","
