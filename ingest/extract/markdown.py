"""Markdown files to pages: one for each section under a heading, text as written."""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.sections import Line, sections
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_UNDERLINE = re.compile(r"(=+|-{3,})\s*$")
_RULE = re.compile(r"\s*\|?[\s:|-]*-[\s:|-]*$")


def pages(task: Task) -> Iterator[Page]:
    """Yield the sections of a Markdown file."""
    text = clean(decode(task.path.read_bytes()), keep_layout=True)
    yield from sections(_lines(text.split("\n")))


def _lines(lines: list[str]) -> Iterator[Line]:
    """Yield the lines with their levels; a fenced line is no heading."""
    fenced = False
    skip = False
    for number, line in enumerate(lines, start=1):
        following = lines[number] if number < len(lines) else ""
        fenced ^= bool(_FENCE.match(line))
        found = None if fenced else _HEADING.match(line)
        if skip:
            skip = False
        elif found:
            yield Line(found[2], len(found[1]), number)
        elif not fenced and _is_underlined(lines, number, line, following):
            skip = True
            yield Line(line.strip(), 1 if following.startswith("=") else 2, number)
        elif fenced or "|" not in line:
            yield Line(line.rstrip(), 0, number)
        elif not _RULE.fullmatch(line):
            yield Line(_row(line), 0, number)


def _is_underlined(lines: list[str], number: int, line: str, following: str) -> bool:
    """Return whether a line is a heading by the line of = or - below it."""
    before = lines[number - 2] if number > 1 else ""
    alone = not before.strip() and line.strip() and not line.startswith((" ", "-", "|"))
    return bool(alone and _UNDERLINE.match(following))


def _row(line: str) -> str:
    """Return a row of a pipe table without the pipes at its ends and its padding."""
    if not line.lstrip().startswith("|"):
        return line.rstrip()
    cells = line.strip().strip("|").split("|")
    return " | ".join(cell.strip() for cell in cells)
