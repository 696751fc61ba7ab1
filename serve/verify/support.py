"""How far passages back a sentence: by words, by meaning, and by yes or no.

The thresholds are those of ``benchmarks/support.py``; ``docs/answers.md`` says what
they catch and what they cannot. Knows no numbers and no marks.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import format_hit
from dunegpt.text.analyzer import tokenize
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Hit

MIN_SUPPORT = 0.44
"""Of a sentence by the passages that it cites."""
MIN_ATTACHED_SUPPORT = 0.6
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
_STRONG_NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|neither|cannot|without)\b|n[\u2019']t\b", re.IGNORECASE
)
_MIN_OVERLAP = 0.6
_WINDOW = 2
_MAX_NEAREST = 4
_BATCH = 4


class SupportScorer:
    """Says how far some passages back sentences; made once for an answer."""

    def __init__(self, hits: Sequence[Hit], encoder: Encoder | None = None) -> None:
        """Prepare to judge.

        Args:
            hits: What may be cited.
            encoder: Of the index; without one, words alone decide.
        """
        self._encoder = encoder
        self._sentences = {h.rank: list(split_sentences(h.passage.text)) for h in hits}
        self._words = {hit.rank: frozenset(tokenize(format_hit(hit))) for hit in hits}
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}

    def find_lacking_support(
        self, sentence: str, cited: Sequence[int], least: float
    ) -> float | None:
        """Return how far the cited passages back a sentence, if that is too little.

        Nothing is embedded where its words alone decide.

        Args:
            sentence: Without marks.
            cited: Numbers of the passages.
            least: Support that it must have.
        """
        words_alone = 0.5 * self.word_share(sentence, cited)
        if self._encoder is not None and words_alone >= least:
            return None
        support = self.score(sentence, cited)
        return support if support < least else None

    def score(self, sentence: str, cited: Sequence[int]) -> float:
        """Return 0..1: how far the cited passages together back a sentence.

        Half is the share of its words that they have, half the cosine of the sentence
        with the most similar one or two of those of theirs that have most of its words.
        """
        share = self.word_share(sentence, cited)
        if self._encoder is None or not tokenize(sentence):
            return share
        own = set(tokenize(sentence))
        texts = [text for number in cited for text in self._select_nearest(own, number)]
        known = self._embed([sentence, *texts])
        cosines = [float(known[text] @ known[sentence]) for text in texts]
        return 0.5 * share + 0.5 * max([0.0, *cosines])

    def word_share(self, sentence: str, cited: Sequence[int]) -> float:
        """Return the share of a sentence's words that the cited passages have."""
        own = tokenize(sentence)
        present = frozenset[str]().union(*(self._words[n] for n in cited))
        return sum(word in present for word in own) / max(len(own), 1)

    def contradicts(self, sentence: str, cited: Sequence[int]) -> bool:
        """Return whether one of sentence and source says no where the other does not.

        Only where one sentence of the source has most of the sentence's words.
        """
        own = set(tokenize(_NEGATIONS.sub(" ", sentence)))
        says_no = bool(_STRONG_NEGATIONS.search(sentence))
        best, near = 0.0, ""
        for number in cited:
            for text in self._sentences[number]:
                theirs = set(tokenize(text))
                share = len(own & theirs) / max(len(own), 1)
                if share > best:
                    best, near = share, text
        if best < _MIN_OVERLAP:
            return False
        if says_no:
            return not _NEGATIONS.search(near)
        return bool(_STRONG_NEGATIONS.search(near)) and not _NEGATIONS.search(sentence)

    def _select_nearest(self, own: set[str], number: int) -> list[str]:
        """Return the few parts of a passage that have most of some words."""
        parts = _make_windows(self._sentences[number])
        parts.sort(key=lambda part: -len(own & set(tokenize(part))))
        return parts[:_MAX_NEAREST]

    def _embed(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the vectors of texts, and of all before them."""
        assert self._encoder is not None
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        vectors = self._encoder.embed_documents(new, batch_size=_BATCH)
        self._vectors.update(zip(new, vectors, strict=True))
        return self._vectors


def _make_windows(own: list[str]) -> list[str]:
    """Return sentences, and each with the one that follows it."""
    pairs = (own[n : n + _WINDOW] for n in range(len(own) - _WINDOW + 1))
    return own + [" ".join(pair) for pair in pairs]
