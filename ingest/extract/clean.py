"""Text normalization shared by all formats: Unicode, control characters, spaces."""

import re
import unicodedata
from collections.abc import Iterable

_CONTROL = re.compile(
    r"[\x00-\x08\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1, except tab and line ends
    r"\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff"  # zero-width, bidi
    r"\ud800-\udfff]"  # surrogates
)
_LIGATURES = {
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"
}  # fmt: skip
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_ODD_SPACE = re.compile("[\t\u00a0\u2000-\u200a\u202f]")
# Single plain spaces, nearly all of a text's, are left alone.
_SPACES = re.compile(
    r" [ \t\u00a0\u2000-\u200a\u202f]+|[\t\u00a0\u2000-\u200a\u202f]"
    r"[ \t\u00a0\u2000-\u200a\u202f]*"
)
# The space comes first, as a pattern that begins with a set of characters is fast.
_THOUSANDS = re.compile(
    r"[\u00a0\u2007\u2009\u202f](?<=\d[\u00a0\u2007\u2009\u202f])(?=\d{3}(?!\d))"
)
_BLANK_LINES = re.compile(r"\n{3,}")
_PLAIN_SPACES = re.compile(
    r"(?:[ \t\u00a0\u2000-\u200a]|(?<!\d)\u202f|\u202f(?!\d{3}(?!\d)))+"
)


def clean_text(text: str, *, keep_layout: bool = False) -> str:
    """Return text in Unicode NFC without control characters and ligatures.

    A narrow or no-break space between thousands becomes a narrow no-break space, so
    that 180 000 remains one number; any other space is plain.

    Args:
        text: Text as decoded from the file.
        keep_layout: Keep runs of spaces, as in a log or a space-aligned table.
    """
    text = _CONTROL.sub("", text)
    if not text.isascii():
        text = _LIGATURE.sub(lambda match: _LIGATURES[match[0]], text)
    text = unicodedata.normalize("NFC", text.replace("\x0b", "\n"))
    if keep_layout:
        return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
    if "  " not in text and not _ODD_SPACE.search(text):
        spaced = text  # most texts
    elif _THOUSANDS.search(text):  # 180 000: one number, as its space tells
        spaced = _PLAIN_SPACES.sub(" ", _THOUSANDS.sub("\u202f", text))
    else:
        spaced = _SPACES.sub(" ", text)
    joined = "\n".join(map(str.strip, spaced.split("\n")))
    if "\n\n\n" in joined:
        joined = _BLANK_LINES.sub("\n\n", joined)
    return joined.strip()


def to_one_line(text: str) -> str:
    """Return cleaned text on one line, with each run of white space as one space."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # most cells of tables
    return re.sub(r"[^\S\u202f]+", " ", clean_text(text)).strip()


def mark_struck(text: str) -> str:
    """Return struck-out text marked as such; white space around it stays outside.

    >>> mark_struck("1.70 bar ")
    '[struck out: 1.70 bar] '
    """
    inner = text.strip()
    if not inner:
        return text
    start = text.index(inner)
    end = start + len(inner)
    return f"{text[:start]}[struck out: {inner}]{text[end:]}"


def join_row(cells: Iterable[str]) -> str:
    """Return the cells of a table row joined by bars; empty if all cells are empty.

    A bar within a cell has no spaces around it, so that it divides no cells.
    """
    texts = [to_one_line(cell).replace(" | ", "|") for cell in cells]
    return " | ".join(texts).rstrip() if any(texts) else ""
