"""Reads the text in pictures with tesseract, where it is installed.

How much is read of one file is counted in pictures, not in seconds, so that the same
file gives the same pages on a slow machine.
"""

import io
import subprocess

from PIL import Image

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.task import Task
from dunegpt.ingest.extract.tools import TESSERACT

MAX_PIXELS = 60_000_000
_MIN_SIDE = 40
_MAX_SIDE = 5000
_MIN_CONFIDENCE = 40
_COLUMNS = 12


def text_of(task: Task, image: Image.Image, where: str) -> str:
    """Return the text in a picture; empty, and remarked on, if it cannot be read.

    Args:
        task: Told what is left out.
        image: Any mode; large ones are made smaller.
        where: For the remark: ``page 3``.
    """
    if min(image.size) < _MIN_SIDE:
        return ""
    program = task.use(TESSERACT)
    if program is None:
        task.remark("Pictures were not read: tesseract is absent.")
        return ""
    if task.images_read >= task.limits.ocr_images:
        return skipped(task)
    task.images_read += 1
    return _recognised(task, program, image, where)


def skipped(task: Task) -> str:
    """Say that the file has more pictures than are read; return no text."""
    task.use(TESSERACT)
    most = task.limits.ocr_images
    task.limited(f"Only the first {most} pictures and scanned pages were read.")
    return ""


def _recognised(task: Task, program: str, image: Image.Image, where: str) -> str:
    content = io.BytesIO()
    image = image.convert("L")
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    image.save(content, "PNG", compress_level=1)
    try:
        done = subprocess.run(
            [program, "-", "-", "--dpi", "300", "-c", "thresholding_method=0", "tsv"],
            input=content.getvalue(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=task.limits.timeout_s / 2,
            env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        task.limited(f"The picture on {where} took tesseract too long.")
        return ""
    if done.returncode:
        task.remark(f"Tesseract failed with exit code {done.returncode} on {where}.")
        return ""
    return clean(_lines(done.stdout.decode("utf-8", errors="replace")))


def _lines(table: str) -> str:
    """Return the words that tesseract is sure of, by its lines and paragraphs."""
    lines: list[str] = []
    last: list[str] = []
    for record in table.split("\n")[1:]:
        cells = record.split("\t")
        if len(cells) < _COLUMNS or float(cells[10]) < _MIN_CONFIDENCE:
            continue
        if not cells[11].strip():
            continue
        place = cells[1:5]
        if place == last:
            lines[-1] += f" {cells[11]}"
        else:
            lines += ["", cells[11]] if place[:3] != last[:3] and last else [cells[11]]
        last = place
    return "\n".join(lines)
