"""PowerPoint presentations: one page per slide, with tables, groups, notes, pictures.

Text of the master that is on every slide, such as a document number, is on the first
page that has it; comments and embedded workbooks are on their slide.
Uses python-pptx: kreuzberg 4.10 is four times as fast, but put the notes of the second
slide under the first, so that a citation would open the wrong slide (2026-11-23).
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from lxml.etree import XMLSyntaxError
from PIL import Image, UnidentifiedImageError
from pptx import Presentation
from pptx.exc import PythonPptxError

from dunegpt.errors import ExtractError
from dunegpt.files import host_error
from dunegpt.ingest.extract import ocr
from dunegpt.ingest.extract.clean import clean_text, to_one_line
from dunegpt.ingest.extract.figures import append_figures
from dunegpt.ingest.extract.office import charts as office_charts
from dunegpt.ingest.extract.office.embedded import read_embedded
from dunegpt.ingest.extract.office.open_xml import (
    get_attribute,
    local_name,
    parse_xml,
    resolve_alternatives,
)
from dunegpt.ingest.extract.office.slide_figures import SlideFigures
from dunegpt.ingest.extract.office.slide_text import SlideText
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

DAMAGE_ERRORS = (
    PythonPptxError,
    KeyError,
    ValueError,
    AttributeError,
    zipfile.BadZipFile,
    XMLSyntaxError,
)
_MIN_PICTURE_SHARE = 0.04
_DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield one page per slide, including hidden ones.

    Raises:
        ExtractError: The presentation is damaged, or is not one.
    """
    try:
        with task.path.open("rb") as file:
            deck = Presentation(file)
            slides = list(deck.slides)
    except DAMAGE_ERRORS as error:
        raise ExtractError(f"The deck is damaged: {error}.") from error
    size = (deck.slide_width or 1, deck.slide_height or 1)
    pictures = _PictureReader(task, size[0] * size[1])
    reader = _SlideReader(task, pictures, _read_authors(deck), size)
    sections = _section_names(deck)
    for number, slide in enumerate(slides, start=1):
        try:
            section = sections.get(str(slide.slide_id), "")
            yield reader.build_page(number, slide, section)
        except DAMAGE_ERRORS as error:
            task.remark(f"Slide {number} is damaged and was left out: {error}.")
            yield Page(number, "", "")
    reader.text.remark_losses()


def _section_names(deck: Any) -> dict[str, str]:
    """Return the section name of each slide, by slide id."""
    return {
        ident.get("id"): clean_text(section.get("name", ""))
        for section in deck.part._element.iter("{*}section")
        for ident in section.iter("{*}sldId")
    }


def _read_authors(deck: Any) -> dict[str, str]:
    """Return the names of the authors of comments, by id."""
    return {
        get_attribute(author, "id"): get_attribute(author, "name")
        for relation in deck.part.rels.values()
        if relation.reltype.lower().endswith(("/commentauthors", "/authors"))
        and not relation.is_external
        for author in parse_xml(relation.target_part.blob)
    }


class _SlideReader:
    """Turns slides into pages, in order."""

    def __init__(
        self,
        task: ExtractTask,
        pictures: "_PictureReader",
        authors: dict[str, str],
        size: tuple[int, int],
    ) -> None:
        self.text = SlideText(task)
        self._task = task
        self._pictures = pictures
        self._authors = authors
        self._size = size
        self._seen_masters: set[str] = set()
        self._read_parts: set[str] = set()

    def build_page(self, number: int, slide: Any, section: str) -> Page:
        """Return the page of a slide."""
        resolve_alternatives(slide._element)
        self.text.find_note_marks(slide._element)
        title = slide.shapes.title
        heading = to_one_line(self._read_frame(title)) if title else ""
        parts = [heading] if heading else []
        figures = SlideFigures(number, self._size)
        for shape in flatten_shapes(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                texts = self._read_shape(shape, number)
                parts += [] if figures.add(shape, texts) else texts
        parts += self._read_notes(slide)
        parts += self._read_comments(slide)
        parts += self._read_masters(slide)
        for shape, inner in self._pictures.read_texts(slide, number):
            figures.add_picture(shape, inner)
        text = "\n".join(filter(None, (clean_text(part) for part in parts)))
        path = " > ".join(filter(None, [section, heading]))
        is_hidden = slide._element.get("show") in {"0", "false"}
        label = f"slide {number}" + " (hidden)" * is_hidden
        return append_figures(Page(number, path, text, label), figures.build())

    def _read_frame(self, shape: Any) -> str:
        return self.text.read_body(shape.text_frame._txBody)

    def _read_shape(self, shape: Any, number: int) -> list[str]:
        """Return the texts of a shape; remark and go on if it is damaged."""
        try:
            texts = list(self._iter_texts(shape, f"slide {number}"))
        except DAMAGE_ERRORS as error:
            self._task.remark(
                f"A shape on slide {number} is damaged and was left out: {error}."
            )
            return []
        if any(texts) and _is_hidden(shape):
            return [f"[hidden shape: {text}]" for text in texts if text]
        return texts

    def _iter_texts(self, shape: Any, where: str) -> Iterator[str]:
        """Yield the text of a shape: paragraphs, table or chart rows, diagram, file."""
        if shape.has_text_frame:
            yield self._read_frame(shape)
        elif getattr(shape, "has_table", False):
            yield from self.text.read_table(shape.table._tbl)
        elif getattr(shape, "has_chart", False):
            yield from office_charts.read_chart_rows(shape.chart._chartSpace)
        elif (ids := shape._element.find(f".//{{{_DIAGRAM}}}relIds")) is not None:
            part = shape.part.related_part(get_attribute(ids, "dm"))
            for body in parse_xml(part.blob).iter(f"{{{_DIAGRAM}}}t"):
                yield self.text.read_body(body)
        elif (embedded := shape._element.find(".//{*}oleObj")) is not None:
            yield from self._read_embedded(shape, embedded, where)

    def _read_embedded(self, shape: Any, embedded: Any, where: str) -> Iterator[str]:
        relations = shape.part.rels
        ident = next((v for k, v in embedded.attrib.items() if k.endswith("}id")), "")
        if ident not in relations or relations[ident].is_external:
            self._task.remark(f"An object on {where} that is linked was left out.")
            return
        part = relations[ident].target_part
        name = part.partname.rpartition("/")[2]
        yield from read_embedded(self._task, part.blob, name, where)

    def _read_notes(self, slide: Any) -> Iterator[str]:
        if slide.has_notes_slide:
            notes = slide.notes_slide
            resolve_alternatives(notes._element)
            if notes.notes_text_frame is not None:
                yield self.text.read_body(notes.notes_text_frame._txBody)

    def _read_comments(self, slide: Any) -> Iterator[str]:
        """Yield the comments on a slide, of old and new kind, with their authors."""
        for relation in slide.part.rels.values():
            if relation.is_external or not relation.reltype.endswith("/comments"):
                continue
            for comment in parse_xml(relation.target_part.blob).iter(
                "{*}cm", "{*}reply"
            ):
                bodies = [*comment.iterchildren("{*}txBody")]
                texts = [node.text or "" for node in comment.iterchildren("{*}text")]
                texts += [self.text.read_body(body) for body in bodies]
                author = self._authors.get(get_attribute(comment, "authorId"), "")
                by = f" by {author}" if author else ""
                if text := to_one_line(" ".join(texts)):
                    yield f"[comment{by}: {text}]"

    def _read_masters(self, slide: Any) -> Iterator[str]:
        """Yield text that a slide shows from its layout and master, once for a deck."""
        layout = slide.slide_layout
        shown = slide._element.get("showMasterSp", "1") not in {"0", "false"}
        from_master = layout._element.get("showMasterSp", "1") not in {"0", "false"}
        for source in [layout, *[layout.slide_master] * from_master] * shown:
            if source.part.partname in self._read_parts:
                continue
            self._read_parts.add(source.part.partname)
            for shape in flatten_shapes(source.shapes):
                if shape.is_placeholder or not shape.has_text_frame:
                    continue
                text = to_one_line(self._read_frame(shape))
                if text and text not in self._seen_masters:
                    self._seen_masters.add(text)
                    yield f"Slide master: {text}"


def _is_hidden(shape: Any) -> bool:
    """Return whether a shape, or a group around it, is hidden."""
    around = [shape._element, *shape._element.iterancestors("{*}grpSp")]
    return any(
        properties.get("hidden") in {"1", "true"}
        for element in around
        for child in element
        if local_name(child).startswith("nv")
        for properties in child.iterchildren("{*}cNvPr")
    )


def flatten_shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """Yield shapes in drawing order, including those inside groups."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from flatten_shapes(shape.shapes)
        else:
            yield shape


def read_shape_text(task: ExtractTask, shape: Any) -> str:
    """Return the text of a shape or table as on its page; empty for anything else."""
    reader = SlideText(task)
    if shape.has_text_frame:
        return reader.read_body(shape.text_frame._txBody)
    if getattr(shape, "has_table", False):
        return "\n".join(reader.read_table(shape.table._tbl))
    return ""


class _PictureReader:
    """Reads each large picture of a presentation once."""

    def __init__(self, task: ExtractTask, slide_area: int) -> None:
        self._task = task
        self._min_area = slide_area * _MIN_PICTURE_SHARE
        self._seen_hashes: set[bytes] = set()

    def read_texts(self, slide: Any, number: int) -> Iterator[tuple[Any, str]]:
        """Yield each large picture, with its text if it was on no earlier slide."""
        for shape in flatten_shapes(slide.shapes):
            if local_name(shape._element) != "pic":  # also in a placeholder
                continue
            if (shape.width or 0) * (shape.height or 0) < self._min_area:
                continue
            try:
                content = shape.image.blob
            except DAMAGE_ERRORS:
                self._task.remark(f"A picture on slide {number} is damaged.")
                continue
            digest = hashlib.sha256(content).digest()
            if digest not in self._seen_hashes:
                self._seen_hashes.add(digest)
                yield shape, self._read_text(content, number)
            else:
                yield shape, ""

    def _read_text(self, content: bytes, number: int) -> str:
        Image.MAX_IMAGE_PIXELS = ocr.MAX_PIXELS // 2
        where = f"slide {number}"
        try:
            with Image.open(io.BytesIO(content)) as image:
                if image.format in {"WMF", "EMF"}:
                    return ""
                return ocr.recognize_text(self._task, image, where)
        except Image.DecompressionBombError:
            self._task.remark(f"A picture on {where} has too many pixels.")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            if host_error(error):
                raise
            self._task.remark(f"A picture on {where} is damaged.")
        return ""
