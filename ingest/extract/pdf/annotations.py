"""What a PDF page holds beside its drawing: values of form fields, and comments.

A field becomes ``Label: value``, with the label that stands left of it or above it. A
comment becomes ``Comment by NAME: text``; text that it strikes out is named as such.
"""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from dunegpt.ingest.extract.clean import mark_struck, to_one_line

_COMMENTS = {
    raw.FPDF_ANNOT_TEXT,
    raw.FPDF_ANNOT_FREETEXT,
    raw.FPDF_ANNOT_LINE,
    raw.FPDF_ANNOT_SQUARE,
    raw.FPDF_ANNOT_CIRCLE,
    raw.FPDF_ANNOT_POLYGON,
    raw.FPDF_ANNOT_POLYLINE,
    raw.FPDF_ANNOT_HIGHLIGHT,
    raw.FPDF_ANNOT_UNDERLINE,
    raw.FPDF_ANNOT_SQUIGGLY,
    raw.FPDF_ANNOT_STRIKEOUT,
    raw.FPDF_ANNOT_STAMP,
    raw.FPDF_ANNOT_CARET,
    raw.FPDF_ANNOT_INK,
}
_CHOICES = {raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX}
_BOXES = {raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON}
_VALUES = {raw.FPDF_FORMFIELD_TEXTFIELD, *_CHOICES}
_PASSWORD = 1 << 13
_MAX_LABEL = 60
_LABEL_DISTANCE = 260
_LABEL_HEIGHT = 16
_MAX_ANNOTATIONS = 2_000
_MAX_LINKS = 500


@dataclass(frozen=True, slots=True)
class AnnotationText:
    """The text of a field or comment, and its rectangle in points of the page."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def iter_annotations(
    document: pdfium.PdfDocument, page: Any, layer: Any
) -> Iterator[AnnotationText]:
    """Yield fields and comments of a page, in the order of the file."""
    count = raw.FPDFPage_GetAnnotCount(page.raw)
    if count <= _MAX_LINKS and _are_links(page, count):
        return
    for index in range(min(count, _MAX_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            if text := _read_annotation(document, page, layer, annotation):
                yield AnnotationText(text, *_rectangle(annotation))
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _are_links(page: Any, count: int) -> bool:
    """Return whether all annotations of a page are links, which is soon told."""
    position, link = ctypes.c_int(), raw.FPDF_LINK()
    for number in range(1, count + 1):
        raw.FPDFLink_Enumerate(page.raw, position, link)
        if position.value != number:
            return False  # it went on to the next link, or found none
    return True


def _read_annotation(
    document: pdfium.PdfDocument, page: Any, layer: Any, annotation: Any
) -> str:
    """Return the text of an annotation; empty if it has none or is hidden."""
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind not in _COMMENTS and kind != raw.FPDF_ANNOT_WIDGET:
        return ""  # nearly all: links
    if raw.FPDFAnnot_GetFlags(annotation) & raw.FPDF_ANNOT_FLAG_HIDDEN:
        return ""
    if kind == raw.FPDF_ANNOT_WIDGET:
        return _read_field(document, layer, annotation)
    return _read_comment(layer, annotation, kind)


def _read_comment(layer: Any, annotation: Any, kind: int) -> str:
    """Return a comment with its author, and the text that it strikes out."""
    text = to_one_line(_entry(annotation, "Contents"))
    author = to_one_line(_entry(annotation, "T"))
    if kind == raw.FPDF_ANNOT_STRIKEOUT:
        struck = to_one_line(_text_inside(layer, *_rectangle(annotation)))
        text = f"{mark_struck(struck)} {text}".strip() if struck else text
    if not text:
        return ""
    return f"Comment by {author}: {text}" if author else f"Comment: {text}"


def _read_field(document: pdfium.PdfDocument, layer: Any, annotation: Any) -> str:
    """Return label and value of a form field; empty if it is not filled in."""
    form = document.formenv
    if form is None:
        return ""
    kind = raw.FPDFAnnot_GetFormFieldType(form.raw, annotation)
    if raw.FPDFAnnot_GetFormFieldFlags(form.raw, annotation) & _PASSWORD:
        return ""
    if kind in _VALUES:
        value = _read_wide(raw.FPDFAnnot_GetFormFieldValue, form.raw, annotation)
        value = ", ".join(_selected(form, annotation)) or value
    elif kind in _BOXES and raw.FPDFAnnot_IsChecked(form.raw, annotation):
        value = "☒"
    else:
        return ""
    value = to_one_line(value)
    if not value:
        return ""
    return f"{_name_field(form, layer, annotation, is_box=kind in _BOXES)}: {value}"


def _name_field(form: Any, layer: Any, annotation: Any, *, is_box: bool) -> str:
    """Return the label of a field: its description, or what stands beside it."""
    described = _read_wide(
        raw.FPDFAnnot_GetFormFieldAlternateName, form.raw, annotation
    )
    if label := to_one_line(described):
        return label
    name = to_one_line(_read_wide(raw.FPDFAnnot_GetFormFieldName, form.raw, annotation))
    label = _find_label(layer, annotation, is_box=is_box)
    if not label or not name or name.casefold() in label.casefold():
        return label or name
    return f"{label} ({name})"


def _selected(form: Any, annotation: Any) -> Iterator[str]:
    """Yield the chosen options of a list."""
    for index in range(max(0, raw.FPDFAnnot_GetOptionCount(form.raw, annotation))):
        if raw.FPDFAnnot_IsOptionSelected(form.raw, annotation, index):
            yield _read_wide(raw.FPDFAnnot_GetOptionLabel, form.raw, annotation, index)


def _find_label(layer: Any, annotation: Any, *, is_box: bool) -> str:
    """Return the text on the line left of a field, right of a box, or above it."""
    left, bottom, right, top = _rectangle(annotation)
    middle = (bottom + top) / 2
    low, high = middle - 2, middle + 2
    before = (left - _LABEL_DISTANCE, low, left, high)
    behind = (right, low, right + _LABEL_DISTANCE, high)
    above = (left - 2, top, right + 2, top + _LABEL_HEIGHT)
    for place in (behind, before) if is_box else (before, above):
        text = _text_inside(layer, *place).strip().replace("\r", "")
        pieces = re.split(r"\n|\s{3,}|_{3,}", text)
        piece = pieces[0] if place is behind else pieces[-1]
        if label := to_one_line(piece).strip(" :._")[-_MAX_LABEL:]:
            return label
    return ""


def _text_inside(
    layer: Any, left: float, bottom: float, right: float, top: float
) -> str:
    return str(layer.get_text_bounded(left, bottom, right, top))


def _rectangle(annotation: Any) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top."""
    box = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, box)
    bottom, top = sorted((box.bottom, box.top))
    return box.left, bottom, box.right, top


def _entry(annotation: Any, key: str) -> str:
    return _read_wide(raw.FPDFAnnot_GetStringValue, annotation, key.encode())


def _read_wide(function: Any, *arguments: Any) -> str:
    """Return the string that a function of pdfium writes in UTF-16."""
    size = function(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    target = ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR))
    function(*arguments, target, size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")
