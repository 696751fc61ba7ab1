"""Checks that a source has the numbers of a sentence, or that they follow from it.

A number may be written in words, as a fraction or in digits of another script; it may
be a sum, difference, product or ratio that a reader can redo, or count what the source
lists. Knows no models.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from dunegpt.serve.verify.dates import find_missing_date
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
from dunegpt.text.units import parse_unit

_RAISED = compile_re(
    r"(?<![\w)\]}°%Ωµ\u207b\u207a⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉])[⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉]+(?![A-Za-z⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉])"
)
"""Raised or lowered digits that are no power, no index and no isotope."""
_PLAIN_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
_AND_A_HALF = compile_re(r"\b(?:an?|one)\s(\w+)\sand\sa\shalf\b", re.I)
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
_MULTIPLE = compile_re(rf"\b(?P<word>{'|'.join(_MULTIPLES)})\b", re.I)
_REDONE_BEFORE = compile_re(
    r"(?:\b(?:so|therefore|thus|hence|which (?:is|are|makes)|that is|that means|makes?"
    r"|equals?|by|remaining|rest,?|difference (?:is|amounts to)|amounts? to|increase of"
    r"|total(?: of)?|in all|altogether|together(?: \w+){0,4}|times|were|was)|=|,)\W*"
    r"(?:(?:about|some|roughly|almost|nearly|therefore|there (?:are|is)|it is|the|or)"
    r"\s)*$",
    re.I,
)
_REDONE_BEHIND = compile_re(
    r"\W*(?:\w+\s){0,2}?(?:more|fewer|less|higher|lower|longer|shorter|later|earlier"
    r"|older|newer|in total|in all|altogether|in reserve|apart|percentage points?"
    r"|therefore|thus)\b(?! than \d)",
    re.I,
)
_INFERS = compile_re(
    r"\b(?:so|therefore|thus|hence|which (?:is|are|makes)|that (?:is|means)|makes?"
    r"|total|in all|altogether|together|remaining|rest|difference|amounts? to|by"
    r"|increase|more"
    r"|fewer|less|higher|lower|twice|half|in reserve|i\.e)\b|=",
    re.I,
)
_RATIO = compile_re(
    r"\b(?:times|factor|as (?:many|much|large|high)|each|per|ratio|fold|average)\b",
    re.I,
)
_LABEL = compile_re(
    r"\b(?:week|crate|version|run|sensor|step|page|figure|table|section|module|channel"
    r"|chapter|number|no\.?|phase|type|day|passage|plane|side|board|item|note|release"
    r"|part|tank|pump|valve|crates|weeks|versions|runs|sensors|modules|pumps)\s$",
    re.I,
)
"""Before a number: it is a name."""
_IN_ALL = compile_re(r"\b(?:total|in all|altogether|together|makes|sum)\b", re.I)
_REMAINS = compile_re(r"\b(?:remain\w*|rest|others?|left)\b", re.I)
_CLOCK = compile_re(r"\b([01]?\d|2[0-3]):([0-5]\d)\b")
_MINUTES = {
    "hour": 60, "hours": 60, "h": 60, "minute": 1, "minutes": 1, "min": 1
}  # fmt: skip
_MAX_LISTED = 12
_LIST = compile_re(
    r"(?:[\w\u2019'()-]+(?:\s[\w\u2019'()-]+){0,4},\s)+(?:[\w\u2019'()-]+(?:\s[\w\u2019'()-]+){0,4},?\s)?"
    r"(?:and|or)\s\w+|\b\w+(?:\s\w+)?\s(?:and|or)\s\w+"
)
_ITEM = compile_re(r"^\s*(?:[-*\u2022]|\d{1,2}[.)])\s", re.M)
_ROW = compile_re(r"^\s*\|", re.M)


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


def find_missing_number(sentence: str, source: str, parts: Sequence[str]) -> str:
    """Return the first number, date or time that a source has not; empty if it has all.

    Args:
        sentence: What is checked.
        source: All that it may rest on.
        parts: The sentences of the source.
    """
    plain = _AND_A_HALF.sub(r"1.5 \1s", fold_digits(sentence))
    if missing := find_missing_dates(plain, source):
        return missing[0]
    if word := find_missing_date(plain, source):
        return word
    unbacked = find_unbacked(plain, source)
    if unbacked or _FRACTION.search(plain) or _MULTIPLE.search(plain):
        nearest = _select_nearest(plain, parts)
        for quantity in unbacked:
            if not _is_derived(quantity, plain, nearest) and not _counts_listed(
                quantity, plain, source, nearest
            ):
                return quantity.text
        return _find_missing_ratio(plain, source, nearest)
    for quantity in find_quantities(plain):
        is_one = quantity.text.casefold().startswith("one") and quantity.unit
        if is_one and not any(
            backs(quantity, q, source) for q in find_quantities(source)
        ):
            return quantity.text
    return ""


def _select_nearest(sentence: str, parts: Sequence[str]) -> list[str]:
    """Return the few sentences of a source that have most of a sentence's words."""
    own = set(tokenize(sentence))
    return sorted(parts, key=lambda part: -len(own & set(tokenize(part))))[:3]


def _is_derived(quantity: Quantity, sentence: str, nearest: Sequence[str]) -> bool:
    """Return whether a number follows from others by a step that a reader can redo."""
    before = sentence[max(0, quantity.start - 60) : quantity.start]
    behind = sentence[quantity.start + len(quantity.text) :]
    if behind.startswith(" percentage point"):
        quantity = replace(quantity, unit="%")
    if any(_is_about(quantity, span) for span in _find_spans(quantity, nearest)):
        return True
    is_result = _REDONE_BEFORE.search(before) or _REDONE_BEHIND.match(behind)
    if not is_result or not _INFERS.search(before[-40:] + behind[:40]):
        return False
    own = [q for q in _find_operands(sentence) if q.start != quantity.start]
    near = [q for part in nearest for q in _find_operands(part)]
    first = _find_operands(nearest[0]) if nearest else []
    results = [*_combine(own, near, quantity), *_combine(near, near, quantity)]
    if quantity.unit == "%" or _RATIO.search(before + behind):
        results += [*_divide(own, near, quantity), *_divide(near, near, quantity)]
    if _REMAINS.search(before + behind):
        results += [100.0 - q.value for q in near if q.unit == quantity.unit == "%"]
    in_all = _IN_ALL.search(before + behind)
    results += _multiply(own, [*own, *(near if in_all else first)], quantity)
    if in_all:
        results += _multiply_counts(near, quantity)
        results += [_total(part, quantity) for part in nearest]
    return any(_is_about(quantity, result) for result in results)


def _find_spans(quantity: Quantity, nearest: Sequence[str]) -> Iterator[float]:
    """Yield the differences of times of day, in the unit of a time."""
    if quantity.unit not in _MINUTES:
        return
    minutes = [
        60 * int(hour) + int(minute)
        for part in nearest
        for hour, minute in _CLOCK.findall(part)
    ]
    for one in minutes:
        for other in minutes:
            if other > one:
                yield (other - one) / _MINUTES[quantity.unit]


def _combine(
    some: Sequence[Quantity], others: Sequence[Quantity], like: Quantity
) -> Iterator[float]:
    """Yield sums and differences of amounts of one kind."""
    for one in some:
        for other in others:
            if one is other or not have_same_dimension(one, other):
                continue
            if have_same_dimension(one, like):
                mine, theirs = _get_scale(one, like), _get_scale(other, like)
                yield one.value * mine + other.value * theirs
                yield abs(abs(one.value * mine) - abs(other.value * theirs))


def _divide(
    some: Sequence[Quantity], others: Sequence[Quantity], like: Quantity
) -> Iterator[float]:
    """Yield ratios of amounts of one kind, in per cent if that is asked for."""
    factor = 100.0 if like.unit == "%" else 1.0
    for one in some:
        for other in others:
            is_pair = one is not other and have_same_dimension(one, other)
            if is_pair and one.value and other.value and like.unit in {"%", ""}:
                yield factor * one.value / other.value
                yield factor * other.value / one.value


def _find_operands(text: str) -> list[Quantity]:
    """Return the numbers of a text that are amounts; "week 2" and years are none."""
    return [
        quantity
        for quantity in find_quantities(text)
        if quantity.unit
        or not (
            _LABEL.search(text[: quantity.start])
            or (quantity.digits == 4 and 1900 <= quantity.value < 2100)
        )
    ]


def _get_scale(quantity: Quantity, like: Quantity) -> float:
    """Return what one unit is in another of the same kind; 1 if they are equal."""
    if quantity.unit == like.unit:
        return 1.0
    one, other = parse_unit(quantity.unit), parse_unit(like.unit)
    return one[1] / other[1] if one and other else math.nan


def _multiply(
    some: Sequence[Quantity], others: Sequence[Quantity], like: Quantity
) -> Iterator[float]:
    for one in some:
        for other in others:
            if one is not other and "" in {one.unit, other.unit}:
                if (one.unit or other.unit) == like.unit:
                    yield one.value * other.value


def _multiply_counts(near: Sequence[Quantity], like: Quantity) -> Iterator[float]:
    """Yield the products of two or three counts."""
    counts = sorted({q.value for q in near if not q.unit and q.value > 1})[:8]
    if not like.unit:
        for size in (2, 3):
            yield from map(math.prod, combinations(counts, size))


def _total(part: str, like: Quantity) -> float:
    return sum(q.value for q in find_quantities(part) if q.unit == like.unit)


def _is_about(quantity: Quantity, value: float) -> bool:
    if math.isnan(value):
        return False
    step = quantity.step / 2
    if quantity.is_rough:
        step = max(step, 0.1 * abs(quantity.value))
    return abs(abs(quantity.value) - abs(value)) <= step * (1 + 1e-9) and value != 0


def _counts_listed(
    quantity: Quantity, sentence: str, source: str, nearest: Sequence[str]
) -> bool:
    """Return whether a small number counts what the source, or the sentence, lists."""
    is_small = 2 <= quantity.value <= _MAX_LISTED and quantity.value.is_integer()
    if quantity.unit or not is_small:
        return False
    sizes = {len(_ITEM.findall(source)), len(_ROW.findall(source)) - 1}
    for text in (*nearest, sentence):
        for match in _LIST.finditer(text):
            joins = re.findall(r",\s(?!(?:and|or)\b)|\s(?:and|or)\s", match[0])
            sizes.add(1 + len(joins))
    return int(quantity.value) in sizes


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
