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

from dunegpt.document_status import classify_status
from dunegpt.index.search.facets import Facets
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.query import merge_filters, parse_query
from dunegpt.serve.question.dates import MAY_FOLLOW, find_time_expressions
from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import DOCUMENT_NOUNS
from dunegpt.text.patterns import compile_re
from dunegpt.types import Chip

_QUOTED = compile_re(
    r"\"[^\"]*\"|“[^”]*”|`[^`]*`|\w+://\S+|(?<!\S)\w+:(?:\"[^\"]*\"|\S+)"
)
"""What is left alone: quotations, addresses, filters that were typed."""

_CAPITAL = r"(?:[A-Z]\.|[A-Z][\w'\u2019-]+)"
_PERSON = rf"(?:(?:Dr|Prof|Mr|Mrs|Ms)\.?\s+)?{_CAPITAL}(?:\s+{_CAPITAL}){{0,3}}"
_GROUP = (
    r"the\s+(?P<group>(?:[\w-]+\s+){1,4}(?:consortium|working group|group|collaboration"
    r"|board|committee|team|task force))"
)
_BY = compile_re(
    rf"(?P<before>[\w'\u2019-]+)\s+(?P<by>by\s+(?:{_GROUP}|(?P<person>{_PERSON})))"
    rf"(?P<more>\s+and\s+{_PERSON})?"
)
_BY_LOWER = compile_re(
    rf"\b(?:{DOCUMENT_NOUNS})\s+(?P<by>by\s+(?P<person>[a-z][\w'-]+(?:\s+[a-z][\w'-]+)?))\b"
)
_POSSESSIVE = compile_re(
    rf"(?P<by>(?P<person>{_PERSON})['\u2019]s)\s+(?:\w+\s+)?(?:{DOCUMENT_NOUNS})\b"
)
_TITLES = compile_re(r"^(?:Dr|Prof|Mr|Mrs|Ms)\.?\s+")
_AUTHORING_VERBS = frozenset(
    {"written", "authored", "presented", "published", "prepared"}
)
_GROUP_ACTIONS = frozenset(
    "decided discussed reported recommended concluded proposed agreed given".split()
)
_PARTICIPLE = compile_re(
    r"\w+ed|given|made|built|held|driven|shown|taken|done|run|set|seen|found|kept|led"
    r"|chosen|sent|paid|won|step|side|one|\w+(?:ly|own|orn|ought|aught|ung|awn)",
    re.I,
)
"""What stands before ``by`` where that tells who did a thing, not who wrote of it."""

_IN_SOURCE = compile_re(
    r"\b(?P<cut>(?:in|on|from)\s+(?:the\s+)?(?P<source>docdb|edms|indico))"
    r"(?=\s*(?:$|[?.!,;]|\s(?:about|on|that|is|are|what|which|say|says)\b))",
    re.I,
)
_HOW_TO = compile_re(
    r"^\W*how\s+(?:do|can|should|does|to)\b|\bupload|\baccount\b|\bpassword\b", re.I
)
_LOGBOOK = compile_re(
    r"\b(?P<cut>in\s+(?:the\s+)?(?:e-?log|(?:electronic\s+)?log\s?book)s?)"
    r"(?=\s*(?:$|[?.!,;]|\s(?:about|on|that|is|are|was|were|what|which|say|says)\b))",
    re.I,
)
_TALKS = compile_re(
    r"\b(?:which|what|any|all)\s+(?:talks?|presentations?)\b"
    r"|\b(?:in|from)\s+(?:the\s+|any\s+)?(?:talks|presentations|slides)\b"
    r"|\b(?:talks?|presentations?)\s+(?:by|given)\b",
    re.I,
)
_MINUTES = compile_re(r"\b(?:in|from|of)\s+the\s+(?:meeting\s+)?minutes\b", re.I)
_STATUS = compile_re(
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
_KINDS_WITH_MINUTES = frozenset(
    {"event", "meeting", "contribution", "session", "lecture"}
)
"""Kinds that hold minutes as files; where there are such, minutes are no kind."""


@dataclass(frozen=True, slots=True)
class FilterSpan:
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


def find_filters(question: str, facets: Facets, today: date) -> list[FilterSpan]:
    """Return the filters that stand in the words of a question, in its order.

    Args:
        question: In words; typed filters in it are left alone.
        facets: Of what the reader may find.
        today: Day that ``last year`` is counted from.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    plain = _QUOTED.sub(lambda match: "\0" * len(match[0]), question)
    found: list[FilterSpan] = []
    for wish in (
        *_find_times(plain, today),
        *_find_authors(plain, facets),
        *_find_sources(plain, facets),
        *_find_kinds(plain, facets),
        *_find_statuses(plain, facets),
    ):
        if all(wish.end <= w.start or w.end <= wish.start for w in found):
            found.append(wish)
    return sorted(found, key=lambda wish: wish.start)


def combine_filters(chips: Iterable[Chip]) -> Filters:
    """Return what chips narrow a search to; the same as if they had been typed."""
    return reduce(
        merge_filters, (parse_query(chip.filter).filters for chip in chips), Filters()
    )


def remove_filter_words(question: str, cut: Iterable[FilterSpan]) -> str:
    """Return a question without the words of some wishes; whole if nothing is left."""
    text = question
    for wish in sorted(cut, key=lambda w: -w.start):
        if wish.is_cut:
            text = f"{text[: wish.start]} {text[wish.end :]}"
    text = re.sub(r"\s+([?.!,;])", r"\1", " ".join(text.split()))
    text = re.sub(r"^[,;]\s*", "", text)
    return text if tokenize(text) else question


def is_same_text(one: str, other: str) -> bool:
    """Return whether two texts are the same but for case and spaces."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def _make_span(
    plain: str, span: tuple[int, int], *pairs: tuple[str, str]
) -> FilterSpan:
    text = " ".join(plain[slice(*span)].split())
    return FilterSpan(*span, tuple(Chip(text, key, value) for key, value in pairs))


def _find_times(plain: str, today: date) -> Iterator[FilterSpan]:
    for time in find_time_expressions(plain, today):
        days = (("after", time.first), ("until", time.last))
        pairs = [(key, str(day)) for key, day in days if day]
        wish = _make_span(plain, (time.start, time.end), *pairs)
        yield replace(wish, is_time=True)


def _find_authors(plain: str, facets: Facets) -> Iterator[FilterSpan]:
    for match in _BY.finditer(plain):
        before = match["before"].casefold()
        told = before in _AUTHORING_VERBS or (
            match["group"] and before in _GROUP_ACTIONS
        )
        if told or not _PARTICIPLE.fullmatch(before):
            yield from _match_author(plain, match, facets)
    for match in (*_POSSESSIVE.finditer(plain), *_BY_LOWER.finditer(plain)):
        if not match["person"].isupper():  # DUNE's notes may be by anybody
            yield from _match_author(plain, match, facets)


def _match_author(
    plain: str, match: re.Match[str], facets: Facets
) -> Iterator[FilterSpan]:
    """Yield a wish for a name, if an author has it."""
    groups = match.groupdict()
    start, end = match.span("by")
    after = match.end("more") if groups.get("more") else end
    if match.re.pattern != _POSSESSIVE.pattern and not MAY_FOLLOW.match(plain, after):
        return
    if name := groups.get("group"):
        if facets.has_author(name):
            yield _make_span(plain, (start, end), ("author", " ".join(name.split())))
        return
    name = groups["person"] or ""
    if groups.get("more"):  # of two authors, both must be known
        other = _TITLES.sub("", re.sub(r"^\s+and\s+", "", groups["more"] or ""))
        both = [_TITLES.sub("", name), other]
        if all(map(facets.has_author, both)):
            pairs = [("author", _shorten_name(each, facets)) for each in both]
            yield _make_span(plain, (start, match.end("more")), *pairs)
        return
    name = _TITLES.sub("", name)
    if facets.has_author(name):
        yield _make_span(plain, (start, end), ("author", _shorten_name(name, facets)))


def _shorten_name(name: str, facets: Facets) -> str:
    """Return a name without initials, where they make no difference."""
    short = " ".join(word for word in name.split() if len(word.rstrip(".")) > 1)
    is_same = facets.find_by_author(short) == facets.find_by_author(name)
    return short if is_same else " ".join(name.split())


def _find_sources(plain: str, facets: Facets) -> Iterator[FilterSpan]:
    if _HOW_TO.search(plain):
        return
    for match in _IN_SOURCE.finditer(plain):
        name = match["source"].casefold()
        own = [source.casefold() for source in facets.sources]
        if any(source == name or source.startswith(f"{name}.") for source in own):
            yield _make_span(plain, match.span("cut"), ("source", name))


def _find_kinds(plain: str, facets: Facets) -> Iterator[FilterSpan]:
    kinds = {kind.casefold() for kind in facets.kinds}
    for match in _LOGBOOK.finditer(plain):
        if "entry" in kinds:
            yield _make_span(plain, match.span("cut"), ("type", "entry"))
    for match in _TALKS.finditer(plain):
        own = sorted(kind for kind in kinds if set(kind.split()) & _TALK_KINDS)
        yield from _make_kind_span(plain, match, own)
    for match in _MINUTES.finditer(plain):
        own = sorted(kind for kind in kinds if "minutes" in kind.split())
        yield from _make_kind_span(
            plain, match, [] if kinds & _KINDS_WITH_MINUTES else own
        )


def _make_kind_span(
    plain: str, match: re.Match[str], kinds: list[str]
) -> Iterator[FilterSpan]:
    """Yield a wish for kinds, if there are any; its words stay in the question."""
    if kinds:
        wish = _make_span(plain, match.span(), *(("type", kind) for kind in kinds))
        yield replace(wish, is_cut=False)


def _find_statuses(plain: str, facets: Facets) -> Iterator[FilterSpan]:
    for match in _STATUS.finditer(plain):
        wanted = _STANDINGS.get(match["cut"].casefold(), "not approved")
        own = [s for s in facets.statuses if classify_status(s) == wanted]
        if own:
            yield _make_span(plain, match.span("cut"), *(("status", s) for s in own))
