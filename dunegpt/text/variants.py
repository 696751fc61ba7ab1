"""Generates the other forms in which a word of a question may stand in a text.

``begin`` is met by ``began``, ``fibre`` by ``fiber``, ``TPC`` by ``TPCs``, ``four`` by
``4``, ``cooldown`` by ``cool-down`` and ``cool down``, ``v4.29.1`` by ``v04_29_01``.
Both the lexical search and the choice of sentences take them as the word itself. Which
of them exist in what a reader may see, the index says; this module knows no index.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib import resources
from itertools import pairwise, product

from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import NUMBERS, ORDINALS, TENS
from dunegpt.text.patterns import compile_re

Alternative = tuple[str, ...]
"""Words of an index that together stand for one word of a question."""

_LETTERS = compile_re(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHENATED = compile_re(r"([^\W\d_]{2,})-([^\W\d_]{2,})")
_RELEASE = compile_re(r"(?P<v>v?)(?P<numbers>\d{1,3}(?:[._-]\d{1,3}){1,3})", re.I)
_VOWELS = frozenset("aeiouy")
_MIN_PART = 3
"""Characters of each part of a word that may be written apart."""
_PARTICLES = frozenset({"in", "on", "up", "by"})
"""Shorter second parts: ``warm up``."""
_FIRST_PARTS = frozenset(
    "pre post non multi sub anti over under cross micro semi inter intra".split()
)
_LAST_PARTS = frozenset("up down in out on off over through back by".split())
"""Parts of what is written in one or in two words: ``cool down``. Joining any two words
loses more than it finds: .0013 nDCG@10 on SciFact."""
_MIN_JOINED = 6


def find_alternatives(question: str) -> dict[str, set[Alternative]]:
    """Return what else may stand in a text for each word of a question.

    The keys are words as `tokenize` gives them; each alternative consists of such
    words, all of which have to be there.

    >>> sorted(find_alternatives("TPC")["tpc"])
    [('tpcs',)]
    >>> ("began",) in find_alternatives("when did it begin?")["begin"]
    True
    """
    found: dict[str, set[Alternative]] = {}
    for word in dict.fromkeys(tokenize(question)):
        found[word] = {(form,) for form in _iterate_forms(word)}
    for match in _LETTERS.finditer(question):
        _add_compounds(match[0].casefold(), found)
    words = re.findall(r"[^\W\d_]+|[^\w\s-]", question.casefold())
    for one, other in pairwise(words):
        is_joint = one in _FIRST_PARTS or other in _LAST_PARTS
        if is_joint and one.isalpha() and other.isalpha():
            _add_joined(one, other, found)
    for match in _RELEASE.finditer(question):
        _add_releases(match, found)
    return {word: own - {(word,)} for word, own in found.items() if own - {(word,)}}


def has_word(
    word: str, present: set[str], alternatives: dict[str, set[Alternative]]
) -> bool:
    """Return whether a text has a word, or an alternative of it.

    Args:
        word: A word of the question.
        present: The words of the text.
        alternatives: Of the question.
    """
    return word in present or any(map(present.issuperset, alternatives.get(word, ())))


def add_asked_words(
    present: Collection[str], alternatives: dict[str, set[Alternative]]
) -> set[str]:
    """Return the words of a text, and those of the question that they stand for."""
    found = set(present)
    return found | {
        word for word in alternatives if has_word(word, found, alternatives)
    }


def _iterate_forms(word: str) -> Iterator[str]:
    """Yield other forms of one word of an index."""
    yield from _read_forms().get(word, ())
    yield from _NUMERALS.get(word, ())
    if word.isalpha() and word.isascii():
        yield from _iterate_acronym_numbers(word)


def _iterate_acronym_numbers(word: str) -> Iterator[str]:
    """Yield the other number of what the stemmer takes for no plural: ``tpcs``.

    It keeps an s behind letters without a vowel, or whose only vowel comes last.
    """
    root = word[:-1] if word.endswith("s") else word
    least = 3 if root[-1:] in _VOWELS else 2
    is_kept = len(root) >= least and not _VOWELS & set(root[:-1])
    if is_kept and tokenize(f"{root}s") != [root]:
        yield root if root != word else f"{root}s"


def _add_compounds(word: str, found: dict[str, set[Alternative]]) -> None:
    """Add the other ways to write ``cooldown`` or ``cool-down``."""
    if match := _HYPHENATED.fullmatch(word):
        joined = tuple(tokenize(match[1] + match[2]))
        for each in tokenize(word):
            found.setdefault(each, set()).add(joined)
    elif "-" not in word and len(word) >= _MIN_JOINED:
        [stem, *others] = tokenize(word) or [""]
        if not stem or others:
            return
        own = found.setdefault(stem, set())
        for place in range(_MIN_PART - 1, len(word) - _MIN_PART + 2):
            parts = word[:place], word[place:]
            own.add((f"{parts[0]}-{parts[1]}",))
            apart = tuple(tokenize(" ".join(parts)))
            is_long = len(parts[1]) >= _MIN_PART or parts[1] in _PARTICLES
            if len(parts[0]) >= _MIN_PART and is_long and len(apart) == 2:
                own.add(apart)


def _add_joined(one: str, other: str, found: dict[str, set[Alternative]]) -> None:
    """Add ``cooldown`` and ``cool-down`` to both words of ``cool down``."""
    joined = tuple(tokenize(one + other))
    for word in (one, other):
        for each in tokenize(word):
            found.setdefault(each, set()).update({joined, (f"{one}-{other}",)})


def _add_releases(match: re.Match[str], found: dict[str, set[Alternative]]) -> None:
    """Add the spellings of a release: ``v4.29.1`` is ``v04_29_01`` and ``4.29.1``."""
    numbers = [int(number) for number in re.findall(r"\d+", match["numbers"])]
    if len(numbers) < 3 and not match["v"]:
        return  # it may be any number
    prefixes = ("v", "") if len(numbers) > 2 else ("v",)
    widths = ("d", "02d")
    forms = {
        prefix
        + sign.join([f"{numbers[0]:{first}}", *(f"{n:{rest}}" for n in numbers[1:])])
        for prefix, sign, first, rest in product(prefixes, "._-", widths, widths)
    }
    for word in tokenize(match[0]):
        found.setdefault(word, set()).update((form,) for form in forms)


@cache
def _read_forms() -> dict[str, tuple[str, ...]]:
    """Return the other forms of the words in ``word_forms.txt``, all as indexed."""
    file = resources.files("dunegpt.text").joinpath("word_forms.txt")
    forms: dict[str, set[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            own = {word for form in line.split() for word in tokenize(form)}
            for word in own:
                forms.setdefault(word, set()).update(own - {word})
    return {word: tuple(sorted(others)) for word, others in forms.items()}


def _list_numerals() -> Iterator[tuple[str, str]]:
    """Yield each number word with its digits, and each ordinal with its short form."""
    for word, number in (NUMBERS | TENS).items():
        yield word, str(number)
    endings = {1: "st", 2: "nd", 3: "rd"}
    for number, word in enumerate(ORDINALS, start=1):
        yield word, f"{number}{endings.get(number, 'th')}"


def _pair_numerals() -> dict[str, tuple[str, ...]]:
    pairs: dict[str, tuple[str, ...]] = {}
    for word, digits in _list_numerals():
        for one in tokenize(word):
            pairs[one] = (digits,)
            pairs[digits] = (one,)
    return pairs


_NUMERALS = _pair_numerals()
