"""Turns the bytes of a file into pages, one file a format, each in a child process.

Every format is one module with ``VERSION``-ed line in `formats.FORMATS` and a function
``pages(task) -> Iterator[Page]``. `kinds` tells what a file is, `sandbox` starts the
child, `worker` is the child, `isolation` is what it may not do.
"""

from collections.abc import Iterator

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import kinds, tools
from dunegpt.ingest.extract.clean import one_line
from dunegpt.ingest.extract.formats import FORMATS, TYPES
from dunegpt.ingest.extract.task import Extracted, Task, limits_id
from dunegpt.types import Page

MAX_PAGE_CHARACTERS = 200_000
_MAX_PAGES = 20_000


def extract(task: Task, claimed: str) -> Iterator[Page]:
    """Yield the pages of a file, blank ones too, up to the limits.

    Raises:
        ExtractError: Of an unknown type, damaged, encrypted, or without any text.
    """
    if task.path.stat().st_size == 0:
        raise ExtractError("The file is empty.")
    task.made_with["types"] = TYPES
    task.kind = kinds.media_type(task.path, task.name, claimed)
    if task.kind not in FORMATS:
        raise ExtractError(f"Files of the type {task.kind} cannot be read.")
    found = FORMATS[task.kind]
    task.made_with = {found.name: found.version}
    any_text = False
    for page in _capped(task, found.pages(task)):
        any_text = any_text or bool(page.text.strip())
        yield page
    if not any_text:
        raise ExtractError(_why_nothing(task))


def _capped(task: Task, pages: Iterator[Page]) -> Iterator[Page]:
    """Yield pages until there is too much text, and say so."""
    left = task.limits.max_characters
    for count, page in enumerate(pages):
        text = page.text
        if len(text) > MAX_PAGE_CHARACTERS:
            text = text[:MAX_PAGE_CHARACTERS]
            task.remark(
                f"Page {page.number} is cut off after {MAX_PAGE_CHARACTERS:,}"
                " characters."
            )
        if len(text) > left or count >= _MAX_PAGES:
            what = (
                f"{task.limits.max_characters:,} characters"
                if len(text) > left
                else f"{_MAX_PAGES:,} pages"
            )
            task.limited(f"The file is cut off before page {page.number}: over {what}.")
            return
        left -= len(text)
        heading, label = one_line(page.heading), one_line(page.label)
        yield Page(page.number, heading, text, label, page.line)


def _why_nothing(task: Task) -> str:
    """Return the reason why a file that could be read has no text."""
    if task.made_with.get(tools.TESSERACT) == tools.ABSENT:
        return "No page has any text; tesseract, which would read scans, is absent."
    if task.remarks:
        return f"No page has any text: {' '.join(task.remarks)}"
    if tools.TESSERACT in task.made_with:
        return "No page has any text, and tesseract saw none."
    return "No page has any text."


def is_current(made_with: dict[str, str], limits: str) -> bool:
    """Return whether a result made with these versions would come out the same now."""
    versions = {found.name: found.version for found in FORMATS.values()}
    now = versions | {"types": TYPES, "limits": limits}
    return all(
        now.get(name, "") == version if name in now else tools.version(name) == version
        for name, version in made_with.items()
    )


__all__ = ["FORMATS", "Extracted", "Task", "extract", "is_current", "limits_id"]
