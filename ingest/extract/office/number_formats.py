"""Numbers of spreadsheet cells as they are displayed: ``98.5%``, ``00042``, ``36:00``.

Two things differ from the display, so that no value changes for a reader: a negative
number always has its minus, and a date of day, month and year in digits is in ISO form;
a year always has four digits.
Source: ECMA-376 part 1, 18.8.30 (numFmts).
"""

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache

BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%",
    11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy",
    16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00",
    40: "#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys([*range(27, 37), *range(50, 59)], "yyyy-mm-dd"),
}  # fmt: skip
"""The formats that files name by number only."""

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|(?P<ampm>AM/PM|A/P)|(?P<exponent>E[+-]0+)"
    r"|(?P<digits>[0#?.,]+)|(?P<date>y+|m+|d+|h+|s+)|(?P<percent>%)|(?P<slash>/)"
    r"|(?P<literal>.)",
    re.I | re.S,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?\d+(?:\.\d+)?)")
_MONTHS = (
    "January February March April May June July August September October November"
    " December"
).split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_EPOCH = dt.datetime(1899, 12, 30)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_MAX_DAYS = 2_958_465
_DAY_S = 86_400
_EXACT = Context(prec=400)
_STEPS = [Decimal(1).scaleb(-decimals) for decimals in range(31)]


@dataclass(frozen=True, slots=True)
class _DigitsPlan:
    """How the digits of a number are filled.

    Attributes:
        whole: Pattern before the point, ``#,##0``.
        decimals: Pattern behind it.
        factor: What the number is multiplied by: 100 for percent.
        exponent: ``E+00``; empty if there is none.
    """

    whole: str
    decimals: str
    factor: Decimal
    exponent: str


@dataclass(frozen=True)
class _Section:
    """One of the up to four parts of a format.

    Attributes:
        tokens: Kind and text of each.
        condition: Operator and number, if it has one.
    """

    tokens: tuple[tuple[str, str], ...]
    condition: tuple[str, float] | None = None

    def has(self, *kinds: str) -> bool:
        return not self.kinds.isdisjoint(kinds)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of its tokens."""
        return frozenset(kind for kind, _ in self.tokens)

    @cached_property
    def is_date(self) -> bool:
        """Whether it shows a date or a time; letters by digits are units."""
        has_digits = any(k == "digits" and t[0] != "." for k, t in self.tokens)
        return self.has("elapsed") or (self.has("date") and not has_digits)

    @cached_property
    def digits_plan(self) -> _DigitsPlan:
        """How its digits are filled."""
        whole, _, decimals = "".join(self.patterns).partition(".")
        scale = len(whole) - len(whole.rstrip(",")) if not decimals else 0
        scale += len(decimals) - len(decimals.rstrip(","))
        percents = sum(kind == "percent" for kind, _ in self.tokens)
        exponents = (text for kind, text in self.tokens if kind == "exponent")
        factor = Decimal(10) ** (2 * percents - 3 * scale)
        decimals = decimals.replace(",", "")
        return _DigitsPlan(whole, decimals, factor, next(exponents, ""))

    @cached_property
    def patterns(self) -> list[str]:
        """The patterns of its digits, cut by other tokens."""
        return [text for kind, text in self.tokens if kind == "digits"]


def format_number(value: float, code: str, *, is_1904: bool = False) -> str:
    """Return a number as a cell with this format displays it.

    Args:
        value: As stored; dates are days.
        code: The format, such as ``#,##0.00" V"``.
        is_1904: Whether days count from 1904.

    >>> format_number(0.985, "0.0%"), format_number(1.5, "[h]:mm")
    ('98.5%', '36:00')
    """
    if not math.isfinite(value):
        return str(value)
    sections = _parse(code)
    section, shows_sign = _choose(sections, value)
    if section is None or not section.tokens or section.has("general"):
        return _with_literals(section, format_general(value))
    if section.is_date:
        return _format_date(value, section, is_1904=is_1904)
    if not section.has("digits"):
        return format_general(value)
    text = _format_digits(abs(value), section)
    if not re.search(r"\w", text):
        return format_general(value)
    if value < 0 and re.search(r"[1-9]", text):
        text = text.strip()
        if "(" in text and text.endswith(")"):
            text = text[:-1].replace("(", "", 1).strip()
        is_signed = shows_sign and text.lstrip()[:1] in {"-", "\u2212"}
        text = text if is_signed else f"-{text}"
    return text.strip()


def format_general(value: float) -> str:
    """Return a number without a format, without binary rounding noise."""
    if value.is_integer() and abs(value) < 1e15:
        return repr(int(value))
    return repr(float(f"{value:.15g}"))


def is_date_format(code: str) -> bool:
    """Return whether a format shows a date or a time."""
    return _parse(code)[0].is_date


@lru_cache(maxsize=2000)
def _parse(code: str) -> tuple[_Section, ...]:
    sections = list[_Section]()
    tokens = list[tuple[str, str]]()
    condition: tuple[str, float] | None = None
    for match in _TOKEN.finditer(code):
        kind, text = match.lastgroup or "", match[match.lastgroup or 0]
        if kind == "literal" and text == ";":
            sections.append(_Section(tuple(tokens), condition))
            tokens, condition = [], None
        elif kind == "bracket":
            if found := _CONDITION.fullmatch(text):
                condition = found[1], float(found[2])
            elif re.fullmatch(r"h+|m+|s+", text, re.I):
                tokens.append(("elapsed", text.lower()))
            elif text.startswith("$"):
                tokens.append(("text", text[1:].partition("-")[0]))
        elif kind in {"quoted", "escaped", "literal"} or not text.strip(".,"):
            tokens.append(("text", text))
        elif kind:
            tokens.append((kind, text))
    sections.append(_Section(tuple(tokens), condition))
    return tuple(sections)


def _choose(
    sections: tuple[_Section, ...], value: float
) -> tuple[_Section | None, bool]:
    """Return the section for a value, and whether it shows the sign by itself."""
    if len(sections) == 1 and not sections[0].condition:
        return sections[0], False
    if any(section.condition for section in sections):
        for section in sections:
            if section.condition is None or _holds(section.condition, value):
                return section, False
        return None, False
    if value < 0 and len(sections) > 1:
        return sections[1], True
    if value == 0 and len(sections) > 2:
        return sections[2], False
    return sections[0], False


def _holds(condition: tuple[str, float], value: float) -> bool:
    sign, limit = condition
    return {
        "<": value < limit,
        "<=": value <= limit,
        ">": value > limit,
        ">=": value >= limit,
        "=": value == limit,
        "<>": value != limit,
    }[sign]


def _with_literals(section: _Section | None, number: str) -> str:
    """Return a general number with the texts around it: ``General" V"``."""
    if section is None or not section.has("general"):
        return number
    shown = {"general": number, "percent": "%"}
    return "".join(shown.get(kind, text) for kind, text in section.tokens).strip()


# ── numbers ───────────────────────────────────────────────────────────────────────


def _format_digits(value: float, section: _Section) -> str:
    """Return a number that is not negative, with the texts around it."""
    tokens = section.tokens
    if section.has("slash"):
        return _format_fraction(value, list(tokens))
    plan = section.digits_plan
    number = Decimal(repr(value)) * plan.factor
    if plan.exponent:
        shown = _format_scientific(number, plan.whole, plan.decimals, plan.exponent)
    else:
        shown = _fill(number, plan.whole, plan.decimals)
    groups = _split_groups(shown, section.patterns)
    parts = list[str]()
    for kind, text in tokens:
        if kind == "digits":
            parts.append(groups.pop(0))
        elif kind != "exponent":
            parts.append(text)
    return "".join(parts)


def _split_groups(shown: str, patterns: list[str]) -> list[str]:
    """Return the digits for each part of a pattern that texts cut: ``000-00-0000``."""
    if len(patterns) == 1:
        return [shown]
    groups = list[str]()
    for pattern in reversed(patterns[1:]):
        if "." in "".join(patterns) or "," in pattern:
            groups.insert(0, "")
            continue
        size = len(pattern)
        groups.insert(0, shown[-size:])
        shown = shown[:-size]
    return [shown, *groups]


def _fill(number: Decimal, whole: str, decimals: str) -> str:
    """Return a number with the digits that a pattern asks for."""
    rounded = _round(number, len(decimals))
    before, _, after = f"{rounded:f}".partition(".")
    digits = whole.strip(",")
    before = before.lstrip("0").rjust(digits.count("0"), "0")
    if "," in digits:
        before = _group(before)
    optional = len(decimals) - len(decimals.rstrip("#?"))
    kept = len(decimals) - optional
    after = after[:kept] + after[kept:].rstrip("0")
    if after or "0" in digits:
        return f"{before or '0'}.{after}" if after else before or "0"
    return before


def _round(number: Decimal, decimals: int) -> Decimal:
    return number.quantize(_STEPS[min(decimals, 30)], ROUND_HALF_UP, _EXACT)


def _group(digits: str) -> str:
    """Return digits with commas between thousands, leading zeros included."""
    start = len(digits) % 3
    parts = [
        digits[:start],
        *(digits[at : at + 3] for at in range(start, len(digits), 3)),
    ]
    return ",".join(filter(None, parts))


def _format_scientific(
    number: Decimal, whole: str, decimals: str, exponent: str
) -> str:
    step = max(len(whole.replace(",", "")), 1)
    power = number.adjusted() // step * step if number else 0
    mantissa = number.scaleb(-power)
    limit = 10**step
    if _round(mantissa, len(decimals)) >= limit:
        power += step
        mantissa = number.scaleb(-power)
    width = exponent.count("0")
    sign = "-" if power < 0 else "+" * (exponent[1] == "+")
    return f"{_fill(mantissa, '0', decimals)}E{sign}{abs(power):0{width}d}"


def _format_fraction(value: float, tokens: list[tuple[str, str]]) -> str:
    """Return a number as a fraction: ``2 1/2``."""
    slash = next(at for at, (kind, _) in enumerate(tokens) if kind == "slash")
    fixed = "".join(text for _, text in tokens[slash + 1 :]).strip()
    if fixed.isdigit():
        size = int(fixed) or 1
        part = Fraction(round(value * size), size)
        above, below = round(value * size), size
    else:
        part = Fraction(value).limit_denominator(10 ** max(fixed.count("?"), 1) - 1)
        above, below = part.numerator, part.denominator
    ending = "".join(t for kind, t in tokens if kind == "text" and not t.isdigit())
    ending = ending.rstrip() if ending.strip() else ""
    if sum(kind == "digits" for kind, _ in tokens[:slash]) < 2:
        return f"{above}/{below}{ending}"
    units, above = divmod(above, below)
    shown = [str(units)] if units or not above else []
    return " ".join([*shown, *([f"{above}/{below}"] if above else [])]) + ending


# ── dates ─────────────────────────────────────────────────────────────────────────


def _format_date(value: float, section: _Section, *, is_1904: bool) -> str:
    """Return a date or a time; the number itself if it is none."""
    kinds = {text[0].lower() for kind, text in section.tokens if kind == "date"}
    if section.has("elapsed"):
        return _format_elapsed(value, section)
    if not 0 <= value <= _MAX_DAYS:
        return format_general(value)
    tokens = _name_minutes(section.tokens)
    seconds = round(value * _DAY_S * 1000) / 1000
    if not any(text.startswith("0") for kind, text in tokens if kind == "fraction"):
        seconds = float(round(seconds)) if "s" in kinds else seconds + 1e-6
    epoch = _EPOCH_1904 if is_1904 else _EPOCH
    days = value < 60 and not is_1904  # the calendar has a 29 February 1900
    try:
        moment = epoch + dt.timedelta(days=int(days), seconds=seconds)
    except OverflowError:
        return format_general(value)
    if {"y", "d"} <= kinds and _is_numeric_date(tokens):
        return _format_iso(moment, tokens)
    has_ampm = section.has("ampm")
    return "".join(
        _date_part(kind, text, moment, has_ampm) for kind, text in tokens
    ).strip()


def _name_minutes(
    tokens: tuple[tuple[str, str], ...],
) -> list[tuple[str, str]]:
    """Return tokens with minutes told from months, and fractions of seconds."""
    made = list[tuple[str, str]]()
    last = ""
    for at, (kind, text) in enumerate(tokens):
        following = next(
            (t for k, t in tokens[at + 1 :] if k in {"date", "elapsed"}), ""
        )
        if kind == "date" and text[0] in "mM":
            is_minute = last in {"h", "H"} or following[:1] in {"s", "S"}
            made.append(("minute" if is_minute and len(text) < 3 else "month", text))
        elif kind == "digits" and last in {"s", "S"} and text.startswith(".0"):
            made.append(("fraction", text[1:]))
        elif kind == "date":
            made.append((text[0].lower(), text))
        else:
            made.append((kind, text))
        if kind in {"date", "elapsed"}:
            last = text[0]
    return made


def _is_numeric_date(tokens: list[tuple[str, str]]) -> bool:
    months = [text for kind, text in tokens if kind == "month"]
    return bool(months) and all(len(text) < 3 for text in months)


def _format_iso(moment: dt.datetime, tokens: list[tuple[str, str]]) -> str:
    kinds = {kind for kind, _ in tokens}
    if not kinds & {"h", "minute", "s"}:
        return moment.date().isoformat()
    shown = "seconds" if "s" in kinds else "minutes"
    return moment.replace(microsecond=0).isoformat(" ", shown)


def _date_part(kind: str, text: str, moment: dt.datetime, has_ampm: bool) -> str:
    width = len(text)
    if kind == "month" and width > 2:
        name = _MONTHS[moment.month - 1]
        return name[: {3: 3, 5: 1}.get(width, 20)]
    if kind == "d" and width > 2:
        name = _DAYS[moment.weekday()]
        return name[:3] if width == 3 else name
    hour = (moment.hour % 12 or 12) if has_ampm else moment.hour
    numbers = {
        "y": moment.year, "month": moment.month, "d": moment.day, "h": hour,
        "minute": moment.minute, "s": moment.second,
    }  # fmt: skip
    if kind in numbers:
        return f"{numbers[kind]:0{4 if kind == 'y' else min(width, 2)}d}"
    if kind == "fraction":
        return f".{moment.microsecond:06d}"[: width + 1]
    if kind == "ampm":
        return "AM" if moment.hour < 12 else "PM"
    return " " if text == "-" else text


def _format_elapsed(value: float, section: _Section) -> str:
    """Return hours, minutes or seconds that may be more than a day."""
    tokens = _name_minutes(section.tokens)
    total = round(abs(value) * _DAY_S * 1000) / 1000
    if not any(kind == "fraction" for kind, _ in tokens):
        total = float(round(total))
    parts = list[str]()
    for kind, text in tokens:
        width = len(text)
        if kind == "elapsed":
            size = {"h": 3600, "m": 60, "s": 1}[text[0]]
            parts.append(f"{int(total // size):0{width}d}")
            total -= total // size * size
        elif kind == "minute":
            parts.append(f"{int(total // 60) % 60:0{width}d}")
            total %= 60
        elif kind == "s":
            parts.append(f"{int(total) % 60:0{width}d}")
        elif kind == "fraction":
            parts.append(f".{round(total % 1 * 1000):03d}"[: width + 1])
        else:
            parts.append(text)
    return ("-" * (value < 0) + "".join(parts)).strip()
