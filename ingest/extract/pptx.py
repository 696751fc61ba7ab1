"""PowerPoint decks to pages: a slide is a page, with tables, groups, notes, pictures.

Uses python-pptx: kreuzberg 4.10, four times as fast, put the notes of the second
slide under the first, so that a citation would open the wrong slide (2026-11-23).
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from lxml.etree import XMLSyntaxError, fromstring
from PIL import Image, UnidentifiedImageError
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.exc import PythonPptxError

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import charts, ocr
from dunegpt.ingest.extract.clean import clean, row
from dunegpt.ingest.extract.equations import linear
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

DAMAGED = (
    PythonPptxError,
    KeyError,
    ValueError,
    AttributeError,
    zipfile.BadZipFile,
    XMLSyntaxError,
)
_PICTURE_PART = 0.04
_DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"


def pages(task: Task) -> Iterator[Page]:
    """Yield the slides of a deck, hidden ones too.

    Raises:
        ExtractError: Damaged, or not a deck.
    """
    try:
        with task.path.open("rb") as file:
            deck = Presentation(file)
            slides = list(deck.slides)
    except DAMAGED as error:
        raise ExtractError(f"The deck is damaged: {error}.") from error
    pictures = _Pictures(task, (deck.slide_width or 1) * (deck.slide_height or 1))
    sections = _sections(deck)
    for number, slide in enumerate(slides, start=1):
        try:
            section = sections.get(str(slide.slide_id), "")
            yield _page(number, slide, section, pictures)
        except DAMAGED as error:
            task.remark(f"Slide {number} is damaged and was left out: {error}.")
            yield Page(number, "", "")


def _sections(deck: Any) -> dict[str, str]:
    """Return the section's name of each slide, by the slide's id."""
    return {
        ident.get("id"): clean(section.get("name", ""))
        for section in deck.part._element.iter("{*}section")
        for ident in section.iter("{*}sldId")
    }


def _page(number: int, slide: Any, section: str, pictures: "_Pictures") -> Page:
    title = slide.shapes.title
    heading = clean(title.text_frame.text).replace("\n", " ") if title else ""
    parts = [heading] if heading else []
    for shape in flat(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            parts += _texts(shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        parts.append(slide.notes_slide.notes_text_frame.text)
    parts += pictures.texts(slide, number)
    text = "\n".join(filter(None, (clean(part) for part in parts)))
    path = " > ".join(filter(None, [section, heading]))
    return Page(number, path, text, f"slide {number}")


def _texts(shape: Any) -> Iterator[str]:
    """Yield what a shape says: its text, the rows of its table, its chart, diagram."""
    if shape.has_text_frame:
        yield "\n".join(_paragraph(p) for p in shape.text_frame.paragraphs)
    elif getattr(shape, "has_table", False):
        for each in shape.table.rows:
            yield row(cell.text for cell in each.cells)
    elif getattr(shape, "has_chart", False):
        yield from charts.rows(shape.chart._chartSpace)
    elif shape._element.find(f".//{{{_DIAGRAM}}}relIds") is not None:
        yield from _diagram(shape)


def _paragraph(paragraph: Any) -> str:
    """Return a paragraph's text, equations in their place."""
    if paragraph._p.find(".//{*}oMath") is None:
        return str(paragraph.text)
    parts = []
    for child in paragraph._p.iter("{*}t", "{*}oMath", "{*}br"):
        name = child.tag.rpartition("}")[2]
        if name == "oMath":
            parts.append(f" {linear(child)} ")
        elif not any(a.tag.endswith("}oMath") for a in child.iterancestors()):
            parts.append("\n" if name == "br" else child.text or "")
    return "".join(parts)


def _diagram(shape: Any) -> Iterator[str]:
    """Yield the texts of a diagram (SmartArt)."""
    ids = shape._element.find(f".//{{{_DIAGRAM}}}relIds")
    for name, ident in ids.attrib.items():
        if name.endswith("}dm"):
            model = fromstring(shape.part.related_part(ident).blob)
            for body in model.iter(f"{{{_DIAGRAM}}}t"):
                yield "".join(node.text or "" for node in body.iter("{*}t"))


def flat(shapes: Iterable[Any]) -> Iterator[Any]:
    """Yield shapes in drawing order, groups opened."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from flat(shape.shapes)
        else:
            yield shape


class _Pictures:
    """Reads the pictures of a deck that are large on their slide, each one once."""

    def __init__(self, task: Task, slide_area: int) -> None:
        self._task = task
        self._least = slide_area * _PICTURE_PART
        self._read: set[bytes] = set()

    def texts(self, slide: Any, number: int) -> Iterator[str]:
        """Yield the text of each large picture of a slide that was on none before."""
        for shape in flat(slide.shapes):
            if shape.shape_type != MSO_SHAPE_TYPE.PICTURE:
                continue
            if (shape.width or 0) * (shape.height or 0) < self._least:
                continue
            try:
                content = shape.image.blob
            except DAMAGED:
                self._task.remark(f"A picture on slide {number} is damaged.")
                continue
            digest = hashlib.sha256(content).digest()
            if digest not in self._read:
                self._read.add(digest)
                yield self._text(content, number)

    def _text(self, content: bytes, number: int) -> str:
        Image.MAX_IMAGE_PIXELS = ocr.MAX_PIXELS // 2
        where = f"slide {number}"
        try:
            with Image.open(io.BytesIO(content)) as image:
                if image.format in {"WMF", "EMF"}:
                    return ""
                return ocr.text_of(self._task, image, where)
        except Image.DecompressionBombError:
            self._task.remark(f"A picture on {where} has too many pixels.")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
            self._task.remark(f"A picture on {where} is damaged.")
        return ""
