"""Optical character recognition (OCR) with tesseract, if it is installed.

The limit per file is a number of pictures, not seconds, so that a file gives the same
pages on a slow machine.
"""

import io
import subprocess

from PIL import Image, ImageOps

from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.programs import TESSERACT
from dunegpt.ingest.extract.task import ExtractTask

MAX_PIXELS = 60_000_000
_MIN_SIDE = 40
_MAX_SIDE = 5000
_MIN_CONFIDENCE = 40
_TSV_COLUMNS = 12


def recognize_text(task: ExtractTask, image: Image.Image, where: str) -> str:
    """Return the text in a picture; empty with a remark if it cannot be read.

    Args:
        task: Receives remarks on what is left out.
        image: In any mode; large images are scaled down.
        where: Location for remarks, such as ``page 3``.
    """
    if min(image.size) < _MIN_SIDE:
        return ""
    program = task.require_program(TESSERACT)
    if program is None:
        task.remark("Pictures were not read: tesseract is absent.")
        return ""
    if task.images_read >= task.limits.ocr_images:
        return remark_skipped(task)
    task.images_read += 1
    return _run_tesseract(task, program, image, where)


def remark_skipped(task: ExtractTask) -> str:
    """Remark that only the first pictures of the file are read; return no text."""
    task.require_program(TESSERACT)
    limit = task.limits.ocr_images
    task.remark_limit(f"Only the first {limit} pictures and scanned pages were read.")
    return ""


def _run_tesseract(
    task: ExtractTask, program: str, image: Image.Image, where: str
) -> str:
    content = io.BytesIO()
    image = ImageOps.exif_transpose(image).convert("L")
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    image.save(content, "PNG", compress_level=1)
    try:
        result = subprocess.run(
            [program, "-", "-", "--dpi", "300", "-c", "thresholding_method=0", "tsv"],
            input=content.getvalue(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=task.limits.timeout_s / 2,
            env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        task.remark_limit(f"The picture on {where} took tesseract too long.")
        task.is_transient = True
        return ""
    if result.returncode:
        note = task.remark_transient if result.returncode < 0 else task.remark
        note(f"Tesseract failed with exit code {result.returncode} on {where}.")
        return ""
    return clean_text(_join_words(result.stdout.decode("utf-8", errors="replace")))


def _join_words(table: str) -> str:
    """Return the confident words of a tesseract TSV table, by line and paragraph."""
    lines: list[str] = []
    last: list[str] = []
    for record in table.split("\n")[1:]:
        cells = record.split("\t")
        if len(cells) < _TSV_COLUMNS or float(cells[10]) < _MIN_CONFIDENCE:
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
