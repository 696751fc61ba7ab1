"""Markdown files: one page per section under a heading, text as written.

But for what carries meaning: raised and lowered text, formulas of numbers, struck-out
text and marks of footnotes are written as in other formats; comments are left out.
"""

import html
import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean_text, mark_struck
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.html.markup import set_inline_markup
from dunegpt.ingest.extract.latex.math import set_formula
from dunegpt.ingest.extract.sections import SectionLine, split_sections
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.text.typography import to_subscript, to_superscript
from dunegpt.types import Page

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_UNDERLINE = re.compile(r"(=+|-{3,})\s*$")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TABLE = re.compile(r"<table\b.*?</table\s*>", re.S | re.I)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_FENCED = re.compile(r"^[ ]{0,3}(`{3,}|~{3,}).*?(?:^[ ]{0,3}\1|\Z)", re.S | re.M)
_MARKUP = re.compile(r"[$\\^~<&!]")
_FORMULA = re.compile(
    r"(?<![\\$\w])\$(?![\s$])([^$\n]+?)(?<![\s\\])\$(?!\d)|\\\((.+?)\\\)"
)
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_RAISED = re.compile(r"(?<=[\w)])\^([^\s^]{1,12})\^")
_LOWERED = re.compile(r"(?<=[\w)])(?<!~)~([^\s~]{1,12})~(?!~)")
_NOTE = re.compile(r"\[\^([^\]\s]+)\]:?")
_PICTURE = re.compile(
    r"!\[([^\]\n]*)\]\([^)\n]*\)|<img\b[^<>]*?\balt=[\"']([^\"'<>]*)[\"'][^<>]*>"
)
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!<>~^|$-])")
_RULE = re.compile(r"\s*\|?[\s:|-]*-[\s:|-]*$")

_BAR_IN_CELL = "\x1f"


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the sections of a Markdown file."""
    text = clean_text(decode(task.path.read_bytes()), keep_layout=True)
    text = _set_blocks(text)
    yield from split_sections(_iter_lines(text.split("\n")))


def _set_blocks(text: str) -> str:
    """Return text without comments and with the rows of HTML tables, line by line."""
    pieces, end = list[str](), 0
    for code in _FENCED.finditer(text):
        pieces += [_set_html(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _set_html(text[end:])])


def _set_html(text: str) -> str:
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    return _TABLE.sub(lambda table: _set_table(table[0]), text)


def _set_table(source: str) -> str:
    """Return an HTML table as rows, on as many lines as it has if it has enough."""
    rows = "\n".join(page.text for page in read_html(source))
    return rows + "\n" * max(source.count("\n") - rows.count("\n"), 0)


def set_inline(line: str) -> str:
    """Return a line with its typography in Unicode; code stays as it is.

    >>> set_inline("$10^{-6}$ of `a^2^` H~2~O, ~~2 bar~~ 3 bar[^4]")
    '10⁻⁶ of `a^2^` H₂O, [struck out: 2 bar] 3 bar [note 4]'
    """
    if not _MARKUP.search(line):
        return line
    pieces, end = list[str](), 0
    for code in _CODE.finditer(line):
        pieces += [_set_text(line[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _set_text(line[end:])])


def _set_text(text: str) -> str:
    text = _FORMULA.sub(lambda m: set_formula(m[1] or m[2], m[0]), text)
    text = _NOTE.sub(lambda m: f"{' ' * bool(m.start())}[note {m[1]}]", text)
    text = _PICTURE.sub(lambda m: _format_picture((m[1] or m[2] or "").strip()), text)
    text = _STRUCK.sub(lambda m: mark_struck(m[1]), text)
    text = _RAISED.sub(lambda m: to_superscript(m[1]), text)
    text = _LOWERED.sub(lambda m: to_subscript(m[1]), text)
    return html.unescape(_ESCAPE.sub(r"\1", set_inline_markup(text)))


def _format_picture(description: str) -> str:
    return f"[image: {description}]" if description else ""


def _iter_lines(lines: list[str]) -> Iterator[SectionLine]:
    """Yield each line with its heading level; lines in fenced code are text."""
    fenced = False
    skip = False
    for number, line in enumerate(lines, start=1):
        following = lines[number] if number < len(lines) else ""
        fenced ^= bool(_FENCE.match(line))
        match = None if fenced else _HEADING.match(line)
        if skip:
            skip = False
        elif match:
            yield SectionLine(set_inline(match[2]), len(match[1]), number)
        elif not fenced and _is_underlined(lines, number, line, following):
            skip = True
            yield SectionLine(
                set_inline(line.strip()), 1 if following.startswith("=") else 2, number
            )
        elif fenced or _FENCE.match(line):
            yield SectionLine(line.rstrip(), 0, number)
        elif "|" not in line:
            yield SectionLine(set_inline(line.rstrip()), 0, number)
        elif not _RULE.fullmatch(line):
            escaped = line.replace("\\|", _BAR_IN_CELL)
            yield SectionLine(_strip_pipes(set_inline(escaped)), 0, number)


def _is_underlined(lines: list[str], number: int, line: str, following: str) -> bool:
    """Return whether the next line of ``=`` or ``-`` makes a line a heading."""
    above = lines[number - 2] if number > 1 else ""
    alone = not above.strip() and line.strip() and not line.startswith((" ", "-", "|"))
    return bool(alone and _UNDERLINE.match(following))


def _strip_pipes(line: str) -> str:
    """Return a row of a pipe table without outer pipes and padding."""
    if not line.lstrip().startswith("|"):
        return line.rstrip().replace(_BAR_IN_CELL, "|")
    cells = (cell.strip() for cell in line.strip().strip("|").split("|"))
    own = (re.sub(rf"\s*{_BAR_IN_CELL}\s*", "|", cell) for cell in cells)
    return " | ".join(own)
