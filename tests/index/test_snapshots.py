"""What an operator does with snapshots: verify, publish, go back, compare, collect."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dunegpt.config import EmbedTable, Settings
from dunegpt.errors import IndexBrokenError, StorageError, UsageError
from dunegpt.index import snapshots
from dunegpt.index.build import build
from dunegpt.index.search import Searcher
from dunegpt.index.snapshot import Snapshot, file_hash
from dunegpt.ingest.crawl import only_writer
from tests.index.corpus import PUBLIC, document, fill, readers

WORDS = ["argon", "purity", "cathode"]


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> tuple[Path, list[str]]:
    """Give a data folder with three snapshots, and their ids, made once."""
    data = tmp_path_factory.mktemp("template") / "data"
    data.mkdir()
    settings = Settings(data_dir=data, embed=EmbedTable(model=str(tiny_encoder)))
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
    return os.readlink(settings.data / "snapshots" / "current")


def folder(settings: Settings, name: str) -> Path:
    return settings.data / "snapshots" / name


def test_list(settings: Settings, made: list[str]) -> None:
    found = snapshots.every(settings)
    assert {s.id for s in found} == set(made)
    assert [s.id for s in found if s.is_current] == made[-1:]
    newest = next(s for s in found if s.is_current)
    assert (newest.documents, newest.passages, newest.error) == (3, 3, "")
    assert 0 < newest.own_bytes < newest.size_bytes
    (folder(settings, made[0]) / "manifest.json").write_text("{")
    assert [s.id for s in snapshots.every(settings) if s.error] == made[:1]


def test_verify(settings: Settings, made: list[str]) -> None:
    for name in (*made, "current", made[0][:8]):
        assert snapshots.verify(settings, name).errors == []
    told: list[tuple[int, int]] = []
    found = snapshots.verify(settings, made[2], lambda *how: told.append(how))
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
    (lambda p: (p / "extra").write_text("x"), "extra does not belong"),
    (lambda p: (p / "manifest.json").write_text("{"), "manifest.json"),
]


@pytest.mark.parametrize(("damage", "told"), DAMAGE)
def test_verify_finds(
    settings: Settings, made: list[str], damage: Callable[[Path], object], told: str
) -> None:
    damage(folder(settings, made[1]))
    (error, *_) = snapshots.verify(settings, made[1]).errors
    assert told in error


def test_verify_recomputes_the_content_id(settings: Settings, made: list[str]) -> None:
    """Files as the manifest says, but another content: the id gives it away."""
    path = folder(settings, made[1]) / "manifest.json"
    wrong = path.read_text().replace(made[1], "0" * 24)
    path.write_text(wrong)
    folder(settings, made[1]).rename(folder(settings, "0" * 24))
    (error,) = snapshots.verify(settings, "0" * 24).errors
    assert f"its content id is {made[1]}" in error


def test_verify_finds_other_readers(settings: Settings, made: list[str]) -> None:
    """An access table that was exchanged, hashes and all, is still found out."""
    here = folder(settings, made[2])
    rows = np.load(here / "row_access.npy")
    (here / "row_access.npy").unlink()
    np.save(here / "row_access.npy", np.full_like(rows, rows[0]))
    manifest = json.loads((here / "manifest.json").read_text())
    own = manifest["files"]["row_access.npy"]
    own["sha256"] = file_hash(here / "row_access.npy")
    (here / "manifest.json").write_text(json.dumps(manifest))
    errors = snapshots.verify(settings, made[2]).errors
    assert errors
    assert all("has other readers" in error for error in errors)


def test_publish_and_rollback(settings: Settings, made: list[str]) -> None:
    assert snapshots.rollback(settings) == made[1] == current(settings)
    assert snapshots.rollback(settings) == made[0]
    with pytest.raises(UsageError, match="no older"):
        snapshots.rollback(settings)
    assert snapshots.publish(settings, made[2][:6]) == made[2] == current(settings)
    assert not build(settings).published
    snapshots.rollback(settings)
    assert build(settings).published, "the catalog is as the newest one"
    assert current(settings) == made[2]


def test_a_broken_one_is_not_published(settings: Settings, made: list[str]) -> None:
    bit(folder(settings, made[0]) / "row_document.npy")
    with pytest.raises(IndexBrokenError):
        snapshots.publish(settings, made[0])
    assert current(settings) == made[2]
    snapshots.rollback(settings)
    with pytest.raises(IndexBrokenError):
        snapshots.rollback(settings)


@pytest.mark.parametrize("name", ["", "nothing", "../..", "/"])
def test_unknown_name(settings: Settings, made: list[str], name: str) -> None:
    with pytest.raises(UsageError, match="called"):
        snapshots.publish(settings, name)
    assert current(settings) == made[2]


def test_collect(settings: Settings, made: list[str]) -> None:
    snapshots.publish(settings, made[0])
    assert snapshots.collect(settings, 1) == [made[1]]
    for name in (made[0], made[2]):
        assert snapshots.verify(settings, name).errors == [], "links are their own"
    with only_writer(settings.data), pytest.raises(StorageError):
        snapshots.collect(settings, 1)


def test_diff(settings: Settings, made: list[str]) -> None:
    found = snapshots.diff(settings, made[0], made[2])
    assert (found.added, found.removed) == (["n:1", "n:2"], [])
    assert found.changed == ["n:0"]
    back = snapshots.diff(settings, "current", made[1])
    assert (back.added, back.removed, back.changed) == ([], ["n:2"], ["n:0"])


needs_rsync = pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync here")


@needs_rsync
def test_push(settings: Settings, made: list[str], tmp_path: Path) -> None:
    target = tmp_path / "a server" / "data"
    there = settings.model_copy(update={"data_dir": target})
    snapshots.push(settings, str(target), made[0])
    assert current(there) == made[0]
    snapshots.push(settings, str(target))
    assert current(there) == made[2]
    assert snapshots.verify(there, made[2]).errors == []
    assert (target / "overlay.db").read_bytes() == (
        settings.data / "overlay.db"
    ).read_bytes()
    first = {p.stat().st_ino for p in (target / "snapshots" / made[0]).rglob("*.*")}
    second = {p.stat().st_ino for p in (target / "snapshots" / made[2]).rglob("*.*")}
    assert len(first & second) >= 5, "what is there already is linked, not sent"
    snapshot = Snapshot(target / "snapshots" / "current")
    assert Searcher(snapshot).search("argon", PUBLIC).hits
    snapshot.close()


@needs_rsync
def test_push_that_fails(
    settings: Settings, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "server"
    there = settings.model_copy(update={"data_dir": target})
    snapshots.push(settings, str(target), made[0])
    original, calls = snapshots._rsync, [0]

    def broken(*args: str) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise StorageError("the network is gone")
        original(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_rsync", broken)
        with pytest.raises(StorageError):
            snapshots.push(settings, str(target))
    assert current(there) == made[0]
    assert snapshots.verify(there, made[0]).errors == []
    snapshots.push(settings, str(target))
    assert snapshots.verify(there, "current").errors == []
    with pytest.raises(StorageError, match="rsync to"):
        snapshots.push(settings, "/proc/nowhere")


def test_push_without_rsync(
    settings: Settings, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="no rsync"):
        snapshots.push(settings, "/tmp/x")
