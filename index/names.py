"""The names that documents go by, and those that a question mentions.

A document is called by its full id, by its number, by its number and version, by its
address, by what it is and its number (``event 22661``), and by its files. Does not
know which of the names exist: the store does. Source of the forms: how DUNE's texts
cite DocDB, EDMS and Indico.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from dunegpt.types import Document, parts_of_id

SYSTEMS = frozenset({"docdb:", "edms:"})
"""How ids begin of which every number is one, whether the index holds it or not."""

Readings = tuple[tuple[str, int | None], ...]

_NUMBERED = re.compile(
    r"(?<![\w-])(?:"
    r"(?P<docdb>(?:dune[-\s]*(?:doc[-\s]?db|doc)|doc[-\s]?db)[-\s#:]*"
    r"(?:(?:no\b\.?|number|id)[\s:#]*)?(?P<docdb_number>\d{1,6}))"
    r"|(?P<edms>edms(?:\s*(?:doc(?:ument)?|id|no\.?|number|\#))*[\s:#-]*"
    r"(?P<edms_number>\d{3,8}))"
    r"|(?P<kind>event|contribution|entry|e-?log(?:book)?(?:\s+entry)?)"
    r"\s*(?:no\b\.?|number|id)?\s*\#?(?P<kind_number>\d{3,8})"
    r")(?!\w|\.\d)",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:lbne|sbnd?|icarus|microboone|uboone|lariat|minerva|minos|nova|mu2e)[-\s]*$",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?:https?://|[\w-]+(?:\.[\w-]+)+/)[^\s\"'`<>]+|[^\s,;?!()\[\]\"'`]+"
)
_SERIES = re.compile(r"([a-z][a-z._/-]*[:_/-])\d+")
_VERSION = re.compile(
    r"(?:\s*[-:,/(]?\s*(?:v|version|ver\.?)\s*\.?\s*|:)(\d{1,3})\b", re.I
)
_EDMS_VERSION = re.compile(
    r"\s*(?:[/:]|[-,(]?\s*[vV](?:ersion|er)?\.?)\s*(?:(\d{1,3})(?:\.\d+)?|([A-Z]{1,2}))\b"
)
_ENDS_WITH_VERSION = re.compile(r"^(.+?)(?:-v|:v?)(\d{1,3})$")
_ENDS_WITH_NUMBER = re.compile(r"\d{3,}$")
_KINDS = frozenset({"event", "contribution", "entry"})
_DOCDB_PAGES = ("showdocument", "retrievefile")
_DOCDB_HOST = "docs.dunescience.org"
_EDMS_PATH = re.compile(
    r"edms\.cern\.ch/(?:ui/)?(?:document|file)/(\d+)(?:/([^/?#]+))?"
)
_EDMS_PROJECT = re.compile(r"edms\.cern\.ch/project/((?:cern|fair)-\d{9,10})")
_INDICO_PATH = re.compile(
    r"(indico[\w.-]*)(?::\d+)?/event/(\d+)"
    r"(?:/contributions/(\d+)(?:/subcontributions/(\d+))?)?"
)


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
    addresses = [m for m in _TOKEN.finditer(question) if "/" in m[0] and "." in m[0]]
    for match in _NUMBERED.finditer(question):
        start, end = match.span()
        if any(a.start() < end and start < a.end() for a in addresses):
            continue
        if not _ELSEWHERE.search(question, 0, start):
            mention = _numbered(question, match)
            taken.append((start, start + len(mention.text)))
            yield mention
    for match in _TOKEN.finditer(question):
        start, end = match.span()
        if not any(start < stop and begin < end for begin, stop in taken):
            yield from _token(question, match)


def _numbered(question: str, match: re.Match[str]) -> Mention:
    """Return what a system, or a kind of thing, and a number name."""
    start, end = match.span()
    if match["docdb"]:
        version, end = _version_after(question, end)
        found: Readings = ((f"docdb:{int(match['docdb_number'])}", version),)
        return Mention(question[start:end], found, "docdb:")
    if match["edms"]:
        name = f"edms:{int(match['edms_number'])}"
        found = ((name, None),)
        if after := _EDMS_VERSION.match(question, end):
            end = after.end()
            found = _edms(name, after[1] or after[2])
        return Mention(question[start:end], found, "edms:")
    kind = match["kind"].casefold()
    kind = kind if kind in _KINDS else "entry"
    return Mention(match[0], ((f"{kind} {int(match['kind_number'])}", None),), "")


def _edms(name: str, version: str | None) -> Readings:
    """Return readings of an EDMS number with its version, a number or letters."""
    if version is None:
        return ((name, None),)
    whole = version.partition(".")[0]
    return ((name, int(whole)),) if whole.isdigit() else ((f"{name}:{version}", None),)


def _token(question: str, match: re.Match[str]) -> Iterator[Mention]:
    start, end = match.span()
    token = match[0].rstrip(".:,;?!)").casefold()
    has_sign = any(c.isdigit() or c in ":/." for c in token)
    if len(token) > 200 or not has_sign:
        return
    version, end = _version_after(question, end)
    text = question[start:end].rstrip(".:,;?!)")
    at, series = _address(token)
    readings: list[tuple[str, int | None]] = [(token, version), *at]
    if cut := _ENDS_WITH_VERSION.match(token):
        readings.append((cut[1], int(cut[2])))
    if token.startswith("arxiv:"):
        number, _, of = token.removeprefix("arxiv:").partition("v")
        readings += [(f"arxiv:{number}", int(of) if of.isdigit() else None)]
    if not at:
        found = _SERIES.fullmatch(readings[-1][0]) or _SERIES.fullmatch(token)
        series = found[1] if found else ""
        readings.append((file_name(token), None))
    yield Mention(text, tuple(readings), series)


def _address(token: str) -> tuple[Readings, str]:
    """Return the readings of an address, and the beginning of the ids of its system."""
    if "/" not in token:
        return (), ""
    bare = _bare(token)
    exact: Readings = ((bare, None),) if bare != token else ()
    address = urlsplit(f"//{bare}")
    query = parse_qs(address.query)
    number = query.get("docid", [""])[0]
    is_docdb = address.path.rsplit("/", 1)[-1] in _DOCDB_PAGES
    if is_docdb and number.isdigit() and (address.hostname or "") == _DOCDB_HOST:
        version = query.get("version", [""])[0]
        asked = int(version) if version.isdigit() else None
        return (*exact, (f"docdb:{int(number)}", asked)), "docdb:"
    if found := _EDMS_PATH.match(bare):
        version = (
            found[2] if re.fullmatch(r"\d{1,3}(\.\d+)?|[a-z]", found[2] or "") else ""
        )
        return (*exact, *_edms(f"edms:{found[1]}", version or None)), "edms:"
    if found := _EDMS_PROJECT.match(bare):
        return (*exact, (f"edms:{found[1]}", None)), "edms:"
    if found := _INDICO_PATH.match(bare):
        part = f"/c{found[3]}" if found[3] else ""
        part += f"/s{found[4]}" if found[4] else ""
        return (*exact, (f"{found[1]}:{found[2]}{part}", None)), f"{found[1]}:"
    return exact, ""


def _bare(address: str) -> str:
    """Return an address without its scheme, fragment and last stroke."""
    return address.partition("://")[2].partition("#")[0].rstrip("/") or address


def _version_after(question: str, end: int) -> tuple[int | None, int]:
    """Return the version that is named right there, and where its name ends."""
    found = _VERSION.match(question, end)
    return (int(found[1]), found.end()) if found else (None, end)
