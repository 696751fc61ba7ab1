"""Files of an electronic logbook (ELOG) to pages: an entry is a page.

An entry begins with ``$@MID@$: number``, then attributes, a rule and its text.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.html import pages_of
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_ENTRY = re.compile(r"^\$@MID@\$: *(\d+)[ \t]*$", re.M)
_RULE = re.compile(r"^=+$", re.M)
_UNTOLD = {"Encoding", "Locked by", "Attachment"}


def pages(task: Task) -> Iterator[Page]:
    """Yield the entries of a file."""
    content = decode(task.path.read_bytes())
    found = list(_ENTRY.finditer(content))
    ends = [entry.start() for entry in found[1:]] + [len(content)]
    for number, (entry, end) in enumerate(zip(found, ends, strict=True), start=1):
        line = content.count("\n", 0, entry.start()) + 1
        yield _page(number, entry[1], content[entry.end() : end], line)


def _page(number: int, ident: str, entry: str, line: int) -> Page:
    rule = _RULE.search(entry)
    head, body = (entry[: rule.start()], entry[rule.end() :]) if rule else (entry, "")
    attributes = dict(
        pair.split(": ", 1) for pair in head.strip().split("\n") if ": " in pair
    )
    if attributes.get("Encoding", "").lower() == "html":
        body = "\n\n".join(page.text for page in pages_of(body))
    told = [f"{name}: {v}" for name, v in attributes.items() if name not in _UNTOLD]
    text = "\n".join([*told, "", clean(body, keep_layout=True)])
    heading = attributes.get("Subject", "") or f"Entry {ident}"
    return Page(
        number, clean(heading), clean(text, keep_layout=True), f"entry {ident}", line
    )
