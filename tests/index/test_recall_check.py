"""The recall of an approximate index is measured; too low a recall is refused."""

from pathlib import Path

import numpy as np
import pytest

from dunegpt.config import IndexSettings, Settings
from dunegpt.errors import ConfigError, IndexBrokenError
from dunegpt.index.build import build
from dunegpt.index.encoder.onnx import Encoder, Vectors
from dunegpt.index.snapshot import dense, ivf
from dunegpt.index.snapshot.snapshot import Snapshot
from tests.index.corpus import document, fill
from tests.index.test_increments import opened, put


def big_from(settings: Settings, rows: int, least: float = 0.95) -> Settings:
    """Return settings with which an index of so many rows is an approximate one."""
    update = {"exact_up_to": rows, "least_recall": least}
    table = IndexSettings().model_copy(update=update)
    return settings.model_copy(update={"index": table})


@pytest.fixture
def mine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings.data.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(dense, "MAX_EXHAUSTIVE_ROWS", 5)
    put(settings, 0)
    return big_from(settings, 20)


@pytest.mark.slow
def test_recall_is_told(mine: Settings) -> None:
    report = build(mine)
    assert report.recall["all"] >= 0.95
    assert {"random 50.0%", "topical 1.0%"} < set(report.recall)
    assert opened(mine).dense.ivf_rows == report.passages


@pytest.mark.slow
def test_every_row_is_looked_at_in_a_small_one(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    put(settings, 0)
    assert build(settings).recall == {}


@pytest.mark.slow
def test_a_bad_one_is_refused(mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(mine).snapshot
    monkeypatch.setattr(ivf, "PROBED_LISTS", 0)
    monkeypatch.setattr(dense, "_MIN_CANDIDATES", 1)
    put(mine, 1)
    for _ in range(2):
        with pytest.raises(IndexBrokenError, match=r"too low: recall@10 0\."):
            build(mine)
        assert opened(mine).id == first
        folders = {p.name for p in mine.paths.snapshots.iterdir()}
        assert folders == {"current", first}
    assert build(big_from(mine, 10_000)).published, "as the hint says"
    assert opened(mine).id != first
    assert not opened(mine).dense.ivf_rows


@pytest.mark.slow
def test_rows_that_came_later(mine: Settings) -> None:
    """They are not in the inverted file, but found; its file is shared."""
    build(mine)
    before = opened(mine)
    text = "A late remark on the cold box."
    fill(mine, [(document("n:late"), {"a.txt": [text]})])
    build(mine)
    after = opened(mine)
    assert after.dense.ivf_rows == before.dense.ivf_rows == len(after.dense) - 1
    assert (before.folder / "lists.faiss").samefile(after.folder / "lists.faiss")
    (vector,) = after.encoder.embed_queries([text])
    live = np.asarray(after.row_access) > 0
    rows, _ = after.dense.search(vector, live, 3)
    assert len(after.dense) - 1 in rows


def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that will hold the questions that recall is measured with."""
    seen: list[str] = []
    queries = Encoder.embed_queries

    def noting(self: Encoder, texts: list[str]) -> Vectors:
        seen.extend(texts)
        return queries(self, texts)

    monkeypatch.setattr(Encoder, "embed_queries", noting)
    return seen


@pytest.mark.slow
def test_questions_are_titles_and_sentences(
    mine: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "A title of five words"
    for number in range(40):
        fill(mine, [(document(f"n:{number}", title=title), {"a.txt": ["Said."]})])
    seen = asked(monkeypatch)
    build(mine)
    assert title in seen
    assert len(set(seen)) == len(seen) > 4
    assert any(text.count(" ") > 4 for text in seen)


@pytest.mark.slow
def test_questions_of_ones_own(mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mine.resolve_path("questions.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("argon purity\n\n  cathode field \n")
    seen = asked(monkeypatch)
    table = mine.index.model_copy(update={"recall_questions": "questions.txt"})
    report = build(mine.model_copy(update={"index": table}))
    assert seen == ["argon purity", "cathode field"]
    assert 0.95 <= report.recall["all"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, b" \n", b"\xff"])
def test_a_file_of_questions_that_has_none(
    mine: Settings, content: bytes | None
) -> None:
    path = mine.resolve_path("questions.txt")
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    table = mine.index.model_copy(update={"recall_questions": "questions.txt"})
    with pytest.raises(ConfigError, match=r"recall_questions: .*questions\.txt"):
        build(mine.model_copy(update={"index": table}))
    assert not mine.paths.snapshots.exists()


@pytest.mark.slow
def test_a_damaged_inverted_file(mine: Settings) -> None:
    build(mine)
    path: Path = opened(mine).folder / "lists.faiss"
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    with pytest.raises(IndexBrokenError, match=r"lists\.faiss"):
        Snapshot(path.parent)
