"""Text of Word paragraphs, with what its typography means.

Raised and lowered runs, symbols, equations, fields, notes and comments where they are
referenced; struck-out text is marked, deleted and hidden text left out. Does not know
tables or sections.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any

from dunegpt.ingest.extract.clean import mark_struck
from dunegpt.ingest.extract.office import equations as office_equations
from dunegpt.ingest.extract.office.note_marks import find_leading_mark, mark_notes
from dunegpt.ingest.extract.office.open_xml import get_attribute, is_on, local_name
from dunegpt.ingest.extract.office.word_styles import (
    RunFormat,
    Style,
    Styles,
    has_shifted_runs,
    update_run,
)
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.text.typography import (
    UNKNOWN,
    Shift,
    decode_symbol,
    decode_symbols,
    join_runs,
)

_SKIPPED = {
    "pPr", "rPr", "instrText", "delInstrText", "delText", "del", "moveFrom",
    "txbxContent", "tbl", "sdtPr", "footnoteRef", "endnoteRef", "annotationRef", "rt",
}  # fmt: skip
_NOTE_REFERENCES = {"footnoteReference", "endnoteReference", "commentReference"}
_BREAKS = {
    "tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-",
}  # fmt: skip
_CONTENTS = {"t", "sym", "textpath", *_BREAKS}
_RUNS_OF_MARK = 4
_NUMBER_FIELDS = {"PAGE", "NUMPAGES", "SECTIONPAGES"}
_REFERENCE_FIELDS = {"NOTEREF", "REF", "CITATION", "ADDIN", "HYPERLINK"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of text of one format."""

    text: str
    shift: Shift = ""
    is_struck: bool = False


@dataclass(slots=True)
class _Field:
    """A field that runs have begun: its instruction, then its result."""

    instruction: str = ""
    has_result: bool = False

    @property
    def kind(self) -> str:
        return (self.instruction.split() or [""])[0].upper()


@dataclass(slots=True)
class WordText:
    """Reads the paragraphs of one part of a document, in order.

    Attributes:
        styles: Those of the document.
        notes: Texts of footnotes, endnotes and comments, by kind and id.
    """

    task: ExtractTask
    styles: Styles = field(default_factory=Styles)
    notes: dict[str, str] = field(default_factory=dict)
    _fields: list[_Field] = field(default_factory=list)
    _unknown: int = 0
    _marks: frozenset[str] = frozenset()

    def read(self, paragraph: Any) -> str:
        """Return the text of a paragraph, not yet cleaned."""
        style = Style()
        for properties in paragraph.iterchildren("{*}pPr"):
            for node in properties.iterchildren("{*}pStyle"):
                style = self.styles.get(get_attribute(node, "val"))
        base = replace(style.run, shift="") if style.run.shift else style.run
        pieces = list(self._walk(paragraph, base, is_linked=False))
        if not any(piece.shift or piece.is_struck for piece in pieces):
            return "".join(piece.text for piece in pieces)
        return "".join(
            _mark(is_struck, self._join((p.text, p.shift) for p in group))
            for is_struck, group in groupby(pieces, key=lambda piece: piece.is_struck)
        )

    def find_note_marks(self, body: Any) -> None:
        """Find the marks of typed notes: raised marks with which paragraphs begin."""
        if not (self.styles.may_shift or has_shifted_runs(body)):
            return
        found = set[str]()
        for paragraph in body.iter("{*}p"):
            runs = islice(paragraph.iterchildren("{*}r"), _RUNS_OF_MARK)
            found.add(find_leading_mark(map(self._read_plain_run, runs)))
        self._marks = frozenset(found - {""})

    def _read_plain_run(self, run: Any) -> tuple[str, Shift]:
        set_as = RunFormat()
        for properties in run.iterchildren("{*}rPr"):
            for node in properties.iterchildren("{*}rStyle"):
                set_as = self.styles.get(get_attribute(node, "val")).run
            set_as = update_run(set_as, properties)
        text = "".join(node.text or "" for node in run.iterchildren("{*}t"))
        return text, set_as.shift

    def _join(self, runs: Iterable[tuple[str, Shift]]) -> str:
        return join_runs(mark_notes(runs, self._marks))

    def remark_losses(self) -> None:
        """Record the symbols that could not be read."""
        if self._unknown:
            self.task.remark(
                f"{self._unknown} characters of symbol fonts are unknown; each is"
                f" shown as {UNKNOWN}."
            )

    def _walk(self, node: Any, base: RunFormat, *, is_linked: bool) -> Iterator[_Piece]:
        """Yield the pieces of text in an element."""
        for child in node:
            name = local_name(child)
            if name == "r":
                yield from self._read_run(child, base, is_linked=is_linked)
            elif name == "oMath":
                yield _Piece(f" {office_equations.linearize(child)} ")
            elif name == "fldSimple":
                self._fields.append(_Field(get_attribute(child, "instr"), True))
                yield from self._walk(child, base, is_linked=is_linked)
                self._fields.pop()
            elif name == "hyperlink":
                inner = bool(get_attribute(child, "anchor"))
                yield from self._walk(child, base, is_linked=inner or is_linked)
            elif name == "sdt" and _shows_placeholder(child):
                continue
            elif name in _NOTE_REFERENCES:
                yield from self._read_note(child, name)
            elif name in _CONTENTS:
                yield from self._read_content(child, base, is_linked=is_linked)
            elif name and name not in _SKIPPED:
                yield from self._walk(child, base, is_linked=is_linked)

    def _read_run(
        self, run: Any, base: RunFormat, *, is_linked: bool
    ) -> Iterator[_Piece]:
        set_as = base
        for properties in run.iterchildren("{*}rPr"):
            for node in properties.iterchildren("{*}rStyle"):
                own = self.styles.get(get_attribute(node, "val")).run
                set_as = _combine(base, own)
            set_as = update_run(set_as, properties)
        has_own_mark = False
        for child in run:
            name = local_name(child)
            if name in _NOTE_REFERENCES:
                has_own_mark = get_attribute(child, "customMarkFollows") in {
                    "1",
                    "true",
                }
                yield from self._read_note(child, name)
            elif name == "fldChar":
                yield from self._read_field_mark(child)
            elif name == "instrText":
                if self._fields and not self._fields[-1].has_result:
                    self._fields[-1].instruction += child.text or ""
            elif not (has_own_mark and name in {"t", "sym"}):
                yield from self._read_content(child, set_as, is_linked=is_linked)

    def _read_content(
        self, child: Any, set_as: RunFormat, *, is_linked: bool
    ) -> Iterator[_Piece]:
        """Yield what an element of a run says."""
        name = local_name(child)
        if set_as.is_hidden or self._is_left_out():
            if set_as.is_hidden and name == "t" and (child.text or "").strip():
                self.task.remark("Hidden text of the document was left out.")
            return
        if name == "t":
            text = self._decode(child.text or "", set_as.font)
            yield self._build_piece(text, set_as, is_linked=is_linked)
        elif name == "sym":
            text = self._decode_symbol(child)
            yield self._build_piece(text, set_as, is_linked=False)
        elif name in _BREAKS:
            yield _Piece(_BREAKS[name], "", set_as.is_struck)
        elif name == "textpath":
            yield _Piece(f" {get_attribute(child, 'string')} ")
        elif name and name not in _SKIPPED:
            yield from self._walk(child, set_as, is_linked=is_linked)

    def _build_piece(self, text: str, set_as: RunFormat, *, is_linked: bool) -> _Piece:
        kind = self._fields[-1].kind if self._fields else ""
        is_reference = is_linked or kind in _REFERENCE_FIELDS
        mark = text.strip(" []()")
        if set_as.shift == "super" and is_reference and mark:
            return _Piece(f" [note {mark}]", "", set_as.is_struck)
        return _Piece(text, set_as.shift, set_as.is_struck)

    def _decode(self, text: str, font: str) -> str:
        decoded, unknown = decode_symbols(text, font)
        self._unknown += unknown
        return decoded

    def _decode_symbol(self, node: Any) -> str:
        try:
            code = int(get_attribute(node, "char"), 16)
        except ValueError:
            code = 0
        found = decode_symbol(code, get_attribute(node, "font")) if code else ""
        self._unknown += not found
        return found or UNKNOWN

    def _is_left_out(self) -> bool:
        """Return whether a field prints what is no text: page numbers, instructions."""
        return any(
            not each.has_result or each.kind in _NUMBER_FIELDS for each in self._fields
        )

    def _read_field_mark(self, node: Any) -> Iterator[_Piece]:
        kind = get_attribute(node, "fldCharType")
        if kind == "begin":
            self._fields.append(_Field())
            for data in node.iterchildren("{*}ffData"):
                if state := _read_form_state(data):
                    yield _Piece(state)
        elif kind == "separate" and self._fields:
            self._fields[-1].has_result = True
        elif kind == "end" and self._fields:
            self._fields.pop()

    def _read_note(self, node: Any, name: str) -> Iterator[_Piece]:
        kind = name.removesuffix("Reference")
        note = self.notes.get(f"{kind}{get_attribute(node, 'id')}")
        if note:
            yield _Piece(f" [{note}] ")


def _mark(is_struck: bool, text: str) -> str:
    return mark_struck(text) if is_struck else text


def _combine(base: RunFormat, own: RunFormat) -> RunFormat:
    return RunFormat(
        own.shift or base.shift,
        own.font or base.font,
        own.is_struck or base.is_struck,
        own.is_hidden or base.is_hidden,
    )


def _shows_placeholder(control: Any) -> bool:
    """Return whether a content control is empty but for its prompt."""
    return any(
        is_on(node)
        for properties in control.iterchildren("{*}sdtPr")
        for node in properties.iterchildren("{*}showingPlcHdr")
    )


def _read_form_state(data: Any) -> str:
    """Return what an old form field shows: a box, or the chosen entry of a list."""
    for box in data.iterchildren("{*}checkBox"):
        states = [*box.iterchildren("{*}checked"), *box.iterchildren("{*}default")]
        return "☒" if states and is_on(states[0]) else "☐"
    for choice in data.iterchildren("{*}ddList"):
        entries = [get_attribute(e, "val") for e in choice.iterchildren("{*}listEntry")]
        chosen = [*choice.iterchildren("{*}result"), *choice.iterchildren("{*}default")]
        index = get_attribute(chosen[0], "val", "0") if chosen else "0"
        if index.isdigit() and int(index) < len(entries):
            return entries[int(index)]
    return ""
