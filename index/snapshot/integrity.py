"""Checks that the files of a snapshot still have the hashes in its manifest.

Hashing gigabytes takes seconds, so a record beside the folder of the snapshots keeps
what was hashed on this host since it was booted. A file with the same inode, size and
times is not hashed again; after a copy, a reboot or a change it is. Does not depend on
what the files contain.
"""

import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace as with_changes
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from dunegpt.errors import IndexBrokenError, StorageError
from dunegpt.files import damaged, hash_file, write_atomically

log = logging.getLogger(__name__)

MAX_AGE = timedelta(days=1)
"""`dunegpt index` and servers hash all files again after this time."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAX_BOOTS = 4
_MAX_FILES = 20_000
_THREADS = 2

Files = Mapping[str, Mapping[str, Any]]
"""Size (``bytes``) and hash (``sha256``) of each file, by name, as in a manifest."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file whose hash was computed.

    Attributes:
        checked_at: Unix time of the check, in seconds.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str
    checked_at: float

    @classmethod
    def from_status(cls, status: os.stat_result, sha256: str) -> Self:
        """Return a file that was hashed now."""
        return cls(
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, sha256, time.time()
        )

    def is_current(self, status: os.stat_result, sha256: str) -> bool:
        """Return whether the file is the one that was checked, with this hash."""
        now = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, sha256)
        return (self.size, self.mtime_ns, self.ctime_ns, self.sha256) == now

    def is_older_than(self, age: timedelta) -> bool:
        """Return whether the check is too old, or dated in the future."""
        return not 0 <= time.time() - self.checked_at <= age.total_seconds()


def get_record_path(snapshots: Path) -> Path:
    """Return the file that records what was hashed in a folder of snapshots."""
    return snapshots.with_name(f"{snapshots.name}.checked.json")


def list_due(folder: Path, files: Files, max_age: timedelta | None = None) -> list[str]:
    """Return the names of the files whose hash must be checked.

    Args:
        folder: Folder of the snapshot.
        files: Its files.
        max_age: Maximum age of a check; None if its age does not matter.

    Raises:
        IndexBrokenError: A file is missing.
        HostError: The operating system refused.
    """
    checked = _read_record(folder.parent).get(_get_boot_id(), {})
    due = []
    for name, facts in files.items():
        status = _stat(folder / name)
        known = checked.get(status.st_ino)
        if (
            known is None
            or not known.is_current(status, facts["sha256"])
            or (max_age is not None and known.is_older_than(max_age))
        ):
            due.append(name)
    return due


def check_hashes(folder: Path, files: Files, names: Iterable[str]) -> None:
    """Compare the hashes of some files with the manifest, and record the check.

    Raises:
        IndexBrokenError: A file does not match its hash.
        HostError: The operating system refused.
    """
    if checked := compare_hashes(folder, files, names):
        _update_record(folder.parent, checked)


def compare_hashes(
    folder: Path, files: Files, names: Iterable[str]
) -> dict[int, CheckedFile]:
    """Compare the hashes of some files with the manifest; return them by inode.

    Raises:
        IndexBrokenError: A file does not match its hash.
        HostError: The operating system refused.
    """
    wanted = list(names)
    if not wanted:
        return {}
    with ThreadPoolExecutor(_THREADS) as executor:
        checked = list(executor.map(lambda name: _hash(folder / name), wanted))
    for name, (_, file) in zip(wanted, checked, strict=True):
        if file.sha256 != files[name]["sha256"]:
            raise IndexBrokenError(
                f"{folder / name} does not match its hash in the manifest."
            )
    return dict(checked)


def accept_links(folder: Path, files: Files) -> None:
    """Record the new change times of checked files, after hard links were made.

    A link changes nothing else. To be called only by what made or removed the links.

    Raises:
        IndexBrokenError: A file is missing.
        HostError: The operating system refused.
    """
    checked = _read_record(folder.parent).get(_get_boot_id(), {})
    updated = {}
    for name, facts in files.items():
        status = _stat(folder / name)
        known = checked.get(status.st_ino)
        if known is None or known.ctime_ns == status.st_ctime_ns:
            continue
        linked = with_changes(known, ctime_ns=status.st_ctime_ns)
        if linked.is_current(status, facts["sha256"]):
            updated[status.st_ino] = linked
    if updated:
        _update_record(folder.parent, updated)


def _hash(path: Path) -> tuple[int, CheckedFile]:
    """Return the inode of a file, and its hash."""
    status = _stat(path)  # before reading: a later change is noticed
    try:
        return status.st_ino, CheckedFile.from_status(status, hash_file(path))
    except OSError as error:
        raise damaged(error, f"{path}: {error}", path=path) from error


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise damaged(error, f"{path}: {error}", path=path) from error


def _get_boot_id() -> str:
    """Return the id of this boot of the host; empty where the system has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def _read_record(snapshots: Path) -> dict[str, dict[int, CheckedFile]]:
    """Return the checked files by boot id and inode; none if the record is unusable."""
    try:
        boots = json.loads(get_record_path(snapshots).read_text("utf-8"))
        return {
            boot: {int(inode): CheckedFile(*fields) for inode, fields in files.items()}
            for boot, files in boots.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.info("the files of the snapshots are checked again: %s", error)
        return {}


def _update_record(snapshots: Path, checked: dict[int, CheckedFile]) -> None:
    """Add checked files to the record, without the oldest if there are too many."""
    boots = _read_record(snapshots)
    files = boots.pop(_get_boot_id(), {}) | checked
    newest = sorted(files, key=lambda inode: files[inode].checked_at)[-_MAX_FILES:]
    boots[_get_boot_id()] = {inode: files[inode] for inode in newest}
    content = {
        boot: {
            str(inode): [f.size, f.mtime_ns, f.ctime_ns, f.sha256, f.checked_at]
            for inode, f in boots[boot].items()
        }
        for boot in list(boots)[-_MAX_BOOTS:]
    }
    try:
        write_atomically(get_record_path(snapshots), json.dumps(content).encode())
    except (
        OSError,
        StorageError,
    ) as error:  # a read-only folder: checked again next time
        log.info("the check of the snapshot is not recorded: %s", error)
