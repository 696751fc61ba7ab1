"""reStructuredText: one page per section, recognized by the rules around its title.

Directives without visible text are dropped; roles are replaced by their text. docutils
is not used: it would also read the files named by ``include`` and ``raw``.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.latex.math import set_formula
from dunegpt.ingest.extract.rst_tables import read_table
from dunegpt.ingest.extract.sections import SectionLine, split_sections
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.text.typography import to_subscript, to_superscript
from dunegpt.types import Page

_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
_SKIPPED_DIRECTIVES = re.compile(
    r"\.\. (?:_[^:]+:|(?:toctree|contents|include|raw|index|image|meta|highlight)::)"
)
_COMMENT = re.compile(r"\.\.(?:\s+(?!_|\[|\||[\w:+.-]+::)\S|\s*$)")
_SCRIPT = re.compile(
    r"(?:\\\s)?:(sup|superscript|sub|subscript|math):`([^`]*)`(?:\\ )?"
)
_SUBSTITUTION = re.compile(r"^\.\. \|([^|\n]+)\| replace:: *(.+)$", re.M)
_REFERENCE = re.compile(r"(?<![\w|])\|([^|\s][^|\n]*)\|_{0,2}(?!\w)")
_ROLE = re.compile(r":[\w:+.-]+:`([^`]*?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<([^`>]+)>`__?")
_TABLE_RULE = re.compile(r"\s*(?:\+[-=+]+\+|={2,}(?:\s+={2,})+)\s*$")


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the sections of a reStructuredText file."""
    text = clean_text(decode(task.path.read_bytes()), keep_layout=True)
    values = dict(_SUBSTITUTION.findall(text))
    text = _SUBSTITUTION.sub("..", text)
    text = _REFERENCE.sub(lambda match: values.get(match[1], match[0]), text)
    yield from split_sections(_iter_lines(text.split("\n")))


def _iter_lines(lines: list[str]) -> Iterator[SectionLine]:
    styles: list[str] = []
    at = 0
    while at < len(lines):
        over = bool(_RULE.match(lines[at])) and _is_title(lines, at + 1)
        if over or _is_title(lines, at):
            at += over
            style = lines[at + 1][0] * (1 + over)
            if style not in styles:
                styles.append(style)
            yield SectionLine(
                _strip_markup(lines[at].strip()), styles.index(style) + 1, at + 1
            )
            at += 2
            continue
        if _SKIPPED_DIRECTIVES.match(lines[at]) or _COMMENT.match(lines[at]):
            at = _find_block_end(lines, at)
            continue
        end, rows = read_table(lines, at)
        if rows:
            yield SectionLine("", 0, at + 1)
            for row in rows:
                yield SectionLine(_strip_markup(row), 0, at + 1)
            yield SectionLine("", 0, end)
            at = end
            continue
        if not _TABLE_RULE.match(lines[at]):
            yield SectionLine(_strip_markup(lines[at]).rstrip(), 0, at + 1)
        at += 1


def _is_title(lines: list[str], at: int) -> bool:
    """Return whether a line is a title: text above a rule of at least its length."""
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


def _find_block_end(lines: list[str], at: int) -> int:
    """Return the index after the indented block of a directive."""
    at += 1
    while at < len(lines) and (not lines[at].strip() or lines[at][:1] in " \t"):
        at += 1
    return at


def _strip_markup(line: str) -> str:
    line = _SCRIPT.sub(lambda m: _set_script(m[1], m[2]), line)
    line = _LINK.sub(r"\1 (\2)", line)
    return _ROLE.sub(r"\1", line).replace("``", "")


def _set_script(role: str, text: str) -> str:
    if role == "math":
        return set_formula(text, text)
    return to_superscript(text) if role.startswith("sup") else to_subscript(text)
