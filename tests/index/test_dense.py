"""The dense index against numpy."""

from pathlib import Path

import numpy as np
import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.dense import DenseIndex, DenseWriter
from dunegpt.index.encoder import Vectors, unit

ROWS, DIMENSION = 133, 16


@pytest.fixture
def vectors() -> Vectors:
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(ROWS, DIMENSION)).astype(np.float32)
    return unit(normal).astype(np.float16).astype(np.float32)


def index_of(path: Path, vectors: Vectors) -> DenseIndex:
    writer = DenseWriter(path, DIMENSION)
    for part in (vectors[:50], vectors[50:50], vectors[50:]):
        writer.add(part.astype(np.float16))
    writer.close()
    return DenseIndex(path)


@pytest.mark.parametrize("share", [1.0, 0.3, 0.01])
@pytest.mark.parametrize("k", [1, 7, 500])
def test_exact(tmp_path: Path, vectors: Vectors, share: float, k: int) -> None:
    rng = np.random.default_rng(2)
    allowed = rng.random(ROWS) < share
    allowed[ROWS - 1] = True
    query = unit(rng.normal(size=(1, DIMENSION)).astype(np.float32))[0]
    index = index_of(tmp_path / "dense", vectors)
    rows, scores = index.search(query, allowed, k)
    cosines = np.where(allowed, vectors @ query, -np.inf)
    expected = np.argsort(-cosines)[: min(k, allowed.sum())]
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(scores, cosines[expected], atol=1e-3)
    np.testing.assert_allclose(index.scores(query, rows), scores, atol=1e-3)


def test_nothing_allowed(tmp_path: Path, vectors: Vectors) -> None:
    index = index_of(tmp_path / "dense", vectors)
    rows, scores = index.search(vectors[0], np.zeros(ROWS, bool), 5)
    assert rows.size == scores.size == 0


def test_empty(tmp_path: Path, vectors: Vectors) -> None:
    index = index_of(tmp_path / "dense", vectors[:0])
    assert len(index) == 0
    assert index.search(vectors[0], np.zeros(0, bool), 5)[0].size == 0
    assert index.scores(vectors[0], np.empty(0, np.int64)).size == 0


@pytest.mark.parametrize("content", [None, b"", b"IxFI", b"\0" * 500])
def test_damaged(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "dense"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexBrokenError, match="dense"):
        DenseIndex(path)
