"""Finds citations in text: DocDB, EDMS, Indico and arXiv identifiers.

`find_references` reads them out of a text in one canonical form, addresses included.
Does not know which of the named documents exist. Source of the forms: how DUNE's texts
cite, collected with the facts on DocDB; ``docs/decisions/0028-references.md``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from dunegpt.text.patterns import compile_re

VERSION = "1"
"""Part of a snapshot's settings: raise it when other identifiers are found."""

FOREIGN = "foreign:"
"""How targets begin that are another experiment's: nothing here may resolve them."""

_FOREIGN_PROJECTS = (
    "lbne|sbnd?|icarus|annie|argoneut|lariat|microboone|uboone|miniboone|minerva|minos|"
    "nova|mu2e|gm2|cdms|t2k|seaquest|cms|cmb-?s4|pip-?ii|lsst"
)
_SUBJECTS = "physics|hep|astro|nucl|cond|quant|gr|cs|stat|math|eess"
_IDENTIFIER = compile_re(
    r"(?P<url>https?://[^\s\"'`<>|{}\\^]+"
    r"|(?<![\w.@/-])(?:docs\.dunescience\.org|edms\.cern\.ch|indico\.[\w.-]+"
    r"|arxiv\.org)(?::\d+)?/[^\s\"'`<>|{}\\^]+)"
    rf"|(?<![\w-])(?P<other>(?!dune\b)(?:(?:{_FOREIGN_PROJECTS})[-\s]*doc(?:[-\s]?db)?[-\s#:]*"
    r"|[a-z]\w*-doc(?:db)?-)(?P<other_number>\d{1,6}))"
    r"|(?<![\w-])(?P<docdb>(?:dune[-\s]*(?:doc[-\s]?db|doc)|doc[-\s]?db)[-\s#:]*"
    r"(?:(?:no\b\.?|number|id)[\s:#]*)?(?P<docdb_number>\d{1,6}))"
    r"|(?<![\w-])(?P<edms>edms(?:\s*(?:doc(?:ument)?|id|no\.?|number|\#))*[\s:#-]*"
    r"(?P<edms_number>\d{5,8}|(?:cern|fair)-\d{9,10}))"
    r"|(?:(?<![\w.])arxiv(?:\.org)?(?:\s*(?:preprint|e-?print)s?)?[\s:/]*(?:abs/)?"
    r"|\beprint\s*=\s*[\"{])"
    r"(?P<arxiv>(?P<paper>\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})"
    r"(?:v(?P<paper_version>\d{1,2}))?)(?!\d)"
    r"|(?<![\w.])(?P<listed>\d{4}\.\d{4,5})(?:v(?P<listed_version>\d{1,2}))?"
    rf"(?=\s*\[(?:{_SUBJECTS})\b)",
    re.IGNORECASE,
)
_END_BOUNDARY = compile_re(r"(?!\w|\.\d)")
_VERSION = compile_re(
    r"(?:\s*[-:,/(]?\s*(?:v|version|ver\.?)\s*\.?\s*|:)(\d{1,3})\b", re.I
)
_EDMS_VERSION = compile_re(
    r"(?:\s*(?:[/:]|[-,(]?\s*[vV](?:ersion|er)?\.?)\s*|:(?=[a-z]))"
    r"(\d{1,3}(?:\.\d{1,3})?|[A-Z]{1,2}|(?<=:)[a-z]{1,2})\b"
)
_A_VERSION = compile_re(r"\d{1,3}(?:\.\d{1,3})?|[a-z]{1,2}", re.I)
_KEYWORDS = (
    *("doc", "edms", "indico", "arxiv", "eprint", "http"),
    *(f"[{subject}" for subject in _SUBJECTS.split("|")),
)
"""One of these stands in each identifier, ..."""
_WINDOW_CHARACTERS = 96
"""... and so near to its other parts."""
_DIGIT = compile_re(r"\d")
_DOCDB_PAGES = ("showdocument", "retrievefile", "displaymeta")
_DOCDB_HOST = "docs.dunescience.org"
_EDMS_PATH = compile_re(r"/(?:ui/)?(?:document|file)/(\d+)(?:/([^/?#]*))?", re.I)
_EDMS_PROJECT = compile_re(r"/project/((?:cern|fair)-\d{9,10})", re.I)
_INDICO_PATH = compile_re(
    r"/event/(\d+)(?:/contributions/(\d+)(?:/subcontributions/(\d+))?"
    r"|/sessions/(\d+))?"
)
_INDICO_OLD = ("conferencedisplay.py", "contributiondisplay.py", "access")
_ARXIV_PATH = compile_re(
    r"/(?:(?:abs|pdf)/(?:arxiv:)?|10\.48550/arxiv\.)(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v(\d+))?",
    re.I,
)
_ARXIV_HOSTS = ("arxiv.org", "www.arxiv.org", "doi.org")
_TRAILING = ".:,;?!)]}'\"*_"


@dataclass(frozen=True, slots=True)
class Reference:
    """An identifier as it stands in a text.

    Attributes:
        start: Offset in the text; ``end`` likewise, exclusive.
        target: What it names, without a version: ``docdb:6652``,
            ``edms:CERN-0000193828``, ``indico.fnal.gov:22661/c68849``,
            ``arxiv:2101.00001``, ``foreign:lbne-doc-9876``.
        version: That it names; empty for the newest.
    """

    start: int
    end: int
    target: str
    version: str = ""

    @property
    def system(self) -> str:
        """Return ``docdb``, ``edms``, ``indico``, ``arxiv`` or ``foreign``."""
        return get_system(self.target)


def get_system(target: str) -> str:
    """Return which kind of identifier a target is.

    >>> get_system("indico.fnal.gov:22661")
    'indico'
    """
    prefix = target.partition(":")[0]
    return "indico" if prefix.startswith("indico") else prefix


def find_references(text: str) -> Iterator[Reference]:
    """Yield the identifiers in a text, in order.

    A number counts only behind the name of its system: a bare ``2101.00001`` may be
    a measurement. What belongs to another experiment is told apart, never guessed at.
    """
    for match in _iter_candidates(text):
        if match["url"]:
            yield from _parse_address(match)
        elif match["arxiv"]:
            target = f"arxiv:{match['paper'].lower()}"
            version = match["paper_version"] or ""
            yield Reference(*match.span(), target, version)
        elif match["listed"]:
            version = match["listed_version"] or ""
            yield Reference(*match.span(), f"arxiv:{match['listed']}", version)
        elif _END_BOUNDARY.match(text, match.end()):
            yield _parse_numbered(text, match)


def _iter_candidates(text: str) -> Iterator[re.Match[str]]:
    """Yield what looks like an identifier, looked for only where there may be one."""
    for start, end in _windows(text):
        yield from _IDENTIFIER.finditer(text, start, end)


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """Yield the parts of a text about words that all identifiers hold, in order.

    No identifier crosses the border of a part: those are at white space.
    """
    small = text.lower()
    if len(small) != len(text):
        yield 0, len(text)
        return
    done = 0
    for first, last in _merge_windows(sorted(_find_keywords(small))):
        start = first
        while start > done and not text[start - 1].isspace():
            start -= 1
        start, done = max(start, done), max(last, done)
        while done < len(text) and not text[done].isspace():
            done += 1
        if _DIGIT.search(text, start, done):
            yield start, done


def _merge_windows(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield parts of a text about places in it, which come in order, joined if near."""
    for number, place in enumerate(places):
        if not number or place - places[number - 1] > 2 * _WINDOW_CHARACTERS:
            first = max(place - _WINDOW_CHARACTERS, 0)
        is_last = number + 1 == len(places)
        if is_last or places[number + 1] - place > 2 * _WINDOW_CHARACTERS:
            yield first, place + _WINDOW_CHARACTERS


def _find_keywords(small: str) -> Iterator[int]:
    """Yield where the words stand that all identifiers hold."""
    for word in _KEYWORDS:
        place = small.find(word)
        while place >= 0:
            yield place
            place = small.find(word, place + len(word))


def _parse_numbered(text: str, match: re.Match[str]) -> Reference:
    """Return what the name of a system and a number name, with the version behind."""
    start, end = match.span()
    if match["edms"]:
        number = match["edms_number"].upper()
        target = f"edms:{number.lstrip('0')}"
        after = _EDMS_VERSION.match(text, end)
    elif match["docdb"]:
        target = f"docdb:{int(match['docdb_number'])}"
        after = _VERSION.match(text, end)
    else:
        who = re.split(r"[-\s]*doc", match["other"], maxsplit=1, flags=re.I)[0]
        target = f"{FOREIGN}{who.lower()}-doc-{int(match['other_number'])}"
        after = _VERSION.match(text, end)
    if after is None:
        return Reference(start, end, target)
    return Reference(start, after.end(), target, normalize_version(after[1]))


def _parse_address(match: re.Match[str]) -> Iterator[Reference]:
    """Yield what an address names; nothing if it leads elsewhere."""
    text = match["url"].rstrip(_TRAILING)
    end = match.start() + len(text)
    if named := parse_url(text):
        yield Reference(match.start(), end, *named)


def parse_url(address: str) -> tuple[str, str] | None:
    """Return target and version that an address names, or None.

    >>> parse_url("https://edms.cern.ch/document/2145137/1")
    ('edms:2145137', '1')
    """
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, query = (parts.hostname or "").lower(), parse_qs(parts.query)
    except ValueError:
        return None
    page = parts.path.rsplit("/", 1)[-1].lower()
    if page in _DOCDB_PAGES:
        return _parse_docdb_url(host, {name.lower(): v[0] for name, v in query.items()})
    if host == "edms.cern.ch":
        return _parse_edms_url(parts.path)
    if host.startswith("indico."):
        return _parse_indico_url(host, parts.path, page, query)
    if host in _ARXIV_HOSTS and (paper := _ARXIV_PATH.match(parts.path)):
        return f"arxiv:{paper[1].lower()}", paper[2] or ""
    return None


def _parse_docdb_url(host: str, query: dict[str, str]) -> tuple[str, str] | None:
    number, version = query.get("docid", ""), query.get("version", "")
    if not number.isdigit() or not number.isascii():
        return None
    version = normalize_version(version) if version.isdigit() else ""
    if host == _DOCDB_HOST:
        return f"docdb:{int(number)}", version
    return f"{FOREIGN}{host}-{int(number)}", version


def _parse_edms_url(path: str) -> tuple[str, str] | None:
    if project := _EDMS_PROJECT.match(path):
        return f"edms:{project[1].upper()}", ""
    if document := _EDMS_PATH.match(path):
        version = unquote(document[2] or "")
        is_one = _A_VERSION.fullmatch(version) is not None
        return f"edms:{int(document[1])}", normalize_version(version) if is_one else ""
    return None


def _parse_indico_url(
    host: str, path: str, page: str, query: dict[str, list[str]]
) -> tuple[str, str] | None:
    if event := _INDICO_PATH.match(path):
        part = f"/c{event[2]}" if event[2] else f"/sess{event[4]}" if event[4] else ""
        part += f"/s{event[3]}" if event[3] else ""
        return f"{host}:{event[1]}{part}", ""
    number = query.get("confId", [""])[0]
    if page in _INDICO_OLD and number.isdigit():
        return f"{host}:{number}", ""
    return None


def format_label(target: str, version: str) -> str:
    """Return an identifier as it is usually written.

    >>> format_label("docdb:6652", "5"), format_label("foreign:lbne-doc-9876", "")
    ('DUNE-doc-6652-v5', 'LBNE-doc-9876')
    """
    prefix, _, number = target.partition(":")
    if prefix == "docdb":
        return f"DUNE-doc-{number}" + (f"-v{version}" if version else "")
    if prefix == "edms":
        return f"EDMS {number}" + (f"/{version}" if version else "")
    if prefix == "arxiv":
        return f"arXiv:{number}" + (f"v{version}" if version else "")
    if prefix == "foreign":
        who, doc, rest = number.partition("-doc-")
        name = f"{who.upper()}-doc-{rest}" if doc else number
        return name + (f"-v{version}" if version else "")
    return target


def normalize_version(version: str) -> str:
    """Return a version as ids have it: without leading zeros, letters in capitals."""
    return str(int(version)) if version.isdigit() else version.upper()
