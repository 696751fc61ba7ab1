"""Figures of Word documents: paragraphs with pictures, and the captions below them."""

from collections.abc import Iterator
from typing import Any

from dunegpt.ingest.extract.figures import format_description, parse_label
from dunegpt.ingest.extract.office.open_xml import get_attribute
from dunegpt.ingest.extract.sections import PICTURE

OBJECT = "object"
"""Attribute of paragraphs that stand for a chart or diagram."""

_LONGEST_CAPTION = 1500
_CAPTION_STYLE = "caption"


def find_label(paragraph: Any, text: str) -> str:
    """Return the label in a caption, `PICTURE` for a picture, or an empty string.

    Args:
        paragraph: A paragraph of a document.
        text: What it says.
    """
    styles = [
        get_attribute(style, "val")
        for properties in paragraph.iterchildren("{*}pPr")
        for style in properties.iterchildren("{*}pStyle")
    ]
    is_apart = any(_CAPTION_STYLE in style.lower() for style in styles)
    is_short = len(text) < _LONGEST_CAPTION
    if is_short and (label := parse_label(text, is_apart=is_apart, needs_sign=True)):
        return label
    return PICTURE if _has_picture(paragraph) else ""


def _has_picture(paragraph: Any) -> bool:
    if paragraph.get(OBJECT):
        return True
    return next(paragraph.iter("{*}drawing", "{*}pict"), None) is not None


def iter_descriptions(paragraph: Any) -> Iterator[str]:
    """Yield what the author wrote about each picture of a paragraph."""
    for node in paragraph.iter("{*}docPr"):
        if text := format_description(get_attribute(node, "descr")):
            yield f"[image: {text}]"
