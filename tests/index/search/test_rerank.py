"""A cross-encoder, made here: it likes passages that have the question's letters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dunegpt.config import RerankSettings, Settings
from dunegpt.errors import ConfigError, IndexBrokenError
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.rerank import Reranker
from dunegpt.index.search.searcher import Searcher
from dunegpt.types import FoundBy
from simulators.cross_encoder import make_pair_model
from tests.index.corpus import PUBLIC, Corpus, document, fill, pack

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Give a function that writes a cross-encoder: the sum of values of the words."""

    def write(name: str = "cross", outputs: int = 1) -> Path:
        values = {"good": 4.0, "bad": -4.0, "nan": float("nan")}
        words = {w: [0.0] * (outputs - 1) + [v] for w, v in values.items()}
        return make_pair_model(tmp_path / name, words)

    return write


CORPUS: Corpus = [
    (document("n:a"), {"a.txt": ["argon argon argon bad"]}),
    (document("n:b"), {"a.txt": ["argon argon nothing here"]}),
    (document("n:c"), {"a.txt": ["argon somewhere in a long text good"]}),
    (document("n:d"), {"a.txt": ["argon argon nothing there"]}),
]


@pytest.mark.parametrize("outputs", [1, 2])
def test_scores(make: Make, outputs: int) -> None:
    model = Reranker(make(outputs=outputs))
    found = model.score("is it", ["good", "bad and so on", "neither"])
    assert found == pytest.approx([0.982, 0.018, 0.5], abs=1e-3)


def test_best_passages_are_read_once_more(
    make: Make, tmp_path: Path, tiny_encoder: Path
) -> None:
    snapshot = pack(tmp_path / "s", tiny_encoder, CORPUS)
    plain = Searcher(snapshot).as_reader(PUBLIC).search("argon")
    assert plain.hits[0].document.id == "n:a"
    searcher = Searcher(snapshot, reranker=Reranker(make()))
    result = searcher.as_reader(PUBLIC).search("argon")
    order = [hit.document.id for hit in result.hits]
    assert (order[0], order[-1]) == ("n:c", "n:a")
    ties = [hit.document.id for hit in plain.hits if hit.document.id in {"n:b", "n:d"}]
    assert order[1:3] == ties
    assert {hit.found_by for hit in result.hits} == {FoundBy.RERANKED}
    assert result.notes == ()
    assert {h.row: h.score for h in result.hits} == {h.row: h.score for h in plain.hits}
    assert searcher.as_reader(PUBLIC).search("argon") == result


def test_only_fused_ranking_and_questions_in_words_are_read_again(
    make: Make, tmp_path: Path, tiny_encoder: Path
) -> None:
    searcher = Searcher(
        pack(tmp_path / "s", tiny_encoder, CORPUS), reranker=Reranker(make())
    )
    for ranking in (Ranking.LEXICAL, Ranking.DENSE):
        hits = searcher.as_reader(PUBLIC).search("argon", ranking=ranking).hits
        assert {hit.found_by.value for hit in hits} == {ranking.value}
    named = searcher.as_reader(PUBLIC).search("n:a")
    assert [hit.found_by for hit in named.hits] == [FoundBy.ID]


def test_time_runs_out(
    make: Make,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = [
        (
            document(f"n:{name}"),
            {"a.txt": [f"argon text{name} " + "good" * (name > "e")]},
        )
        for name in "abcdefgh"
    ]
    model = Reranker(make(), budget_ms=0.0)
    searcher = Searcher(pack(tmp_path / "s", tiny_encoder, corpus), reranker=model)
    result = searcher.as_reader(PUBLIC).search("argon")
    assert result.notes == ("Only 4 of the 8 best passages were reranked in 0 ms.",)
    ways = [hit.found_by for hit in result.hits]
    assert ways == [FoundBy.RERANKED] * 4 + [FoundBy.FUSED] * 4


def test_so_many_passages_are_read(
    make: Make, tmp_path: Path, tiny_encoder: Path
) -> None:
    model = Reranker(make(), passages=2)
    searcher = Searcher(pack(tmp_path / "s", tiny_encoder, CORPUS), reranker=model)
    result = searcher.as_reader(PUBLIC).search("argon")
    ways = [hit.found_by for hit in result.hits]
    assert ways == [FoundBy.RERANKED] * 2 + [FoundBy.FUSED] * 2
    assert result.notes == ()


def test_what_is_no_number_is_an_error(make: Make) -> None:
    with pytest.raises(IndexBrokenError, match="not finite"):
        Reranker(make()).score("is it", ["nan"])


@pytest.mark.parametrize("fault", ["nothing", "no tokenizer", "garbage", "three"])
def test_a_broken_model_is_told_at_the_start(
    fault: str, make: Make, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "nowhere"
    if fault != "nothing":
        folder = make(outputs=3 if fault == "three" else 1)
    if fault == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    if fault == "garbage":
        (folder / "model.onnx").write_bytes(b"garbage")
    broken = settings.model_copy(update={"rerank": RerankSettings(model=str(folder))})
    fill(broken, [(document("papers:a", source="papers"), {"a.txt": ["argon"]})])
    with pytest.raises(ConfigError) as caught:
        open_searcher(broken)
    assert str(folder) in str(caught.value)


def test_settings_name_the_model(make: Make, settings: Settings) -> None:
    assert Reranker.from_settings(settings) is None
    table = RerankSettings(model=str(make()), passages=7, budget_ms=90)
    model = Reranker.from_settings(settings.model_copy(update={"rerank": table}))
    assert model is not None
    assert (model.passages, model.budget_ms) == (7, 90)
