"""Cuts the picture of a figure out of its file, for a model that describes it."""

import io
from typing import Any

import pypdfium2 as pdfium
from PIL import Image

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import media_type, ocr
from dunegpt.ingest.extract.formats import pdf
from dunegpt.ingest.extract.registry import FORMATS, PDF, PPTX
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Box

_MAX_SIDE = 1200
_MAX_SCALE = 4.0
_QUALITY = 85


def render_picture(task: ExtractTask, claimed: str, box: Box) -> bytes:
    """Return what a file shows at a place, as JPEG; empty if it shows no picture there.

    Raises:
        ExtractError: The file cannot be read, or its format has no places.
    """
    kind = media_type.detect_media_type(task.path, task.name, claimed)
    found = FORMATS.get(kind)
    if found not in {PDF, PPTX}:
        raise ExtractError(f"Files of the type {kind} have no places of figures.")
    image = _render_pdf(task, box) if found == PDF else _find_on_slide(task, box)
    if image is None:
        return b""
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _render_pdf(task: ExtractTask, box: Box) -> Image.Image:
    document = pdf.open_pdf(task)
    try:
        page = document[box.page - 1]
        width, height = page.get_size()
        side = max((box.right - box.left) * width, (box.bottom - box.top) * height, 1)
        cut = (
            box.left * width, (1 - box.bottom) * height,
            (1 - box.right) * width, box.top * height,
        )  # fmt: skip
        scale = min(_MAX_SIDE / side, _MAX_SCALE)
        image: Image.Image = page.render(scale=scale, crop=cut).to_pil()
    except (pdfium.PdfiumError, IndexError, ValueError) as error:
        raise ExtractError(f"Page {box.page} cannot be drawn: {error}.") from error
    else:
        return image
    finally:
        document.close()


def _find_on_slide(task: ExtractTask, box: Box) -> Image.Image | None:
    """Return the picture at a place of a slide; None if a chart is there."""
    from pptx import Presentation  # noqa: PLC0415 - start-up time

    from dunegpt.ingest.extract.formats.pptx import (  # noqa: PLC0415
        DAMAGE_ERRORS,
        flatten_shapes,
    )
    from dunegpt.ingest.extract.office.slide_figures import (  # noqa: PLC0415
        make_shape_box,
    )

    Image.MAX_IMAGE_PIXELS = ocr.MAX_PIXELS // 2
    try:
        with task.path.open("rb") as file:
            deck = Presentation(file)
            slide = deck.slides[box.page - 1]
        size = (deck.slide_width or 1, deck.slide_height or 1)
        for shape in flatten_shapes(slide.shapes):
            if make_shape_box(shape, box.page, size) == box:
                content: Any = getattr(shape, "image", None)
                if content is not None:
                    image = Image.open(io.BytesIO(content.blob))
                    image.load()
                    return image
    except (
        *DAMAGE_ERRORS,
        OSError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise ExtractError(f"Slide {box.page} cannot be read: {error}.") from error
    return None
