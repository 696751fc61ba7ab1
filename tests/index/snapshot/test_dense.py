"""The dense index against numpy: exact, approximate, in parts, and with few allowed."""

from pathlib import Path

import numpy as np
import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.encoder.onnx import Vectors, normalize_rows
from dunegpt.index.snapshot import dense, ivf
from dunegpt.index.snapshot.dense import DenseIndex
from dunegpt.index.snapshot.ivf import PROBED_LISTS, InvertedFile, train_ivf
from dunegpt.index.snapshot.vectors import MappedRows, VectorFile, VectorsWriter

ROWS, DIMENSION = 133, 16


@pytest.fixture
def vectors() -> Vectors:
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(ROWS, DIMENSION)).astype(np.float32)
    return normalize_rows(normal).astype(np.float16).astype(np.float32)


def write(path: Path, vectors: Vectors, *, int8_from: int = 10**6) -> Path:
    writer = VectorsWriter(path, vectors.shape[1])
    for part in (vectors[:50], vectors[50:50], vectors[50:]):
        writer.add(part.astype(np.float16))
    writer.close(int8_from=int8_from)
    return path


def index_of(path: Path, vectors: Vectors, *, parts: int = 1) -> DenseIndex:
    cut = np.array_split(vectors, parts)
    return DenseIndex([write(path.with_suffix(f".{n}"), v) for n, v in enumerate(cut)])


@pytest.mark.parametrize("share", [1.0, 0.3, 0.01])
@pytest.mark.parametrize("k", [1, 7, 500])
@pytest.mark.parametrize("parts", [1, 3])
def test_exact(
    tmp_path: Path, vectors: Vectors, share: float, k: int, parts: int
) -> None:
    rng = np.random.default_rng(2)
    allowed = rng.random(ROWS) < share
    allowed[ROWS - 1] = True
    query = normalize_rows(rng.normal(size=(1, DIMENSION)).astype(np.float32))[0]
    index = index_of(tmp_path / "dense", vectors, parts=parts)
    rows, scores = index.search(query, allowed, k)
    cosines = np.where(allowed, vectors @ query, -np.inf)
    expected = np.argsort(-cosines)[: min(k, allowed.sum())]
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(scores, cosines[expected], atol=1e-3)
    np.testing.assert_allclose(index.score_rows(query, rows), scores, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 5, 3000])
@pytest.mark.parametrize("start", [0, 4, 5000])
def test_mapped_rows_are_those_of_the_file(
    tmp_path: Path, count: int, start: int
) -> None:
    rng = np.random.default_rng(3)
    path, values = tmp_path / "rows", rng.normal(size=(count, 7)).astype(np.float16)
    path.write_bytes(bytes(start) + values.tobytes())
    mapped = MappedRows(path, values.dtype, values.shape, start)
    assert len(mapped) == count
    for wanted in (0, 1, 40, 2 * count):
        rows = rng.integers(max(count, 1), size=min(wanted, 50 * count))
        np.testing.assert_array_equal(mapped[rows], values[rows])
    with pytest.raises(ValueError, match=r"buffer|mmap"):
        MappedRows(path, values.dtype, (count + 1, 7), start)


def test_nothing_allowed(tmp_path: Path, vectors: Vectors) -> None:
    index = index_of(tmp_path / "dense", vectors)
    rows, scores = index.search(vectors[0], np.zeros(ROWS, bool), 5)
    assert rows.size == scores.size == 0


def test_empty(tmp_path: Path, vectors: Vectors) -> None:
    for index in (index_of(tmp_path / "dense", vectors[:0]), DenseIndex([])):
        assert len(index) == 0
        assert index.search(vectors[0], np.zeros(0, bool), 5)[0].size == 0
        assert index.score_rows(vectors[0], np.empty(0, np.int64)).size == 0


@pytest.mark.parametrize("content", [None, b"", b"IxFI", b"\0" * 500])
def test_damaged(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "dense"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexBrokenError, match="dense"):
        DenseIndex([path])
    good = write(tmp_path / "good", np.eye(3, 8, dtype=np.float32))
    with pytest.raises(IndexBrokenError, match="dense"):
        DenseIndex([good], path)


def test_bytes_instead_of_halves(tmp_path: Path, vectors: Vectors) -> None:
    halves = write(tmp_path / "halves", vectors)
    small = write(tmp_path / "bytes", vectors, int8_from=ROWS)
    assert small.stat().st_size < 0.6 * halves.stat().st_size
    rows = np.arange(ROWS)
    np.testing.assert_allclose(VectorFile(small).get_rows(rows), vectors, atol=0.01)
    np.testing.assert_allclose(VectorFile(halves).get_rows(rows), vectors, atol=1e-3)


BIG = 6000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[DenseIndex, Vectors]:
    """Return an index with an inverted file over all but the last rows."""
    folder = tmp_path_factory.mktemp("big")
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(60, 64))
    spread = centres[rng.integers(0, 60, BIG)] + 0.7 * rng.normal(size=(BIG, 64))
    vectors = (
        normalize_rows(spread.astype(np.float32)).astype(np.float16).astype(np.float32)
    )
    first, last = vectors[: BIG - 500], vectors[BIG - 500 :]
    paths = [write(folder / "a", first), write(folder / "b", last)]
    train_ivf([VectorFile(paths[0])], folder / "lists")
    return DenseIndex(paths, folder / "lists"), vectors


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2, 0.02, 0.001])
def test_approximate(
    big: tuple[DenseIndex, Vectors], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but allowed rows, true cosines, and nearly all of the nearest ones."""
    index, vectors = big
    assert index.ivf_rows == BIG - 500
    monkeypatch.setattr(dense, "MAX_EXHAUSTIVE_ROWS", 200)
    rng = np.random.default_rng(4)
    found = []
    for query in vectors[rng.integers(0, BIG, 40)]:
        allowed = rng.random(BIG) < share
        allowed[0] = True
        rows, scores = index.search(query, allowed, 10)
        cosines = np.where(allowed, vectors @ query, -np.inf)
        assert allowed[rows].all()
        np.testing.assert_allclose(scores, cosines[rows], atol=1e-3)
        assert sorted(scores, reverse=True) == scores.tolist()
        true = np.argsort(-cosines)[: min(10, allowed.sum())]
        exact, _ = index.search(query, allowed, 10, exact=True)
        assert set(exact.tolist()) == set(true.tolist())
        found.append(len(set(rows.tolist()) & set(true.tolist())) / max(len(true), 1))
    assert np.mean(found) >= 0.95


def test_later_rows_are_found(big: tuple[DenseIndex, Vectors]) -> None:
    index, vectors = big
    for row in range(BIG - 500, BIG, 50):
        rows, _ = index.search(vectors[row], np.ones(BIG, bool), 3)
        assert row in rows


def test_an_equal_file_for_equal_rows(tmp_path: Path, vectors: Vectors) -> None:
    part = VectorFile(write(tmp_path / "a", vectors))
    contents = []
    for name in ("x", "y"):
        train_ivf([part], tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_subject_far_from_the_question_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lists are looked into, however many nearer ones there are."""
    rng = np.random.default_rng(5)
    centres = normalize_rows(rng.normal(size=(100, 32)).astype(np.float32))
    spread = np.repeat(centres, 50, axis=0) + 0.1 * rng.normal(size=(5000, 32))
    vectors = (
        normalize_rows(spread.astype(np.float32)).astype(np.float16).astype(np.float32)
    )
    train_ivf([VectorFile(write(tmp_path / "a", vectors))], tmp_path / "lists")
    monkeypatch.setattr(ivf, "PROBED_LISTS", 20)
    file = InvertedFile(tmp_path / "lists")
    shares, plain = [], []
    for subject in range(0, 100, 10):
        far = np.argsort(centres @ centres[subject])[:10]
        allowed = np.isin(np.arange(5000) // 50, far)
        for query in vectors[subject * 50 : subject * 50 + 5]:
            true = np.argsort(-np.where(allowed, vectors @ query, -np.inf))[:10]
            named = file.find_candidates(query, allowed, 100)
            assert allowed[named].all()
            shares.append(len(np.intersect1d(true, named)) / 10)
            file._index.nprobe = 30
            _, near = file._index.search(query[None, :], 5000)
            plain.append(len(np.intersect1d(true, near[0])) / 10)
    assert np.mean(shares) >= 0.95
    assert np.mean(plain) < 0.1, "that is what looking near the question finds"


@pytest.mark.parametrize("sample", [1, 30, 10**6])
def test_counts_of_what_is_allowed(
    big: tuple[DenseIndex, Vectors], sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, vectors = big
    file = index._ivf
    assert file is not None
    monkeypatch.setattr(ivf, "_SAMPLE", sample)
    monkeypatch.setattr(ivf, "_MAX_CACHED", 2)
    for seed in range(5):
        allowed = np.random.default_rng(seed).random(BIG) < 0.5
        held = file._count_allowed(allowed)
        assert file._count_allowed(allowed) is held
        inside = int(np.count_nonzero(allowed[: len(file)]))
        assert abs(held.sum() - inside) <= inside / min(sample, inside)
        assert len(file._counts) <= 2
    none = np.zeros(BIG, bool)
    none[-1] = True
    assert not len(file.find_candidates(vectors[0], none, 5))


def test_the_share_that_is_looked_at(big: tuple[DenseIndex, Vectors]) -> None:
    file = big[0]._ivf
    assert file is not None
    number = int(4 * (BIG - 500) ** 0.5)
    assert file.estimate_scanned_share(len(file)) == pytest.approx(
        PROBED_LISTS / number
    )
    assert (
        file.estimate_scanned_share(len(file) // 10)
        == file.estimate_scanned_share(0)
        == 1
    )
