"""Checks that a source limits a number as the sentence does (at least, up to).

At most is neither at least nor exactly, and a limit is no value. Knows words around
numbers; which numbers are the same, `dunegpt.text.quantities` says.
"""

import re
from collections.abc import Sequence

from dunegpt.serve.verify.numbers import fold_digits
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import Quantity, backs, find_quantities

_AT_MOST = compile_re(
    r"(?:\b(?:less|lower|smaller|fewer|slower|shorter|younger|closer|nearer|thinner"
    r"|lighter|colder|cheaper) than|\bbelow|\bunder|\bat most|\bup to|\bno more than"
    r"|\bmax(?:imum|imal|\.)?(?: \w+){0,3}?|\bwithin|\bat the most|[<\u2264\u2272]"
    r"|\\(?:lesssim|l[te]q?)|\blimited to|\bonly up to|\bupper limit(?: \w+){0,3}?)",
    re.I,
)
_AT_LEAST = compile_re(
    r"(?:\b(?:more|greater|larger|higher|faster|longer|older|further|bigger|thicker"
    r"|heavier|warmer|better) than|\babove|\bover(?! (?:the|a)\b)|\bat least"
    r"|\bexceed(?:s|ed|ing)?"
    r"|\bno (?:less|fewer) than|\bmin(?:imum|imal|\.)?(?: \w+){0,3}?|[>\u2265\u2273]"
    r"|\\(?:gtrsim|g[te]q?)|\bupwards of|\blower limit(?: \w+){0,3}?)",
    re.I,
)
_EXACTLY = compile_re(r"\b(?:exactly|precisely)", re.I)
_ROUGHLY = compile_re(
    r"(?:\b(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa"
    r"|ca\.?)|[~\u2248])\W*$",
    re.I,
)
_BEFORE_NUMBER = (
    r"\W{0,3}(?:(?:about|approximately|approx\.?|around|roughly|of|an?|the|only|by|is|to"
    r"|at|some)\W+){0,2}$"
)
_NO = compile_re(r"\b(?:not|no|never|neither|without|cannot)\b|n[\u2019']t\b", re.I)
_AFTER_AT_MOST = compile_re(r"\W{0,2}(?:at most|or less|or fewer|max(?:imum)?\b)", re.I)
_AFTER_AT_LEAST = compile_re(r"\W{0,2}(?:at least|or more|min(?:imum)?\b)", re.I)
_LIMIT_WORD = compile_re(
    r"\b(?:less|lower|smaller|fewer|more|greater|larger|higher|below|under|above|over"
    r"|most|least|up to|exceed\w*|within|limit\w*|max(?:im\w+)?|min(?:im\w+)?|requir\w*"
    r"|must|should|shall|goal|target|specif\w*|threshold|bound|between|range\w*|to"
    r"|ask\w*|want\w*|demand\w*|wish\w*|foresee\w*|foreseen|nominal|slower|faster|shorter|longer|younger|older|closer|by)\b"
    r"|[<>\u2264\u2265\u2272\u2273\u2013-]",
    re.IGNORECASE,
)
"""In a sentence: it may know that a number is a limit."""
_CONDITION = compile_re(
    r"\b(?:when(?:ever)?|if|once|unless|until|trip\w*|fail\w*|alarm\w*|stop\w*"
    r"|reject\w*|exclud\w*|break\w*|damag\w*|without|avoid\w*)\b",
    re.I,
)
"""In one of two sentences: what is not above a limit there may be below it here."""
_CONTEXT = 40


def find_wrong_limit(sentence: str, parts: Sequence[str]) -> str:
    """Return the first number that the source limits otherwise; empty if none.

    At most for at least, exactly for about, or a limit told as the value.
    """
    sentence = fold_digits(sentence)
    for quantity in find_quantities(sentence):
        having = _select_with(quantity, sentence, parts)
        theirs = {
            _get_limit(part, other)
            for part in having
            for other in find_quantities(part)
            if backs(quantity, other, part)
        }
        own = _get_limit(sentence, quantity)
        if not theirs:
            continue
        if (
            own == "exactly"
            and "exactly" not in theirs
            and theirs & {"about", "at most", "at least"}
        ):
            return quantity.text
        if own in {"at most", "at least"}:
            opposite = {"at most": "at least", "at least": "at most"}[own]
            is_denied = bool(_NO.search(sentence))
            turns = is_denied and any(_CONDITION.search(part) for part in having)
            if theirs <= {opposite} and not turns:
                return quantity.text
        is_value = own == "" and not _LIMIT_WORD.search(sentence)
        if is_value and theirs <= {"at most", "at least"}:
            return quantity.text
    return ""


def _select_with(quantity: Quantity, sentence: str, parts: Sequence[str]) -> list[str]:
    """Return those sentences with a number that share most words with a sentence."""
    own = set(tokenize(sentence))
    having = [
        part
        for part in parts
        if any(backs(quantity, other, part) for other in find_quantities(part))
    ]
    shares = [len(own & set(tokenize(part))) for part in having]
    return [p for p, n in zip(having, shares, strict=True) if n == max(shares)]


def _get_limit(text: str, quantity: Quantity) -> str:
    """Return ``at most``, ``at least``, ``exactly``, ``about`` or nothing."""
    before = text[max(0, quantity.start - _CONTEXT) : quantity.start]
    after = text[quantity.start + len(quantity.text) :][:14]
    found = ""
    for name, pattern in (("at most", _AT_MOST), ("at least", _AT_LEAST)):
        match = re.search(pattern.pattern + _BEFORE_NUMBER, before, re.I)
        if match:
            found = name
            denied = _NO.search(before[max(0, match.start() - 25) : match.start()])
            if denied and not re.match(r"no |max|min|[<>]", match[0], re.I):
                found = {"at most": "at least", "at least": "at most"}[name]
            break
    if not found and _AFTER_AT_MOST.match(after):
        found = "at most"
    if not found and _AFTER_AT_LEAST.match(after):
        found = "at least"
    if not found and re.search(_EXACTLY.pattern + _BEFORE_NUMBER, before, re.I):
        found = "exactly"
    if not found and _ROUGHLY.search(before):
        found = "about"
    if not found:
        found = _get_end_of_range(before, after)
    return found


def _get_end_of_range(before: str, after: str) -> str:
    """Return what a number is that begins or ends a range."""
    if re.match(r"\s?(?:-|\u2013|to|and)\s?\d", after) and re.search(
        r"\bbetween\s+$", before, re.I
    ):
        return "at least"
    if re.search(r"\bbetween\s[^.;]{0,25}\band\s+$", before, re.I):
        return "at most"
    return ""
