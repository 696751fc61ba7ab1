"""The store: what goes in comes out, and filters."""

import datetime as dt
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.document_names import collect_names
from dunegpt.index.snapshot.document_store import DocumentStore
from dunegpt.index.snapshot.document_writer import DocumentStoreWriter
from dunegpt.index.snapshot.read_only_database import ReadOnlyDatabase
from dunegpt.index.snapshot.segment import SegmentRange, SegmentWriter
from dunegpt.types import Document, Page, Passage
from tests.index.corpus import document, readers

GROUP = readers("indico:member", "indico:lar")
DOCUMENTS = [
    document("n:A-0001:1", title="Ärger ✓", authors=("Okonjo, A.", "Lee B")),
    document(
        "n:A-0001:2",
        access=GROUP,
        files={"a.txt": GROUP, "b.txt": readers("indico:lar")},
        supersedes="n:A-0001:1",
        date=dt.date(2024, 2, 29),
    ),
    document("n:B*[?]:1", source="x'y", authors=("Lee C",), date=dt.date(2023, 12, 31)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path, parts=1)


def written(folder: Path, *, parts: int) -> Path:
    """Return a store of the documents, spread over some parts."""
    writer = DocumentStoreWriter(folder / "documents.db")
    row = files = 0
    for part in range(parts):
        first_row, first_file = row, files
        own_part = SegmentWriter(folder / "part", 4)
        for doc in DOCUMENTS[part::parts] if parts > 1 else DOCUMENTS:
            number = writer.add_document(
                doc, sorted(collect_names(doc)), f"stamp {doc.id}"
            )
            first = row
            for file in doc.files:
                own = writer.add_file(number, file)
                own_part.add_pages(own, PAGES)
                own_part.add_passage(row, own, passage(doc, file.key))
                own_part.add_vectors(np.eye(1, 4, dtype=np.float16), ONE)
                row, files = row + 1, files + 1
            writer.set_rows(number, first, row - first, f"digest {doc.id}")
        own_part.close(int8_from=10**6)
        span = SegmentRange(
            first_row, row - first_row, 0, 0, first_file, files - first_file
        )
        (folder / "part").rename(folder / span.name)
    writer.close()
    return folder / "documents.db"


def opened(path: Path) -> DocumentStore:
    """Return the store with the parts beside it."""
    spans = []
    files = 0
    for folder in sorted(path.parent.glob("0*-*")):
        first, rows, _ = map(int, folder.name.split("-"))
        spans.append((SegmentRange(first, rows, 0, 0, files, rows), folder))
        files += rows
    return DocumentStore(path, spans)


PAGES = [Page(1, "Head", "first ✓"), Page(3, "", "third")]
ONE = np.eye(1, 4, dtype=np.float16)


def passage(doc: Document, key: str) -> Passage:
    return Passage(doc.id, key, 1, 3, 2, 4, "Hé", f"text of {key}", 5)


def test_round_trip(path: Path) -> None:
    store = opened(path)
    found = store.get_documents([2, 0, 1, 0, 9])
    assert [found[n].document for n in range(3)] == DOCUMENTS
    assert [found[n].superseded_by for n in range(3)] == [1, None, None]
    assert [store.access_sets[found[n].access] for n in range(3)] == [
        doc.access for doc in DOCUMENTS
    ]
    assert store.get_passages([2]) == {2: (1, passage(DOCUMENTS[1], "b.txt"))}
    assert store.get_passages([99]) == {}
    assert store.get_rows(1) == [1, 2]
    assert store.get_file_keys([0, 2]) == {0: "a.txt", 2: "b.txt"}
    assert store.get_pages("n:A-0001:1", "a.txt") == PAGES
    assert store.get_pages("n:A-0001:1", "b.txt") == []
    store.close()


def test_names(path: Path) -> None:
    store = DocumentStore(path)
    assert store.find_by_name("A-0001") == store.find_by_name("n:a-0001") == [0, 1]
    assert store.find_by_name("a-0001-V2") == [1]
    assert store.find_by_name("a-00") == []
    assert store.find_by_prefix("a-") == [0, 1]  # one for each way of access
    assert (
        store.find_by_prefix("b*[")
        == store.find_by_prefix("*")
        == store.find_by_prefix("a-x")
        == []
    )


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("lee", [0, 2]),
        ("LEE B", [0]),
        ("lee nobody", []),
        ("a%", []),
        ("okonjo", [0]),
    ],
)
def test_authors(path: Path, author: str, expected: list[int]) -> None:
    assert DocumentStore(path).find_by_author(author) == expected


def test_parts(tmp_path: Path) -> None:
    """Rows and files are found in the part that holds them, and nowhere else."""
    store = opened(written(tmp_path, parts=3))
    assert [each.number for each in store.get_documents([0, 1, 2]).values()] == [
        0,
        1,
        2,
    ]
    expected = {0: (0, "a.txt"), 1: (1, "a.txt"), 2: (1, "b.txt"), 3: (2, "a.txt")}
    found = store.get_passages(range(5))
    assert {r: (n, p.file_key) for r, (n, p) in found.items()} == expected
    assert store.get_pages("n:A-0001:2", "b.txt") == PAGES


def test_a_changed_copy(path: Path, tmp_path: Path) -> None:
    """Numbers go on where they were; what is taken out leaves only dead rows."""
    writer = DocumentStoreWriter(tmp_path / "copy.db", path)
    held = writer.list_existing()
    assert {key: each.stamp for key, each in held.items()} == {
        doc.id: f"stamp {doc.id}" for doc in DOCUMENTS
    }
    writer.remove("n:A-0001:2", held["n:A-0001:2"], "now")
    assert writer.add_document(document("n:C:1"), [], "new") == 3
    assert writer.count_all() == {"documents": 3, "passages": 2, "files": 2}
    assert not writer.has_file(1)
    writer.close()
    again = DocumentStoreWriter(tmp_path / "again.db", tmp_path / "copy.db")
    assert (again.documents, again.files) == (4, 4)
    again.close()
    store = opened(path)
    changed = DocumentStore(tmp_path / "copy.db", [])
    assert changed.get_documents([0])[0].superseded_by is None
    assert store.get_documents([0])[0].superseded_by == 1, "the base is as it was"
    assert changed.access_sets[0] == frozenset()


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_damaged(tmp_path: Path, content: bytes | None) -> None:
    broken = tmp_path / "broken.db"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(IndexBrokenError, match=r"broken\.db"):
        DocumentStore(broken)


def test_many_threads_read_one_store(tmp_path: Path) -> None:
    """Each gets what it asked for, though they all run the same statements."""
    store = opened(written(tmp_path, parts=3))
    own = [(0, "n:A-0001:1"), (1, "n:A-0001:2"), (2, "n:B*[?]:1")]
    wrong = []
    start = threading.Barrier(8)

    def read(worker: int) -> None:
        start.wait()
        for turn in range(150):
            number, identity = own[(worker + turn) % 3]
            found = store.get_documents([number])[number].document
            rows = store.get_rows(number)
            passages = store.get_passages(rows)
            owners = {document for document, _ in passages.values()}
            pages = store.get_pages(identity, "a.txt")
            if (found, owners, pages) != (DOCUMENTS[number], {number}, PAGES):
                wrong.append((number, found.id, owners, pages))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    store.close()


class SlowConnection:
    """A connection that notes how many threads are inside it at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._inside = 0
        self.most = 0

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._inside += 1
        self.most = max(self.most, self._inside)
        time.sleep(0.002)
        found = self._connection.execute(*arguments)
        self._inside -= 1
        return found


def test_one_thread_at_a_time_uses_a_connection(path: Path) -> None:
    database = ReadOnlyDatabase(path)
    watched = SlowConnection(database._connection)
    database._connection = watched  # type: ignore[assignment]
    query = "select id from documents where number = ?"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: database.query(query, (n % 3,)), range(48)))
    assert found == [[(DOCUMENTS[n % 3].id,)] for n in range(48)]
    assert watched.most == 1


def test_a_long_result_does_not_hold_up_others(path: Path) -> None:
    database = ReadOnlyDatabase(path)
    numbers = "with n(x) as (select 0 union all select x + 1 from n where x < 999)"
    long = database.iterate(f"{numbers} select x from n")
    found = [next(long)]
    assert database.query("select count(*) from documents") == [(3,)]
    found += list(long)
    assert found == [(x,) for x in range(1000)]
    database.close()
    with pytest.raises(sqlite3.ProgrammingError):
        database.query("select 1")
