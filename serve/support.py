"""How far passages back a sentence: by words, by meaning, and by yes or no.

The thresholds are those of ``benchmarks/support.py``; ``docs/grounding.md`` says what
they catch and what they cannot. Knows no numbers and no marks.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dunegpt.index.encoder import Encoder
from dunegpt.index.words import words
from dunegpt.serve.sentences import framed, sentences
from dunegpt.types import Hit

LEAST_SUPPORT = 0.44
"""Of a sentence by the passages that it cites."""
ATTACHED_SUPPORT = 0.6
"""Of a sentence by a passage that is found for it afterwards."""

_NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|nobody|nothing|unable|lacks?"
    r"|lacking|absent|absence|fails?|failed|failure|un(?:likely|able|safe|stable|changed"
    r"|known|available|affected|necessary)|in(?:sufficient|capable|valid)|prevent(?:s|ed)?"
    r"|exclud(?:e|es|ed|ing)|avoid(?:s|ed)?|den(?:y|ies|ied)|reject(?:s|ed)?|hardly"
    r"|barely|rarely|little|few|free of|rather than|instead of|except|unless|only"
    r"|stop(?:s|ped)?)"
    r"\b|n[\u2019']t\b",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:not|no|never|none|neither|cannot|without)\b|n[\u2019']t\b", re.IGNORECASE
)
_SAME = 0.6
_WINDOW = 2


class Support:
    """Says how far some passages back sentences; made once for an answer."""

    def __init__(self, hits: Sequence[Hit], encoder: Encoder | None = None) -> None:
        """Prepare to judge.

        Args:
            hits: What may be cited.
            encoder: Of the index; without one, words alone decide.
        """
        self._encoder = encoder
        self._sentences = {h.rank: list(sentences(h.passage.text)) for h in hits}
        self._words = {hit.rank: frozenset(words(framed(hit))) for hit in hits}
        self._vectors: dict[int, npt.NDArray[np.float32]] = {}

    def of(self, sentence: str, cited: Sequence[int]) -> float:
        """Return 0..1: how far the cited passages together back a sentence.

        Half is the share of its words that they have, half the cosine of the sentence
        with the most similar one or two of theirs.
        """
        own = words(sentence)
        if not own:
            return 0.0
        present = frozenset[str]().union(*(self._words[n] for n in cited))
        share = sum(word in present for word in own) / len(own)
        if self._encoder is None:
            return share
        vector = self._encoder.documents([sentence])[0]
        cosines = [self._of_passage(number) @ vector for number in cited]
        cosine = max((float(c.max()) for c in cosines if len(c)), default=0.0)
        return 0.5 * share + 0.5 * max(cosine, 0.0)

    def denies(self, sentence: str, cited: Sequence[int]) -> bool:
        """Return whether one of sentence and source says no where the other does not.

        Only where one sentence of the source has most of the sentence's words.
        """
        own = set(words(_NEGATIONS.sub(" ", sentence)))
        says_no = bool(_STRONG.search(sentence))
        best, near = 0.0, ""
        for number in cited:
            for text in self._sentences[number]:
                theirs = set(words(text))
                share = len(own & theirs) / max(len(own), 1)
                if share > best:
                    best, near = share, text
        if best < _SAME:
            return False
        if says_no:
            return not _NEGATIONS.search(near)
        return bool(_STRONG.search(near)) and not _NEGATIONS.search(sentence)

    def _of_passage(self, number: int) -> npt.NDArray[np.float32]:
        if number not in self._vectors:
            assert self._encoder is not None
            texts = _windows(self._sentences[number]) or [""]
            self._vectors[number] = self._encoder.documents(texts)
        return self._vectors[number]


def _windows(own: list[str]) -> list[str]:
    """Return sentences, and each with the one that follows it."""
    pairs = (own[n : n + _WINDOW] for n in range(len(own) - _WINDOW + 1))
    return own + [" ".join(pair) for pair in pairs]
