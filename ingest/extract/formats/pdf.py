"""PDF files: the text layer in reading order, form fields, comments; scans by OCR.

Each page is read and closed before the next one is opened. Up to eight texts wait for
each other: words that are cut at line ends are joined as the document writes them, and
the steps in which a slide is built up are one slide.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import ocr
from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.figures import FigureText, append_figures, join_caption
from dunegpt.ingest.extract.line_hyphens import Vocabulary, join_cut_words
from dunegpt.ingest.extract.pdf import annotations as pdf_annotations
from dunegpt.ingest.extract.pdf import figures as pdf_figures
from dunegpt.ingest.extract.pdf import scans as pdf_scans
from dunegpt.ingest.extract.pdf import text as pdf_text
from dunegpt.ingest.extract.pdf import titles as pdf_titles
from dunegpt.ingest.extract.pdf.tables import TableMemory
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b"
_HEADING = re.compile(
    rf"^(?:\d+(?:\.\d+)*\.?|[A-Z]\.)\s+(?!{_MONTH})[A-Z][^.]{{2,70}}$"
)
_CAPTION = re.compile(
    r"(?:Fig(?:ure|\.)|FIG(?:URE|\.)|Table|TABLE)\s+[\dA-Z.-]+\s*[:.|]\s"
)
_CAPTION_STARTS = ("Fig", "FIG", "Tab", "TAB")
_SENTENCE_ENDS = (".", ":", "!", "?", ")")
_HEADING_STARTS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_MIN_LEADERS = 3
_SHORT_LINE_SHARE = 0.7
_OCR_DPI = 300
_OCR_PIXELS = 25_000_000
_PAGES_AT_ONCE = 8
_MIN_STEP_LINES = 2
_MAX_IN_MEMORY = 32 << 20


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the pages of a PDF file, including blank ones.

    Raises:
        ExtractError: The file is damaged, or encrypted with a password.
    """
    document = open_pdf(task)
    heading = ""
    try:
        _remark_attachments(task, document)
        for own in _leave_out_steps(_iter_texts(task, document)):
            headings = _find_headings(own.text)
            page = Page(own.number, headings[0] if headings else heading, own.text)
            yield append_figures(page, own.figures)
            heading = headings[-1] if headings else heading
    finally:
        document.close()


@dataclass(slots=True)
class _PageText:
    """What a page says.

    Attributes:
        number: Number of the page.
        text: Its running text.
        is_wide: Whether it is wider than high, as a slide.
        figures: Its figures.
    """

    number: int
    text: str = ""
    is_wide: bool = False
    figures: list[FigureText] = field(default_factory=list)

    def clean(self, vocabulary: Vocabulary) -> None:
        """Join words that are cut at line ends, and find the paragraphs."""
        cleaned = clean_text(join_cut_words(self.text, vocabulary))
        self.text = _split_paragraphs(cleaned)
        self.figures = [
            replace(figure, text=join_caption(join_cut_words(figure.text, vocabulary)))
            for figure in self.figures
        ]


def _iter_texts(task: ExtractTask, document: pdfium.PdfDocument) -> Iterator[_PageText]:
    """Yield the text of each page."""
    vocabulary, memory = Vocabulary(), TableMemory()
    waiting: list[_PageText] = []
    for number in range(1, len(document) + 1):
        images = task.images_read
        waiting.append(_read_page_text(task, document, number, memory))
        vocabulary.add(waiting[-1].text)
        is_slow = task.images_read > images
        if len(waiting) < _PAGES_AT_ONCE and not is_slow and number < len(document):
            continue
        for page in waiting:
            page.clean(vocabulary)
            yield page
        waiting.clear()


def _leave_out_steps(pages: Iterator[_PageText]) -> Iterator[_PageText]:
    """Yield pages; that of a slide's early steps is empty.

    A slide that is built up in steps is a page for each: all lines of a step are on the
    next page, in the same order, and their first line is the same.
    """
    last: _PageText | None = None
    for page in pages:
        if last is not None:
            is_step = last.is_wide and page.is_wide and _is_step(last.text, page.text)
            yield _PageText(last.number) if is_step else last
        last = page
    if last is not None:
        yield last


def _is_step(text: str, following: str) -> bool:
    """Return whether a slide only lacks lines of the next one."""
    lines = [line for line in text.split("\n") if line.strip()]
    later = [line for line in following.split("\n") if line.strip()]
    if len(lines) < _MIN_STEP_LINES or len(later) <= len(lines) or lines[0] != later[0]:
        return False
    remaining = iter(later)
    return all(line in remaining for line in lines)


def _remark_attachments(task: ExtractTask, document: pdfium.PdfDocument) -> None:
    """Remark on files that are attached to the PDF: they are not read."""
    if count := document.count_attachments():
        files = "an attached file" if count == 1 else f"{count} attached files"
        task.remark(f"The PDF has {files}, not read.")


def open_pdf(task: ExtractTask) -> pdfium.PdfDocument:
    """Return the opened document.

    Raises:
        ExtractError: The file is damaged, encrypted with a password, or has no pages.
    """
    try:
        # From memory, pdfium need not ask the system for each piece of the file.
        is_small = task.path.stat().st_size <= _MAX_IN_MEMORY
        content = task.path.read_bytes() if is_small else task.path
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        raise ExtractError(_error_reason(error)) from error
    if len(document) == 0:
        document.close()
        raise ExtractError("The PDF is damaged: it has no pages.")
    if document.get_formtype() != raw.FORMTYPE_NONE:
        # For XFA forms pypdfium2 warns that only their plain copy can be read.
        logging.getLogger("pypdfium2").setLevel(logging.ERROR)
        document.init_forms()
    return document


def _read_page_text(
    task: ExtractTask, document: pdfium.PdfDocument, number: int, memory: TableMemory
) -> _PageText:
    """Return the text of a page; it is empty, with a remark, if the page is damaged."""
    try:
        page = document[number - 1]
    except pdfium.PdfiumError:
        task.remark(f"Page {number} is damaged and was left out.")
        return _PageText(number)
    try:
        own, added = _read_layer(task, document, page, number, memory)
        drawn = "\n".join([own.text, *(figure.text for figure in own.figures)])
        if pdf_scans.is_scan(page, drawn):
            own.text = _add_recognized(own.text, _recognize_page(task, page, number))
        width, height = page.get_size()
    except pdfium.PdfiumError:
        task.remark(f"Page {number} is damaged and was left out.")
        return _PageText(number)
    finally:
        page.close()
    own.text = "\n\n".join(filter(None, [own.text, *added]))
    own.is_wide = width > height
    return own


def _read_layer(
    task: ExtractTask,
    document: pdfium.PdfDocument,
    page: Any,
    number: int,
    memory: TableMemory,
) -> tuple[_PageText, list[str]]:
    """Return the text that a page draws, and those of its fields and comments."""
    layer = page.get_textpage()
    try:
        glyphs = pdf_text.read_page_glyphs(layer)
        if glyphs.unknown:
            task.remark("Some characters of a symbol font have no known meaning.")
        annotations = pdf_annotations.iter_annotations(document, page, layer)
        added = [each.text for each in annotations]
        figures = pdf_figures.take_figures(glyphs, number)
        text = pdf_text.arrange_text(glyphs, memory)
        text = pdf_titles.move_title_first(glyphs, text)
        return _PageText(number, text, figures=figures), added
    finally:
        layer.close()


def _add_recognized(text: str, recognized: str) -> str:
    """Return the text layer of a scan and what OCR reads, without repeating lines."""
    own = _comparable(text)
    lines = [
        line
        for line in recognized.split("\n")
        if not line.strip() or not own or _comparable(line) not in own
    ]
    return f"{text}\n\n" + "\n".join(lines)


def _comparable(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _recognize_page(task: ExtractTask, page: Any, number: int) -> str:
    """Return the text that tesseract recognizes on a page."""
    width, height = page.get_size()
    scale = _OCR_DPI / 72
    if width * height * scale * scale > _OCR_PIXELS:
        scale = (_OCR_PIXELS / (width * height)) ** 0.5
    if min(width, height) * scale < 1:
        return ""
    if task.images_read >= task.limits.ocr_images:
        return ocr.remark_skipped(task)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        return ocr.recognize_text(task, bitmap.to_pil(), f"page {number}")
    finally:
        bitmap.close()


def _split_paragraphs(text: str) -> str:
    """Return the text of a page with an empty line after each paragraph and heading.

    A PDF has lines only: a line ends a paragraph if it is much shorter than the page's
    long lines and the next one starts like a sentence.
    """
    lines = text.split("\n")
    full = _SHORT_LINE_SHARE * _long_length(lines)
    headings = [*_mark_headings(lines), False]
    parts = []
    for at, (line, following) in enumerate(pairwise([*lines, ""])):
        short = len(line) < full and not line.endswith((",", "-"))
        ends_block = headings[at] or headings[at + 1]
        if short and not ends_block:
            ends_block = following[:1].isupper() or following[:1].isdigit()
        if not ends_block and following.startswith(_CAPTION_STARTS):
            # A caption, unless a sentence goes on with "Figure 4. It has a lid".
            is_open = not short and not line.endswith(_SENTENCE_ENDS)
            ends_block = not is_open and bool(_CAPTION.match(following))
        if ends_block and " | " in line and " | " in following:
            ends_block = False
        parts.append(f"{line}\n" if ends_block else line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip()


def _find_headings(text: str) -> list[str]:
    """Return the lines that are numbered headings, such as ``3.2 Purity``."""
    lines = text.split("\n")
    marks = _mark_headings(lines)
    return [line.strip() for line, mark in zip(lines, marks, strict=True) if mark]


def _mark_headings(lines: list[str]) -> list[bool]:
    """Return of each line whether it is a numbered heading.

    An item of a list, or a sentence that goes on with a number, is none: it ends with a
    comma, or it is a full line and the next one begins with a small letter. A list of
    contents has none.
    """
    marks = [
        line.lstrip()[:1] in _HEADING_STARTS and bool(_HEADING.match(line.strip()))
        for line in lines
    ]
    if not any(marks):
        return marks
    if sum("....." in line or ". . . . ." in line for line in lines) >= _MIN_LEADERS:
        return [False] * len(lines)
    full = _SHORT_LINE_SHARE * _long_length(lines)
    return [
        mark
        and " | " not in line
        and not line.rstrip().endswith((",", ";", ":"))
        and not (len(line) >= full and following[:1].islower())
        for mark, (line, following) in zip(marks, pairwise([*lines, ""]), strict=True)
    ]


def _long_length(lines: list[str]) -> int:
    """Return the length of a page's long lines."""
    lengths = sorted(len(line) for line in lines if line.strip())
    return lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0


def _error_reason(error: pdfium.PdfiumError) -> str:
    text = str(error)
    if "password" in text.lower():
        return "The PDF is encrypted with a password."
    if "security" in text.lower():
        return "The PDF is encrypted in a way that cannot be read."
    return f"The PDF is damaged: {text.rstrip('.')}."
