"""Reads a file that stands in another: a member of an archive, an attachment."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dunegpt.ingest.extract.media_type import UNKNOWN
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page


def read_member(
    task: ExtractTask, path: Path, name: str, claimed: str = UNKNOWN
) -> Iterator[Page]:
    """Yield the pages with text of a contained file, numbered as in that file.

    Its remarks are those of the outer file, with its name.

    Args:
        task: The file around it.
        path: Where its bytes are.
        name: Its name, or its path in the archive.
        claimed: Its media type as the outer file has it.

    Raises:
        ExtractError: It cannot be read.
    """
    from dunegpt.ingest.extract import extract  # noqa: PLC0415 - it imports the formats

    part = task.subtask(path, name, "")
    try:
        yield from (page for page in extract(part, claimed) if page.text.strip())
    finally:
        task.merge(part)
        for remark in part.remarks:
            task.remark(f"{name}: {remark}")


def prefix_page(page: Page, name: str, number: int) -> Page:
    """Return a page of a contained file, renumbered and labelled with the file."""
    place = page.label or f"page {page.number}"
    heading = f"{name} > {page.heading}" if page.heading else name
    # No address opens a page of a contained file at a place.
    figures = tuple(replace(figure, box=None) for figure in page.figures)
    label = f"{name}, {place}"
    return Page(number, heading, page.text, label, page.line, figures)
