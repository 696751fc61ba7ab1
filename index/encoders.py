"""Finds the encoder that an index is made with, and what embeds in bulk with it.

With torch, the model of the settings is exported once and embedded with in batches;
without, a given export or that of the current snapshot does both.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.index import embed
from dunegpt.index.encoder import Encoder, EncoderInfo, Vectors
from dunegpt.index.shards import Embedder
from dunegpt.index.snapshot import CURRENT


@dataclass(frozen=True, slots=True)
class _ExportedEmbedder:
    """The ONNX encoder of a snapshot as a batch encoder: slower, but no torch."""

    encoder: Encoder
    backend: str = "onnxruntime-fp32"

    @property
    def info(self) -> EncoderInfo:
        return self.encoder.info

    def documents(self, texts: Sequence[str]) -> Vectors:
        return self.encoder.documents(texts)


def embedder(settings: Settings, folder: Path) -> Embedder:
    """Return what embeds passages.

    Args:
        settings: Which model, how precisely.
        folder: Of the exported encoder.
    """
    if embed.is_installed() and not _given(settings):
        return embed.BatchEncoder(settings.embed)
    return _ExportedEmbedder(Encoder(folder))


def folder(settings: Settings, progress: Callable[[str, int, int], None]) -> Path:
    """Return the folder of the exported encoder, exporting it if need be.

    Raises:
        ConfigError: There is no model here, nor a snapshot that has one.
    """
    if given := _given(settings):
        return given
    if not embed.is_installed():
        own = settings.data / "snapshots" / CURRENT / "encoder"
        if own.is_dir():
            return own
        raise ConfigError(
            "This installation cannot embed, and there is no snapshot to use.",
            hint="pip install 'dunegpt[embed]' -c constraints.txt",
        )
    name = settings.embed.model
    identity = embed.encoder_id(embed.model_folder(name))
    exports = settings.data / "encoders"
    for left in exports.glob(".new-*"):
        shutil.rmtree(left)
    target = exports / f"{Path(name).name}-{identity}"
    if not target.is_dir():
        progress("export", 0, 1)
        embed.export(settings.embed, target)
        progress("export", 1, 1)
    return target


def _given(settings: Settings) -> Path | None:
    """Return the folder that ``[embed] model`` names, if it is an exported encoder.

    So an installation without torch can embed with an encoder made elsewhere.
    """
    named = settings.path(settings.embed.model)
    return named if (named / "encoder.json").is_file() else None
