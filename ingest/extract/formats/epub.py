"""E-books (EPUB): the sections of their chapters, in reading order."""

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from bs4 import BeautifulSoup

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_CHAPTER_BYTES = 20 << 20


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the sections of a book.

    Raises:
        ExtractError: The book is damaged.
    """
    number = 0
    try:
        with zipfile.ZipFile(task.path) as book:
            for chapter in _list_chapters(book):
                for page in read_html(_read_member(book, chapter, _CHAPTER_BYTES)):
                    number += 1
                    yield replace(page, number=number, label="", line=0)
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise ExtractError(f"The book is damaged: {error}.") from error


def _list_chapters(book: zipfile.ZipFile) -> list[str]:
    """Return the archive members of the chapters, in reading order."""
    container = BeautifulSoup(
        _read_member(book, "META-INF/container.xml", 1 << 20), "lxml"
    )
    root = container.find("rootfile")
    path = str(root["full-path"]) if root else ""
    package = BeautifulSoup(_read_member(book, path, 4 << 20), "lxml")
    items = {str(i.get("id")): str(i.get("href")) for i in package.find_all("item")}
    folder = posixpath.dirname(path)
    order = [str(ref.get("idref")) for ref in package.find_all("itemref")]
    names = [
        posixpath.normpath(posixpath.join(folder, unquote(items[reference])))
        for reference in order
        if reference in items
    ]
    present = set(book.namelist())
    return [name for name in names if name in present]


def _read_member(book: zipfile.ZipFile, name: str, limit: int) -> bytes:
    with book.open(name) as member:
        return member.read(limit)
