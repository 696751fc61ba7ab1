"""What the operating system refuses is told, and never called damage."""

import ast
import errno
import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dunegpt.errors import (
    ConfigError,
    DuneGPTError,
    HostError,
    IndexBrokenError,
    StorageError,
)
from dunegpt.files import damaged, host_error, limit_children, storage_errors

ROOT = Path(__file__).parent.parent
REFUSED = [
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ENOMEM,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
]


@pytest.mark.parametrize("code", REFUSED)
@pytest.mark.parametrize("kind", [IndexBrokenError, StorageError, ConfigError])
def test_what_is_refused_is_no_damage(code: int, kind: type[DuneGPTError]) -> None:
    refused = OSError(code, os.strerror(code), "/data/texts.db")
    found = damaged(refused, "The texts are damaged.", hint="Remove them.", kind=kind)
    said = f"Cannot read or write /data/texts.db: {os.strerror(code)}."
    assert (type(found), str(found)) == (HostError, said)
    assert "nothing was removed" in found.hint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "No such file or directory"),
        OSError("image file is truncated"),
        ValueError("its hash differs"),
        RuntimeError("could not open a.faiss for reading: No such file or directory"),
        sqlite3.DatabaseError("file is not a database"),
    ],
)
def test_damage_stays_damage(error: Exception) -> None:
    found = damaged(error, "It is damaged.", hint="Make it anew.")
    assert (type(found), str(found)) == (IndexBrokenError, "It is damaged.")
    assert found.hint == "Make it anew."


@pytest.mark.parametrize("code", REFUSED)
def test_libraries_that_tell_it_in_words(code: int) -> None:
    words = RuntimeError(f"f.get() failed: could not open it: {os.strerror(code)}")
    found = host_error(words, Path("vectors.faiss"))
    assert str(found) == f"Cannot read or write vectors.faiss: {os.strerror(code)}."


def test_the_cause_counts() -> None:
    try:
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        except OSError as cause:
            raise ValueError("The picture is damaged.") from cause
    except ValueError as error:
        found = host_error(error)
    assert found is not None
    assert "ulimit -n" in found.hint
    assert host_error(MemoryError()) is not None


def test_sqlite_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    db = sqlite3.connect(path)
    db.executescript("pragma page_size = 512; create table t (x);")
    db.execute("pragma max_page_count = 3")
    with pytest.raises(sqlite3.Error) as caught:
        db.execute("insert into t values (?)", (b"x" * 10_000,))
    db.close()
    found = host_error(caught.value, path)
    assert found is not None
    assert "No space left" in str(found)


def test_sqlite_that_finds_no_file_or_no_database(tmp_path: Path) -> None:
    (tmp_path / "torn.db").write_bytes(b"no database" * 100)
    for name in ("torn.db", "missing.db"):
        path = tmp_path / name
        with pytest.raises(sqlite3.Error) as caught:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
                db.execute("select * from t")
        assert host_error(caught.value, path) is None


def test_writing(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="Too many open files") as caught:
        with storage_errors(tmp_path):
            raise OSError(errno.EMFILE, "Too many open files")
    assert "ulimit -n" in caught.value.hint
    assert "Free disk space" not in caught.value.hint


def test_children_fit_into_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, children in ((256, 48), (1024, 100), (32, 1), (-1, 100)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert limit_children(100) == children


WIDE = {"OSError", "Error", "DBAPIError", "Exception", "RuntimeError"}
DAMAGE = {"IndexBrokenError", "StorageError"}


@pytest.mark.slow
def test_nobody_calls_damaged_what_was_not_looked_at() -> None:
    """A handler that may have caught a refusal asks `damaged` what to raise."""
    bad, asked = [], 0
    for folder in ("dunegpt", "index", "ingest", "serve"):
        for path in (ROOT / folder).rglob("*.py"):
            if path == ROOT / "dunegpt" / "files.py":
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ExceptHandler) and WIDE & _caught(node):
                    raised = _raised(node)
                    asked += "damaged" in raised
                    if DAMAGE & raised:
                        bad.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert bad == []
    assert asked > 15


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"Exception"}
    found = [
        n for n in ast.walk(handler.type) if isinstance(n, ast.Name | ast.Attribute)
    ]
    return {n.id if isinstance(n, ast.Name) else n.attr for n in found}


def _raised(handler: ast.ExceptHandler) -> set[str]:
    raises = [n.exc for n in ast.walk(handler) if isinstance(n, ast.Raise)]
    calls = [c.func for c in raises if isinstance(c, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)}
