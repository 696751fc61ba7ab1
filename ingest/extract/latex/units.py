"""Numbers and units of the LaTeX package siunitx as text: ``2.5 × 10⁻⁹ Pa``."""

# ruff: noqa: RUF001, RUF002 - the signs are the subject

import re
from collections.abc import Callable

from dunegpt.text.typography import to_subscript, to_superscript

_PREFIXES = {
    "quecto": "q", "ronto": "r", "yocto": "y", "zepto": "z", "atto": "a", "femto": "f",
    "pico": "p", "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d",
    "deca": "da", "deka": "da", "hecto": "h", "kilo": "k", "mega": "M", "giga": "G",
    "tera": "T", "peta": "P", "exa": "E", "zetta": "Z", "yotta": "Y", "kibi": "Ki",
    "mebi": "Mi", "gibi": "Gi", "tebi": "Ti",
}  # fmt: skip
_UNITS = {
    "ampere": "A", "candela": "cd", "kelvin": "K", "kilogram": "kg", "gram": "g",
    "meter": "m", "metre": "m", "mole": "mol", "second": "s", "becquerel": "Bq",
    "degreeCelsius": "°C", "celsius": "°C", "coulomb": "C", "farad": "F", "gray": "Gy",
    "hertz": "Hz", "henry": "H", "joule": "J", "lumen": "lm", "katal": "kat",
    "lux": "lx", "newton": "N", "ohm": "Ω", "pascal": "Pa", "radian": "rad",
    "siemens": "S", "sievert": "Sv", "steradian": "sr", "tesla": "T", "volt": "V",
    "watt": "W", "weber": "Wb", "astronomicalunit": "au", "bel": "B", "dalton": "Da",
    "day": "d", "decibel": "dB", "degree": "°", "electronvolt": "eV", "hectare": "ha",
    "hour": "h", "litre": "L", "liter": "L", "arcminute": "′", "minute": "min",
    "arcsecond": "″", "neper": "Np", "tonne": "t", "percent": "%", "angstrom": "Å",
    "bar": "bar", "barn": "b", "mmHg": "mmHg", "knot": "kn", "byte": "B", "bit": "bit",
    "clight": "c", "atomicmassunit": "u", "dB": "dB", "permille": "‰", "micron": "µm",
}  # fmt: skip
_POWERS = {"square": "2", "cubic": "3"}
_LATER_POWERS = {"squared": "2", "cubed": "3"}
_TOKEN = re.compile(
    r"\\([A-Za-z]+|%)\s*(?:\{([^{}]*)\})?|\^\s*(?:\{([^{}]*)\}|(.))|_\s*(?:\{([^{}]*)\}|(.))"
    r"|([/.~\s*]|[^\\^_{}])"
)
_WRAPPERS = frozenset({"text", "mathrm", "textrm", "si", "unit"})
_MICRO = re.compile(r"u(?=[a-zA-Z])")
_EXPONENT = re.compile(r"\s*[eEdD]\s*([+-]?\d+)\s*$")
_NUMBER_SIGNS = {"\\pm": "±", "+-": "±", "\\times": "×", "\\cdot": "·", "\\le": "≤",
                 "\\ge": "≥", "\\sim": "~", "\\approx": "≈", "\\ ": " ", "\\,": " ",
                 "<=": "≤", ">=": "≥"}  # fmt: skip
_NO_SPACE = ("°", "′", "″")


def format_number(text: str) -> str:
    """Return a number as it is typeset.

    >>> format_number("2.5e-9"), format_number("1.2+-.3"), format_number("7.6(4)e3")
    ('2.5 × 10⁻⁹', '1.2 ± 0.3', '7.6(4) × 10³')
    """
    text = text.strip()
    if exponent := _EXPONENT.search(text):
        mantissa = format_number(text[: exponent.start()])
        power = "10" + to_superscript(exponent[1].removeprefix("+"))
        mantissa = f"({mantissa})" if "±" in mantissa else mantissa
        return f"{mantissa} × {power}" if mantissa else power
    for sign, made in _NUMBER_SIGNS.items():
        text = text.replace(sign, f" {made} " if made in "±×·" else made)
    text = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " × ", re.sub(r"[{}$~]", "", text))
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", re.sub(r"\s+", " ", text))
    return text.strip()


def format_unit(text: str, own: dict[str, str] | None = None) -> str:
    r"""Return a unit, of macros or literal, with a slash before what divides.

    Args:
        text: The unit.
        own: Units that the source declares, by name.

    >>> format_unit(r"\volt\per\centi\metre"), format_unit("kg.m^{2}/s^2")
    ('V/cm', 'kg m²/s²')
    """
    above, below = list[str](), list[str]()
    last, prefix, power, divides = above, "", "", False
    for token in _TOKEN.finditer(text.strip()):
        name, argument = token[1] or "", token[2] or ""
        raised, lowered = token[3] or token[4], token[5] or token[6]
        if name in _LATER_POWERS or name == "tothe":
            raised = _LATER_POWERS.get(name, argument)
        if name in _PREFIXES:
            prefix += _PREFIXES[name]
        elif name == "per":
            divides = True
        elif name in _POWERS or name == "raiseto":
            power = _POWERS.get(name, argument)
        elif raised or lowered or name == "of":
            script = (
                to_superscript(raised) if raised else to_subscript(lowered or argument)
            )
            last[-1:] = ["".join(last[-1:]) + script]
        elif name:
            symbol = argument if name in _WRAPPERS else _find_symbol(name, own or {})
            last = below if divides else above
            last.append(prefix + symbol + to_superscript(power))
            prefix, power, divides = "", "", False
        else:
            last = _add_literal(token[7] or "", above, below)
    return _join(above, below)


def _add_literal(char: str, above: list[str], below: list[str]) -> list[str]:
    """Add a character of a unit that is written out; return where it was added."""
    parts = below if below else above
    if char == "/":
        below.append("")
    elif char in ".~*" or char.isspace():
        if parts and parts[-1]:
            parts.append("")
    elif parts:
        parts[-1] += char
    else:
        parts.append(char)
    return below if below else above


def _join(above: list[str], below: list[str]) -> str:
    top = " ".join(filter(None, above)) or ("1" if below else "")
    bottom = [part for part in below if part]
    if not bottom:
        return top
    return f"{top}/{bottom[0]}" if len(bottom) == 1 else f"{top}/({' '.join(bottom)})"


def _find_symbol(name: str, own: dict[str, str]) -> str:
    if name in own:
        return own[name]
    if name == "%":
        return "%"
    return _UNITS.get(name) or _MICRO.sub("µ", name, count=1)


def format_quantity(number: str, unit: str) -> str:
    """Return a number and a unit as siunitx sets them."""
    number = f"({number})" if "±" in number and unit not in {"", "%"} else number
    is_close = unit.startswith(_NO_SPACE) and unit != "°C"
    space = "" if not unit or is_close else " "
    return f"{number}{space}{unit}"


def format_angle(text: str) -> str:
    """Return degrees, minutes and seconds: ``1;30;0`` is 1°30′0″."""
    parts = zip(text.split(";"), "°′″", strict=False)
    return "".join(
        f"{format_number(part)}{sign}" for part, sign in parts if part.strip()
    )


def format_list(text: str, last: str, format_one: Callable[[str], str]) -> str:
    """Return the items of a list that are separated by semicolons, joined in words."""
    items = [format_one(item) for item in text.split(";") if item.strip()]
    return f" {last} ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
