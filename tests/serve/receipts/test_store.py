"""Receipts: none is lost or harmed, each is shown to its readers only, or removed."""

import datetime as dt
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.errors import StorageError
from dunegpt.schemas.receipts import ReceiptResponse
from dunegpt.serve.receipts import store as receipt_store
from dunegpt.serve.receipts.store import ReceiptStore, make_id, normalize_id
from tests.index.corpus import document, fill, readers
from tests.serve.receipts.samples import passage, receipt, said

PUBLIC = readers()
LAR = readers("n:lar")
WRITER = """
import sys
from pathlib import Path
from dunegpt.errors import StorageError
from dunegpt.serve.receipts.store import ReceiptStore
from tests.serve.receipts.samples import receipt, said
if len(sys.argv) > 3:
    import resource
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
store = ReceiptStore(Path(sys.argv[1]), 90)
own = receipt(sentences=[said("word " * 2000, 1)])
for number in range(int(sys.argv[2])):
    try:
        with store.save(own) as identity:
            print(identity, flush=True)
    except StorageError as error:
        sys.exit(f"{error}")
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def store(data: Path) -> ReceiptStore:
    return ReceiptStore(data, 90)


def put(store: ReceiptStore, own: ReceiptResponse) -> str:
    with store.save(own) as identity:
        return identity


def writer(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a process that puts receipts, and prints the id of each that is there."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(data), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def sound(data: Path) -> bool:
    with closing(sqlite3.connect(data / "receipts.db")) as db:
        found: str = db.execute("pragma integrity_check").fetchone()[0]
    return found == "ok"


# ── kept, and found again ─────────────────────────────────────────────────────────


def test_put_and_get(store: ReceiptStore) -> None:
    own = receipt(passages=[passage()], sentences=[said("é “pure” \x00", 1)])
    identity = put(store, own)
    assert store.get(identity, PUBLIC) == own.model_copy(update={"id": identity})


def test_an_id_is_typed_in_many_ways(store: ReceiptStore) -> None:
    identity = put(store, receipt())
    assert len(identity) == 10
    halves = f" {identity[:5].lower()}-{identity[5:]}"
    assert store.get(halves, PUBLIC) is not None
    assert normalize_id("o0iLl-1 ab") == "001111AB"
    assert all(normalize_id(each) == each for each in (make_id() for _ in range(200)))


def test_an_id_that_is_taken_is_not_given_again(
    store: ReceiptStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["A", "A", "B"])
    monkeypatch.setattr(receipt_store, "make_id", lambda: next(drawn))
    first, second = put(store, receipt(question="1")), put(store, receipt(question="2"))
    assert (first, second) == ("A", "B")
    kept = store.get("A", PUBLIC)
    assert kept is not None and kept.question == "1"


def test_only_its_readers_see_it(store: ReceiptStore) -> None:
    both = put(store, receipt(principals=["n:daq", "n:lar"]))
    for reader in (PUBLIC, LAR, readers("n:daq"), readers("n:other")):
        assert store.get(both, reader) is None
        assert list(store.list_readable(reader)) == []
    wide = frozenset({"n:lar", "n:daq", "n:other"})
    assert store.get(both, wide) is not None
    assert [own.id for own in store.list_readable(wide)] == [both]
    public = put(store, receipt())
    assert [own.id for own in store.list_readable(LAR)] == [public]


def test_nothing_is_made_by_looking(store: ReceiptStore, data: Path) -> None:
    assert store.get("A", PUBLIC) is None
    assert list(store.list_readable(PUBLIC)) == []
    assert (store.remove("n:a"), store.count_naming("n:a")) == (0, 0)
    assert list(data.iterdir()) == []


def test_newest_first(store: ReceiptStore) -> None:
    ids = [put(store, receipt()) for _ in range(4)]
    assert [own.id for own in store.list_readable(PUBLIC)] == ids[::-1]


def test_nobody_else_may_read_the_file(store: ReceiptStore, data: Path) -> None:
    with store.save(receipt()):
        files = sorted(data.iterdir())
        assert [file.name for file in files] == [
            f"receipts.db{end}" for end in ("", "-shm", "-wal")
        ]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_old_ones_are_not_shown_and_go(store: ReceiptStore, data: Path) -> None:
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    old = put(store, receipt(at=then, question="What did wombats do?"))
    assert store.get(old, PUBLIC) is not None
    strict = ReceiptStore(data, 1)
    assert strict.get(old, PUBLIC) is None
    assert list(strict.list_readable(PUBLIC)) == []
    new = put(strict, receipt())
    assert [own.id for own in store.list_readable(PUBLIC)] == [new]
    assert b"wombats" not in (data / "receipts.db").read_bytes()


# ── nothing lost ──────────────────────────────────────────────────────────────────


def test_two_processes_at_once(store: ReceiptStore, data: Path) -> None:
    writers = [writer(data, "12") for _ in range(3)]
    told = [each.communicate(timeout=120) for each in writers]
    assert [error for _, error in told] == ["", "", ""]
    ids = [identity for out, _ in told for identity in out.split()]
    assert len(ids) == 36
    assert {own.id for own in store.list_readable(PUBLIC)} == set(ids)
    assert sound(data)


def killed(data: Path, after: int) -> list[str]:
    """Kill a writer once it has told of some receipts; return their ids."""
    with writer(data, "1000") as child:
        assert child.stdout is not None
        ids = [child.stdout.readline().strip() for _ in range(after)]
        child.send_signal(signal.SIGKILL)
        ids += child.stdout.read().split()
    return ids


@pytest.mark.slow
def test_a_killed_writer_harms_none(store: ReceiptStore, data: Path) -> None:
    ids: list[str] = []
    for after in (1, 2, 5):
        ids += [each for each in killed(data, after) if len(each) == 10]
    kept = {own.id for own in store.list_readable(PUBLIC)}
    assert set(ids) <= kept
    assert len(kept) <= len(ids) + 3  # one of each could be there, not told yet
    assert sound(data)
    assert put(store, receipt()) in {own.id for own in store.list_readable(PUBLIC)}


def test_a_full_disk_harms_none(store: ReceiptStore, data: Path) -> None:
    """A limit on the size of files stands for the disk."""
    out, error = writer(data, "1000", "200000").communicate(timeout=120)
    ids = out.split()
    assert 3 < len(ids) < 100
    assert "Cannot read or write" in error
    assert {own.id for own in store.list_readable(PUBLIC)} == set(ids)
    assert sound(data)
    assert put(store, receipt())


@pytest.mark.parametrize(
    "content", [b"no database" * 500, b"SQLite format 3\x00" + b"?" * 5000]
)
def test_a_damaged_file_is_told_and_left(
    store: ReceiptStore, data: Path, content: bytes
) -> None:
    (data / "receipts.db").write_bytes(content)
    with pytest.raises(StorageError, match=r"receipts\.db"):
        put(store, receipt())
    with pytest.raises(StorageError):
        store.get("A", PUBLIC)
    assert (data / "receipts.db").read_bytes() == content


def test_a_file_of_another_format(store: ReceiptStore, data: Path) -> None:
    put(store, receipt())
    with closing(sqlite3.connect(data / "receipts.db")) as db:
        db.execute("pragma user_version = 7")
    with pytest.raises(StorageError, match="format 7"):
        put(store, receipt())


def test_no_place_for_it(store: ReceiptStore, data: Path) -> None:
    (data / "receipts.db").mkdir()
    with pytest.raises((StorageError, IsADirectoryError)):
        put(store, receipt())


# ── forgotten ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(settings: Settings) -> Iterator[Settings]:
    """Give settings with two documents that are in the overlay."""
    fill(settings, [(document(f"n:{i}"), {"a.txt": ["text"]}) for i in ("a", "b")])
    yield settings


def test_what_was_closed_meanwhile_is_not_kept(told: Settings) -> None:
    store = ReceiptStore(told.data, 90)
    assert put(store, receipt(passages=[passage(1, "n:a"), passage(2, "n:b")]))
    assert put(store, receipt())
    for closed in (passage(2, "n:gone"), passage(2, "n:b", file="hidden.txt")):
        assert put(store, receipt(passages=[passage(1, "n:a"), closed])) == ""
    assert len(list(store.list_readable(PUBLIC))) == 2


@pytest.mark.parametrize(
    ("own", "name", "goes"),
    [
        (receipt(passages=[passage(1, "n:a:2")]), "n:a", True),
        (receipt(passages=[passage(1, "n:a/c1")]), "n:a", True),
        (receipt(passages=[passage(1, "n:a")]), "n:a/c1", False),
        (receipt(passages=[passage(1, "n:a1")]), "n:a", False),
        (receipt(passages=[passage(1, "n:a-1")]), "n:a", False),
        (receipt(passages=[passage(1, "n:a.txt")]), "n:a", False),
        (receipt(passages=[passage(1, "own-n:a")]), "n:a", False),
        (receipt(passages=[passage(1, 'n:a "x"\\')]), 'n:a "x"\\', True),
        (receipt(passages=[passage(1, "n:é ü")]), "n:é ü", True),
        (receipt(question="What is n:a about?"), "n:a", True),
        (receipt(notices=["n:a has no text."]), "n:a", True),
        (receipt(sentences=[said("It is “n:a”.", 1)]), "n:a", True),
        (receipt(passages=[passage(1, "n:e", file="timetable")]), "n:e/c1", True),
        (receipt(passages=[passage(1, "n:e", file="slides")]), "n:e/c1", False),
    ],
)
def test_which_ones_name_a_document(
    store: ReceiptStore, own: ReceiptResponse, name: str, goes: bool
) -> None:
    other = put(store, receipt(passages=[passage(1, "n:other")]))
    identity = put(store, own)
    assert store.count_naming(name) == int(goes)
    assert store.remove(name) == int(goes)
    assert store.count_naming(name) == 0
    left = {each.id for each in store.list_readable(PUBLIC)}
    assert left == ({other} if goes else {other, identity})


def test_its_bytes_go(store: ReceiptStore, data: Path) -> None:
    for number in range(30):
        secret = number % 3 == 0
        text = "Wombats dig. " * 400 if secret else "The argon is pure. " * 400
        name = "n:secret" if secret else "n:open"
        own = [said(f"{number} {text}", 1)]
        put(store, receipt(passages=[passage(1, name)], sentences=own))
    with store.save(receipt()):  # a file beside it is open
        assert store.remove("n:secret") == 10
        content = b"".join(path.read_bytes() for path in data.iterdir())
    assert b"Wombats" not in content
    assert b"n:secret" not in content
    assert content.count(b"argon") >= 20 * 390  # pages of the file cut through some
    assert sound(data)


def test_a_killed_removal_is_gone_on_with(store: ReceiptStore, data: Path) -> None:
    """Rows are gone, their bytes are not: as by a program that did not care."""
    secret = [said("Wombats dig.", 1)]
    put(store, receipt(passages=[passage(1, "n:secret")], sentences=secret))
    with closing(sqlite3.connect(data / "receipts.db")) as db:
        db.execute("pragma secure_delete = off")
        db.execute("delete from receipts")
        db.commit()
    assert b"Wombats" in (data / "receipts.db").read_bytes()
    assert store.count_naming("n:secret") == 1
    assert store.remove("n:secret") == 0
    assert store.count_naming("n:secret") == 0
    assert b"Wombats" not in (data / "receipts.db").read_bytes()
