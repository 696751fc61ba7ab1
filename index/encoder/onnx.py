"""The encoder in a snapshot: embeds text with onnxruntime only.

Its folder holds ``model.onnx`` (tokens to unit vectors), ``tokenizer.json`` and
``encoder.json``. A server therefore needs neither torch nor the model's package, and
always embeds questions with the model of its index. `batch.export_encoder` makes such a
folder.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError
from dunegpt.files import damaged

Vectors = npt.NDArray[np.float32]

FILES = ("encoder.json", "model.onnx", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """Properties of an encoder, stored in ``encoder.json``.

    Attributes:
        id: Name of the model and hash of its files; equal ids mean equal vectors.
        dimension: Dimension of the vectors.
        max_tokens: Maximum number of tokens, with the two special ones; longer texts
            are truncated.
        query_prompt: Prefix of questions.
        document_prompt: Prefix of passages.
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


def normalize_rows(vectors: Vectors) -> Vectors:
    """Return the rows scaled to unit length, float32 of the same shape."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


class Encoder:
    """An exported encoder; model and tokenizer are loaded on first use."""

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
            message = f"The encoder in {folder}: {error}."
            raise damaged(error, message, path=folder) from error

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, without special tokens."""
        return len(self._full_tokenizer.encode(text, add_special_tokens=False).ids)

    def has_word(self, word: str) -> bool:
        """Return whether the vocabulary has a word, in lower case, as a whole."""
        # Of the tokenizer that questions are embedded with: a second one takes 20 ms.
        return self._truncating_tokenizer.token_to_id(word) is not None

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 [len(texts), dimension], in input order."""
        return self._encode([self.info.query_prompt + text for text in texts])

    def embed_documents(self, texts: Sequence[str], *, batch_size: int = 16) -> Vectors:
        """Return unit vectors, float32 [len(texts), dimension], in the order of texts.

        Texts of similar length share a batch, which keeps padding small.
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
        tokenizer, session = self._truncating_tokenizer, self._session
        try:
            encodings = tokenizer.encode_batch(texts)
            feeds = {
                "input_ids": np.array([e.ids for e in encodings], dtype=np.int64),
                "attention_mask": np.array(
                    [e.attention_mask for e in encodings], dtype=np.int64
                ),
            }
            vectors = session.run(None, feeds)[0].astype(np.float32)
        except Exception as error:  # the libraries' types are not importable
            message = f"The encoder in {self._folder}: {error}"
            raise damaged(error, message, path=self._folder) from error
        if vectors.shape != (len(texts), self.info.dimension):
            raise IndexBrokenError(f"The encoder in {self._folder} is damaged.")
        if not np.isfinite(vectors).all():
            raise IndexBrokenError(f"The encoder in {self._folder} gives no numbers.")
        return normalize_rows(vectors)

    @cached_property
    def _full_tokenizer(self) -> Any:
        tokenizer = self._load_tokenizer()
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _truncating_tokenizer(self) -> Any:
        return set_batching(self._load_tokenizer(), self.info.max_tokens)

    def _load_tokenizer(self) -> Any:
        try:
            return load_tokenizer(self._folder)
        except Exception as error:  # the library raises no narrower type
            message = f"The tokenizer in {self._folder}: {error}"
            raise damaged(error, message, path=self._folder) from error

    @cached_property
    def _session(self) -> Any:
        try:
            return open_session(self._folder / "model.onnx")
        except Exception as error:  # the library's types are not importable
            message = f"The encoder in {self._folder}: {error}"
            raise damaged(error, message, path=self._folder) from error


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model; raises the errors of tokenizers."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - 0.1 s, only with a model

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def set_batching(tokenizer: Any, max_tokens: int) -> Any:
    """Let a tokenizer truncate texts and pad batches; return it."""
    tokenizer.enable_truncation(max_tokens)
    pad_token = (tokenizer.padding or {}).get("pad_token", "[PAD]")
    pad_id = tokenizer.token_to_id(pad_token) or 0
    tokenizer.enable_padding(pad_id=pad_id, pad_token=pad_token)
    return tokenizer


def open_session(model: Path) -> Any:
    """Return an onnxruntime session of a model; raises the errors of onnxruntime."""
    import onnxruntime  # noqa: PLC0415 - 0.3 s, only to embed

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait by spinning would double the CPU time of a question.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )


class Embedder(Protocol):
    """Embeds passages."""

    @property
    def backend(self) -> str:
        """Library and precision; vectors of two backends differ in the last bits."""

    @property
    def info(self) -> EncoderInfo:
        """Properties of the model."""

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 [len(texts), dimension]."""
