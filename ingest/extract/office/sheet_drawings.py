"""What is drawn on spreadsheet sheets: charts, text boxes, diagrams, embedded files."""

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any

from dunegpt.ingest.extract.clean import clean_text
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
from dunegpt.ingest.extract.office.slide_text import SlideText
from dunegpt.ingest.extract.office.workbook import Sheet
from dunegpt.ingest.extract.task import ExtractTask


def read_drawings(
    task: ExtractTask, package: zipfile.ZipFile, sheet: Sheet
) -> Iterator[tuple[str, str]]:
    """Yield kind and text of each thing on a sheet: ``("chart", "...")``."""
    names = set(package.namelist())
    relations = read_relations(package, sheet.part)
    for name in relations.values():
        folder = posixpath.basename(posixpath.dirname(name))
        if name not in names:
            continue
        if folder == "drawings" and name.endswith(".xml"):
            yield from _read_drawing(task, package, name)
        elif folder == "embeddings":
            content, own = read_bytes(package, name), posixpath.basename(name)
            for text in read_embedded(task, content, own, f"sheet {sheet.name}"):
                yield "embedded file", text


def _read_drawing(
    task: ExtractTask, package: zipfile.ZipFile, name: str
) -> Iterator[tuple[str, str]]:
    relations = read_relations(package, name)
    names = set(package.namelist())
    reader = SlideText(task)
    for node in _iter_contents(read_part(package, name)):
        kind = local_name(node)
        if kind == "txBody":
            if text := clean_text(reader.read_body(node)):
                yield "text box", text
            continue
        target = relations.get(get_attribute(node, "dm" if kind == "relIds" else "id"))
        if target not in names:
            continue
        lines = _read_lines(kind, read_part(package, target))
        if text := "\n".join(filter(None, lines)):
            yield ("chart" if kind == "chart" else "diagram"), text
    reader.remark_losses()


def _iter_contents(drawing: Any) -> Iterator[Any]:
    """Yield what says something, from top to bottom and left to right."""
    for anchor in sorted(drawing, key=_get_place):
        yield from anchor.iter("{*}txBody", "{*}chart", "{*}relIds")


def _get_place(anchor: Any) -> tuple[int, int]:
    """Return row and column of an anchor; the top left if it has none."""
    for corner in anchor.iterchildren("{*}from"):
        places = [corner.findtext(f"{{*}}{side}", "0") for side in ("row", "col")]
        row, column = (int(text) if text.isdigit() else 0 for text in places)
        return row, column
    return 0, 0


def _read_lines(kind: str, part: Any) -> Iterator[str]:
    if kind == "chart":
        return office_charts.read_chart_rows(part)
    return iter_diagram_texts(part)
