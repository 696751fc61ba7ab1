"""What every format does to its text: Unicode in one form, white space in order."""

import re
import unicodedata
from collections.abc import Iterable

_CONTROL = re.compile(
    r"[\x00-\x08\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1, but tab and line ends
    r"\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff"  # unseen, bidi
    r"\ud800-\udfff]"  # halves of characters
)
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_SPACES = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f]+")


def clean(text: str, *, keep_layout: bool = False) -> str:
    """Return text in Unicode NFC without control characters and ligatures.

    Args:
        text: As the file has it.
        keep_layout: Keep runs of spaces, as in a log or a table made of spaces.
    """
    text = _CONTROL.sub("", text.translate(_LIGATURES))
    text = unicodedata.normalize("NFC", text.replace("\x0b", "\n"))
    if keep_layout:
        return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """Return a name as one line: control characters out, white space to one space."""
    return re.sub(r"\s+", " ", clean(text)).strip()


def row(cells: Iterable[str]) -> str:
    """Return a row of a table as one line, its cells apart; empty if they all are."""
    texts = [one_line(cell) for cell in cells]
    return " | ".join(texts).rstrip() if any(texts) else ""
