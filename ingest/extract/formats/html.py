"""HTML files: one page per section under a heading."""

from collections.abc import Iterator

from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the visible sections of an HTML file."""
    yield from read_html(task.path.read_bytes())
