"""Repairs of the characters of a PDF page: accents, symbol fonts, spaced-out letters.

Each function changes `PageGlyphs.texts` in place, and measures only the characters that
may need it.
"""

import re
import unicodedata
from collections import Counter
from itertools import pairwise
from statistics import median

from dunegpt.ingest.extract.line_hyphens import is_english
from dunegpt.ingest.extract.pdf.glyphs import GlyphBox, PageGlyphs
from dunegpt.text.typography import (
    UNKNOWN,
    decode_symbol,
    is_private_use,
    is_symbol_font,
)

_COMBINING = {
    "`": "\u0300", "\u02cb": "\u0300", "\u00b4": "\u0301", "\u02ca": "\u0301",
    "^": "\u0302", "\u02c6": "\u0302", "~": "\u0303", "\u02dc": "\u0303",
    "\u00af": "\u0304", "\u02c9": "\u0304", "\u02d8": "\u0306", "\u02d9": "\u0307",
    "\u00a8": "\u0308", "\u02da": "\u030a", "\u00b0": "\u030a", "\u02dd": "\u030b",
    "\u02c7": "\u030c", "\u00b8": "\u0327", "\u02db": "\u0328",
}  # fmt: skip
_MARKS = re.escape("".join(mark for mark in _COMBINING if mark != "\u00b0"))
_ANY_MARK = re.compile(f"[{_MARKS}]")
_ACCENT = re.compile(rf"(?<=[^\W\d_])[ ]?[{_MARKS}]|[{_MARKS}](?=[ ]?[^\W\d_])")
_DOTLESS = {"\u0131": "i", "\u0237": "j"}
_MAX_ACCENTS = 400

_LIGATURES = {"\uf001": "fi", "\uf002": "fl"}
_GUESSES = ("fi", "ff", "fl", "ffi", "ffl")
_CODE = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\ufffd]")
_CODED = re.compile(rf"(?P<left>[^\W\d_]{{0,20}}){_CODE.pattern}(?P<right>[^\W\d_]+)")
_PRIVATE = re.compile("[\uf000-\uf0ff]")
# Begins with a set of characters, as such a pattern is fast; for a text after a space.
_MAYBE_LETTER = re.compile(
    r"\s(?:[B-HJ-Zb-z](?!\w)|(?<=\d )[AIa](?!\w)|[AIa](?= ?[=<>\u00b1\d(]))"
)
_MAYBE_SIGN = re.compile(
    r"[\d\u00a3\u00b3\u00b7\u00a4\u00be\u00a5\u00bb\u00b9\u00ae](?:"
    r"(?<=\d)[ ]?[mW\u00a3\u00b3\u00b1\u00b0](?![A-LN-UWXYZa-ln-uw-z]{2})"
    r"|(?<=[^\d]))"
)
_MAX_FONTS = 150

_SPACED_OUT = re.compile(r"(?<!\S)\S(?: +\S(?!\S)){4,}")
_MIN_SINGLES = 4
_STEP = 0.1
_TRACKED = 0.05
_SINGLE = re.compile(r"\s[B-HJ-Zb-z](?!\S)")


def compose_accents(glyphs: PageGlyphs) -> None:
    """Put accents that are drawn beside or over a letter onto it: ``Mu¨ller``.

    TeX's old fonts have no letters with accents. The accent belongs to the letter whose
    middle is nearest to its own.
    """
    text = glyphs.text
    if not _ANY_MARK.search(text):
        return
    for count, match in enumerate(_ACCENT.finditer(text)):
        if count > _MAX_ACCENTS:
            return
        at = match.end() - 1
        accent = glyphs.box(at)
        letters = [
            near
            for near in (_letter_beside(text, at, -1), _letter_beside(text, at, 1))
            if near is not None
        ]
        if accent is None or not letters:
            continue
        middle = (accent.left + accent.right) / 2
        offsets = [
            (abs((box.left + box.right) / 2 - middle), near, box)
            for near in letters
            if (box := glyphs.box(near))
        ]
        if not offsets:
            continue
        offset, letter, box = min(offsets, key=lambda each: each[:2])
        if offset > 0.5 * max(box.width, 1.0) or _overlap(accent, box) < 0.5:
            continue
        _put_accent(glyphs, at, letter)


def _overlap(accent: GlyphBox, letter: GlyphBox) -> float:
    """Return the share of the narrower one's width that both have."""
    shared = min(accent.right, letter.right) - max(accent.left, letter.left)
    width = min(accent.width, letter.width)
    return shared / width if width > 0 else 0.0


def _letter_beside(text: str, at: int, step: int) -> int | None:
    """Return the letter before or after an accent, with at most a space between."""
    near = at + step
    if 0 <= near < len(text) and text[near] == " ":
        near += step
    return near if 0 <= near < len(text) and text[near].isalpha() else None


def _put_accent(glyphs: PageGlyphs, at: int, letter: int) -> None:
    """Write a letter with its accent, and neither the accent nor a space between."""
    plain = _DOTLESS.get(glyphs.texts[letter], glyphs.texts[letter])
    composed = unicodedata.normalize("NFC", plain + _COMBINING[glyphs.text[at]])
    if len(composed) != 1:
        return
    glyphs.texts[letter] = composed
    glyphs.texts[at] = ""
    for near in (at - 1, at + 1):
        if 0 <= near < len(glyphs.text) and glyphs.text[near] == " ":
            _close_space(glyphs, near)


def _close_space(glyphs: PageGlyphs, at: int) -> None:
    """Remove a space beside an accent if its letters are no wider apart than usual."""
    before, behind = at - 1, at + 1
    if behind < len(glyphs.text) and glyphs.texts[behind] == "":
        behind += 1
    if before >= 0 and glyphs.texts[before] == "":
        before -= 1
    if before < 0 or behind >= len(glyphs.text):
        return
    left, right = glyphs.box(before), glyphs.box(behind)
    if left and right and right.left - left.right < 0.15 * right.size:
        glyphs.texts[at] = ""


def guess_ligatures(glyphs: PageGlyphs) -> None:
    """Write the ligatures that a font has under codes without a meaning: ``e?cient``.

    The one that makes an English word of the letters around it is meant.
    """
    if not _CODE.search(glyphs.text):
        return
    for match in _CODED.finditer(glyphs.text):
        at = match.start() + len(match["left"])
        for ligature in _GUESSES:
            if is_english(f"{match['left']}{ligature}{match['right']}"):
                glyphs.texts[at] = ligature
                break


def decode_symbol_fonts(glyphs: PageGlyphs) -> None:
    """Write the characters of symbol fonts as the signs that they draw."""
    for match in _PRIVATE.finditer(glyphs.text):
        at = match.start()
        decoded = decode_symbol(glyphs.text[at], glyphs.font(at))
        decoded = decoded or _LIGATURES.get(glyphs.text[at], "")
        glyphs.texts[at] = decoded or UNKNOWN
        glyphs.unknown += not decoded
    text = f" {glyphs.text}"
    ends = {
        match.end()
        for pattern in (_MAYBE_LETTER, _MAYBE_SIGN)
        for match in pattern.finditer(text)
    }
    for end in sorted(ends)[: _MAX_FONTS + 1]:
        _decode_run(glyphs, end - 2)


def _decode_run(glyphs: PageGlyphs, at: int) -> None:
    """Decode the run of characters in a symbol font that begins here."""
    while at < len(glyphs.text) and glyphs.text[at] not in " \n\0":
        font = glyphs.font(at)
        if not is_symbol_font(font) or is_private_use(glyphs.text[at]):
            return
        glyphs.texts[at] = _decode_latin(glyphs.text[at], font)
        at += 1


def _decode_latin(character: str, font: str) -> str:
    """Return what a letter draws in a symbol font; itself if it is no code of it."""
    if not character.isascii() and character in "\u00b0\u00b1\u00b5\u00b7\u00d7":
        return character
    if ord(character) >= 0x100:
        return character
    return decode_symbol(character, font) or character


def close_spaced_letters(glyphs: PageGlyphs) -> None:
    """Join the letters of words that are spaced out: ``S T A T U S``.

    Where a line has many single letters, spaces are put where the gap between two
    characters is one between words, judged from all gaps of the line.
    """
    text = f"\n{glyphs.text}"
    singles = Counter(
        text.rfind("\n", 0, match.start() + 1) for match in _SINGLE.finditer(text)
    )
    for begin, count in singles.items():
        end = glyphs.text.find("\n", begin)
        end = len(glyphs.text) if end < 0 else end
        if count >= _MIN_SINGLES and _is_spaced(glyphs.text[begin:end]):
            _respace(glyphs, begin, end)


def _is_spaced(line: str) -> bool:
    words = line.replace("\0", "").split()
    singles = sum(len(word) == 1 and word.isalpha() for word in words)
    return bool(_SPACED_OUT.search(line)) or singles > 0.3 * len(words)


def _respace(glyphs: PageGlyphs, begin: int, end: int) -> None:
    """Put the spaces of a line where its gaps are wide."""
    drawn = [at for at in range(begin, end) if glyphs.text[at] not in " \0"]
    boxes = {at: box for at in drawn if (box := glyphs.box(at))}
    pairs = list(pairwise(boxes))
    gaps = [boxes[b].left - boxes[a].right for a, b in pairs]
    if len(gaps) < _MIN_SINGLES:
        return
    size = median(box.size for box in boxes.values())
    spaces = [at for at in range(begin, end) if glyphs.text[at] == " "]
    limit = _find_limit(gaps, size, has_spaces=any(map(glyphs.is_drawn, spaces)))
    if limit is None:
        return
    for (a, b), gap in zip(pairs, gaps, strict=True):
        for at in range(a + 1, b):
            glyphs.texts[at] = ""
        if gap > limit:
            glyphs.texts[b - 1 if b - 1 > a else a] += " "


def _find_limit(gaps: list[float], size: float, *, has_spaces: bool) -> float | None:
    """Return the gap from which on two letters are of two words; None if unclear.

    Gaps between words are wider than those between letters by a space, which is a
    quarter of the size: the limit is the middle of the widest step between the two.
    Letters that are evenly apart are one word, unless the page draws spaces.
    """
    ordered = sorted(gaps)
    step, narrow, limit = max(
        (wide - narrow, narrow, (wide + narrow) / 2)
        for narrow, wide in pairwise(ordered)
    )
    if step < _STEP * size:
        is_spaced = ordered[len(ordered) // 2] > _TRACKED * size
        return ordered[-1] + 1 if is_spaced and not has_spaces else None
    return limit if narrow > _TRACKED * size else None
