"""Finds in a source the same value of another owner, or another value of the owner.

For each claim of a sentence the source's claims of the same kind are compared by their
owners. If the one whose owner matches best has another value, and none with the same
value matches nearly as well, the sentence has exchanged something. Knows no models.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dunegpt.serve.verify.claims import Claim, ClaimedText, read_claims
from dunegpt.text.analyzer import tokenize
from dunegpt.text.quantities import Quantity, backs

MIN_MATCH = 0.34
"""Of a sentence's owner by that of the rival, for it to be about the same thing."""
_MARGIN = 1.25
_ANCHOR_WEIGHT = 2.0
"""What a name or label counts for among the words around a value."""
_NEIGHBOUR = 0.35
"""What the words of the sentence before count for."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A claim, what the source claims instead, and how well the owners match."""

    claim: Claim
    other: Claim
    match: float
    same: float


class ClaimedSource:
    """The sentences and rows of some passages, with what they claim."""

    def __init__(self, passages: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
        """Read passages.

        Args:
            passages: The sentences of each, in order.
            heads: What stands above each.
        """
        self.sentences: list[ClaimedText] = []
        self.claims: list[Claim] = []
        for parts, head in zip(passages, heads, strict=True):
            self._read_passage(parts, head)
        counts = Counter(stem for own in self.sentences for stem in own.stems)
        total = len(self.sentences) + 1
        self._weights = {s: math.log(1 + total / n) for s, n in counts.items()}
        self._unknown = math.log(1 + total)
        self._names = frozenset[str]().union(*(map(_find_names, self.sentences)))
        labels = {s for s in counts if len(s) == 1 and s.isupper()}
        for stem in (self._names | labels) & self._weights.keys():
            self._weights[stem] *= _ANCHOR_WEIGHT

    def _read_passage(self, parts: Sequence[str], head: str) -> None:
        self.sentences.append(read_claims(head))
        table_head, previous = "", frozenset[str]()
        for text in parts:
            is_row = text.lstrip().startswith("|")
            table_head = (table_head or text) if is_row else ""
            own = read_claims(text, table_head if is_row else "")
            near = () if is_row else previous
            around = dict.fromkeys([*tokenize(head), *near], _NEIGHBOUR)
            self.sentences.append(own)
            self.claims += [replace(c, owner={**around, **c.owner}) for c in own.claims]
            previous = own.stems

    def match(self, owner: Mapping[str, float], other: Mapping[str, float]) -> float:
        """Return 0..1: which share of an owner another one has, by rare words."""
        total = shared = 0.0
        for stem, weight in owner.items():
            rarity = self._weights.get(stem, self._unknown)
            total += weight * rarity
            shared += min(weight, other.get(stem, 0.0)) * rarity
        return shared / total if total else 0.0

    def weigh(self, stems: Iterable[str]) -> float:
        """Return the sum of the weights of some words: rare ones count for more."""
        return sum(self._weights.get(stem, self._unknown) for stem in stems)

    def find_rivals(self, sentence: ClaimedText) -> Iterator[Rival]:
        """Yield the claims of the sentence that the source makes otherwise."""
        for claim in sentence.claims:
            if not is_comparable(claim) or not self._is_name(claim):
                continue
            if other := self._find_other_cell(claim, sentence):
                yield Rival(claim, other, 1.0, 0.0)
                continue
            same, best, rival = 0.0, 0.0, None
            for other in self.claims:
                if other.kind != claim.kind or not is_comparable(other):
                    continue
                if not self._is_name(other):
                    continue
                share = self.match(claim.owner, other.owner)
                if _is_same_value(claim, other):
                    same = max(same, share)
                elif share > best and _can_rival(claim, other, sentence):
                    best, rival = share, other
            if (
                rival
                and self._is_given(claim)
                and best >= MIN_MATCH
                and best > _MARGIN * same
            ):
                yield Rival(claim, rival, best, same)

    def _find_other_cell(self, claim: Claim, sentence: ClaimedText) -> Claim | None:
        """Return what stands in the row, item or column that a clause names.

        None if the value stands there, or anywhere else but in other rows.
        """
        if not isinstance(claim.value, (Quantity, frozenset)):
            return None
        like = [c for c in self.claims if c.kind == claim.kind and self._is_name(c)]
        same = [c for c in like if _is_same_value(claim, c)]
        others = [c for c in like if c not in same and _can_rival(claim, c, sentence)]
        if not same or not all(c.label for c in same):
            return None
        here = [c for c in same if c.label <= claim.clause]
        if not here:
            given = frozenset[str]().union(*(c.label for c in same))
            named = (c for c in others if c.label <= claim.clause and c.label - given)
            return next(named, None)
        for own in here:
            row = [c for c in others if c.label == own.label]
            named = (c for c in row if (c.column - own.column) & claim.clause)
            if own.column - claim.clause == own.column and own.column:
                return next(named, None)
        return None

    def _is_name(self, claim: Claim) -> bool:
        """Return whether what is written as a name is one: elsewhere, too."""
        if not isinstance(claim.value, frozenset) or _is_surely_name(claim.text):
            return True
        return bool(claim.value) and claim.value <= self._names

    def _is_given(self, claim: Claim) -> bool:
        """Return whether the source has an amount at all; a sum it need not have."""
        value = claim.value
        amounts = (c.value for c in self.claims if isinstance(c.value, Quantity))
        return not isinstance(value, Quantity) or any(
            math.isclose(value.value, amount.value) for amount in amounts
        )


def _is_surely_name(text: str) -> bool:
    return " " in text or text[1:2].isupper()


def _find_names(text: ClaimedText) -> frozenset[str]:
    """Return the stems of the names of a text, but of a capital at its start only."""
    is_row = text.text.startswith("|")
    names = [
        claim.value
        for claim in text.claims
        if isinstance(claim.value, frozenset)
        and (
            _is_surely_name(claim.text)
            or not (is_row or text.text.startswith(claim.text))
        )
    ]
    return frozenset[str]().union(*names)


def is_comparable(claim: Claim) -> bool:
    """Return whether a claim says something by itself: "one" and a year do not."""
    value = claim.value
    if not isinstance(value, Quantity) or value.unit:
        return True
    is_year = value.digits == 4 and 1900 <= value.value < 2100
    return not is_year and value.text.casefold() != "one"


def _can_rival(claim: Claim, other: Claim, sentence: ClaimedText) -> bool:
    """Return whether another value excludes the one that is claimed."""
    if claim.kind == "number":  # of the same things
        return bool(claim.beside & other.beside)
    if claim.kind == "name":  # which it does not take up as well
        stems = other.value if isinstance(other.value, frozenset) else frozenset()
        return not stems & claim.clause
    if claim.kind.startswith("axis"):
        return not any(
            _is_same_value(c, other) for c in sentence.claims if c.kind == other.kind
        )
    return True


def _is_same_value(claim: Claim, other: Claim) -> bool:
    if isinstance(claim.value, Quantity) and isinstance(other.value, Quantity):
        return backs(claim.value, other.value, other.text)
    if isinstance(claim.value, tuple) and isinstance(other.value, tuple):
        (pole, denied), (their_pole, is_theirs_denied) = claim.value, other.value
        return bool((pole == their_pole) == (denied == is_theirs_denied))
    if isinstance(claim.value, frozenset) and isinstance(other.value, frozenset):
        return bool(claim.value & other.value)
    return claim.value == other.value
