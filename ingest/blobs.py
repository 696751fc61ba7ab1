"""Keeps fetched bytes by their sha256, and writes files whole or not at all.

Knows nothing of documents.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dunegpt.errors import FetchError, StorageError


class Blobs:
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
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-") as file:
                for chunk in chunks:
                    file.write(chunk)
                    sha256.update(chunk)
                    md5.update(chunk)
                    size += len(chunk)
                _check(size, size_bytes, md5.hexdigest(), checksum)
                file.flush()
                os.fsync(file.fileno())
                target = self.path(sha256.hexdigest())
                target.parent.mkdir(exist_ok=True)
                if not target.exists():
                    os.link(file.name, target)
        return sha256.hexdigest(), size


def _check(size: int, claimed: int | None, md5: str, checksum: str) -> None:
    if claimed is not None and size != claimed:
        raise FetchError(f"{size} bytes came where {claimed} were promised.")
    kind, _, value = checksum.partition(":")
    if kind == "md5" and value != md5:
        raise FetchError(f"The content has md5 {md5} where {value} was promised.")


_DISK_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EEXIST,
    errno.ENOTDIR,
}


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk below into a `StorageError` that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise StorageError(
                f"Cannot write in {folder}: {error.strerror}.",
                hint="Make room or change data_dir, then run the same command again.",
            ) from error
        raise


def sync_folder(folder: Path) -> None:
    """Force the files of a folder to the disk, so that a rename cannot outrun them."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut.

    Raises:
        StorageError: The disk is full.
    """
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
