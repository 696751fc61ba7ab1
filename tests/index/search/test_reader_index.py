"""The index as one reader may see it: made once, and shared with nobody else's."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY
from dunegpt.index.search import reader_view
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.revocations import Revocations
from dunegpt.index.search.searcher import Searcher
from tests.index.corpus import PUBLIC, Corpus, document, pack, readers

LAR = readers("n:lar")
CORPUS: Corpus = [
    (document("n:P-1:1", title="Purity"), {"a.txt": ["The valve is open."]}),
    (document("n:P-2:1", source="other"), {"a.txt": ["Another valve is closed."]}),
    (document("n:S-3:1", access=LAR), {"a.txt": ["The quokka valve is hidden."]}),
]


@pytest.fixture
def searcher(tmp_path: Path, tiny_encoder: Path) -> Iterator[Searcher]:
    with closing(Searcher(pack(tmp_path / "s", tiny_encoder, CORPUS))) as searcher:
        yield searcher


def texts(index: ReaderIndex, *filters: Filters) -> set[str]:
    return {hit.passage.text for hit in index.search("valve", filters).hits}


def ask_everything(index: ReaderIndex) -> list[Any]:
    """Return what each method of an index gives."""
    [(first, _)] = index.find_documents("n:P-1:1")
    return [
        index.search("valve"),
        index.search("P-1"),
        index.search("after:2000"),
        texts(index, Filters(sources=("other",))),
        index.get_word_weights("quokka valve"),
        index.names_documents("What does S-3 say?"),
        index.has_matches(Filters(sources=("notes",)), Filters(kinds=("note",))),
        index.find_newest("valve", "note"),
        index.find_documents("n:S-3:1"),
        index.find_related("n:P-1:1"),
        index.get_pages(first, "a.txt"),
        (index.facets.sources, index.facets.kinds),
        index.runs.all_runs,
    ]


def test_questions_do_not_narrow_the_index(searcher: Searcher) -> None:
    index = searcher.as_reader(PUBLIC)
    both = {"The valve is open.", "Another valve is closed."}
    assert texts(index) == both
    assert texts(index, Filters(sources=("other",))) == {"Another valve is closed."}
    assert not index.has_matches(Filters(kinds=("talk",)))
    assert len(index.search("P-1").hits) == 1
    assert index.find_newest("valve", "entry") is None
    assert texts(index) == both


def test_what_a_reader_may_find_is_computed_once(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    original = reader_view._compute_visible

    def counted(*arguments: Any) -> Any:
        computed.append(arguments[2])
        return original(*arguments)

    monkeypatch.setattr(reader_view, "_compute_visible", counted)
    for _ in range(3):
        ask_everything(searcher.as_reader(LAR))
    assert computed == [LAR | PUBLIC]
    ask_everything(searcher.as_reader(NOBODY))
    ask_everything(searcher.as_reader(PUBLIC))
    assert computed == [LAR | PUBLIC, PUBLIC]


def test_an_index_is_shared_between_threads(searcher: Searcher) -> None:
    shared = {reader: searcher.as_reader(reader) for reader in (PUBLIC, LAR)}
    expected = {r: ask_everything(searcher.as_reader(r)) for r in shared}
    assert expected[PUBLIC] != expected[LAR]
    turns = [PUBLIC, LAR] * 12
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda reader: ask_everything(shared[reader]), turns))
    assert found == [expected[reader] for reader in turns]


def test_pages_of_open_files_only(tmp_path: Path, tiny_encoder: Path) -> None:
    mixed = document("n:M-1:1", files={"a.txt": PUBLIC, "b.txt": LAR})
    corpus = [(mixed, {"a.txt": ["Open."], "b.txt": ["Quokka."]})]
    with closing(Searcher(pack(tmp_path / "s", tiny_encoder, corpus))) as searcher:
        for reader, count in ((PUBLIC, 0), (LAR, 1)):
            index = searcher.as_reader(reader)
            [(own, _)] = index.find_documents("M-1")
            assert len(index.get_pages(own, "b.txt")) == count
            assert [page.text for page in index.get_pages(own, "a.txt")] == ["Open."]


# ── masks ─────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_snapshots_never_share_masks(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even two of the same revocations where the second has the first's id()."""
    monkeypatch.setattr(reader_view, "id", lambda _: 1, raising=False)
    secret = [(document("n:P-1:1", access=LAR), CORPUS[0][1])]
    same = Revocations()
    for turn, corpus in enumerate((CORPUS[:1], secret, CORPUS[:1], secret)):
        with closing(
            Searcher(pack(tmp_path / f"s{turn}", tiny_encoder, corpus), same)
        ) as searcher:
            assert len(searcher.as_reader(NOBODY).search("valve").hits) == 1 - turn % 2
        del searcher
        gc.collect()


def test_masks_belong_to_the_revocations_in_force(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    snapshot = pack(tmp_path / "s", tiny_encoder, CORPUS[:1])
    before = Searcher(snapshot)
    after = Searcher(snapshot, Revocations(documents={0: LAR}))
    for _ in range(2):
        assert before.as_reader(PUBLIC).search("valve").hits
        assert not after.as_reader(PUBLIC).search("valve").hits
    assert after.as_reader(LAR).search("valve").hits
    snapshot.close()


def test_a_mask_cannot_be_changed(searcher: Searcher) -> None:
    rows, clause = searcher.masks.get(PUBLIC)
    with pytest.raises(ValueError, match="read-only"):
        rows[:] = True
    assert clause.visible == 2


def test_revocations_are_a_plain_value() -> None:
    assert Revocations(documents={0: LAR}) == Revocations({0: LAR})
    assert set(Revocations.__slots__) == {"documents", "files", "stale", "notice"}
