"""Plain text files: pages split at form feeds or at a fixed number of lines."""

from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_PAGE_LINES = 60
_PAGE_CHARACTERS = 12_000


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the pages of a text file: one per form feed, of at most 60 lines."""
    content = decode(task.path.read_bytes())
    number, first = 0, 1
    for sheet in content.split("\f"):
        for part, line in split_lines(sheet.split("\n"), first):
            number += 1
            text = clean_text("\n".join(part), keep_layout=True)
            yield Page(number, "", text, f"line {line}", line)
        first += sheet.count("\n")


def split_lines(lines: list[str], first: int) -> Iterator[tuple[list[str], int]]:
    """Yield groups of at most 60 lines and 12,000 characters, with their first line.

    A line longer than a page is split over several.
    """
    group, size, begin = list[str](), 0, first
    for number, line in enumerate(lines, start=first):
        for start in range(0, len(line) or 1, _PAGE_CHARACTERS):
            piece = line[start : start + _PAGE_CHARACTERS]
            if group and (
                len(group) == _PAGE_LINES or size + len(piece) > _PAGE_CHARACTERS
            ):
                yield group, begin
                group, size, begin = [], 0, number
            group.append(piece)
            size += len(piece)
    if group:
        yield group, begin
