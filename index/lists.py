"""The inverted file: it names candidates among the rows that a reader may see.

Its lists hold coarse codes of vectors that lie near each other (IVF-RaBitQ, 2 bits a
dimension). Looked into are those nearest to the question that hold any allowed row,
until they hold as many allowed rows as `LISTS` lists of the whole index do: what a
reader may see about one subject lies in few lists, maybe far from the question, and is
found there. Knows no true cosine.
"""

import math
import threading
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError
from dunegpt.index.vectors import Mask, Rows, VectorFile, Vectors, use_threads

LISTS = 160
_SAMPLE = 1_000_000
_KEPT = 64
_PER_LIST = 40
_MOST_LISTS = 8192
_SEED = 1
_BATCH = 50_000


class InvertedFile:
    """An inverted file over the first rows of an index, opened by mapping it."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            IndexBrokenError: It is missing or damaged.
        """
        try:
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, OSError) as error:
            raise IndexBrokenError(f"The dense index {path}: {error}") from error
        self._counts: dict[int, tuple[weakref.ref[Mask], Rows]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many rows it holds."""
        return int(self._index.ntotal)

    def share(self, count: int) -> float:
        """Return which share of the codes is looked at if so many rows are allowed.

        That is if they are spread evenly; it is less if they lie in few lists.
        """
        lists = int(self._index.nlist)
        return min(1.0, LISTS / lists * len(self) / max(count, 1))

    def candidates(self, vector: Vectors, allowed: Mask, k: int) -> Rows:
        """Return the k allowed rows that seem nearest, by their coarse codes.

        Args:
            vector: Unit vector, [dimension].
            allowed: For each row of the whole index, whether it may be found.
            k: So many, or all that are in the lists that are looked into.
        """
        use_threads(all_of_them=False)
        query = np.ascontiguousarray(vector[None, :], np.float32)
        similar, lists = self._index.quantizer.search(query, self._index.nlist)
        held = self._held(allowed)[lists[0]]
        some = held > 0
        wanted = LISTS / self._index.nlist * len(self)
        enough = int(np.searchsorted(np.cumsum(held[some]), wanted)) + 1
        own = np.ascontiguousarray(lists[0][some][:enough])
        if not len(own):
            return np.empty(0, np.int64)
        near = np.ascontiguousarray(similar[0][some][:enough])
        bits = np.packbits(allowed[: len(self)], bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters: Any = faiss.IVFRaBitQSearchParameters()
        parameters.nprobe = len(own)
        parameters.sel = selector
        scores, rows = np.empty(k, np.float32), np.empty(k, np.int64)
        arrays = [faiss.swig_ptr(array) for array in (query, own, near, scores, rows)]
        # The wrapper for numpy takes no parameters here.
        self._index.search_preassigned_c(
            1, arrays[0], k, *arrays[1:], False, parameters
        )
        return np.sort(rows[rows >= 0])

    def _held(self, allowed: Mask) -> Rows:
        """Return how many allowed rows each list holds; about, where they are many.

        The masks of readers are the same from question to question.
        """
        key = id(allowed)
        known = self._counts.get(key)
        if known and known[0]() is allowed:
            return known[1]
        rows = np.flatnonzero(allowed[: len(self)])
        step = max(1, len(rows) // _SAMPLE)
        lists = self._list_of[rows[::step]]
        counts = np.bincount(lists, minlength=self._index.nlist) * step
        with self._lock:
            while len(self._counts) >= _KEPT:
                del self._counts[next(iter(self._counts))]
            self._counts[key] = weakref.ref(allowed), counts
        return counts

    @cached_property
    def _list_of(self) -> npt.NDArray[np.uint16]:
        """Return the list of each row."""
        found = np.zeros(len(self), np.uint16)
        lists = self._index.invlists
        for number in range(self._index.nlist):
            if size := lists.list_size(number):
                ids = lists.get_ids(number)
                found[faiss.rev_swig_ptr(ids, size)] = number
                lists.release_ids(number, ids)
        return found


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
