"""A snapshot: all that a server needs to search, in one folder that never changes.

``manifest.json`` says what is in it; `Snapshot` opens one, `publish` makes one the
current one by a rename. Knows nothing of how it was made.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError, IndexMismatchError, IndexMissingError
from dunegpt.index.dense import DenseIndex
from dunegpt.index.encoder import Encoder
from dunegpt.index.lexical import LexicalIndex
from dunegpt.index.part import Span
from dunegpt.index.store import Store
from dunegpt.index.vectors import MappedRows
from dunegpt.index.warm import warm
from dunegpt.ingest import references
from dunegpt.ingest.references import ReferenceTable
from dunegpt.types import Access

FORMAT = 4
CURRENT = "current"


class Snapshot:
    """A snapshot, opened for searching."""

    def __init__(self, folder: Path) -> None:
        """Open a snapshot.

        Raises:
            IndexMissingError: There is none.
            IndexMismatchError: Its format is another than this program's.
            IndexBrokenError: A file is missing, has another size, or cannot be read.
        """
        if not folder.is_dir():
            raise IndexMissingError(f"There is no index in {folder}.")
        self.folder = folder.resolve()
        self.manifest = read_manifest(self.folder)
        self._check_files()
        self.spans = [Span(**fields) for fields in self.manifest["parts"]]
        parts = [self.folder / "parts" / span.name for span in self.spans]
        self.store = Store(
            self.folder / "documents.db", list(zip(self.spans, parts, strict=True))
        )
        self.references = ReferenceTable(self.folder / references.FILE)
        self.lexical = LexicalIndex(self.folder / "lexical")
        lists = self.folder / "lists.faiss"
        self.dense = DenseIndex(
            [part / "vectors.faiss" for part in parts],
            lists if "lists.faiss" in self.manifest["files"] else None,
        )
        self.encoder = Encoder(self.folder / "encoder")
        self.row_access = self._array("row_access.npy")
        self.row_document = self._array("row_document.npy")
        self.row_record = self._array("row_record.npy")
        self.documents = self._array("documents.npy")
        self.records = Records(
            [self._records(part / "records.npy") for part in parts],
            self.encoder.info.dimension,
        )
        counts = self.manifest["counts"]
        found = [len(self.lexical), len(self.dense), len(self.row_access)]
        expected = [counts["passages"], counts["rows"], counts["rows"]]
        if found != expected:
            raise IndexBrokenError(f"{self.folder} has {found} rows, not {expected}.")

    @property
    def id(self) -> str:
        """The content id."""
        return str(self.manifest["content_id"])

    @cached_property
    def access_sets(self) -> list[Access]:
        """The access sets, by their numbers."""
        return self.store.access_sets

    def close(self) -> None:
        """Release the files."""
        self.store.close()
        self.references.close()

    def warm(self, before: "Snapshot | None" = None) -> int:
        """Read the files once, so that first questions are as fast as later ones.

        What every question needs comes first; it ends where memory does.

        Args:
            before: The files that are this one's, too, were read already.

        Returns:
            How many bytes were read.

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
        return warm(self.folder, names)

    def _array(self, name: str | Path) -> npt.NDArray[Any]:
        try:
            return np.asarray(np.load(self.folder / name, mmap_mode="r"))
        except (OSError, ValueError) as error:
            raise IndexBrokenError(f"{self.folder / name}: {error}") from error

    def _records(self, path: Path) -> MappedRows:
        """Return the vectors of a part's records."""
        try:
            found: Any = np.load(path, mmap_mode="r")
            return MappedRows(path, found.dtype, found.shape, found.offset)
        except (OSError, ValueError) as error:
            raise IndexBrokenError(f"{path}: {error}") from error

    def _check_files(self) -> None:
        for name, facts in self.manifest["files"].items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != facts["bytes"]:
                raise IndexBrokenError(
                    f"{path} has {size} bytes; the manifest says {facts['bytes']}."
                )
            # These decide who may read what: 12 bytes a passage, so a quick look.
            if name.startswith("row_") and file_hash(path) != facts["sha256"]:
                raise IndexBrokenError(f"{path} is not what the manifest says.")


class Records:
    """The vectors of all records, in parts, as if they were one array."""

    def __init__(self, parts: Sequence[MappedRows], dimension: int) -> None:
        self._parts = parts
        self._first = np.cumsum([0, *map(len, parts)])
        self._dimension = dimension

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """Return the vectors of some records, in their order: [n, dimension]."""
        of_part = np.searchsorted(self._first, numbers, side="right") - 1
        found = np.empty((len(numbers), self._dimension), np.float16)
        for part in np.unique(of_part).tolist():
            own = of_part == part
            found[own] = self._parts[part][numbers[own] - self._first[part]]
        return found


def file_hash(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a snapshot.

    Raises:
        IndexBrokenError: It is missing or damaged.
        IndexMismatchError: Its format is another than this program's.
    """
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IndexBrokenError(f"{path}: {error}") from error
    if manifest.get("format") != FORMAT:
        raise IndexMismatchError(
            f"{folder} has format {manifest.get('format')}, not {FORMAT}."
        )
    return manifest


def publish(target: Path) -> None:
    """Make a snapshot the current one: a link, replaced by one rename."""
    link = target.parent / f".{CURRENT}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    os.replace(link, target.parent / CURRENT)


def collect(folder: Path, keep: int) -> None:
    """Remove all but the newest snapshots and what killed runs left; spare the current.

    Args:
        folder: Of all snapshots.
        keep: How many finished snapshots to keep.
    """
    current = (folder / CURRENT).resolve()
    finished = sorted(
        (p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()),
        key=lambda p: (p.name.startswith("."), -p.stat().st_mtime),
    )
    for position, path in enumerate(finished):
        unfinished = path.name.startswith(".")
        if path != current and (unfinished or position >= keep):
            shutil.rmtree(path)
