"""Pictures to pages: the text that tesseract sees in each frame."""

import warnings
from collections.abc import Iterator

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import ocr
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page


def pages(task: Task) -> Iterator[Page]:
    """Yield a page for each frame; an animation has one.

    Raises:
        ExtractError: Damaged, or of too many pixels.
    """
    Image.MAX_IMAGE_PIXELS = ocr.MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(task.path) as image:
            many = image.format == "TIFF"
            frames = ImageSequence.Iterator(image) if many else [image]
            for number, frame in enumerate(frames, start=1):
                upright = ImageOps.exif_transpose(frame)
                text = ocr.text_of(task, upright, f"page {number}")
                yield Page(number, "", text)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ExtractError(
            f"The picture has over {ocr.MAX_PIXELS // 1_000_000} million pixels."
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ExtractError(f"The picture is damaged: {error}.") from error
