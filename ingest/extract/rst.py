"""reStructuredText to pages: sections told by the lines under (and over) their titles.

Directives that show nothing are dropped; roles leave their text. docutils would read
the whole language, and also whatever ``include`` and ``raw`` name.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.sections import Line, sections
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
_SILENT = re.compile(
    r"\.\. (?:_[^:]+:|(?:toctree|contents|include|raw|index|image|meta|highlight)::)"
)
_ROLE = re.compile(r":[\w:+.-]+:`([^`]*?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<([^`>]+)>`__?")
_TABLE_RULE = re.compile(r"\s*(?:\+[-=+]+\+|={2,}(?:\s+={2,})+)\s*$")


def pages(task: Task) -> Iterator[Page]:
    """Yield the sections of a file."""
    text = clean(decode(task.path.read_bytes()), keep_layout=True)
    yield from sections(_lines(text.split("\n")))


def _lines(lines: list[str]) -> Iterator[Line]:
    styles: list[str] = []
    at = 0
    while at < len(lines):
        over = bool(_RULE.match(lines[at])) and _is_title(lines, at + 1)
        if over or _is_title(lines, at):
            at += over
            style = lines[at + 1][0] * (1 + over)
            if style not in styles:
                styles.append(style)
            yield Line(_plain(lines[at].strip()), styles.index(style) + 1, at + 1)
            at += 2
            continue
        if _SILENT.match(lines[at]):
            at = _end_of_block(lines, at)
            continue
        if not _TABLE_RULE.match(lines[at]):
            yield Line(_row(_plain(lines[at])), 0, at + 1)
        at += 1


def _is_title(lines: list[str], at: int) -> bool:
    """Return whether a line is a title: text, and under it a rule as long."""
    if at + 1 >= len(lines):
        return False
    title, rule = lines[at].rstrip(), lines[at + 1]
    return bool(
        title
        and _RULE.match(rule)
        and not _RULE.match(title)
        and not _TABLE_RULE.match(rule)
        and len(rule.rstrip()) >= len(title.strip())
    )


def _end_of_block(lines: list[str], at: int) -> int:
    """Return where the lines end that are indented below a directive."""
    at += 1
    while at < len(lines) and (not lines[at].strip() or lines[at][:1] in " \t"):
        at += 1
    return at


def _plain(line: str) -> str:
    line = _LINK.sub(r"\1 (\2)", line)
    return _ROLE.sub(r"\1", line).replace("``", "")


def _row(line: str) -> str:
    """Return a row of a grid table with its cells apart by one bar."""
    if not line.lstrip().startswith("|") or not line.rstrip().endswith("|"):
        return line.rstrip()
    return " | ".join(cell.strip() for cell in line.strip().strip("|").split("|"))
