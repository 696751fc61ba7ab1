"""What is hidden takes the same work to look up as what does not exist.

Counted are queries to the stores, searches, and documents that are compared.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY, Access
from dunegpt.index.search import lookup
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.search.revocations import Revocations
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.lexical import LexicalIndex
from dunegpt.index.snapshot.read_only_database import ReadOnlyDatabase
from dunegpt.index.snapshot.snapshot import Snapshot
from tests.index.corpus import PUBLIC, document, pack, readers

LAR = readers("n:lar")
Run = Callable[[Callable[[], object]], tuple[Counter[str], object]]
HIDDEN = ["n:7", "n:8", "n:9", "closed:1"]
UNKNOWN = ["n:6", "n:5", "n:4", "closed:2"]


@pytest.fixture(scope="module")
def snapshot(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> Iterator[Snapshot]:
    corpus = [
        (document("n:1"), {"a.txt": ["Argon purity."]}),
        (
            document("n:2", files={"b.txt": PUBLIC, "closed.pdf": LAR}),
            {"b.txt": ["Argon flow."], "closed.pdf": ["Xyzzy."]},
        ),
        (document("n:7", access=LAR), {"c.txt": ["Plugh is closed."]}),
        (document("n:8", access=LAR), {"c.txt": ["Plugh was closed."]}),
        (document("n:9"), {"c.txt": ["Closed since then."]}),
        (
            document("closed:1", source="closed", access=LAR),
            {"c.txt": ["Plugh."]},
        ),
    ]
    opened = pack(tmp_path_factory.mktemp("s"), tiny_encoder, corpus)
    yield opened
    opened.close()


@pytest.fixture
def index(snapshot: Snapshot) -> Callable[[Access], ReaderIndex]:
    [number] = snapshot.store.find_by_name("n:9")
    revocations = Revocations({number: LAR}, stale=frozenset({"closed"}))
    return lambda reader: Searcher(snapshot, revocations).as_reader(reader)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the steps of looking up."""
    counts = Counter[str]()

    def count(owner: Any, name: str, key: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def counted(*args: Any, **more: Any) -> Any:
            counts[key(*args)] += 1
            return real(*args, **more)

        monkeypatch.setattr(owner, name, counted)

    count(ReadOnlyDatabase, "query", lambda _, sql, *__: sql)
    count(LexicalIndex, "_build_query", lambda *_: "lexical query")
    count(LexicalIndex, "_search_top_k", lambda *_: "lexical search")
    count(ReaderView, "may_see", lambda *_: "may see")
    count(ReaderView, "apply_revocations", lambda *_: "redact")
    count(lookup, "collect_names", lambda *_: "names")
    return counts


@pytest.fixture
def run(work: Counter[str], snapshot: Snapshot) -> Run:
    def call(action: Callable[[], object]) -> tuple[Counter[str], object]:
        snapshot.lexical._is_known_word.cache_clear()
        snapshot.lexical._select_known.cache_clear()
        work.clear()
        result = action()
        return Counter(work), result

    return call


ACTIONS: dict[str, Callable[[ReaderIndex, str], object]] = {
    "documents": lambda index, name: index.find_documents(name),
    "related": lambda index, name: index.find_related(name),
    "search": lambda index, name: index.search(name).hits,
    "question": lambda index, name: index.search(f"What is in {name}?").hits,
    "filter": lambda index, name: index.search(f"argon doc:{name}").hits,
    "names": lambda index, name: index.names_documents(name),
}


@pytest.mark.parametrize("reader", [NOBODY, readers("n:other")])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_hidden_document(
    index: Callable[[Access], ReaderIndex],
    run: Run,
    reader: Access,
    action: str,
) -> None:
    for hidden, unknown in zip(HIDDEN, UNKNOWN, strict=True):
        index(reader).find_documents("n:1")  # what is computed once per snapshot
        ones, found = run(lambda n=hidden: ACTIONS[action](index(reader), n))  # type: ignore[misc]
        others, nothing = run(
            lambda n=unknown: ACTIONS[action](index(reader), n),  # type: ignore[misc]
        )
        assert found == nothing
        assert ones == others
        assert ones["names"]


def test_a_hidden_file(index: Callable[[Access], ReaderIndex], run: Run) -> None:
    index(NOBODY).find_documents("n:1")  # what is computed once per snapshot
    closed, found = run(lambda: index(NOBODY).names_documents("closed.pdf"))
    unknown, nothing = run(lambda: index(NOBODY).names_documents("nothing.pdf"))
    assert found is nothing is False
    for step in ("may see", "redact", "names"):  # documents may come from a cache
        assert closed[step] == unknown[step] > 0
    assert index(LAR).names_documents("closed.pdf")


def test_a_word_of_hidden_passages(
    index: Callable[[Access], ReaderIndex], run: Run
) -> None:
    hidden, _ = run(lambda: index(NOBODY).get_word_weights("plugh"))
    unknown, _ = run(lambda: index(NOBODY).get_word_weights("corge"))
    assert hidden == unknown
    assert hidden["lexical query"]
    assert set(index(LAR).get_word_weights("plugh")) == {"plugh"}


def test_the_mask_is_what_a_reader_may_see(
    index: Callable[[Access], ReaderIndex], snapshot: Snapshot
) -> None:
    for reader in (NOBODY, LAR, readers("n:other")):
        for number, name in enumerate(["closed:1", "n:1", "n:2", "n:7", "n:8", "n:9"]):
            own = index(reader)
            [stored] = snapshot.store.get_documents([number]).values()
            assert stored.document.id == name
            view = own._view
            assert view.visible_documents[number] == view.may_see(stored), name
