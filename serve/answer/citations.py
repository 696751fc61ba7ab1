"""Locates a quote: its page, its line, and the address that opens them.

A PDF opens at its page, unless it lies on a server's own disk. Anything else opens on
our own page about the document, if the settings name a server, else in its home system:
code at the line of the quote, a section of text at its first line.
"""

import re
from urllib.parse import quote as quote_url
from urllib.parse import urlencode

from dunegpt.config import Settings
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.ingest.extract.media_type import has_sections, is_source
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Citation, FileRef, Hit, Page


def make_citation(
    hit: Hit, quote: str, index: ReaderIndex, settings: Settings
) -> Citation:
    """Return a reference, numbered as its hit, that opens the place of its quote."""
    quote = quote or next(split_sentences(hit.passage.text), hit.passage.text)
    file = next(f for f in hit.document.files if f.key == hit.passage.file_key)
    page, line = _locate_quote(quote, hit, file, index)
    # Where a server answers, nobody else can open a file of its host.
    is_elsewhere = settings.server.url and file.url.startswith("file:")
    if file.media_type == "application/pdf" and not is_elsewhere:
        url = f"{file.url}#page={page}"
    elif settings.server.url:
        base = settings.server.url.rstrip("/")
        query = urlencode({"file": file.key, "page": page})
        url = f"{base}/view/{quote_url(hit.document.id, safe='/:')}?{query}"
    else:
        # A document without a page of its own is opened at the file.
        own = {other.url for other in hit.document.files}
        url = file.url if hit.document.url in own else hit.document.url
        # Only what shows a repository knows what a line is.
        is_of_git = file.checksum.startswith("git:")
        if is_of_git and line and url == file.url and "#" not in url:
            url = f"{url}#L{line}"
    return Citation(hit.rank, hit, quote, page, url, line=line)


def collapse_whitespace(text: str) -> str:
    """Return a text on one line."""
    return re.sub(r"\s+", " ", text).strip()


def _locate_quote(
    quote: str, hit: Hit, file: FileRef, index: ReaderIndex
) -> tuple[int, int]:
    """Return page and line on which a quote begins; line 0 where lines mean nothing."""
    passage = hit.passage
    is_one = passage.first_page == passage.last_page
    has_lines = file.media_type != "application/pdf"
    if is_one and not has_lines:
        return passage.first_page, 0
    pages = {
        page.number: page
        for page in index.get_pages(hit.document, file.key)
        if passage.first_page <= page.number <= passage.last_page
    }
    wanted = collapse_whitespace(quote)
    found = next(
        (p for p in pages.values() if wanted in collapse_whitespace(p.text)), None
    )
    page = found or pages.get(passage.first_page)
    if page is None:
        return passage.first_page, 0
    return page.number, _find_line(quote, page, file, passage.start)


def _find_line(quote: str, page: Page, file: FileRef, start: int) -> int:
    """Return the line that a quote begins on, as exactly as its format allows.

    Args:
        quote: Of the page, up to white space.
        page: That it stands on.
        file: Of the page.
        start: Where the passage begins on its first page: a text may be there twice.
    """
    if not is_source(file.name):
        return page.line if has_sections(file.name) else 0
    pattern = re.compile(r"\s+".join(map(re.escape, quote.split())))
    found = pattern.search(page.text, start) or pattern.search(page.text)
    lines = page.text.count("\n", 0, found.start()) if found else 0
    return page.line + lines if page.line else 0
