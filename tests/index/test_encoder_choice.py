"""A damaged export of the encoder is not linked into the next snapshot."""

import os
import shutil
from pathlib import Path

import pytest

from dunegpt.config import EmbedSettings, Settings
from dunegpt.errors import IndexBrokenError
from dunegpt.index import encoder_choice
from dunegpt.index.build import build
from dunegpt.index.encoder import batch
from tests.index.corpus import document, fill


@pytest.fixture
def exporting(
    settings: Settings, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Return settings with a model that is exported by a copy."""

    def export(table: EmbedSettings, folder: Path) -> None:
        shutil.copytree(tiny_encoder, folder)

    monkeypatch.setattr(batch, "is_installed", lambda: True)
    monkeypatch.setattr(batch, "find_model_folder", lambda name: tiny_encoder)
    monkeypatch.setattr(batch, "hash_model", lambda folder: "abc")
    monkeypatch.setattr(batch, "export_encoder", export)
    embed = settings.embed.model_copy(update={"model": "tiny"})
    return settings.model_copy(update={"embed": embed})


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-50, os.SEEK_END)
        (byte,) = file.read(1)
        file.seek(-50, os.SEEK_END)
        file.write(bytes([byte ^ 1]))


def find(settings: Settings) -> Path:
    return encoder_choice.find_encoder_folder(settings, lambda *_: None)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_a_damaged_export_is_made_again(
    exporting: Settings, tiny_encoder: Path, name: str
) -> None:
    folder = find(exporting)
    before = folder.stat().st_ino
    assert find(exporting).stat().st_ino == before
    flip(folder / name)
    assert (find(exporting) / name).read_bytes() == (tiny_encoder / name).read_bytes()


def test_without_a_model_a_damaged_one_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, [(document("n:1"), {"a.txt": ["Argon purity."]})])
    build(settings)
    monkeypatch.setattr(batch, "is_installed", lambda: False)
    embed = settings.embed.model_copy(update={"model": "tiny"})
    without = settings.model_copy(update={"embed": embed})
    assert find(without).name == "encoder"
    flip(settings.paths.current_snapshot / "encoder" / "model.onnx")
    with pytest.raises(IndexBrokenError, match="encoder") as caught:
        find(without)
    assert "--rebuild" in caught.value.hint
