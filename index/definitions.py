"""Definitions of acronyms in a text: ``drift field cage (DFC)``, ``DFC: drift ...``.

Passages that define an acronym are marked in the lexical index, each by its own text,
so that a definition is found for exactly those who may read the passage. Does not
depend on the index.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.index.synonyms import find_acronyms
from dunegpt.text.patterns import compile_re

_SHORT = r"(?P<short>(?=[\w/&-]*[A-Z][\w/&-]*[A-Z])[A-Z][\w/&-]{1,11})"
_LONG = r"(?P<long>[^\W\d_][^\n|;:()]{3,160})"
_FORMS = tuple(
    compile_re(pattern, re.MULTILINE)
    for pattern in (
        rf"^[\s>*_|\u2022-]*{_SHORT}[*_`]*\s*(?::|=|\||\u2013|\u2014|\s-)\s*[*_]*{_LONG}",
        rf"\b{_SHORT}[*_]*\s+\({_LONG}\)",
        rf"\b{_SHORT}[*_\"]*,?\s+(?:stands for|is short for|means|denotes|abbreviates"
        rf"|is an? (?:acronym|abbreviation) (?:for|of))\s+(?:the\s+)?[\"*_]*{_LONG}",
    )
)
_WORD = compile_re(r"[^\W\d_]+")
_FIRST_SENTENCE = compile_re(r"[.!?](?:\s|$)")
_MAX_WORDS = 15
_SKIPPED = frozenset("a an and by for from in of on the to with".split())
_MARK = "\u2261"
"""Before an acronym, in the index only: `tokenize` gives no such word."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An acronym as a text explains it.

    Attributes:
        short: The acronym, as it stands.
        long: What it stands for.
        line: The words of the text that say so, verbatim.
    """

    short: str
    long: str
    line: str


def find_definitions(text: str) -> Iterator[Definition]:
    """Yield the acronyms that a text explains, with the line that does.

    >>> [d.long for d in find_definitions("GVS - gas vessel support, below it.")]
    ['gas vessel support']
    """
    for short, full in find_acronyms(text):
        place = re.search(rf"\(\s*{re.escape(short)}\s*\)", text)
        yield Definition(
            short, full, _get_sentence(text, place.start() if place else 0)
        )
    for form in _FORMS:
        for match in form.finditer(text):
            sentence = _FIRST_SENTENCE.split(match["long"])[0]
            full = _match_initials(match["short"], sentence)
            if full and match["short"] not in full.split():
                start = match.start("short")
                yield Definition(match["short"], full, _get_sentence(text, start))


def make_marks(text: str) -> list[str]:
    """Return the words of the index that mark a passage as defining its acronyms."""
    return sorted(
        {make_mark(definition.short) for definition in find_definitions(text)}
    )


def make_mark(short: str) -> str:
    """Return the word of the index that marks passages which define an acronym."""
    return f"{_MARK}{short.casefold()}"


def _match_initials(short: str, text: str) -> str:
    """Return the leading words that begin with the letters of an acronym, or nothing.

    A letter may be inside a word (``DAQ``: data acquisition); small letters need not be
    there.
    """
    letters = [letter.casefold() for letter in short if letter.isupper()]
    found = list(_WORD.finditer(text))[:_MAX_WORDS]
    used = _count_words([match[0].casefold() for match in found], letters)
    return text[: found[used - 1].end()].strip(" *_\"'") if used else ""


def _count_words(words: list[str], letters: list[str]) -> int | None:
    """Return how many words the letters take; None if they do not fit."""
    if not letters:
        return 0
    if not words:
        return None
    first = words[0]
    if first[0] == letters[0]:
        place, taken = 0, 1
        while True:
            rest = _count_words(words[1:], letters[taken:])
            if rest is not None:
                return rest + 1
            place = (
                first.find(letters[taken], place + 1) if taken < len(letters) else -1
            )
            if place < 0:
                break
            taken += 1
    rest = _count_words(words[1:], letters) if first in _SKIPPED else None
    return None if rest is None else rest + 1


def _get_sentence(text: str, place: int) -> str:
    """Return the line of a text at an offset, or its sentence there if it is long."""
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    line = text[start : end if end >= 0 else len(text)]
    if "|" in line:
        return line.strip()
    first = max(
        (m.end() for m in _FIRST_SENTENCE.finditer(line, 0, place - start)), default=0
    )
    last = _FIRST_SENTENCE.search(line, place - start)
    return line[first : last.start() + 1 if last else len(line)].strip()
