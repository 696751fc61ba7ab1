"""Checks that a candidate is about the thing asked for: sensor 12 is not sensor 120.

Compares numbered things, codes, sides and roles of a question with those of a
candidate. Only tells of a conflict where the candidate names another one of the same
kind and not the one that is asked for.
"""

import re
from collections.abc import Iterator

from dunegpt.serve.answer.candidates import Candidate
from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import MONTHS
from dunegpt.text.patterns import compile_re

_NO_THINGS = frozenset(
    "a about above after an and are as at before below by during exactly first for from"
    " had has have in into is least less like most more nearly of on only or other over"
    " per since some than that the these this those to under until up was were with"
    " within year years".split()
) | frozenset(MONTHS)
_NUMBERED = compile_re(
    r"\b(?P<noun>[^\W\d_]{2,}?)s?\s?(?:no\.?\s?|nr\.?\s?|number\s|#\s?)?"
    r"(?P<number>\d+(?:\.\d+)*)(?![\w/%]|[.,:]\d|\s?-\s?\d)",
    re.IGNORECASE,
)
_MORE_NUMBERS = compile_re(r"(?:\s?(?:,|and|or|&)\s?(\d+)(?![\w.%]))")
_CODE = compile_re(r"\b(?P<noun>[A-Z]+[-_]?|v)(?P<number>\d+(?:[._]\d+)*)\b")
_SIDES = tuple(
    frozenset(group.split())
    for group in (
        "north south east west", "upper lower", "top bottom", "left right",
        "inner outer", "first second third fourth fifth", "near far",
        "horizontal vertical", "single dual", "warm cold", "minimum maximum",
        "induction collection", "anode cathode", "odd even", "surface underground",
        "min max", "entrance exit", "transmitter receiver", "old new",
    )
)  # fmt: skip
_ROLE = compile_re(
    r"\b(?:deputy|vice|assistant|co|former|ex|acting|previous)[\s-]+(?=\w)", re.I
)
_UNIT_LIKE = compile_re(
    r"\s?(?:[kMGTmcnpµu]?(?:V|A|W|K|m|s|g|J|N|T|B|b|L|l|t|Hz|Pa|eV|bar|ton)"
    r"|kt|°C|ms|years?|days?|hours?|minutes?|weeks?|months?)\b"
)

Named = tuple[str, str]
"""A kind of thing and its number: ``("sensor", "12")``, ``("V", "10")``."""


def find_numbered_things(text: str) -> Iterator[Named]:
    """Yield the things that a text names by number or code.

    >>> sorted(find_numbered_things("Sensors 4 and 41 are near V10 since 2019."))
    [('sensor', '4'), ('sensor', '41'), ('v', '10')]
    """
    for match in _NUMBERED.finditer(text):
        noun = match["noun"].casefold()
        is_amount = _UNIT_LIKE.match(text, match.end())
        if noun in _NO_THINGS or noun + "s" in _NO_THINGS or is_amount:
            continue
        yield noun, match["number"]
        end = match.end()
        while more := _MORE_NUMBERS.match(text, end):
            yield noun, more[1]
            end = more.end()
    for match in _CODE.finditer(text):
        yield match["noun"].rstrip("-_").casefold(), match["number"]


def find_subject_conflict(question: str, candidate: Candidate) -> float:
    """Return 1 if the candidate names another thing than the numbered one asked for.

    What its title, heading or the sentence before names counts as its own.
    """
    asked = set(find_numbered_things(question))
    if not asked:
        return 0.0
    own = set(find_numbered_things(candidate.shown))
    around = own | set(find_numbered_things(f"{candidate.context}\n{candidate.before}"))
    nouns = {noun for noun, _ in asked}
    others = {each for each in own if each[0] in nouns}
    is_other = bool(others) and not asked & own
    return float(is_other or bool(around and not asked & around and others))


def has_other_side(question: str, candidate: Candidate) -> float:
    """Return 1 if a candidate is about another side, place in order or role."""
    asked, own = set(tokenize(question)), set(tokenize(candidate.shown))
    for group in _SIDE_STEMS:
        wanted = asked & group
        if wanted and own & group and not wanted & own:
            return 1.0
    return float(bool(_ROLE.search(candidate.shown)) and not _ROLE.search(question))


_SIDE_STEMS = tuple(frozenset(tokenize(" ".join(group))) for group in _SIDES)
