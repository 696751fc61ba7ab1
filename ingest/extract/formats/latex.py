"""LaTeX source: one page per section, as typeset, longer formulas as written.

Comments and what is switched off are left out, and macros of the source are expanded.
Does not run LaTeX or read included files, which it remarks.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean_text, to_one_line
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.figures import parse_label
from dunegpt.ingest.extract.latex.macros import (
    Macros,
    find_close,
    read_argument,
    read_optional,
)
from dunegpt.ingest.extract.latex.source import EATEN_BREAK, LatexSource, count_breaks
from dunegpt.ingest.extract.latex.tables import TABLES
from dunegpt.ingest.extract.latex.text import LatexText
from dunegpt.ingest.extract.sections import (
    PICTURE,
    SectionLine,
    join_captions,
    split_sections,
)
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_LEVELS = {
    "part": 1,
    "chapter": 2,
    "section": 3,
    "subsection": 4,
    "subsubsection": 5,
    "paragraph": 6,
    "frametitle": 6,
}
_HEADING = re.compile(
    r"\\(?:(?P<frame>begin\{frame\}(?:<[^<>]*>)?\s*(?:\[[^\]]*\])*\s*(?=\{))"
    r"|(?P<name>part|chapter|section|subsection|subsubsection|paragraph|frametitle)"
    r"(?![A-Za-z])\*?\s*)"
)
_PARAGRAPH_END = re.compile(rf"\n[ \t{EATEN_BREAK}]*\n")
_JOINED_LINE = re.compile(rf"{EATEN_BREAK}+[ \t]*")
_UNIT = re.compile(r"\\DeclareSIUnit\s*(?:\[[^\]]*\])?\s*\{?\\([A-Za-z]+)\}?\s*\{")


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the sections of a LaTeX file, without its preamble."""
    document = _Document(decode(task.path.read_bytes()))
    yield from split_sections(
        join_captions(document.iter_lines()), title=document.title
    )
    for name in dict.fromkeys(document.text.included):
        task.remark(f"It includes {name}, which is another file.")


class _Document:
    """A document being read from top to bottom."""

    def __init__(self, text: str) -> None:
        self._source = LatexSource(text)
        self._macros = Macros()
        self.text = LatexText()
        whole = self._source.preamble + self._source.body
        for match in _UNIT.finditer(whole):
            body = whole[match.end() : find_close(whole, match.end() - 1)]
            self.text.own_units[match[1]] = self._convert(body)
        self._macros.expand(_join_lines(self._source.preamble))
        parts = [self._read_command(whole, n) for n in ("title", "author", "date")]
        self.title = parts[0]
        self.text.title_block = "\n".join(filter(None, parts))

    def iter_lines(self) -> Iterator[SectionLine]:
        """Yield the lines of the document; a paragraph counts as where it begins."""
        body, at, line = self._source.body, 0, self._source.first_line
        for heading in _HEADING.finditer(body):
            if heading.start() < at:
                continue
            yield from self._iter_paragraphs(body[at : heading.start()], line)
            line += count_breaks(body[at : heading.start()])
            _, begin = read_optional(body, heading.end())
            title, end = read_argument(body, begin)
            level = _LEVELS[heading["name"] or "frametitle"]
            if text := to_one_line(self._convert(title)):
                yield SectionLine(text, level, line)
                yield SectionLine("", 0, line)
            line += count_breaks(body[heading.start() : end])
            at = end
        yield from self._iter_paragraphs(body[at:], line)

    def _iter_paragraphs(self, part: str, line: int) -> Iterator[SectionLine]:
        for paragraph in _split_paragraphs(part):
            own = paragraph.lstrip(f" \t\n{EATEN_BREAK}")
            first = line + count_breaks(paragraph[: len(paragraph) - len(own)])
            text = clean_text(self._convert(own)) if own else ""
            if "\n" in paragraph[: len(paragraph) - len(own)]:
                yield SectionLine("", 0, line)
            for row in text.split("\n") if text else []:
                # Only a float has its kind and number written here.
                label = parse_label(row, needs_sign=True)
                is_part = row in self.text.parts
                yield SectionLine(row, 0, first, PICTURE if is_part else label)
            line += count_breaks(paragraph)

    def _convert(self, text: str) -> str:
        expanded = self._macros.expand(_join_lines(text))
        return self._source.restore(self.text.convert(expanded))

    def _read_command(self, text: str, name: str) -> str:
        """Return the argument of the first command of a name on one line, or ""."""
        match = re.search(rf"\\{name}(?![A-Za-z])\s*", text)
        if match is None:
            return ""
        _, at = read_optional(text, match.end())
        argument, _ = read_argument(text, at)
        argument = re.sub(r"\\and(?![A-Za-z])|\\\\", ", ", argument)
        return to_one_line(self._convert(argument))


def _join_lines(text: str) -> str:
    """Return text in which lines that a comment ended go on."""
    return _JOINED_LINE.sub("", text)


def _split_paragraphs(text: str) -> list[str]:
    """Return the paragraphs, with all characters; a table is never split."""
    names = "|".join(map(re.escape, TABLES))
    tables = [
        match.span()
        for match in re.finditer(
            rf"\\begin\{{({names})\}}.*?\\end\{{\1\}}", text, flags=re.S
        )
    ]
    parts, begin = list[str](), 0
    for match in _PARAGRAPH_END.finditer(text):
        if not any(start < match.start() < end for start, end in tables):
            parts.append(text[begin : match.start()])
            begin = match.start()
    return [*parts, text[begin:]]
