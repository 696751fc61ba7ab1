"""Hyphens at line ends: a word that was cut is joined, a real hyphen is kept.

``detec-`` and ``tor`` are one word, ``high-`` and ``voltage`` are two. A list of
English words decides; where it lacks the word, the other words of the document do.
Does not depend on any file format.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import resources

# The hyphen comes first, as a pattern that begins with a set of characters is fast.
_CUT = re.compile(
    r"[-\ufffe\u00ad](?<=[^\W_][-\ufffe\u00ad])"
    r"(?:(?<=-)\n|(?<!-)[\ufffe\u00ad]*\n?)(?=[^\W_])"
)
_CUT_MARK = "\x1f"
_LETTERS_BEFORE = re.compile(r"[^\W_]+$")
_LETTERS = re.compile(r"[^\W_]+")
_LONGEST_WORD = 40
_PDF_HYPHEN = "\ufffe"
"""What pdfium writes for a hyphen at a line end."""
_SOFT = "\u00ad"
_WORD = re.compile(rf"[^\W\d_]+(?:[-{_CUT_MARK}][^\W\d_]+)*")
_CLOSED_PREFIXES = frozenset(
    "anti auto bi co cryo de dis electro en hydro inter mega micro mis mono multi nano"
    " non over photo poly post pre pro re semi sub super tele thermo trans tri ultra un"
    " under uni".split()
)
"""Prefixes that are written in one word with what follows."""
_FIELD_WORDS = frozenset(
    "anode argon baseline calorimeter cathode collider cosmic cryogenic cryostat dewar"
    " dipole electron emission fiber fiducial flange flavor ionization kaon krypton"
    " lepton leptonic meson muon neutrino neutron nitrogen nucleon oscillation phonon"
    " photon pion pixel plasma proton purity quark readout resistor scintillator"
    " shielding silicon solenoid spectrometer tracker trigger vertex voltage wavelength"
    " xenon".split()
)
_SHORT_WORDS = frozenset("by in no of off on or so to two up".split())
_OPEN_ENDS = frozenset("based dependent driven induced related specific".split())
"""Words that are behind a hyphen, whatever stands before them."""
_ENDINGS = (
    ("ies", "y"), ("es", ""), ("s", ""), ("ed", ""), ("ed", "e"), ("d", ""),
    ("ing", ""), ("ing", "e"), ("ly", ""), ("er", ""), ("ers", ""), ("ness", ""),
    ("ation", "e"), ("ations", "e"), ("able", ""), ("ability", "able"), ("ity", ""),
    ("ment", ""), ("ments", ""), ("al", ""), ("ally", "al"), ("ization", "ize"),
    ("isation", "ize"), ("ised", "ize"), ("ise", "ize"), ("ising", "ize"),
)  # fmt: skip
_MIN_WORD = 3


class Vocabulary:
    """The words of a document, also those with hyphens inside of a line."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._words: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Add the words of a page; they are counted when they are asked for."""
        self._texts.append(text)

    def count(self, word: str) -> int:
        """Return how often a word occurs, in any case."""
        for text in self._texts:
            self._words.update(_WORD.findall(_CUT.sub(_CUT_MARK, text.casefold())))
        self._texts.clear()
        return self._words[word.casefold()]


def join_cut_words(text: str, vocabulary: Vocabulary) -> str:
    """Return text with words that are cut at line ends in one piece, on one line."""

    def join(match: re.Match[str]) -> str:
        if _is_cut_off(match, text):
            return "-\n"
        return "" if _is_one_word(match, text, vocabulary) else "-"

    if "-\n" not in text and _PDF_HYPHEN not in text and _SOFT not in text:
        return text
    return _CUT.sub(join, text).replace(_PDF_HYPHEN, "-")


def _is_cut_off(match: re.Match[str], text: str) -> bool:
    """Return whether a cut word goes on elsewhere, as before the foot of a page.

    A number may follow a whole word, as in ``carbon-14``, but not the part of one.
    """
    if not text[match.end()].isdigit() or match[0].startswith(_SOFT):
        return False
    before = _LETTERS_BEFORE.search(
        text, max(0, match.start() - _LONGEST_WORD), match.start()
    )
    return bool(before and before[0].islower() and not is_english(before[0]))


def _is_one_word(match: re.Match[str], text: str, vocabulary: Vocabulary) -> bool:
    """Return whether the parts around a hyphen at a line end are one word."""
    if match[0].startswith(_SOFT):
        return True
    near = text[max(0, match.start() - _LONGEST_WORD) : match.start()]
    before = _LETTERS_BEFORE.search(near)
    behind = _LETTERS.match(text, match.end())
    if before is None or behind is None:
        return True
    left, right = before[0], behind[0]
    if _has_real_hyphen(left, right, re.split(r"\s", near)[-1]):
        return False
    if is_english(left + right) and not right[0].isupper():
        return True
    joined = vocabulary.count(left + right)
    hyphenated = vocabulary.count(f"{left}-{right}")
    if joined or hyphenated:
        return joined >= hyphenated
    if right[0].isupper() and not (left.isupper() and right.isupper()):
        return False
    if is_english(left + right):
        return True
    is_chain = near[: before.start()].endswith("-") or text[behind.end() :][:1] == "-"
    return not _are_two_words(left, right, vocabulary, is_chain=is_chain)


def _has_real_hyphen(left: str, right: str, before: str) -> bool:
    """Return whether parts are of a name, a number or an address."""
    if not left.isalpha() or not right.isalpha() or len(left) == 1:
        return True
    return bool(re.search(r"[/@_\\]", before))


def _are_two_words(
    left: str, right: str, vocabulary: Vocabulary, *, is_chain: bool
) -> bool:
    """Return whether parts that are no known word together are one each."""
    if is_chain:
        return is_english(left) or is_english(right) or right in _SHORT_WORDS
    if left.casefold() in _CLOSED_PREFIXES:
        return False
    if right in _OPEN_ENDS:
        return True
    return _is_word(left, vocabulary) and _is_word(right, vocabulary)


def _is_word(text: str, vocabulary: Vocabulary) -> bool:
    if len(text) < _MIN_WORD:
        return text in _SHORT_WORDS
    return is_english(text) or vocabulary.count(text) > 0


@cache
def _load_words() -> frozenset[str]:
    file = resources.files("dunegpt.ingest.extract").joinpath("english_words.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    return _FIELD_WORDS | frozenset(
        word for line in lines if not line.startswith("#") for word in line.split()
    )


def is_english(word: str) -> bool:
    """Return whether a word is a common English one, with regular endings."""
    words, word = _load_words(), word.casefold()
    return word in words or any(stem in words for stem in _stems(word))


def _stems(word: str) -> Iterable[str]:
    """Yield what a word may be without its ending."""
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_WORD - 1:
            stem = word[: len(word) - len(ending)]
            yield stem + replacement
            if len(stem) > _MIN_WORD and stem[-1] == stem[-2]:
                yield stem[:-1]
