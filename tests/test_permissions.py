"""Who on this host may read the data folder, whatever the umask and what was before."""

import grp
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dunegpt.config import Settings, StorageSettings
from dunegpt.datadir import DataDir
from dunegpt.errors import ConfigError, StorageError
from dunegpt.files import write_atomically
from dunegpt.index import manage
from dunegpt.index.build import build
from dunegpt.ingest.change_notices import write_notice
from dunegpt.ingest.crawl import crawl
from dunegpt.operations.forget import forget
from dunegpt.permissions import make_file, make_folder, protect_entries, protect_root
from dunegpt.serve.receipts.store import ReceiptStore
from tests.serve.asking import answer

PUBLIC = frozenset({"public"})


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Let new files be open to all, as far as the umask decides."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def texts(papers: Path) -> Path:
    (papers / "a.txt").write_text("The drift field of the far detector is 475 V/cm.")
    (papers / "b.md").write_text("# Purity\n\nMonitors measure the lifetime.")
    return papers


def walk(root: Path) -> dict[str, int]:
    """Return the mode of a folder and of all in it, links left out."""
    paths = [root, *(p for p in root.rglob("*") if not p.is_symlink())]
    return {str(p.relative_to(root)): stat.S_IMODE(p.lstat().st_mode) for p in paths}


def open_up(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def run_all(settings: Settings) -> None:
    """Crawl, index and ask, twice, with what a running installation writes besides."""
    for text in ("The pump is loud.", "The pump is silent."):
        (settings.data.parent / "papers" / "c.txt").write_text(text)
        write_notice(settings.data, "papers", ["papers:c.txt"])
        crawl("papers", settings)
        build(settings)
        list(answer("What is the drift field?", settings, reader=PUBLIC))


@pytest.mark.slow
@pytest.mark.parametrize("before", ["nothing", "empty folder", "older version"])
def test_all_in_the_data_folder_is_for_its_user_alone(
    settings: Settings, texts: Path, before: str
) -> None:
    if before == "empty folder":
        settings.data.mkdir(mode=0o755)
    elif before == "older version":
        run_all(settings)
        open_up(settings.data)
    run_all(settings)
    # While a receipt is open, its journals exist.
    store = ReceiptStore(settings.data, 30)
    with store._open():
        modes = walk(settings.data)
    assert {m for n, m in modes.items() if (settings.data / n).is_dir()} == {0o700}
    assert {m for n, m in modes.items() if (settings.data / n).is_file()} == {0o600}
    assert {"catalog.db", "receipts.db-wal", "overlay.db", "lock"} <= modes.keys()
    assert {
        n for n in os.listdir(settings.data) if not DataDir(settings.data)._is_own(n)
    } == set()
    assert len(modes) > 40
    forget(settings, "papers:a.txt")
    manage.remove_old(settings, 1)
    assert not [n for n, m in walk(settings.data).items() if m & 0o077]


@pytest.mark.slow
def test_a_group_may_read_what_it_shares(settings: Settings, texts: Path) -> None:
    groups = grp.getgrall() if os.geteuid() == 0 else map(grp.getgrgid, os.getgroups())
    group = next((g for g in groups if g.gr_gid != os.getegid()), None)
    group = group or grp.getgrgid(os.getegid())
    shared = settings.model_copy(
        update={"storage": StorageSettings(group=group.gr_name)}
    )
    run_all(settings)
    run_all(shared)
    modes = walk(settings.data)
    private = {n: m for n, m in modes.items() if n.startswith("receipts.db")}
    assert set(private.values()) == {0o600}
    rest = modes.keys() - private
    folders = {n for n in rest if (settings.data / n).is_dir()}
    assert {modes[n] for n in folders} == {0o2750}
    assert {modes[n] for n in rest - folders} == {0o640}
    owners = {(settings.data / n).stat().st_gid for n in rest}
    assert owners == {group.gr_gid}
    run_all(settings)
    assert not [n for n, m in walk(settings.data).items() if m & 0o077]


def test_a_group_that_does_not_exist(settings: Settings, texts: Path) -> None:
    storage = StorageSettings(group="no-such-group")
    with pytest.raises(ConfigError, match="no group 'no-such-group'"):
        crawl("papers", settings.model_copy(update={"storage": storage}))


@pytest.mark.parametrize("first", ["ask", "notice", "catalog"])
def test_what_writes_first_closes_the_folder(settings: Settings, first: str) -> None:
    settings.data.mkdir(mode=0o755)
    if first == "ask":
        with ReceiptStore(settings.data, 30)._open():
            pass
    elif first == "notice":
        write_notice(settings.data, "papers", ["papers:a.txt"])
    else:
        from dunegpt.ingest.catalog.database import Catalog  # noqa: PLC0415

        Catalog(settings.paths.catalog).close()
    assert not [n for n, m in walk(settings.data).items() if m & 0o077]


def test_a_folder_that_holds_other_files_is_refused(tmp_path: Path) -> None:
    """Closing it would lock others out of what is theirs, /tmp say."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(StorageError, match="holds other files") as caught:
        DataDir(folder).prepare()
    assert f"chmod 700 {folder}" in caught.value.hint
    with pytest.raises(StorageError, match="holds other files"):
        write_notice(folder, "papers", ["papers:a.txt"])
    assert walk(folder) == {".": 0o755, "thesis.tex": 0o666}
    folder.chmod(0o700)
    with DataDir(folder).lock():
        pass
    assert walk(folder)["thesis.tex"] == 0o666


def test_what_is_not_ours_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(StorageError, match="may not close it") as caught:
        DataDir(folder).prepare()
    assert "chmod 700" in caught.value.hint


def test_a_file_system_without_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    with pytest.raises(StorageError, match="stays open"):
        protect_root(folder, "")


def test_links_are_not_followed(tmp_path: Path) -> None:
    """But a place may be a link to another disk."""
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True, mode=0o755)
    (outside / "file").write_text("x")
    disk = tmp_path / "disk"
    (disk / "00").mkdir(parents=True, mode=0o755)
    data = tmp_path / "data"
    (data / "snapshots").mkdir(parents=True, mode=0o700)
    data.chmod(0o700)
    (data / "blobs").symlink_to(disk)
    (data / "snapshots" / "link").symlink_to(outside / "inner")
    (data / "snapshots" / "file").symlink_to(outside / "file")
    protect_entries(data, ["blobs", "snapshots", "absent"])
    assert walk(disk) == {".": 0o700, "00": 0o700}
    assert set(walk(outside).values()) >= {0o777, 0o666}


def test_a_program_stays_one(tmp_path: Path) -> None:
    """The hooks of a git repository, and its objects that nobody writes."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for name, mode in (("hook", 0o755), ("object", 0o444)):
        (data / name).write_text("x")
        (data / name).chmod(mode)
    protect_entries(data, ["hook", "object"])
    assert walk(data) == {".": 0o700, "hook": 0o700, "object": 0o400}


@pytest.mark.parametrize(
    ("root", "folder", "file"), [(0o700, 0o700, 0o600), (0o2750, 0o2750, 0o640)]
)
def test_new_files_follow_the_root(
    tmp_path: Path, root: int, folder: int, file: int
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(root)
    make_folder(data / "a" / "b")
    write_atomically(data / "a" / "b" / "file", b"x")
    make_file(data / "a" / "database")
    make_file(data / "a" / "private", is_private=True)
    with closing(sqlite3.connect(data / "a" / "database")) as db:
        db.execute("pragma journal_mode = wal")
        db.execute("create table t (x)")
        db.commit()
        modes = walk(data)
    assert modes.pop("a/private") == 0o600
    assert {modes[n] for n in (".", "a", "a/b")} == {folder}
    assert {m for n, m in modes.items() if (data / n).is_file()} == {file}
    assert "a/database-wal" in modes


def test_the_encoder_of_others_stays_as_it_is(
    settings: Settings, texts: Path, tiny_encoder: Path
) -> None:
    before = walk(tiny_encoder)
    crawl("papers", settings)
    build(settings)
    assert walk(tiny_encoder) == before
    linked = settings.paths.current_snapshot / "encoder" / "model.onnx"
    assert linked.stat().st_ino != (tiny_encoder / "model.onnx").stat().st_ino
