"""Finds passages by their vectors, with FAISS; who may read is part of the search.

First form: an exact index of half-precision vectors, memory-mapped. Knows no words.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError
from dunegpt.index.encoder import Vectors
from dunegpt.index.lexical import Rows, Scores

Mask = npt.NDArray[np.bool_]


class DenseWriter:
    """Writes the index of a new snapshot; rows are added in order."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._path = path
        self._index: Any = faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )

    def add(self, vectors: npt.NDArray[np.float16]) -> None:
        """Add rows: unit vectors, [n, dimension]."""
        if len(vectors):
            self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def close(self) -> None:
        """Write the index."""
        faiss.write_index(self._index, str(self._path))


class DenseIndex:
    """The index of a snapshot, opened."""

    def __init__(self, path: Path) -> None:
        """Open the index.

        Raises:
            IndexBrokenError: It is missing or damaged.
        """
        try:
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, OSError) as error:
            raise IndexBrokenError(f"The dense index {path}: {error}") from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, vector: Vectors, allowed: Mask, k: int) -> tuple[Rows, Scores]:
        """Return rows and cosines of the nearest allowed rows, nearest first.

        Args:
            vector: Unit vector, [dimension].
            allowed: For each row, whether it may be found.
            k: At most so many.
        """
        k = min(k, int(np.count_nonzero(allowed)))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters: Any = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, rows = self._index.search(vector[None, :], k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found].astype(np.int64), scores[0][found].astype(np.float32)

    def scores(self, vector: Vectors, rows: Rows) -> Scores:
        """Return the cosines of just these rows, in their order."""
        if not len(rows):
            return np.empty(0, np.float32)
        found = self._index.reconstruct_batch(rows)
        return np.asarray(found @ vector, dtype=np.float32)
