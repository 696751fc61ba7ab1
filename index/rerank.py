"""Reads the best passages once more, each beside the question, with a cross-encoder.

The model is a folder with ``model.onnx`` and ``tokenizer.json``, run by onnxruntime:
a pair of texts in, one number out (or two, of which the second says yes). It reads in
the order of rank until a time is up; what it did not read stays behind, as it was.
Knows no index.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.config import Settings
from dunegpt.errors import ConfigError, IndexBrokenError

_BATCH = 4
_MAX_TOKENS = 512
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
        self._folder = folder
        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise ConfigError(f"The rerank model has no {folder / name}.")
        self._tokenizer = self._opened_tokenizer()
        self._session = self._opened_session()
        self._takes = {given.name for given in self._session.get_inputs()}
        try:
            self._read("a question", ["a passage"])
        except Exception as error:  # whatever a strange model makes the library raise
            raise ConfigError(
                f"The rerank model in {folder} cannot read a pair of texts: {error}",
                hint=_HINT,
            ) from error

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
            try:
                read = self._read(question, texts[start : start + _BATCH])
            except Exception as error:  # the library's types are not importable
                raise IndexBrokenError(
                    f"The rerank model in {self._folder}: {error}", hint=_HINT
                ) from error
            found += read.tolist()
        return found

    def _read(self, question: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        pairs = self._tokenizer.encode_batch([(question, text) for text in texts])
        feeds = {
            "input_ids": [pair.ids for pair in pairs],
            "attention_mask": [pair.attention_mask for pair in pairs],
            "token_type_ids": [pair.type_ids for pair in pairs],
        }
        arrays = {
            name: np.array(values, np.int64)
            for name, values in feeds.items()
            if name in self._takes
        }
        logits = np.asarray(self._session.run(None, arrays)[0], np.float64)
        logits = logits.reshape(len(texts), -1)
        if logits.shape[1] == 2:
            logits = logits[:, 1:] - logits[:, :1]
        if logits.shape[1] != 1 or not np.isfinite(logits).all():
            raise ValueError(f"an output of shape {logits.shape} is no score")
        return np.asarray(1 / (1 + np.exp(-np.clip(logits[:, 0], -50, 50))))

    def _opened_tokenizer(self) -> Any:
        from tokenizers import Tokenizer  # noqa: PLC0415 - 0.1 s, only to rerank

        try:
            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the library raises no narrower type
            raise ConfigError(
                f"The tokenizer in {self._folder}: {error}", hint=_HINT
            ) from error
        padding = tokenizer.padding or {}
        token = padding.get("pad_token", "[PAD]")
        tokenizer.enable_truncation(_MAX_TOKENS)
        tokenizer.enable_padding(
            pad_id=tokenizer.token_to_id(token) or 0, pad_token=token
        )
        return tokenizer

    def _opened_session(self) -> Any:
        import onnxruntime  # noqa: PLC0415 - 0.3 s, only to rerank

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(
                self._folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library's types are not importable
            raise ConfigError(
                f"The rerank model in {self._folder}: {error}", hint=_HINT
            ) from error
