"""Text of DrawingML paragraphs and tables: slides, diagrams, comments.

Raised and lowered runs, symbols, equations, list numbers, merged cells; struck-out text
is marked. Does not know slides.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from dunegpt.ingest.extract.clean import mark_struck
from dunegpt.ingest.extract.office import equations as office_equations
from dunegpt.ingest.extract.office.note_marks import find_leading_mark, mark_notes
from dunegpt.ingest.extract.office.open_xml import get_attribute, local_name
from dunegpt.ingest.extract.office.word_lists import format_count
from dunegpt.ingest.extract.table_lines import format_grid, pad_grid
from dunegpt.ingest.extract.table_rows import Cell
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.text.typography import UNKNOWN, Shift, decode_symbols, join_runs

_AUTO_NUMBER = re.compile(
    r"(?P<kind>arabic|alphaLc|alphaUc|romanLc|romanUc)"
    r"(?P<sign>Period|ParenR|ParenBoth|Plain)"
)
_KINDS = {
    "arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter",
    "romanLc": "lowerRoman", "romanUc": "upperRoman",
}  # fmt: skip
_SIGNS = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}"}
_MAX_SPAN = 200
_RUNS_OF_MARK = 4
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    shift: Shift = ""
    is_struck: bool = False


@dataclass(slots=True)
class SlideText:
    """Reads paragraphs and tables, counting the symbols that are unknown."""

    task: ExtractTask
    _unknown: int = 0
    _marks: frozenset[str] = frozenset()

    def read_body(self, body: Any) -> str:
        """Return the paragraphs of a text body, each on lines of its own."""
        numbers = _AutoNumbers()
        lines = []
        for paragraph in body.iterchildren("{*}p"):
            number = numbers.count(paragraph)
            text = self.read_paragraph(paragraph)
            lines.append(f"{number} {text}" if number and text.strip() else text)
        return "\n".join(lines)

    def read_paragraph(self, paragraph: Any) -> str:
        """Return the text of a paragraph, not yet cleaned."""
        pieces = self._iter_pieces(paragraph)
        return "".join(
            mark_struck(text) if is_struck else text
            for is_struck, text in self._join(pieces)
        )

    def find_note_marks(self, slide: Any) -> None:
        """Find the marks of typed notes: raised marks with which paragraphs begin."""
        found = set[str]()
        for paragraph in slide.iter(f"{{{_DRAWING}}}p"):
            runs = islice(paragraph.iterchildren("{*}r"), _RUNS_OF_MARK)
            plain = (_read_plain_run(run) for run in runs)
            found.add(find_leading_mark(plain))
        self._marks = frozenset(found - {""})

    def read_table(self, table: Any) -> Iterator[str]:
        """Yield the title lines and rows of a table, each on one line."""
        yield from format_grid(self._build_grid(table))

    def remark_losses(self) -> None:
        """Record the symbols that could not be read."""
        if self._unknown:
            self.task.remark(
                f"{self._unknown} characters of symbol fonts are unknown; each is"
                f" shown as {UNKNOWN}."
            )

    def _join(self, pieces: Iterable[_Piece]) -> Iterator[tuple[bool, str]]:
        """Yield text that is struck out or not, in turns."""
        for is_struck, group in groupby(pieces, key=lambda piece: piece.is_struck):
            runs = mark_notes(((p.text, p.shift) for p in group), self._marks)
            yield is_struck, join_runs(runs)

    def _build_grid(self, table: Any) -> list[list[Cell]]:
        """Return the cells of each row, those merged in every place that they cover."""
        grid = list[list[Cell]]()
        for row in table.iterchildren("{*}tr"):
            cells = list[Cell]()
            above = grid[-1] if grid else []
            for node in row.iterchildren("{*}tc"):
                at = len(cells)
                if node.get("hMerge") in {"1", "true"} and cells:
                    cells.append(cells[-1])
                elif node.get("vMerge") in {"1", "true"} and at < len(above):
                    cells.append(above[at])
                else:
                    bodies = node.iterchildren("{*}txBody")
                    text = " ".join(map(self.read_body, bodies))
                    span = get_attribute(node, "gridSpan", "1")
                    columns = min(int(span), _MAX_SPAN) if span.isdigit() else 1
                    cells.append(Cell(text, 1, max(columns, 1)))
            grid.append(cells)
        return pad_grid(grid)

    def _iter_pieces(self, node: Any) -> Iterator[_Piece]:
        for child in node:
            name = local_name(child)
            if name == "r" or (name == "fld" and child.get("type") != "slidenum"):
                yield self._read_run(child)
            elif name == "br":
                yield _Piece("\n")
            elif name == "oMath":
                yield _Piece(f" {office_equations.linearize(child)} ")
            elif name in {"m", "oMathPara"}:
                yield from self._iter_pieces(child)

    def _read_run(self, run: Any) -> _Piece:
        text = "".join(node.text or "" for node in run.iterchildren("{*}t"))
        shift: Shift = ""
        font, is_struck, is_link = "", False, False
        for properties in run.iterchildren("{*}rPr"):
            shift = _read_shift(properties.get("baseline", "0"))
            is_struck = properties.get("strike", "noStrike") != "noStrike"
            is_link = properties.find("{*}hlinkClick") is not None
            font = _read_font(properties, text)
        text, unknown = decode_symbols(text, font)
        self._unknown += unknown
        mark = text.strip(" []()")
        if shift == "super" and is_link and mark:
            return _Piece(f" [note {mark}]", "", is_struck)
        return _Piece(text, shift, is_struck)


def _read_plain_run(run: Any) -> tuple[str, Shift]:
    text = "".join(node.text or "" for node in run.iterchildren("{*}t"))
    properties = next(run.iterchildren("{*}rPr"), None)
    baseline = "0" if properties is None else properties.get("baseline", "0")
    return text, _read_shift(baseline)


def _read_shift(baseline: str) -> Shift:
    """Return how a run stands; its baseline is in thousandths of a percent, or in %."""
    number = baseline.removesuffix("%")
    height = float(number) if re.fullmatch(r"-?\d+(?:\.\d+)?", number) else 0.0
    if not height:
        return ""
    return "super" if height > 0 else "sub"


def _read_font(properties: Any, text: str) -> str:
    """Return the font of a run: that for symbols only if it has any."""
    has_private = any("\uf000" <= char <= "\uf0ff" for char in text)
    for name in ("sym", "latin") if has_private else ("latin",):
        for node in properties.iterchildren(f"{{*}}{name}"):
            return get_attribute(node, "typeface")
    return ""


class _AutoNumbers:
    """Counts the paragraphs of numbered lists in one text body."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[str, int]] = {}

    def count(self, paragraph: Any) -> str:
        """Count a paragraph and return its number; empty if it has none."""
        level, kind, start = 0, "", 1
        for properties in paragraph.iterchildren("{*}pPr"):
            level = int(get_attribute(properties, "lvl", "0") or 0)
            for node in properties.iterchildren("{*}buAutoNum"):
                kind = get_attribute(node, "type")
                start = int(get_attribute(node, "startAt", "1") or 1)
        if paragraph.find("{*}r") is None and paragraph.find("{*}fld") is None:
            return ""
        for deeper in [at for at in self._counts if at > level]:
            del self._counts[deeper]
        match = _AUTO_NUMBER.match(kind)
        if not match:
            self._counts.pop(level, None)
            return ""
        same = self._counts.get(level, ("", 0))
        count = same[1] + 1 if same[0] == f"{kind}{start}" else start
        self._counts[level] = f"{kind}{start}", count
        return _SIGNS[match["sign"]].format(format_count(count, _KINDS[match["kind"]]))
