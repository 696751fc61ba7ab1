"""What an operator does with snapshots: verify, publish, go back, compare, collect."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dunegpt.config import EmbedSettings, Settings
from dunegpt.errors import IndexBrokenError, StorageError, UsageError
from dunegpt.files import hash_file
from dunegpt.index import manage
from dunegpt.index.build import build
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot import integrity
from dunegpt.index.snapshot.snapshot import Snapshot
from tests.index.corpus import PUBLIC, document, fill, readers

WORDS = ["argon", "purity", "cathode"]


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> tuple[Path, list[str]]:
    """Give a data folder with three snapshots, and their ids, made once."""
    data = tmp_path_factory.mktemp("template") / "data"
    data.mkdir()
    settings = Settings(data_dir=data, embed=EmbedSettings(model=str(tiny_encoder)))
    ids = []
    for version in range(1, 4):
        texts = [f"{word} {version if n == 0 else 0}" for n, word in enumerate(WORDS)]
        corpus = [
            (
                document(f"n:{n}", access=readers("n:lar") if n == 1 else PUBLIC),
                {"a.txt": [text, "a second page of it"]},
            )
            for n, text in enumerate(texts[:version])
        ]
        fill(settings, corpus)
        ids.append(build(settings).snapshot)
    return data, ids


@pytest.fixture
def made(settings: Settings, template: tuple[Path, list[str]]) -> list[str]:
    """Return the ids of three snapshots: each has one document more, one changed."""
    data, ids = template
    # Unlike shutil, cp keeps the files that the snapshots share one file.
    subprocess.run(["cp", "-a", str(data), str(settings.data)], check=True)
    return list(ids)


def current(settings: Settings) -> str:
    return os.readlink(settings.paths.current_snapshot)


def folder(settings: Settings, name: str) -> Path:
    return settings.paths.snapshots / name


def test_list(settings: Settings, made: list[str]) -> None:
    found = manage.list_snapshots(settings)
    assert {s.id for s in found} == set(made)
    assert [s.id for s in found if s.is_current] == made[-1:]
    newest = next(s for s in found if s.is_current)
    assert (newest.documents, newest.passages, newest.error) == (3, 3, "")
    assert 0 < newest.own_bytes < newest.size_bytes
    (folder(settings, made[0]) / "manifest.json").write_text("{")
    assert [s.id for s in manage.list_snapshots(settings) if s.error] == made[:1]


def test_verify(settings: Settings, made: list[str]) -> None:
    for name in (*made, "current", made[0][:8]):
        assert manage.verify(settings, name).errors == []
    told: list[tuple[int, int]] = []
    found = manage.verify(settings, made[2], lambda *how: told.append(how))
    assert told[-1] == (found.files + 3, found.files + 3)


def bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # others share it by a link
    path.write_bytes(content)


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda p: bit(next(p.glob("parts/*/texts.db"))), "texts.db is changed"),
    (lambda p: bit(next(p.glob("parts/*/vectors.faiss"))), "vectors.faiss is changed"),
    (lambda p: bit(p / "documents.db"), "documents.db is changed"),
    (lambda p: (p / "row_record.npy").unlink(), "row_record.npy is missing"),
    (lambda p: (p / "extra").write_text("x"), "extra is not in the manifest"),
    (lambda p: (p / "manifest.json").write_text("{"), "manifest.json"),
]


@pytest.mark.parametrize(("damage", "told"), DAMAGE)
def test_verify_finds(
    settings: Settings, made: list[str], damage: Callable[[Path], object], told: str
) -> None:
    damage(folder(settings, made[1]))
    (error, *_) = manage.verify(settings, made[1]).errors
    assert told in error


def test_verify_recomputes_the_content_id(settings: Settings, made: list[str]) -> None:
    """Files as the manifest says, but another content: the id gives it away."""
    path = folder(settings, made[1]) / "manifest.json"
    wrong = path.read_text().replace(made[1], "0" * 24)
    path.write_text(wrong)
    folder(settings, made[1]).rename(folder(settings, "0" * 24))
    (error,) = manage.verify(settings, "0" * 24).errors
    assert f"its content id is {made[1]}" in error


def test_verify_finds_other_readers(settings: Settings, made: list[str]) -> None:
    """An access table that was exchanged, hashes and all, is still found out."""
    here = folder(settings, made[2])
    rows = np.load(here / "row_access.npy")
    (here / "row_access.npy").unlink()
    np.save(here / "row_access.npy", np.full_like(rows, rows[0]))
    manifest = json.loads((here / "manifest.json").read_text())
    own = manifest["files"]["row_access.npy"]
    own["sha256"] = hash_file(here / "row_access.npy")
    (here / "manifest.json").write_text(json.dumps(manifest))
    errors = manage.verify(settings, made[2]).errors
    assert errors
    assert all("has a wrong access set" in error for error in errors)


def test_publish_and_rollback(settings: Settings, made: list[str]) -> None:
    assert manage.rollback(settings) == made[1] == current(settings)
    assert manage.rollback(settings) == made[0]
    with pytest.raises(UsageError, match="no older"):
        manage.rollback(settings)
    assert manage.publish(settings, made[2][:6]) == made[2] == current(settings)
    assert not build(settings).published
    manage.rollback(settings)
    assert build(settings).published, "the catalog is as the newest one"
    assert current(settings) == made[2]


def test_a_broken_one_is_not_published(settings: Settings, made: list[str]) -> None:
    bit(next(folder(settings, made[0]).glob("parts/*/vectors.faiss")))
    with pytest.raises(IndexBrokenError):
        manage.publish(settings, made[0])
    assert current(settings) == made[2]
    manage.rollback(settings)
    with pytest.raises(IndexBrokenError):
        manage.rollback(settings)


def test_what_decays_on_the_disk_is_not_published(
    settings: Settings, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the content tells: every hash is checked, however recently."""
    path = folder(settings, made[0])
    Snapshot(path).close()
    with next(path.glob("parts/*/texts.db")).open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"~")
    monkeypatch.setattr("dunegpt.index.snapshot.snapshot._TINY_BYTES", 0)
    monkeypatch.setattr(integrity.CheckedFile, "is_current", lambda *_: True)
    Snapshot(path).close()
    with pytest.raises(IndexBrokenError, match=r"texts\.db"):
        manage.publish(settings, made[0])
    assert current(settings) == made[2]


@pytest.mark.parametrize("name", ["", "nothing", "../..", "/"])
def test_unknown_name(settings: Settings, made: list[str], name: str) -> None:
    with pytest.raises(UsageError, match=r"snapshots? match"):
        manage.publish(settings, name)
    assert current(settings) == made[2]


def test_collect(settings: Settings, made: list[str]) -> None:
    manage.publish(settings, made[0])
    assert manage.remove_old(settings, 1) == [made[1]]
    for name in (made[0], made[2]):
        assert manage.verify(settings, name).errors == [], "links are their own"
    with settings.paths.lock(), pytest.raises(StorageError):
        manage.remove_old(settings, 1)


def test_diff(settings: Settings, made: list[str]) -> None:
    found = manage.diff(settings, made[0], made[2])
    assert (found.added, found.removed) == (["n:1", "n:2"], [])
    assert found.changed == ["n:0"]
    back = manage.diff(settings, "current", made[1])
    assert (back.added, back.removed, back.changed) == ([], ["n:2"], ["n:0"])


needs_rsync = pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync here")


@needs_rsync
def test_push(settings: Settings, made: list[str], tmp_path: Path) -> None:
    target = tmp_path / "a server" / "data"
    there = settings.model_copy(update={"data_dir": target})
    manage.push(settings, str(target), made[0])
    assert current(there) == made[0]
    manage.push(settings, str(target))
    assert current(there) == made[2]
    assert manage.verify(there, made[2]).errors == []
    assert (target / "overlay.db").read_bytes() == settings.paths.overlay.read_bytes()
    first = {p.stat().st_ino for p in (target / "snapshots" / made[0]).rglob("*.*")}
    second = {p.stat().st_ino for p in (target / "snapshots" / made[2]).rglob("*.*")}
    assert len(first & second) >= 5, "what is there already is linked, not sent"
    snapshot = Snapshot(target / "snapshots" / "current")
    assert Searcher(snapshot).as_reader(PUBLIC).search("argon").hits
    snapshot.close()


@pytest.mark.slow
@needs_rsync
def test_push_that_fails(
    settings: Settings, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "server"
    there = settings.model_copy(update={"data_dir": target})
    manage.push(settings, str(target), made[0])
    original, calls = manage._rsync, [0]

    def broken(*args: str) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise StorageError("the network is gone")
        original(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(manage, "_rsync", broken)
        with pytest.raises(StorageError):
            manage.push(settings, str(target))
    assert current(there) == made[0]
    assert manage.verify(there, made[0]).errors == []
    manage.push(settings, str(target))
    assert manage.verify(there, "current").errors == []
    with pytest.raises(StorageError, match="rsync to"):
        manage.push(settings, "/proc/nowhere")


def test_push_without_rsync(
    settings: Settings, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="rsync is not installed"):
        manage.push(settings, "/tmp/x")
