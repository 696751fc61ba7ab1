"""Units as physicists write them, and what they are in base units, by pint.

Knows no numbers and no sentences.
"""

import re
from functools import cache
from importlib import resources
from tokenize import TokenError
from typing import Any

# Units as written, to what pint calls them; the rest is a prefix and a symbol.
_ALIASES = {
    "%": "percent", "percent": "percent", "per cent": "percent", "‰": "permille",
    "ppm": "ppm", "ppb": "ppb", "ppt": "ppt", "°C": "kelvin", "°F": "rankine",
    "°": "degree", "degrees": "degree", "degree": "degree", "min": "minute",
    "h": "hour", "hr": "hour", "d": "day", "yr": "year", "y": "year", "t": "tonne",
    "kt": "kilotonne", "Mt": "megatonne", "psi": "psi", "l": "liter", "L": "liter",
    "ml": "milliliter", "mL": "milliliter", "Ω": "ohm", "ohm": "ohm", "in": "inch",
    "ft": "foot", "au": "astronomical_unit", "pe": "photoelectron",
    "p.e.": "photoelectron", "e": "electron", "C": "coulomb",
    "€": "euro", "$": "dollar", "CHF": "franc", "kCHF": "kilofranc",
    "MCHF": "megafranc", "k€": "kiloeuro", "M€": "megaeuro", "k$": "kilodollar",
    "M$": "megadollar",
}  # fmt: skip
_SPELLED = (
    "second minute hour day week month year meter metre centimeter centimetre"
    " millimeter millimetre micrometer micrometre nanometer nanometre kilometer"
    " kilometre micron gram kilogram tonne ton kilotonne kiloton volt kilovolt"
    " millivolt ampere amp watt kilowatt megawatt joule kelvin pascal bar mbar millibar"
    " liter litre hertz kilohertz megahertz gigahertz tesla gauss newton electron"
    " photon euro dollar franc inch foot byte bit percent microsecond millisecond"
    " nanosecond electronvolt barn degree torr atmosphere gigabyte terabyte petabyte"
    " megabyte kilobyte"
).split()
_SYMBOLS = (
    "eV Hz Pa bar mol rad sr Ω Bq V A W K m s g J N F T H B b pe Torr atm".split()
)
_PREFIXES = "y z a f p n µ μ u m c d h k M G T P E Z Y da".split()
_PLAIN_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺\u2212", "0123456789-+-")
_BYTE_PREFIXES = {
    "k": "kilo", "M": "mega", "G": "giga", "T": "tera", "P": "peta", "E": "exa",
    "Z": "zetta", "Y": "yotta",
}  # fmt: skip
"""Of bytes and bits; with another prefix ``b`` is the barn, and ``B`` is no unit."""
_PLURALS = {"feet": "foot", "inches": "inch", "henries": "henry"}

_SIMPLE = "|".join(
    sorted(
        {re.escape(u) for u in _ALIASES if u != "in"}
        | {r"in(?=\s*(?:[.,;:)x\u00d7]|$|thick|wide|long|high|deep|diameter|pipe))"}
        | {f"{w}s?" for w in _SPELLED}
        | {"feet", "inches", "henries", "centuries"}
        | {f"(?:{'|'.join(_PREFIXES)})?(?:{'|'.join(_SYMBOLS)})"},
        key=len,
        reverse=True,
    )
)
_POWER = (
    r"(?:[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+|(?:\^|\*\*)[({]?[-\u2212]?\d[)}]?|[-\u2212][123](?!\d)"
    r"|(?<=[ms])[23](?![\d.]))"
)
_FACTOR = rf"(?:{_SIMPLE}){_POWER}?(?![A-Za-z])"
_NEGATIVE_POWER = r"(?:⁻[¹²³⁴]|\^[({]?[-\u2212]\d[)}]?|[-\u2212][1-4](?!\d))"
_PRODUCT = (
    rf"\s(?:{_SIMPLE}){_POWER}?(?=/)|(?:\s(?:{_SIMPLE}){_POWER}?)?"
    rf"(?:[\s·\u22c5](?:{_SIMPLE}){_NEGATIVE_POWER})+(?![A-Za-z])"
)
"""Factors behind blanks: only before a division or a negative power."""
UNIT_PATTERN = (
    rf"{_FACTOR}(?:{_PRODUCT}|(?:\s?[/·*\u22c5]\s?\(?|\s+per\s+){_FACTOR}\)?)*"
)
"""A pattern of what is a unit behind a number."""

# What pint 0.25 raises at texts that are no units, beside errors of its own.
_PINT_RAISES = (ValueError, TypeError, AttributeError, AssertionError, TokenError)


@cache
def parse_unit(unit: str) -> tuple[str, float] | None:
    """Return the dimension of a unit and its size in base units; None if unknown."""
    import pint  # noqa: PLC0415 - .1 s, only where there are quantities

    registry = _load_registry()
    try:
        amount: Any = registry.Quantity(1.0, _to_pint(unit)).to_base_units()
    except (*_PINT_RAISES, pint.PintError):
        return None
    dimension = str(amount.dimensionality)
    if dimension == "dimensionless":
        dimension = "angle" if "degree" in _to_pint(unit) else "share"
    return dimension, float(amount.magnitude)


@cache
def _load_registry() -> Any:
    """Return a registry of the units in ``units.txt``, not of all that pint knows."""
    import pint  # noqa: PLC0415 - .1 s, only where there are quantities

    definitions = resources.files("dunegpt.text").joinpath("units.txt")
    return pint.UnitRegistry(definitions.read_text(encoding="utf-8").splitlines())


def _to_pint(unit: str) -> str:
    """Return a unit in pint's notation: names, products and powers."""
    unit = re.sub(r"per\s+cent", "percent", unit)
    unit = re.sub(r"\s+per\s+", "/", unit.replace("\u03bc", "\u00b5"))
    unit = re.sub(r"[·\u22c5]", "*", unit)
    unit = re.sub(r"\s*([/*])\s*", r"\1", unit.strip())
    unit = re.sub(r"(?<=[\w⁰¹²³⁴⁵⁶⁷⁸⁹)}])\s+(?=\w)", "*", unit)
    unit = re.sub(r"[()\s]", "", unit)
    factors = re.split(r"([/*])(?!\*)", unit.replace("**", "^"))
    return "".join(
        factor if factor in "/*" else _factor_to_pint(factor) for factor in factors
    )


def _factor_to_pint(factor: str) -> str:
    """Return one factor of a unit, with its power, in pint's notation."""
    factor = re.sub(r"[{}]", "", factor.translate(_PLAIN_DIGITS))
    power = re.search(r"\^?(-?\d+)$", factor)
    name = factor[: power.start()] if power else factor
    return _name_to_pint(name) + (f"**({power[1]})" if power else "")


def _name_to_pint(name: str) -> str:
    """Return pint's name of a simple unit."""
    if name in _ALIASES:
        return _ALIASES[name]
    word = _PLURALS.get(name, name.removesuffix("s"))
    if word in _SPELLED or name in _PLURALS:
        return word
    if name == "B":
        return "byte"
    if name == "b":
        return "bit"
    if name.endswith("pe"):
        return name.removesuffix("pe") + "photoelectron"
    if name[-1:] in {"B", "b"}:
        prefix = _BYTE_PREFIXES.get(name[:-1])
        if prefix:
            return prefix + ("byte" if name.endswith("B") else "bit")
        return name if name.endswith("b") else "unknown"
    return name
