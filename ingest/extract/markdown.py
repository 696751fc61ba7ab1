"""Markdown files to pages: one for each section under a heading, text as written."""

import re
from collections.abc import Iterator
from pathlib import Path

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.sections import sections
from dunegpt.ingest.extract.text import decode
from dunegpt.types import Page

_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")


def pages(path: Path) -> Iterator[Page]:
    """Yield the sections of a Markdown file."""
    text = clean(decode(path.read_bytes()), keep_layout=True)
    yield from sections(_headed(text.split("\n")))


def _headed(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each line as (heading or empty, text); a fenced line is no heading."""
    fenced = False
    for line in lines:
        fenced ^= bool(_FENCE.match(line))
        found = None if fenced else _HEADING.match(line)
        yield (found[1], found[1]) if found else ("", line.rstrip())
