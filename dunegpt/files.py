"""Atomic writes, and the distinction between host errors and damaged files.

Too many open files, a full disk or a missing permission says nothing about the content
of a file, so it is never a reason to remove one. Use `damaged` for the error to raise
after a failed read, and `storage_errors` around writes.
"""

import errno
import hashlib
import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dunegpt.errors import DuneGPTError, HostError, IndexBrokenError, StorageError
from dunegpt.permissions import get_file_mode, make_folder

_AGAIN = "then run the same command again; nothing was removed."
_SPACE_HINT = (
    "Free disk space, or move the whole data folder to another disk and set data_dir"
    " (an empty one would lose the list of forgotten documents, the receipts and what"
    f" waits for confirmation), {_AGAIN}"
)
_PERMISSION_HINT = f"Give this account read and write permission, {_AGAIN}"
_HINTS = {
    errno.ENFILE: f"Raise fs.file-max, or end other programs on this host, {_AGAIN}",
    errno.EMFILE: f"Raise the limit on open files ('ulimit -n 4096'), {_AGAIN}",
    errno.ENOSPC: _SPACE_HINT,
    errno.EDQUOT: _SPACE_HINT,
    errno.EFBIG: f"Raise the limit on file sizes ('ulimit -f unlimited'), {_AGAIN}",
    errno.EROFS: f"Mount it for writing, {_AGAIN}",
    errno.EACCES: _PERMISSION_HINT,
    errno.EPERM: _PERMISSION_HINT,
    errno.EIO: f"The disk or file server failed: see the system log (dmesg), {_AGAIN}",
    errno.ESTALE: f"The file server lost the file: mount it again, {_AGAIN}",
    errno.ENOMEM: f"Free some memory, {_AGAIN}",
    errno.EAGAIN: f"Raise the limit on processes ('ulimit -u'), or end some, {_AGAIN}",
}
"""Hints by ``errno``. ENFILE precedes EMFILE, whose message is a prefix of its own."""

_ERRNO_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EACCES,
}
_OBSTRUCTED = {errno.EEXIST, errno.ENOTDIR}
_OBSTRUCTED_HINT = (
    "Something else is where dunegpt has a file or folder of that name: move it away,"
    " or set another data_dir."
)
_OTHER_HINTS = {
    errno.EEXIST: _OBSTRUCTED_HINT,
    errno.EISDIR: _OBSTRUCTED_HINT,
    errno.ENOTDIR: _OBSTRUCTED_HINT,
    errno.ENOTEMPTY: _OBSTRUCTED_HINT,
    errno.ENAMETOOLONG: "Use a shorter path.",
    errno.ELOOP: "A symbolic link leads back to itself: remove it.",
    errno.ENOENT: "Something removed it, or a folder above it is missing: check the"
    " path and run the same command again.",
    errno.EPIPE: "The program that reads the output has ended.",
}
"""Hints for what is in the way of a command, but can be part of a damaged index."""
_RESERVED_DESCRIPTORS = 64


def host_error(error: BaseException, path: Path | None = None) -> HostError | None:
    """Return a `HostError` if the operating system caused an error, else None.

    Args:
        error: The exception; its causes are searched, too. Native libraries (FAISS,
            tantivy, tokenizers) give the cause in their message only.
        path: File or folder concerned, if the error does not name it.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HostError):
            return cause
        if code := _get_errno(cause, path):
            named = getattr(cause, "filename", None)
            where = os.fsdecode(named) if isinstance(named, str | bytes) else path
            return _make_host_error(code, where)
        cause = cause.__cause__
    return None


def describe_os_error(error: OSError) -> HostError:
    """Return the error to show for an operating system error that nothing handled."""
    found = _make_host_error(error.errno or 0, error.filename2 or error.filename)
    if not error.errno:
        found = HostError(str(error))
    if not found.hint:
        found.hint = _OTHER_HINTS.get(
            error.errno or 0,
            "Check this path and the system log (dmesg), then run the command again.",
        )
    return found


def _make_host_error(code: int, where: object = None) -> HostError:
    """Return the error for an ``errno``, with its hint."""
    reason = os.strerror(code)
    message = f"Cannot read or write {where}: {reason}." if where else f"{reason}."
    return HostError(message, hint=_HINTS.get(code, ""))


def damaged(
    error: Exception,
    message: str,
    *,
    path: Path | None = None,
    hint: str = "",
    kind: type[DuneGPTError] = IndexBrokenError,
) -> DuneGPTError:
    """Return the exception to raise for a file that could not be read.

    Args:
        error: The original exception.
        message: Message if the file is damaged.
        path: The file.
        hint: Hint if the file is damaged.
        kind: Class of the exception if the file is damaged; it is a `HostError` if the
            operating system refused.
    """
    return host_error(error, path) or kind(message, hint=hint)


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the operating system in a folder into a `StorageError`."""
    try:
        yield
    except OSError as error:
        message = f"Cannot write in {folder}: {error.strerror}."
        if error.errno in _HINTS:
            raise HostError(message, hint=_HINTS[error.errno]) from error
        if error.errno in _OBSTRUCTED:
            raise StorageError(message, hint=_OBSTRUCTED_HINT) from error
        raise


def limit_children(wanted: int, descriptors: int = 4) -> int:
    """Return the number of child processes that the limit on open files permits.

    Args:
        wanted: Desired number, which is the maximum; the minimum is one.
        descriptors: File descriptors that this process needs per child.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (soft - _RESERVED_DESCRIPTORS) // descriptors))


def sync_folder(folder: Path) -> None:
    """Flush the files of a folder to disk, to be called before a rename."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it if the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all, even in case of a power failure.

    Raises:
        StorageError: The disk is full.
    """
    with storage_errors(path.parent):
        make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), get_file_mode(path))
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _get_errno(error: BaseException, path: Path | None) -> int:
    """Return the ``errno`` that caused an error; 0 if there is none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _HINTS else 0
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(original := getattr(error, "orig", error), sqlite3.Error):
        return _get_sqlite_errno(original, path)
    message = str(error)
    if "can't start new thread" in message:
        return errno.EAGAIN
    return next((code for code in _HINTS if os.strerror(code) in message), 0)


def _get_sqlite_errno(error: sqlite3.Error, path: Path | None) -> int:
    extended = getattr(error, "sqlite_errorcode", 0)
    if extended == sqlite3.SQLITE_IOERR_CORRUPTFS:
        return 0
    if extended & 0xFF != sqlite3.SQLITE_CANTOPEN:
        return _ERRNO_BY_SQLITE_CODE.get(extended & 0xFF, 0)
    # SQLite does not give the reason if it cannot open a file, so try it here.
    if path is None:
        return 0
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as refused:
        return refused.errno if refused.errno in _HINTS else 0
    return errno.EMFILE if path.is_file() else 0
