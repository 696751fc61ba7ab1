"""A snapshot: all that a server needs to search, in one folder that never changes.

``manifest.json`` says what is in it; `Snapshot` opens one, `publish` makes one the
current one by a rename. Knows nothing of how it was made.
"""

import hashlib
import json
import os
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt.errors import IndexBrokenError, IndexMismatchError, IndexMissingError
from dunegpt.index.dense import DenseIndex
from dunegpt.index.encoder import Encoder
from dunegpt.index.lexical import LexicalIndex
from dunegpt.index.store import Store
from dunegpt.types import Access

FORMAT = 2
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
        self.store = Store(self.folder / "passages.db")
        self.lexical = LexicalIndex(self.folder / "lexical")
        self.dense = DenseIndex(self.folder / "dense.faiss")
        self.encoder = Encoder(self.folder / "encoder")
        self.row_access = self._array("row_access.npy")
        self.row_document = self._array("row_document.npy")
        self.row_record = self._array("row_record.npy")
        self.row_source = self._array("row_source.npy")
        self.records = self._array("records.npy")
        rows = self.manifest["counts"]["passages"]
        found = [len(self.lexical), len(self.dense), len(self.row_access)]
        if found != [rows] * 3:
            raise IndexBrokenError(f"{self.folder} has {found} passages, not {rows}.")

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

    def _array(self, name: str) -> npt.NDArray[Any]:
        try:
            return np.asarray(np.load(self.folder / name, mmap_mode="r"))
        except (OSError, ValueError) as error:
            raise IndexBrokenError(f"{self.folder / name}: {error}") from error

    def _check_files(self) -> None:
        for name, facts in self.manifest["files"].items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != facts["bytes"]:
                raise IndexBrokenError(
                    f"{path} has {size} bytes; the manifest says {facts['bytes']}."
                )
            # These decide who may read what: 16 bytes a passage, so a quick look.
            if name.startswith("row_") and file_hash(path) != facts["sha256"]:
                raise IndexBrokenError(f"{path} is not what the manifest says.")


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
