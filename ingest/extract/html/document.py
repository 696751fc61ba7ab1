"""HTML documents: one page per section under a heading, as a browser shows it.

What the page hides is left out, struck-out text is marked, raised and lowered text is
written in Unicode, list items have their numbers, and pictures their description.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from bs4 import BeautifulSoup, UnicodeDammit
from bs4.element import NavigableString, Tag

from dunegpt.ingest.extract.clean import clean_text, mark_struck, to_one_line
from dunegpt.ingest.extract.encoding import decode_damaged
from dunegpt.ingest.extract.figures import UNNUMBERED, format_inner, parse_label
from dunegpt.ingest.extract.html.lists import number_items
from dunegpt.ingest.extract.html.markup import escape_stray_signs
from dunegpt.ingest.extract.html.mathml import format_math
from dunegpt.ingest.extract.html.notes import find_note, find_note_marks
from dunegpt.ingest.extract.html.styles import Styles, get_classes
from dunegpt.ingest.extract.html.tables import (
    format_nested,
    format_table,
    is_layout,
    iter_cells,
)
from dunegpt.ingest.extract.sections import SectionLine, split_sections
from dunegpt.text.typography import to_subscript, to_superscript
from dunegpt.types import Page

_SKIPPED_ELEMENTS = frozenset(
    "style template noscript nav head iframe datalist button object map".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote caption center dd details dialog div dl dt"
    " fieldset figcaption figure footer form header hr legend li main menu ol p section"
    " summary table tbody td tfoot th thead tr ul".split()
)
_HEADING = re.compile(r"h([1-6])")
_WRITTEN = frozenset({"br", "pre", "q", "img", "input", "select"})
_HEADING_MARK = "\x01"
_QUOTE_MARK = "\x02"
_FIGURE_BEGIN, _FIGURE_END = "\x04", "\x05"
_MARKS = re.compile(f"{_HEADING_MARK}[1-6]|[{_QUOTE_MARK}{_FIGURE_BEGIN}{_FIGURE_END}]")
_SPACES = re.compile(r"\s{2,}|[^\S ]")
_FIGURE_CLASSES = frozenset("figure thumb thumbinner wp-caption".split())
_CAPTION_CLASS = re.compile(r"(?:^|[\s_-])(?:caption|thumbcaption)(?:$|[\s_-])", re.I)
_PICTURES = ["img", "svg", "picture", "object", "canvas", "video", "embed"]
_LONGEST_CAPTION = 1500
_TYPESET_MATH = re.compile(r"\b(?:katex|MathJax|mwe-math-element|mjx-container)\b")
_FILE_NAME = re.compile(r"[\w .-]+\.(?:png|jpe?g|gif|svg|webp|bmp)", re.I)
_FORMULA = re.compile(r"[\\$^{}]")
_SILENT_INPUTS = frozenset("hidden password submit reset button image file".split())
_CONTEXT = 40


def read_html(content: bytes | str, *, mark_quotes: bool = False) -> Iterator[Page]:
    """Yield the visible sections of HTML source.

    Args:
        content: The source.
        mark_quotes: Whether lines of block quotes begin with ``>``, as in a mail.
    """
    source = escape_stray_signs(_decode_html(content))
    soup = BeautifulSoup(source, "lxml", multi_valued_attributes=None)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    writer = _Writer(soup, mark_quotes=mark_quotes)
    lines = writer.write(soup).split("\n")
    yield from split_sections(_iter_lines(lines), title=clean_text(title))


def _decode_html(content: bytes | str) -> str:
    """Return the decoded source, by its byte order mark or declared encoding."""
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        markup = UnicodeDammit(content, is_html=True)
    declared = (markup.declared_html_encoding or "").lower()
    if declared in {"utf-8", "utf8"} or markup.unicode_markup is None:
        return decode_damaged(content)
    return markup.unicode_markup


def _iter_lines(lines: list[str]) -> Iterator[SectionLine]:
    """Yield each line with its heading level (0 for text), those of figures marked."""
    figure, depth = list[str](), 0
    for line in lines:
        begun = depth + line.count(_FIGURE_BEGIN)
        if begun:
            figure.append(line)
            depth = begun - line.count(_FIGURE_END)
            if depth <= 0:
                yield from _label_figure([line.text for line in _format_lines(figure)])
                figure.clear()
            continue
        for own in _format_lines([line]):
            is_text = not own.level and len(own.text) < _LONGEST_CAPTION
            label = parse_label(own.text, needs_sign=True) if is_text else ""
            yield replace(own, figure=label) if label else own
    yield from _format_lines(figure)


def _label_figure(texts: list[str]) -> Iterator[SectionLine]:
    """Yield the lines of a figure with its label, its caption first."""
    labels = [parse_label(text, is_apart=True) for text in texts]
    label = next(filter(None, labels), UNNUMBERED)
    caption = next((at for at, own in enumerate(labels) if own), 0)
    yield SectionLine("")
    for text in [*texts[caption:], *texts[:caption]]:
        if text:
            yield SectionLine(text, figure=label)
    yield SectionLine("")


def _format_lines(lines: list[str]) -> Iterator[SectionLine]:
    for line in lines:
        depth = line.count(_QUOTE_MARK)
        is_heading = line.startswith(_HEADING_MARK) and not depth
        level = int(line[1]) if is_heading else 0
        text = to_one_line(_SPACES.sub(" ", _MARKS.sub("", line)))
        if depth and text:
            text = f"{'>' * depth} {text}"
        yield SectionLine(text, level if text else 0)


class _Writer:
    """Writes the text of a page, with line breaks where a browser puts them."""

    def __init__(self, soup: BeautifulSoup, *, mark_quotes: bool) -> None:
        self._styles = Styles(soup)
        self._notes = find_note_marks(soup)
        self._mark_quotes = mark_quotes
        self._pieces = list[str]()
        self._is_struck = False
        self._in_cell = 0

    def write(self, node: Tag) -> str:
        """Return the text below a node."""
        outer, self._pieces = self._pieces, []
        self._add_children(node)
        text = "".join(self._pieces)
        self._pieces = outer
        return text

    def _write_element(self, element: Tag) -> str:
        """Return an element with what it puts around its text."""
        outer, self._pieces = self._pieces, []
        self._add_element(element)
        text = "".join(self._pieces)
        self._pieces = outer
        return text

    def _add_children(self, node: Tag) -> None:
        for child in node.children:
            if isinstance(child, Tag):
                self._add_element(child)
            elif type(child) is NavigableString:
                self._pieces.append(_SPACES.sub(" ", child).replace("\u00ad", ""))

    def _add_element(self, element: Tag) -> None:
        name = element.name
        if name == "script":
            self._add_script(element)
        elif name == "svg":
            self._add_drawing(element)
        elif name in _SKIPPED_ELEMENTS or self._styles.is_hidden(element):
            return
        elif self._styles.is_struck(element) and not self._is_struck:
            self._add_struck(element)
        elif name.rpartition(":")[2] == "math":
            self._pieces.append(format_math(element))
        elif _TYPESET_MATH.search(_class_of(element)) and element.find("math"):
            formulas = [
                m for m in element.find_all("math") if not m.find_parent("math")
            ]
            self._pieces.append(format_math(formulas[0]))
        elif shift := self._styles.find_shift(element):
            self._add_shifted(element, shift)
        else:
            self._add_by_name(element, name)

    def _add_by_name(self, element: Tag, name: str) -> None:
        if name in {"ol", "ul", "menu"}:
            self._add_list(element)
        elif name == "table":
            self._add_table(element)
        elif not self._in_cell and _is_figure(element):
            self._add_figure(element)
        elif name in {"dt", "dd"}:
            self._add_description(element)
        elif name == "blockquote" and self._mark_quotes:
            self._add_quoted(element)
        elif name in _WRITTEN or _HEADING.fullmatch(name):
            self._pieces.append(self._write_inline(element, name))
        else:
            line_break = "\n" if name in _BLOCKS else ""
            self._pieces.append(line_break)
            self._add_children(element)
            self._pieces.append(line_break)

    def _write_inline(self, element: Tag, name: str) -> str:
        """Return a heading, a line, or what stands within one."""
        if match := _HEADING.fullmatch(name):
            text = _SPACES.sub(" ", _MARKS.sub("", self.write(element))).strip()
            return f"\n{_HEADING_MARK}{match[1]}{text}\n" if text else "\n"
        if name == "br":
            return "\n"
        if name == "pre":
            return f"\n{self._write_pre(element)}\n"
        if name == "q":
            return f"“{self.write(element)}”"
        return _format_field(element)

    def _add_description(self, element: Tag) -> None:
        """Add a term or its description; the first stands on the line of the term."""
        if element.name == "dt":
            text = self._write_cell(element)
            self._pieces.append(f"\n{text}{'' if text.endswith(':') else ':'} ")
        else:
            text = self.write(element)
            begin = "" if _follows_term(element) else "\n"
            self._pieces.append(f"{begin}{text.lstrip()}\n")

    def _add_figure(self, element: Tag) -> None:
        self._pieces.append(f"\n{_FIGURE_BEGIN}")
        self._add_children(element)
        self._pieces.append(f"{_FIGURE_END}\n")

    def _add_drawing(self, element: Tag) -> None:
        """Add what stands in a drawing, as a figure; an icon has no text."""
        texts = [text.get_text(" ") for text in element.find_all("text")]
        inner = format_inner(texts)
        if not inner or self._in_cell or self._styles.is_hidden(element):
            return
        is_in_figure = any(_is_figure(parent) for parent in element.parents)
        begin, end = ("", "") if is_in_figure else (_FIGURE_BEGIN, _FIGURE_END)
        self._pieces.append(f"\n{begin}{inner}{end}\n")

    def _add_quoted(self, element: Tag) -> None:
        quoted = self.write(element).split("\n")
        marked = [f"{_QUOTE_MARK}{line}" if line.strip() else line for line in quoted]
        self._pieces.append("\n" + "\n".join(marked) + "\n")

    def _add_script(self, element: Tag) -> None:
        """Add a formula of MathJax; other scripts say nothing."""
        if str(element.get("type") or "").startswith("math/tex"):
            self._pieces.append(f"${element.get_text().strip()}$")

    def _add_struck(self, element: Tag) -> None:
        self._is_struck = True
        text = self._write_element(element)
        self._is_struck = False
        lines = text.split("\n")
        self._pieces.append("\n".join(_mark_struck_line(line) for line in lines))

    def _add_shifted(self, element: Tag, shift: str) -> None:
        before = "".join(self._pieces[-6:])[-_CONTEXT:]
        if shift == "super" and (note := find_note(element, before, self._notes)):
            self._pieces.append(f" [note {note}]")
            return
        text = self.write(element).replace("\n", " ")
        raised = to_superscript(text) if shift == "super" else to_subscript(text)
        self._pieces.append(raised)

    def _add_table(self, table: Tag) -> None:
        if self._in_cell:
            self._pieces.append(f" {format_nested(table, self._write_cell)} ")
            return
        if is_layout(table):
            for cell in iter_cells(table):
                if not self._styles.is_hidden(cell):
                    self._pieces.append(f"\n{self.write(cell)}\n")
            return
        caption = table.find("caption", recursive=False)
        lines = [self._write_cell(caption)] if caption else []
        lines += format_table(table, self._write_cell, self._styles.is_hidden)
        self._pieces.append("\n" + "\n".join(lines) + "\n")

    def _add_list(self, element: Tag) -> None:
        marks = number_items(element, self._styles.find_list_type(element))
        self._pieces.append("\n")
        for child in element.children:
            if isinstance(child, Tag):
                mark = marks.get(id(child), "")
                if mark and not self._styles.is_hidden(child):
                    text = self._write_element(child).strip("\n ")
                    self._pieces.append(f"\n{mark} {text}\n")
                else:
                    self._add_element(child)
        self._pieces.append("\n")

    def _write_pre(self, element: Tag) -> str:
        """Return preformatted text with its own line breaks."""
        pieces = []
        for child in element.children:
            if type(child) is NavigableString:
                pieces.append(str(child))
            elif isinstance(child, Tag):
                simple = child.name not in {"sup", "sub", "del", "s", "strike", "br"}
                if simple and not self._styles.is_hidden(child):
                    pieces.append(self._write_pre(child))
                else:
                    pieces.append(self._write_element(child))
        return "".join(pieces)

    def _write_cell(self, cell: Tag) -> str:
        """Return the text of a cell on one line, with the tables in it."""
        self._in_cell += 1
        text = self.write(cell)
        self._in_cell -= 1
        return _SPACES.sub(" ", _MARKS.sub("", text)).strip()


def _is_figure(element: Tag) -> bool:
    """Return whether an element is a picture with its caption, and no listing."""
    classes = get_classes(element)
    if element.name != "figure" and not _FIGURE_CLASSES.intersection(classes):
        return False
    caption = element.find("figcaption") or element.find(class_=_CAPTION_CLASS)
    if caption is None:
        return False
    if parse_label(caption.get_text(" ", strip=True), is_apart=True):
        return True
    return bool(element.find(_PICTURES)) and not element.find(["table", "pre"])


def _mark_struck_line(line: str) -> str:
    marks = "".join(_MARKS.findall(line))
    return marks + mark_struck(_MARKS.sub("", line))


def _class_of(element: Tag) -> str:
    return f"{element.name} {' '.join(get_classes(element))}"


def _follows_term(element: Tag) -> bool:
    """Return whether a description is the first of its term."""
    previous = element.find_previous_sibling(["dt", "dd"])
    return previous is not None and previous.name == "dt"


def _format_field(element: Tag) -> str:
    """Return what a picture or form field shows as text."""
    if element.name == "img":
        return _format_picture(str(element.get("alt") or "").strip())
    if element.name == "select":
        options = element.find_all("option")
        chosen = [o for o in options if o.has_attr("selected")] or options[:1]
        return " " + ", ".join(option.get_text(" ", strip=True) for option in chosen)
    kind = str(element.get("type") or "text").lower()
    if kind in {"checkbox", "radio"}:
        return "☒ " if element.has_attr("checked") else "☐ "
    return "" if kind in _SILENT_INPUTS else f" {element.get('value') or ''}"


def _format_picture(description: str) -> str:
    if not description or _FILE_NAME.fullmatch(description):
        return ""
    is_short = " " not in description or bool(_FORMULA.search(description))
    return f" {description} " if is_short else f" [image: {description}] "
