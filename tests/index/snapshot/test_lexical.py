"""The lexical index: scores, clauses, and whatever people type."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.snapshot.lexical import LexicalIndex
from dunegpt.index.snapshot.lexical_filter import LexicalFilter
from dunegpt.index.snapshot.lexical_writer import LexicalWriter, PassageFields
from dunegpt.text.analyzer import tokenize

TEXTS = [  # row: document, access, text
    (0, 0, "The purity monitor measures the electron lifetime."),
    (0, 1, "The purity of argon is monitored every hour."),
    (1, 0, "The drift field is 475 V/cm."),
    (1, 1, "The cathode hangs from the roof, says DUNE-doc-12345-v3."),
    (2, 2, "purity purity purity"),
]
ALL = LexicalFilter((0, 1, 2))


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    writer = LexicalWriter(tmp_path / "lexical")
    for row, (document, access, text) in enumerate(TEXTS):
        writer.add(row, tokenize(text), PassageFields(document, access))
    writer.close()
    return LexicalIndex(tmp_path / "lexical")


def found(index: LexicalIndex, query: str, clause: LexicalFilter = ALL) -> list[int]:
    rows, scores = index.search(query, clause, 10)
    assert len(rows) == len(scores)
    assert all(0 < score <= 1 for score in scores)
    assert sorted(scores, reverse=True) == list(scores)
    return [int(row) for row in rows]


def test_best_first(index: LexicalIndex) -> None:
    assert len(index) == len(TEXTS)
    assert found(index, "electron lifetime purity")[0] == 0
    assert set(found(index, "purity")) == {0, 1, 4}
    assert index.search("purity", ALL, 2)[0].size == 2


def test_score_does_not_fall_with_words_that_no_document_has(
    index: LexicalIndex,
) -> None:
    plain, more = (index.search(q, ALL, 9)[1] for q in ("purity", "purity xyzzy"))
    assert plain.tolist() == more.tolist()


def test_twice_asked_is_within_bounds(index: LexicalIndex) -> None:
    once, twice = (index.search(q, ALL, 9)[1] for q in ("purity", "purity purity"))
    assert twice.tolist() == pytest.approx(once.tolist())


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (LexicalFilter((0,)), {0}),
        (LexicalFilter((1, 2)), {1, 4}),
        (LexicalFilter(()), set()),
        (LexicalFilter((7,)), set()),
        (LexicalFilter((0, 1, 2), (0,)), {0, 1}),
        (LexicalFilter((1,), (0, 2)), {1}),
        (LexicalFilter((0, 1, 2), ()), set()),
    ],
)
def test_clauses(
    index: LexicalIndex, clause: LexicalFilter, expected: set[int]
) -> None:
    assert set(found(index, "purity", clause)) == expected


@pytest.mark.parametrize("query", ["purity", "the drift field of the cathode", "v/cm"])
def test_scores_of_given_rows_equal_the_search(index: LexicalIndex, query: str) -> None:
    rows, scores = index.search(query, ALL, 10)
    given = index.score_rows(query, ALL, range(len(TEXTS)))
    assert given == pytest.approx(dict(zip(rows.tolist(), scores.tolist())))  # noqa: B905
    assert index.score_rows(query, ALL, rows[:1].tolist()).keys() == {rows[0]}
    assert index.score_rows(query, ALL, []) == {}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('body:purity AND "x" OR (row:3 NOT +cathode -hangs^2 ~', {0, 1, 3, 4}),
        ("row:2 access:0 document:1", set()),
        ("*", set()),
        ("pur*", set()),
        ("🚀🔬", set()),
        ("🚀 purity", {0, 1, 4}),
        ("what is the", set()),
        ("", set()),
        ("DUNE-doc-12345-v3", {3}),
        ("\0 \x1b[31m purity", {0, 1, 4}),
        (("cathode " * 500)[:4000], {3}),
        ("x" * 4000, set()),
        (" ".join(f"w{n}" for n in range(900)), set()),
    ],
)
def test_whatever_people_type(
    index: LexicalIndex, query: str, expected: set[int]
) -> None:
    assert set(found(index, query)) == expected


def test_rarer_words_weigh_more(index: LexicalIndex) -> None:
    assert (
        index.get_idf("xyzzy") > index.get_idf("lifetim") > index.get_idf("puriti") > 0
    )
    hidden = LexicalFilter((2,))
    weights = index.get_word_weights("purity of the qqzzy lifetime", hidden)
    assert weights["qqzzi"] == index.get_idf("xyzzy")
    unseen = [word for word in weights if not found(index, word, hidden)]
    assert all(weights[word] == index.get_idf("xyzzy") for word in unseen)


@pytest.mark.slow
def test_the_mask_changes_nothing_but_the_way(tmp_path: Path) -> None:
    """Rows, scores and order are those of the clause alone, whatever is allowed."""
    rng = np.random.default_rng(0)
    names = np.array([f"word{n}" for n in range(40)])
    access = rng.integers(4, size=600)
    writer = LexicalWriter(tmp_path / "lexical")
    for row, own in enumerate(access.tolist()):
        chosen = rng.zipf(1.5, 12).clip(1, 40) - 1
        writer.add(row, tokenize(" ".join(names[chosen])), PassageFields(row, own))
    writer.close()
    index = LexicalIndex(tmp_path / "lexical")
    ways = 0
    for trial in range(200):
        allowed = tuple(rng.choice(4, rng.integers(1, 4), replace=False).tolist())
        rows = np.isin(access, allowed)
        plain = LexicalFilter(allowed, visible=int(rows.sum()))
        masked = replace(plain, rows=rows)
        query, k = " ".join(rng.choice(names, 3)), (1, 10, 40)[trial % 3]
        one, other = (index.search(query, c, k) for c in (plain, masked))
        assert one[0].tolist() == other[0].tolist()
        assert one[1].tolist() == other[1].tolist()
        assert index.get_word_weights(query, plain) == index.get_word_weights(
            query, masked
        )
        known = index._find_known(query, masked)
        ways += index._filter_top_k(known, masked, k) is not None
    assert ways > 50  # the short way was taken, not only the long one


def test_damaged(tmp_path: Path, index: LexicalIndex) -> None:
    with pytest.raises(IndexBrokenError):
        LexicalIndex(tmp_path / "nowhere")
    (tmp_path / "lexical" / "meta.json").write_text("{")
    with pytest.raises(IndexBrokenError):
        LexicalIndex(tmp_path / "lexical")


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, index: LexicalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"  # the index watches its own folder, with a lock file
    shutil.copytree(
        tmp_path / "lexical",
        folder,
        ignore=lambda *_: [".tantivy-meta.lock", ".tantivy-writer.lock"],
    )
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.setattr("os.access", lambda *_: False)
    assert found(LexicalIndex(folder), "purity") == found(index, "purity")
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.fixture
def forms(tmp_path: Path) -> LexicalIndex:
    """The third passage is closed to who may read access set 0 only."""
    texts = (
        "the cooldown began on a fiber of the TPCs in release v04_29_01",
        "the cool-down of four vessels",
        "the shutter froze near the feed through of the lid",
        "a vessel with argon in it",
    )
    writer = LexicalWriter(tmp_path / "forms")
    for row, text in enumerate(texts):
        writer.add(row, tokenize(text), PassageFields(row, int(row == 2)))
    writer.close()
    return LexicalIndex(tmp_path / "forms")


ALL, OPEN = LexicalFilter((0, 1), visible=4), LexicalFilter((0,), visible=3)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("begin", [0]),
        ("begun", [0]),
        ("fibre", [0]),
        ("fibres", [0]),
        ("TPC", [0]),
        ("4.29.1", [0]),
        ("v4_29_1", [0]),
        ("cool down", [0, 1]),
        ("cool-down", [0, 1]),
        ("cooldown", [0, 1]),
        ("4", [1]),
        ("freeze", [2]),
        ("feedthrough", [2]),
    ],
)
def test_forms_of_a_word_are_found(
    forms: LexicalIndex, query: str, rows: list[int]
) -> None:
    found, scores = forms.search(query, ALL, 10)
    assert sorted(found.tolist()) == rows
    assert (scores <= 1.001).all()


def test_forms_of_hidden_passages_count_for_nobody_else(forms: LexicalIndex) -> None:
    for query in ("freeze", "feedthrough"):
        assert not len(forms.search(query, OPEN, 10)[0])
        assert forms.get_word_weights(query, OPEN) == {
            word: forms.get_word_weights("plugh", OPEN)["plugh"]
            for word in tokenize(query)
        }


def test_a_word_that_stands_there_scores_as_its_form(forms: LexicalIndex) -> None:
    [(own,), (other,)] = (
        forms.search(query, ALL, 1)[1].tolist() for query in ("fiber", "fibre")
    )
    assert own == pytest.approx(other)
