"""Corrects typing errors in rare words of a question, with words the reader may see.

A word is taken for a typing error if no passage that the reader may find has it in any
form, if it is no common English word, and if one letter added, left out, changed or
exchanged makes a word of such a passage. So a suggestion never tells of hidden text.
The vocabulary of the encoder says which words are common.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re

_WORD = compile_re(r"(?<![\w./:@-])[^\W\d_]+(?![\w/:@-]|\.\w)")
_QUOTED = compile_re(r"\"[^\"]*\"|“[^”]*”|`[^`]*`")
_MIN_LETTERS = 5
_MIN_LETTERS_OF_NAME = 6
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_MAX_PASSAGES = 5


@dataclass(frozen=True, slots=True)
class Correction:
    """A word of a question that was read as another.

    Attributes:
        start: Offset of the word in the question.
        word: As typed.
        read_as: As a passage of the reader has it.
    """

    start: int
    word: str
    read_as: str


def find_corrections(
    question: str, snapshot: Snapshot, view: ReaderView
) -> Iterator[Correction]:
    """Yield the typing errors of a question, in its order.

    Raises:
        IndexBrokenError: A part of the index cannot be read.
    """
    weights: dict[str, float] | None = None
    unknown = snapshot.lexical.get_unknown_weight()
    plain = _QUOTED.sub(lambda match: "\0" * len(match[0]), question)
    for match in _WORD.finditer(plain):
        word = match[0]
        is_name = word[0].isupper() and match.start() > 0
        least = _MIN_LETTERS_OF_NAME if is_name else _MIN_LETTERS
        if len(word) < least or not word[1:].islower() or not word.isascii():
            continue
        if weights is None:
            weights = snapshot.lexical.get_word_weights(question, view.lexical_filter)
        forms = tokenize(word)
        if not forms or any(weights.get(form, 0.0) < unknown for form in forms):
            continue
        if snapshot.encoder.has_word(word.casefold()):
            continue
        if found := _find_nearest(word.casefold(), snapshot, view):
            yield Correction(match.start(), word, found)


def _find_nearest(word: str, snapshot: Snapshot, view: ReaderView) -> str:
    """Return the commonest word of the reader's passages that is one edit away."""
    lexical, clause = snapshot.lexical, view.lexical_filter
    stems: dict[str, None] = {}
    for candidate in _iterate_edits(word):
        for stem in tokenize(candidate):
            if len(stem) > 2:
                stems.setdefault(stem)
    known = lexical.select_known(tuple(stems), clause)
    known.sort(key=lambda stem: (stem[0] != word[0], lexical.get_idf(stem)))
    for stem in known:
        rows = lexical.find_word(stem, clause, _MAX_PASSAGES)
        texts = [
            passage.text for _, passage in snapshot.store.get_passages(rows).values()
        ]
        if found := _pick_spelling(word, stem, texts):
            return found
    return ""


def _pick_spelling(word: str, stem: str, texts: list[str]) -> str:
    """Return the word with a stem that is most like the one typed; empty if none is."""
    edits = set(_iterate_edits(word))
    words = {w.casefold() for text in texts for w in _WORD.findall(text)}
    fitting = sorted(w for w in words if stem in tokenize(w))
    return next((w for w in fitting if w in edits), fitting[0] if fitting else "")


def _iterate_edits(word: str) -> Iterator[str]:
    """Yield what one exchange, insertion, deletion or change of a letter makes.

    Source: Norvig, How to Write a Spelling Corrector (2007).
    """
    splits = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    yield from (a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1)
    yield from (a + letter + b for a, b in splits for letter in _ALPHABET)
    yield from (a + b[1:] for a, b in splits if b)
    yield from (a + letter + b[1:] for a, b in splits if b for letter in _ALPHABET)
