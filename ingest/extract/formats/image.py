"""Images: the text that tesseract recognizes in each frame."""

import warnings
from collections.abc import Iterator

from PIL import Image, ImageSequence, UnidentifiedImageError

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import ocr
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield one page per frame; of an animation, the first frame only.

    Raises:
        ExtractError: The image is damaged or has too many pixels.
    """
    Image.MAX_IMAGE_PIXELS = ocr.MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(task.path) as image:
            multiple = image.format == "TIFF"
            frames = ImageSequence.Iterator(image) if multiple else [image]
            for number, frame in enumerate(frames, start=1):
                text = ocr.recognize_text(task, frame, f"page {number}")
                yield Page(number, "", text)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ExtractError(
            f"The picture has over {ocr.MAX_PIXELS // 1_000_000} million pixels."
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        reason = str(error).replace(str(task.path), task.name)
        raise ExtractError(f"The picture is damaged: {reason}.") from error
