"""Runs an optional entailment model: does the source say what is claimed?

The model reads a part of a cited passage and the sentence, and gives one number each
for "it follows", "it may or may not" and "it is denied". Which is which, the
``id2label`` of its ``config.json`` tells. Knows no rules: those are checked before.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.files import damaged
from dunegpt.index.encoder.cross_encoder import CrossEncoder
from dunegpt.index.passage_text import format_hit
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Citation

_HINT = (
    "[answer] entailment names a folder with model.onnx, tokenizer.json and a"
    " config.json whose id2label has entailment, neutral and contradiction."
)
_LABELS = ("entailment", "neutral", "contradiction")
_MAX_SENTENCES = 3


class EntailmentModel:
    """An entailment model, opened and tried."""

    trust = 1.0

    def __init__(self, folder: Path, least: float) -> None:
        """Open a model.

        Args:
            folder: With its files.
            least: Probability of "it follows" that speaks neither for nor against.

        Raises:
            ConfigError: It is missing, damaged, or its labels are not known.
        """
        self._least = least
        self._label_indices = _read_label_indices(folder / "config.json")
        self._model = CrossEncoder(folder, "entailment model", _HINT)
        self._model.validate(len(_LABELS))

    @classmethod
    def from_settings(cls, settings: Settings) -> "EntailmentModel | None":
        """Return the model that the settings name, or None if they name none.

        Raises:
            ConfigError: It cannot be used.
        """
        table = settings.answer
        if not table.entailment:
            return None
        return cls(settings.resolve_path(table.entailment), table.least_entailment)

    def submit(self, sentence: str, cited: Sequence[Citation]) -> bool:
        """Return that there is nothing to wait for: it reads when it is asked."""
        return True

    def estimate(self, sentence: str, cited: Sequence[Citation]) -> float:
        """Return how probably the cited passages back a sentence.

        Each passage is read whole, and in the parts that share most words with the
        sentence: the best reading counts.

        Raises:
            IndexBrokenError: The model fails.
        """
        parts = [
            part for citation in cited for part in _select_premises(citation, sentence)
        ]
        shares = _softmax(
            self._model.compute_logits([(part, sentence) for part in parts])
        )
        share = float(np.max(shares[:, self._label_indices[0]]))
        odds = share / max(1 - share, 1e-9) * (1 - self._least) / self._least
        return odds / (1 + odds)


def _select_premises(citation: Citation, sentence: str) -> list[str]:
    """Return a passage, and its sentences that are most like the one in question."""
    own = set(sentence.casefold().split())
    found = sorted(
        split_sentences(citation.hit.passage.text),
        key=lambda text: -len(own & set(text.casefold().split())),
    )
    return [format_hit(citation.hit), *found[:_MAX_SENTENCES]]


def _read_label_indices(config: Path) -> tuple[int, int, int]:
    """Return where the numbers for the three labels stand.

    Raises:
        ConfigError: The file is missing, or has no such labels.
    """
    try:
        labels = json.loads(config.read_text("utf-8"))["id2label"]
        by_name = {str(name).casefold(): int(n) for n, name in labels.items()}
        one, two, three = (by_name[name] for name in _LABELS)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise damaged(
            error,
            f"{config} does not tell the labels of the entailment model: {error!r}",
            path=config,
            kind=ConfigError,
            hint=_HINT,
        ) from error
    return one, two, three


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
