"""The names that documents go by, and those that a question mentions.

A document is called by its full id, by its number, by its number and version, by its
address, by what it is and its number (``event 22661``), and by its files. Does not
know which of the names exist: the store does. Source of the forms: how DUNE's texts
cite DocDB, EDMS and Indico.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.ingest.references import Reference, found, plain_version
from dunegpt.types import Document, parts_of_id

SYSTEMS = frozenset({"docdb:", "edms:"})
"""How ids begin of which every number is one, whether the index holds it or not."""

Readings = tuple[tuple[str, str | None], ...]

_KIND = re.compile(
    r"(?<![\w-])(?P<kind>event|contribution|entry|e-?log(?:book)?(?:\s+entry)?)"
    r"\s*(?:no\b\.?|number|id)?\s*\#?(?P<number>\d{3,8})(?!\w|\.\d)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?:https?://|[\w-]+(?:\.[\w-]+)+/)[^\s\"'`<>]+|[^\s,;?!()\[\]\"'`]+"
)
_SERIES = re.compile(r"([a-z][a-z._/-]*[:_/-])\d+")
_VERSION = re.compile(
    r"(?:\s*[-:,/(]?\s*(?:v|version|ver\.?)\s*\.?\s*|:)(\d{1,3})\b", re.I
)
_ENDS_WITH_VERSION = re.compile(r"^(.+?)(?:-v|:v?)(\d{1,3}(?:\.\d{1,3})?)$")
_ENDS_WITH_NUMBER = re.compile(r"\d{3,}$")
_KINDS = frozenset({"event", "contribution", "entry"})


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
    readings: Readings
    series: str


def names(document: Document) -> set[str]:
    """Return the names of a document and of its files, lower-cased."""
    prefix, number, version = parts_of_id(document.id)
    found = {document.id, f"{prefix}:{number}", number}
    found |= {document.url, _bare(document.url.casefold())}
    if version is not None:
        found |= {f"{number}:{version}", f"{number}-v{version}"}
    if number.isdigit():
        found -= {number, f"{number}:{version}", f"{number}-v{version}"}
    if document.kind in _KINDS and (last := _ENDS_WITH_NUMBER.search(number)):
        found.add(f"{document.kind} {last[0]}")
    found |= {file_name(f.name) for f in document.files if f.name and f.access}
    return {name.casefold() for name in found if name}


def file_name(name: str) -> str:
    """Return the name that a document goes by for a file of that name."""
    return f"file {name.casefold()}"


def mentions(question: str) -> Iterator[Mention]:
    """Yield what in a question may name a document, in order; most names nothing."""
    taken: list[tuple[int, int]] = []
    for reference in found(question):
        if reference.system != "foreign":  # at most the name of a document here
            taken.append((reference.start, reference.end))
            yield _referred(question, reference)
    for match in _KIND.finditer(question):
        if not _overlaps(match.span(), taken):
            taken.append(match.span())
            kind = match["kind"].casefold()
            kind = kind if kind in _KINDS else "entry"
            yield Mention(match[0], ((f"{kind} {int(match['number'])}", None),), "")
    for match in _TOKEN.finditer(question):
        if not _overlaps(match.span(), taken):
            yield from _token(question, match)


def _overlaps(span: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)


def _referred(question: str, reference: Reference) -> Mention:
    """Return what an identifier names; an address may be a document's, as it stands."""
    text = question[reference.start : reference.end]
    prefix = reference.target.partition(":")[0]
    exact: list[tuple[str, str | None]] = []
    if "://" in text or text.casefold().startswith((f"{prefix}/", "edms.", "docs.")):
        exact = [(text.casefold(), None), (_bare(text.casefold()), None)]
    named = (reference.target.casefold(), reference.version or None)
    series = "" if prefix == "arxiv" else f"{prefix}:"
    return Mention(text, (*exact, named), series)


def _token(question: str, match: re.Match[str]) -> Iterator[Mention]:
    start, end = match.span()
    token = match[0].rstrip(".:,;?!)").casefold()
    has_sign = any(c.isdigit() or c in ":/." for c in token)
    if len(token) > 200 or not has_sign:
        return
    version, end = _version_after(question, end)
    text = question[start:end].rstrip(".:,;?!)")
    readings: list[tuple[str, str | None]] = [(token, version)]
    if (bare := _bare(token)) != token:
        readings.append((bare, None))
    if cut := _ENDS_WITH_VERSION.match(token):
        readings.append((cut[1], plain_version(cut[2])))
    series = ""
    if bare == token:
        numbered = _SERIES.fullmatch(readings[-1][0]) or _SERIES.fullmatch(token)
        series = numbered[1] if numbered else ""
        readings.append((file_name(token), None))
    yield Mention(text, tuple(readings), series)


def _bare(address: str) -> str:
    """Return an address without its scheme, fragment and last stroke."""
    return address.partition("://")[2].partition("#")[0].rstrip("/") or address


def _version_after(question: str, end: int) -> tuple[str | None, int]:
    """Return the version that is named right there, and where its name ends."""
    found = _VERSION.match(question, end)
    return (str(int(found[1])), found.end()) if found else (None, end)
