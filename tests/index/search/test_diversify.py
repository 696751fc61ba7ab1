"""Turns of documents, and what is said twice, worked out by hand."""

import datetime as dt
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunegpt.index.search import duplicates
from dunegpt.index.search.diversify import (
    NEAR_SCORE,
    interleave_documents,
    spread_documents,
)
from dunegpt.index.search.duplicates import SeenTexts
from dunegpt.index.search.priors import EPSILON
from dunegpt.index.search.priors import compute_prior as prior_of
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.searcher import Searcher
from dunegpt.types import Document
from tests.index.corpus import PUBLIC, document, pack, readers

LAR = readers("n:lar")
TODAY = dt.date(2026, 1, 1)
SENTENCE = (
    "The purge flow of the test cryostat was raised step by step during the second"
    " week, while the oxygen monitors at the roof were read by the shift crew each"
    " hour and compared with the monitors of the cavern below"
)


def test_a_fourth_passage_waits_for_others_that_are_near() -> None:
    scores = np.array([0.90, 0.89, 0.88, 0.87, 0.86, 0.85, 0.80], np.float32)
    assert spread_documents([1, 1, 1, 1, 2, 3, 2], scores).tolist() == [
        0,
        1,
        2,
        4,
        5,
        3,
        6,
    ]


def test_far_ones_wait_for_nobody() -> None:
    scores = np.array([0.90, 0.89, 0.88, 0.87, 0.70], np.float32)
    assert spread_documents([1, 1, 1, 1, 2], scores).tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1, width=32)), max_size=30))
def test_spread_keeps_all_and_the_order_of_documents(
    made: list[tuple[int, float]],
) -> None:
    made.sort(key=lambda pair: -pair[1])
    documents = [document for document, _ in made]
    scores = np.array([score for _, score in made], np.float32)
    order = spread_documents(documents, scores).tolist()
    assert sorted(order) == list(range(len(made)))
    firsts = list(dict.fromkeys(documents))
    assert list(dict.fromkeys(documents[place] for place in order)) == firsts
    for earlier, later in pairwise(order):
        assert scores[later] - scores[earlier] <= NEAR_SCORE + 1e-6


def test_documents_take_turns() -> None:
    assert interleave_documents([1, 1, 1, 2, 2], [0, 1, 2, 3, 4]).tolist() == [
        0,
        3,
        1,
        4,
        2,
    ]
    assert interleave_documents([1, 1, 2], [1, 0, 2]).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (SENTENCE, True),
        (SENTENCE.replace(" ", "\n "), True),
        (SENTENCE.replace("second", "third"), False),
        (SENTENCE + ".", True),
        (SENTENCE + " again", True),
        (SENTENCE + " 5", False),
        ("Argon.", False),
        ("", False),
    ],
)
def test_what_says_the_same(other: str, same: bool) -> None:
    said = SeenTexts()
    said.add("Something else entirely.")
    said.add(SENTENCE)
    assert said.find(other) == (1 if same else None)


def test_a_changed_number_says_something_else() -> None:
    said = SeenTexts()
    said.add(f"{SENTENCE} at 500 V/cm.")
    assert said.find(f"{SENTENCE} at 273 V/cm.") is None
    assert said.find(f"{SENTENCE}, at 500 V/cm.") == 0


def test_short_texts_are_told_apart() -> None:
    said = SeenTexts()
    said.add("Argon")
    assert said.find("Xenon") is None
    assert said.find("argon") == 0


def test_only_the_first_hundred_are_compared_by_their_runs() -> None:
    said = SeenTexts()
    for letter in range(duplicates._MAX_COMPARED):
        said.add(f"text{letter} " * 3)
    said.add(SENTENCE)
    assert said.find(SENTENCE) == duplicates._MAX_COMPARED
    assert said.find(SENTENCE + ".") is None


# ── in a search ───────────────────────────────────────────────────────────────────


@pytest.fixture
def searcher(tmp_path: Path, tiny_encoder: Path) -> Searcher:
    """Four documents say the same, one in other words, two of them for LAr people."""
    corpus = [
        (document("n:a"), {"a.txt": [SENTENCE]}),
        (document("n:b"), {"a.txt": [SENTENCE + "."]}),
        (document("n:c", access=LAR), {"a.txt": [SENTENCE]}),
        (document("n:d", files={"a.txt": LAR}), {"a.txt": [SENTENCE]}),
        (document("n:e"), {"a.txt": [SENTENCE, SENTENCE + " at 5 l/s."]}),
    ]
    return Searcher(pack(tmp_path / "s", tiny_encoder, corpus))


@pytest.mark.slow
@pytest.mark.parametrize("ranking", list(Ranking))
@pytest.mark.parametrize("k", [1, 2, 8])
def test_the_first_hit_lists_the_others_that_a_reader_may_see(
    searcher: Searcher, ranking: Ranking, k: int
) -> None:
    for reader, expected in (
        (PUBLIC, {"n:a", "n:b", "n:e"}),
        (LAR, {"n:a", "n:b", "n:c", "n:d", "n:e"}),
    ):
        hits = searcher.as_reader(reader).search("purge flow", None, k, ranking).hits
        [hit] = [h for h in hits if "l/s" not in h.passage.text] or [hits[0]]
        if "l/s" in hit.passage.text:
            continue
        assert {hit.document.id, *hit.also_in} == expected
        assert hit.document.id not in hit.also_in
        assert len(set(hit.also_in)) == len(hit.also_in)
        assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
        assert len(hits) == min(k, 2)


def test_named_documents_are_compared_not_folded(searcher: Searcher) -> None:
    hits = searcher.as_reader(PUBLIC).search("Compare n:a with n:b").hits
    assert {hit.document.id for hit in hits} == {"n:a", "n:b"}
    assert not [hit for hit in hits if hit.also_in]


# ── recency and status ────────────────────────────────────────────────────────────


def prior(own: Document, today: dt.date) -> float:
    return prior_of(own.date, own.status, today)


def test_priors_are_bounded_and_neutral_where_nothing_is_known() -> None:
    plain = document("n:a")
    assert prior(plain, TODAY) == 0
    values = [
        prior(made, TODAY)
        for day in (None, TODAY, dt.date(1990, 1, 1), dt.date(2030, 1, 1))
        for status in ("", "Approved", "obsolete", "In Work")
        for made in [document("n:a", date=day, status=status)]
    ]
    assert max(values) - min(values) <= EPSILON
    assert prior(document("n:a", status="Approved"), TODAY) > 0
    assert prior(document("n:a", status="OBSOLETE"), TODAY) < 0
    assert prior(document("n:a", status="In Work"), TODAY) == 0
    newer, older = (
        prior(document("n:a", date=dt.date(year, 1, 1)), TODAY) for year in (2025, 2015)
    )
    assert newer > 0 > older


def test_among_equals_the_recent_and_approved_come_first(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    day = dt.date(2024, 1, 1)
    corpus = [
        (document("n:a", date=dt.date(2010, 1, 1)), {"a.txt": ["Argon purity one."]}),
        (document("n:b", date=day), {"a.txt": ["Argon purity two."]}),
        (document("n:c", date=day, status="obsolete"), {"a.txt": ["Argon purity."]}),
        (document("n:d", date=day, status="approved"), {"a.txt": ["Argon purity on."]}),
        (document("n:e", date=dt.date(2000, 1, 1)), {"a.txt": ["Argon argon, 9."]}),
    ]
    searcher = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    hits = searcher.as_reader(PUBLIC).search("argon purity").hits
    for place, hit in enumerate(hits):
        for later in hits[place + 1 :]:
            assert later.score - hit.score <= EPSILON + 1e-6
    for ranking in (Ranking.LEXICAL, Ranking.DENSE):
        scores = [
            h.score
            for h in searcher.as_reader(PUBLIC).search("argon", None, 9, ranking).hits
        ]
        assert scores == sorted(scores, reverse=True)


def test_a_prior_decides_between_equal_scores(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    text = "Argon purity 5."
    corpus = [
        (document("n:a", date=dt.date(2010, 1, 1)), {"a.txt": [text]}),
        (document("n:b", date=dt.date(2024, 1, 1)), {"a.txt": [text]}),
        (document("n:c", date=dt.date(2023, 1, 1), status="final"), {"a.txt": [text]}),
    ]
    searcher = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    [hit] = searcher.as_reader(PUBLIC).search("argon purity").hits
    assert hit.document.id == "n:c"
    assert hit.also_in == ("n:b", "n:a")
