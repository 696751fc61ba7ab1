"""Turns the bytes of a file into pages, one file a format, each in a child process.

Every format is one function ``pages(path) -> Iterator[Page]`` and one line in
`FORMATS`. What the bytes are is decided by the bytes first: what a web server or a
browser claimed is often wrong.
"""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import html, markdown, pdf, pptx, text
from dunegpt.types import Page

VERSION = "1"
"""Part of the key of every extracted file: raise it when a format's output changes."""

FORMATS: dict[str, Callable[[Path], Iterator[Page]]] = {
    "application/pdf": pdf.pages,
    pptx.MEDIA_TYPE: pptx.pages,
    "text/html": html.pages,
    "text/markdown": markdown.pages,
    "text/plain": text.pages,
}

_MARKDOWN = {".md", ".markdown"}
_HTML_STARTS = (b"<!doctype html", b"<html")


def media_type(path: Path, name: str, claimed: str) -> str:
    """Return what a file is, by its first bytes, its name and what was claimed."""
    with path.open("rb") as file:
        head = file.read(4096)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if _is_pdf(head):
        return "application/pdf"
    if head.startswith(b"PK\x03\x04"):
        return _office_type(path)
    if start.startswith(_HTML_STARTS):
        return "text/html"
    if b"\0" in head and not head.startswith(text.UTF16_MARKS):
        return claimed if claimed not in FORMATS else "application/octet-stream"
    if Path(name).suffix.lower() in _MARKDOWN:
        return "text/markdown"
    if claimed == "text/html":
        return claimed
    is_text = claimed.startswith("text/") or claimed == "application/octet-stream"
    return "text/plain" if is_text and text.is_text(head) else claimed


def extract(path: Path, name: str, claimed: str) -> list[Page]:
    """Return the pages of a file that hold text, in order.

    Raises:
        ExtractError: Of an unknown type, damaged, encrypted, or without any text.
    """
    if path.stat().st_size == 0:
        raise ExtractError("The file is empty.")
    kind = media_type(path, name, claimed)
    if kind not in FORMATS:
        raise ExtractError(f"Files of the type {kind} cannot be read yet.")
    pages = [page for page in FORMATS[kind](path) if page.text.strip()]
    if not pages:
        scanned = "; it may be scanned" if kind == "application/pdf" else ""
        raise ExtractError(f"No page has any text{scanned}.")
    return pages


def _is_pdf(head: bytes) -> bool:
    """Return whether a file is a PDF; readers allow for junk before its mark.

    A text that speaks of the mark is none: junk is not text.
    """
    at = head[:1024].find(b"%PDF-")
    return at >= 0 and (at < 8 or not text.is_text(head))


def _office_type(path: Path) -> str:
    """Return which office format a zip archive holds, or that it is an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise ExtractError(f"The archive is damaged: {error}.") from error
    return pptx.MEDIA_TYPE if "ppt/presentation.xml" in names else "application/zip"
