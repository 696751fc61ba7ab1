"""PDF files to pages: the text layer, in the order in which the file draws it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pypdfium2 as pdfium

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.clean import clean
from dunegpt.types import Page

_HEADING = re.compile(r"^(?:\d+(?:\.\d+)*\.?|[A-Z]\.)\s+[A-Z][^.]{2,70}$")
_SHORT = 0.7
_CUT_WORD = re.compile(r"(?<=[a-z])(?:\ufffe|\u00ad|-)\n(?=[a-z])")


def pages(path: Path) -> Iterator[Page]:
    """Yield the pages of a PDF file, blank ones too.

    Raises:
        ExtractError: Damaged, or encrypted with a password.
    """
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise ExtractError(_reason(error)) from error
    heading = ""
    try:
        for number in range(len(document)):
            text = _text(document, number)
            found = _headings(text)
            yield Page(number + 1, found[0] if found else heading, text)
            heading = found[-1] if found else heading
    finally:
        document.close()


def _text(document: pdfium.PdfDocument, number: int) -> str:
    try:
        page = document[number]
        layer = page.get_textpage()
        text = layer.get_text_bounded()
        layer.close()
        page.close()
    except pdfium.PdfiumError as error:
        raise ExtractError(f"Page {number + 1} is damaged: {error}") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _paragraphs(clean(_CUT_WORD.sub("", text)))


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
        heading = bool(_HEADING.match(line) or _HEADING.match(following))
        begins = following[:1].isupper() or following[:1].isdigit()
        parts.append(f"{line}\n" if (ends and begins) or heading else line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip()


def _headings(text: str) -> list[str]:
    """Return the lines that look like numbered headings, such as ``3.2 Purity``."""
    return [line.strip() for line in text.split("\n") if _HEADING.match(line.strip())]


def _reason(error: pdfium.PdfiumError) -> str:
    text = str(error)
    if "password" in text.lower():
        return "The PDF is encrypted with a password."
    return f"The PDF is damaged: {text.rstrip('.')}."
