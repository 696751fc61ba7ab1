"""Which of many good passages to show: others get a turn, and nothing is said twice.

Works on scores, numbers of documents and texts that one reader may see; knows no index
and no access.
"""

import re
import zlib
from collections import Counter, deque
from collections.abc import Sequence

import numpy as np

from dunegpt.index.lexical import Rows, Scores

MOST_IN_A_ROW = 3
"""Passages of one document before others that are near get a turn."""

NEAR = 0.05
"""Scores that differ by less are near."""

_ALIKE = 0.9
_SHINGLE = 3
_COMPARED = 100
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")


def spread(documents: Sequence[int], scores: Scores) -> Rows:
    """Return an order in which no document takes all the places where others are near.

    Best first, a document's further passages wait while others are within `NEAR` of
    them. Documents keep the order of their first passages, so ranks of documents stay.

    Args:
        documents: Number of the document of each passage, best passage first.
        scores: In the same order, falling.
    """
    order: list[int] = []
    waiting: deque[int] = deque()
    taken: Counter[int] = Counter()
    for place, document in enumerate(documents):
        while waiting and scores[waiting[0]] > scores[place] + NEAR:
            order.append(waiting.popleft())
        if taken[document] >= MOST_IN_A_ROW:
            waiting.append(place)
            continue
        taken[document] += 1
        order.append(place)
    return np.array([*order, *waiting], np.int64)


def in_turn(documents: Sequence[int], places: Sequence[int]) -> Rows:
    """Return places in an order in which documents take turns, one passage each."""
    seen: Counter[int] = Counter()
    turns = []
    for place in places:
        turns.append(seen[documents[place]])
        seen[documents[place]] += 1
    return np.asarray(np.array(places)[np.argsort(turns, kind="stable")], np.int64)


class Said:
    """The texts that were shown, to find those that say the same.

    Texts are the same up to white space, or if they have the same numbers in the same
    order and nine in ten of their runs of three words are shared: a passage that
    differs in a number says something else. Only the first hundred texts are compared
    by their runs.
    """

    def __init__(self) -> None:
        self._equal: dict[str, int] = {}
        self._texts: list[str] = []
        self._runs: dict[int, frozenset[int]] = {}
        self._by_numbers: dict[str, list[int]] = {}

    def find(self, text: str) -> int | None:
        """Return the number, from 0, of the text that said the same; else None."""
        flat = _flat(text)
        if (found := self._equal.get(flat)) is not None:
            return found
        runs = None
        for number in self._by_numbers.get(_numbers(text), ()):
            other = self._texts[number]
            if min(len(flat), len(other)) < _ALIKE * max(len(flat), len(other)) - 10:
                continue
            runs = runs or _runs(flat)
            if number not in self._runs:
                self._runs[number] = _runs(other)
            others = self._runs[number]
            if len(runs & others) >= _ALIKE * len(runs | others):
                return number
        return None

    def add(self, text: str) -> None:
        """Remember a text under the next number."""
        number, flat = len(self._texts), _flat(text)
        self._texts.append(flat)
        self._equal.setdefault(flat, number)
        if number < _COMPARED:
            self._by_numbers.setdefault(_numbers(text), []).append(number)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _numbers(text: str) -> str:
    return " ".join(_NUMBER.findall(text))


def _runs(text: str) -> frozenset[int]:
    """Return a hash of each run of three words, the same in every process."""
    words = _WORD.findall(text.casefold())
    last = max(1, len(words) - _SHINGLE + 1)
    return frozenset(
        zlib.crc32(" ".join(words[n : n + _SHINGLE]).encode("utf-8", "replace"))
        for n in range(last)
    )
