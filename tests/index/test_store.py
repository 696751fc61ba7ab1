"""The store: what goes in comes out, and filters."""

import datetime as dt
from pathlib import Path

import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.names import names
from dunegpt.index.store import Store, StoreWriter
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
    writer = StoreWriter(tmp_path / "passages.db")
    row = 0
    for number, doc in enumerate(DOCUMENTS):
        writer.document(number, doc, sorted(names(doc)))
        for file in doc.files:
            pages = [Page(1, "Head", "first ✓"), Page(3, "", "third")]
            own = writer.file(number, file, pages)
            writer.passage(row, number, own, passage(doc, file.key))
            row += 1
    writer.close()
    return tmp_path / "passages.db"


def passage(doc: Document, key: str) -> Passage:
    return Passage(doc.id, key, 1, 3, 2, 4, "Hé", f"text of {key}", 5)


def test_round_trip(path: Path) -> None:
    store = Store(path)
    found = store.documents([2, 0, 1, 0, 9])
    assert [found[n].document for n in range(3)] == DOCUMENTS
    assert [found[n].superseded_by for n in range(3)] == [1, None, None]
    assert [store.access_sets[found[n].access] for n in range(3)] == [
        doc.access for doc in DOCUMENTS
    ]
    assert store.passages([2]) == {2: (1, passage(DOCUMENTS[1], "b.txt"))}
    assert store.passages([99]) == {}
    assert store.rows_of(1) == [1, 2]
    assert store.sources() == ["notes", "x'y"]
    pages = [Page(1, "Head", "first ✓"), Page(3, "", "third")]
    assert store.pages("n:A-0001:1", "a.txt") == pages
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
    ("sources", "since", "until", "author", "expected"),
    [
        ((), None, None, "", None),
        (("notes",), None, None, "", [0, 1]),
        (("notes", "x'y"), None, None, "", [0, 1, 2]),
        (("other",), None, None, "", []),
        ((), dt.date(2024, 1, 1), None, "", [1]),
        ((), None, dt.date(2023, 12, 31), "", [2]),
        ((), dt.date(2023, 12, 31), dt.date(2024, 2, 29), "", [1, 2]),
        ((), None, None, "lee", [0, 2]),
        ((), None, None, "LEE B", [0]),
        ((), None, None, "lee nobody", []),
        ((), None, None, "a%", []),
        (("x'y",), dt.date(2024, 1, 1), None, "", []),
    ],
)
def test_filters(
    path: Path,
    sources: tuple[str, ...],
    since: dt.date | None,
    until: dt.date | None,
    author: str,
    expected: list[int] | None,
) -> None:
    found = Store(path).filtered(sources, since, until, author)
    assert (found and sorted(found)) == expected


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_damaged(tmp_path: Path, content: bytes | None) -> None:
    broken = tmp_path / "broken.db"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(IndexBrokenError, match=r"broken\.db"):
        Store(broken)
