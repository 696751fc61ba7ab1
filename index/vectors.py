"""Vectors on the disk, as they are scored exactly: a FAISS file, opened by mapping.

Rows are kept as halves, or as bytes where there are very many. Knows no search but the
one that looks at every row.
"""

import mmap
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]

_MOST_THREADS = faiss.omp_get_max_threads()
_BATCH = 16_384
_TRAINED_ON = 100_000


def use_threads(*, all_of_them: bool) -> None:
    """Say with how many threads FAISS works for whoever calls: with one, or with all.

    A question is one vector, which its threads cannot share: they would only wait, and
    burn CPU. To train and to add takes all.
    """
    faiss.omp_set_num_threads(_MOST_THREADS if all_of_them else 1)


class VectorsWriter:
    """Writes vectors; rows are added in order."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._path = path
        self._raw = path.with_suffix(".raw")
        self._file = self._raw.open("wb")
        self._dimension = dimension
        self._rows = 0

    def add(self, vectors: npt.NDArray[np.float16]) -> None:
        """Add rows: unit vectors, [n, dimension]."""
        self._file.write(np.ascontiguousarray(vectors, np.float16).tobytes())
        self._rows += len(vectors)

    def close(self, *, int8_from: int) -> None:
        """Write the file.

        Args:
            int8_from: With so many rows they are kept as bytes, not as halves.
        """
        self._file.close()
        use_threads(all_of_them=True)
        kind = faiss.ScalarQuantizer
        is_big = self._rows >= int8_from
        index: Any = faiss.IndexScalarQuantizer(
            self._dimension,
            kind.QT_8bit if is_big else kind.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
        )
        if self._rows:
            raw = np.memmap(
                self._raw, np.float16, "r", shape=(self._rows, self._dimension)
            )
            step = max(1, self._rows // _TRAINED_ON)
            index.train(np.ascontiguousarray(raw[::step], np.float32))
            for start in range(0, self._rows, _BATCH):
                index.add(np.ascontiguousarray(raw[start : start + _BATCH], np.float32))
            del raw
        faiss.write_index(index, str(self._path))
        self._raw.unlink()


class MappedRows:
    """Rows of a file that are taken out here and there, some hundred for a question.

    The file is mapped. The kernel is told which pages are wanted, so that it reads them
    at once and beside each other, and is told to read nothing around them: where files
    exceed the memory, what is read in vain drives out what is needed.
    """

    def __init__(
        self, path: Path, dtype: npt.DTypeLike, shape: tuple[int, int], start: int
    ) -> None:
        """Map a file.

        Args:
            path: Of the file.
            dtype: Of what the rows hold.
            shape: How many rows, and how long each is.
            start: Where in the file they begin, in bytes.

        Raises:
            OSError: It cannot be read.
            ValueError: It is shorter than that.
        """
        self._start = start
        self._mapped: mmap.mmap | None = None
        self._rows: npt.NDArray[Any] = np.empty(shape, dtype)
        if not all(shape):
            return
        with path.open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._mapped.madvise(mmap.MADV_RANDOM)
        count = shape[0] * shape[1]
        self._rows = np.frombuffer(self._mapped, dtype, count, start).reshape(shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> npt.NDArray[Any]:
        """Return some rows, in their order: [len(rows), length]."""
        if self._mapped is not None and len(rows):
            width, page = self._rows.strides[0], mmap.PAGESIZE
            begins = self._start + np.sort(rows) * width
            # Pages of rows that lie beside each other are asked for together.
            pages = begins // page * page
            ends = begins + width
            cuts = np.flatnonzero(pages[1:] > ends[:-1]) + 1
            wanted = self._mapped.madvise
            firsts = pages[np.concatenate([[0], cuts])].tolist()
            lasts = ends[np.concatenate([cuts - 1, [-1]])].tolist()
            for first, last in zip(firsts, lasts, strict=True):
                wanted(mmap.MADV_WILLNEED, first, last - first)
        return np.asarray(self._rows[rows])


class VectorFile:
    """Vectors, opened."""

    def __init__(self, path: Path) -> None:
        """Open a file by mapping it.

        Raises:
            IndexBrokenError: It is missing or damaged.
        """
        try:
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            size = (len(self), int(self._index.sa_code_size()))
            # They are the last thing in the file, and one row has always one length.
            start = path.stat().st_size - size[0] * size[1]
            self._codes = MappedRows(path, np.uint8, size, start)
        except (RuntimeError, OSError, ValueError, AttributeError) as error:
            raise IndexBrokenError(f"The dense index {path}: {error}") from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return int(self._index.d)

    def search(self, vector: Vectors, allowed: Mask, k: int) -> tuple[Rows, Scores]:
        """Return the k nearest allowed rows and their cosines, by looking at all."""
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters: Any = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        k = min(k, len(self))
        use_threads(all_of_them=False)
        scores, rows = self._index.search(vector[None, :], k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found].astype(np.int64), scores[0][found].astype(np.float32)

    def at(self, rows: Rows) -> Vectors:
        """Return the vectors of some rows, [len(rows), dimension], in their order."""
        return np.asarray(self._index.sa_decode(self._codes[rows]), np.float32)

    def run(self, start: int, count: int) -> Vectors:
        """Return the vectors of consecutive rows, [count, dimension]."""
        return np.asarray(self._index.reconstruct_n(start, count), np.float32)
