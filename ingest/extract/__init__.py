"""Text extraction: turns the bytes of a file into pages, in a sandboxed child process.

Each format is one module in `formats` with a function ``read_pages(task) ->
Iterator[Page]`` and one line with its version in `registry.FORMATS`. `media_type`
detects the format, `sandbox` starts the child process, `worker` runs in it, and
`isolation` restricts what it may do.
"""

from collections.abc import Iterator

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import media_type, programs
from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.ingest.extract.registry import FORMATS, TYPES_VERSION
from dunegpt.ingest.extract.task import ExtractResult, ExtractTask, format_limits
from dunegpt.types import Page

MAX_PAGE_CHARACTERS = 200_000
_MAX_PAGES = 20_000


def extract(task: ExtractTask, claimed: str) -> Iterator[Page]:
    """Yield the pages of a file, including blank ones, up to the limits.

    Raises:
        ExtractError: Unknown type; or damaged, encrypted or without any text.
    """
    if task.path.stat().st_size == 0:
        raise ExtractError("The file is empty.")
    task.made_with["types"] = TYPES_VERSION
    task.media_type = media_type.detect_media_type(task.path, task.name, claimed)
    if task.media_type not in FORMATS:
        raise ExtractError(f"Files of the type {task.media_type} cannot be read.")
    file_format = FORMATS[task.media_type]
    task.made_with = {file_format.name: file_format.version}
    any_text = False
    for page in _limit_pages(task, file_format.read_pages(task)):
        any_text = any_text or bool(page.text.strip())
        yield page
    if not any_text:
        raise ExtractError(_empty_reason(task))


def _limit_pages(task: ExtractTask, pages: Iterator[Page]) -> Iterator[Page]:
    """Yield pages up to the limits on size and number; remark on what is cut off."""
    remaining = task.limits.max_characters
    for count, page in enumerate(pages):
        text = page.text
        if len(text) > MAX_PAGE_CHARACTERS:
            text = text[:MAX_PAGE_CHARACTERS]
            task.remark(
                f"Page {page.number} is cut off after {MAX_PAGE_CHARACTERS:,}"
                " characters."
            )
        if len(text) > remaining or count >= _MAX_PAGES:
            exceeded = (
                f"{task.limits.max_characters:,} characters"
                if len(text) > remaining
                else f"{_MAX_PAGES:,} pages"
            )
            task.remark_limit(
                f"The file is cut off before page {page.number}: over {exceeded}."
            )
            return
        remaining -= len(text)
        heading, label = to_one_line(page.heading), to_one_line(page.label)
        figures = tuple(f for f in page.figures if f.end <= len(text))
        yield Page(page.number, heading, text, label, page.line, figures)


def _empty_reason(task: ExtractTask) -> str:
    """Return why a file that could be read has no text."""
    if task.made_with.get(programs.TESSERACT) == programs.ABSENT:
        return "No page has any text; tesseract, which would read scans, is absent."
    if task.remarks:
        return f"No page has any text: {' '.join(task.remarks)}"
    if programs.TESSERACT in task.made_with:
        return "No page has any text, and tesseract saw none."
    return "No page has any text."


def is_current(made_with: dict[str, str], limits: str) -> bool:
    """Return whether the installed versions would give the same result again."""
    versions = {entry.name: entry.version for entry in FORMATS.values()}
    current = versions | {"types": TYPES_VERSION, "limits": limits}
    return all(
        current.get(name, "") == version
        if name in current
        else programs.version(name) == version
        for name, version in made_with.items()
    )


__all__ = [
    "FORMATS",
    "ExtractResult",
    "ExtractTask",
    "extract",
    "format_limits",
    "is_current",
]
