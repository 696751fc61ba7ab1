"""Raised, lowered and symbol-font characters as plain Unicode text.

A raised ``6`` becomes ``⁶`` so that 10⁶ never reads as 106; what has no raised form
stands in ``^(...)``, what has no lowered one in ``_(...)``: ``10⁻⁹``, ``χ²``, ``H₂O``,
``10^(x/2)``, ``V_(HV)``. Does not depend on any file format: extractors say which runs
are raised and which font they are in.
"""

# ruff: noqa: RUF001 - the signs are the subject

from collections.abc import Iterable
from itertools import groupby
from typing import Literal

from dunegpt.text.patterns import compile_re

Shift = Literal["", "super", "sub"]
"""Whether a run of text stands on the line, is raised or is lowered."""

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character of a symbol font that has no known meaning."""

_SUPERSCRIPTS = {
    **dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)),
    "+": "⁺", "-": "⁻", "\u2212": "⁻", "\u2013": "⁻", "\u2010": "⁻", "\u2011": "⁻",
    "=": "⁼", "(": "⁽", ")": "⁾", "n": "ⁿ", "i": "ⁱ",
}  # fmt: skip
_SUBSCRIPTS = {
    **dict(zip("0123456789", "₀₁₂₃₄₅₆₇₈₉", strict=True)),
    "+": "₊", "-": "₋", "\u2212": "₋", "\u2013": "₋", "\u2010": "₋", "\u2011": "₋",
    "=": "₌", "(": "₍", ")": "₎",
    **dict(zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)),
}  # fmt: skip
_RAISED = frozenset(_SUPERSCRIPTS.values())
_LOWERED = frozenset(_SUBSCRIPTS.values())
_FLAT = {
    ord(shifted): plain
    for forms in (_SUPERSCRIPTS, _SUBSCRIPTS)
    for plain, shifted in forms.items()
    if plain.isascii()
}
_RAISED_BY_NATURE = {
    "o": "°", "\u2218": "°", "\u00ba": "°", "\u00b0": "°", "tm": "™", "TM": "™",
    "®": "®", "st": "st", "nd": "nd", "rd": "rd", "th": "th",
    "*": "*", "**": "**", "†": "†", "‡": "‡", "§": "§", "'": "′", "′": "′", "″": "″",
    "™": "™", ",": ",", ".": ".", ";": ";",
}  # fmt: skip
"""Texts that mean the same whether they are raised or not."""

_NOTE_MARK = compile_re(r"[(\[]?\s*([a-z]|\d{1,2})\s*[)\]]")

_PRIVATE_USE = range(0xF000, 0xF100)
_SYMBOL_START = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?"
    "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_"
    "\u203eαβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
)
_SYMBOL_END = (
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪"
)
_SYMBOL = {
    **dict(enumerate(_SYMBOL_START, 0x20)),
    **dict(enumerate(_SYMBOL_END, 0xA0)),
    **dict(enumerate("⟩∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭", 0xF1)),
    0x6D: "µ",  # the sign of micro, as units have it, rather than the letter
}
_WINGDINGS = {
    0x20: " ", 0x21: "✏", 0x22: "✂", 0x28: "☎", 0x2A: "✉", 0x36: "⌛", 0x41: "✌",
    0x43: "👍", 0x44: "👎", 0x45: "☜", 0x46: "☞", 0x47: "☝", 0x48: "☟", 0x4A: "☺",
    0x4B: "😐", 0x4C: "☹", 0x6C: "●", 0x6D: "❍", 0x6E: "■", 0x6F: "☐", 0x70: "☐",
    0x71: "❑", 0x72: "❒", 0x74: "⧫", 0x75: "◆", 0x76: "❖", 0x77: "⬥", 0x78: "☒",
    0x7B: "❀", 0x9E: "·", 0x9F: "•", 0xA0: "▪", 0xA1: "○", 0xA4: "◉", 0xA5: "◎",
    0xA7: "▪", 0xA8: "☐", 0xAB: "★", 0xD5: "⌫", 0xD8: "➢", 0xDC: "➲",
    **dict(enumerate("⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿", 0x80)),
    **dict(enumerate("←→↑↓↖↗↙↘←→↑↓↖↗↙↘⇦⇨⇧⇩⇔⇕", 0xDF)),
    0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_WINGDINGS_2 = {
    0x20: " ", 0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒",
    0x55: "⮽", 0x96: "•", 0x97: "●", 0x98: "●", 0xA2: "■", 0xA3: "☐", 0xAE: "◆",
    **dict(enumerate("⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿", 0x69)),
}  # fmt: skip
_WINGDINGS_3 = {
    0x20: " ", **dict(enumerate("←→↑↓↖↗↙↘", 0x66)), 0x70: "▲", 0x71: "▼",
    0x72: "△", 0x73: "▽", 0x74: "◀", 0x75: "▶", 0x76: "◁", 0x77: "▷", 0x7D: "▶",
    0x84: "◀",
}  # fmt: skip
_WEBDINGS = {
    0x20: " ", 0x61: "✓", 0x63: "☐", 0x67: "■", 0x6E: "●", 0x72: "✗", 0x33: "◀",
    0x34: "▶", 0x35: "▲", 0x36: "▼",
}  # fmt: skip
_FONTS = {
    "symbol": _SYMBOL, "symbolmt": _SYMBOL, "standardsymbolsl": _SYMBOL,
    "standardsymbolsps": _SYMBOL, "opensymbol": {}, "wingdings": _WINGDINGS,
    "wingdings2": _WINGDINGS_2, "wingdings3": _WINGDINGS_3, "webdings": _WEBDINGS,
}  # fmt: skip
_UNKNOWN_FONT = {
    **_SYMBOL,
    **{code: _WINGDINGS[code] for code in (0x76, 0xA7, 0xA8, 0xD8, 0xFC, 0xFE)},
}
"""Symbol, but for the bullets and ticks that word processors take from Wingdings."""
_SAME_IN_LATIN_1 = frozenset("°±²³µ·×÷®©")
"""What stands for itself in a Symbol run; as codes, these would be other signs."""


def to_superscript(text: str) -> str:
    """Return raised text on the line; white space around it stays outside.

    Ordinal endings, stars, daggers and the like stay as they are; a raised ``o`` is a
    degree sign, and ``(a)`` or ``3)`` the mark of a note: `` [note a]``. Any other mark
    of a note is no superscript: find it before.

    >>> "10" + to_superscript("-9"), "10" + to_superscript("x/2")
    ('10⁻⁹', '10^(x/2)')
    """
    if mark := _NOTE_MARK.fullmatch(text.strip()):
        return f" [note {mark[1]}]"
    return _shift(text, _SUPERSCRIPTS, _RAISED, _RAISED_BY_NATURE, "^")


def to_subscript(text: str) -> str:
    """Return lowered text on the line; white space around it stays outside.

    >>> "H" + to_subscript("2") + "O", "V" + to_subscript("HV")
    ('H₂O', 'V_(HV)')
    """
    return _shift(text, _SUBSCRIPTS, _LOWERED, {}, "_")


def join_runs(runs: Iterable[tuple[str, Shift]]) -> str:
    """Return runs of text as one; neighbours that are shifted alike are one script.

    >>> join_runs([("10", ""), ("x", "super"), ("/2", "super"), (" m", "")])
    '10^(x/2) m'
    """
    filled = (run for run in runs if run[0])
    return "".join(
        shift_text("".join(text for text, _ in group), shift)
        for shift, group in groupby(filled, key=lambda run: run[1])
    )


def shift_text(text: str, shift: Shift) -> str:
    """Return a whole script, raised or lowered, as text on the line."""
    if shift == "super":
        return to_superscript(text)
    return to_subscript(text) if shift == "sub" else text


def _shift(
    text: str,
    forms: dict[str, str],
    shifted: frozenset[str],
    by_nature: dict[str, str],
    sign: str,
) -> str:
    inner = text.strip()
    if not inner:
        return text
    start = text.index(inner)
    if inner in by_nature:
        made = by_nature[inner]
    elif all(char in forms or char in shifted for char in inner):
        made = "".join(forms.get(char, char) for char in inner)
    elif not any(char.isalnum() for char in inner):
        made = inner
    else:
        made = f"{sign}({inner})"
    return text[:start] + made + text[start + len(inner) :]


def flatten_scripts(text: str) -> str:
    """Return a text with raised and lowered characters on the line: ``H2O``, ``m2``.

    To compare words only: 10⁶ becomes 106. Quantities are compared by their values.

    >>> flatten_scripts("H₂O, cm⁻²")
    'H2O, cm-2'
    """
    return text.translate(_FLAT)


def is_private_use(char: str) -> bool:
    """Return whether a character is one of a symbol font, U+F000 to U+F0FF."""
    return ord(char) in _PRIVATE_USE


def is_symbol_font(font: str) -> bool:
    """Return whether the letters of a font are signs: Symbol, Wingdings, Webdings."""
    return bool(font) and bool(_FONTS.get(_normalize_font(font)))


def decode_symbol(symbol: str | int, font: str = "") -> str:
    r"""Return the Unicode text of a character of a symbol font; empty if unknown.

    Args:
        symbol: A character or its code, with or without the 0xF000 of private use.
        font: Its font; without one, Symbol and the common bullets of Wingdings.

    >>> decode_symbol(0xF06D, "Symbol"), decode_symbol("\uf0fc", "Wingdings")
    ('µ', '✓')
    """
    code = symbol if isinstance(symbol, int) else ord(symbol)
    if code in _PRIVATE_USE:
        code -= 0xF000
    if code >= 0x100:
        return "" if 0xE000 <= code < 0xF900 else chr(code)
    name = _normalize_font(font)
    if name == "opensymbol":
        return {0xB7: "•"}.get(code, "")
    table = _FONTS.get(name, {} if name else _UNKNOWN_FONT)
    return table.get(code, "")


def decode_symbols(text: str, font: str = "") -> tuple[str, int]:
    """Return a text with the characters of symbol fonts decoded, and how many are not.

    Private-use characters are always decoded, letters only if the font is one of
    symbols. A character without a known meaning becomes ``UNKNOWN``.
    """
    is_symbolic = is_symbol_font(font)
    if not is_symbolic and (text.isascii() or not any(map(is_private_use, text))):
        return text, 0
    table_font = font if is_symbolic else ""
    made = [_decode_char(char, table_font, is_symbolic) for char in text]
    return "".join(char or UNKNOWN for char in made), made.count("")


def _decode_char(char: str, font: str, is_symbolic: bool) -> str:
    if is_private_use(char):
        return decode_symbol(char, font)
    is_letter = " " < char < "\u0100" and char not in _SAME_IN_LATIN_1
    return decode_symbol(char, font) if is_symbolic and is_letter else char


def _normalize_font(font: str) -> str:
    """Return a font's name in small letters, without subset mark, spaces and style."""
    name = font.rpartition("+")[2].partition(",")[0].partition("-")[0]
    return name.replace(" ", "").lower()
