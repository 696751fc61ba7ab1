"""A model that reads two texts beside each other, run by onnxruntime.

Cross-encoders for reranking and for entailment are such models: a folder with
``model.onnx`` and ``tokenizer.json``. Knows no question and no passage.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.errors import ConfigError, IndexBrokenError
from dunegpt.index.encoder import session

MAX_TOKENS = 512


class PairModel:
    """A model of pairs, opened."""

    def __init__(self, folder: Path, name: str, hint: str) -> None:
        """Open a model.

        Args:
            folder: With its files.
            name: What it is called in errors: "rerank model".
            hint: What to do, for errors.

        Raises:
            ConfigError: It is missing or damaged.
        """
        self._folder, self._name, self._hint = folder, name, hint
        for file in ("model.onnx", "tokenizer.json"):
            if not (folder / file).is_file():
                raise ConfigError(f"The {name} has no {folder / file}.", hint=hint)
        self._tokenizer = self._opened_tokenizer()
        self._session = self._opened_session()
        self._takes = {given.name for given in self._session.get_inputs()}

    def logits(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        """Return what the model gives for each pair, [pairs, labels].

        Raises:
            IndexBrokenError: The model fails, or gives what is no number.
        """
        try:
            return self._read(pairs)
        except Exception as error:  # the library's types are not importable
            raise IndexBrokenError(
                f"The {self._name} in {self._folder}: {error}", hint=self._hint
            ) from error

    def try_out(self, labels: int | None = None) -> None:
        """Read one pair, to see whether the model can.

        Args:
            labels: So many numbers it must give; None for one or two.

        Raises:
            ConfigError: It cannot.
        """
        try:
            width = self._read([("a question", "a passage")]).shape[1]
            if width not in ({1, 2} if labels is None else {labels}):
                raise ValueError(f"it gives {width} numbers for a pair")
        except Exception as error:  # whatever a strange model makes the library raise
            raise ConfigError(
                f"The {self._name} in {self._folder} cannot read a pair of texts:"
                f" {error}",
                hint=self._hint,
            ) from error

    def _read(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        encoded = self._tokenizer.encode_batch(list(pairs))
        feeds = {
            "input_ids": [pair.ids for pair in encoded],
            "attention_mask": [pair.attention_mask for pair in encoded],
            "token_type_ids": [pair.type_ids for pair in encoded],
        }
        arrays = {
            name: np.array(values, np.int64)
            for name, values in feeds.items()
            if name in self._takes
        }
        logits = np.asarray(self._session.run(None, arrays)[0], np.float64)
        logits = logits.reshape(len(pairs), -1)
        if not np.isfinite(logits).all():
            raise ValueError("it gives what is no score")
        return logits

    def _opened_tokenizer(self) -> Any:
        from tokenizers import Tokenizer  # noqa: PLC0415 - 0.1 s, only with a model

        try:
            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the library raises no narrower type
            raise ConfigError(
                f"The tokenizer of the {self._name} in {self._folder}: {error}",
                hint=self._hint,
            ) from error
        padding = tokenizer.padding or {}
        token = padding.get("pad_token", "[PAD]")
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding(
            pad_id=tokenizer.token_to_id(token) or 0, pad_token=token
        )
        return tokenizer

    def _opened_session(self) -> Any:
        try:
            return session(self._folder / "model.onnx")
        except Exception as error:  # the library's types are not importable
            raise ConfigError(
                f"The {self._name} in {self._folder}: {error}", hint=self._hint
            ) from error
