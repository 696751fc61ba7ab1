"""PDF files to pages: the text layer in the order of reading, scans through tesseract.

A page is read, yielded and closed before the next one is opened.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import ocr, pdf_rows
from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_HEADING = re.compile(r"^(?:\d+(?:\.\d+)*\.?|[A-Z]\.)\s+[A-Z][^.]{2,70}$")
_SHORT = 0.7
_CUT_WORD = re.compile(r"(?<=[^\W\d_])(?:[\ufffe\u00ad\u0002]|-)\n(?=[a-zß-ÿ])")
_MARKED_CUT = re.compile(r"(?<=\w)[\ufffe\u00ad\u0002]\n?(?=\w)")
_SCAN_CHARACTERS = 16
_OCR_DPI = 300
_OCR_PIXELS = 25_000_000


def pages(task: Task) -> Iterator[Page]:
    """Yield the pages of a PDF file, blank ones too.

    Raises:
        ExtractError: Damaged, or encrypted with a password.
    """
    document = opened(task)
    heading = ""
    try:
        for number in range(1, len(document) + 1):
            text = _text(task, document, number)
            found = _headings(text)
            yield Page(number, found[0] if found else heading, text)
            heading = found[-1] if found else heading
    finally:
        document.close()


def opened(task: Task) -> pdfium.PdfDocument:
    """Return an open document.

    Raises:
        ExtractError: Damaged, encrypted with a password, or without pages.
    """
    try:
        document = pdfium.PdfDocument(task.path)
    except pdfium.PdfiumError as error:
        raise ExtractError(_reason(error)) from error
    if len(document) == 0:
        document.close()
        raise ExtractError("The PDF is damaged: it has no pages.")
    return document


def _text(task: Task, document: pdfium.PdfDocument, number: int) -> str:
    """Return the text of a page; empty, and remarked on, if it is damaged."""
    try:
        page = document[number - 1]
    except pdfium.PdfiumError:
        task.remark(f"Page {number} is damaged and was left out.")
        return ""
    try:
        layer = page.get_textpage()
        try:
            text = pdf_rows.text_of(layer)
        finally:
            layer.close()
        if len(text.strip()) < _SCAN_CHARACTERS and _shows_something(page):
            text = f"{text}\n{_seen(task, page, number)}"
    except pdfium.PdfiumError:
        task.remark(f"Page {number} is damaged and was left out.")
        return ""
    finally:
        page.close()
    return _paragraphs(clean(_whole_words(text)))


def _whole_words(text: str) -> str:
    """Return text whose words are not cut at the ends of lines."""
    return _MARKED_CUT.sub("", _CUT_WORD.sub("", text))


def _shows_something(page: Any) -> bool:
    """Return whether anything is drawn on a page."""
    return bool(raw.FPDFPage_CountObjects(page.raw) > 0)


def _seen(task: Task, page: Any, number: int) -> str:
    """Return the text that tesseract sees on a page."""
    width, height = page.get_size()
    scale = _OCR_DPI / 72
    if width * height * scale * scale > _OCR_PIXELS:
        scale = (_OCR_PIXELS / (width * height)) ** 0.5
    if min(width, height) * scale < 1:
        return ""
    if task.images_read >= task.limits.ocr_images:
        return ocr.skipped(task)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        return ocr.text_of(task, bitmap.to_pil(), f"page {number}")
    finally:
        bitmap.close()


def _paragraphs(text: str) -> str:
    """Return a page with an empty line where a paragraph, heading or row ends.

    A line ends one if it is much shorter than the page's long lines and the next one
    begins like a sentence; a PDF has lines only.
    """
    lines = text.split("\n")
    lengths = sorted(len(line) for line in lines if line.strip())
    long = lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0
    parts = []
    for line, following in pairwise([*lines, ""]):
        ends = len(line) < _SHORT * long and not line.endswith((",", "-"))
        heading = _is_heading(line) or _is_heading(following)
        begins = following[:1].isupper() or following[:1].isdigit()
        rows = " | " in line and " | " in following
        ended = ((ends and begins) or heading) and not rows
        parts.append(f"{line}\n" if ended else line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip()


def _headings(text: str) -> list[str]:
    """Return the lines that look like numbered headings, such as ``3.2 Purity``."""
    return [line.strip() for line in text.split("\n") if _is_heading(line)]


def _is_heading(line: str) -> bool:
    return bool(_HEADING.match(line.strip())) and " | " not in line


def _reason(error: pdfium.PdfiumError) -> str:
    text = str(error)
    if "password" in text.lower():
        return "The PDF is encrypted with a password."
    if "security" in text.lower():
        return "The PDF is encrypted in a way that cannot be read."
    return f"The PDF is damaged: {text.rstrip('.')}."
