"""Reads the best passages once more, each beside the question, with a cross-encoder.

The model gives one number for a pair (or two, of which the second says yes). It reads
in the order of rank until a time is up; what it did not read stays behind, as it was.
Knows no index.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dunegpt.config import Settings
from dunegpt.index.pairs import PairModel

_BATCH = 4
_HINT = "[rerank] model names a folder with model.onnx and tokenizer.json."


class Reranker:
    """A cross-encoder, opened and tried.

    Attributes:
        passages: So many of the best passages are read.
        budget_ms: Milliseconds that reading may take; the batch at hand is finished.
    """

    def __init__(
        self, folder: Path, *, passages: int = 50, budget_ms: float = 500
    ) -> None:
        """Open a model and try it on one pair.

        Raises:
            ConfigError: The model is missing, damaged, or gives no such numbers.
        """
        self.passages = passages
        self.budget_ms = budget_ms
        self._model = PairModel(folder, "rerank model", _HINT)
        self._model.try_out()

    @classmethod
    def of(cls, settings: Settings) -> "Reranker | None":
        """Return the model that the settings name, or None if they name none.

        Raises:
            ConfigError: It cannot be used.
        """
        table = settings.rerank
        if not table.model:
            return None
        folder = settings.path(table.model)
        return cls(folder, passages=table.passages, budget_ms=table.budget_ms)

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return how well texts answer, 0..1: of the first ones, until time is up.

        At least the first few are read, whatever the time.

        Raises:
            IndexBrokenError: The model fails, or gives what is no number.
        """
        end = time.monotonic() + self.budget_ms / 1000
        found: list[float] = []
        texts = texts[: self.passages]
        for start in range(0, len(texts), _BATCH):
            if start and time.monotonic() >= end:
                break
            batch = texts[start : start + _BATCH]
            logits = self._model.logits([(question, text) for text in batch])
            found += _shares(logits).tolist()
        return found


def _shares(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return 0..1 for one or two numbers a pair."""
    own = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0.0)
    return np.asarray(1 / (1 + np.exp(-np.clip(own, -50, 50))))
