"""Questions that the typed fields of documents answer: lists, counts, the newest one.

``all documents by Okonjo``, ``how many talks on purity since May``, ``latest minutes``,
``which kinds of documents are there``: recognised by their form, and only if nothing in
them is left over that asks for content. Names and kinds count only if the reader may
find documents that have them. Does not look documents up.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from dunegpt.document_status import classify_status
from dunegpt.index.search.facets import Facets
from dunegpt.serve.question.dates import find_document_times
from dunegpt.serve.question.filters import find_filters, is_same_text
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.types import Chip


class Shape(StrEnum):
    """What of the documents is told."""

    LIST = "list"
    COUNT = "count"
    NEWEST = "newest"
    VALUES = "values"


@dataclass(frozen=True, slots=True)
class CatalogRequest:
    """Which documents a question asks for.

    Attributes:
        noun: What the question calls them, in the plural: ``talks``.
        chips: Filters found in its words.
        topic: Words that they are about; empty for any.
        field: Whose values are asked for: ``author``, ``kind``, ``source``, ``status``.
        counts_values: Whether the number of values is asked for.
        all_versions: Whether superseded versions count, too.
    """

    shape: Shape
    noun: str = "documents"
    chips: tuple[Chip, ...] = ()
    topic: str = ""
    field: str = ""
    counts_values: bool = False
    all_versions: bool = False


_GENERIC = frozenset(
    "document documents doc docs file files item items record records".split()
)
_NOUNS = {
    "talk": "contribution subcontribution talk presentation slides lecture",
    "presentation": "contribution subcontribution talk presentation slides lecture",
    "slide": "contribution subcontribution talk presentation slides",
    "meeting": "event meeting session conference minutes",
    "event": "event meeting conference lecture",
    "minutes": "minutes",
    "note": "note",
    "report": "report",
    "paper": "paper article publication",
    "publication": "paper article publication",
    "article": "paper article publication",
    "procedure": "procedure",
    "drawing": "drawing",
    "specification": "specification",
    "requirement": "requirement",
    "manual": "manual",
    "thesis": "thesis",
    "proposal": "proposal",
    "entry": "entry",
    "memo": "memo",
    "poster": "poster",
    "release": "release",
    "version": "",
}
"""What people call documents, with the kinds that home systems have for it."""
_PLURALS = {"entry": "entries", "minutes": "minutes", "thesis": "theses"}
_FIELDS = {
    "author": r"authors?|people|persons?|writers?|speakers?",
    "kind": r"(?:kinds?|types?|sorts?) of (?:documents?|docs?|files?|records?)"
    r"|document (?:kinds?|types?)",
    "source": r"(?:document |data )?sources?|systems",
    "status": r"(?:document )?status(?:es)?(?: of (?:the )?documents?)?",
}
_ASK = (
    r"(?:please|can you|could you|would you|i need|i want|i would like|we need"
    r"|are there|is there|do we have|do you have|give|list|show|find|get|name"
    r"|enumerate|tell|me|us"
    r"|what|which|who|where|when|is|are|was|were|the|a|an|all|any|every|each|of"
    r"|other|up|open|complete|full|link to|a list of|list of)"
)
_LEAD = compile_re(rf"^(?:{_ASK}\b[\s,:]*)*", re.I)
_COUNT = compile_re(
    r"^(?:how many(?: of the| different)?|count(?: all| the| of)*"
    r"|(?:what(?: is|[\u2019']s) the )?(?:total )?number of(?: the| all)?)\b\s*",
    re.I,
)
_NEWEST = compile_re(
    r"^(?:latest|newest|most recent|most current|last|current)\s+", re.I
)
_LISTS = compile_re(
    r"^\W*(?:list|show|find|get|give|name|enumerate|all|any|every|which|what"
    r"|are there|do we have|is there)\b",
    re.I,
)
_WRITE = (
    r"(?:write|wrote|written|give|gave|given|present(?:ed)?|publish(?:ed)?"
    r"|author(?:ed)?"
    r"|make|made|prepared?|upload(?:ed)?|post(?:ed)?|submit(?:ted)?|hold|held"
    r"|contributed?)"
)
_NAME = r"(?P<person>(?:[\w.'\u2019-]+\s+){0,3}?[\w.'\u2019-]+)"
_BY_PERSON = compile_re(rf"\b(?:did|has|have|does)\s+{_NAME}\s+{_WRITE}\b", re.I)
_NAMED = compile_re(
    rf"\b(?:by|from|of)\s+{_NAME}"
    r"(?=\s*(?:$|[;,])|\s+(?:about|on|since|in|from|before|after|between|until)\b)",
    re.I,
)
_STATUS = compile_re(
    r"\b(?P<status>not approved|unapproved|approved|obsolete|superseded|withdrawn"
    r"|draft|in work|released|restricted)\b",
    re.I,
)
_PREPOSITIONS = (
    r"(?:about|on|of|for|regarding|concerning|mention(?:ing)?|that mention"
    r"|which mention"
    r"|describing|dealing with|related to|relating to|with|to|covering|discussing)"
)
_TOPIC = compile_re(rf"^{_PREPOSITIONS}\s+(?:the\s+|a\s+|an\s+)?(?P<topic>.+)$", re.I)
_REST = compile_re(
    r"\b(?:are|is|were|was|have been|has been|had been|been|do|does|did|have|has|we|you"
    r"|there|exist(?:s|ing)?|available|currently|now|so far|in total|altogether"
    r"|here|dated"
    r"|in the index|that|which|who|from|in|by|and|the|any|all|please"
    rf"|{_WRITE})\b",
    re.I,
)
_ASKS_CONTENT = compile_re(
    r"^\W*(?:why|how(?! many)|whose|whom|if|while|is(?! there)|are(?! there)|was"
    r"|were|does"
    r"|did|has|have|can|should|must|may)\b",
    re.I,
)
_STOPS = compile_re(
    r"the|a|an|its|their|do|does|did|is|are|was|were|have|has|had|that|which|who", re.I
)
"""Where the words end that may stand before the noun of a list."""
_MODAL = compile_re(r"\b(?:can|could|should|must|need\w*|will|would|may|shall)\b", re.I)
_ASKS_MORE = compile_re(
    r"\b(?:do|does|did|is|are|was|were|has|have|can|should|must|need\w*|will|would)\b",
    re.I,
)
_ARE_THERE = compile_re(
    r"\b(?:(?:are|is|were) (?:there|available|in the index|here)|(?:do|does) (?:we"
    r"|you|it)"
    r" have|exist(?:s|ing)?)\s*$",
    re.I,
)
_DURATION = compile_re(
    r"(?:\d|\b(?:few|some|several|two|three|five|ten|twenty|thirty|sixty))\s*$", re.I
)
_MAX_TOPIC_WORDS = 8


def parse_catalog_request(
    question: str, facets: Facets, today: date, without: Sequence[str] = ()
) -> CatalogRequest | None:
    """Return which documents a question asks for; None if it asks for content.

    Args:
        question: In words; typed filters are no part of it.
        facets: Of what the reader may find.
        today: Day that ``last year`` is counted from.
        without: Words that are not to be used as filters.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    text = _ARE_THERE.sub("", " ".join(question.split()).strip(" ?.!")).strip()
    if _ASKS_CONTENT.match(text):
        return None
    counted = _COUNT.match(text)
    rest = text[counted.end() :] if counted else text
    begun = bool(counted or _LISTS.match(text))
    if not counted:
        rest = rest[_LEAD.match(rest).end() :]  # type: ignore[union-attr]
    if values := _parse_values(text, rest, is_count=bool(counted)):
        return values
    newest = _NEWEST.match(rest)
    rest = rest[newest.end() :] if newest else rest
    return _RequestParser(text, rest, facets, today, without).parse(
        Shape.COUNT if counted else Shape.NEWEST if newest else Shape.LIST, begun=begun
    )


def _parse_values(text: str, rest: str, *, is_count: bool) -> CatalogRequest | None:
    """Return a request for the values of a field: who wrote, which kinds there are."""
    if re.fullmatch(
        rf"who (?:has |have )?{_WRITE}(?: (?:any|the|all|these|some))?"
        r" (?:documents?|docs?|files?)",
        text,
        re.I,
    ):
        return CatalogRequest(Shape.VALUES, field="author")
    for field, pattern in _FIELDS.items():
        if re.fullmatch(
            rf"(?:{pattern})(?: (?:are there|exist|do we have|do you have"
            r"|of (?:the |all )?documents|are in the index|have written documents))?",
            rest,
            re.I,
        ):
            return CatalogRequest(Shape.VALUES, field=field, counts_values=is_count)
    return None


class _RequestParser:
    """Takes a request apart: noun, filters, topic."""

    def __init__(
        self, text: str, rest: str, facets: Facets, today: date, without: Sequence[str]
    ) -> None:
        self.text, self.rest = text, rest
        self.facets, self.today, self.without = facets, today, without
        self.chips: list[Chip] = []

    def parse(self, shape: Shape, *, begun: bool) -> CatalogRequest | None:
        """Return the request, or None if something in it asks for content."""
        person = self._take_person()
        noun = self._take_noun(shape, begun=begun)
        if noun is None and person and re.match(r"^(?:what|which)\b", self.text, re.I):
            noun = "documents"
        if noun is None:
            return None
        self._take_filters()
        statuses = self._take_statuses()
        topic = self._find_topic()
        if topic is None or (
            shape is Shape.LIST and not begun and not self.chips and not topic
        ):
            return None
        name, word = self._resolve_noun(noun)
        topic = f"{topic} {word}".strip()
        return CatalogRequest(
            shape,
            name,
            tuple(self.chips),
            topic,
            all_versions=statuses or name == "versions",
        )

    def _take_person(self) -> bool:
        """Take ``did Okello give``, if an author has the name."""
        match = _BY_PERSON.search(self.rest)
        if not match or not self.facets.has_author(match["person"]):
            return False
        self._add(Chip(" ".join(match[0].split()), "author", match["person"]))
        self._cut(match.span())
        return True

    def _take_noun(self, shape: Shape, *, begun: bool) -> str | None:
        """Take what the documents are called; the modifiers before it stay."""
        is_single = shape is Shape.NEWEST
        words = list(re.finditer(r"[^\W\d_]+", self.rest))[:6]
        for match in words:
            word = match[0].casefold()
            singular = _find_singular(word)
            is_plural = singular != word or word in ("minutes",)
            if word == "minutes" and _DURATION.search(self.rest[: match.start()]):
                continue
            if not is_single and (word == "versions" or _STOPS.fullmatch(word)):
                return None
            known = word in _GENERIC or singular in _NOUNS or self._is_kind(singular)
            if known and (is_plural or is_single):
                self._cut(match.span())
                return singular
            if re.fullmatch(_PREPOSITIONS, word, re.I) or word in ("by", "did", "does"):
                return None
        return None

    def _is_kind(self, singular: str) -> bool:
        return any(tokenize(kind) == tokenize(singular) for kind in self._kinds)

    @cached_property
    def _kinds(self) -> list[str]:
        """The kinds of the reader's documents; listed once for a question."""
        return self.facets.kinds

    def _resolve_noun(self, singular: str) -> tuple[str, str]:
        """Return the noun in the plural, and the word of it that a title has to have.

        The kinds of a noun that the reader's documents have become a filter.
        """
        plural = _PLURALS.get(singular, f"{singular}s")
        if singular in _GENERIC:
            return "documents", ""
        if singular == "version":
            return "versions", ""
        wanted = set(_NOUNS.get(singular, singular).split())
        kinds = [kind for kind in self._kinds if set(kind.casefold().split()) & wanted]
        named = [kind for kind in kinds if singular in kind.casefold()]
        if kinds:
            chosen = (
                named if singular in ("minutes", "note", "report") and named else kinds
            )
            self.chips += [Chip(plural, "type", kind) for kind in chosen]
            return plural, ""
        return plural, plural if singular != "talk" else "talk"

    def _take_filters(self) -> None:
        """Take authors and sources, times, then authors that stood before times."""
        self._take_found()
        times = list(find_document_times(self.rest, self.today))
        for time in reversed(times):
            words = " ".join(self.rest[time.start : time.end].split())
            for key, day in (("after", time.first), ("until", time.last)):
                if day:
                    self._add(Chip(words, key, str(day)))
            self._cut((time.start, time.end))
        self._take_found()
        for match in reversed(list(_NAMED.finditer(self.rest))):
            if self.facets.has_author(match["person"]):
                self._add(Chip(" ".join(match[0].split()), "author", match["person"]))
                self._cut(match.span())

    def _take_found(self) -> None:
        for span in reversed(find_filters(self.rest, self.facets, self.today)):
            chips = [chip for chip in span.chips if chip.key in ("author", "source")]
            for chip in chips:
                self._add(chip)
            if chips:
                self._cut((span.start, span.end))

    def _take_statuses(self) -> bool:
        match = _STATUS.search(self.rest)
        if not match:
            return False
        wanted = match["status"].casefold()
        own = [s for s in self.facets.statuses if wanted in s.casefold()]
        if wanted in ("unapproved", "not approved"):
            own = [
                s for s in self.facets.statuses if classify_status(s) == "not approved"
            ]
        elif wanted == "approved":
            own = [s for s in self.facets.statuses if classify_status(s) == "approved"]
        if not own:
            return False
        for status in own:
            self._add(Chip(match[0], "status", status))
        self._cut(match.span())
        return wanted in ("obsolete", "superseded", "withdrawn")

    def _find_topic(self) -> str | None:
        """Return what the documents are about; None if more is asked than that."""
        text = " ".join(self.rest.replace(";", " ").split()).strip(" ,")
        text = _ARE_THERE.sub(" ", text).strip()
        if _MODAL.search(text):
            return None
        bare = " ".join(_REST.sub(" ", text).split())
        if not tokenize(bare):
            return ""
        match = _TOPIC.match(text) or _TOPIC.match(bare)
        topic = match["topic"] if match else bare
        if _ASKS_MORE.search(topic) or len(topic.split()) > _MAX_TOPIC_WORDS:
            return None
        topic = re.sub(rf"\b{_PREPOSITIONS}\b", " ", topic, flags=re.I)
        return " ".join(topic.split())

    def _add(self, chip: Chip) -> None:
        if not any(is_same_text(chip.text, words) for words in self.without):
            self.chips.append(chip)

    def _cut(self, span: tuple[int, int]) -> None:
        self.rest = f"{self.rest[: span[0]]} ; {self.rest[span[1] :]}"


def _find_singular(word: str) -> str:
    for singular, plural in _PLURALS.items():
        if word in (singular, plural):
            return singular
    return word.removesuffix("s") if len(word) > 3 else word
