"""HTML pages to pages: one for each section under a heading."""

import re
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.sections import sections
from dunegpt.types import Page

_SILENT = ["script", "style", "template", "noscript", "nav", "head", "svg"]
_BLOCKS = frozenset(
    "address article aside blockquote dd div dl dt figcaption figure footer form h1"
    " h2 h3 h4 h5 h6 header hr li main ol p pre section table tbody thead tr ul".split()
)
_HEADING = re.compile(r"h[1-6]")
_MARK = "\x01"


def pages(path: Path) -> Iterator[Page]:
    """Yield the sections of a page for people, what a reader does not see left out."""
    soup = BeautifulSoup(path.read_bytes(), "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for silent in soup.find_all(_SILENT):
        silent.decompose()
    lines = "".join(_pieces(soup)).split("\n")
    yield from sections(_headed(lines), title=title)


def _headed(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each line as (heading or empty, text)."""
    for line in lines:
        text = clean(re.sub(r"\s+", " ", line.replace(_MARK, "")))
        yield (text if line.startswith(_MARK) else "", text)


def _pieces(node: Tag) -> Iterator[str]:
    """Yield the text below a node, with line breaks where a browser makes them."""
    for child in node.children:
        if isinstance(child, Tag):
            yield from _element(child)
        elif type(child) is NavigableString:
            yield re.sub(r"\s+", " ", child)


def _element(element: Tag) -> Iterator[str]:
    name = element.name
    if _HEADING.fullmatch(name):
        yield f"\n{_MARK}{element.get_text(' ', strip=True)}\n"
    elif name == "br":
        yield "\n"
    elif name in {"td", "th"}:
        yield from _pieces(element)
        yield " | " if element.find_next_sibling(["td", "th"]) else ""
    elif name in _BLOCKS:
        yield "\n"
        yield from _pieces(element)
        yield "\n"
    else:
        yield from _pieces(element)
