"""The encoder that a snapshot carries: text to vectors with onnxruntime alone.

A folder holds ``model.onnx`` (tokens to unit vectors), ``tokenizer.json`` and
``encoder.json``. So a server needs neither torch nor the model's own package, and can
never embed a question with another model than its index was made with. `export` makes
such a folder.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError

Vectors = npt.NDArray[np.float32]

FILES = ("encoder.json", "model.onnx", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What must be known of an encoder to use it.

    Attributes:
        id: Name and hash of the model's files: equal for equal vectors.
        dimension: Of the vectors.
        max_tokens: Longer texts are cut there, the two special tokens included.
        query_prompt: What the model wants in front of a question; likewise
            ``document_prompt`` in front of a passage.
    """

    id: str
    dimension: int
    max_tokens: int
    query_prompt: str = ""
    document_prompt: str = ""

    def write(self, folder: Path) -> None:
        """Write ``encoder.json`` into the folder."""
        content = json.dumps(asdict(self), indent=1, sort_keys=True)
        (folder / "encoder.json").write_text(content + "\n", encoding="utf-8")


def unit(vectors: Vectors) -> Vectors:
    """Return float32 of the same shape, its rows scaled to length 1."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


class Encoder:
    """An exported encoder, opened; what is slow to load is loaded when first used."""

    def __init__(self, folder: Path) -> None:
        """Open an encoder.

        Raises:
            IndexBrokenError: A file is missing or damaged.
        """
        self._folder = folder
        try:
            fields = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            self.info = EncoderInfo(**fields)
        except (OSError, ValueError, TypeError) as error:
            raise IndexBrokenError(f"The encoder in {folder}: {error}.") from error

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, special tokens left out."""
        return len(self._uncut.encode(text, add_special_tokens=False).ids)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 [len(texts), dimension]: unit rows, in the order of texts."""
        return self._encode([self.info.query_prompt + text for text in texts])

    def documents(self, texts: Sequence[str], *, batch_size: int = 16) -> Vectors:
        """Return float32 [len(texts), dimension], unit length, in the order of texts.

        Texts of like length go together, so that little is padded.
        """
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), self.info.dimension), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            prompt = self.info.document_prompt
            vectors[rows] = self._encode([prompt + texts[i] for i in rows])
        return vectors

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.info.dimension), dtype=np.float32)
        encodings = self._cut.encode_batch(texts)
        feeds = {
            "input_ids": np.array([e.ids for e in encodings], dtype=np.int64),
            "attention_mask": np.array(
                [e.attention_mask for e in encodings], dtype=np.int64
            ),
        }
        return unit(self._session.run(None, feeds)[0].astype(np.float32))

    @cached_property
    def _uncut(self) -> Any:
        tokenizer = self._tokenizer()
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _cut(self) -> Any:
        tokenizer = self._tokenizer()
        tokenizer.enable_truncation(self.info.max_tokens)
        padding = tokenizer.padding or {}
        pad_token = padding.get("pad_token", "[PAD]")
        pad_id = tokenizer.token_to_id(pad_token)
        tokenizer.enable_padding(pad_id=pad_id or 0, pad_token=pad_token)
        return tokenizer

    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer  # noqa: PLC0415 - 0.1 s, only to embed

        try:
            return Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the library raises no narrower type
            raise IndexBrokenError(
                f"The tokenizer in {self._folder}: {error}"
            ) from error

    @cached_property
    def _session(self) -> Any:
        try:
            return session(self._folder / "model.onnx")
        except Exception as error:  # the library's types are not importable
            raise IndexBrokenError(f"The encoder in {self._folder}: {error}") from error


def session(model: Path) -> Any:
    """Return a model opened by onnxruntime, whose own errors may be raised."""
    import onnxruntime  # noqa: PLC0415 - 0.3 s, only to embed

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # A thread that waits for its share of a question would burn as much CPU again.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )
