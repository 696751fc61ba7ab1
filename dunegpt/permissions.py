"""Who on this host may read the data folder: its user alone, or one group, too.

It contains restricted texts and titles, so the modes do not depend on the umask:
folders are 0700 and files 0600, or 02750 and 0640 where a group shares the folder. The
root decides: a folder with the set-group-ID bit that is closed to others is shared, and
what is written below it follows. Does not depend on what the files contain.
"""

import grp
import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from dunegpt.errors import ConfigError, StorageError

log = logging.getLogger(__name__)

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_SHARED_FOLDER, _SHARED_FILE = 0o2750, 0o640
_OTHERS = stat.S_IRWXO
_GROUP = stat.S_IRWXG


def protect_root(root: Path, group: str | None = None) -> None:
    """Close a data folder to all other users of this host, except those of a group.

    Args:
        root: The folder; exists.
        group: Name of the group that may read it; empty for none; None to keep it as it
            is, if it is closed to others.

    Raises:
        ConfigError: There is no such group.
        StorageError: This account may not change the permissions.
    """
    status = root.stat()
    mode = stat.S_IMODE(status.st_mode)
    if group is None:
        if _is_shared(mode) or not mode & (_OTHERS | _GROUP):
            return
        group = ""
    wanted = _SHARED_FOLDER if group else _PRIVATE_FOLDER
    group_id = _find_group(group) if group else status.st_gid
    if (mode, status.st_gid) == (wanted, group_id):
        return
    try:
        if status.st_gid != group_id:
            os.chown(root, -1, group_id)
        root.chmod(wanted)
    except PermissionError as error:
        raise _make_refusal(root, mode, group) from error
    if stat.S_IMODE(root.stat().st_mode) & _OTHERS:
        raise StorageError(
            f"{root} stays open to all users of this host: its file system has no"
            " permissions.",
            hint="Set data_dir to a folder on a file system with permissions.",
        )


def protect_tree(folder: Path) -> None:
    """Give a folder and all below it the permissions that its parent decides."""
    group_id = folder.parent.stat().st_gid if _is_in_shared(folder) else None
    _protect(folder, group_id)


def protect_entries(
    root: Path, names: Iterable[str], *, is_private: bool = False
) -> None:
    """Give entries of a data folder, and all below them, its permissions.

    Links below an entry are not followed, but an entry itself may be a link to another
    disk. What belongs to another account stays as it is, with a warning.

    Args:
        root: The data folder.
        names: Names of entries; those that do not exist are left out.
        is_private: For their owner alone, also in a folder that a group shares.
    """
    status = root.stat()
    is_shared = _is_shared(stat.S_IMODE(status.st_mode)) and not is_private
    for name in names:
        _protect(root / name, status.st_gid if is_shared else None)


def make_folder(folder: Path) -> None:
    """Make a folder and the missing ones above it, closed like the first that exists.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER)
    except FileExistsError:
        if folder.is_dir():
            return
        raise
    if _is_in_shared(folder):
        folder.chmod(_SHARED_FOLDER)


def make_file(path: Path, *, is_private: bool = False) -> None:
    """Make an empty file if there is none, and give it the permissions of its folder.

    SQLite creates the journals of a database with the same permissions.

    Args:
        path: The file.
        is_private: For its owner alone, also in a folder that a group shares.

    Raises:
        OSError: It cannot be made.
    """
    mode = _PRIVATE_FILE
    if not is_private and _is_in_shared(path):
        mode = _SHARED_FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        status = os.fstat(handle)
        if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(handle, mode)
    finally:
        os.close(handle)


def get_file_mode(path: Path) -> int:
    """Return the mode of a file that is about to be written."""
    return _SHARED_FILE if _is_in_shared(path) else _PRIVATE_FILE


def _protect(path: Path, group_id: int | None) -> None:
    """Set the permissions of a path and all below it, where they differ.

    Args:
        path: A file or folder; nothing is done if it does not exist.
        group_id: The group that may read it, or None.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    _set_mode(path, status, group_id)
    folders = [path] if stat.S_ISDIR(status.st_mode) else []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    continue
                inner = Path(entry.path)
                try:
                    found = entry.stat(follow_symlinks=False)
                    _set_mode(inner, found, group_id)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    folders.append(inner)


def _set_mode(path: Path, status: os.stat_result, group_id: int | None) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        wanted = _PRIVATE_FOLDER if group_id is None else _SHARED_FOLDER
    else:
        wanted = mode & stat.S_IRWXU
        if group_id is not None:
            wanted |= (wanted & (stat.S_IRUSR | stat.S_IXUSR)) >> 3
    try:
        if group_id is not None and status.st_gid != group_id:
            os.chown(path, -1, group_id)
        if mode != wanted:
            path.chmod(wanted)
    except PermissionError as error:
        log.warning("%s keeps mode %o: %s", path, mode, error.strerror)


def _is_in_shared(path: Path) -> bool:
    return _is_shared(stat.S_IMODE(path.parent.stat().st_mode))


def _is_shared(mode: int) -> bool:
    """Return whether a folder is shared with its group, and with nobody else."""
    return mode & (_SHARED_FOLDER | _OTHERS) == _SHARED_FOLDER


def _find_group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ConfigError(
            f"[storage] group: there is no group {name!r} on this host.",
            hint="Create it, or remove the setting.",
        ) from error


def _make_refusal(root: Path, mode: int, group: str) -> StorageError:
    if group:
        return StorageError(
            f"{root} cannot be given to the group {group!r}.",
            hint=f"Make this account the owner of {root} and a member of {group}.",
        )
    return StorageError(
        f"{root} is open to other users of this host (mode {mode:o}), and this account"
        " may not close it.",
        hint=f"Let its owner run 'chmod 700 {root}', or set another data_dir.",
    )
