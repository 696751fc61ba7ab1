"""Damage that keeps the size of a file is noticed, and intact files stay quick to open.

Every file of a snapshot is flipped at many offsets: what is found is the same as
before, or the error says how to repair it.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dunegpt.errors import IndexBrokenError, IndexMismatchError
from dunegpt.files import hash_file
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot import integrity
from dunegpt.index.snapshot.snapshot import Snapshot
from tests.index.corpus import PUBLIC, document, pack

TEXTS = [
    "The drift field of the cathode is 500 V/cm.",
    "The purity monitor saw a lifetime of 10 ms at the cathode.",
    "A field cage surrounds the drift volume; see docdb:17 for drawings.",
    "Photon detectors are read out at 150 MHz.",
]
QUESTIONS = ["drift field of the cathode", "purity lifetime", "n:2", "photon readout"]


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    corpus = [
        (document(f"n:{n}", authors=("Ada Byron",)), {"a.txt": [text, f"{text} (2)"]})
        for n, text in enumerate(TEXTS)
    ]
    snapshot = pack(folder / "snapshots", tiny_encoder, corpus)
    snapshot.close()
    return snapshot.folder


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat files as if they were too large to hash at each opening."""
    monkeypatch.setattr("dunegpt.index.snapshot.snapshot._TINY_BYTES", 0)


@pytest.fixture
def folder(tmp_path: Path, packed: Path) -> Path:
    return Path(shutil.copytree(packed, tmp_path / "snapshots" / packed.name))


def ask(snapshot: Snapshot) -> list[Any]:
    """Return all that a reader is shown of a snapshot."""
    index = Searcher(snapshot).as_reader(PUBLIC)
    shown: list[Any] = [index.search(question).hits for question in QUESTIONS]
    for document_id in ("n:0", "n:1", "n:2", "n:3"):
        [(found, newest)] = index.find_documents(document_id)
        shown.append((found, newest, index.get_pages(found, "a.txt")))
        shown.append(index.find_related(document_id))
    shown.append([index.search("author:byron").hits, index.facets.kinds])
    return shown


def search(folder: Path) -> list[Any]:
    snapshot = Snapshot(folder)
    try:
        return ask(snapshot)
    finally:
        snapshot.close()


def flip(path: Path, offset: int, bits: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ bits]))


def list_names(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def list_offsets(size: int, count: int) -> list[int]:
    """Return offsets in the first and last bytes, and in between."""
    rng = random.Random(size)
    chosen = {0, 1, 20, size // 2, size - 1, *(rng.randrange(size) for _ in range(99))}
    return [offset for offset in chosen if offset < size][:count]


def record_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the name of each file that is hashed from now on."""
    hashed: list[str] = []

    def record(path: Path) -> str:
        hashed.append(path.name)
        return hash_file(path)

    monkeypatch.setattr(integrity, "hash_file", record)
    return hashed


def test_every_flipped_file_is_noticed(folder: Path) -> None:
    expected = search(folder)
    for name in list_names(folder):
        path = folder / name
        for offset in list_offsets(path.stat().st_size, 4):
            flip(path, offset)
            try:
                assert search(folder) == expected, (name, offset)
                assert name == "manifest.json"
            except IndexBrokenError as error:
                assert "dunegpt index --rebuild" in error.hint
            except IndexMismatchError:
                assert name == "manifest.json", "another format"
            flip(path, offset)
    assert search(folder) == expected


def test_intact_files_are_hashed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = record_hashes(monkeypatch)
    search(folder)
    assert len(hashed) == len(list_names(folder)) - 1, "all but the manifest"
    hashed.clear()
    search(folder)
    assert {"row_access.npy", "row_document.npy"} <= {*hashed}, "they decide on access"
    assert not {"texts.db", "vectors.faiss", "documents.db"} & {*hashed}


def copy(folder: Path) -> Path:
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    return other.replace(folder.with_name(folder.name[::-1]))


def restore_times(folder: Path) -> Path:
    """Flip a byte, and restore the time of the file."""
    path = next(folder.glob("parts/*/texts.db"))
    before = path.stat()
    flip(path, 3000)
    flip(path, 3000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return folder


def lose_record(folder: Path) -> Path:
    integrity.get_record_path(folder.parent).unlink()
    return folder


def garble_record(folder: Path) -> Path:
    integrity.get_record_path(folder.parent).write_text('{"a": [1]}')
    return folder


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (copy, "vectors.faiss"),
        (restore_times, "texts.db"),
        (lose_record, "texts.db"),
        (garble_record, "documents.db"),
    ],
)
def test_what_makes_a_check_due(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], Path],
    name: str,
) -> None:
    search(folder)
    changed = change(folder)
    hashed = record_hashes(monkeypatch)
    search(changed)
    assert name in hashed
    hashed.clear()
    search(changed)
    assert name not in hashed


def test_a_reboot_makes_a_check_due(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(integrity, "_BOOT_ID", boot)
    hashed = record_hashes(monkeypatch)
    for boot_id, is_due in (("a", True), ("a", False), ("b", True), ("a", False)):
        boot.write_text(f"{boot_id}\n")
        hashed.clear()
        search(folder)
        assert ("texts.db" in hashed) == is_due
    recorded = json.loads(integrity.get_record_path(folder.parent).read_text())
    assert set(recorded) == {"a", "b"}


@pytest.mark.parametrize("hours", [-1, 23, 25])
def test_an_old_check_is_repeated_where_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    search(folder)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
    hashed = record_hashes(monkeypatch)
    Snapshot(folder).close()
    assert "texts.db" not in hashed
    Snapshot(folder, max_check_age=timedelta(days=1)).close()
    assert ("texts.db" in hashed) == (hours != 23)


def test_a_read_only_folder_is_checked_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be recorded; the search works all the same."""
    integrity.get_record_path(folder.parent).mkdir()
    hashed = record_hashes(monkeypatch)
    for _ in range(2):
        hashed.clear()
        assert search(folder)
        assert "texts.db" in hashed


def test_large_files_may_be_checked_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.index.snapshot.snapshot._SMALL_BYTES", 8000)
    flip(next(folder.glob("parts/*/texts.db")), 9000)
    opened = Snapshot(folder, max_wait_bytes=10_000)
    assert any(name.endswith("texts.db") for name in opened.unchecked)
    assert "row_access.npy" not in opened.unchecked
    assert opened.damage is None
    with pytest.raises(IndexBrokenError, match="texts"):
        opened.check()
    assert opened.damage is not None
    opened.close()
    with pytest.raises(IndexBrokenError):
        Snapshot(folder, max_wait_bytes=1 << 30)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Damage that no check has seen yet, as if it happened while files were open."""
    monkeypatch.setattr(integrity, "list_due", lambda *_: [])
    yield


@pytest.mark.slow
def test_unchecked_damage_raises_nothing_else(folder: Path, unchecked: None) -> None:
    """Before a check is due, hits may be wrong; but the program does not fail."""
    expected = search(folder)
    errors = 0
    for name in list_names(folder):
        path = folder / name
        if path.suffix in (".onnx",):
            continue
        for offset in list_offsets(path.stat().st_size, 25):
            flip(path, offset, bits=1 << offset % 8)
            try:
                search(folder)
            except (IndexBrokenError, IndexMismatchError):
                errors += 1
            flip(path, offset, bits=1 << offset % 8)
    assert errors
    assert search(folder) == expected
