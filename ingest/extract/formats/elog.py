"""Electronic logbook files (ELOG): one page per entry.

An entry starts with ``$@MID@$: number``, then its attributes, a rule and its text.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_ENTRY = re.compile(r"^\$@MID@\$: *(\d+)[ \t]*$", re.M)
_RULE = re.compile(r"^=+$", re.M)
_SKIPPED_FIELDS = {"Encoding", "Locked by", "Attachment"}


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield one page per logbook entry."""
    content = decode(task.path.read_bytes())
    entries = list(_ENTRY.finditer(content))
    ends = [entry.start() for entry in entries[1:]] + [len(content)]
    for number, (entry, end) in enumerate(zip(entries, ends, strict=True), start=1):
        line = content.count("\n", 0, entry.start()) + 1
        yield _build_page(number, entry[1], content[entry.end() : end], line)


def _build_page(number: int, ident: str, entry: str, line: int) -> Page:
    rule = _RULE.search(entry)
    head, body = (entry[: rule.start()], entry[rule.end() :]) if rule else (entry, "")
    attributes = dict(
        pair.split(": ", 1) for pair in head.strip().split("\n") if ": " in pair
    )
    if attributes.get("Encoding", "").lower() == "html":
        body = "\n\n".join(page.text for page in read_html(body))
    fields = [
        f"{name}: {v}" for name, v in attributes.items() if name not in _SKIPPED_FIELDS
    ]
    text = "\n".join([*fields, "", clean_text(body, keep_layout=True)])
    heading = attributes.get("Subject", "") or f"Entry {ident}"
    return Page(
        number,
        clean_text(heading),
        clean_text(text, keep_layout=True),
        f"entry {ident}",
        line,
    )
