"""What a sentence leans on: the one before it, and the yes or no at its head.

"It was replaced in May." and "That is 1.4 ms more." say nothing without the sentence
before. Knows words at the head of a sentence, not what a pronoun refers to.
"""

import re

from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re

_PRONOUNS = (
    r"it|its|itself|they|their|them|he|she|his|her|him|this|that|these|those|such|both"
    r"|neither|each|others?|latter|former|there|one|ones|same|rest|remaining|difference"
)
_LEANS = compile_re(
    rf"(?i:^\W*(?:\w[\w'\u2019-]*\W+){{0,2}}?(?:{_PRONOUNS})\b"
    r"|^\W*(?:so|thus|therefore|hence|then|also|however|instead|otherwise|meanwhile"
    r"|before|until|after|since|during|until|for this|as a result|because of)\b"
    r"|^(?:\W*\w[\w'\u2019-]*){3,8}?\W(?:it|they|them|he|she|him|those|these"
    r"|of which)\b)"
)
_LEAD = compile_re(
    r"^\W*(?P<word>yes|no)\s?(?:[,.;:!\u2013\u2014-]+)\s*(?=\S)", re.IGNORECASE
)
_NEGATION = compile_re(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|nobody|nothing|only|unless"
    r"|instead|but|yet|rather|un\w{4,}|fail\w*|exclud\w+|except)\b|n[\u2019']t\b",
    re.IGNORECASE,
)
_STRONG = compile_re(r"\b(?:not|never|cannot)\b|n[\u2019']t\b", re.IGNORECASE)
_MIN_RESTATED = 0.8


def leans(sentence: str) -> bool:
    """Return whether a sentence takes up the one before it."""
    return bool(_LEANS.search(sentence))


def split_lead(sentence: str) -> tuple[str, str]:
    """Return the yes or no at the head of a sentence, and the rest.

    >>> split_lead("Yes, it is used.")
    ('yes', 'it is used.')
    """
    match = _LEAD.match(sentence)
    if match is None:
        return "", sentence
    return match["word"].casefold(), sentence[match.end() :]


def contradicts_lead(lead: str, rest: str, question: str) -> bool:
    """Return whether a yes goes before a no, or a no before what was asked.

    Args:
        lead: ``yes``, ``no`` or nothing.
        rest: What stands behind it.
        question: As asked.
    """
    asked = set(tokenize(question))
    if not lead or not asked or _NEGATION.search(question):
        return False
    shared = len(asked & set(tokenize(rest))) / len(asked)
    if shared < _MIN_RESTATED:
        return False
    if lead == "yes":
        clause = rest.partition(",")[0]
        return bool(_STRONG.search(clause))
    return not _NEGATION.search(rest)
