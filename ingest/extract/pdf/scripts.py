"""Raised and lowered characters of a PDF page, known by their size and baseline.

``10`` with a small raised ``6`` becomes ``10⁶``, and ``H`` with a lowered ``2`` becomes
``H₂``. Only words that may hold a script are measured: those with digits, signs or
Greek letters. A raised number is a power, a mass number or the mark of a note; a mark
becomes ``[note 3]`` behind the word or the unit that it follows, so that ``45³ kg``
with a note 3 is 45 kg.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.ingest.extract.pdf.glyphs import PageGlyphs
from dunegpt.text.typography import Shift, shift_text

_SIGNS = "+\ufffe\\-\u2212\u2013\u00b1*\u2217\u2020\u2021"
_KEYS = f"0-9{_SIGNS}\u0370-\u03ff"
_KEY = re.compile(f"[{_KEYS}]")
_REST_OF_WORD = re.compile(r"[^\s\0]*+(?:[ ]+[+\-\u2212\u2013]?\d{1,3}(?![^\s\0]))*")
_HYPHENS = "-\u2013\ufffe"
_RUN = re.compile(r"\d+|[^\W\d_]+|[^\w ]|_+")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_FRACTION_SLASH = "\u2044"
_LARGEST_SCRIPT = 0.88
_RAISED_FROM = 0.12
_LOWERED_FROM = 0.06
_RAISED_AT_FULL_SIZE = 0.25
_LOWERED_AT_FULL_SIZE = 0.18
_MAX_SCRIPT = 24
_MAX_MEASURED = 6_000
_MAX_WORD = 60
_CONTEXT = 60
_MAX_LONELY = 8
_NEAR = 0.7
_CLOSING = ")]}.,;:!?%\"'\u2019\u201d|\u03b1"

_NUMBER = re.compile(r"\d[\d.,]*$")
_AMOUNT = re.compile(r"(?<![^\W\d_])(?<![\d.,])\d[\d.,]*(?<=\d)$")
"""A number that is no part of a name, as the one of ``PT100`` is."""
_LETTERS = re.compile(r"[^\W\d_]+$")
_POWER_BASES = {"10", "2"}
_MATH_BEFORE = re.compile(r"[=\u00d7\u00b7*/^\u2212+\u221a]\s*\d[\d.,]*$")
_MATH_AFTER = re.compile(r"\s*[=\u00d7\u00b7\u2212+<>\u2248]\s*[\w(]")
_FUNCTIONS = {"sin", "cos", "tan", "sinh", "cosh", "tanh", "log", "ln", "exp"}
_POWER_UNITS = re.compile(
    r"(?:[fpnu\u00b5\u03bcmcdkMGTP]?(?:m|s|V|A|T|K|eV|rad|J|C)|in|ft|inch|pixels?|mrad)"
)
_UNITS_WITHOUT_POWER = re.compile(r"(?:k?g|kt|t|W|kW|MW|N|Hz|kHz|MHz|GHz|bar|mbar|L|l)")
_UNIT_POWERS = {"2", "3", "4", "6"}
_UNIT_AFTER = re.compile(
    r"\s?[%°\u00b5\u03bcÅ\u03a9A-Za-z][\w\u00b5\u03bc\u03a9/·]*(?![\w/])"
)
_PLAIN_MARK = re.compile(
    r"[*\u2217\u2020\u2021\u00a7\u00b6]?\d{1,2}(?:[,\u2013-]\d{1,2})*[),.]?"
    r"|\(\d{1,2}\)|[a-z](?:,[a-z\d])*"
)
_ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga"
    " Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr"
    " Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn"
    " Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf"
).split()
_PROTONS = {symbol: number for number, symbol in enumerate(_ELEMENTS, start=1)}
_SYMBOL = re.compile(r"([A-Z][a-z]?)(?![a-z])")


@dataclass(slots=True)
class _Script:
    """A run of characters that are raised or lowered alike."""

    begin: int
    end: int
    shift: Shift


def mark_scripts(glyphs: PageGlyphs) -> None:
    """Write raised and lowered characters as such, and marks of notes in brackets."""
    scripts = list(_find_scripts(glyphs))
    notes = {
        _read(glyphs, script)
        for script in scripts
        if script.shift == "super" and _starts_note(glyphs, script)
    }
    for script in scripts:
        _write(glyphs, script, notes)


@dataclass(slots=True)
class _Word:
    """A word that may hold a script, and the characters that tell whether it does."""

    begin: int
    end: int
    probes: list[int]


def _find_scripts(glyphs: PageGlyphs) -> Iterator[_Script]:
    words = list(_read_words(glyphs))
    glyphs.measure(at for word in words for at in word.probes)
    for word in words:
        yield from _scripts_of_word(glyphs, word)


def _read_words(glyphs: PageGlyphs) -> Iterator[_Word]:
    text, measured = glyphs.text, 0
    for begin, end in _iter_words(glyphs):
        if end - begin > _MAX_WORD:
            continue
        measured += end - begin
        if measured > _MAX_MEASURED:
            return
        probes = [begin, end - 1]
        if not text[begin:end].isdigit():
            # The end of a number, too: the 3 of ``103cm`` may be its power.
            for found in _RUN.finditer(text, begin, end):
                probes.append(found.start())
                if found.end() - found.start() > 1 and text[found.start()].isdigit():
                    probes.append(found.end() - 1)
        yield _Word(begin, end, probes)


def _iter_words(glyphs: PageGlyphs) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each word that may hold a script, and was not left out."""
    text, end = glyphs.text, 0
    key = _KEY.search(text)
    while key:
        at = key.start()
        if text[at] in _HYPHENS and _joins_words(text, at):
            key = _KEY.search(text, at + 1)
            continue
        begin = at
        while begin > end and not (
            text[begin - 1].isspace() or text[begin - 1] == "\0"
        ):
            begin -= 1
        rest = _REST_OF_WORD.match(text, at)
        end = rest.end() if rest else at + 1
        if glyphs.texts[begin] or glyphs.texts[end - 1]:
            yield begin, end
        key = _KEY.search(text, end)


def _joins_words(text: str, at: int) -> bool:
    """Return whether a hyphen joins two words, or the parts of one: ``low-energy``."""
    before, behind = text[max(at - 2, 0) : at], text[at + 1 : at + 3]
    is_word = len(before) == 2 and before.isalpha() and before.islower()
    if behind[:1] in "\0\n":
        return is_word
    return is_word and len(behind) == 2 and behind.isalpha() and behind.islower()


def _scripts_of_word(glyphs: PageGlyphs, word: _Word) -> Iterator[_Script]:
    """Yield the scripts of a word, or of a whole word that is one."""
    text, begin, end, probes = glyphs.text, word.begin, word.end, word.probes
    neighbor = _find_neighbor(glyphs, begin, end)
    if not _differs(glyphs, probes if neighbor is None else [*probes, neighbor]):
        return
    if neighbor is not None and not _is_base(glyphs, neighbor, begin, end):
        neighbor = None
        if not _differs(glyphs, probes):
            return
    sizes = {
        at: box.size
        for at in range(begin, end)
        if text[at] != " " and (box := glyphs.box(at))
    }
    largest = max(sizes.values(), default=0.0)
    if largest <= 0:
        return
    base = next(at for at, size in sizes.items() if size > 0.95 * largest)
    if neighbor is not None and (box := glyphs.box(neighbor)):
        if largest < _LARGEST_SCRIPT * box.size:
            base, largest = neighbor, box.size
        elif len(sizes) == 1 and largest <= box.size * 1.02:
            base = neighbor
    yield from _runs_of_shift(glyphs, sizes, base, largest)


def _runs_of_shift(
    glyphs: PageGlyphs, sizes: dict[int, float], base: int, largest: float
) -> Iterator[_Script]:
    """Yield the characters of a word that are raised or lowered alike."""
    level = glyphs.baseline(base)
    current: _Script | None = None
    for at, size in sizes.items():
        shift = _shift_of(size / largest, (glyphs.baseline(at) - level) / largest)
        if current and current.shift == shift:
            current.end = at + 1
            continue
        if current and current.shift:
            yield current
        current = _Script(at, at + 1, shift)
    if current and current.shift:
        yield current


def _differs(glyphs: PageGlyphs, probes: list[int]) -> bool:
    """Return whether characters are of two sizes, or at two heights."""
    levels = {(box.top, box.bottom) for box in map(glyphs.box, probes) if box}
    if len(levels) < 2:
        return False  # nearly all
    sizes = [top - bottom for top, bottom in levels]
    largest = max(sizes)
    if min(sizes) < _LARGEST_SCRIPT * largest:
        return True
    bottoms = [bottom for _, bottom in levels]
    return max(bottoms) - min(bottoms) > _LOWERED_AT_FULL_SIZE * largest


def _find_neighbor(glyphs: PageGlyphs, begin: int, end: int) -> int | None:
    """Return the character beside a short word, on its line if there is one."""
    if end - begin > _MAX_LONELY:
        return None
    text = glyphs.text
    before = begin - 1
    if before >= 0 and text[before] == "\n":
        above = _find_base_above(glyphs, begin)
        if above is not None:
            return above
    while before >= 0 and text[before] == " ":
        before -= 1
    if before >= 0 and text[before] not in "\n\0":
        return before
    return next((at for at in _indices_behind(glyphs, end) if text[at] != " "), None)


def _is_base(glyphs: PageGlyphs, neighbor: int, begin: int, end: int) -> bool:
    """Return whether a character is near enough to a word to have it as a script."""
    character = glyphs.text[neighbor]
    if not (character.isalnum() or character in _CLOSING):
        return False
    left, right = (neighbor, begin) if neighbor < begin else (end - 1, neighbor)
    before, behind = glyphs.box(left), glyphs.box(right)
    if before is None or behind is None:
        return False
    return behind.left - before.right < _NEAR * max(before.size, behind.size)


def _find_base_above(glyphs: PageGlyphs, begin: int) -> int | None:
    """Return the end of the line above if a word at a line's start touches it."""
    text = glyphs.text
    before = begin - 1
    while before >= 0 and text[before] in " \n\0":
        before -= 1
    left, right = (glyphs.box(before) if before >= 0 else None), glyphs.box(begin)
    if left is None or right is None:
        return None
    gap = right.left - left.right
    overlaps = right.bottom < left.top and right.top > left.bottom
    if overlaps and -0.1 * left.size < gap < 0.3 * left.size:
        for at in range(before + 1, begin):
            glyphs.texts[at] = ""
        return before
    return None


def _shift_of(size: float, rise: float) -> Shift:
    """Return the shift of a character, from its size and rise relative to the line."""
    if size > 1.05:
        return ""
    small = size < _LARGEST_SCRIPT
    if rise > (_RAISED_FROM if small else _RAISED_AT_FULL_SIZE) and rise < 0.9:
        return "super"
    if rise < -(_LOWERED_FROM if small else _LOWERED_AT_FULL_SIZE) and rise > -0.6:
        return "sub"
    return ""


def _read(glyphs: PageGlyphs, script: _Script) -> str:
    inner = "".join(glyphs.texts[script.begin : script.end]).replace(" ", "")
    return inner.replace("\ufffe", "-")


def _starts_note(glyphs: PageGlyphs, script: _Script) -> bool:
    """Return whether a raised number opens the text of a note at a line's start."""
    begins = script.begin == 0 or glyphs.texts[script.begin - 1] == "\n"
    if not begins:
        return False
    follows = _text_behind(glyphs, script.end)
    is_isotope = bool(_isotope(_read(glyphs, script), follows))
    return not is_isotope and bool(re.match(r"[ ]?[^\s\d]", follows))


def _write(glyphs: PageGlyphs, script: _Script, notes: set[str]) -> None:
    """Replace the characters of a script."""
    inner = _read(glyphs, script)
    if not inner or len(inner) > _MAX_SCRIPT:
        return
    before = _line_before(glyphs, script.begin).rstrip(" ")
    after = _text_behind(glyphs, script.end)
    if _RIGHT_TO_LEFT.search(before[-1:] + after[:1]):
        return
    if _is_denominator(glyphs, script) or _is_far(glyphs, script):
        return
    if _FRACTION_SLASH in before[-1:] + after[:1] or _stack_fraction(glyphs, script):
        _write_fraction(glyphs, script)
        return
    is_raised = script.shift == "super"
    if is_raised and _isotope(inner, after) and not _touches(glyphs, script):
        _replace(glyphs, script, shift_text(inner, "super"))
        return
    if is_raised and not before and _starts_note(glyphs, script):
        made = f"[note {inner.strip('()')}] " if _PLAIN_MARK.fullmatch(inner) else inner
    elif is_raised and _is_mark(inner, before, after, notes):
        _write_mark(glyphs, script, inner, before, after)
        return
    else:
        made = shift_text(inner, script.shift)
        _close_gap(glyphs, script, before)
    _replace(glyphs, script, made)


def _touches(glyphs: PageGlyphs, script: _Script) -> bool:
    """Return whether a letter or digit stands directly before a script."""
    return script.begin > 0 and glyphs.text[script.begin - 1].isalnum()


def _text_behind(glyphs: PageGlyphs, begin: int) -> str:
    """Return what stands behind a script on its line, as drawn."""
    return "".join(glyphs.text[at] for at in _indices_behind(glyphs, begin))


def _stack_fraction(glyphs: PageGlyphs, script: _Script) -> bool:
    """Return whether digits stand right below raised ones; put a bar between them."""
    behind = script.end
    while behind < len(glyphs.text) and glyphs.text[behind] in " \n\0":
        behind += 1
    if script.shift != "super" or behind >= len(glyphs.text):
        return False
    upper, lower = glyphs.box(script.begin), glyphs.box(behind)
    if not (glyphs.text[behind].isdigit() and _read(glyphs, script).isdigit()):
        return False
    if upper is None or lower is None:
        return False
    if abs(lower.left - upper.left) > 0.6 * max(upper.width, lower.width):
        return False
    if not 0.2 < (upper.bottom - lower.bottom) / upper.size < 2:
        return False
    for at in range(script.end, behind):
        glyphs.texts[at] = ""
    glyphs.texts[script.end - 1] += "/"
    return True


def _is_far(glyphs: PageGlyphs, script: _Script) -> bool:
    """Return whether a script does not touch the word before it."""
    if not _touches(glyphs, script):
        return False
    before, box = glyphs.box(script.begin - 1), glyphs.box(script.begin)
    if before is None or box is None:
        return True
    gap = (box.left - before.right) / max(before.size, 1.0)
    return not -_NEAR < gap < _NEAR


def _is_denominator(glyphs: PageGlyphs, script: _Script) -> bool:
    """Return whether a script stands below the bar of a stacked fraction."""
    above = script.begin - 1
    while above >= 0 and not glyphs.texts[above]:
        above -= 1
    return (
        above >= 0 and len(glyphs.texts[above]) > 1 and glyphs.texts[above][-1] == "/"
    )


def _write_fraction(glyphs: PageGlyphs, script: _Script) -> None:
    """Keep the digits of a fraction, apart from a whole number before it."""
    before = glyphs.text[max(script.begin - 1, 0) : script.begin]
    if script.shift == "super" and before.isdigit():
        glyphs.texts[script.begin] = f" {glyphs.texts[script.begin]}"


def _line_before(glyphs: PageGlyphs, end: int) -> str:
    """Return what stands before a script on its line, as drawn."""
    at = end - 1
    while at >= 0 and end - at < _CONTEXT and glyphs.texts[at] != "\n":
        at -= 1
    return "".join(
        glyphs.text[index]
        for index in range(at + 1, end)
        if glyphs.text[index] not in "\n\0"
    )


def _indices_behind(glyphs: PageGlyphs, begin: int) -> Iterator[int]:
    """Yield the indices of the next characters behind a script, on its line."""
    for at in range(begin, min(begin + _CONTEXT, len(glyphs.text))):
        if glyphs.texts[at] == "\n":
            return
        if glyphs.text[at] not in "\n\0":
            yield at


def _replace(glyphs: PageGlyphs, script: _Script, made: str) -> None:
    """Spread a text over the characters that it replaces."""
    count = script.end - script.begin
    pieces = list(made) if len(made) == count else [made, *[""] * (count - 1)]
    glyphs.texts[script.begin : script.end] = pieces


def _close_gap(glyphs: PageGlyphs, script: _Script, before: str) -> None:
    """Remove the space that pdfium puts between a base and its script."""
    at = script.begin - 1
    joins = before[-1:].isalnum() or before[-1:] in ")]"
    while joins and at >= 0 and glyphs.text[at] == " ":
        glyphs.texts[at] = ""
        at -= 1


def _write_mark(
    glyphs: PageGlyphs, script: _Script, inner: str, before: str, after: str
) -> None:
    """Write the mark of a note behind the word, or behind the unit of the number."""
    mark = f" [note {inner.strip('(),.')}]"
    unit = _UNIT_AFTER.match(after) if _AMOUNT.search(before) else None
    if unit:
        _replace(glyphs, script, "")
        last = list(_indices_behind(glyphs, script.end))[unit.end() - 1]
        glyphs.texts[last] += mark
    else:
        _replace(glyphs, script, mark)


def _is_mark(inner: str, before: str, after: str, notes: set[str]) -> bool:
    """Return whether a raised text is the mark of a note instead of a power."""
    if not before or before[-1] in " \0" or not _PLAIN_MARK.fullmatch(inner):
        return False
    if inner.isalpha():
        return False
    return _base_has_no_power(inner, before, after, inner in notes)


def _base_has_no_power(inner: str, before: str, after: str, is_note: bool) -> bool:
    """Return whether what stands before a raised number cannot have it as a power."""
    last = before[-1]
    if number := _NUMBER.search(before):
        if number[0] in _POWER_BASES or number[0].lstrip("0") == "":
            return False
        return not (_MATH_BEFORE.search(before) or _MATH_AFTER.match(after))
    if word := _LETTERS.search(before):
        return _word_has_no_power(word[0], inner, before, is_note)
    if last == ")":
        return is_note or bool(re.search(r"[A-Za-z]{4}[^()]*\)$", before))
    return last in ".,;:!?\"'\u2019\u201d%*\u2020"


def _word_has_no_power(word: str, inner: str, before: str, is_note: bool) -> bool:
    """Return whether a word before a raised number is no unit, symbol or function."""
    if len(inner) == 1 and inner in _UNIT_POWERS and _POWER_UNITS.fullmatch(word):
        return False
    if word in _FUNCTIONS:
        return False
    if len(word) == 1:
        of_number = bool(re.search(r"\d\s*[A-Za-z]$", before))
        return is_note and (of_number or inner not in _UNIT_POWERS)
    if _UNITS_WITHOUT_POWER.fullmatch(word):
        return is_note or inner != "2"
    return len(word) > 2 or word.islower() or is_note


def _isotope(inner: str, after: str) -> str:
    """Return the element that a mass number stands before; empty if none."""
    symbol = _SYMBOL.match(after)
    protons = _PROTONS.get(symbol[1], 0) if symbol else 0
    if not symbol or not inner.isdigit() or not protons:
        return ""
    return symbol[1] if protons <= int(inner) <= 3 * protons + 1 else ""
