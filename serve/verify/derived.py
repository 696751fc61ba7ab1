"""Says whether a number follows from others by a step that a reader can redo.

Sums, differences, products, ratios, rates over another period, the time between two
dates or times of day, and the count of what is listed. Knows no models.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations

from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import (
    Quantity,
    backs,
    find_dates,
    find_quantities,
    have_same_dimension,
)
from dunegpt.text.units import parse_unit

_REDONE_BEFORE = compile_re(
    r"(?:\b(?:so|therefore|thus|hence|which (?:is|are|makes)|that is|that means|makes?"
    r"|i\.e\.?|corresponds? to|that gives|on average|factor of|(?:the )?other|others"
    r"|equals?|by|remaining|rest,?|difference (?:is|amounts to)|amounts? to|increase of"
    r"|total(?: of)?|in all|altogether|together(?: \w+){0,4}|times|were|was)|=|,)\W*"
    r"(?:(?:about|some|roughly|almost|nearly|therefore|there (?:are|is)|it is|the|or)"
    r"\s)*$",
    re.I,
)
_REDONE_BEHIND = compile_re(
    r"\W*(?:times\b|-?fold\b|(?:\w+\s){0,2}?(?:more|fewer|less|higher|lower|longer"
    r"|shorter|later|earlier"
    r"|older|newer|below|above|thicker|thinner|wider|deeper|warmer|colder|faster|slower"
    r"|not|untested|unused|missing|in total|in all|altogether|in reserve|apart"
    r"|percentage points?"
    r"|therefore|thus)\b(?! than \d))",
    re.I,
)
_INFERS = compile_re(
    r"\b(?:so|therefore|thus|hence|which (?:is|are|makes)|that (?:is|means)|makes?"
    r"|total|in all|altogether|together|remaining|rest|difference|amounts? to|by"
    r"|increase|more"
    r"|fewer|less|higher|lower|twice|half|in reserve|i\.e|on average|times|fold|others?"
    r"|factor|corresponds?|gives?)\b|=",
    re.I,
)
_RATIO = compile_re(
    r"\b(?:times|factor|as (?:many|much|large|high)|each|per|ratio|fold|average)\b",
    re.I,
)
_MULTIPLES = {
    2.0: "twice|doubl\\w*|half|halv\\w*|twofold",
    3.0: "thrice|tripl\\w*|third|threefold",
    4.0: "quadrupl\\w*|quarter|fourfold", 10.0: "tenfold|tenth",
}  # fmt: skip
_PER_PERIOD = compile_re(
    r"(?:\W+\w+){0,5}?\W+(?:an?|per|each|every)\s(?P<period>second|minute|hour|day|week"
    r"|month|year)\b",
    re.I,
)
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_MARKER = compile_re(r"\((?:\d|[a-h]|i{1,3})\)\s")
_OTHERS = compile_re(r"\b(?:other|others|remaining|rest)\b", re.I)
_LABEL = compile_re(
    r"\b(?:week|crate|version|run|sensor|step|page|figure|table|section|module|channel"
    r"|chapter|number|no\.?|phase|type|day|passage|plane|side|board|item|note|release"
    r"|part|tank|pump|valve|crates|weeks|versions|runs|sensors|modules|pumps)\s$",
    re.I,
)
"""Before a number: it is a name."""
_EACH = compile_re(r"\b(?:each|every|per|times|apiece|both)\b|[*\u00d7]", re.I)
_IN_ALL = compile_re(r"\b(?:total|in all|altogether|together|makes|sum)\b", re.I)
_REMAINS = compile_re(r"\b(?:remain\w*|rest|others?|left)\b", re.I)
_CLOCK = compile_re(r"\b([01]?\d|2[0-3]):([0-5]\d)\b")
_YEAR = compile_re(r"\b(?:19|20)\d\d\b")
_DAY = 24 * 60
_MINUTES = {
    "hour": 60, "hours": 60, "h": 60, "minute": 1, "minutes": 1, "min": 1
}  # fmt: skip
_MAX_LISTED = 12
_LIST = compile_re(
    r"(?:[\w\u2019'()-]+(?:\s[\w\u2019'()-]+){0,4},\s)+(?:[\w\u2019'()-]+(?:\s[\w\u2019'()-]+){0,4},?\s)?"
    r"(?:and|or)\s\w+|\b\w+(?:\s\w+)?\s(?:and|or)\s\w+"
)
_RANGE = compile_re(r"\b(\d{1,4})\s?(?:[-\u2013]|to|through)\s?(\d{1,4})\b")
_NAMES = compile_re(
    r"\b[A-Z][\w.]+(?:\s[A-Z][\w.]+)*(?:,\s[A-Z][\w.]+(?:\s[A-Z][\w.]+)*)+"
)
_ITEM = compile_re(r"^\s*(?:[-*\u2022]|\d{1,2}[.)])\s", re.M)
_ROW = compile_re(r"^\s*\|[^|\n]*", re.M)
"""A row of a table, by its first cell."""


def is_derived(
    quantity: Quantity, sentence: str, nearest: Sequence[str], before: str = ""
) -> bool:
    """Return whether a number follows from others by a step that a reader can redo.

    Args:
        quantity: In question.
        sentence: That gives it.
        nearest: The sentences of the source that are most like it.
        before: The sentence that it leans on; empty if it leans on none.
    """
    ahead = sentence[max(0, quantity.start - 60) : quantity.start]
    behind = sentence[quantity.start + len(quantity.text) :]
    if behind.startswith(" percentage point"):
        quantity = replace(quantity, unit="%")
    is_given = _has_like(quantity, nearest)
    if not is_given and any(
        _is_about(quantity, span) for span in _find_spans(quantity, nearest)
    ):
        return True
    near = [q for part in (*nearest, before) for q in _find_operands(part)]
    rate = _make_rate(quantity, behind)
    if rate and (
        any(backs(rate, other, "") for other in near)
        or (
            not _has_like(rate, nearest)
            and any(_is_about(rate, mean) for mean in _average(near, rate))
        )
    ):
        return True
    is_share = quantity.unit == "%" and not is_given
    if is_share and any(
        _is_about(quantity, share) for share in _find_shares(quantity, nearest)
    ):
        return True
    is_result = _REDONE_BEFORE.search(ahead) and _INFERS.search(
        ahead[-40:] + behind[:40]
    )
    if not is_result and not _REDONE_BEHIND.match(behind):
        return False
    if _RATIO.search(ahead + behind) and _is_named(quantity, nearest):
        return True
    results = _compute(quantity, sentence, nearest, near)
    return any(_is_about(quantity, result) for result in results)


def _has_like(quantity: Quantity, nearest: Sequence[str]) -> bool:
    """Return whether a source gives an amount of the same kind itself.

    Then another one is no step of a reader's, unless the sentence says that it is.
    """
    return any(
        q.unit == quantity.unit
        if quantity.unit == "%"
        else bool(q.unit) and have_same_dimension(q, quantity)
        for part in nearest
        for q in find_quantities(part)
    )


def _compute(
    quantity: Quantity, sentence: str, nearest: Sequence[str], near: Sequence[Quantity]
) -> Iterator[float]:
    """Yield what a step makes of the numbers of a sentence and of those near it."""
    around = sentence[max(0, quantity.start - 60) : quantity.start]
    around += sentence[quantity.start + len(quantity.text) :]
    own = [q for q in _find_operands(sentence) if q.start != quantity.start]
    first = _find_operands(nearest[0]) if nearest else []
    in_all = _IN_ALL.search(around)
    behind = sentence[quantity.start + len(quantity.text) :]
    # What is more or less by an amount differs by it: no sum does.
    adds = bool(in_all) or not _REDONE_BEHIND.match(behind)
    yield from _combine(own, near, quantity, adds=adds)
    yield from _combine(near, near, quantity, adds=adds)
    if quantity.unit == "%" or _RATIO.search(around):
        yield from _divide(own, [*own, *near], quantity)
        yield from _divide(near, near, quantity)
    if _REMAINS.search(around):
        yield from (100.0 - q.value for q in near if q.unit == quantity.unit == "%")
        yield from (_find_rest(part, quantity) for part in nearest)
    if _EACH.search(" ".join([sentence, *nearest[:1]])):
        yield from _multiply(own, [*own, *(near if in_all else first)], quantity)
    if in_all:
        yield from _multiply_counts(near, quantity)
        yield from (_total(part, quantity) for part in nearest)


def _find_shares(quantity: Quantity, nearest: Sequence[str]) -> Iterator[float]:
    """Yield in per cent the ratios of two counts of the nearest sentence."""
    counts = _find_operands(nearest[0]) if nearest else []
    yield from _divide(counts, counts, quantity)
    yield from (100 * q.value for q in counts if not q.unit and q.value < 1)


def _find_rest(part: str, like: Quantity) -> float:
    """Return what the largest amount of a sentence leaves of the sum of the others."""
    amounts = [q.value for q in _find_operands(part) if q.unit == like.unit]
    return 2 * max(amounts, default=0.0) - sum(amounts)


def _make_rate(quantity: Quantity, behind: str) -> Quantity | None:
    """Return an amount "each hour" as one per hour; None if there is no period."""
    if match := _PER_PERIOD.match(behind):
        unit = f"{quantity.unit} per {match['period'].casefold()}"
        return replace(quantity, unit=unit) if quantity.unit else None
    return quantity if " per " in quantity.unit or "/" in quantity.unit else None


def _average(near: Sequence[Quantity], rate: Quantity) -> Iterator[float]:
    """Yield the ratios of two amounts in the unit of a rate."""
    for one in near:
        for other in near:
            if one.unit and other.unit and other.value and one is not other:
                period = re.sub(r"(?<=\w\w)s$", "", other.unit)
                ratio = replace(rate, unit=f"{one.unit} per {period}")
                if have_same_dimension(ratio, rate):
                    yield one.value / other.value * _get_scale(ratio, rate)


def _is_named(quantity: Quantity, nearest: Sequence[str]) -> bool:
    """Return whether a source has a factor as a word: "halved" for two."""
    words = _MULTIPLES.get(quantity.value, "")
    pattern = re.compile(rf"\b(?:{words})\b", re.I)
    return bool(words) and any(pattern.search(part) for part in nearest)


def _find_spans(quantity: Quantity, nearest: Sequence[str]) -> Iterator[float]:
    """Yield the time between times of day, or between dates, in the unit of a time."""
    text = "\n".join(nearest)
    if quantity.unit in _MINUTES:
        minutes = [
            60 * int(hour) + int(minute) for hour, minute in _CLOCK.findall(text)
        ]
        yield from (
            (other - one) % _DAY / _MINUTES[quantity.unit]
            for one in minutes
            for other in minutes
        )
    if quantity.unit in _DAYS:
        days = _find_days(text)
        yield from (
            (other - one) / _DAYS[quantity.unit]
            for one in days
            for other in days
            if other > one
        )
    if quantity.unit.startswith(("year", "month")):
        months = sorted({12 * d.year + d.month for d in find_dates(text) if d.year})
        months += [12 * int(year) for year in _YEAR.findall(text)]
        size = 12 if quantity.unit.startswith("year") else 1
        yield from (abs(b - a) / size for a, b in combinations(months, 2))


def _find_days(text: str) -> list[int]:
    """Return the whole dates of a text as day numbers; without a year, as of one."""
    found = [day for day in find_dates(text) if day.month and day.day]
    year = max((day.year for day in found), default=0) or 2000
    numbers = []
    for day in found:
        try:
            numbers.append(date(day.year or year, day.month, day.day).toordinal())
        except ValueError:
            continue  # no such day
    return numbers


def _combine(
    some: Sequence[Quantity],
    others: Sequence[Quantity],
    like: Quantity,
    *,
    adds: bool,
) -> Iterator[float]:
    """Yield differences of amounts of one kind and, if asked for, sums."""
    for one in some:
        for other in others:
            if one is other or not have_same_dimension(one, other):
                continue
            if have_same_dimension(one, like):
                mine, theirs = _get_scale(one, like), _get_scale(other, like)
                if adds:
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


def counts_listed(
    quantity: Quantity, sentence: str, source: str, nearest: Sequence[str]
) -> bool:
    """Return whether a small number counts what the source, or the sentence, lists."""
    is_small = 2 <= quantity.value <= _MAX_LISTED and quantity.value.is_integer()
    if quantity.unit or not is_small:
        return False
    sizes = {len(_ITEM.findall(source)), len(set(_ROW.findall(source))) - 1}
    sizes.add(len(_MARKER.findall(source)))
    for text in (*nearest, sentence):
        sizes |= {int(b) - int(a) + 1 for a, b in _RANGE.findall(text)}
        sizes |= {1 + match[0].count(",") for match in _NAMES.finditer(text)}
        for match in _LIST.finditer(text):
            joins = re.findall(r",\s(?!(?:and|or)\b)|\s(?:and|or)\s", match[0])
            sizes.add(1 + len(joins))
    around = sentence[max(0, quantity.start - 20) : quantity.start + 30]
    if _OTHERS.search(around):  # "the other two", of three
        sizes |= {size - 1 for size in sizes}
    return int(quantity.value) in sizes
