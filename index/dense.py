"""Finds passages by their vectors, with FAISS; who may read is part of the search.

Up to some hundred thousand rows every row is looked at. Above that, an inverted file
names candidates, whose true cosines then come from the parts' vectors; rows that came
later, and readers who may see little, are searched row by row all the same. Knows no
words.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dunegpt.index.lists import InvertedFile
from dunegpt.index.vectors import Mask, Rows, Scores, VectorFile, Vectors

__all__ = ["DenseIndex", "Mask"]

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
        self._lists = InvertedFile(lists) if lists is not None else None
        self.covered = len(self._lists) if self._lists is not None else 0

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
        found = [self._listed(vector, allowed, k)] if listed else []
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
        if self._lists is None:
            return True
        scan_ns = 1.5 * len(self) + 130 * count
        return scan_ns <= 3e6 + 17 * self._lists.share(count) * self.covered

    def _listed(self, vector: Vectors, allowed: Mask, k: int) -> tuple[Rows, Scores]:
        """Return the best of the rows that the inverted file names, truly scored."""
        assert self._lists is not None
        found = self._lists.candidates(vector, allowed, max(_REFINED, k))
        return _best(found, self.scores(vector, found), k)


def _best(rows: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    """Return the k best, best first; equals in the order of their rows."""
    if len(rows) > k:
        kept = np.argpartition(-scores, k - 1)[:k]
        # Those that are equal to the last one compete by their rows.
        kept = np.flatnonzero(scores >= scores[kept].min())
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return np.asarray(rows[order], np.int64), np.asarray(scores[order], np.float32)
