"""Parses numbers, units and dates, and checks that a source has those of a sentence.

Conversions are pint's (10 kt is 10,000 t); a number may be rounded, never sharpened.
Knows neither passages nor models.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from dunegpt.text.english import MONTH_ABBREVIATIONS, MONTHS, NUMBERS, ORDINALS, TENS
from dunegpt.text.patterns import compile_re
from dunegpt.text.units import UNIT_PATTERN, parse_unit

_UNITS = {word: number for word, number in NUMBERS.items() if number < 10}
_WORDS = {"zero": 0} | NUMBERS | TENS
_WORD_NUMBER = (
    rf"(?:twenty|{'|'.join(TENS)})[-\s](?:{'|'.join(_UNITS)})|{'|'.join(_WORDS)}"
    r"|(?<!half )a\sdozen"
)
_MULTIPLIERS = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0,
}  # fmt: skip
_PLAIN_DIGITS = str.maketrans(
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺\u2212\u2010\u2011\u2012\u2013", "0123456789-+-----"
)
_MINUS = "-\u2212\u2010\u2011\u2012\u2013"
_TIMES = "[\u00d7x·*\u22c5\u2219]"

_GROUP = r"[,'\u2019\u2009\u202f\u00a0]"
_UNIT_AHEAD = (
    r"\s?(?:[%‰°€]|[kMGTmcµ\u03bcunp]?(?:[VAWKmsgJNTBbLltΩ]|eV|Hz|Pa|bar|Bq|CHF)"
    r"(?![A-Za-z]))"
)
"""The common units, which tell 180 000 V and 98,5 % from lists of numbers."""
_WHOLE = (
    rf"(?:\d{{1,3}}(?:{_GROUP}\d{{3}})+"
    r"|[1-9]\d{0,2}(?: \d{3}){2,}(?![\d.]*\d)"
    rf"|[1-9]\d{{0,2}} \d{{3}}(?=(?:\.\d+)?{_UNIT_AHEAD})"
    r"|[1-9]\d{0,2}(?:\.\d{3}){2,}(?![.\d])"
    rf"|\d+,\d{{1,2}}(?={_UNIT_AHEAD})"
    r"|\d+)"
)
_EXPONENT = (
    rf"(?:\s?(?:\^|\*\*)\s?[({{]?\s?[{_MINUS}+]?\d+\s?[)}}]?|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
)
_SPREAD = r"\(\d{1,3}\)"
"""The uncertainty of the last digits, as in 2.3(1)."""
_NUMBER = (
    rf"{_WHOLE}(?:\.\d+)?(?!\d)(?:(?<=\.\d){_SPREAD}|(?<=\.\d\d){_SPREAD}"
    rf"|(?<=\.\d\d\d){_SPREAD})?"
    rf"(?:\s?{_TIMES}\s?10(?:{_EXPONENT}|\s?[{_MINUS}]\d+(?!\d))"
    rf"|[eE][{_MINUS}+]?\d+)?"
)
_POWER = rf"\d{{1,4}}{_EXPONENT}"
_QUANTITY = compile_re(
    rf"(?<![\w.])(?<![A-Za-z][-_])(?P<sign>[{_MINUS}+](?=\d)|minus\s+|negative\s+)?"
    rf"(?:(?P<power>{_POWER})|(?P<number>{_NUMBER})(?:(?:st|nd|rd|th)(?![A-Za-z]))?|\b(?P<word>(?i:{_WORD_NUMBER}))\b)"
    rf"(?:[\s-](?P<times>{'|'.join(_MULTIPLIERS)})s?\b)?"
    rf"(?:[\s\u00a0\u202f-]?(?P<unit>{UNIT_PATTERN})(?![\w/]))?",
)
_LONE_UNIT = compile_re(rf"(?<![\w.])(?<!\d\s)(?<!\d-)(?:{UNIT_PATTERN})(?!\w)")
_PLUS_MINUS = compile_re(r"±|\u2213|\+/?[-\u2212]|\+\s?[\d.]+\W{1,4}[\d.]+")
_SPREAD_BEHIND = compile_re(
    rf"\((?P<inner>[^()]{{3,60}})\)"
    rf"(?:\s?{_TIMES}\s?10(?P<power>{_EXPONENT}|[{_MINUS}]\d+))?"
    rf"(?:[\s\u00a0\u202f]?(?P<unit>{UNIT_PATTERN})(?![\w/]))?"
)
"""A value and its uncertainty in brackets, then their common power and unit."""
_ORDINAL = compile_re(r"\d+(?:st|nd|rd|th)", re.I)
_MONEY = compile_re(r"(?P<unit>[€$])\s?$")
_RANGE_JOIN = compile_re(
    r"\s?(?:[-\u2013\u2014±\u00d7x,/]|\+/?[-\u2212]|to|and|or|by|through|until)\s?",
    re.I,
)
_HEDGE = compile_re(
    r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa|ca\.?|~|≈"
    r"|over|above|more than|at least|less than|below|under|up to|at most|of order)\s*$",
    re.I,
)
_MONTH = rf"(?P<{{0}}>{'|'.join(MONTH_ABBREVIATIONS)})[a-z]*\.?"
_DATES = [
    compile_re(pattern, re.I)
    for pattern in (
        r"(?<![\w-])(?P<y>(?:19|20)\d\d)-(?P<m>\d\d)(?:-(?P<d>\d\d))?(?![\w-]|\.\d)",
        r"(?<!\w)(?P<d>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?"
        + _MONTH.format("m")
        + r"(?:,?\s+(?P<y>(?:19|20)\d\d))?(?!\w)",
        r"(?<!\w)" + _MONTH.format("m") + r"\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?(?!\w)"
        r"(?:,?\s+(?P<y>(?:19|20)\d\d))?(?!\w)",
        r"(?<!\w)" + _MONTH.format("m") + r",?\s+(?P<y>(?:19|20)\d\d)(?!\w)",
        r"(?<![\w.])(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>(?:19|20)\d\d)(?![\w.])",
    )
]
_TIME = compile_re(r"(?<![\w:.])(?P<h>[01]?\d|2[0-3]):(?P<min>[0-5]\d)(?::\d\d)?(?!\w)")
_COUNTED = compile_re(
    r"\s(?:(?!(?:is|as|was|has|does|its|this|in|at)\b)[a-z-]+\s){0,2}?"
    r"(?!(?:is|as|was|has|does|its|this)\b)[a-z-]*[a-rt-z]s\b"
)
_NAMES_YEAR = compile_re(r"\b(?:in|since|of|the|year|by|until|from|to)\s$", re.I)
_LIST_MARK = compile_re(r"(?:^|\n)\s*\d{1,2}[.)](?=\s|$)")
_DEGREE = compile_re(
    r"\s?(?:\$\s?)?\^\s?[({]?\s?(?:\u2218|\\circ|o)\s?[)}]?\$?|[\u02da\u00ba]"
)
"""The degree sign as TeX and converters write it: 45^(∘), 45$^{\\circ}$."""
_MAX_RELATIVE_ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text.

    Attributes:
        text: As it stands there.
        value: With its sign.
        step: What one in its last digit is.
        digits: How many significant digits it has.
        unit: As it stands there, or that of the end of its range; may be empty.
        is_rough: Whether it is said to be about so much.
        start: Where it begins in the text.
    """

    text: str
    value: float
    step: float
    digits: int
    unit: str = ""
    is_rough: bool = False
    start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class DateMention:
    """A date in a text; what it leaves out is 0."""

    text: str
    year: int
    month: int
    day: int


def find_missing(sentence: str, source: str) -> list[str]:
    """Return the numbers, with their units, and the dates that a source has not."""
    numbers = [quantity.text for quantity in find_unbacked(sentence, source)]
    return find_missing_dates(sentence, source) + numbers


def find_missing_dates(sentence: str, source: str) -> list[str]:
    """Return the dates and times of day that a source has not."""
    _, days, times = _parse(sentence)
    _, their_days, their_times = _parse(source)
    gone = [
        day.text for day in days if not any(_is_same_day(day, d) for d in their_days)
    ]
    return gone + [time for time in times if time not in their_times]


def find_unbacked(sentence: str, source: str) -> list[Quantity]:
    """Return the numbers of a sentence that a source has not.

    A number that has a unit in both must be the same amount, in whatever unit. Where
    the source has it bare, as in a table, the unit must stand by itself in the source.
    A year may stand there in a date, unless it counts things in the sentence.
    """
    wanted, _, _ = _parse(sentence)
    have, their_days, _ = _parse(source)
    years = {day.year for day in their_days}
    gone = []
    for quantity in wanted:
        if quantity.text.casefold() == "one":
            continue
        if _ORDINAL.fullmatch(quantity.text):
            gone += [] if _has_ordinal(quantity, source) else [quantity]
        elif not any(backs(quantity, other, source) for other in have):
            is_year = quantity.value in years and not counts_things(quantity, sentence)
            gone += [] if is_year else [quantity]
    return gone


def counts_things(quantity: Quantity, text: str) -> bool:
    """Return whether a number of a text says how many: "2024 events", "9 times"."""
    following = text[quantity.start + len(quantity.text) :]
    before = text[: quantity.start]
    return bool(_COUNTED.match(following)) and not _NAMES_YEAR.search(before)


def _has_ordinal(quantity: Quantity, source: str) -> bool:
    """Return whether a source has an ordinal, in digits or in letters."""
    written = dict(enumerate(ORDINALS, start=1)).get(int(quantity.value), "")
    spellings = "|".join(filter(None, (re.escape(quantity.text), written)))
    return re.search(rf"(?<!\w)(?:{spellings})(?!\w)", source, re.I) is not None


def find_quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text; those of dates and times are none."""
    return _parse(text)[0]


def find_dates(text: str) -> list[DateMention]:
    """Return the dates of a text."""
    return _parse(text)[1]


def get_dimension(quantity: Quantity) -> str:
    """Return what kind of amount a number is; its unit if that is none of pint's."""
    found = parse_unit(quantity.unit) if quantity.unit else None
    return found[0] if found else quantity.unit


def have_same_dimension(one: Quantity, other: Quantity) -> bool:
    """Return whether two amounts are of one kind; equal units are not looked up."""
    return one.unit == other.unit or get_dimension(one) == get_dimension(other)


def agree(one: Quantity, other: Quantity) -> bool:
    """Return whether two numbers may be the same amount, either one rounded."""
    return backs(one, other, "") or backs(other, one, "")


def _parse(text: str) -> tuple[list[Quantity], list[DateMention], list[str]]:
    """Return the numbers, dates and times of a text; marks of a list are none."""
    text = _LIST_MARK.sub(lambda mark: " " * len(mark[0]), text)
    text = _DEGREE.sub(lambda mark: "°".ljust(len(mark[0])), text)
    days: list[DateMention] = []
    times: list[str] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if day := _parse_day(match):
                days.append(day)
                text = _blank_out(text, match)
    for match in _TIME.finditer(text):
        times.append(f"{int(match['h'])}:{match['min']}")
        text = _blank_out(text, match)
    numbers = _share_powers(text, list(_find_numbers(text)))
    return _share_range_units(text, numbers), days, times


def _blank_out(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + "·" * len(match[0]) + text[match.end() :]


def _parse_day(match: re.Match[str]) -> DateMention | None:
    found = match.groupdict()
    month = found.get("m") or ""
    number = int(month) if month.isdigit() else MONTHS[month[:3].lower()]
    day, year = int(found.get("d") or 0), int(found.get("y") or 0)
    if not 1 <= number <= 12 or day > 31 or not (day or year):
        return None
    return DateMention(match[0], year, number, day)


def _is_same_day(asked: DateMention, day: DateMention) -> bool:
    """Return whether a date says all that is asked, and the same."""
    pairs = ((asked.year, day.year), (asked.month, day.month), (asked.day, day.day))
    return all(not one or one == other for one, other in pairs)


def _find_numbers(text: str) -> Iterator[tuple[re.Match[str], Quantity]]:
    for match in _QUANTITY.finditer(text):
        sign = -1 if match["sign"] and match["sign"][0] in f"{_MINUS}mn" else 1
        before = text[max(0, match.start() - 16) : match.start()]
        if sign < 0 and re.search(r"\d[\w%°]*\s?$", before):
            sign = 1  # the end of a range
        value, step, digits = _parse_value(match)
        unit = match["unit"] or ""
        if unit == "s" and re.fullmatch(r"(?:1[5-9]|20)\d0s", match[0]):
            unit = ""  # a decade
        if not unit and (money := _MONEY.search(before)):
            unit = money["unit"]
        yield (
            match,
            Quantity(
                match[0].strip(),
                sign * value,
                step,
                digits,
                unit,
                is_rough=bool(_HEDGE.search(before)),
                start=match.start(),
            ),
        )


def _parse_value(match: re.Match[str]) -> tuple[float, float, int]:
    """Return value, last step and number of significant digits."""
    times = _MULTIPLIERS.get((match["times"] or "").lower(), 1.0)
    if match["word"]:
        parts = re.split(r"[-\s]", match["word"].lower())
        value = float(sum(_WORDS.get(part, 0) for part in parts))
        value += 12 * (parts[-1] == "dozen")
        return value * times, times, len(str(int(value)))
    if match["power"]:
        base = re.match(r"\d+", match["power"])
        assert base is not None
        value = _raise(int(base[0]), match["power"][base.end() :]) * times
        return value, value if base[0] == "10" else times, 1
    number = _remove_separators(match["number"])
    plain = re.match(r"\d+(?:\.(\d+))?", number)
    assert plain is not None
    power = re.search(rf"(?:{_TIMES}\s?10|[eE])(?P<exponent>.*)", number[plain.end() :])
    factor = times * (_raise(10, power["exponent"]) if power else 1.0)
    decimals = len(plain[1] or "")
    digits = len(plain[0].replace(".", "").lstrip("0")) or 1
    return float(plain[0]) * factor, 10.0**-decimals * factor, digits


def _remove_separators(number: str) -> str:
    """Return a number without signs between thousands, with a decimal point."""
    if re.match(r"\d+,\d{1,2}(?!\d)", number):
        return number.replace(",", ".", 1)
    if re.match(r"\d{1,3}(?:\.\d{3}){2,}(?![.\d])", number):
        number = number.replace(".", "")
    return re.sub(rf"(?:{_GROUP}| )(?=\d{{3}})", "", number)


def _raise(base: int, exponent: str) -> float:
    """Return a power, at most what a number here can be.

    Args:
        base: Of the power.
        exponent: Behind the base, with its signs: ``⁻⁹``, ``^{-9}``, ``**9``.
    """
    digits = re.search(r"[-+]?\d+", exponent.translate(_PLAIN_DIGITS))
    assert digits is not None
    power = int(digits[0])
    limit = int(300 / math.log10(base)) if base > 1 else 300
    return float(max(base, 0.0)) ** max(-limit, min(limit, power)) if base else 0.0


def _share_powers(
    text: str, found: list[tuple[re.Match[str], Quantity]]
) -> list[tuple[re.Match[str], Quantity]]:
    """Return numbers with what stands behind their brackets: (2.3 ± 0.1) kV."""
    has_spread = _PLUS_MINUS.search(text)
    brackets = [
        match
        for match in (_SPREAD_BEHIND.finditer(text) if has_spread else ())
        if _PLUS_MINUS.search(match[0])
    ]
    if not brackets:
        return found
    starts = [bracket.start() for bracket in brackets]
    made = []
    for match, quantity in found:
        place = bisect_right(starts, match.start()) - 1
        around = brackets[place] if place >= 0 else None
        if around is None or match.end() > around.end():
            made.append((match, quantity))
        elif match.start() < around.end("inner"):
            power = around["power"]
            factor = _raise(10, power) if power else 1.0
            made.append(
                (
                    match,
                    replace(
                        quantity,
                        value=quantity.value * factor,
                        step=quantity.step * factor,
                        unit=quantity.unit or around["unit"] or "",
                    ),
                )
            )
    return made


def _share_range_units(
    text: str, found: list[tuple[re.Match[str], Quantity]]
) -> list[Quantity]:
    """Return numbers, each with its unit: in "5 ± 1 kV" and "2 x 3 m" the last one."""
    made = [quantity for _, quantity in found]
    for place in range(len(found) - 2, -1, -1):
        match, following = found[place][0], found[place + 1][0]
        between = text[match.end() : following.start()]
        if (
            made[place + 1].unit
            and not made[place].unit
            and _RANGE_JOIN.fullmatch(between)
        ):
            made[place] = replace(made[place], unit=made[place + 1].unit)
    return made


def backs(asked: Quantity, have: Quantity, source: str) -> bool:
    """Return whether a number in the source is the one of the sentence."""
    if not asked.unit:
        return _is_near(asked, have, 1.0, 1.0)
    if have.unit == asked.unit:
        return _is_near(asked, have, 1.0, 1.0)
    if have.unit:
        one, other = parse_unit(asked.unit), parse_unit(have.unit)
        if one and other and one[0] == other[0]:
            if one[0] == "[temperature]":
                return _is_near_temperature(asked, have)
            return _is_near(asked, have, one[1], other[1])
        return False
    return _is_near(asked, have, 1.0, 1.0) and _has_unit(asked.unit, source)


def _has_unit(unit: str, source: str) -> bool:
    """Return whether a source has a unit by itself, as the head of a table does."""
    wanted = parse_unit(unit)
    return any(
        own == unit or (wanted is not None and parse_unit(own) == wanted)
        for own in _find_lone_units(source)
    )


@lru_cache(maxsize=256)
def _find_lone_units(source: str) -> frozenset[str]:
    return frozenset(match[0] for match in _LONE_UNIT.finditer(source))


def _is_near(asked: Quantity, have: Quantity, mine: float, theirs: float) -> bool:
    """Return whether two numbers are the same, the first one rounded at most.

    Args:
        asked: In the sentence.
        have: In the source.
        mine: What the unit of the first is in base units.
        theirs: What that of the second is.
    """
    a, b = asked.value * mine, have.value * theirs
    if math.isclose(a, b, rel_tol=1e-9):
        return True
    is_converted = asked.unit != have.unit
    if asked.digits > have.digits + is_converted or a == 0 or b == 0:
        return False
    step = asked.step
    if asked.is_rough:
        step = max(step, 10.0 ** _count_trailing_zeros(asked))
    return abs(a - b) <= min(
        0.5 * step * mine * (1 + 1e-9), _MAX_RELATIVE_ERROR * abs(b)
    )


def _count_trailing_zeros(quantity: Quantity) -> int:
    """Return how many zeros a whole number ends with."""
    number = round(abs(quantity.value))
    zeros = 0
    while number and number % 10 == 0:
        number, zeros = number // 10, zeros + 1
    return zeros


def _is_near_temperature(asked: Quantity, have: Quantity) -> bool:
    """Return whether two temperatures are one, on scales with other zeros."""
    mine, theirs = _to_kelvins(asked), _to_kelvins(have)
    return _is_near(
        replace(asked, value=mine / _get_unit_size(asked)),
        replace(have, value=theirs / _get_unit_size(have)),
        _get_unit_size(asked),
        _get_unit_size(have),
    )


def _to_kelvins(quantity: Quantity) -> float:
    value = quantity.value
    if quantity.unit.startswith("°C"):
        return value + 273.15
    return (value + 459.67) * 5 / 9 if quantity.unit.startswith("°F") else value


def _get_unit_size(quantity: Quantity) -> float:
    found = parse_unit(quantity.unit)
    assert found is not None
    return found[1]
