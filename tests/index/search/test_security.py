"""What text that a reader may not open can move, as docs/security.md bounds it."""

import random
from pathlib import Path

import pytest

from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.text.analyzer import tokenize
from tests.index.corpus import NOBODY_WORDS, PUBLIC, document, pack, readers

WORDS = "argon purity cathode field lifetime photon".split()
SECRET = readers("n:board")


def sentences(rng: random.Random, count: int, more: list[str]) -> list[str]:
    return [
        " ".join(rng.choices([*WORDS, *more], k=rng.randint(3, 12)))
        for _ in range(count)
    ]


def snapshot(folder: Path, encoder: Path, hidden: list[str]) -> Snapshot:
    """Return a snapshot of 30 open documents and some hidden ones."""
    rng = random.Random(5)
    corpus = [
        (document(f"n:{number:02d}"), {"a.txt": [text]})
        for number, text in enumerate(sentences(rng, 30, []))
    ]
    corpus += [
        (document(f"s:{number:03d}", access=SECRET), {"a.txt": [text]})
        for number, text in enumerate(hidden)
    ]
    return pack(folder, encoder, corpus)


@pytest.fixture(scope="module")
def searchers(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> list[Searcher]:
    """Give the same open documents beside four kinds of hidden ones."""
    rng = random.Random(6)
    kinds = [
        [],
        sentences(rng, 5, NOBODY_WORDS),
        sentences(rng, 60, NOBODY_WORDS),
        ["argon " * 40] * 20 + ["photon xyzzy"] * 20,
    ]
    return [
        Searcher(snapshot(tmp_path_factory.mktemp(f"s{n}"), tiny_encoder, hidden))
        for n, hidden in enumerate(kinds)
    ]


def found(searcher: Searcher, question: str, ranking: Ranking) -> dict[str, float]:
    hits = searcher.as_reader(PUBLIC).search(question, None, 1000, ranking).hits
    return {h.passage.text: h.score for h in hits}


@pytest.mark.slow
@pytest.mark.parametrize("ranking", list(Ranking)[:3])
def test_what_is_found_is_not_moved(
    searchers: list[Searcher], ranking: Ranking
) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        question = " ".join(rng.sample([*WORDS, *NOBODY_WORDS], 3))
        sets = [set(found(searcher, question, ranking)) for searcher in searchers]
        assert sets[0] == sets[1] == sets[2] == sets[3]


@pytest.mark.slow
def test_vectors_are_not_moved(searchers: list[Searcher]) -> None:
    for question in WORDS:
        scores = [found(s, question, Ranking.DENSE) for s in searchers]
        assert all(each == pytest.approx(scores[0]) for each in scores)


def test_a_word_of_hidden_text_alone_is_as_good_as_none(
    searchers: list[Searcher],
) -> None:
    for searcher in searchers:
        for word in NOBODY_WORDS:
            one, both = (
                found(searcher, question, Ranking.LEXICAL)
                for question in ("cathode", f"cathode {word}")
            )
            assert one == both
            assert found(searcher, word, Ranking.LEXICAL) == {}
            weights = searcher.as_reader(PUBLIC).get_word_weights(word)
            assert set(weights.values()) == {searcher.snapshot.lexical._compute_idf(0)}


@pytest.mark.slow
def test_a_passage_that_fits_better_in_every_word_stays_before(
    searchers: list[Searcher],
) -> None:
    """Hidden text moves the weights between words, and so only what is a trade-off."""
    compared = 0
    for seed in range(12):
        asked = random.Random(seed).sample(WORDS, 3)
        for searcher in searchers:
            scores = found(searcher, " ".join(asked), Ranking.LEXICAL)
            for better in scores:
                for worse in scores:
                    if better != worse and dominates(better, worse, asked):
                        assert scores[better] >= scores[worse] - 1e-6
                        compared += 1
    assert compared > 300


def dominates(better: str, worse: str, asked: list[str]) -> bool:
    """Return whether a text has each word as often, and is no longer."""
    one, two = tokenize(better), tokenize(worse)
    stems = [stem for word in asked for stem in tokenize(word)]
    return len(one) <= len(two) and all(one.count(w) >= two.count(w) for w in stems)
