"""Access found to be withdrawn at its source since the last crawl.

A file beside the access overlay, written at once by whatever asks a source when a
document is about to be shown, and read by all searchers. Like the overlay it can only
narrow. A change notice goes with each entry, so that the next crawl reads the document
first; the entry is removed when a good crawl has done so. Does not ask any source.
"""

import fcntl
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dunegpt.datadir import DataDir
from dunegpt.files import damaged, storage_errors, write_atomically
from dunegpt.ingest import change_notices
from dunegpt.permissions import make_file

_FORMAT = 1
_HINT = (
    "Access that was withdrawn since the last crawl cannot be told, so nothing is"
    " shown. Remove the file and run 'dunegpt crawl --full' before anybody searches."
)


@dataclass(frozen=True, slots=True)
class RevokedAccess:
    """Principals who may no longer read a document or a file.

    Attributes:
        source: Name of the source.
        document_id: Id of the document.
        key: Key of the file; empty for the whole document.
        principals: Principals to whom it was found closed.
        at: When it was found, UTC.
    """

    source: str
    document_id: str
    key: str
    principals: frozenset[str]
    at: datetime


def read_revoked(data: Path) -> list[RevokedAccess]:
    """Return all entries; none if there is no file.

    Raises:
        IndexBrokenError: The file is damaged.
        HostError: The operating system refused.
    """
    path = DataDir(data).revoked_now
    try:
        stored = json.loads(path.read_bytes())
        if stored["format"] != _FORMAT:
            raise ValueError(f"format {stored['format']}")
        return [
            RevokedAccess(
                row["source"],
                row["document"],
                row["file"],
                frozenset(map(str, row["principals"])),
                datetime.fromisoformat(row["at"]).astimezone(UTC),
            )
            for row in stored["revoked"]
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(
            error,
            f"The list of withdrawn access {path} is damaged: {error}.",
            path=path,
            hint=_HINT,
        ) from error


def read_stamp(data: Path) -> tuple[int, int]:
    """Return inode and time of the file, which is replaced by renaming."""
    try:
        status = DataDir(data).revoked_now.stat()
    except FileNotFoundError:
        return (0, 0)
    return status.st_ino, status.st_mtime_ns


def add_revoked(data: Path, entries: Collection[RevokedAccess]) -> None:
    """Add entries, and have the next crawl read their documents first.

    Raises:
        IndexBrokenError: The file is damaged.
        StorageError: It cannot be written.
    """
    if not entries:
        return
    for source in sorted({entry.source for entry in entries}):
        ids = [entry.document_id for entry in entries if entry.source == source]
        change_notices.write_notice(data, source, ids)
    with _update(data) as stored:
        merged = {(e.source, e.document_id, e.key): e for e in stored}
        for entry in entries:
            place = entry.source, entry.document_id, entry.key
            before = merged.get(place)
            union = entry.principals | (before.principals if before else frozenset())
            merged[place] = RevokedAccess(*place, union, entry.at)
        stored[:] = merged.values()


def remove_superseded(
    data: Path,
    source: str,
    started_at: datetime,
    observed_at: Callable[[str], datetime | None],
) -> None:
    """Remove the entries whose documents a good crawl has read since.

    The others stay, and are noticed to the next crawl again.

    Args:
        data: The data folder.
        source: Name of the source that was crawled.
        started_at: Start of the crawl, UTC.
        observed_at: Returns when a document was last observed, or None if it is not in
            the catalog: then the overlay shows it to nobody.

    Raises:
        IndexBrokenError: The file is damaged.
        StorageError: It cannot be written.
    """

    def is_superseded(entry: RevokedAccess) -> bool:
        seen = observed_at(entry.document_id)
        return seen is None or (entry.at < started_at <= seen)

    if not any(entry.source == source for entry in read_revoked(data)):
        return
    with _update(data) as stored:
        stored[:] = [e for e in stored if e.source != source or not is_superseded(e)]
        left = [entry.document_id for entry in stored if entry.source == source]
    if left:
        change_notices.write_notice(data, source, left)


def forget_documents(data: Path, is_forgotten: Callable[[str], bool]) -> int:
    """Remove the entries of some documents; return their number.

    Raises:
        IndexBrokenError: The file is damaged.
        StorageError: It cannot be written.
    """
    if not any(is_forgotten(entry.document_id) for entry in read_revoked(data)):
        return 0
    with _update(data) as stored:
        count = len(stored)
        stored[:] = [e for e in stored if not is_forgotten(e.document_id)]
        return count - len(stored)


@contextmanager
def _update(data: Path) -> Iterator[list[RevokedAccess]]:
    """Give the entries for a change, alone among all processes, then store them."""
    path = DataDir(data).revoked_now
    with storage_errors(data):
        make_file(path.with_suffix(".lock"))
    with storage_errors(data), path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = read_revoked(data)
        yield entries
        write_atomically(path, _serialize(entries))


def _serialize(entries: Iterable[RevokedAccess]) -> bytes:
    rows = [
        {
            "source": entry.source,
            "document": entry.document_id,
            "file": entry.key,
            "principals": sorted(entry.principals),
            "at": entry.at.isoformat(),
        }
        for entry in sorted(entries, key=lambda e: (e.document_id, e.key))
    ]
    return json.dumps({"format": _FORMAT, "revoked": rows}, indent=1).encode()
