"""Word documents to pages: one for each section under a heading.

Paragraphs and tables in their order, text boxes, equations on a line, footnotes where
they are called. Reads the package itself: python-docx 1.2 refuses documents in strict
Open XML and leaves out text boxes, equations and footnotes.
"""

import re
import zipfile
from collections.abc import Iterator
from typing import Any

from lxml import etree

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import charts, equations
from dunegpt.ingest.extract.clean import clean, row
from dunegpt.ingest.extract.sections import Line, sections
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_BODIES = ("word/document.xml", "word/document2.xml")
_LEVEL = re.compile(r"(?:heading|überschrift|titre)\s*(\d)", re.I)
_SKIPPED = {"pPr", "rPr", "instrText", "delText", "del", "moveFrom", "Fallback"}
_CALLS = {"footnoteReference", "endnoteReference"}
_HOLDERS = {"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"}
_PART_BYTES = 200 << 20


def pages(task: Task) -> Iterator[Page]:
    """Yield the sections of a document.

    Raises:
        ExtractError: Damaged, or not a document.
    """
    damaged = (KeyError, zipfile.BadZipFile, etree.XMLSyntaxError, RuntimeError)
    try:
        with zipfile.ZipFile(task.path) as package:
            names = set(package.namelist())
            body = _part(package, next(n for n in _BODIES if n in names))
            _put_charts(package, names, body)
            styles = _levels(package) if "word/styles.xml" in names else {}
            notes = _notes(package, names)
            title = _title(package) if "docProps/core.xml" in names else ""
    except damaged as error:
        raise ExtractError(f"The document is damaged: {error}.") from error
    for child in body.iterchildren("{*}body"):
        yield from sections(_lines(child, styles, notes), title=title)


def _part(package: zipfile.ZipFile, name: str) -> Any:
    """Return a part of the package as XML; no entity and no address is followed.

    Raises:
        ExtractError: It is larger than any document is.
    """
    with package.open(name) as stream:
        content = stream.read(_PART_BYTES + 1)
    if len(content) > _PART_BYTES:
        raise ExtractError(f"{name} unpacks to over {_PART_BYTES >> 20} MB.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(content, parser)


def _put_charts(package: zipfile.ZipFile, names: set[str], body: Any) -> None:
    """Put the rows of each chart as paragraphs behind the one that shows it."""
    if "word/_rels/document.xml.rels" not in names:
        return
    targets = {
        each.get("Id"): f"word/{each.get('Target')}"
        for each in _part(package, "word/_rels/document.xml.rels")
    }
    for shown in list(body.iter("{*}chart")):
        name = targets.get(next(iter(shown.attrib.values()), ""), "")
        paragraphs = list(shown.iterancestors("{*}p"))
        if name not in names or not paragraphs:
            continue
        space = paragraphs[-1].tag.removesuffix("p")
        for line in reversed(list(charts.rows(_part(package, name)))):
            added = etree.Element(f"{space}p")
            etree.SubElement(added, f"{space}t").text = line
            paragraphs[-1].addnext(added)


def _title(package: zipfile.ZipFile) -> str:
    found = _part(package, "docProps/core.xml").iterchildren("{*}title")
    return clean(next((each.text or "" for each in found), ""))


def _levels(package: zipfile.ZipFile) -> dict[str, int]:
    """Return the level of each style that makes headings, by its id."""
    levels = {}
    for style in _part(package, "word/styles.xml").iter("{*}style"):
        ident = style.get(_w(style, "styleId")) or ""
        name = next((n.get(_w(n, "val")) or "" for n in style.iter("{*}name")), "")
        if found := _LEVEL.match(name):
            levels[ident] = int(found[1])
        elif name.lower() == "title":
            levels[ident] = 1
    return levels


def _notes(package: zipfile.ZipFile, names: set[str]) -> dict[str, str]:
    """Return footnotes and endnotes by what calls them."""
    notes = {}
    for kind in ("footnote", "endnote"):
        if f"word/{kind}s.xml" not in names:
            continue
        for note in _part(package, f"word/{kind}s.xml").iter(f"{{*}}{kind}"):
            text = " ".join("".join(_text(p, {})) for p in note.iter("{*}p"))
            notes[f"{kind}{note.get(_w(note, 'id'))}"] = clean(text)
    return notes


def _lines(
    parent: Any, styles: dict[str, int], notes: dict[str, str]
) -> Iterator[Line]:
    """Yield paragraphs and tables, each block apart from the next by an empty line."""
    for child in parent:
        name = _local(child)
        if name == "p":
            text = clean("".join(_text(child, notes)))
            level = _level(child, styles) if len(text) < 200 else 0
            yield Line(text.replace("\n", " ") if level else text, level if text else 0)
            yield from _boxes(child, styles, notes)
            yield Line("")
        elif name == "tbl" and len(cells := list(_own_cells(child))) == 1:
            yield from _lines(cells[0], styles, notes)
        elif name == "tbl":
            yield from (Line(line) for line in _table(child, notes) if line)
            yield Line("")
        elif name in _HOLDERS:
            yield from _lines(child, styles, notes)


def _level(paragraph: Any, styles: dict[str, int]) -> int:
    for properties in paragraph.iterchildren("{*}pPr"):
        for each in properties.iterchildren("{*}outlineLvl"):
            return int(each.get(_w(each, "val")) or 9) % 9 + 1
        for each in properties.iterchildren("{*}pStyle"):
            return styles.get(each.get(_w(each, "val")) or "", 0)
    return 0


def _boxes(
    paragraph: Any, styles: dict[str, int], notes: dict[str, str]
) -> Iterator[Line]:
    """Yield the lines of the text boxes anchored in a paragraph."""
    for content in paragraph.iter("{*}txbxContent"):
        if not any(_local(a) == "Fallback" for a in content.iterancestors()):
            yield from _lines(content, styles, notes)


def _own_cells(table: Any) -> Iterator[Any]:
    """Yield the cells of a table, not those of tables in them."""
    for each in table.iterchildren("{*}tr"):
        yield from each.iterchildren("{*}tc")


def _table(table: Any, notes: dict[str, str]) -> Iterator[str]:
    """Yield the rows of a table; a cell over several columns stands in each."""
    for each in table.iterchildren("{*}tr"):
        cells = []
        for cell in each.iterchildren("{*}tc", "{*}sdt"):
            parts = ["".join(_text(p, notes)) for p in cell.iter("{*}p")]
            cells.append(" ".join(part.strip() for part in parts if part.strip()))
        yield row(cells)


def _text(node: Any, notes: dict[str, str]) -> Iterator[str]:
    """Yield the text of a paragraph: runs, breaks, equations, notes where called."""
    for child in node:
        name = _local(child)
        if name == "t":
            yield child.text or ""
        elif name in {"tab", "ptab"}:
            yield "\t"
        elif name in {"br", "cr"}:
            yield "\n"
        elif name == "noBreakHyphen":
            yield "-"
        elif name == "oMath":
            yield f" {equations.linear(child)} "
        elif name in _CALLS:
            note = notes.get(
                f"{name.removesuffix('Reference')}{child.get(_w(child, 'id'))}"
            )
            yield f" [{note}] " if note else ""
        elif name not in _SKIPPED and name != "txbxContent":
            yield from _text(child, notes)


def _local(node: Any) -> str:
    """Return an element's name without its namespace."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _w(node: Any, name: str) -> str:
    """Return the name of an attribute in the namespace of its element."""
    return f"{node.tag.partition('}')[0]}}}{name}"
