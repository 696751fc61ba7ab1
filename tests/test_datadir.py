"""The layout of the data folder: names that older folders have, and one writer."""

import stat
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.datadir import DataDir
from dunegpt.errors import StorageError

NAMES = {
    "accounts": "serve.db",
    "catalog": "catalog.db",
    "forgotten": "forgotten.json",
    "overlay": "overlay.db",
    "revoked_now": "revoked.json",
    "confirmations": "confirmations.db",
    "receipts": "receipts.db",
    "blobs": "blobs",
    "pages": "pages",
    "shards": "shards",
    "encoders": "encoders",
    "repositories": "git",
    "snapshots": "snapshots",
    "current_snapshot": "snapshots/current",
    "notices": "notices",
}


@pytest.mark.parametrize("place", NAMES)
def test_names_on_disk_do_not_change(tmp_path: Path, place: str) -> None:
    assert getattr(DataDir(tmp_path), place) == tmp_path / NAMES[place]


def test_every_place_has_its_name_here() -> None:
    places = {n for n, v in vars(DataDir).items() if isinstance(v, property)}
    assert places == NAMES.keys()


def test_paths_start_at_the_settings_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=Path("own"), config_dir=tmp_path)
    assert settings.paths == DataDir(tmp_path / "own")


def test_lock_admits_one_writer_at_a_time(tmp_path: Path) -> None:
    paths = DataDir(tmp_path / "new" / "data")
    with paths.lock(), pytest.raises(StorageError, match="Another"), paths.lock():
        pass
    with paths.lock():
        assert paths.root.is_dir()


def test_nobody_else_may_look_into_the_folder(tmp_path: Path) -> None:
    paths = DataDir(tmp_path / "data")
    with paths.lock():
        assert stat.S_IMODE(paths.root.stat().st_mode) == 0o700
