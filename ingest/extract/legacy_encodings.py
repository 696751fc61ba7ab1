"""Recognizes the one-byte encoding of text in a European language.

The candidates decode the same bytes to different characters; the best is the one in
which letters are of one language and in the right case, and signs stand where signs
do: ``°`` after a number, ``µ`` before a unit, quotes at the edge of a word.
"""

# ruff: noqa: RUF001 - the letters are the subject

import re
from collections.abc import Callable
from itertools import islice

_WESTERN = (
    "äöüß", "àâçéèêëîïôœùûüÿæ", "áéíñóúü", "àèéìíòóù", "áâãàçéêíóôõú", "åäöæøé",
    "ëïéèöü", "áðéíóúýþæö", "àçèéíïòóúü",
)  # fmt: skip
_CENTRAL = (
    "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț",
    "čćđšž", "äöüß", "ëç",
)  # fmt: skip
_TURKISH = ("çğıöşüiâ",)
_CYRILLIC = ("абвгдежзийклмнопрстуфхцчшщъыьэюяё", "абвгдежзийклмнопрстуфхцчшщьюяєіїґ")
_GREEK = ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋ",)
_ALL_WESTERN = "".join(sorted(set("".join(_WESTERN))))
_LANGUAGES = {
    "cp1252": _WESTERN,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp852": _CENTRAL,
    "mac_latin2": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1251": _CYRILLIC,
    "koi8_r": _CYRILLIC,
    "cp866": _CYRILLIC,
    "mac_cyrillic": _CYRILLIC,
    "iso8859_5": _CYRILLIC,
    "cp1253": _GREEK,
    "iso8859_7": _GREEK,
}
"""Encodings, the more common first, with the letters of each of their languages."""

_SEVERAL_LANGUAGES = 0.8
_MAX_SIGNS = 400
_HIGH = re.compile("[^\x00-\x7f]")
_UNITS = frozenset("msAVWgGlLFHCΩNPrSbBeTkKJ")
_BETWEEN = frozenset("±×÷≤≥≈≠−")
_FREE = frozenset("–—…•§©®™€£¥¼½¾†‡‰\u00a0·Ωπ∆√∞←→")


def guess_encoding(content: bytes) -> tuple[str, float]:
    """Return the likeliest encoding, and its mean score per character, at most 1."""
    best, best_score, count = "cp1252", float("-inf"), 1
    for name, languages in _LANGUAGES.items():
        text = content.decode(name, errors="replace")
        found = islice(_HIGH.finditer(text), _MAX_SIGNS)
        places = [match.start() for match in found]
        count = max(len(places), 1)
        scores = [_score(text, places, letters) for letters in languages]
        if languages is _WESTERN:
            several = _score(text, places, _ALL_WESTERN)
            scores.append(several * _SEVERAL_LANGUAGES if several > 0 else several)
        if max(scores) > best_score:
            best, best_score = name, max(scores)
    return best, best_score / count


def _score(text: str, places: list[int], letters: str) -> float:
    is_latin = letters[0] < "\u0370"
    total = 0.0
    for at in places:
        around = text[max(at - 1, 0) : at].rjust(1), text[at + 1 : at + 3].ljust(2)
        sign = _score_sign(text[at], *around)
        if sign is None:
            sign = _score_letter(text[at], *around, letters, is_latin=is_latin)
        total += sign
    return total


def _score_letter(
    char: str, before: str, after: str, letters: str, *, is_latin: bool
) -> float:
    if not char.isalpha():
        return -2
    if char.isupper() and before.islower():
        return -3
    in_ascii_word = (before + after[0]).isascii() and (before + after[0]).isalpha()
    if char.lower() not in letters or (in_ascii_word and not is_latin):
        return -1
    if char.islower() and before.isupper() and after[0].isupper():
        return -1
    if char.isupper() and before.isupper():
        return 0.5
    return 1 if before.isalpha() or after[0].isalpha() else 0.5


def _score_sign(char: str, before: str, after: str) -> float | None:
    """Return how well a sign fits where it stands; None if it is a letter."""
    inner = before.isalpha() and after[0].isalpha()
    if char in _FREE:
        return -2 if inner and char not in "–—·" else 0.5
    if char in _BETWEEN:
        return -2 if inner else (1 if char in "±×÷" else 0.5)
    if char in "’‘":
        return 1
    for signs, is_in_place in _PLACES.items():
        if char in signs:
            fits = is_in_place(before, after)
            return (2 if char in "µμ" else 1) if fits else -2
    return None


def _is_after_number(before: str, after: str) -> bool:
    """Return whether a degree sign fits: ``87 °C``, ``30° to``."""
    has_unit = after[0] in "CFK" and not after[1].isalpha()
    return not before.isalpha() and (not after[0].isalpha() or has_unit)


def _is_before_unit(before: str, after: str) -> bool:
    return after[0] in _UNITS and not before.isalpha()


def _is_exponent(before: str, after: str) -> bool:
    return (before.isalnum() or before == ")") and not after[0].isalpha()


def _is_ordinal(before: str, after: str) -> bool:
    return before.isdigit() and not after[0].isalnum()


def _begins_question(before: str, after: str) -> bool:
    begins = after.isalpha() or (after[0].isalpha() and after[0] in "AEOUYaeouy")
    return begins and not before.isalnum()


def _begins_word(before: str, after: str) -> bool:
    return after[0].isalnum() and not before.isalnum()


def _ends_word(before: str, after: str) -> bool:
    return not (before.isspace() or after[0].isalnum())


_PLACES: dict[str, Callable[[str, str], bool]] = {
    "°": _is_after_number,
    "µμ": _is_before_unit,
    "²³¹": _is_exponent,
    "ºª": _is_ordinal,
    "¿¡": _begins_question,
    "“„«‹‚": _begins_word,
    "”»›": _ends_word,
}
"""Whether the text around each of these signs is what stands there."""
