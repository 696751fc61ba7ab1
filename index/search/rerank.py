"""Rescores the best passages with a cross-encoder that reads question and passage.

The model returns one logit for a pair, or two, the second of which means "relevant".
Passages are read in the order of rank until the time budget is spent. Does not depend
on the index.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dunegpt.config import Settings
from dunegpt.index.encoder.cross_encoder import CrossEncoder

_BATCH = 4
_HINT = "[rerank] model names a folder with model.onnx and tokenizer.json."


class Reranker:
    """A cross-encoder that was loaded and validated.

    Attributes:
        passages: Maximum number of passages to score.
        budget_ms: Time budget in milliseconds; a batch that was begun is finished.
    """

    def __init__(
        self, folder: Path, *, passages: int = 50, budget_ms: float = 500
    ) -> None:
        """Load a model and validate it on one pair.

        Raises:
            ConfigError: The model is missing or damaged, or its output is not usable.
        """
        self.passages = passages
        self.budget_ms = budget_ms
        self._model = CrossEncoder(folder, "rerank model", _HINT)
        self._model.validate()

    @classmethod
    def from_settings(cls, settings: Settings) -> "Reranker | None":
        """Return the model that the settings name, or None if they name none.

        Raises:
            ConfigError: The model cannot be used.
        """
        table = settings.rerank
        if not table.model:
            return None
        folder = settings.resolve_path(table.model)
        return cls(folder, passages=table.passages, budget_ms=table.budget_ms)

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return relevance scores, 0..1, of the first texts, until the time is spent.

        The first batch is always scored.

        Raises:
            IndexBrokenError: The model fails, or a score is not finite.
        """
        end = time.monotonic() + self.budget_ms / 1000
        scores: list[float] = []
        texts = texts[: self.passages]
        for start in range(0, len(texts), _BATCH):
            if start and time.monotonic() >= end:
                break
            batch = texts[start : start + _BATCH]
            logits = self._model.compute_logits([(question, text) for text in batch])
            scores += _to_probabilities(logits).tolist()
        return scores


def _to_probabilities(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return probabilities from logits with one or two columns."""
    logit = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0.0)
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -50, 50))))
