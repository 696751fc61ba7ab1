"""Scores an answer against what is known to be right: right, partly, wrong, refused.

A sentence is right if it shares most of its words with a quote that is known to
answer, or has all numbers and most new words of the known answer. An answer is *right*
if its first sentence is, *partly* right if a later one is. People judge better; these
are figures to compare versions by.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from dunegpt.text.analyzer import tokenize

RIGHT, PARTLY, WRONG, REFUSED = "right", "partly", "wrong", "falsely refused"
ANSWERED_NEAR_MISS, REFUSED_NEAR_MISS = "near miss answered", "near miss refused"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def score_answer(item: dict[str, Any], sentences: Sequence[str], outcome: str) -> str:
    """Return the score of one answer.

    Args:
        item: Question with ``q``, ``type``, ``answer`` and ``gold_quotes``.
        sentences: What was shown, in order.
        outcome: Outcome of the answer.
    """
    is_refused = outcome != "answered" or not sentences
    if item.get("type") == "unanswerable":
        return REFUSED_NEAR_MISS if is_refused else ANSWERED_NEAR_MISS
    if is_refused:
        return REFUSED
    hits = [is_right(sentence, item) for sentence in sentences]
    if hits[0]:
        return RIGHT
    return PARTLY if any(hits) else WRONG


def is_right(sentence: str, item: dict[str, Any]) -> bool:
    """Return whether a sentence has what answers a question."""
    own = tokenize(sentence)
    given = item.get("gold_quotes") or [item.get("quote") or ""]
    quotes = [q["quote"] if isinstance(q, dict) else q for q in given]
    if any(_is_same(own, tokenize(quote)) for quote in quotes):
        return True
    answer = item.get("answer") or ""
    new = set(tokenize(answer)) - set(tokenize(item["q"]))
    numbers = set(_NUMBER.findall(answer))
    has_numbers = numbers <= set(_NUMBER.findall(sentence))
    return bool(new) and has_numbers and len(new & set(own)) >= 0.6 * len(new)


def _is_same(own: Iterable[str], quote: Iterable[str]) -> bool:
    """Return whether two texts are the same sentence, or one a part of the other."""
    one, other = set(own), set(quote)
    shared = len(one & other)
    if not one or not other or shared < min(3, len(one), len(other)):
        return False
    return shared >= 0.75 * min(len(one), len(other))


def count_scores(scores: Iterable[str]) -> dict[str, str]:
    """Return how often each score was given, with its share."""
    counts = Counter(scores)
    told: dict[str, str] = {}
    for names in (
        (RIGHT, PARTLY, WRONG, REFUSED),
        (REFUSED_NEAR_MISS, ANSWERED_NEAR_MISS),
    ):
        total = sum(counts[name] for name in names)
        told |= {
            n: f"{counts[n]} of {total} ({counts[n] / total:.0%})"
            for n in names
            if total
        }
    return told
