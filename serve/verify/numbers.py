"""Checks that a source has the numbers of a sentence, or that they follow from it.

A number may be written in words, as a fraction or in digits of another script; it may
be a sum, difference, product or ratio that a reader can redo, or count what the source
lists. Knows no models.
"""

import math
import re
import unicodedata
from collections.abc import Sequence

from dunegpt.serve.verify.dates import find_missing_date
from dunegpt.serve.verify.derived import counts_listed, is_derived
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import (
    Quantity,
    backs,
    find_missing_dates,
    find_quantities,
    find_unbacked,
    have_same_dimension,
)

_RAISED = compile_re(
    r"(?<![\w)\]}°%Ωµ\u207b\u207a⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉])[⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉]+(?![A-Za-z⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉])"
)
"""Raised or lowered digits that are no power, no index and no isotope."""
_PLAIN_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
_AND_A_HALF = compile_re(r"\b(?:an?|one)\s(\w+)\sand\sa\shalf\b", re.I)
_SMALL = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WITH_HALF = compile_re(rf"\b({'|'.join(_SMALL)}) and a half\b", re.I)
_HALF_A = compile_re(r"\bhalf a (?=million|billion|dozen)", re.I)
_FRACTIONS = {
    "half": 1 / 2, "halves": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4,
    "quarters": 1 / 4, "fifth": 1 / 5, "fifths": 1 / 5, "tenth": 0.1, "tenths": 0.1,
}  # fmt: skip
_MULTIPLES = {
    "twice": 2.0, "double": 2.0, "doubled": 2.0, "doubles": 2.0, "doubling": 2.0,
    "halved": 2.0, "thrice": 3.0, "triple": 3.0, "tripled": 3.0, "triples": 3.0,
    "twofold": 2.0, "threefold": 3.0, "tenfold": 10.0, "quadrupled": 4.0,
}  # fmt: skip
_COUNT_WORDS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_FRACTION = compile_re(
    r"\b(?:(?P<count>a|one|two|three|four)[\s-])?(?P<part>half|halves|thirds?|quarters?"
    r"|fifths?|tenths?)\b(?:\s+an?\s+(?P<unit>\w+))?",
    re.I,
)
_PART_BEHIND = compile_re(r"[\s-](?:halves|thirds|quarters|fifths|tenths)\b", re.I)
_AGAIN = compile_re(r"\s(?:as (?:much|many|long) again|more\b)")
_MULTIPLE = compile_re(rf"\b(?P<word>{'|'.join(_MULTIPLES)})\b", re.I)


def fold_digits(text: str) -> str:
    """Return a text with the digits and fractions of all scripts as plain numbers.

    A raised digit behind a letter, a digit or a bracket is a power and stays.

    >>> fold_digits("①⑤⓪ TB, 4 m², ¾")
    '150 TB, 4 m², 0.75'
    """
    if text.isascii():
        return text
    text = _RAISED.sub(lambda run: run[0].translate(_PLAIN_DIGITS), text)
    return "".join(_fold_mark(mark, text[n - 1 : n]) for n, mark in enumerate(text))


def _fold_mark(mark: str, before: str) -> str:
    """Return a mark as it is, or the number that it stands for."""
    if mark.isascii() or unicodedata.category(mark) not in {"Nd", "No", "Nl"}:
        return mark
    digit = unicodedata.digit(mark, None)
    if digit is not None:
        is_power = unicodedata.name(mark).startswith(("SUPERSCRIPT", "SUBSCRIPT"))
        return mark if is_power else str(digit)
    number = f"{unicodedata.numeric(mark):g}"
    return f" {number}" if before.isdigit() else number


def find_missing_number(
    sentence: str, source: str, parts: Sequence[str], before: str = ""
) -> str:
    """Return the first number, date or time that a source has not; empty if it has all.

    Args:
        sentence: What is checked.
        source: All that it may rest on.
        parts: The sentences of the source.
        before: The sentence that it leans on; empty if it leans on none.
    """
    plain = _write_as_digits(sentence)
    if missing := find_missing_dates(plain, source):
        return missing[0]
    if word := find_missing_date(plain, source):
        return word
    unbacked = find_unbacked(plain, source)
    if unbacked or _FRACTION.search(plain) or _MULTIPLE.search(plain):
        nearest = _select_nearest(f"{before} {plain}" if before else plain, parts)
        known = {q.text for q in find_quantities(before)}
        for quantity in unbacked:
            if (
                quantity.text not in known  # it was found there before
                and not _PART_BEHIND.match(plain, quantity.start + len(quantity.text))
                and not is_derived(quantity, plain, nearest, before)
                and not counts_listed(quantity, plain, source, nearest)
            ):
                return quantity.text
        return _find_missing_ratio(plain, source, [*nearest, before])
    for quantity in find_quantities(plain):
        is_one = quantity.text.casefold().startswith("one") and quantity.unit
        if is_one and not any(
            backs(quantity, q, source) for q in find_quantities(source)
        ):
            return quantity.text
    return ""


def _write_as_digits(sentence: str) -> str:
    """Return a sentence with its halves as decimals: "two and a half" is 2.5."""
    plain = _AND_A_HALF.sub(r"1.5 \1s", fold_digits(sentence))
    plain = _HALF_A.sub("0.5 ", plain)
    return _WITH_HALF.sub(lambda m: f"{_SMALL.index(m[1].casefold()) + 1}.5", plain)


def is_redone(
    sentence: str, source: str, parts: Sequence[str], before: str = ""
) -> bool:
    """Return whether a number of a sentence follows from the source by a step.

    Args:
        sentence: All of whose numbers have been found there, or follow.
        source: All that it may rest on.
        parts: The sentences of the source.
        before: The sentence that it leans on; empty if it leans on none.
    """
    plain = _write_as_digits(sentence)
    known = {q.text for q in find_quantities(before)}
    return any(q.text not in known for q in find_unbacked(plain, source))


def _select_nearest(sentence: str, parts: Sequence[str]) -> list[str]:
    """Return the few sentences of a source that have most of a sentence's words."""
    own = set(tokenize(sentence))
    return sorted(parts, key=lambda part: -len(own & set(tokenize(part))))[:3]


def _find_missing_ratio(sentence: str, source: str, nearest: Sequence[str]) -> str:
    """Return the first fraction or multiple that neither stands there nor follows."""
    theirs = find_quantities(source)
    pool = [q for text in (sentence, *nearest) for q in find_quantities(text)]
    for match in _FRACTION.finditer(sentence):
        word = match["part"].casefold()
        is_ordinal = (
            word in {"third", "fifth", "tenth", "quarter"} and not match["count"]
        )
        if is_ordinal:
            continue
        value = _FRACTIONS[word] * _COUNT_WORDS.get(
            (match["count"] or "a").casefold(), 1
        )
        if _AGAIN.match(match.string[match.end() :]):
            value += 1
        stem = word.removesuffix("s").replace("halve", "half")
        stands_there = re.search(rf"\b{stem}", source, re.I) and value <= 0.5
        if not (stands_there or _has_ratio(value, match, theirs, pool)):
            return match[0]
    for match in _MULTIPLE.finditer(sentence):
        value = _MULTIPLES[match["word"].casefold()]
        stands_there = any(
            _MULTIPLES[found[0].casefold()] == value
            for found in _MULTIPLE.finditer(source)
        )
        if not (stands_there or _has_ratio(value, match, theirs, pool)):
            return match[0]
    return ""


def _has_ratio(
    value: float,
    match: re.Match[str],
    theirs: Sequence[Quantity],
    pool: Sequence[Quantity],
) -> bool:
    """Return whether a ratio is a number of the source, or of two of its numbers."""
    unit = match.groupdict().get("unit") or ""
    if unit:
        asked = find_quantities(f"{value:g} {unit}")
        if asked and asked[0].unit:
            return any(backs(asked[0], other, "") for other in theirs)
    is_bound = re.search(
        r"(?:more|less|fewer|over|under|almost|nearly|about|around)\s(?:than\s)?$",
        match.string[: match.start()],
        re.I,
    )
    tolerance = 0.2 if is_bound else 0.03
    known = [q.value for q in theirs if not q.unit or q.value != 1]
    if any(math.isclose(v, value) or math.isclose(v, 100 * value) for v in known):
        return True
    for one in pool:
        for other in pool:
            if one is other or not other.value or not have_same_dimension(one, other):
                continue
            ratio = abs(one.value / other.value)
            if math.isclose(ratio, value, rel_tol=tolerance):
                return True
    return False
