"""Finds documents that give different numbers for what reads like one quantity.

Two sentences of different documents that both bear on the question and have one amount
of a kind each, which no rounding makes equal. All that one of them says of what the
amount is of, the other says as well; else they may speak of two things, and nothing is
told. Both are shown with their dates: which of them holds, a reader decides. Knows no
meaning: a difference may be one of conditions that the sentences do not name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from dunegpt.index.passage_text import make_context_line
from dunegpt.serve.answer.candidates import Candidate
from dunegpt.serve.answer.subjects import Named, find_numbered_things
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import (
    Quantity,
    agree,
    find_quantities,
    have_same_dimension,
)
from dunegpt.types import Amount, Difference, Hit

_MIN_SCORE_RATIO = 0.3
"""Sentences that answer less probably than this share of the best one do not count."""
_MAX_CANDIDATES = 12
_MIN_SHARED_WORDS = 2
_LIGHT_WORDS = frozenset(
    tokenize(
        "held holds amounts amounted set measured reached reaches equals given used"
        " runs operates operated has have value about approximately around roughly"
        " nearly now currently typically found kept stays remains raised lowered"
        " changed increased reduced today new foreseen planned chosen specified"
        " corresponds total thick long wide high deep heavy"
    )
)
"""Words that two sentences about one quantity need not share."""
_QUALIFIER = compile_re(
    r"\b(?:[A-Z][\w-]*[A-Z0-9][\w-]*|first|second|third|fourth|near|far|upper|lower|top"
    r"|bottom|inner|outer|left|right|north|south|east|west|horizontal|vertical|min\w*"
    r"|max\w*|average|mean|total|peak|nominal|single|dual|before|after|warm|cold|full"
    r"|initial|final|with|without)\b"
)
"""What, if only one of two sentences has it, makes them speak of two things."""
_DETECTOR = compile_re(
    r"\b(?:ProtoDUNE[\w-]*|NP0\d|SP|DP|ND|FD|HD|VD|near|far|single|dual|horizontal"
    r"|vertical|ICEBERG|SBND|MicroBooNE|ICARUS|35-?ton)\b",
    re.IGNORECASE,
)
"""Which detector a title or heading speaks of."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """An amount in a sentence.

    Attributes:
        others: The sentence's other amounts that have units.
        context_words: The words that tell what the amount is of.
        things: The numbered things that sentence and heading name.
    """

    hit: Hit
    text: str
    amount: Quantity
    others: tuple[Quantity, ...]
    context_words: frozenset[str]
    qualifiers: frozenset[str]
    things: frozenset[Named]

    def is_only_one_of_its_kind(self) -> bool:
        """Return whether the sentence has no other amount of this dimension."""
        return not any(have_same_dimension(self.amount, q) for q in self.others)


def find_conflicts(found: Sequence[Candidate]) -> Iterator[Difference]:
    """Yield pairs of places that differ, those that answer best first.

    Args:
        found: Sentences of the hits, best first.
    """
    best = found[0].score if found else 0.0
    near = [
        c
        for c in found[:_MAX_CANDIDATES]
        if c.score >= _MIN_SCORE_RATIO * best and not c.is_quoted
    ]
    statements = [s for candidate in near for s in _extract_statements(candidate)]
    seen: set[frozenset[str]] = set()
    for one, other in combinations(statements, 2):
        pair = frozenset((one.hit.document.id, other.hit.document.id))
        if len(pair) == 2 and pair not in seen and _is_conflict(one, other):
            seen.add(pair)
            amounts = _make_amount(one), _make_amount(other)
            yield Difference(
                *(amounts if _is_newest_first(*amounts) else amounts[::-1])
            )


def _extract_statements(candidate: Candidate) -> Iterator[_Statement]:
    """Yield the amounts in a sentence, each with what tells apart what it is of."""
    quantities = find_quantities(candidate.text)
    bare = candidate.text
    for quantity in quantities:
        bare = bare.replace(quantity.text, " ")
    document = candidate.hit.document
    head = make_context_line(document.title, candidate.hit.passage.heading)
    qualifiers = frozenset(
        m.casefold() for m in (*_QUALIFIER.findall(bare), *_DETECTOR.findall(head))
    )
    context_words = frozenset(tokenize(bare)) - _LIGHT_WORDS
    named = find_numbered_things(f"{candidate.hit.passage.heading}\n{bare}")
    things = frozenset(named)
    amounts = [quantity for quantity in quantities if quantity.unit]
    for amount in amounts:
        others = tuple(other for other in amounts if other is not amount)
        yield _Statement(
            candidate.hit,
            candidate.text,
            amount,
            others,
            context_words,
            qualifiers,
            things,
        )


def _is_conflict(one: _Statement, other: _Statement) -> bool:
    """Return whether two statements give one thing two amounts.

    Dimensions are compared last: to load the units takes a tenth of a second.
    """
    shared = one.context_words & other.context_words
    return (
        len(shared) >= _MIN_SHARED_WORDS
        and shared in (one.context_words, other.context_words)
        and one.qualifiers == other.qualifiers
        and one.things == other.things
        and have_same_dimension(one.amount, other.amount)
        and one.is_only_one_of_its_kind()
        and other.is_only_one_of_its_kind()
        and not agree(one.amount, other.amount)
    )


def _is_newest_first(one: Amount, other: Amount) -> bool:
    return not (one.date and other.date) or one.date >= other.date


def _make_amount(statement: _Statement) -> Amount:
    document = statement.hit.document
    return Amount(
        statement.hit.rank, statement.amount.text, statement.text, document.date
    )
