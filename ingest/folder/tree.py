"""The files below a folder: found and opened without following any symbolic link.

Only regular files are opened. Anything else (links, FIFOs, sockets, devices) and what
cannot be looked at is returned with the reason, and stops nothing. Does not depend on
documents. A hard link cannot be told from the file that it is another name of.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_SPECIAL = {
    stat.S_IFLNK: ("SymbolicLinkError", "It is a symbolic link."),
    stat.S_IFIFO: ("SpecialFileError", "It is a FIFO."),
    stat.S_IFSOCK: ("SpecialFileError", "It is a socket."),
    stat.S_IFCHR: ("SpecialFileError", "It is a device."),
    stat.S_IFBLK: ("SpecialFileError", "It is a device."),
}
_GONE = {errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that is not read.

    Attributes:
        name: Relative to the folder, with ``/``; may contain surrogates.
        error: Kind of the reason, for counting.
        reason: The reason in words.
        is_unknown: What is there, or below it, could not be looked at: it is not gone.
        is_folder: Whether it is a folder that cannot be listed.
    """

    name: str
    error: str
    reason: str
    is_unknown: bool = False
    is_folder: bool = False


def walk_tree(root: Path) -> Iterator[str | LeftOut]:
    """Yield the names of regular files, and what is left out; hidden names are neither.

    Args:
        root: The folder.

    Yields:
        Names relative to the folder, with ``/``.

    Raises:
        OSError: The folder itself cannot be listed.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise
            if error.errno not in _GONE:
                yield _leave_out(folder, error, is_folder=True)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
            else:
                yield from _look_at(entry, name)


def open_file(root: Path, name: str) -> BinaryIO:
    """Open a regular file below a folder, whatever has taken its place meanwhile.

    Raises:
        OSError: It cannot be opened, is no regular file, or a part of its path is a
            symbolic link.
    """
    *folders, last = name.split("/")
    flags = os.O_RDONLY | os.O_CLOEXEC
    place = os.open(root, flags | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(
                folder, flags | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place
            )
            os.close(place)
            place = inner
        # A FIFO without a writer would block.
        file = os.open(last, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "It is no regular file")
    return os.fdopen(file, "rb")


def _look_at(entry: os.DirEntry[str], name: str) -> Iterator[str | LeftOut]:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:
        if error.errno not in _GONE:
            yield _leave_out(name, error)
        return
    if stat.S_ISREG(mode):
        yield name
    elif special := _SPECIAL.get(stat.S_IFMT(mode)):
        yield LeftOut(name, *special)


def _leave_out(name: str, error: OSError, *, is_folder: bool = False) -> LeftOut:
    what = "The folder cannot be listed" if is_folder else "It cannot be looked at"
    reason = f"{what}: {error.strerror}."
    return LeftOut(name, "FetchError", reason, is_unknown=True, is_folder=is_folder)
