"""Whether a source says a number of what the sentence says it of, and as it does.

The number must stand near some of the sentence's other words: within three sentences
of the source. A limit in the source is no value. Knows words, not grammar: two things
that stand together can still be exchanged.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from dunegpt.text.analyzer import tokenize
from dunegpt.text.quantities import Quantity, backs, find_quantities

MIN_SHARED = 0.2
"""Of the sentence's words beside its numbers, in the best place of the number."""
_WINDOW = 3
_MIN_WORDS = 3
_COUNTED_NOUN = re.compile(
    r"(?<![^\s(])(?!1\b)\d[\d,]* "
    r"((?:(?!(?:of|or|and|to|per|in|at|on|by|is|are|was|were)\b)[a-z-]+ ){0,2}"
    r"[a-z-]*[a-rt-z]s)\b"
)
"""Digits, and the things that are so many."""


_LIMIT = re.compile(
    r"(?:(?:less|lower|smaller|fewer|more|greater|larger|higher) than|below|under|above"
    r"|over|at most|at least|up to|exceed(?:s|ed|ing)?|within"
    r"|[<>\u2264\u2265\u2272\u2273]"
    r"|\\(?:lesssim|gtrsim|l[te]q?|g[te]q?))\W{0,3}"
    r"(?:(?:about|approximately|approx\.?|around|roughly|of|an?|the)\W+)?$",
    re.IGNORECASE,
)
"""Before a number: it is a limit."""
_LIMIT_WORD = re.compile(
    r"\b(?:less|lower|smaller|fewer|more|greater|larger|higher|below|under|above|over"
    r"|most|least|up to|exceed\w*|within|limit\w*|max\w*|min\w*|requir\w*|must|should"
    r"|goal|target|specif\w*|threshold|bound|between|range\w*|to)\b"
    r"|[<>\u2264\u2265\u2272\u2273\u2013-]",
    re.IGNORECASE,
)
"""In a sentence: it may know that a number is a limit."""
_CONTEXT_LENGTH = 40


def find_limit(sentence: str, parts: Sequence[Sequence[str]]) -> str:
    """Return the first number that the source has as a limit only; empty if none.

    Args:
        sentence: What is checked; it says nothing of limits, or nothing is returned.
        parts: The sentences of each passage.
    """
    if _LIMIT_WORD.search(sentence):
        return ""
    texts = [text for own in parts for text in own]
    for quantity in find_quantities(sentence):
        before = [part for text in texts for part in _find_preceding(text, quantity)]
        if before and all(_LIMIT.search(part) for part in before):
            return quantity.text
    return ""


def _find_preceding(text: str, quantity: Quantity) -> Iterator[str]:
    """Yield what stands before each number of a text that backs one."""
    for spelling in {
        own.text for own in _find_quantities(text) if backs(quantity, own, text)
    }:
        for match in re.finditer(re.escape(spelling), text):
            yield text[max(0, match.start() - _CONTEXT_LENGTH) : match.start()]


def find_misplaced(sentence: str, parts: Sequence[Sequence[str]], about: str) -> str:
    """Return the first number that the source says of something else; empty if none.

    Args:
        sentence: What is checked; its numbers stand somewhere in the source.
        parts: The sentences of each passage.
        about: Titles and headings above them, which all are about.
    """
    runs = [" ".join(own[n : n + _WINDOW]) for own in parts for n in range(len(own))]
    own = find_quantities(sentence)
    bare = sentence
    for quantity in own:
        bare = bare.replace(quantity.text, " ")
    frame = set(tokenize(bare))
    if len(frame) < _MIN_WORDS:
        return ""
    known = frozenset(tokenize(about))
    for quantity in own:
        if _counts_others(sentence, quantity, parts):
            return quantity.text
        places = [part for part in runs if _has_quantity(part, quantity)]
        shared = [len(frame & (_tokenize(part) | known)) for part in places]
        if shared and max(shared) < MIN_SHARED * len(frame):
            return quantity.text
    return ""


def _counts_others(
    sentence: str, quantity: Quantity, parts: Sequence[Sequence[str]]
) -> bool:
    """Return whether a source counts so many of something else.

    In "64 input channels" each of its sentences that has 64 must have one of the other
    words. Rows of tables need not: they have theirs in the head.
    """
    counted = _COUNTED_NOUN.match(sentence, max(sentence.find(quantity.text), 0))
    if quantity.unit or counted is None:
        return False
    things = set(tokenize(counted[1]))
    places = [text for own in parts for text in own if _has_quantity(text, quantity)]
    return bool(things and places) and not any(
        things & _tokenize(text) or not text.rstrip().endswith((".", ":"))
        for text in places
    )


def _has_quantity(part: str, quantity: Quantity) -> bool:
    return any(backs(quantity, other, part) for other in _find_quantities(part))


@lru_cache(maxsize=4096)
def _find_quantities(part: str) -> tuple[Quantity, ...]:
    return tuple(find_quantities(part))


@lru_cache(maxsize=4096)
def _tokenize(part: str) -> frozenset[str]:
    return frozenset(tokenize(part))
