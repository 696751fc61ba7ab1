"""Takes passages apart into candidates: sentences, items and rows that may answer.

A candidate has the words of the document to be quoted, and the same readable: without
markup, a row with the names of its columns, and with its heading where it is not a
sentence by itself. Does not judge.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

from dunegpt.index.passage_text import make_context_line
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Hit

_MAX_HEADING = 90
_MIN_ROWS = 3
"""Lines with gaps that make a table; two may be the head and foot of a page."""
_LINK = compile_re(r"!?\[([^\]\n]*)\]\((\S+?)(?:\s+\"[^\"]*\")?\)")
_EMPHASIS = compile_re(r"(?<![\w*])(\*\*\*|\*\*|\*|__)(?=\S)(.+?)(?<=\S)\1(?![\w*])")
_CODE = compile_re(r"(`+)\s?(.+?)\s?\1")
_TAG = compile_re(
    r"</?(?:br|b|i|u|em|strong|p|span|su[bp]|a|div|code|pre|td|th|tr|li|ul|ol|details"
    r"|summary|img)\b[^<>]*>",
    re.IGNORECASE,
)
_LINE_MARK = compile_re(r"^(?:\s*(?:#{1,6}|[-*+\u2022\u25e6\u25aa]|>+)\s+)+")
_RULE = compile_re(r"[\s|:=_*+-]*")
_ATTRIBUTES = compile_re(r"\s*\{[:.#][^{}]*\}\s*$")
_CELL = compile_re(r"\s*(?<!\|)\|(?!\|)\s*|\t+|(?<=\S)\s{3,}(?=\S)")
_SAYS_SOMETHING = compile_re(r"\d|\w\W+\w")
"""A digit, or two words: a name below a mail says nothing."""
_MAIL_HEADER = compile_re(
    r"(?:From|To|Cc|Sent|Subject|Von|An|Gesendet|Betreff): |On .{5,80} wrote:$"
    r"|-+ ?(?:Original|Forwarded|Urspr)"
)
_QUOTED = compile_re(r"^\s*>")
_QUOTE_BEGINS = compile_re(
    r"^\s*(?:-+\s*(?:original message|forwarded message|urspr\w+ nachricht)|\[quoted"
    r"|on .{5,80} wrote:\s*$)",
    re.IGNORECASE | re.MULTILINE,
)
_SECTION_NUMBER = compile_re(r"^\d+(?:\.\d+)*\.?\s+(?=\D)")
_REFERS_BACK = compile_re(
    r"(?:They|This|These|Those|He|She|Its|Their|Both|Therefore|Thus|Hence|Consequently"
    r"|As a result|Otherwise|(?:In|At|For|With|From|By|Of|Due to|Because of) (?:this"
    r"|these|those|that case|it)"
    r"|It(?! (?:is|was) (?:not )?(?:possible|necessary|important|planned|expected)))\b"
)
"""Begins a sentence that is not understood without the one before it."""
_MAX_ITEMS = 12
_SENTENCE_END = (".", "!", "?")


class Kind(StrEnum):
    """What a candidate is in its text."""

    SENTENCE = "sentence"
    ITEM = "item"
    ROW = "row"
    LINE = "line"
    """Words without a full stop that are no item, row or heading."""
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence, item or row of a hit.

    Attributes:
        text: Verbatim, white space as in the passage.
        score: Probability that it answers the question; 0 until it was judged.
        shown: Readable on one line, without markup; a row with its columns.
        heading: The nearest heading above it in the passage; empty if there is none.
        before: What stands right before it in its passage, readable; for an item, the
            line that introduces the list, if there is one.
        items: The list that it introduces, if it ends in a colon.
        position: Number within its passage, from 0.
        is_quoted: Whether an earlier message is quoted.
    """

    hit: Hit
    text: str
    score: float = 0.0
    shown: str = ""
    kind: Kind = Kind.SENTENCE
    heading: str = ""
    before: str = ""
    position: int = 0
    is_quoted: bool = False
    items: tuple[str, ...] = ()

    @property
    def statement(self) -> str:
        """The readable text with what it needs to be understood by itself.

        A sentence that begins with "It", "This" or "Therefore" has the one before it,
        one that ends in a colon the list that it introduces.
        """
        text = self.shown
        if self.items:
            text = f"{text} {'; '.join(self.items)}"
        is_sentence = self.kind is Kind.SENTENCE and self.before.endswith(_SENTENCE_END)
        refers_back = is_sentence and _REFERS_BACK.match(text)
        return f"{self.before} {text}" if refers_back else text

    @property
    def context(self) -> str:
        """Title and headings, as a line."""
        line = make_context_line(self.hit.document.title, self.hit.passage.heading)
        is_known = not self.heading or self.heading.casefold() in line.casefold()
        return line if is_known else f"{line} - {self.heading}"

    @property
    def is_bare_heading(self) -> bool:
        """Whether it is a heading that gives no version, date or other number."""
        bare = _SECTION_NUMBER.sub("", self.shown)
        return self.kind is Kind.HEADING and not any(map(str.isdigit, bare))

    @property
    def with_context(self) -> str:
        """Title, headings and the statement: what a model reads."""
        return f"{self.context}. {self.statement}"


def extract_candidates(hit: Hit) -> Iterator[Candidate]:
    """Yield the candidates of a passage, in order; each text once."""
    found = list(_extract(hit))
    for number, candidate in enumerate(found):
        if not candidate.shown.endswith(":"):
            yield candidate
            continue
        rest = found[number + 1 : number + 1 + _MAX_ITEMS]
        items = takewhile(lambda each: each.kind is Kind.ITEM, rest)
        yield replace(candidate, items=tuple(each.shown for each in items))


def _extract(hit: Hit) -> Iterator[Candidate]:
    text = hit.passage.text
    quote_starts = _QUOTE_BEGINS.search(text)
    heading, before, intro, header, end = "", "", "", list[str](), 0
    seen: set[str] = set()
    for position, (piece, is_row) in enumerate(_split(text)):
        start = text.find(piece, end)
        is_apart = "\n\n" in text[end:start] or not end
        end = start + len(piece)
        shown = clean_markup(piece)
        if not any(map(str.isalnum, shown)) or _MAIL_HEADER.match(shown):
            continue
        cells = split_cells(piece) if is_row else []
        ends_alone = text.startswith("\n\n", end) or end == len(text)
        kind = _classify(piece, cells, is_alone=is_apart and ends_alone)
        if kind is Kind.ROW:
            header = header if header and len(header) == len(cells) else []
            shown = format_row(cells, header)
            header = header or _accept_header(cells)
        else:
            header = []
        if kind is not Kind.ITEM:
            intro = shown if shown.endswith(":") else ""
        if piece not in seen and _SAYS_SOMETHING.search(shown):
            seen.add(piece)
            is_quoted = bool(_QUOTED.match(piece)) or bool(
                quote_starts and start >= quote_starts.start()
            )
            yield Candidate(
                hit, piece, 0.0, shown, kind, heading,
                intro if intro and kind is Kind.ITEM else before, position, is_quoted,
            )  # fmt: skip
        before = shown
        if kind is Kind.HEADING:
            heading = shown


def format_answer(candidate: Candidate) -> str:
    """Return a candidate as a reader sees it: with what it needs to be understood.

    A sentence is its `statement`. An item has the line that introduces its list, a row
    or a bare line its heading, where that does not stand in it.
    """
    text = candidate.statement
    if candidate.is_quoted:
        text = f"Quoted from an earlier message: {text}"
    if candidate.kind is Kind.SENTENCE:
        return text
    if candidate.kind is Kind.ITEM and candidate.before.endswith(":"):
        return f"{candidate.before} {text}"
    heading = candidate.heading or candidate.hit.passage.heading
    heading = _SECTION_NUMBER.sub("", heading)
    is_said = set(tokenize(heading)) <= set(tokenize(text))
    return text if is_said or candidate.kind is Kind.HEADING else f"{heading}: {text}"


def clean_markup(text: str) -> str:
    """Return a text on one line without the marks of Markdown and HTML.

    >>> clean_markup("- See **the** [manual](https://larch.test/m) and `top`.")
    'See the manual (https://larch.test/m) and top.'
    """
    text = _LINE_MARK.sub("", _ATTRIBUTES.sub("", text))
    text = _LINK.sub(_show_link, text)
    text = _CODE.sub(r"\2", _TAG.sub(" ", text))
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))
    return re.sub(r"\s+", " ", text).strip().strip("|").strip()


def split_cells(row: str) -> list[str]:
    """Return the cells of a row of a table, without markup; empty if it is none."""
    if "\n" in row.strip() or (
        row.count("|") == 0 and "\t" not in row and "   " not in row
    ):
        return []
    cells = [clean_markup(cell) for cell in _CELL.split(row.strip().strip("|"))]
    return cells if len(cells) > 1 and not _RULE.fullmatch(row) else []


def format_row(cells: list[str], header: list[str]) -> str:
    """Return a row readable: each cell with the name of its column, if there is one.

    >>> format_row(["PT-1", "1.1 bar"], ["Sensor", "Limit"])
    'Sensor: PT-1; Limit: 1.1 bar'
    """
    if not header:
        return "; ".join(filter(None, cells))
    named = zip(header, cells, strict=True)
    return "; ".join(
        f"{name}: {cell}" if name else cell for name, cell in named if cell
    )


def _accept_header(cells: list[str]) -> list[str]:
    """Return the cells of a first row if they name columns: they have no digits.

    Without, it is a table of keys and values, whose rows name each other nothing.
    """
    return [] if any(char.isdigit() for cell in cells for char in cell) else cells


def _split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield sentences, items and rows, verbatim, and whether each may be a row.

    Aligned columns are rows if there are several; a line with gaps may be a footer.
    """
    for piece in split_sentences(text):
        lines = piece.split("\n")
        rows = sum(bool(split_cells(line)) for line in lines)
        is_table = rows >= _MIN_ROWS and rows > len(lines) / 2
        is_mail = any(_QUOTED.match(line) or _MAIL_HEADER.match(line) for line in lines)
        parts = lines if is_table or is_mail else [piece]
        for part in filter(None, (part.strip() for part in parts)):
            yield part, is_table or "|" in part


def _classify(piece: str, cells: list[str], *, is_alone: bool) -> Kind:
    """Return what a piece of text is.

    Args:
        piece: Verbatim.
        cells: Its cells, if it is a row.
        is_alone: Whether it is a paragraph of its own.
    """
    if re.match(r"\s*#{1,6}\s", piece):
        return Kind.HEADING
    if cells:
        return Kind.ROW
    if re.match(r"\s*(?:[-*+\u2022]|\d{1,2}[.)])\s", piece):
        return Kind.ITEM
    ends_open = not piece.rstrip(" \"')]*_").endswith((".", "!", "?", ":", ";", ","))
    if ends_open and is_alone and len(piece) <= _MAX_HEADING and "\n" not in piece:
        return Kind.HEADING
    return Kind.LINE if ends_open else Kind.SENTENCE


def _show_link(match: re.Match[str]) -> str:
    """Return the text of a link, with its address if that says more."""
    text, address = match[1].strip(), match[2]
    if match[0].startswith("!") or not address.startswith(("http://", "https://")):
        return text
    return f"{text} ({address})" if text and text not in address else address
