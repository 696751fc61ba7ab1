"""The store: what goes in comes out, and filters."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.names import names
from dunegpt.index.part import PartWriter, Span
from dunegpt.index.store import Store
from dunegpt.index.store_writer import StoreWriter
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
    writer = StoreWriter(folder / "documents.db")
    row = files = 0
    for part in range(parts):
        first_row, first_file = row, files
        own_part = PartWriter(folder / "part", 4)
        for doc in DOCUMENTS[part::parts] if parts > 1 else DOCUMENTS:
            number = writer.document(doc, sorted(names(doc)), f"stamp {doc.id}")
            first = row
            for file in doc.files:
                own = writer.file(number, file)
                own_part.pages(own, PAGES)
                own_part.passage(row, own, passage(doc, file.key))
                own_part.vectors(np.eye(1, 4, dtype=np.float16), ONE)
                row, files = row + 1, files + 1
            writer.rows(number, first, row - first, f"digest {doc.id}")
        own_part.close(int8_from=10**6)
        span = Span(first_row, row - first_row, 0, 0, first_file, files - first_file)
        (folder / "part").rename(folder / span.name)
    writer.close()
    return folder / "documents.db"


def opened(path: Path) -> Store:
    """Return the store with the parts beside it."""
    spans = []
    files = 0
    for folder in sorted(path.parent.glob("0*-*")):
        first, rows, _ = map(int, folder.name.split("-"))
        spans.append((Span(first, rows, 0, 0, files, rows), folder))
        files += rows
    return Store(path, spans)


PAGES = [Page(1, "Head", "first ✓"), Page(3, "", "third")]
ONE = np.eye(1, 4, dtype=np.float16)


def passage(doc: Document, key: str) -> Passage:
    return Passage(doc.id, key, 1, 3, 2, 4, "Hé", f"text of {key}", 5)


def test_round_trip(path: Path) -> None:
    store = opened(path)
    found = store.documents([2, 0, 1, 0, 9])
    assert [found[n].document for n in range(3)] == DOCUMENTS
    assert [found[n].superseded_by for n in range(3)] == [1, None, None]
    assert [store.access_sets[found[n].access] for n in range(3)] == [
        doc.access for doc in DOCUMENTS
    ]
    assert store.passages([2]) == {2: (1, passage(DOCUMENTS[1], "b.txt"))}
    assert store.passages([99]) == {}
    assert store.rows_of(1) == [1, 2]
    assert store.files_of([0, 2]) == {0: "a.txt", 2: "b.txt"}
    assert store.pages("n:A-0001:1", "a.txt") == PAGES
    assert store.pages("n:A-0001:1", "b.txt") == []
    store.close()


def test_names(path: Path) -> None:
    store = Store(path)
    assert store.named("A-0001") == store.named("n:a-0001") == [0, 1]
    assert store.named("a-0001-V2") == [1]
    assert store.named("a-00") == []
    assert store.series("a-") == [0, 1]  # one for each way of access
    assert store.series("b*[") == store.series("*") == store.series("a-x") == []


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
    assert Store(path).by_author(author) == expected


def test_parts(tmp_path: Path) -> None:
    """Rows and files are found in the part that holds them, and nowhere else."""
    store = opened(written(tmp_path, parts=3))
    assert [each.number for each in store.documents([0, 1, 2]).values()] == [0, 1, 2]
    expected = {0: (0, "a.txt"), 1: (1, "a.txt"), 2: (1, "b.txt"), 3: (2, "a.txt")}
    found = store.passages(range(5))
    assert {r: (n, p.file_key) for r, (n, p) in found.items()} == expected
    assert store.pages("n:A-0001:2", "b.txt") == PAGES


def test_a_changed_copy(path: Path, tmp_path: Path) -> None:
    """Numbers go on where they were; what is taken out leaves only dead rows."""
    writer = StoreWriter(tmp_path / "copy.db", path)
    held = writer.held()
    assert {key: each.stamp for key, each in held.items()} == {
        doc.id: f"stamp {doc.id}" for doc in DOCUMENTS
    }
    writer.remove("n:A-0001:2", held["n:A-0001:2"], "now")
    assert writer.document(document("n:C:1"), [], "new") == 3
    assert writer.counts() == {"documents": 3, "passages": 2, "files": 2}
    assert not writer.has_file(1)
    writer.close()
    again = StoreWriter(tmp_path / "again.db", tmp_path / "copy.db")
    assert (again.documents, again.files) == (4, 4)
    again.close()
    store = opened(path)
    changed = Store(tmp_path / "copy.db", [])
    assert changed.documents([0])[0].superseded_by is None
    assert store.documents([0])[0].superseded_by == 1, "the base is as it was"
    assert changed.access_sets[0] == frozenset()


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_damaged(tmp_path: Path, content: bytes | None) -> None:
    broken = tmp_path / "broken.db"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(IndexBrokenError, match=r"broken\.db"):
        Store(broken)
