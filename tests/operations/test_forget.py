"""Forgetting: closed at once, out of every place, and not brought back."""

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.errors import StorageError, UsageError
from dunegpt.files import host_error
from dunegpt.index.build import build
from dunegpt.index.search.open import open_searcher
from dunegpt.ingest import change_notices
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.catalog.forgotten import read_forgotten
from dunegpt.ingest.crawl import crawl
from dunegpt.operations import forget as module
from dunegpt.operations.forget import count_remaining, forget, lift_forget
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.types import Finished
from tests.made_once import MakeOnce
from tests.serve.asking import answer

pytestmark = pytest.mark.same_place

PUBLIC = frozenset({"public"})
SECRET = "wombats dig under the cryostat"


@pytest.fixture
def indexed(
    settings: Settings, papers: Path, tmp_path: Path, make_once: MakeOnce
) -> Settings:
    """Give a folder of three notes, indexed twice, one of them twice in the history."""

    def make() -> None:
        (papers / "a.txt").write_text("The argon is pure.")
        (papers / "b.txt").write_text("An older secret: " + SECRET)
        (papers / "c.txt").write_text("The pump is loud.")
        crawl("papers", settings)
        build(settings)
        (papers / "b.txt").write_text("The secret: " + SECRET)
        crawl("papers", settings)
        build(settings)

    make_once("forget", tmp_path, make)
    return settings


def bytes_everywhere(data: Path, text: str) -> list[str]:
    """Return the files of a folder that hold a text."""
    files = [path for path in data.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def found(settings: Settings, question: str) -> set[str]:
    """Return the ids of what is found with a question."""
    hits = open_searcher(settings).as_reader(PUBLIC).search(question, None, 5).hits
    return {hit.document.id for hit in hits}


def test_forget(indexed: Settings, papers: Path) -> None:
    change_notices.write_notice(indexed.data, "papers", ["papers:b.txt"])
    assert bytes_everywhere(indexed.data, "wombats")
    shape = forget(indexed, "papers:b.txt")
    assert shape.documents == ["papers:b.txt"]
    removed = {place.place: place.removed for place in shape.places}
    assert all(place.left == 0 for place in shape.places)
    assert removed["catalog"] == 1
    assert removed["snapshots"] == 2
    assert removed["blobs"] >= 1
    assert removed["notices"] == 1
    assert bytes_everywhere(indexed.data, "wombats") == []
    assert "papers:b.txt" not in found(indexed, "wombats")
    assert "papers:a.txt" in found(indexed, "argon")


def test_no_crawl_brings_it_back_until_it_is_lifted(
    indexed: Settings, papers: Path
) -> None:
    forget(indexed, "papers:b.txt")
    assert crawl("papers", indexed, full=True).new == 0
    assert count_remaining(indexed, "papers:b.txt")["catalog"] == 0
    assert lift_forget(indexed, "papers:b.txt")
    assert not lift_forget(indexed, "papers:b.txt")
    assert crawl("papers", indexed).new == 1


def test_a_killed_forgetting_is_gone_on_with(
    indexed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(settings: Settings, **_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "build", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(indexed, "papers:b.txt")
    assert "papers:b.txt" not in found(indexed, "wombats")
    assert count_remaining(indexed, "papers:b.txt")["snapshots"] > 0
    shape = forget(indexed, "papers:b.txt")
    assert all(place.left == 0 for place in shape.places)
    assert bytes_everywhere(indexed.data, "wombats") == []


def test_all_versions_and_parts(settings: Settings, papers: Path) -> None:
    (papers / "a.txt").write_text("one")
    (papers / "documents.toml").write_text(
        "".join(
            f'[[document]]\nid = "N-1"\nversion = {n}\ntitle = "N"\nfiles = ["a.txt"]\n'
            for n in (1, 2)
        )
        + '[[document]]\nid = "N-12"\nversion = 1\ntitle = "M"\nfiles = ["a.txt"]\n'
    )
    crawl("papers", settings)
    shape = forget(settings, "papers:N-1")
    assert shape.documents == ["papers:N-1", "papers:N-1:1", "papers:N-1:2"]
    catalog = Catalog(settings.paths.catalog)
    assert catalog.ids("papers") == {"papers:N-12:1"}
    catalog.close()


def test_a_leftover_is_found(
    indexed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof is a search: it finds what the removal missed."""
    monkeypatch.setattr(module, "_remove_snapshots", lambda data, name: 0)
    shape = forget(indexed, "papers:b.txt")
    assert {place.place for place in shape.places if place.left} == {"snapshots"}


def told(settings: Settings, question: str) -> str:
    """Return the id of the receipt of an answer."""
    *_, end = answer(question, settings, reader=PUBLIC)
    assert isinstance(end, Finished)
    return end.receipt


def test_receipts_go(indexed: Settings) -> None:
    """What was answered from it goes, in free pages too; other receipts stay."""
    store = ReceiptStore(indexed.data, 90)
    argon = told(indexed, "Is the argon pure? in:papers:a.txt")
    with closing(sqlite3.connect(indexed.paths.receipts)) as open_beside:
        open_beside.execute("select * from receipts").fetchall()
        wombats = told(indexed, f"Is it true that {SECRET}?")
        kept = store.get(wombats, PUBLIC)
        assert kept is not None and SECRET in kept.model_dump_json()
        shape = forget(indexed, "papers:b.txt")
    [place] = [place for place in shape.places if place.place == "receipts"]
    assert (place.removed, place.left) == (1, 0)
    assert bytes_everywhere(indexed.data, SECRET) == []
    assert bytes_everywhere(indexed.data, "Is it true") == []
    assert [each.id for each in store.list_readable(PUBLIC)] == [argon]


def test_an_answer_in_flight_leaves_no_receipt(indexed: Settings) -> None:
    events = answer(f"Is it true that {SECRET}?", indexed, reader=PUBLIC)
    next(events)
    forget(indexed, "papers:b.txt")
    assert list(events)
    assert bytes_everywhere(indexed.data, "wombats") == []


def test_a_receipt_that_cannot_be_removed_is_told(
    indexed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(indexed, f"Is it true that {SECRET}?")
    monkeypatch.setattr(ReceiptStore, "remove", lambda self, name: 0)
    shape = forget(indexed, "papers:b.txt")
    assert {place.place for place in shape.places if place.left} == {"receipts"}


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_not_all(indexed: Settings, name: str) -> None:
    with pytest.raises(UsageError, match="is empty"):
        forget(indexed, name)
    assert count_remaining(indexed, "papers:b.txt")["catalog"] == 1


def test_what_killed_runs_left_goes_too(indexed: Settings) -> None:
    (indexed.paths.blobs / ".new-torn").write_text(SECRET)
    (indexed.data / ".overlay-torn").write_text(SECRET)
    forget(indexed, "papers:b.txt")
    assert bytes_everywhere(indexed.data, "wombats") == []


def test_what_is_not_there(indexed: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in the catalog"):
        forget(indexed, "papers:nothing")
    nothing = indexed.model_copy(update={"data_dir": tmp_path / "nothing"})
    with pytest.raises(StorageError):
        forget(nothing, "papers:b.txt")


def test_index_removes_what_no_document_has(indexed: Settings, papers: Path) -> None:
    (papers / "b.txt").write_text("Nothing to hide.")
    crawl("papers", indexed)
    build(indexed)
    blobs = [p for p in indexed.paths.blobs.rglob("*") if p.is_file()]
    assert len(blobs) == 3
    with sqlite3.connect(indexed.paths.catalog) as db:
        live = {h for (h,) in db.execute("select sha256 from files")}
    assert {p.name for p in blobs} == live


# ── the list of forgotten documents outlives the catalog ──────────────────────────


def lose_catalog(settings: Settings) -> None:
    for path in settings.data.glob("catalog.db*"):
        path.unlink()


def catalog_ids(settings: Settings) -> set[str]:
    catalog = Catalog(settings.paths.catalog)
    try:
        return {each.document.id for each in catalog.iter_observed()}
    finally:
        catalog.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["moved away", "older copy", "both"])
def test_a_lost_catalog_brings_nothing_back(
    indexed: Settings, tmp_path: Path, way: str
) -> None:
    older = tmp_path / "older.db"
    with closing(sqlite3.connect(indexed.paths.catalog)) as db:
        db.execute("vacuum into ?", (str(older),))
    forget(indexed, "papers:b.txt")
    lose_catalog(indexed)
    if way != "moved away":
        shutil.copyfile(older, indexed.paths.catalog)
    if way != "older copy":
        crawl("papers", indexed, full=True)
    build(indexed)
    assert "papers:b.txt" not in catalog_ids(indexed)
    if way != "older copy":
        assert catalog_ids(indexed) == {"papers:a.txt", "papers:c.txt"}
    assert found(indexed, "wombats cryostat") <= {"papers:a.txt", "papers:c.txt"}
    assert crawl("papers", indexed, dry_run=True).new == 0
    assert lift_forget(indexed, "papers:b.txt")
    crawl("papers", indexed)
    assert "papers:b.txt" in catalog_ids(indexed)


def test_a_dry_run_without_a_catalog_knows_what_is_forgotten(
    indexed: Settings,
) -> None:
    forget(indexed, "papers:b.txt")
    lose_catalog(indexed)
    assert crawl("papers", indexed, dry_run=True).new == 2


def test_what_an_older_version_forgot_is_listed_at_the_next_run(
    indexed: Settings,
) -> None:
    forget(indexed, "papers:b.txt")
    indexed.paths.forgotten.unlink()
    crawl("papers", indexed)
    assert "papers:b.txt" in read_forgotten(indexed.paths.forgotten)
    lose_catalog(indexed)
    crawl("papers", indexed)
    assert catalog_ids(indexed) == {"papers:a.txt", "papers:c.txt"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b'{"format": 2, "forgotten": []}', b'{"format": 1}'],
)
def test_a_damaged_list_stops_a_crawl(indexed: Settings, content: bytes) -> None:
    """Taken as empty, it would bring all back."""
    indexed.paths.forgotten.write_bytes(content)
    for run in (
        lambda: crawl("papers", indexed),
        lambda: build(indexed),
        lambda: forget(indexed, "papers:b.txt"),
    ):
        with pytest.raises(StorageError, match=r"forgotten\.json") as caught:
            run()
        assert "backup" in caught.value.hint
    assert indexed.paths.forgotten.read_bytes() == content


def test_nothing_was_forgotten_where_nothing_is(settings: Settings) -> None:
    assert not lift_forget(settings, "papers:b.txt")
    assert not settings.data.exists()


def test_the_hints_say_what_would_be_lost(indexed: Settings) -> None:
    lose_catalog(indexed)
    indexed.paths.catalog.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="cannot be used") as caught:
        crawl("papers", indexed)
    for word in ("backup", "Lost would be", "Forgotten documents stay forgotten"):
        assert word in caught.value.hint
    full = host_error(OSError(errno.ENOSPC, "No space left on device"))
    assert full
    assert "would lose the list of forgotten documents" in full.hint
