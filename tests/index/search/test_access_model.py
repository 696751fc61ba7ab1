"""Nobody finds what they may not read, in whatever world, after whatever change."""

import random
from pathlib import Path

import pytest

from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.searcher import Searcher
from simulators.access_model import GROUPS, World, pack, run
from tests.index.corpus import PUBLIC

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_finds_too_much(tmp_path: Path, tiny_encoder: Path, seed: int) -> None:
    assert run(tmp_path, tiny_encoder, seed, steps=6, each=40) == []


@pytest.mark.slow
def test_ranked_as_if_filtered_first(tmp_path: Path, tiny_encoder: Path) -> None:
    """A reader's scores are those of one who sees all, up to one factor a question."""
    world = World(random.Random(9))
    for _ in range(12):
        world.change()
    searcher = Searcher(pack(world, tmp_path, tiny_encoder, None))
    compared = 0
    for seed in range(60):
        rng = random.Random(seed)
        question = " ".join(rng.sample(["argon", "purity", "cathode", "field"], 2))
        reader = frozenset(rng.sample(GROUPS, 2))
        for ranking in (Ranking.LEXICAL, Ranking.DENSE):
            every, own = (
                {
                    h.row: h.score
                    for h in searcher.as_reader(who)
                    .search(question, None, 1000, ranking)
                    .hits
                }
                for who in (frozenset(GROUPS), reader | PUBLIC)
            )
            shared = sorted(every.keys() & own.keys())
            factors = [own[row] / every[row] for row in shared if every[row]]
            assert max(factors, default=1) <= min(factors, default=1) * 1.001
            compared += len(shared)
    assert compared > 200
    searcher.close()
