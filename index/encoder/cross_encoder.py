"""Runs a cross-encoder, a model that reads a pair of texts, with onnxruntime.

Reranking and entailment use it. A model is a folder with ``model.onnx`` and
``tokenizer.json``. Does not depend on what the texts are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.errors import ConfigError, DuneGPTError
from dunegpt.files import damaged
from dunegpt.index.encoder.onnx import load_tokenizer, open_session, set_batching

MAX_TOKENS = 512


class CrossEncoder:
    """A loaded cross-encoder."""

    def __init__(self, folder: Path, name: str, hint: str) -> None:
        """Load a model.

        Args:
            folder: Folder of the model.
            name: Name of the model in error messages, such as "rerank model".
            hint: Hint for error messages.

        Raises:
            ConfigError: The model is missing or damaged.
        """
        self._folder, self._name, self._hint = folder, name, hint
        for file in ("model.onnx", "tokenizer.json"):
            if not (folder / file).is_file():
                raise ConfigError(f"The {name} has no {folder / file}.", hint=hint)
        self._tokenizer = self._open_tokenizer()
        self._session = self._open_session()
        self._input_names = {node.name for node in self._session.get_inputs()}

    def compute_logits(
        self, pairs: Sequence[tuple[str, str]]
    ) -> npt.NDArray[np.float64]:
        """Return the logits of each pair, float64 [len(pairs), labels].

        Raises:
            IndexBrokenError: The model fails, or a logit is not finite.
        """
        try:
            return self._run_model(pairs)
        except Exception as error:  # the library's types are not importable
            message = f"The {self._name} in {self._folder}: {error}"
            raise damaged(error, message, hint=self._hint) from error

    def validate(self, labels: int | None = None) -> None:
        """Check the model on one pair.

        Args:
            labels: Required number of logits; None for one or two.

        Raises:
            ConfigError: The model fails, or has another number of logits.
        """
        try:
            width = self._run_model([("a question", "a passage")]).shape[1]
            if width not in ({1, 2} if labels is None else {labels}):
                raise ValueError(f"it returns {width} numbers for a pair")
        except Exception as error:  # the library's types are not importable
            message = f"The {self._name} in {self._folder} cannot be used: {error}"
            raise self._unusable(error, message) from error

    def _run_model(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        encoded = self._tokenizer.encode_batch(list(pairs))
        feeds = {
            "input_ids": [pair.ids for pair in encoded],
            "attention_mask": [pair.attention_mask for pair in encoded],
            "token_type_ids": [pair.type_ids for pair in encoded],
        }
        arrays = {
            name: np.array(values, np.int64)
            for name, values in feeds.items()
            if name in self._input_names
        }
        logits = np.asarray(self._session.run(None, arrays)[0], np.float64)
        logits = logits.reshape(len(pairs), -1)
        if not np.isfinite(logits).all():
            raise ValueError("it returns a score that is not finite")
        return logits

    def _open_tokenizer(self) -> Any:
        try:
            return set_batching(load_tokenizer(self._folder), MAX_TOKENS)
        except Exception as error:  # the library raises no narrower type
            message = f"The tokenizer of the {self._name} in {self._folder}: {error}"
            raise self._unusable(error, message) from error

    def _unusable(self, error: Exception, message: str) -> DuneGPTError:
        return damaged(
            error, message, path=self._folder, hint=self._hint, kind=ConfigError
        )

    def _open_session(self) -> Any:
        try:
            return open_session(self._folder / "model.onnx")
        except Exception as error:  # the library's types are not importable
            message = f"The {self._name} in {self._folder}: {error}"
            raise self._unusable(error, message) from error
