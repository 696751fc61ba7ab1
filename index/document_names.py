"""Names of documents, and the mentions of such names in a question.

A document can be named by its id, its number, its number and version, its address, its
kind and number (``event 22661``) or the name of a file. The document store knows which
names exist. Source of the forms: how DUNE's texts cite DocDB, EDMS and Indico.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dunegpt.ids import split_id
from dunegpt.ingest.references import (
    FOREIGN,
    Reference,
    find_references,
    normalize_version,
)
from dunegpt.text.patterns import compile_re
from dunegpt.types import Document, Page

NUMBERED_SYSTEMS = frozenset({"docdb:", "edms:"})
"""Id prefixes of systems in which every number is a document, indexed or not."""

_SYSTEMS = frozenset({"docdb", "edms", "arxiv"})

Lookups = tuple[tuple[str, str | None], ...]

_KIND = compile_re(
    r"(?<![\w-])(?P<kind>event|contribution|entry|e-?log(?:book)?(?:\s+entry)?)"
    r"\s*(?:no\b\.?|number|id)?\s*\#?(?P<number>\d{3,8})(?!\w|\.\d)",
    re.IGNORECASE,
)
_TOKEN = compile_re(
    r"(?:https?://|[\w-]+(?:\.[\w-]+)+/)[^\s\"'`<>]+|[^\s,;?!()\[\]\"'`]+"
)
_SERIES = compile_re(r"([a-z][a-z._/-]*[:_/-])\d+")
_TYPED_DOCDB = compile_re(
    r"(?<![\w./:-])(?P<system>dune[\s-]*doc(?:[\s-]?db)?|doc[\s-]?db)?"
    r"(?P<doc>\W{0,2}doc)?(?:ument)?\.?(?:\s*(?:no\b\.?|number"
    r"|id))?(?P<sign>[\s#:.-]*)(?P<number>\d{1,6})"
    r"(?!\w|\.\d|-\d)",
    re.IGNORECASE,
)
"""DocDB numbers as people type them: ``DUNE doc. 1651``, ``doc-1320``."""
_VERSION = compile_re(
    r"(?:\s*[-:,/(]?\s*(?:v|version|ver\.?)\s*\.?\s*|:)(\d{1,3})\b", re.I
)
_ENDS_WITH_VERSION = compile_re(r"^(.+?)(?:-v|:v?)(\d{1,3}(?:\.\d{1,3})?)$")
_ENDS_WITH_NUMBER = compile_re(r"\d{3,}$")
_KINDS = frozenset({"event", "contribution", "entry"})
ABOUT_KEY = "about"
"""Key of the page on a document that a crawl writes."""
_PROJECT_NAME = compile_re(
    r"^Document: (?P<project>[A-Za-z]\w*)-doc-(?P<number>\d+)-v(?P<version>\d+)$", re.M
)
_DOCDB_NUMBER = compile_re(r"docdb:\d+")
_PROJECT_NUMBER = compile_re(r"[a-z]\w*-doc-\d+")


@dataclass(frozen=True, slots=True)
class Mention:
    """A possible mention of a document in a question.

    Attributes:
        text: The mention as written in the question.
        lookups: Names to look up, each with a version or None for the newest; the
            first name that exists wins.
        series: Prefix of the name if names of this form are numbered (``lts-``).
    """

    text: str
    lookups: Lookups
    series: str


def collect_names(document: Document) -> set[str]:
    """Return the names of a document and of its files, lower-cased."""
    prefix, number, version = split_id(document.id)
    names = {document.id, f"{prefix}:{number}", number}
    names |= {document.url, _normalize_address(document.url.casefold())}
    if version is not None:
        names |= {f"{number}:{version}", f"{number}-v{version}"}
    if number.isdigit():
        names -= {number, f"{number}:{version}", f"{number}-v{version}"}
    if document.kind in _KINDS and (digits := _ENDS_WITH_NUMBER.search(number)):
        names.add(f"{document.kind} {digits[0]}")
    names |= {make_file_name(f.name) for f in document.files if f.name and f.access}
    return {name.casefold() for name in names if name}


def find_project_names(
    document: Document, pages: Mapping[str, Sequence[Page]]
) -> set[str]:
    """Return how a document is numbered by the project whose DocDB it lies in.

    A DocDB writes its project's short name into the page on each document, which the
    crawl keeps as its first file: ``Document: LBNE-doc-9876-v2``.

    Args:
        document: Of any source.
        pages: Of each of its files, by key.
    """
    prefix, number, version = split_id(document.id)
    for page in pages.get(ABOUT_KEY, ()):
        found = _PROJECT_NAME.search(page.text)
        if found and found["number"] == number and found["version"] == version:
            name = f"{found['project'].casefold()}-doc-{number}"
            # References to DUNE's own are kept under the name of the system.
            own = {f"docdb:{number}"} if found["project"].casefold() == "dune" else {}
            return {name, f"{name}-v{version}", *own} - {f"{prefix}:{number}"}
    return set()


def select_project_targets(names: Iterable[str]) -> list[str]:
    """Return the targets of references by a project's name, from a document's names."""
    targets = []
    for name in names:
        if _PROJECT_NUMBER.fullmatch(name):
            targets.append(f"{FOREIGN}{name}")
        elif _DOCDB_NUMBER.fullmatch(name):
            targets.append(name)
    return targets


def make_file_name(name: str) -> str:
    """Return the lookup name of documents that have a file of this name."""
    return f"file {name.casefold()}"


def find_mentions(question: str) -> Iterator[Mention]:
    """Yield candidate mentions of documents; most of them match no document."""
    spans: list[tuple[int, int]] = []
    references = list(find_references(question))
    for reference in references:
        if reference.system != "foreign":  # may still be the name of a document
            spans.append((reference.start, reference.end))
            yield _make_reference_mention(question, reference)
    for match in _TYPED_DOCDB.finditer(question):
        known = [(r.start, r.end) for r in references]
        if not _overlaps(match.span(), known) and (
            mention := _parse_typed_number(question, match)
        ):
            spans.append((match.start(), match.start() + len(mention.text)))
            yield mention
    for match in _KIND.finditer(question):
        if not _overlaps(match.span(), spans):
            spans.append(match.span())
            kind = match["kind"].casefold()
            kind = kind if kind in _KINDS else "entry"
            yield Mention(match[0], ((f"{kind} {int(match['number'])}", None),), "")
    for match in _TOKEN.finditer(question):
        if not _overlaps(match.span(), spans):
            yield from _parse_token(question, match)


def _parse_typed_number(question: str, match: re.Match[str]) -> Mention | None:
    """Return the mention of a DocDB number; None if it may be any number.

    Without the name of the system, ``doc`` and a sign must be there, and only a
    document that exists is meant.
    """
    has_sign = bool(match["doc"]) and any(sign in match["sign"] for sign in "-#")
    if not match["system"] and not has_sign:
        return None
    version, end = _parse_version_after(question, match.end())
    lookups = ((f"docdb:{int(match['number'])}", version),)
    series = "docdb:" if match["system"] else ""
    return Mention(question[match.start() : end], lookups, series)


def find_targets(name: str) -> set[str]:
    """Return how references to a name that somebody typed are kept: ``docdb:1651``."""
    return {
        alias
        for mention in find_mentions(name)
        for alias, _ in mention.lookups
        if alias.partition(":")[0] in _SYSTEMS and "//" not in alias
    }


def _overlaps(span: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)


def _make_reference_mention(question: str, reference: Reference) -> Mention:
    """Return the mention for an identifier; for an address, look it up verbatim too."""
    text = question[reference.start : reference.end]
    prefix = reference.target.partition(":")[0]
    exact: list[tuple[str, str | None]] = []
    if "://" in text or text.casefold().startswith((f"{prefix}/", "edms.", "docs.")):
        exact = [(text.casefold(), None), (_normalize_address(text.casefold()), None)]
    named = (reference.target.casefold(), reference.version or None)
    series = "" if prefix == "arxiv" else f"{prefix}:"
    return Mention(text, (*exact, named), series)


def _parse_token(question: str, match: re.Match[str]) -> Iterator[Mention]:
    start, end = match.span()
    token = match[0].rstrip(".:,;?!)").casefold()
    is_candidate = any(c.isdigit() or c in ":/." for c in token)
    if len(token) > 200 or not is_candidate:
        return
    version, end = _parse_version_after(question, end)
    text = question[start:end].rstrip(".:,;?!)")
    lookups: list[tuple[str, str | None]] = [(token, version)]
    if (bare := _normalize_address(token)) != token:
        lookups.append((bare, None))
    if versioned := _ENDS_WITH_VERSION.match(token):
        lookups.append((versioned[1], normalize_version(versioned[2])))
    series = ""
    if bare == token:
        numbered = _SERIES.fullmatch(lookups[-1][0]) or _SERIES.fullmatch(token)
        series = numbered[1] if numbered else ""
        lookups.append((make_file_name(token), None))
    yield Mention(text, tuple(lookups), series)


def _normalize_address(address: str) -> str:
    """Return an address without its scheme, fragment and trailing slash."""
    return address.partition("://")[2].partition("#")[0].rstrip("/") or address


def _parse_version_after(question: str, end: int) -> tuple[str | None, int]:
    """Return the version that follows at an offset, and the offset after it."""
    match = _VERSION.match(question, end)
    return (str(int(match[1])), match.end()) if match else (None, end)
