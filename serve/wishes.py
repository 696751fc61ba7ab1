"""Filters in the words of a question: ``last year``, ``by Okonjo``, ``in DocDB``.

Found by their form, without a model. A wrong filter hides the answer, so what may be
content stays content: a name becomes a filter only where an author of that name is in
what this reader may find, and so do sources, kinds and statuses. Whatever is hidden is
like what does not exist. Each filter is a `Chip` that can be removed by its words.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce

from dunegpt.index.facets import Facets
from dunegpt.index.query import joined, parsed
from dunegpt.index.view import Filters
from dunegpt.index.words import words
from dunegpt.serve.times import FOLLOWS, times
from dunegpt.statuses import standing
from dunegpt.types import Chip

_QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|`[^`]*`|\w+://\S+|(?<!\S)\w+:(?:\"[^\"]*\"|\S+)"
)
"""What is left alone: quotations, addresses, filters that were typed."""

_CAPITAL = r"(?:[A-Z]\.|[A-Z][\w'\u2019-]+)"
_PERSON = rf"(?:(?:Dr|Prof|Mr|Mrs|Ms)\.?\s+)?{_CAPITAL}(?:\s+{_CAPITAL}){{0,3}}"
_GROUP = (
    r"the\s+(?P<group>(?:[\w-]+\s+){1,4}(?:consortium|working group|group|collaboration"
    r"|board|committee|team|task force))"
)
_WRITING = (
    r"talks?|slides|presentations?|notes?|papers?|reports?|documents?|minutes|entry"
    r"|entries|articles?|publications?|memos?|files"
)
_BY = re.compile(
    rf"(?P<before>[\w'\u2019-]+)\s+(?P<by>by\s+(?:{_GROUP}|(?P<person>{_PERSON})))"
    rf"(?P<more>\s+and\s+{_PERSON})?"
)
_BY_LOWER = re.compile(
    rf"\b(?:{_WRITING})\s+(?P<by>by\s+(?P<person>[a-z][\w'-]+(?:\s+[a-z][\w'-]+)?))\b"
)
_HIS = re.compile(
    rf"(?P<by>(?P<person>{_PERSON})['\u2019]s)\s+(?:\w+\s+)?(?:{_WRITING})\b"
)
_TITLES = re.compile(r"^(?:Dr|Prof|Mr|Mrs|Ms)\.?\s+")
_AUTHORED = frozenset({"written", "authored", "presented", "published", "prepared"})
_OF_GROUPS = frozenset(
    "decided discussed reported recommended concluded proposed agreed given".split()
)
_PARTICIPLE = re.compile(
    r"\w+ed|given|made|built|held|driven|shown|taken|done|run|set|seen|found|kept|led"
    r"|chosen|sent|paid|won|step|side|one|\w+(?:ly|own|orn|ought|aught|ung|awn)",
    re.I,
)
"""What stands before ``by`` where that tells who did a thing, not who wrote of it."""

_IN_SOURCE = re.compile(
    r"\b(?P<cut>(?:in|on|from)\s+(?:the\s+)?(?P<source>docdb|edms|indico))"
    r"(?=\s*(?:$|[?.!,;]|\s(?:about|on|that|is|are|what|which|say|says)\b))",
    re.I,
)
_HOW_TO = re.compile(
    r"^\W*how\s+(?:do|can|should|does|to)\b|\bupload|\baccount\b|\bpassword\b", re.I
)
_LOGBOOK = re.compile(
    r"\b(?P<cut>in\s+(?:the\s+)?(?:e-?log|(?:electronic\s+)?log\s?book)s?)"
    r"(?=\s*(?:$|[?.!,;]|\s(?:about|on|that|is|are|was|were|what|which|say|says)\b))",
    re.I,
)
_TALKS = re.compile(
    r"\b(?:which|what|any|all)\s+(?:talks?|presentations?)\b"
    r"|\b(?:in|from)\s+(?:the\s+|any\s+)?(?:talks|presentations|slides)\b"
    r"|\b(?:talks?|presentations?)\s+(?:by|given)\b",
    re.I,
)
_MINUTES = re.compile(r"\b(?:in|from|of)\s+the\s+(?:meeting\s+)?minutes\b", re.I)
_STATUS = re.compile(
    r"\b(?P<cut>approved|unapproved|not approved|obsolete|superseded|withdrawn)\s+"
    r"(?:documents|notes|reports|papers|versions|specifications|requirements|drawings"
    r"|procedures)\b",
    re.I,
)
_STANDINGS = {"approved": "approved", "unapproved": "not approved"} | dict.fromkeys(
    ("obsolete", "superseded", "withdrawn"), "withdrawn"
)
_TALK_KINDS = frozenset(
    "contribution subcontribution talk presentation slides lecture".split()
)
_MINUTES_AT = frozenset({"event", "meeting", "contribution", "session", "lecture"})
"""Kinds that hold minutes as files; where there are such, minutes are no kind."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Words of a question that narrow down where to look.

    Attributes:
        start: Offset of the words in the question; ``end`` is exclusive.
        chips: What they mean; all with the same words.
        is_cut: Whether the words are not searched for where the filter is applied.
        is_time: Whether they are no content even where it is not.
    """

    start: int
    end: int
    chips: tuple[Chip, ...]
    is_cut: bool = True
    is_time: bool = False


def wishes(question: str, facets: Facets, today: date) -> list[Wish]:
    """Return the filters that stand in the words of a question, in its order.

    Args:
        question: In words; typed filters in it are left alone.
        facets: Of what the reader may find.
        today: Day that ``last year`` is counted from.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    plain = _QUOTED.sub(lambda match: "\0" * len(match[0]), question)
    found: list[Wish] = []
    for wish in (
        *_times(plain, today),
        *_authors(plain, facets),
        *_sources(plain, facets),
        *_kinds(plain, facets),
        *_statuses(plain, facets),
    ):
        if all(wish.end <= w.start or w.end <= wish.start for w in found):
            found.append(wish)
    return sorted(found, key=lambda wish: wish.start)


def filters_of(chips: Iterable[Chip]) -> Filters:
    """Return what chips narrow a search to; the same as if they had been typed."""
    return reduce(joined, (parsed(chip.filter).filters for chip in chips), Filters())


def without(question: str, cut: Iterable[Wish]) -> str:
    """Return a question without the words of some wishes; whole if nothing is left."""
    text = question
    for wish in sorted(cut, key=lambda w: -w.start):
        if wish.is_cut:
            text = f"{text[: wish.start]} {text[wish.end :]}"
    text = re.sub(r"\s+([?.!,;])", r"\1", " ".join(text.split()))
    text = re.sub(r"^[,;]\s*", "", text)
    return text if words(text) else question


def same_words(one: str, other: str) -> bool:
    """Return whether two texts are the same but for case and spaces."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def _wish(plain: str, span: tuple[int, int], *pairs: tuple[str, str]) -> Wish:
    text = " ".join(plain[slice(*span)].split())
    return Wish(*span, tuple(Chip(text, key, value) for key, value in pairs))


def _times(plain: str, today: date) -> Iterator[Wish]:
    for time in times(plain, today):
        days = (("after", time.first), ("until", time.last))
        pairs = [(key, str(day)) for key, day in days if day]
        wish = _wish(plain, (time.start, time.end), *pairs)
        yield replace(wish, is_time=True)


def _authors(plain: str, facets: Facets) -> Iterator[Wish]:
    for match in _BY.finditer(plain):
        before = match["before"].casefold()
        told = before in _AUTHORED or (match["group"] and before in _OF_GROUPS)
        if told or not _PARTICIPLE.fullmatch(before):
            yield from _author(plain, match, facets)
    for match in (*_HIS.finditer(plain), *_BY_LOWER.finditer(plain)):
        if not match["person"].isupper():  # DUNE's notes may be by anybody
            yield from _author(plain, match, facets)


def _author(plain: str, match: re.Match[str], facets: Facets) -> Iterator[Wish]:
    """Yield a wish for a name, if an author has it."""
    groups = match.groupdict()
    start, end = match.span("by")
    after = match.end("more") if groups.get("more") else end
    if match.re is not _HIS and not FOLLOWS.match(plain, after):
        return
    if name := groups.get("group"):
        if facets.has_author(name):
            yield _wish(plain, (start, end), ("author", " ".join(name.split())))
        return
    name = groups["person"] or ""
    if groups.get("more"):  # of two authors, both must be known
        other = _TITLES.sub("", re.sub(r"^\s+and\s+", "", groups["more"] or ""))
        if facets.has_author(name) and facets.has_author(other):
            value = f"{_known_by(name)} {_known_by(other)}"
            yield _wish(plain, (start, match.end("more")), ("author", value))
        return
    if facets.has_author(_TITLES.sub("", name)):
        yield _wish(plain, (start, end), ("author", _known_by(name)))


def _known_by(name: str) -> str:
    """Return the words of a name that a filter can look for: no initials, no titles."""
    plain = _TITLES.sub("", name)
    return " ".join(w for w in plain.split() if len(w.rstrip(".")) > 1)


def _sources(plain: str, facets: Facets) -> Iterator[Wish]:
    if _HOW_TO.search(plain):
        return
    for match in _IN_SOURCE.finditer(plain):
        name = match["source"].casefold()
        own = [source.casefold() for source in facets.sources]
        if any(source == name or source.startswith(f"{name}.") for source in own):
            yield _wish(plain, match.span("cut"), ("source", name))


def _kinds(plain: str, facets: Facets) -> Iterator[Wish]:
    kinds = {kind.casefold() for kind in facets.kinds}
    for match in _LOGBOOK.finditer(plain):
        if "entry" in kinds:
            yield _wish(plain, match.span("cut"), ("type", "entry"))
    for match in _TALKS.finditer(plain):
        own = sorted(kind for kind in kinds if set(kind.split()) & _TALK_KINDS)
        yield from _kept(plain, match, own)
    for match in _MINUTES.finditer(plain):
        own = sorted(kind for kind in kinds if "minutes" in kind.split())
        yield from _kept(plain, match, [] if kinds & _MINUTES_AT else own)


def _kept(plain: str, match: re.Match[str], kinds: list[str]) -> Iterator[Wish]:
    """Yield a wish for kinds, if there are any; its words stay in the question."""
    if kinds:
        wish = _wish(plain, match.span(), *(("type", kind) for kind in kinds))
        yield replace(wish, is_cut=False)


def _statuses(plain: str, facets: Facets) -> Iterator[Wish]:
    for match in _STATUS.finditer(plain):
        wanted = _STANDINGS.get(match["cut"].casefold(), "not approved")
        own = [s for s in facets.statuses if standing(s) == wanted]
        if own:
            yield _wish(plain, match.span("cut"), *(("status", s) for s in own))
