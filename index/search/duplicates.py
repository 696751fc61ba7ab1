"""Detects near-duplicates of texts that were shown before.

Is given only texts that the reader may see; does not depend on the index or on access.
"""

import zlib

from dunegpt.text.patterns import compile_re

_MIN_SIMILARITY = 0.9
_SHINGLE = 3
_MAX_COMPARED = 100
_WORD = compile_re(r"\w+")
_NUMBER = compile_re(r"\d+")


class SeenTexts:
    """The texts shown so far, compared with new ones to find near-duplicates.

    Two texts are duplicates if they are equal up to white space, or if they have the
    same numbers in the same order and share 90 % of their three-word shingles; a
    passage with another number says something else. Shingles are compared with the
    first 100 texts only.
    """

    def __init__(self) -> None:
        self._by_text: dict[str, int] = {}
        self._texts: list[str] = []
        self._shingles: dict[int, frozenset[int]] = {}
        self._by_numbers: dict[str, list[int]] = {}

    def find(self, text: str) -> int | None:
        """Return the number, from 0, of the text that this one duplicates, or None."""
        flat = _collapse_whitespace(text)
        if (equal := self._by_text.get(flat)) is not None:
            return equal
        shingles = None
        for number in self._by_numbers.get(_extract_numbers(text), ()):
            other = self._texts[number]
            if (
                min(len(flat), len(other))
                < _MIN_SIMILARITY * max(len(flat), len(other)) - 10
            ):
                continue
            shingles = shingles or _hash_shingles(flat)
            if number not in self._shingles:
                self._shingles[number] = _hash_shingles(other)
            others = self._shingles[number]
            if len(shingles & others) >= _MIN_SIMILARITY * len(shingles | others):
                return number
        return None

    def add(self, text: str) -> None:
        """Add a text under the next number."""
        number, flat = len(self._texts), _collapse_whitespace(text)
        self._texts.append(flat)
        self._by_text.setdefault(flat, number)
        if number < _MAX_COMPARED:
            self._by_numbers.setdefault(_extract_numbers(text), []).append(number)


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())


def _extract_numbers(text: str) -> str:
    return " ".join(_NUMBER.findall(text))


def _hash_shingles(text: str) -> frozenset[int]:
    """Return the hashes of all three-word shingles; stable across processes."""
    words = _WORD.findall(text.casefold())
    last = max(1, len(words) - _SHINGLE + 1)
    return frozenset(
        zlib.crc32(" ".join(words[n : n + _SHINGLE]).encode("utf-8", "replace"))
        for n in range(last)
    )
