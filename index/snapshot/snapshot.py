"""A snapshot: an immutable folder with everything that a server needs to search.

``manifest.json`` lists its files. Does not depend on how a snapshot is written or
published.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.access import Access
from dunegpt.errors import IndexBrokenError, IndexMissingError
from dunegpt.files import damaged
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.snapshot import integrity
from dunegpt.index.snapshot.dense import DenseIndex
from dunegpt.index.snapshot.document_store import DocumentStore
from dunegpt.index.snapshot.lexical import LexicalIndex
from dunegpt.index.snapshot.manifest import read_manifest
from dunegpt.index.snapshot.mapped_file import map_array, read_array_header
from dunegpt.index.snapshot.prefetch import prefetch
from dunegpt.index.snapshot.segment import SegmentRange
from dunegpt.index.snapshot.vectors import MappedRows
from dunegpt.ingest import reference_table
from dunegpt.ingest.reference_table import ReferenceTable

_SMALL_BYTES = 1 << 20
"""Files up to this size are never left unchecked."""
_TINY_BYTES = 1 << 14
_OPEN_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError)


class Snapshot:
    """A snapshot, opened for searching.

    Attributes:
        unchecked: Files whose hash is still to be checked by `check`.
        damage: The damage that `check` found; None if there is none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_check_age: timedelta | None = None,
        max_wait_bytes: int | None = None,
    ) -> None:
        """Open a snapshot, after checking the hashes of files that are due.

        A file is due if it was not hashed on this host since it was booted, or has
        changed since then.

        Args:
            folder: Folder of the snapshot.
            max_check_age: Age from which a check of hashes is repeated; None for never.
            max_wait_bytes: If more bytes are due, most hashes are left for `check`.

        Raises:
            IndexMissingError: The folder does not exist.
            IndexMismatchError: The snapshot has another format than this version.
            IndexBrokenError: A file is missing, has a wrong size or hash, or is
                damaged.
            HostError: The operating system refused; the files may be intact.
        """
        self.unchecked: list[str] = []
        self.damage: IndexBrokenError | None = None
        with ExitStack() as opened:
            try:
                self._open(folder, opened, max_check_age, max_wait_bytes)
            except _OPEN_ERRORS as error:
                raise damaged(error, f"{folder}: {error}", path=folder) from error
            except MemoryError as error:
                # Either there is too little, or a damaged size asks for too much.
                files = self.manifest["files"]
                integrity.compare_hashes(self.folder, files, files)
                raise damaged(error, f"{folder}: {error}", path=folder) from error
            self._opened = opened.pop_all()

    def _open(
        self,
        folder: Path,
        opened: ExitStack,
        max_check_age: timedelta | None,
        max_wait_bytes: int | None,
    ) -> None:
        if not folder.is_dir():
            raise IndexMissingError(f"There is no index in {folder}.")
        self.folder = folder.resolve()
        self._inode = self.folder.stat().st_ino
        self.manifest = read_manifest(self.folder)
        self._check_files(max_check_age, max_wait_bytes)
        self.segments = [SegmentRange(**fields) for fields in self.manifest["parts"]]
        parts = [self.folder / "parts" / span.name for span in self.segments]
        self.store = DocumentStore(
            self.folder / "documents.db", list(zip(self.segments, parts, strict=True))
        )
        opened.callback(self.store.close)
        self.references = ReferenceTable(self.folder / reference_table.FILE)
        opened.callback(self.references.close)
        self.lexical = LexicalIndex(self.folder / "lexical")
        lists = self.folder / "lists.faiss"
        self.dense = DenseIndex(
            [part / "vectors.faiss" for part in parts],
            lists if "lists.faiss" in self.manifest["files"] else None,
        )
        self.encoder = Encoder(self.folder / "encoder")
        self.row_access = self._load_array("row_access.npy")
        self.row_document = self._load_array("row_document.npy")
        self.row_record = self._load_array("row_record.npy")
        self.documents = self._load_array("documents.npy")
        self.records = RecordVectors(
            [self._map_records(part / "records.npy") for part in parts],
            self.encoder.info.dimension,
        )
        counts = self.manifest["counts"]
        row_counts = [len(self.lexical), len(self.dense), len(self.row_access)]
        expected = [counts["passages"], counts["rows"], counts["rows"]]
        if row_counts != expected:
            raise IndexBrokenError(
                f"{self.folder} has {row_counts} rows, not {expected}."
            )

    @property
    def id(self) -> str:
        """The content id."""
        return str(self.manifest["content_id"])

    @cached_property
    def access_sets(self) -> list[Access]:
        """The access sets, by number."""
        return self.store.access_sets

    @cached_property
    def document_access(self) -> npt.NDArray[np.uint32]:
        """The access set of each document, by number; 0 (nobody) for removed ones.

        Raises:
            IndexBrokenError: The document store is damaged.
        """
        access = np.zeros(len(self.documents), np.uint32)
        numbers = np.array(self.store.list_access(), np.int64).reshape(-1, 2)
        if len(numbers) and not (
            0 <= numbers.min()
            and numbers[:, 0].max() < len(access)
            and numbers[:, 1].max() < len(self.access_sets)
        ):
            raise IndexBrokenError(f"{self.folder} has documents out of range.")
        access[numbers[:, 0]] = numbers[:, 1]
        return access

    def close(self) -> None:
        """Close the files."""
        self._opened.close()

    def check(self, max_age: timedelta | None = None) -> None:
        """Check the hashes of files that are due; may run while others search.

        Does nothing if the folder was removed or replaced: the open files are what they
        were.

        Args:
            max_age: Age from which a check is repeated; None for never.

        Raises:
            IndexBrokenError: A file is missing or does not match its hash; the error is
                kept in `damage`.
            HostError: The operating system refused.
        """
        files = self.manifest["files"]
        try:
            if self.folder.stat().st_ino != self._inode:
                return
        except FileNotFoundError:
            return
        try:
            due = integrity.list_due(self.folder, files, max_age)
            integrity.check_hashes(self.folder, files, due)
        except IndexBrokenError as error:
            self.damage = error
            raise
        self.unchecked = []

    def prefetch(self, before: "Snapshot | None" = None) -> int:
        """Load the files into the page cache, so that the first queries are fast.

        Files that every query needs come first; stops when memory is used up.

        Args:
            before: Snapshot whose files are cached already; shared files are skipped.

        Returns:
            The number of bytes read.

        Raises:
            OSError: A file cannot be read, or a snapshot was removed meanwhile.
        """
        names = [
            name
            for name in self.manifest["files"]
            if before is None
            or name not in before.manifest["files"]
            or not (before.folder / name).samefile(self.folder / name)
        ]
        return prefetch(self.folder, names)

    def _load_array(self, name: str | Path) -> npt.NDArray[Any]:
        try:
            return map_array(self.folder / name)
        except (OSError, ValueError) as error:
            path = self.folder / name
            raise damaged(error, f"{path}: {error}", path=path) from error

    def _map_records(self, path: Path) -> MappedRows:
        """Return the record vectors of a segment."""
        try:
            dtype, (rows, length), start = read_array_header(path)
            return MappedRows(path, dtype, (rows, length), start)
        except (OSError, ValueError) as error:
            raise damaged(error, f"{path}: {error}", path=path) from error

    def _check_files(
        self, max_age: timedelta | None, max_wait_bytes: int | None
    ) -> None:
        """Check the size of every file, and the hashes of those that are due."""
        files = self.manifest["files"]
        for name, facts in files.items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != facts["bytes"]:
                raise IndexBrokenError(
                    f"{path} has {size} bytes; the manifest says {facts['bytes']}."
                )
        due = integrity.list_due(self.folder, files, max_age)
        size = sum(files[name]["bytes"] for name in due)
        if max_wait_bytes is not None and size > max_wait_bytes:
            self.unchecked = [n for n in due if files[n]["bytes"] > _SMALL_BYTES]
        now = [name for name in due if name not in self.unchecked]
        integrity.check_hashes(self.folder, files, now)
        always = [
            name
            for name, facts in files.items()
            if name not in now and _is_always_checked(name, facts["bytes"])
        ]
        integrity.compare_hashes(self.folder, files, always)


def _is_always_checked(name: str, size: int) -> bool:
    """Return whether the hash of a file is checked at each opening.

    The arrays decide on access, and are quick to hash: 12 bytes per passage and 16 per
    document.
    """
    return (name.endswith(".npy") and "/" not in name) or size <= _TINY_BYTES


class RecordVectors:
    """The record vectors of all segments, indexed like one array."""

    def __init__(self, parts: Sequence[MappedRows], dimension: int) -> None:
        self._segments = parts
        self._first_records = np.cumsum([0, *map(len, parts)])
        self._dimension = dimension

    def __len__(self) -> int:
        return int(self._first_records[-1])

    def __getitem__(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """Return the vectors of the given records, [len(numbers), dimension]."""
        segment_numbers = (
            np.searchsorted(self._first_records, numbers, side="right") - 1
        )
        vectors = np.empty((len(numbers), self._dimension), np.float16)
        for number in np.unique(segment_numbers).tolist():
            selected = segment_numbers == number
            vectors[selected] = self._segments[number][
                numbers[selected] - self._first_records[number]
            ]
        return vectors
