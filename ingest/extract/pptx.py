"""PowerPoint decks to pages: a slide is a page, with tables, groups and notes.

Uses python-pptx: kreuzberg 4.10, four times as fast, put the notes of the second
slide under the first, so that a citation would open the wrong slide (2026-11-23).
"""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lxml.etree import XMLSyntaxError
from pptx import Presentation
from pptx.exc import PythonPptxError

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean
from dunegpt.types import Page

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def pages(path: Path) -> Iterator[Page]:
    """Yield the slides of a deck, hidden ones too.

    Raises:
        ExtractError: Damaged, or not a deck.
    """
    damaged = (PythonPptxError, KeyError, zipfile.BadZipFile, XMLSyntaxError)
    try:
        with path.open("rb") as file:
            slides = list(Presentation(file).slides)
        for number, slide in enumerate(slides, start=1):
            yield _page(number, slide)
    except damaged as error:
        raise ExtractError(f"The deck is damaged: {error}.") from error


def _page(number: int, slide: Any) -> Page:
    title = slide.shapes.title
    heading = clean(title.text_frame.text).replace("\n", " ") if title else ""
    parts = [heading] if heading else []
    for shape in _flat(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if shape.has_text_frame:
            parts.append(shape.text_frame.text)
        elif getattr(shape, "has_table", False):
            parts += [_row(row) for row in shape.table.rows]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        parts.append(slide.notes_slide.notes_text_frame.text)
    text = "\n".join(clean(part) for part in parts if part.strip())
    return Page(number, heading, text)


def _flat(shapes: Iterable[Any]) -> Iterator[Any]:
    """Yield shapes from top to bottom of the drawing order, groups opened."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _row(row: Any) -> str:
    return " | ".join(clean(cell.text).replace("\n", " ") for cell in row.cells)
