"""The inverted file (IVF), which proposes candidates among the allowed rows.

Each list holds coarse codes of neighbouring vectors (IVF-RaBitQ, 2 bits a dimension).
The search probes the lists nearest to the query that hold any allowed row, until they
hold as many allowed rows as `PROBED_LISTS` average lists have rows: the documents that
a reader may see about a subject lie in few lists, maybe far from the query. Exact
cosines are computed by the caller.
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

from dunegpt.files import damaged
from dunegpt.index.snapshot.vectors import (
    Mask,
    Rows,
    VectorFile,
    Vectors,
    set_thread_count,
)

PROBED_LISTS = 160
_SAMPLE = 1_000_000
_MAX_CACHED = 64
_SAMPLES_PER_LIST = 40
_MAX_LISTS = 8192
_SEED = 1
_BATCH = 50_000


class InvertedFile:
    """A memory-mapped inverted file over the first rows of an index."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            IndexBrokenError: The file is missing or damaged.
        """
        try:
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, OSError, ValueError, AttributeError) as error:
            message = f"The dense index {path}: {error}"
            raise damaged(error, message, path=path) from error
        self._counts: dict[int, tuple[weakref.ref[Mask], Rows]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of rows in the file."""
        return int(self._index.ntotal)

    def estimate_scanned_share(self, count: int) -> float:
        """Return the share of codes scanned if ``count`` rows are allowed.

        Assumes evenly spread rows; the share is smaller if they lie in few lists.
        """
        lists = int(self._index.nlist)
        return min(1.0, PROBED_LISTS / lists * len(self) / max(count, 1))

    def find_candidates(self, vector: Vectors, allowed: Mask, k: int) -> Rows:
        """Return the k allowed rows that are nearest by their codes, in row order.

        Args:
            vector: Unit vector, [dimension].
            allowed: Mask over all rows of the index, also those not in this file.
            k: Number of rows; fewer if the probed lists hold fewer allowed rows.
        """
        set_thread_count(all_of_them=False)
        query = np.ascontiguousarray(vector[None, :], np.float32)
        list_similarities, lists = self._index.quantizer.search(
            query, self._index.nlist
        )
        counts = self._count_allowed(allowed)[lists[0]]
        has_allowed = counts > 0
        wanted = PROBED_LISTS / self._index.nlist * len(self)
        probe_count = int(np.searchsorted(np.cumsum(counts[has_allowed]), wanted)) + 1
        probed = np.ascontiguousarray(lists[0][has_allowed][:probe_count])
        if not len(probed):
            return np.empty(0, np.int64)
        similarities = np.ascontiguousarray(
            list_similarities[0][has_allowed][:probe_count]
        )
        bits = np.packbits(allowed[: len(self)], bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters: Any = faiss.IVFRaBitQSearchParameters()
        parameters.nprobe = len(probed)
        parameters.sel = selector
        scores, rows = np.empty(k, np.float32), np.empty(k, np.int64)
        arrays = [
            faiss.swig_ptr(array)
            for array in (query, probed, similarities, scores, rows)
        ]
        # FAISS's numpy wrapper accepts no search parameters here.
        self._index.search_preassigned_c(
            1, arrays[0], k, *arrays[1:], False, parameters
        )
        return np.sort(rows[rows >= 0])

    def _count_allowed(self, allowed: Mask) -> Rows:
        """Return the number of allowed rows per list, estimated from a sample if large.

        Cached by mask, because a reader's mask is the same object in every query.
        """
        key = id(allowed)
        cached = self._counts.get(key)
        if cached and cached[0]() is allowed:
            return cached[1]
        rows = np.flatnonzero(allowed[: len(self)])
        step = max(1, len(rows) // _SAMPLE)
        lists = self._row_lists[rows[::step]]
        counts = np.bincount(lists, minlength=self._index.nlist) * step
        with self._lock:
            while len(self._counts) >= _MAX_CACHED:
                del self._counts[next(iter(self._counts))]
            self._counts[key] = weakref.ref(allowed), counts
        return counts

    @cached_property
    def _row_lists(self) -> npt.NDArray[np.uint16]:
        """The number of the list that holds each row, [rows]."""
        row_lists = np.zeros(len(self), np.uint16)
        lists = self._index.invlists
        for number in range(self._index.nlist):
            if size := lists.list_size(number):
                ids = lists.get_ids(number)
                row_lists[faiss.rev_swig_ptr(ids, size)] = number
                lists.release_ids(number, ids)
        return row_lists


def train_ivf(parts: Sequence[VectorFile], path: Path) -> None:
    """Train and write an inverted file over all rows of the given vector files.

    The sample and the seed are fixed, so equal rows give an equal file on one machine.
    """
    set_thread_count(all_of_them=True)
    rows = sum(len(part) for part in parts)
    dimension = parts[0].dimension
    lists = max(1, min(_MAX_LISTS, int(4 * math.sqrt(rows))))
    coarse: Any = faiss.IndexFlatIP(dimension)
    index: Any = faiss.IndexIVFRaBitQ(
        coarse, dimension, lists, faiss.METRIC_INNER_PRODUCT, True, 2
    )
    index.cp.niter = 10
    index.cp.seed = _SEED
    index.cp.spherical = True
    step = max(1, rows // (lists * _SAMPLES_PER_LIST))
    index.train(
        np.concatenate([part.get_rows(np.arange(0, len(part), step)) for part in parts])
    )
    for part in parts:
        for start in range(0, len(part), _BATCH):
            index.add(part.get_range(start, min(_BATCH, len(part) - start)))
    faiss.write_index(index, str(path))
