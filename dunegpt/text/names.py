"""Parses names of people, and matches a name asked for with those of authors.

``Tara Smith``, ``Smith, Tara``, ``T. Smith`` and ``TARA SMITH`` may be one person; a
given name of one author and a family name of another never are. Does not depend on
documents.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from dunegpt.text.patterns import compile_re

_SEPARATOR = compile_re(r"\s*(?:[;&\n|]|\band\b|\bund\b)\s*", re.IGNORECASE)
_WORD = compile_re(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'\u2019\u02bc`")
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
    }
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_PARTICLES = frozenset(
    "van von der den de del della di da dos das du la le el al bin ibn ter zu".split()
)
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd"})


@dataclass(frozen=True, slots=True)
class NameWord:
    """One word of a name.

    Attributes:
        forms: Its spellings without diacritics, in lower case.
        is_initial: Whether it is only the first letter of a word.
    """

    forms: frozenset[str]
    is_initial: bool

    def fits(self, other: "NameWord") -> bool:
        """Return whether a word of an author's name is this one, or begins so."""
        if self.forms & other.forms:
            return True
        return self.is_initial and any(
            form.startswith(initial) for form in other.forms for initial in self.forms
        )


def split_people(text: str) -> list[str]:
    """Return the names in a text that may hold several, each of one person.

    >>> split_people("Li Smith, Tara Smythe")
    ['Li Smith', 'Tara Smythe']
    >>> split_people("Smith, Tara A.; van der Berg, Ada")
    ['Smith, Tara A.', 'van der Berg, Ada']
    """
    return [
        person
        for group in _SEPARATOR.split(text)
        if group.strip()
        for person in _split_at_commas(group)
    ]


def has_person(names: tuple[str, ...] | list[str], wanted: str) -> bool:
    """Return whether all words of a name belong to one and the same person.

    Args:
        names: Names of authors; a name may hold several people.
        wanted: The name asked for, in any order and case; an initial stands for any
            word that begins with it. A name of initials only is nobody's.

    >>> has_person(["Li Smith", "Tara Smythe"], "Tara Smith")
    False
    >>> has_person(["Smith, Tara"], "t. smith")
    True
    """
    words = split_words(wanted)
    if all(word.is_initial for word in words):
        return False
    is_several = bool(_SEPARATOR.search(wanted))  # "Science and Technology Council"
    return any(
        _is_person(words, split_words(person))
        for name in names
        for person in ([name] if is_several else split_people(name))
    )


def _is_person(wanted: tuple[NameWord, ...], words: tuple[NameWord, ...]) -> bool:
    """Return whether each word asked for is another word of a name."""
    remaining = list(words)
    for word in sorted(wanted, key=lambda word: word.is_initial):
        fitting = [other for other in remaining if word.fits(other)]
        if not fitting:
            return False
        # An initial that is one is used up before a word that begins with it.
        equal = [other for other in fitting if word.forms & other.forms]
        remaining.remove((equal or fitting)[0])
    return True


@lru_cache(maxsize=50_000)
def split_words(name: str) -> tuple[NameWord, ...]:
    """Return the words of a name.

    >>> [sorted(word.forms) for word in split_words("Müller-Ł., J.")]
    [['mueller', 'muller'], ['l'], ['j']]
    """
    folded = unicodedata.normalize("NFC", name).casefold().translate(_APOSTROPHES)
    return tuple(
        NameWord(
            frozenset({_fold(word), _fold(word.translate(_UMLAUTS))}),
            len(word) == 1 and _has_case(word),
        )
        for word in _WORD.findall(folded)
    )


def _fold(word: str) -> str:
    """Return a word without diacritics."""
    parts = unicodedata.normalize("NFKD", word.translate(_LETTERS))
    return "".join(c for c in parts if not unicodedata.combining(c))


def _has_case(letter: str) -> bool:
    """Return whether a letter can be an initial: one of a script with capitals."""
    return letter.upper() != letter.lower()


def _split_at_commas(group: str) -> list[str]:
    """Return the people in a text with commas, as ``A B, C D`` or ``B, A``."""
    parts = [part.strip() for part in group.split(",") if part.strip()]
    counts = [len(_WORD.findall(part)) for part in parts]
    if len(parts) > 1 and parts[-1].casefold().rstrip(".") in _SUFFIXES:
        parts, counts = parts[:-1], counts[:-1]
    first = parts[0].split()[0].casefold() if parts else ""
    if len(parts) < 2:
        return [group.strip()]
    if min(counts) >= 2 and first not in _PARTICLES:
        return parts
    if len(parts) % 2 == 0:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return [f"{family}, {given}" for family, given in pairs]
    return parts
