"""Converts what models write to plain text: no Markdown, TeX as Unicode signs.

Knows single sentences; citation marks stay where they are.
"""

# ruff: noqa: RUF001 - Greek letters and signs are what TeX means

import re

from dunegpt.text.patterns import compile_re

_EMPHASIS = compile_re(
    r"(?<![\w*`])(\*{1,3}|_{2,3})(?=\S)([^*`\n]+?)(?<=\S)\1(?![\w*])"
)
_LEAD = compile_re(r"^\s*(?:[-*\u2022\u2013]\s+|#{1,6}\s+|>\s+|\d{1,2}[.)]\s+(?=\D))+")
_LABEL = compile_re(r"^\W*(?:final\s)?answer\W{0,3}:\W*", re.IGNORECASE)
_REFERENCES = compile_re(
    r"^\W*(?:sources?|references?|citations?|cited passages?)\W*$"
    r"|^\W*\[\d{1,3}\]:?\s[^.!?]*(?:\.\w{1,5})?\s*$",
    re.IGNORECASE,
)
_MATH = compile_re(r"\$([^$\n]{1,200})\$|\\\(([^\n]{1,200}?)\\\)")
_TEX_TEXT = compile_re(
    r"\\(?:mathrm|text|textrm|mathbf|mathit|mathsf|operatorname|unit|si|rm|bf)\s?"
    r"\{([^{}]*)\}"
)
_TEX_SI = compile_re(r"\\(?:SI|qty)\{([^{}]*)\}\{([^{}]*)\}")
_TEX_SIGNS = {
    r"\,": " ", r"\;": " ", r"\:": " ", r"\ ": " ", r"\!": "", "~": " ", "{,}": ",",
    r"\%": "%", r"\times": "×", r"\cdot": "·", r"\pm": "±", r"\approx": "≈",
    r"\simeq": "≈", r"\sim": "~", r"\leq": "≤", r"\geq": "≥", r"\lesssim": "≲",
    r"\gtrsim": "≳", r"\le": "≤", r"\ge": "≥", r"\circ": "°", r"\degree": "°",
    r"\infty": "∞", r"\to": "→", r"\rightarrow": "→", r"\mu": "μ", r"\Omega": "Ω",
    r"\nu": "ν", r"\gamma": "γ", r"\alpha": "α", r"\beta": "β", r"\delta": "δ",
    r"\Delta": "Δ", r"\theta": "θ", r"\sigma": "σ", r"\pi": "π", r"\tau": "τ",
    r"\lambda": "λ", r"\epsilon": "ε", r"\phi": "φ", r"\left": "", r"\right": "",
}  # fmt: skip
_TEX_SIGN = compile_re(
    "|".join(
        re.escape(sign) + (r"(?![A-Za-z])\s?" if sign[-1].isalpha() else "")
        for sign in sorted(_TEX_SIGNS, key=len, reverse=True)
    )
)
_DEGREE = compile_re(r"\^\s?\{?°\}?")


def clean_sentence(text: str) -> str:
    r"""Return a sentence as plain text.

    >>> clean_sentence(r"- **It** is $1.61\,\mathrm{mm/\mu s}$ [1].")
    'It is 1.61 mm/μs [1].'
    """
    text = _LEAD.sub("", text)
    parts = re.split(r"(`[^`]*`)", text)  # the odd ones are code
    parts[::2] = [_EMPHASIS.sub(r"\2", part) for part in parts[::2]]
    text = "".join(parts)
    text = _LABEL.sub("", text)
    text = _MATH.sub(lambda match: _read_tex(match[1] or match[2]), text)
    if "\\" in text and "`" not in text:
        text = _read_tex(text)
    return text.strip()


def is_reference_list(text: str) -> bool:
    """Return whether a line belongs to a list of sources that a model appends."""
    return bool(_REFERENCES.match(text))


def _read_tex(text: str) -> str:
    text = _TEX_SI.sub(r"\1 \2", text)
    for _ in range(3):  # nested
        text = _TEX_TEXT.sub(r"\1", text)
    text = _TEX_SIGN.sub(lambda sign: _TEX_SIGNS[sign[0].strip() or sign[0]], text)
    text = _DEGREE.sub("°", text)
    return re.sub(r"(?<![\^_])[{}]", "", re.sub(r"\^\{([^{}]*)\}", r"^\1", text))
