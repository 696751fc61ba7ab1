"""Memory-mapped arrays that do not keep a file descriptor open.

Python's `mmap` keeps a descriptor for its lifetime (before 3.13 without alternative),
and a snapshot maps several files in each of its segments.
"""

import ctypes
import mmap
import os
import weakref
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_FAILED = ctypes.c_void_p(-1).value
_HEADER_ERRORS = (
    SyntaxError,
    TokenError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    BadZipFile,
)
"""What numpy raises for a damaged header, besides ValueError."""


class MappedFile:
    """A file, mapped for reading until it and all its arrays are garbage-collected."""

    def __init__(self, path: Path) -> None:
        """Map a file.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file is empty.
        """
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            if not self.size:
                raise ValueError("mmap: the file is empty")
            self._address: int = _libc.mmap(
                None, self.size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0
            )
        if self._address == _FAILED:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
        # Left to the kernel at exit, because other threads may still be reading.
        finalizer = weakref.finalize(self, _libc.munmap, self._address, self.size)
        finalizer.atexit = False

    def array(
        self, dtype: npt.DTypeLike, shape: tuple[int, ...], start: int
    ) -> npt.NDArray[Any]:
        """Return a read-only array over a range of the file.

        Args:
            dtype: Type of the values.
            shape: Shape of the array.
            start: Offset of the array in bytes.

        Raises:
            ValueError: The file is too short.
        """
        content: Any = (ctypes.c_char * self.size).from_address(self._address)
        content.file = self  # the array keeps the mapping alive
        count = int(np.prod(shape))
        array = np.frombuffer(content, dtype, count, start).reshape(shape)
        array.flags.writeable = False
        return array

    def advise(self, advice: int, start: int = 0, length: int | None = None) -> None:
        """Advise the kernel on how a range of the file will be read (``madvise``).

        Args:
            advice: A constant such as ``mmap.MADV_RANDOM``.
            start: Start of the range in bytes, at a page boundary.
            length: Length in bytes; by default the rest of the file.
        """
        rest = self.size - start if length is None else length
        _libc.madvise(self._address + start, rest, advice)


def map_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, memory-mapped.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is damaged.
    """
    dtype, shape, start = read_array_header(path)
    if not all(shape):
        return np.empty(shape, dtype)
    return MappedFile(path).array(dtype, shape, start)


def read_array_header(path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return type, shape and byte offset of the array in a ``.npy`` file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is damaged.
    """
    try:
        array: Any = np.load(path, mmap_mode="r")
        return array.dtype, array.shape, array.offset
    except _HEADER_ERRORS as error:
        raise ValueError(f"not an array: {error}") from error
