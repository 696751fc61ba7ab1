"""Selects the encoder of an index, and the embedder for its passages.

With torch, the configured model is exported once and embeds passages in batches.
Without torch, a configured export or that of the current snapshot is used for both.
"""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import ConfigError, IndexBrokenError, IndexMismatchError
from dunegpt.files import hash_file, write_atomically
from dunegpt.index.encoder import batch
from dunegpt.index.encoder.onnx import FILES, Embedder, Encoder, EncoderInfo, Vectors
from dunegpt.index.snapshot import integrity
from dunegpt.index.snapshot.manifest import read_manifest

log = logging.getLogger(__name__)

_HASHES = "hashes.json"


@dataclass(frozen=True, slots=True)
class _ExportedEmbedder:
    """Embeds passages with an exported encoder: slower, but needs no torch."""

    encoder: Encoder
    backend: str = "onnxruntime-fp32"

    @property
    def info(self) -> EncoderInfo:
        return self.encoder.info

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self.encoder.embed_documents(texts)


def make_embedder(settings: Settings, folder: Path) -> Embedder:
    """Return the embedder for passages.

    Args:
        settings: Settings with model and precision.
        folder: Folder of the exported encoder.
    """
    if batch.is_installed() and not _find_configured(settings):
        return batch.BatchEncoder(settings.embed)
    return _ExportedEmbedder(Encoder(folder))


def find_encoder_folder(
    settings: Settings, progress: Callable[[str, int, int], None]
) -> Path:
    """Return the folder of the exported encoder; export it if necessary.

    Raises:
        ConfigError: Neither a model nor a snapshot with an encoder is available.
    """
    if configured := _find_configured(settings):
        return configured
    if not batch.is_installed():
        current = settings.paths.current_snapshot / "encoder"
        if current.is_dir():
            if not _is_intact(settings, current):
                raise IndexBrokenError(
                    f"The encoder in {current} is damaged.",
                    hint="Copy or publish another snapshot; or install 'dunegpt[embed]'"
                    " and run 'dunegpt index --rebuild'.",
                )
            return current
        raise ConfigError(
            "This installation cannot embed, and there is no snapshot to use.",
            hint="pip install 'dunegpt[embed]' -c constraints.txt",
        )
    name = settings.embed.model
    identity = batch.hash_model(batch.find_model_folder(name))
    exports = settings.paths.encoders
    for leftover in exports.glob(".new-*"):
        shutil.rmtree(leftover)
    target = exports / f"{Path(name).name}-{identity}"
    if target.is_dir() and not _is_intact(settings, target):
        log.warning("The encoder in %s is damaged; it is exported again.", target)
        shutil.rmtree(target)
    if not target.is_dir():
        progress("export", 0, 1)
        batch.export_encoder(settings.embed, target)
        _record_hashes(target)
        progress("export", 1, 1)
    return target


def _record_hashes(folder: Path) -> None:
    """Write the size and hash of each file of an export beside them."""
    files = {
        name: {
            "bytes": (folder / name).stat().st_size,
            "sha256": hash_file(folder / name),
        }
        for name in FILES
    }
    write_atomically(folder / _HASHES, json.dumps(files).encode())


def _is_intact(settings: Settings, folder: Path) -> bool:
    """Return whether the files of an encoder are what they were when it was exported.

    Snapshots share them by hard links, so damage of one is damage of both. True if it
    cannot be told.
    """
    try:
        files = _read_hashes(settings, folder)
        due = integrity.list_due(folder, files, integrity.MAX_AGE)
        integrity.check_hashes(folder, files, due)
    except (IndexBrokenError, ValueError, TypeError, LookupError):
        return False
    return True


def _read_hashes(settings: Settings, folder: Path) -> dict[str, Any]:
    """Return sizes and hashes of an encoder, of the snapshot if it has none itself."""
    if (folder / _HASHES).is_file():
        hashes: dict[str, Any] = json.loads((folder / _HASHES).read_bytes())
        return {name: hashes[name] for name in FILES}
    try:
        manifest = read_manifest(settings.paths.current_snapshot)
    except (IndexBrokenError, IndexMismatchError):
        return {}
    if Encoder(folder).info.id != manifest["encoder"]:
        return {}
    files = {name: manifest["files"].get(f"encoder/{name}") for name in FILES}
    return {name: facts for name, facts in files.items() if facts}


def _find_configured(settings: Settings) -> Path | None:
    """Return the folder in ``[embed] model`` if it holds an exported encoder.

    This lets an installation without torch use an encoder exported elsewhere.
    """
    folder = settings.resolve_path(settings.embed.model)
    return folder if (folder / "encoder.json").is_file() else None
