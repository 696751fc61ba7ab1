"""Writes short formulas of LaTeX as Unicode text: ``$10^{-9}$`` as 10⁻⁹.

A formula with anything unknown in it is left as written.
"""

# ruff: noqa: RUF001 - the signs are the subject

import re
import unicodedata

from dunegpt.ingest.extract.latex.macros import read_argument, read_optional
from dunegpt.text.typography import to_subscript, to_superscript

_GREEK = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {name.upper()}")
    for name in """alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi
    omicron pi rho sigma tau upsilon phi chi psi omega""".split()
} | {"lambda": "λ", "varepsilon": "ε", "vartheta": "ϑ", "varphi": "φ", "varsigma": "ς"}
_CAPITALS = {
    name.capitalize(): unicodedata.lookup(f"GREEK CAPITAL LETTER {name.upper()}")
    for name in "gamma delta theta xi pi sigma upsilon phi psi omega".split()
} | {"Lambda": "Λ"}
_OPERATORS = {
    "times": "×", "pm": "±", "mp": "∓", "cdot": "·", "leq": "≤", "le": "≤", "geq": "≥",
    "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "simeq": "≃", "sim": "~",
    "equiv": "≡", "ll": "≪", "gg": "≫", "to": "→", "rightarrow": "→", "leftarrow": "←",
    "Rightarrow": "⇒", "in": "∈", "propto": "∝", "div": "÷", "lesssim": "≲",
    "gtrsim": "≳", "cong": "≅", "leqslant": "≤", "geqslant": "≥", "ast": "*", "lt": "<",
    "gt": ">", "longrightarrow": "→", "leftrightarrow": "↔", "mid": "|",
}  # fmt: skip
_SYMBOLS = {
    **_GREEK, **_CAPITALS, "circ": "∘", "degree": "°", "infty": "∞", "partial": "∂",
    "nabla": "∇", "prime": "′", "ell": "ℓ", "hbar": "ℏ", "dagger": "†", "ddagger": "‡",
    "star": "*", "bullet": "•", "ldots": "…", "dots": "…", "cdots": "…", "perp": "⊥",
    "parallel": "∥", "sum": "∑", "prod": "∏", "int": "∫", "langle": "⟨", "rangle": "⟩",
    "lbrace": "{", "rbrace": "}", "vert": "|", "Vert": "‖", "percent": "%", "deg": "°",
    "micro": "µ", "ohm": "Ω", "angstrom": "Å", "AA": "Å", "oplus": "⊕", "otimes": "⊗",
    "quad": " ", "qquad": " ", "euro": "€", "textmu": "µ", "textdegree": "°",
    "lvert": "|", "rvert": "|", "slash": "/", "colon": ":", "checkmark": "✓",
}  # fmt: skip
_FUNCTIONS = frozenset(
    "sin cos tan cot sinh cosh tanh log ln exp max min arcsin arccos arctan lim".split()
)
_WRAPPERS = frozenset(
    """text mathrm mathbf mathit mathsf mathtt mathcal textrm textbf textit texttt mbox
    hbox boldsymbol bm operatorname ensuremath mathord mathbin mathrel textnormal
    textsf""".split()
)
_SKIPPED = frozenset(
    """left right big Big bigl bigr Bigl Bigr bigg Bigg displaystyle textstyle rm bf it
    scriptstyle limits nolimits nonumber notag xspace relax protect""".split()
)
_ACCENTS = {"bar": "\u0304", "overline": "\u0304", "hat": "\u0302", "tilde": "\u0303",
            "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308"}  # fmt: skip
_SPACES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", ">": " ", "/": ""}
_ESCAPED = frozenset("%&#$_{}|")
_PLAIN = re.compile(r"[\w.,°′∘₀-₟⁰-⁹ⁿⁱ\u0300-\u036f]+|\([^()]*\)")


class UnknownMathError(ValueError):
    """A formula has something that has no form on one line."""


def format_math(formula: str) -> str:
    """Return a formula on one line.

    Raises:
        UnknownMathError: Something in it is unknown.
    """
    return re.sub(r"\s+", " ", _convert(formula)).strip()


def set_formula(formula: str, as_written: str) -> str:
    """Return a short formula of numbers, units or signs in Unicode, others as written.

    Args:
        formula: Without its dollar signs.
        as_written: With them.
    """
    try:
        made = format_math(formula)
    except UnknownMathError:
        return as_written
    return made if made and is_typography(formula, made) else as_written


def is_typography(formula: str, made: str) -> bool:
    """Return whether a formula only typesets a number, a unit or a sign."""
    if any(char.isdigit() for char in unicodedata.normalize("NFKC", made)):
        return True
    return formula.strip()[:1] in {"^", "_"} or len(made) <= 1


def _convert(formula: str) -> str:
    pieces, at = list[str](), 0
    while at < len(formula):
        char = formula[at]
        if char == "\\":
            made, at = _convert_command(formula, at, is_spaced=_ends_spaced(pieces))
            pieces.append(made)
        elif char in "^_":
            argument, at = read_argument(formula, at + 1)
            inner = _convert(argument)
            pieces.append((to_superscript if char == "^" else to_subscript)(inner))
        elif char == "{":
            argument, at = read_argument(formula, at)
            pieces.append(_convert(argument))
        elif char in "&}$":
            raise UnknownMathError(formula)
        else:
            pieces.append({"~": " ", "'": "′"}.get(char, char))
            at += 1
    return "".join(pieces)


def _ends_spaced(pieces: list[str]) -> bool:
    return bool(pieces) and pieces[-1].endswith(" ")


def _convert_command(formula: str, at: int, *, is_spaced: bool) -> tuple[str, int]:
    match = re.compile(r"\\([A-Za-z]+)\*?[ \t\n]*").match(formula, at)
    if match is None:
        char = formula[at + 1 : at + 2]
        if char in _ESCAPED or char in _SPACES:
            return _SPACES.get(char, char), at + 2
        raise UnknownMathError(formula)
    name, at = match[1], match.end()
    if name in _OPERATORS:
        return _OPERATORS[name] + (" " if is_spaced else ""), at
    if name in _SYMBOLS or name in _SKIPPED:
        return _SYMBOLS.get(name, ""), at
    if name in _FUNCTIONS:
        return f"{name} " if formula[at : at + 1].isalnum() else name, at
    return _convert_with_argument(formula, name, at)


def _convert_with_argument(formula: str, name: str, at: int) -> tuple[str, int]:
    if name == "sqrt":
        index, at = read_optional(formula, at)
        inner, at = read_argument(formula, at)
        return f"{to_superscript(index or '')}√{_wrap(_convert(inner))}", at
    first, end = read_argument(formula, at)
    if name in _WRAPPERS:
        return _convert(first), end
    if name in _ACCENTS:
        inner = _convert(first)
        if len(inner) != 1:
            raise UnknownMathError(formula)
        return unicodedata.normalize("NFC", inner + _ACCENTS[name]), end
    if name in {"frac", "dfrac", "tfrac", "nicefrac", "sfrac"}:
        second, end = read_argument(formula, end)
        return f"{_wrap(_convert(first))}/{_wrap(_convert(second))}", end
    raise UnknownMathError(formula)


def _wrap(text: str) -> str:
    text = text.strip()
    return text if _PLAIN.fullmatch(text) else f"({text})"
