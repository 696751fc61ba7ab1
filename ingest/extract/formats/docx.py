"""Word documents: one page per section under a heading.

Keeps paragraphs, tables and text boxes in order with their list numbers, equations as
inline text, footnotes and comments where they are referenced, charts, diagrams and
embedded workbooks after the paragraph that holds them, headers and footers on the
first page. Parses the XML itself: python-docx 1.2 rejects strict Open XML documents and
leaves out text boxes, equations and footnotes.
"""

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean_text, to_one_line
from dunegpt.ingest.extract.figures import prepend_text
from dunegpt.ingest.extract.office import charts as office_charts
from dunegpt.ingest.extract.office.embedded import read_embedded
from dunegpt.ingest.extract.office.open_xml import (
    get_attribute,
    iter_diagram_texts,
    local_name,
    read_bytes,
    read_part,
    read_relations,
)
from dunegpt.ingest.extract.office.word_figures import (
    OBJECT,
    find_label,
    iter_descriptions,
)
from dunegpt.ingest.extract.office.word_lists import ListNumbers
from dunegpt.ingest.extract.office.word_styles import (
    Styles,
    read_list_place,
)
from dunegpt.ingest.extract.office.word_tables import format_table, iter_cells
from dunegpt.ingest.extract.office.word_text import WordText
from dunegpt.ingest.extract.sections import SectionLine, join_captions, split_sections
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_BODIES = ("word/document.xml", "word/document2.xml")
_CONTAINERS = {"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"}
_RUNNING = {"headerReference": "Header", "footerReference": "Footer"}
_MAX_HEADING = 200


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the sections of a document.

    Raises:
        ExtractError: The document is damaged, or is not one.
    """
    damaged = (KeyError, zipfile.BadZipFile, etree.XMLSyntaxError, RuntimeError)
    try:
        with zipfile.ZipFile(task.path) as package:
            names = set(package.namelist())
            body_name = next((n for n in _BODIES if n in names), _BODIES[0])
            body = read_part(package, body_name)
            parts = _Parts(task, package, names, read_relations(package, body_name))
            parts.insert_objects(body)
            styles = parts.read_styles()
            reader = WordText(task, styles, parts.read_notes(styles))
            reader.find_note_marks(body)
            numbers = ListNumbers(parts.read_numbering(body, styles))
            title = parts.read_title()
            running = parts.read_running_lines(body, styles)
    except damaged as error:
        raise ExtractError(f"The document is damaged: {error}.") from error
    lines = _LineReader(reader, styles, numbers)
    for child in body.iterchildren("{*}body"):
        body_lines = join_captions(lines.iter_lines(child))
        for page in split_sections(body_lines, title=title):
            head = "\n".join(running)
            yield prepend_text(page, f"{head}\n\n" if head else "")
            running = []
    reader.remark_losses()


@dataclass(slots=True)
class _Parts:
    """Reads the parts of a package beside its body."""

    task: ExtractTask
    package: zipfile.ZipFile
    names: set[str]
    relations: dict[str, str]

    def read_optional(self, name: str) -> Any | None:
        """Return a part as XML; None if it is absent."""
        return read_part(self.package, name) if name in self.names else None

    def read_styles(self) -> Styles:
        return Styles(self.read_optional("word/styles.xml"))

    def read_numbering(self, body: Any, styles: Styles) -> Any | None:
        """Return the part that defines lists; None if no paragraph can be in one."""
        if not styles.may_number and next(body.iter("{*}numPr"), None) is None:
            return None
        return self.read_optional("word/numbering.xml")

    def read_title(self) -> str:
        core = self.read_optional("docProps/core.xml")
        titles = [] if core is None else list(core.iterchildren("{*}title"))
        return clean_text(next((title.text or "" for title in titles), ""))

    def read_notes(self, styles: Styles) -> dict[str, str]:
        """Return the texts of footnotes, endnotes and comments, by kind and id."""
        notes = {}
        for kind in ("footnote", "endnote", "comment"):
            root = self.read_optional(f"word/{kind}s.xml")
            if root is None:
                continue
            reader = WordText(self.task, styles)
            for note in root.iter(f"{{*}}{kind}"):
                text = clean_text(" ".join(reader.read(p) for p in note.iter("{*}p")))
                if kind == "comment" and text:
                    author = get_attribute(note, "author")
                    text = f"comment{f' by {author}' if author else ''}: {text}"
                notes[f"{kind}{get_attribute(note, 'id')}"] = text
        return notes

    def read_running_lines(self, body: Any, styles: Styles) -> list[str]:
        """Return each header and footer once, on one line."""
        lines = list[str]()
        for reference in body.iter("{*}headerReference", "{*}footerReference"):
            name = self.relations.get(get_attribute(reference, "id"), "")
            root = self.read_optional(name)
            if root is None:
                continue
            reader = _LineReader(WordText(self.task, styles), styles, ListNumbers(None))
            texts = (to_one_line(line.text) for line in reader.iter_lines(root))
            text = " | ".join(filter(None, texts))
            line = f"{_RUNNING[local_name(reference)]}: {text}"
            if text and line not in lines:
                lines.append(line)
        return lines

    def insert_objects(self, body: Any) -> None:
        """Insert what objects say as paragraphs after the one that holds each."""
        for node in list(body.iter("{*}chart", "{*}relIds", "{*}OLEObject")):
            paragraphs = list(node.iterancestors("{*}p"))
            if not paragraphs:
                continue
            prefix = paragraphs[-1].tag.removesuffix("p")
            for line in reversed(list(self._read_object(node))):
                element = etree.Element(f"{prefix}p")
                element.set(OBJECT, local_name(node))
                etree.SubElement(element, f"{prefix}t").text = line
                paragraphs[-1].addnext(element)

    def _read_object(self, node: Any) -> Iterator[str]:
        """Yield the lines of a chart, a diagram or an embedded file."""
        kind = local_name(node)
        ident = get_attribute(node, "dm" if kind == "relIds" else "id")
        name = self.relations.get(ident, "")
        if name not in self.names:
            if kind == "OLEObject":
                self.task.remark("An object that is linked to a file was left out.")
            return
        if kind == "chart":
            yield from office_charts.read_chart_rows(read_part(self.package, name))
        elif kind == "relIds":
            yield from iter_diagram_texts(read_part(self.package, name))
        else:
            content = read_bytes(self.package, name)
            file_name = posixpath.basename(name)
            for text in read_embedded(self.task, content, file_name, "a page"):
                yield from text.split("\n")


@dataclass(slots=True)
class _LineReader:
    """Turns the elements of a part into lines, counting its lists."""

    text: WordText
    styles: Styles
    numbers: ListNumbers

    def iter_lines(self, parent: Any) -> Iterator[SectionLine]:
        """Yield the lines of paragraphs and tables, with an empty line after each."""
        for child in parent:
            name = local_name(child)
            if name == "p":
                yield from self._paragraph_lines(child)
            elif name == "tbl" and len(cells := list(iter_cells(child))) == 1:
                yield from self.iter_lines(cells[0])
            elif name == "tbl":
                rows = format_table(child, self._read_numbered)
                yield from (SectionLine(line) for line in rows if line)
                yield SectionLine("")
            elif name == "oMathPara":
                yield from (
                    SectionLine(clean_text(self.text.read(child))),
                    SectionLine(""),
                )
            elif name in _CONTAINERS:
                yield from self.iter_lines(child)

    def _paragraph_lines(self, paragraph: Any) -> Iterator[SectionLine]:
        number = self._count(paragraph)
        text = clean_text(self.text.read(paragraph))
        level = self._heading_level(paragraph) if len(text) < _MAX_HEADING else 0
        if text:
            text = f"{number} {text}" if number else text
        figure = "" if level else find_label(paragraph, text)
        yield SectionLine(
            text.replace("\n", " ") if level else text,
            level if text else 0,
            figure=figure,
        )
        yield from self._picture_lines(paragraph, figure)
        yield SectionLine("")

    def _picture_lines(self, paragraph: Any, figure: str) -> Iterator[SectionLine]:
        """Yield the text boxes of a paragraph, and what describes its pictures."""
        for content in paragraph.iter("{*}txbxContent"):
            if not _is_nested_box(content, paragraph):
                for line in self.iter_lines(content):
                    yield line if line.figure else replace(line, figure=figure)
        for text in iter_descriptions(paragraph):
            yield SectionLine(text, figure=figure)

    def _read_numbered(self, paragraph: Any) -> str:
        """Return the text of a paragraph in a cell; a number may be all it has."""
        number = self._count(paragraph)
        return f"{number} {self.text.read(paragraph)}".strip()

    def _count(self, paragraph: Any) -> str:
        """Count a paragraph in its list and return its number; empty if it has none."""
        list_id, level, style_id = "", None, ""
        for properties in paragraph.iterchildren("{*}pPr"):
            list_id, level = read_list_place(properties)
            for node in properties.iterchildren("{*}pStyle"):
                style_id = get_attribute(node, "val")
        style = self.styles.get(style_id)
        if not list_id and style.list_id:
            list_id = style.list_id
            if level is None:
                level = style.list_level
            if level is None:
                level = self.numbers.find_style_level(list_id, style_id)
        return self.numbers.count(list_id, level or 0) if list_id else ""

    def _heading_level(self, paragraph: Any) -> int:
        for properties in paragraph.iterchildren("{*}pPr"):
            for element in properties.iterchildren("{*}outlineLvl"):
                return int(get_attribute(element, "val") or 9) % 9 + 1
            for element in properties.iterchildren("{*}pStyle"):
                return self.styles.get(get_attribute(element, "val")).level
        return 0


def _is_nested_box(content: Any, paragraph: Any) -> bool:
    """Return whether a text box stands in another one of the same paragraph."""
    for ancestor in content.iterancestors():
        if ancestor is paragraph:
            return False
        if local_name(ancestor) == "txbxContent":
            return True
    return False
