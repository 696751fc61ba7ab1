"""Units as physicists write them, and what they are in base units, by pint.

Knows no numbers and no sentences.
"""

import re
from functools import cache
from tokenize import TokenError
from typing import Any

# Units as written, to what pint calls them; the rest is a prefix and a symbol.
_NAMED = {
    "%": "percent", "percent": "percent", "per cent": "percent", "‰": "permille",
    "ppm": "ppm", "ppb": "ppb", "ppt": "ppt", "°C": "kelvin", "°F": "rankine",
    "°": "degree", "degrees": "degree", "degree": "degree", "min": "minute",
    "h": "hour", "hr": "hour", "d": "day", "yr": "year", "y": "year", "t": "tonne",
    "kt": "kilotonne", "Mt": "megatonne", "psi": "psi", "l": "liter", "L": "liter",
    "ml": "milliliter", "mL": "milliliter", "Ω": "ohm", "ohm": "ohm", "in": "inch",
    "ft": "foot", "au": "astronomical_unit", "pe": "photoelectron",
    "p.e.": "photoelectron", "e": "electron", "C": "coulomb",
    "€": "euro", "$": "dollar",
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
_SYMBOLS = "eV Hz Pa bar mol rad sr V A W K m s g J N F T H B b pe Torr atm".split()
_PREFIXES = "y z a f p n µ u m c d h k M G T P E Z Y da".split()
_OWN = """
electron = [electron_count]
photon = [photon_count]
photoelectron = [photoelectron_count]
euro = [euro]
dollar = [dollar]
franc = [franc]
ppb = 1e-9
ppt = 1e-12
"""
_SPELL = {
    "ton": "tonne", "kiloton": "kilotonne", "amp": "ampere", "metre": "meter",
    "litre": "liter", "mbar": "millibar", "electronvolt": "electron_volt",
    "degree": "degree", "micron": "micrometer",
}  # fmt: skip

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_PREFIX_NAMES = {
    "k": "kilo", "M": "mega", "G": "giga", "T": "tera", "P": "peta", "E": "exa",
}  # fmt: skip

_SIMPLE = "|".join(
    sorted(
        {re.escape(u) for u in _NAMED if u != "in"}
        | {r"in(?=\s*(?:[.,;:)x\u00d7]|$|thick|wide|long|high|deep|diameter|pipe))"}
        | {f"{w}s?" for w in _SPELLED}
        | {"feet", "inches", "henries", "centuries"}
        | {f"(?:{'|'.join(_PREFIXES)})?(?:{'|'.join(_SYMBOLS)})"},
        key=len,
        reverse=True,
    )
)
_FACTOR = rf"(?:{_SIMPLE})(?:[²³⁻¹]+|(?:\^|\*\*)\(?-?\d\)?|-[123](?!\d))?(?![A-Za-z])"
UNIT = rf"{_FACTOR}(?:(?:\s?[/·*]\s?\(?|\s+per\s+){_FACTOR}\)?)*"
"""A pattern of what is a unit behind a number."""

# What pint 0.25 raises at texts that are no units, beside errors of its own.
_PINT_RAISES = (ValueError, TypeError, AttributeError, AssertionError, TokenError)


@cache
def measure(unit: str) -> tuple[str, float] | None:
    """Return dimension and size in base units of a unit; None if pint has it not."""
    import pint  # noqa: PLC0415 - .7 s, only to check what a model wrote

    registry = _registry()
    try:
        amount: Any = registry.Quantity(1.0, _spelled(unit)).to_base_units()
    except (*_PINT_RAISES, pint.PintError):
        return None
    dimension = str(amount.dimensionality)
    if dimension == "dimensionless":
        dimension = "angle" if "degree" in _spelled(unit) else "share"
    return dimension, float(amount.magnitude)


@cache
def _registry() -> Any:
    import pint  # noqa: PLC0415 - .7 s, only to check what a model wrote

    registry: Any = pint.UnitRegistry()
    for line in _OWN.strip().split("\n"):
        registry.define(line)
    return registry


def _spelled(unit: str) -> str:
    """Return a unit as pint reads it: names, products and powers."""
    unit = re.sub(r"\s+per\s+", "/", unit).replace("·", "*")
    unit = re.sub(r"[()\s]", "", unit)
    parts = re.split(r"([/*])(?!\*)", unit.replace("**", "^"))
    spelled = [part if part in "/*" else _factor(part) for part in parts]
    return "".join(spelled)


def _factor(part: str) -> str:
    """Return one factor of a unit, with its power, as pint reads it."""
    part = part.translate(_SUPERSCRIPT)
    power = re.search(r"\^?(-?\d)$", part)
    name = part[: power.start()] if power else part
    return _name(name) + (f"**({power[1]})" if power else "")


def _name(name: str) -> str:
    """Return what pint calls a simple unit."""
    if name in _NAMED:
        return _NAMED[name]
    word = {"feet": "foot", "inches": "inch"}.get(name, name.removesuffix("s"))
    if word in _SPELLED:
        for end, spelling in _SPELL.items():
            if word.endswith(end):
                return word.removesuffix(end) + spelling
        return word
    for prefix in sorted(_PREFIXES, key=len, reverse=True):
        symbol = name.removeprefix(prefix)
        if symbol in {"B", "b", "pe"} and symbol != name:
            long = {"B": "byte", "b": "bit", "pe": "photoelectron"}[symbol]
            return prefix + long if symbol == "pe" else _PREFIX_NAMES[prefix] + long
    return {"B": "byte", "b": "bit", "Torr": "torr"}.get(name, name)
