"""Vector files for exact scores: flat FAISS indexes, memory-mapped.

Rows are stored as float16, or as 8-bit integers in very large files. Offers exact
search only.
"""

import mmap
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError
from dunegpt.files import damaged
from dunegpt.index.snapshot.mapped_file import MappedFile

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]

_MOST_THREADS = faiss.omp_get_max_threads()
_BATCH = 16_384
_MAX_COSINE = 1.05
"""Vectors stored as float16 or 8-bit integers are not exactly of unit length."""
_TRAINING_SAMPLE = 100_000


def set_thread_count(*, all_of_them: bool) -> None:
    """Let FAISS use all threads or only one in the calling thread.

    A query is a single vector that threads cannot share: they would only spin. Training
    and adding use all threads.
    """
    faiss.omp_set_num_threads(_MOST_THREADS if all_of_them else 1)


def compute_cosines(vectors: npt.NDArray[Any], vector: Vectors) -> Scores:
    """Return the cosines of unit vectors with another, float32 [len(vectors)].

    Raises:
        IndexBrokenError: A value is not a number, or out of range.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return check_cosines(np.asarray(vectors @ vector, np.float32))


def check_cosines(cosines: Scores) -> Scores:
    """Return cosines of unit vectors, after checking their range.

    Raises:
        IndexBrokenError: A value is not a number, or out of range.
    """
    if len(cosines) and not float(np.abs(cosines).max()) <= _MAX_COSINE:
        raise IndexBrokenError("The vectors of the index are damaged (wrong scores).")
    return cosines


class ArrayWriter:
    """Writes rows to a ``.npy`` file without holding them in memory."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._file = path.open("wb")
        self._dimension = dimension
        self._rows = 0
        self._put_header()

    def add(self, rows: npt.NDArray[np.float16]) -> None:
        """Append rows, float16 [n, dimension]."""
        self._file.write(np.ascontiguousarray(rows, np.float16).tobytes())
        self._rows += len(rows)

    def close(self) -> None:
        """Write the final header and close the file."""
        self._file.seek(0)
        self._put_header()
        self._file.close()

    def discard(self) -> None:
        """Close the file without finishing it."""
        self._file.close()

    def _put_header(self) -> None:
        # numpy pads the header, so its length does not depend on the number of rows.
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)),
            "fortran_order": False,
            "shape": (self._rows, self._dimension),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


class VectorsWriter:
    """Writes a vector file; rows are added in order."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._path = path
        self._raw = path.with_suffix(".raw")
        self._file = self._raw.open("wb")
        self._dimension = dimension
        self._rows = 0

    def add(self, vectors: npt.NDArray[np.float16]) -> None:
        """Append unit vectors, float16 [n, dimension]."""
        self._file.write(np.ascontiguousarray(vectors, np.float16).tobytes())
        self._rows += len(vectors)

    def close(self, *, int8_from: int) -> None:
        """Write the file.

        Args:
            int8_from: Number of rows from which they are stored as 8-bit integers.
        """
        self._file.close()
        set_thread_count(all_of_them=True)
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
            step = max(1, self._rows // _TRAINING_SAMPLE)
            index.train(np.ascontiguousarray(raw[::step], np.float32))
            for start in range(0, self._rows, _BATCH):
                index.add(np.ascontiguousarray(raw[start : start + _BATCH], np.float32))
            del raw
        faiss.write_index(index, str(self._path))
        self._raw.unlink()

    def discard(self) -> None:
        """Close the file without finishing it."""
        self._file.close()


class MappedRows:
    """Rows of a memory-mapped file with random access, some hundred per query.

    The kernel is told which pages are needed, so that it reads them concurrently, and
    not to read ahead: if files exceed memory, unneeded pages evict needed ones.
    """

    def __init__(
        self, path: Path, dtype: npt.DTypeLike, shape: tuple[int, int], start: int
    ) -> None:
        """Map a file.

        Args:
            path: Path of the file.
            dtype: Type of the values.
            shape: Number of rows, and length of a row.
            start: Offset of the first row in bytes.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file is too short.
        """
        self._start = start
        self._mapped: MappedFile | None = None
        self._rows: npt.NDArray[Any] = np.empty(shape, dtype)
        if not all(shape):
            return
        self._mapped = MappedFile(path)
        self._mapped.advise(mmap.MADV_RANDOM)
        self._rows = self._mapped.array(dtype, shape, start)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> npt.NDArray[Any]:
        """Return the given rows, in their order, [len(rows), length]."""
        if self._mapped is not None and len(rows):
            width, page = self._rows.strides[0], mmap.PAGESIZE
            begins = self._start + np.sort(rows) * width
            # Adjacent pages are requested together.
            pages = begins // page * page
            ends = begins + width
            cuts = np.flatnonzero(pages[1:] > ends[:-1]) + 1
            firsts = pages[np.concatenate([[0], cuts])].tolist()
            lasts = ends[np.concatenate([cuts - 1, [-1]])].tolist()
            for first, last in zip(firsts, lasts, strict=True):
                self._mapped.advise(mmap.MADV_WILLNEED, first, last - first)
        return np.asarray(self._rows[rows])


class VectorFile:
    """A vector file, opened for reading."""

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            IndexBrokenError: The file is missing or damaged.
            HostError: The operating system refused.
        """
        try:
            self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            size = (len(self), int(self._index.sa_code_size()))
            # The codes are at the end of the file and have a fixed length per row.
            start = path.stat().st_size - size[0] * size[1]
            self._codes = MappedRows(path, np.uint8, size, start)
        except (RuntimeError, OSError, ValueError, AttributeError) as error:
            message = f"The dense index {path}: {error}"
            raise damaged(error, message, path=path) from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The dimension of the vectors."""
        return int(self._index.d)

    def search(self, vector: Vectors, allowed: Mask, k: int) -> tuple[Rows, Scores]:
        """Return the k nearest allowed rows and their cosines, by an exact scan."""
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters: Any = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        k = min(k, len(self))
        set_thread_count(all_of_them=False)
        scores, rows = self._index.search(vector[None, :], k, params=parameters)
        is_valid = rows[0] >= 0
        cosines = check_cosines(scores[0][is_valid].astype(np.float32))
        return rows[0][is_valid].astype(np.int64), cosines

    def get_rows(self, rows: Rows) -> Vectors:
        """Return the vectors of the given rows, float32 [len(rows), dimension]."""
        return np.asarray(self._index.sa_decode(self._codes[rows]), np.float32)

    def get_range(self, start: int, count: int) -> Vectors:
        """Return the vectors of consecutive rows, float32 [count, dimension]."""
        return np.asarray(self._index.reconstruct_n(start, count), np.float32)
