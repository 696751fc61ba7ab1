"""Plain text files to pages, cut at form feeds or at a fixed number of lines."""

from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_LINES = 60
_CHARACTERS = 12_000


def pages(task: Task) -> Iterator[Page]:
    """Yield the pages of a text file, of 60 lines where it has no form feeds."""
    content = decode(task.path.read_bytes())
    number, first = 0, 1
    for sheet in content.split("\f"):
        for part, line in parts(sheet.split("\n"), first):
            number += 1
            text = clean("\n".join(part), keep_layout=True)
            yield Page(number, "", text, f"line {line}", line)
        first += sheet.count("\n")


def parts(lines: list[str], first: int) -> Iterator[tuple[list[str], int]]:
    """Yield runs of at most 60 lines, and not too long, with their first line's number.

    A line longer than a page is cut into several.
    """
    kept, size, begin = list[str](), 0, first
    for number, line in enumerate(lines, start=first):
        for start in range(0, len(line) or 1, _CHARACTERS):
            piece = line[start : start + _CHARACTERS]
            if kept and (len(kept) == _LINES or size + len(piece) > _CHARACTERS):
                yield kept, begin
                kept, size, begin = [], 0, number
            kept.append(piece)
            size += len(piece)
    if kept:
        yield kept, begin
