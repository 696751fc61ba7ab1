"""Numbers, units and dates in texts, and whether a source has those of a sentence.

Conversions are pint's (10 kt is 10,000 t); a number may be rounded, never sharpened.
Knows neither passages nor models.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dunegpt.serve.units import UNIT, measure

_WORDS = dict(
    zip(
        "one two three four five six seven eight nine ten eleven twelve thirteen"
        " fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(),
        range(1, 21),
        strict=True,
    )
) | {
    word: 10 * n
    for n, word in enumerate(
        "thirty forty fifty sixty seventy eighty ninety".split(), start=3
    )
}
_TIMES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0,
}  # fmt: skip
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")

_NUMBER = (
    r"(?:\d{1,3}(?:[,'\u2009\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?(?!\d)"
    r"(?:\s?[\u00d7x·*]\s?10\s?(?:(?:\^|\*\*)?\s?\(?[-+\u2212]?\d+\)?|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)"
    r"|[eE][-+]?\d+)?"
)
_POWER = r"10(?:\s?(?:\^|\*\*)\s?\(?[-+\u2212]?\d+\)?|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)"
_QUANTITY = re.compile(
    rf"(?<![\w.])(?<![A-Za-z][-_])(?P<sign>[-+\u2212](?=\d)|minus\s+|negative\s+)?"
    rf"(?:(?P<power>{_POWER})|(?P<number>{_NUMBER})(?:(?:st|nd|rd|th)(?![A-Za-z]))?|\b(?P<word>{'|'.join(_WORDS)})\b)"
    rf"(?:[\s-](?P<times>{'|'.join(_TIMES)})s?\b)?"
    rf"(?:[\s\u00a0\u202f-]?(?P<unit>{UNIT})(?![\w/]))?",
)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)", re.I)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_MONEY = re.compile(r"(?P<unit>[€$])\s?$")
_CHAIN = re.compile(
    r"\s?(?:[-\u2013\u2014±\u00d7x,/]|\+/-|to|and|or|by|through|until)\s?", re.I
)
_HEDGE = re.compile(
    r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa|ca\.?|~|≈"
    r"|over|above|more than|at least|less than|below|under|up to|at most|of order)\s*$",
    re.I,
)
_MONTH = r"(?P<{0}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = [
    re.compile(pattern, re.I)
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
_TIME = re.compile(r"(?<![\w:.])(?P<h>[01]?\d|2[0-3]):(?P<min>[0-5]\d)(?::\d\d)?(?!\w)")
_LIST_MARK = re.compile(r"(?:^|\n)\s*\d{1,2}[.)](?=\s|$)")
_NEAR = 0.05


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
    """

    text: str
    value: float
    step: float
    digits: int
    unit: str = ""
    is_rough: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A date in a text; what it leaves out is 0."""

    text: str
    year: int
    month: int
    day: int


def missing(sentence: str, source: str) -> list[str]:
    """Return the numbers, with their units, and the dates that a source has not.

    A number that has a unit in both must be the same amount, in whatever unit. Where
    the source has it bare, as in a table, the unit must stand by itself in the source.
    """
    wanted, days, times = _read(sentence)
    have, their_days, their_times = _read(source)
    years = {day.year for day in their_days}
    gone = [day.text for day in days if not any(_same_day(day, d) for d in their_days)]
    gone += [time for time in times if time not in their_times]
    for quantity in wanted:
        if quantity.text.casefold() == "one":
            continue
        if _ORDINAL.fullmatch(quantity.text):
            gone += [] if _has_ordinal(quantity, source) else [quantity.text]
            continue
        is_year = not quantity.unit and quantity.value in years
        if not (is_year or any(backs(quantity, q, source) for q in have)):
            gone.append(quantity.text)
    return gone


def _has_ordinal(quantity: Quantity, source: str) -> bool:
    """Return whether a source has an ordinal, in digits or in letters."""
    written = dict(enumerate(_ORDINALS, start=1)).get(int(quantity.value), "")
    spellings = "|".join(filter(None, (re.escape(quantity.text), written)))
    return re.search(rf"(?<!\w)(?:{spellings})(?!\w)", source, re.I) is not None


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text; those of dates and times are none."""
    return _read(text)[0]


def dates(text: str) -> list[Day]:
    """Return the dates of a text."""
    return _read(text)[1]


def dimension(quantity: Quantity) -> str:
    """Return what kind of amount a number is; its unit if that is none of pint's."""
    found = measure(quantity.unit) if quantity.unit else None
    return found[0] if found else quantity.unit


def agree(one: Quantity, other: Quantity) -> bool:
    """Return whether two numbers may be the same amount, either one rounded."""
    return backs(one, other, "") or backs(other, one, "")


def _read(text: str) -> tuple[list[Quantity], list[Day], list[str]]:
    """Return the numbers, dates and times of a text; marks of a list are none."""
    text = _LIST_MARK.sub(" ", text)
    days: list[Day] = []
    times: list[str] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if day := _day(match):
                days.append(day)
                text = _blanked(text, match)
    for match in _TIME.finditer(text):
        times.append(f"{int(match['h'])}:{match['min']}")
        text = _blanked(text, match)
    return _with_units_of_ranges(text, list(_each(text))), days, times


def _blanked(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + "·" * len(match[0]) + text[match.end() :]


def _day(match: re.Match[str]) -> Day | None:
    found = match.groupdict()
    month = found.get("m") or ""
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
    day, year = int(found.get("d") or 0), int(found.get("y") or 0)
    if not 1 <= number <= 12 or day > 31 or not (day or year):
        return None
    return Day(match[0], year, number, day)


def _same_day(asked: Day, day: Day) -> bool:
    """Return whether a date says all that is asked, and the same."""
    pairs = ((asked.year, day.year), (asked.month, day.month), (asked.day, day.day))
    return all(not one or one == other for one, other in pairs)


def _each(text: str) -> Iterator[tuple[re.Match[str], Quantity]]:
    for match in _QUANTITY.finditer(text):
        sign = -1 if match["sign"] and match["sign"][0] in "-\u2212mn" else 1
        before = text[max(0, match.start() - 16) : match.start()]
        if sign < 0 and re.search(r"\d[\w%°]*\s?$", before):
            sign = 1  # the end of a range
        value, step, digits = _value(match)
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
            ),
        )


def _value(match: re.Match[str]) -> tuple[float, float, int]:
    """Return value, last step and number of significant digits."""
    times = _TIMES.get((match["times"] or "").lower(), 1.0)
    if match["word"]:
        value = float(_WORDS[match["word"].lower()])
        return value * times, times, len(str(int(value)))
    if match["power"]:
        plain_power = match["power"].translate(_SUPERSCRIPT).replace("\u2212", "-")
        exponent = re.search(r"[-+]?\d+(?=\)?$)", plain_power[2:])
        assert exponent is not None
        value = _ten_to(int(exponent[0])) * times
        return value, value, 1
    number = re.sub(r"[,'\u2009\u202f\u00a0](?=\d{3})", "", match["number"])
    number = number.translate(_SUPERSCRIPT).replace("\u2212", "-")
    plain = re.match(r"\d+(?:\.(\d+))?", number)
    assert plain is not None
    rest = number[plain.end() :]
    power = re.search(r"[-+]?\d+(?=\)?$)", re.sub(r"^\s?[\u00d7x·*]\s?10", "", rest))
    factor = times * (_ten_to(int(power[0])) if power else 1.0)
    decimals = len(plain[1] or "")
    digits = len(plain[0].replace(".", "").lstrip("0")) or 1
    return float(plain[0]) * factor, 10.0**-decimals * factor, digits


def _ten_to(power: int) -> float:
    """Return a power of ten, at most what a number here can be."""
    return 10.0 ** max(-300, min(300, power))


def _with_units_of_ranges(
    text: str, found: list[tuple[re.Match[str], Quantity]]
) -> list[Quantity]:
    """Return numbers, each with its unit: in "5 ± 1 kV" and "2 x 3 m" the last one."""
    made = [quantity for _, quantity in found]
    for place in range(len(found) - 2, -1, -1):
        match, following = found[place][0], found[place + 1][0]
        between = text[match.end() : following.start()]
        if made[place + 1].unit and not made[place].unit and _CHAIN.fullmatch(between):
            made[place] = replace(made[place], unit=made[place + 1].unit)
    return made


def backs(asked: Quantity, have: Quantity, source: str) -> bool:
    """Return whether a number in the source is the one of the sentence."""
    if not asked.unit:
        return _near(asked, have, 1.0, 1.0)
    if have.unit:
        one, other = measure(asked.unit), measure(have.unit)
        if one and other and one[0] == other[0]:
            if one[0] == "[temperature]" and asked.unit != have.unit:
                return _near_on_scales(asked, have)
            return _near(asked, have, one[1], other[1])
        return asked.unit == have.unit and _near(asked, have, 1.0, 1.0)
    return _near(asked, have, 1.0, 1.0) and _is_named(asked.unit, source)


def _is_named(unit: str, source: str) -> bool:
    """Return whether a source has a unit by itself, as the head of a table does."""
    alone = rf"(?<![\w.])(?<!\d\s)(?<!\d-){re.escape(unit)}(?!\w)"
    return re.search(alone, source) is not None


def _near(asked: Quantity, have: Quantity, mine: float, theirs: float) -> bool:
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
    is_converted = not math.isclose(mine, theirs)
    if asked.digits > have.digits + is_converted or a == 0 or b == 0:
        return False
    step = asked.step
    if asked.is_rough:
        step = max(step, 10.0 ** _trailing_zeros(asked))
    return abs(a - b) <= min(0.5 * step * mine * (1 + 1e-9), _NEAR * abs(b))


def _trailing_zeros(quantity: Quantity) -> int:
    """Return how many zeros a whole number ends with."""
    number = round(abs(quantity.value))
    zeros = 0
    while number and number % 10 == 0:
        number, zeros = number // 10, zeros + 1
    return zeros


def _near_on_scales(asked: Quantity, have: Quantity) -> bool:
    """Return whether two temperatures are one, on scales with other zeros."""
    mine, theirs = _kelvins(asked), _kelvins(have)
    return _near(
        replace(asked, value=mine / _measured(asked)),
        replace(have, value=theirs / _measured(have)),
        _measured(asked),
        _measured(have),
    )


def _kelvins(quantity: Quantity) -> float:
    value = quantity.value
    if quantity.unit.startswith("°C"):
        return value + 273.15
    return (value + 459.67) * 5 / 9 if quantity.unit.startswith("°F") else value


def _measured(quantity: Quantity) -> float:
    found = measure(quantity.unit)
    assert found is not None
    return found[1]
