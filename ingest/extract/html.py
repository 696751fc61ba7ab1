"""HTML pages to pages: one for each section under a heading."""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, UnicodeDammit
from bs4.element import NavigableString, Tag

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.sections import Line, sections
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_SILENT = ["script", "style", "template", "noscript", "nav", "head", "svg", "iframe"]
_BLOCKS = frozenset(
    "address article aside blockquote caption dd div dl dt figcaption figure footer"
    " form h1 h2 h3 h4 h5 h6 header hr li main ol p pre section table tbody thead tr"
    " ul".split()
)
_HEADING = re.compile(r"h([1-6])")
_MARK = "\x01"
_CELL = re.compile(r"\s*\n\s*")


def pages(task: Task) -> Iterator[Page]:
    """Yield the sections of a page for people, what a reader does not see left out."""
    yield from pages_of(task.path.read_bytes())


def pages_of(content: bytes | str) -> Iterator[Page]:
    """Yield the sections of a page's source."""
    soup = BeautifulSoup(_decoded(content), "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for silent in soup.find_all(_SILENT):
        silent.decompose()
    lines = "".join(_pieces(soup)).split("\n")
    yield from sections(_leveled(lines), title=clean(title))


def _decoded(content: bytes | str) -> str:
    """Return the source as text, by its marks and what it says itself."""
    if isinstance(content, str):
        return content
    known = UnicodeDammit(content, ["utf-8"], is_html=True).unicode_markup
    return known if known is not None else content.decode("cp1252", "replace")


def _leveled(lines: list[str]) -> Iterator[Line]:
    """Yield each line, headings with their level."""
    for line in lines:
        level = int(line[1]) if line.startswith(_MARK) else 0
        text = line[2:] if level else line
        text = clean(re.sub(r"\s+", " ", text.replace(_MARK, "")))
        yield Line(text, level if text else 0)


def _pieces(node: Tag) -> Iterator[str]:
    """Yield the text below a node, with line breaks where a browser makes them."""
    for child in node.children:
        if isinstance(child, Tag):
            yield from _element(child)
        elif type(child) is NavigableString:
            yield re.sub(r"\s+", " ", child)


def _element(element: Tag) -> Iterator[str]:
    name = element.name
    if found := _HEADING.fullmatch(name):
        text = re.sub(r"\s+", " ", element.get_text("", strip=False)).strip()
        yield f"\n{_MARK}{found[1]}{text}\n" if text else "\n"
    elif name == "br":
        yield "\n"
    elif name == "pre":
        yield f"\n{element.get_text()}\n"
    elif name in {"td", "th"}:
        yield _CELL.sub(" ", "".join(_pieces(element)).strip())
        yield " | " if element.find_next_sibling(["td", "th"]) else ""
    elif name in _BLOCKS:
        yield "\n"
        yield from _pieces(element)
        yield "\n"
    else:
        yield from _pieces(element)
