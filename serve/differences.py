"""Where documents give different numbers for what reads like the same quantity.

Two sentences of different documents that both bear on the question, have most of their
words in common and one amount of a kind each, which no rounding makes equal. Both are
shown with their dates: which of them holds, a reader decides. Knows no meaning: a
difference may be one of conditions that the sentences do not name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from dunegpt.index.texts import context
from dunegpt.index.words import words
from dunegpt.serve.quantities import Quantity, agree, dimension, quantities
from dunegpt.serve.sentences import Candidate
from dunegpt.types import Amount, Difference, Hit

_NEAR_BEST = 0.7
"""Sentences that answer less well than this share of the best one do not count."""
_READ = 12
_ALIKE = 0.6
_LEAST_SHARED = 2
_TELLS_APART = re.compile(
    r"\b(?:[A-Z][\w-]*[A-Z0-9][\w-]*|first|second|third|fourth|near|far|upper|lower|top"
    r"|bottom|inner|outer|left|right|north|south|east|west|horizontal|vertical|min\w*"
    r"|max\w*|average|mean|total|peak|nominal|single|dual|before|after|warm|cold|full"
    r"|initial|final|with|without)\b"
)
"""What, if only one of two sentences has it, makes them speak of two things."""
_WHICH = re.compile(
    r"\b(?:ProtoDUNE[\w-]*|NP0\d|SP|DP|ND|FD|HD|VD|near|far|single|dual|horizontal"
    r"|vertical|ICEBERG|SBND|MicroBooNE|ICARUS|35-?ton)\b",
    re.IGNORECASE,
)
"""Which detector a title or heading speaks of."""


@dataclass(frozen=True, slots=True)
class _Statement:
    hit: Hit
    text: str
    amount: Quantity
    frame: frozenset[str]
    marks: frozenset[str]


def differences(found: Sequence[Candidate]) -> Iterator[Difference]:
    """Yield pairs of places that differ, those that answer best first.

    Args:
        found: Sentences of the hits, best first.
    """
    best = found[0].score if found else 0.0
    near = [c for c in found[:_READ] if c.score >= _NEAR_BEST * best]
    statements = [s for candidate in near for s in _statements(candidate)]
    seen: set[frozenset[str]] = set()
    for one, other in combinations(statements, 2):
        pair = frozenset((one.hit.document.id, other.hit.document.id))
        if len(pair) == 2 and pair not in seen and _differ(one, other):
            seen.add(pair)
            amounts = _amount(one), _amount(other)
            yield Difference(
                *(amounts if _is_newest_first(*amounts) else amounts[::-1])
            )


def _statements(candidate: Candidate) -> Iterator[_Statement]:
    """Yield the amounts of a sentence, of each kind the only one."""
    own = quantities(candidate.text)
    kinds = [dimension(quantity) for quantity in own]
    bare = candidate.text
    for quantity in own:
        bare = bare.replace(quantity.text, " ")
    document = candidate.hit.document
    head = context(document.title, candidate.hit.passage.heading)
    marks = {m.casefold() for m in (*_TELLS_APART.findall(bare), *_WHICH.findall(head))}
    for quantity, kind in zip(own, kinds, strict=True):
        if quantity.unit and kinds.count(kind) == 1:
            frame = frozenset(words(bare))
            yield _Statement(
                candidate.hit, candidate.text, quantity, frame, frozenset(marks)
            )


def _differ(one: _Statement, other: _Statement) -> bool:
    """Return whether two statements give one thing two amounts."""
    shared = len(one.frame & other.frame)
    return (
        dimension(one.amount) == dimension(other.amount)
        and shared >= _LEAST_SHARED
        and shared >= _ALIKE * min(len(one.frame), len(other.frame))
        and one.marks == other.marks
        and not agree(one.amount, other.amount)
    )


def _is_newest_first(one: Amount, other: Amount) -> bool:
    return not (one.date and other.date) or one.date >= other.date


def _amount(statement: _Statement) -> Amount:
    document = statement.hit.document
    return Amount(
        statement.hit.rank, statement.amount.text, statement.text, document.date
    )
