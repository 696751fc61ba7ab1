"""The catalog: what is put is what is got, and nothing is forgotten by accident."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY
from dunegpt.errors import StorageError
from dunegpt.ingest.catalog import connection, documents
from dunegpt.ingest.catalog.database import Catalog, HiddenState
from dunegpt.ingest.catalog.schema import SCHEMA
from dunegpt.types import Document, Failure, FileRef

MEMBER = frozenset({"docdb:DUNE", "docdb:board"})
FILE = FileRef(
    key="a1",
    name="Übersicht #1.pdf",
    media_type="application/pdf",
    url="https://docs.test/a1",
    access=frozenset({"docdb:DUNE"}),
    size_bytes=42,
    checksum="md5:0123",
    sha256="ab" * 32,
)
DOCUMENT = Document(
    id="docdb:1:2",
    source="docdb",
    kind="note",
    url="https://docs.test/1",
    title='A "title" with ß, 漢字 and \n a line',
    access=MEMBER,
    authors=("Ada Lovelace", "Émilie du Châtelet"),
    date=dt.date(2026, 2, 28),
    status="approved",
    files=(FILE, replace(FILE, key="a0", size_bytes=None, sha256="", access=NOBODY)),
    supersedes="docdb:1:1",
    parent="docdb:0:1",
)
BARE = Document("docdb:9:1", "docdb", "note", "https://docs.test/9", "Bare", NOBODY)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "data" / "catalog.db")
    yield catalog
    catalog.close()


def tombstones(catalog: Catalog) -> list[tuple[str, str]]:
    db = sqlite3.connect(catalog.path)
    rows = db.execute("select id, reason from tombstones order by id").fetchall()
    db.close()
    return rows


@pytest.mark.parametrize("document", [DOCUMENT, BARE])
def test_round_trip(catalog: Catalog, document: Document) -> None:
    assert catalog.get(document.id) is None
    assert catalog.put(document) == "new"
    assert catalog.get(document.id) == document
    assert list(catalog.iter_documents()) == [document]
    again = Catalog(catalog.path)
    assert again.get(document.id) == document
    assert again.put(document) == "unchanged"
    again.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"access": frozenset({"docdb:DUNE"})},
        {"access": frozenset({"public"})},
        {"authors": ("Émilie du Châtelet", "Ada Lovelace")},
        {"date": None},
        {"status": "In Work"},
        {"kind": "talk"},
        {"url": "https://docs.test/one"},
        {"supersedes": ""},
        {"parent": ""},
        {"source": "other"},
        {"files": ()},
        {"files": DOCUMENT.files[::-1]},
        {"files": (replace(FILE, access=NOBODY), DOCUMENT.files[1])},
        {"files": (replace(FILE, sha256="cd" * 32), DOCUMENT.files[1])},
        {"files": (replace(FILE, name="b.pdf"), DOCUMENT.files[1])},
        {"files": (replace(FILE, checksum="md5:9"), DOCUMENT.files[1])},
    ],
    ids="-".join,
)
def test_any_change_is_a_change(catalog: Catalog, change: dict[str, Any]) -> None:
    catalog.put(DOCUMENT)
    changed = replace(DOCUMENT, **change)
    assert catalog.put(changed) == "changed"
    assert catalog.get(DOCUMENT.id) == changed
    assert catalog.put(changed) == "unchanged"


def test_bodies_are_not_kept(catalog: Catalog) -> None:
    """A body is a blob; the catalog holds its name, and compares by that."""
    file = replace(FILE, body=b"<p>minutes</p>")
    catalog.put(replace(DOCUMENT, files=(file,)))
    assert catalog.put(replace(DOCUMENT, files=(FILE,))) == "unchanged"


def test_hide(catalog: Catalog) -> None:
    catalog.put(DOCUMENT)
    catalog.put(BARE)
    catalog.hide({DOCUMENT.id, "docdb:unknown:1"})
    assert list(catalog.iter_documents()) == [BARE]
    assert catalog.get(DOCUMENT.id) == DOCUMENT
    assert catalog.ids("docdb") == {DOCUMENT.id, BARE.id}
    assert catalog.get_statistics("docdb")["hidden"] == 1
    assert catalog.put(DOCUMENT) == "changed"
    assert len(list(catalog.iter_documents())) == 2


def test_what_was_kept_may_be_gone_later(catalog: Catalog) -> None:
    """A programme is withdrawn, and then its event is deleted: it is purged too."""
    catalog.put(DOCUMENT)
    catalog.hide({DOCUMENT.id}, state=HiddenState.KEPT)
    assert catalog.confirm_hidden("docdb") == 0
    for state in (HiddenState.SUSPECT, HiddenState.KEPT):
        catalog.hide({DOCUMENT.id}, why="deleted at the source", state=state)
        assert catalog.hidden_ids("docdb", HiddenState.SUSPECT) == {DOCUMENT.id}
    assert catalog.confirm_hidden("docdb") == 1


def test_remove(catalog: Catalog) -> None:
    for document in (DOCUMENT, BARE):
        catalog.put(document)
        catalog.put_failure("docdb", failure(document.id))
        catalog.put_failure("docdb", failure(f"{document.id}#a1", stage="fetch"))
    catalog.put_failure("docdb", failure(f"{BARE.id}0"))
    catalog.remove({BARE.id}, reason="gone at the source")
    assert catalog.get(BARE.id) is None
    assert list(catalog.iter_documents()) == [DOCUMENT]
    left = {f["id"] for f in catalog.failures()}
    assert left == {DOCUMENT.id, f"{DOCUMENT.id}#a1", f"{BARE.id}0"}
    assert tombstones(catalog) == [(BARE.id, "gone at the source")]
    assert catalog.put(BARE) == "new"
    assert tombstones(catalog) == []
    catalog.remove({BARE.id}, reason="again")
    assert tombstones(catalog) == [(BARE.id, "again")]


def test_a_removal_is_whole_or_not_at_all(catalog: Catalog) -> None:
    catalog.put(BARE)
    with pytest.raises(Exception, match="row"):
        catalog.remove({BARE.id, "docdb:zzz:1"}, reason="x")
    assert catalog.get(BARE.id) == BARE


def test_ids_are_of_one_source(catalog: Catalog) -> None:
    catalog.put(DOCUMENT)
    catalog.put(replace(BARE, source="edms"))
    assert catalog.ids("docdb") == {DOCUMENT.id}
    assert catalog.ids("indico") == set()
    assert catalog.source_names() == ["docdb", "edms"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [499, 500, 501, 1203])
def test_many_documents_come_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("many") / "catalog.db")
    ids = [f"docdb:{number}:1" for number in range(count)]
    with catalog._write_transaction() as db:
        for identity in ids:
            document = replace(DOCUMENT, id=identity)
            documents._replace_document(db, document, "hash", is_new=True)
    hidden = {ids[0], ids[-1]}
    catalog.hide(hidden)
    found = list(catalog.iter_documents())
    catalog.close()
    assert [d.id for d in found] == sorted(set(ids) - hidden)
    assert all(d.files == DOCUMENT.files for d in found)


# ── failures and runs ─────────────────────────────────────────────────────────────


def failure(identity: str, stage: str = "extract", message: str = "bad") -> Failure:
    return Failure(identity, stage, "ExtractError", message)


def set_clock(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    monkeypatch.setattr(connection, "now", lambda: time)


def test_ledger(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, "2026-01-01T00:00:00+00:00")
    catalog.put_failure("docdb", failure("docdb:1:1", message="first"))
    set_clock(monkeypatch, "2026-01-02T00:00:00+00:00")
    catalog.put_failure("docdb", failure("docdb:1:1", message="second"))
    catalog.put_failure("docdb", failure("docdb:1:1", stage="fetch"))
    [extract] = [f for f in catalog.failures() if f["stage"] == "extract"]
    assert extract == {
        "id": "docdb:1:1",
        "stage": "extract",
        "source": "docdb",
        "error": "ExtractError",
        "message": "second",
        "first_at": "2026-01-01T00:00:00+00:00",
        "last_at": "2026-01-02T00:00:00+00:00",
    }
    assert len(catalog.failures()) == 2


@pytest.mark.parametrize(
    ("source", "stage", "failed", "left"),
    [
        ("docdb", "fetch", set(), {"a:extract", "c:fetch"}),
        ("docdb", "fetch", {"b", "unknown"}, {"a:extract", "b:fetch", "c:fetch"}),
        ("", "fetch", set(), {"a:extract"}),
        ("", "extract", {"a"}, {"a:extract", "a:fetch", "b:fetch", "c:fetch"}),
        ("indico", "fetch", set(), {"a:extract", "a:fetch", "b:fetch", "c:fetch"}),
    ],
)
def test_settle(
    catalog: Catalog, source: str, stage: str, failed: set[str], left: set[str]
) -> None:
    for own, identity, at in [
        ("docdb", "a", "extract"),
        ("docdb", "a", "fetch"),
        ("docdb", "b", "fetch"),
        ("edms", "c", "fetch"),
    ]:
        catalog.put_failure(own, failure(identity, stage=at))
    catalog.resolve_failures(source, stage, failed)
    assert {f"{f['id']}:{f['stage']}" for f in catalog.failures()} == left


def test_runs(catalog: Catalog) -> None:
    assert catalog.last_run("docdb", good=False) is None
    catalog.put_run("docdb", "2026-01-01", {"error": "", "seen": 1})
    catalog.put_run("docdb", "2026-01-02", {"error": "site down", "seen": 0})
    catalog.put_run("edms", "2026-01-03", {"error": "", "seen": 7})
    last = catalog.last_run("docdb", good=False)
    good = catalog.last_run("docdb", good=True)
    assert last and good
    assert (last["started_at"], last["good"]) == ("2026-01-02", False)
    assert (good["started_at"], good["record"]) == (
        "2026-01-01",
        {"error": "", "seen": 1},
    )
    assert good["finished_at"] > "2026"
    assert catalog.source_names() == ["docdb", "edms"]


def test_counts(catalog: Catalog) -> None:
    empty = {
        "documents": 0,
        "hidden": 0,
        "nobody": 0,
        "files": 0,
        "fetched": 0,
        "bytes": 0,
    }
    assert catalog.get_statistics("docdb") == empty
    catalog.put(DOCUMENT)
    catalog.put(BARE)
    catalog.put(replace(DOCUMENT, id="edms:1:1", source="edms"))
    catalog.hide({BARE.id})
    assert catalog.get_statistics("docdb") == {
        "documents": 2,
        "hidden": 1,
        "nobody": 0,
        "files": 2,
        "fetched": 1,
        "bytes": 42,
    }


# ── damage ────────────────────────────────────────────────────────────────────────


def test_another_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    db = sqlite3.connect(path)
    db.execute(f"pragma user_version = {SCHEMA + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=f"format {SCHEMA + 1}"):
        Catalog(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"this is not a database, but long enough to be one" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        Catalog(path)


@pytest.mark.slow
def test_a_damaged_file(catalog: Catalog) -> None:
    """Pages in the middle of the file overwritten, as by a broken disk."""
    for number in range(200):
        catalog.put(replace(DOCUMENT, id=f"docdb:{number}:1"))
    catalog.close()
    size = catalog.path.stat().st_size
    with catalog.path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))
    with pytest.raises(StorageError):
        damaged = Catalog(catalog.path)
        try:
            list(damaged.iter_documents())
        finally:
            damaged.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        Catalog(tmp_path / "data" / "catalog.db")


@pytest.mark.slow
def test_two_programs_make_the_catalog_at_once(tmp_path: Path) -> None:
    """A crawl and a status command may be the first, both."""
    for attempt in range(10):
        path = tmp_path / f"{attempt}" / "catalog.db"
        with ThreadPoolExecutor(6) as pool:
            catalogs = list(pool.map(lambda _: Catalog(path), range(6)))  # noqa: B023
        assert [catalog.source_names() for catalog in catalogs] == [[]] * 6
        for catalog in catalogs:
            catalog.close()
