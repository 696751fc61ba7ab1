"""Stores fetched bytes in files that are named by their sha256.

Does not depend on documents.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dunegpt.errors import FetchError
from dunegpt.files import storage_errors
from dunegpt.permissions import get_file_mode, make_folder


class BlobStore:
    """A folder of files, each named by the sha256 of its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the blob is or would be."""
        return self.folder / sha256[:2] / sha256

    def __contains__(self, sha256: str) -> bool:
        return bool(sha256) and self.path(sha256).is_file()

    def put(
        self,
        chunks: Iterable[bytes],
        *,
        checksum: str = "",
        size_bytes: int | None = None,
    ) -> tuple[str, int]:
        """Store what the chunks add up to; return its sha256 and size in bytes.

        Raises:
            FetchError: Size or ``md5:...`` checksum differ from what was claimed.
            StorageError: The disk is full.
        """
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        with storage_errors(self.folder):
            make_folder(self.folder)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-") as file:
                for chunk in chunks:
                    file.write(chunk)
                    sha256.update(chunk)
                    md5.update(chunk)
                    size += len(chunk)
                _check_content(size, size_bytes, md5.hexdigest(), checksum)
                file.flush()
                os.fsync(file.fileno())
                target = self.path(sha256.hexdigest())
                make_folder(target.parent)
                os.fchmod(file.fileno(), get_file_mode(target))
                if not target.exists():
                    os.link(file.name, target)
        return sha256.hexdigest(), size


def _check_content(size: int, claimed: int | None, md5: str, checksum: str) -> None:
    if claimed is not None and size != claimed:
        raise FetchError(f"{size} bytes came where {claimed} were promised.")
    kind, _, value = checksum.partition(":")
    if kind == "md5" and value != md5:
        raise FetchError(f"The content has md5 {md5} where {value} was promised.")
