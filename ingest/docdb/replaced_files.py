"""Notices files that were replaced on the server's disk, past DocDB.

DocDB's record does not change then. The page of the latest version shows the size of
each file; in a full pass the web server is asked for size and date, which only public
and password doors tell. A file of the same size on a door that does not tell its date
cannot be noticed. Stores nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from dunegpt.ingest.docdb.client import FileStamp
from dunegpt.types import Document, FileRef

_CLOCK_TOLERANCE = timedelta(days=1)

StampReader = Callable[[FileRef], FileStamp]


@dataclass(slots=True)
class FileRecords:
    """What is stored about the files of one document, by ``VERSION/KEY``.

    Attributes:
        sizes: Sizes as the page shows them (``1.4 kB``).
        replacements: How often a file was replaced on the disk.
    """

    sizes: dict[str, str] = field(default_factory=dict)
    replacements: dict[str, int] = field(default_factory=dict)

    def update(
        self,
        document: Document,
        version: int,
        sizes: Mapping[str, str],
        is_replaced: Callable[[FileRef], bool],
    ) -> Document:
        """Return a version whose replaced files have another claimed checksum.

        Args:
            document: The version.
            version: Its number.
            sizes: Shown sizes by file name; empty for all but the latest version.
            is_replaced: Whether the web server has another file than is stored.
        """
        files = [
            self._update_file(f, version, sizes, is_replaced) for f in document.files
        ]
        return replace(document, files=tuple(files))

    def _update_file(
        self,
        file: FileRef,
        version: int,
        sizes: Mapping[str, str],
        is_replaced: Callable[[FileRef], bool],
    ) -> FileRef:
        if file.body is not None:
            return file
        key = f"{version}/{file.key}"
        before, shown = self.sizes.get(key, ""), sizes.get(file.name, "")
        if shown:
            self.sizes[key] = shown
        if (before and shown and before != shown) or is_replaced(file):
            self.replacements[key] = self.replacements.get(key, 0) + 1
        count = self.replacements.get(key, 0)
        return replace(file, checksum=f"{file.checksum}~{count}") if count else file


def is_another_file(stamp: FileStamp, stored: FileRef, read_on: str) -> bool:
    """Return whether a web server's file is not the one that is stored.

    Args:
        stamp: What the server says.
        stored: The file as it was fetched.
        read_on: The day on which that was, ISO 8601; empty if unknown.
    """
    if stamp.size_bytes is not None and stored.size_bytes is not None:
        if stamp.size_bytes != stored.size_bytes:
            return True
    if stamp.modified_on is None or not read_on:
        return False
    return stamp.modified_on >= date.fromisoformat(read_on) - _CLOCK_TOLERANCE
