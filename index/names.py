"""The names that documents go by, and those that a question mentions.

A document is called by its full id, by its number, and by its number and version. Does
not know which of the names exist: the store does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.types import Document, parts_of_id

_SYSTEM = re.compile(
    r"\b(?P<system>dune-doc|docdb|edms)(?:[\s:#-]|no\.?|number|id)*(?P<number>\d{3,8})\b",
    re.IGNORECASE,
)
_SYSTEMS = {"dune-doc": "docdb", "docdb": "docdb", "edms": "edms"}
SYSTEMS = frozenset(f"{system}:" for system in _SYSTEMS.values())
"""How ids begin of which every number is one, whether the index holds it or not."""
_TOKEN = re.compile(r"https?://[^\s\"'`<>]+|[^\s,;?!()\[\]\"'`]+")
_SERIES = re.compile(r"([a-z][a-z._/-]*[:_/-])\d+")
_VERSION = re.compile(
    r"(?:\s*[-:,/(]?\s*(?:v|version|ver\.?)\s*\.?\s*|:)(\d{1,3})\b", re.I
)
_ENDS_WITH_VERSION = re.compile(r"^(.+?)(?:-v|:v?)(\d{1,3})$")


@dataclass(frozen=True, slots=True)
class Mention:
    """A document that a question names.

    Attributes:
        text: As it stands in the question.
        readings: Each a name to look it up by, and the version that is asked for or
            None for the newest; the first that names something holds.
        series: Beginning of the name, if such names are numbered (``lts-``).
    """

    text: str
    readings: tuple[tuple[str, int | None], ...]
    series: str


def names(document: Document) -> set[str]:
    """Return the names of a document, lower-cased."""
    prefix, number, version = parts_of_id(document.id)
    found = {document.id, f"{prefix}:{number}", number, document.url}
    if version is not None:
        found |= {f"{number}:{version}", f"{number}-v{version}"}
    if number.isdigit():
        found -= {number, f"{number}:{version}", f"{number}-v{version}"}
    return {name.casefold() for name in found if name}


def mentions(question: str) -> Iterator[Mention]:
    """Yield what in a question may name a document, in order; most names nothing."""
    taken: list[tuple[int, int]] = []
    for match in _SYSTEM.finditer(question):
        taken.append(match.span())
        system = _SYSTEMS[match["system"].casefold()]
        name = f"{system}:{int(match['number'])}"
        version, end = _version_after(question, match.end())
        text = question[match.start() : end]
        yield Mention(text, ((name, version),), f"{system}:")
    for match in _TOKEN.finditer(question):
        start, end = match.span()
        if any(start < stop and begin < end for begin, stop in taken):
            continue
        token = match[0].rstrip(".:,;?!)").casefold()
        if len(token) > 200 or not any(c.isdigit() or c in ":/." for c in token):
            continue
        version, end = _version_after(question, end)
        readings: list[tuple[str, int | None]] = [(token, version)]
        if cut := _ENDS_WITH_VERSION.match(token):
            readings.append((cut[1], int(cut[2])))
        series = _SERIES.fullmatch(readings[-1][0]) or _SERIES.fullmatch(token)
        text = question[start:end].rstrip(".:,;?!)")
        yield Mention(text, tuple(readings), series[1] if series else "")


def _version_after(question: str, end: int) -> tuple[int | None, int]:
    """Return the version that is named right there, and where its name ends."""
    found = _VERSION.match(question, end)
    return (int(found[1]), found.end()) if found else (None, end)
