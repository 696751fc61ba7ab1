"""Finds passages by their vectors, with FAISS; who may read is part of the search.

Up to some hundred thousand rows every row is looked at. Above that, an inverted file of
coarse codes (IVF-RaBitQ, 2 bits a dimension) names candidates, whose true cosines then
come from the parts' vectors; rows that came later, and readers who may see little, are
searched row by row all the same. Knows no words.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from dunegpt.errors import IndexBrokenError
from dunegpt.index.vectors import Mask, Rows, Scores, VectorFile, Vectors, use_threads

__all__ = ["DenseIndex", "Mask", "train"]

EXHAUSTIVE = 250_000
"""More allowed rows are never all scored; fewer are where that costs less.

An inverted file loses them unless it looks into most of its lists. Source: "Access
filters break IVF" in the architecture: recall@10 .61 at 1 % allowed.
"""
_GATHER = 600
"""One row in so many allowed, or fewer: they are taken out one by one, not scanned for.

A row costs 1.5 ns to pass over, .13 us to score in a scan, 1.1 us to take out.
"""
_REFINED = 250
_PROBES = 128
_PER_LIST = 40
_MOST_LISTS = 8192
_SEED = 1
_BATCH = 50_000


class DenseIndex:
    """The vectors of a snapshot: its parts, and the inverted file over the first rows.

    Attributes:
        covered: How many rows the inverted file holds; 0 without one.
    """

    def __init__(self, parts: Sequence[Path], lists: Path | None = None) -> None:
        """Open the index.

        Args:
            parts: Files of vectors, in the order of their rows.
            lists: The inverted file.

        Raises:
            IndexBrokenError: One of them is missing or damaged.
        """
        self.parts = [VectorFile(path) for path in parts]
        sizes = [len(part) for part in self.parts]
        self._first = np.cumsum([0, *sizes])
        self.dimension = self.parts[0].dimension if self.parts else 0
        self._lists: Any = None
        self.covered = 0
        if lists is not None:
            try:
                self._lists = faiss.read_index(str(lists), faiss.IO_FLAG_MMAP_IFC)
            except (RuntimeError, OSError) as error:
                raise IndexBrokenError(f"The dense index {lists}: {error}") from error
            self.covered = int(self._lists.ntotal)

    def __len__(self) -> int:
        return int(self._first[-1])

    def search(
        self, vector: Vectors, allowed: Mask, k: int, *, exact: bool = False
    ) -> tuple[Rows, Scores]:
        """Return rows and cosines of the nearest allowed rows, nearest first.

        Args:
            vector: Unit vector, [dimension].
            allowed: For each row, whether it may be found.
            k: At most so many.
            exact: Look at every allowed row, whatever that costs.
        """
        count = int(np.count_nonzero(allowed))
        k = min(k, count)
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if count * _GATHER <= len(self):
            rows = np.flatnonzero(allowed)
            return _best(rows, self.scores(vector, rows), k)
        is_scanned = exact or (count <= EXHAUSTIVE and self._scans(count))
        listed = 0 if is_scanned else self.covered
        if listed:
            inside = int(np.count_nonzero(allowed[:listed]))
            found = [self._listed(vector, allowed[:listed], inside, k)]
        else:
            found = []
        for part, first in zip(self.parts, self._first.tolist(), strict=False):
            if first >= listed and allowed[first : first + len(part)].any():
                own = allowed[first : first + len(part)]
                rows, scores = part.search(vector, own, k)
                found.append((rows + first, scores))
        rows = np.concatenate([rows for rows, _ in found])
        return _best(rows, np.concatenate([scores for _, scores in found]), k)

    def scores(self, vector: Vectors, rows: Rows) -> Scores:
        """Return the cosines of just these rows, in their order."""
        if not len(rows):
            return np.empty(0, np.float32)
        return np.asarray(self.vectors(rows) @ vector, np.float32)

    def vectors(self, rows: Rows) -> Vectors:
        """Return the vectors of some rows, [len(rows), dimension], in their order."""
        found = np.empty((len(rows), self.dimension), np.float32)
        of_part = np.searchsorted(self._first, rows, side="right") - 1
        for number in np.unique(of_part).tolist():
            own = of_part == number
            local = np.ascontiguousarray(rows[own] - self._first[number])
            found[own] = self.parts[number].at(local)
        return found

    def _scans(self, count: int) -> bool:
        """Return whether scoring all of so many allowed rows is the cheaper way.

        Measured at one and three million rows: 1.5 ns to pass over a row and .13 us to
        score it; 17 ns for a code in a list that is looked into, and 3 ms besides.
        """
        if not self._lists:
            return True
        looked = probes(count / len(self), self._lists.nlist) / self._lists.nlist
        scan_ns = 1.5 * len(self) + 130 * count
        return bool(scan_ns <= 3e6 + 17 * looked * self.covered)

    def _listed(
        self, vector: Vectors, allowed: Mask, count: int, k: int
    ) -> tuple[Rows, Scores]:
        """Return the best of the rows that the inverted file names, truly scored."""
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters: Any = faiss.IVFRaBitQSearchParameters()
        parameters.nprobe = probes(count / max(len(allowed), 1), self._lists.nlist)
        parameters.sel = selector
        wanted = min(max(_REFINED, k), max(count, 1))
        use_threads(all_of_them=False)
        _, rows = self._lists.search(vector[None, :], wanted, params=parameters)
        found = np.sort(rows[0][rows[0] >= 0].astype(np.int64))
        return _best(found, self.scores(vector, found), k)


def probes(share: float, lists: int) -> int:
    """Return how many lists are looked into when a share of the rows is allowed.

    Of 6,928 lists of three million rows, 640 find .935 of what readers of one tenth
    about one subject should find, 1,280 find .98; 128 are enough from one half on.
    """
    wanted = _PROBES * max(1.0, 1 / max(share, 1e-6) - 1)
    return int(min(lists, math.ceil(wanted)))


def train(parts: Sequence[VectorFile], path: Path) -> None:
    """Write the inverted file over all rows of some parts.

    Trained on a sample with a fixed seed, so equal rows give an equal file on one
    machine.
    """
    use_threads(all_of_them=True)
    rows = sum(len(part) for part in parts)
    dimension = parts[0].dimension
    lists = max(1, min(_MOST_LISTS, int(4 * math.sqrt(rows))))
    coarse: Any = faiss.IndexFlatIP(dimension)
    index: Any = faiss.IndexIVFRaBitQ(
        coarse, dimension, lists, faiss.METRIC_INNER_PRODUCT, True, 2
    )
    index.cp.niter = 10
    index.cp.seed = _SEED
    index.cp.spherical = True
    step = max(1, rows // (lists * _PER_LIST))
    index.train(
        np.concatenate([part.at(np.arange(0, len(part), step)) for part in parts])
    )
    for part in parts:
        for start in range(0, len(part), _BATCH):
            index.add(part.run(start, min(_BATCH, len(part) - start)))
    faiss.write_index(index, str(path))


def _best(rows: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    """Return the k best, best first; equals in the order of their rows."""
    if len(rows) > k:
        kept = np.argpartition(-scores, k - 1)[:k]
        # Those that are equal to the last one compete by their rows.
        kept = np.flatnonzero(scores >= scores[kept].min())
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return np.asarray(rows[order], np.int64), np.asarray(scores[order], np.float32)
