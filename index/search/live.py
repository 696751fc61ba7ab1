"""The searcher of a long-running server, which follows the current snapshot.

A thread checks every second whether the current snapshot, the access overlay or the
list of access that was withdrawn since has changed. The new set is opened next to the
old one and replaces it in one assignment; searches in progress finish on the old one,
which is closed after the last of them. A snapshot that cannot be opened is rejected and
logged, and the old one stays in use. If a new access overlay cannot be read, only
public documents are searched. Other threads load the files of a new snapshot into the
page cache, and check them for damage.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from dunegpt.config import Settings
from dunegpt.errors import (
    SEARCH_UNAVAILABLE,
    DuneGPTError,
    HostError,
    IndexBrokenError,
)
from dunegpt.index.search.open import SearcherOpener
from dunegpt.index.search.revocations import Revocations, find_stale_sources
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot import integrity
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.revoked_now import RevokedAccess, read_revoked, read_stamp

log = logging.getLogger(__name__)

_CHECK_EVERY_S = 60.0
_MAX_WAIT_BYTES = 256 << 20
"""A server checks the hashes of more bytes than this while it answers."""
_UNREADABLE_NOTICE = (
    "The record of access rights cannot be read, so only public documents are"
    " searched. Run 'dunegpt crawl'."
)


_Stamp: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Inode and time of the overlay, and of the list of access withdrawn since."""
_NO_STAMP: _Stamp = (0, 0), (0, 0)


@dataclass(slots=True)
class _SharedSearcher:
    """A searcher with a count of its users.

    Attributes:
        searcher: The searcher.
        users: Number of searches in progress, and of searchers on the same snapshot.
        retired: Whether it was replaced, and is to be closed after its last user.
        closed: Whether it was closed.
        owner: The older searcher whose snapshot this one shares; None if it owns it.
    """

    searcher: Searcher
    users: int = 0
    retired: bool = False
    closed: bool = False
    owner: "_SharedSearcher | None" = None


@dataclass(slots=True)
class _FileState:
    """The last seen target of the link, and inodes and times of what revokes access."""

    snapshot: tuple[str, int] = ("", 0)
    overlay: _Stamp = _NO_STAMP


class LiveSearcher:
    """Searches the current snapshot; safe to share between threads.

    Attributes:
        rejection_reason: Why the newest snapshot is not in use; empty if it is.
    """

    def __init__(
        self, settings: Settings, *, interval_s: float = 1.0, prefetch: bool = True
    ) -> None:
        """Open the current snapshot and start watching for changes.

        Args:
            settings: Settings with the data folder.
            interval_s: Seconds between checks; 0 to check only in `refresh`.
            prefetch: Whether to load a snapshot's files into the page cache, in a
                thread of its own.

        Raises:
            IndexMissingError: There is no snapshot.
            IndexBrokenError: The snapshot is damaged.
            IndexMismatchError: The snapshot has another format.
            HostError: The operating system refused.
            ConfigError: The settings name a rerank model that cannot be used.
        """
        self._interval_s = interval_s
        self._opener = SearcherOpener.from_settings(settings)
        self._lock = threading.Lock()
        self._refresh_lock = threading.Lock()
        self._state = _FileState()
        self._withdrawn: list[RevokedAccess] | None = None  # as last read
        self._retries_overlay = False  # if it was unreadable for a passing reason
        self.rejection_reason = ""
        try:
            self._current = _SharedSearcher(self._open_newest())
        except BaseException:
            self._opener.close()
            raise
        self._prefetch = prefetch
        self._read_ahead(self._current.searcher.snapshot)
        self._stop = threading.Event()
        self._checked_at = time.monotonic()
        self._check_soon = threading.Event()
        self._check_thread = threading.Thread(
            target=self._check_repeatedly, name="snapshot-check", daemon=True
        )
        self._thread = threading.Thread(
            target=self._watch, args=(interval_s,), name="snapshot-watch", daemon=True
        )
        if interval_s:
            self._thread.start()
            self._check_thread.start()

    @contextmanager
    def searcher(self) -> Iterator[Searcher]:
        """Yield the searcher of the current snapshot; it stays open inside ``with``.

        Raises:
            IndexBrokenError: A check found damage in the snapshot.
        """
        with self._lock:
            held = self._current
            if damage := held.searcher.snapshot.damage:
                raise IndexBrokenError(str(damage), hint=damage.hint)
            held.users += 1
        try:
            yield held.searcher
        finally:
            self._release(held, uses=1)

    def refresh(self) -> bool:
        """Switch to the newest snapshot and overlay; return whether they changed."""
        if (
            not self._interval_s
            and time.monotonic() > self._checked_at + _CHECK_EVERY_S
        ):
            self.check()
        with self._refresh_lock:
            if not self._has_changed():
                return False
            try:
                searcher = self._open_newest()
            except SEARCH_UNAVAILABLE as error:
                self._reject(error)
                return False
            self.rejection_reason = ""
            self._swap(searcher)
            return True

    def check(self) -> None:
        """Check the files of the current snapshot that changed or are due.

        If one is damaged, `searcher` raises until another snapshot is published.
        """
        self._checked_at = time.monotonic()
        snapshot = self._current.searcher.snapshot
        try:
            snapshot.check(integrity.MAX_AGE)
        except IndexBrokenError as error:
            log.error("%s %s", error, error.hint)
        except (HostError, OSError) as error:
            log.warning("snapshot %s could not be checked: %s", snapshot.id, error)

    def close(self) -> None:
        """Stop watching, and close the snapshot after its last user."""
        self._stop.set()
        self._check_soon.set()
        for thread in (self._thread, self._check_thread):
            if thread.is_alive():
                thread.join()
        with self._lock:
            held = self._current
            held.retired = True
        self._release(held)
        self._opener.close()

    def _swap(self, searcher: Searcher) -> None:
        """Replace the current searcher by one that may share its snapshot."""
        with self._lock:
            old, self._current = self._current, _SharedSearcher(searcher)
            if old.searcher.snapshot is searcher.snapshot:
                old.users += 1
                self._current.owner = old
            old.retired = True
        if old.searcher.snapshot.folder != searcher.snapshot.folder:
            self._read_ahead(searcher.snapshot, old.searcher.snapshot)
        if old.searcher.snapshot is not searcher.snapshot:
            self._check_soon.set()
        self._release(old)
        log.info("searching snapshot %s", searcher.snapshot.id)

    def _read_ahead(self, snapshot: Snapshot, before: Snapshot | None = None) -> None:
        if self._prefetch:
            _prefetch_in_background(snapshot, before)

    def _release(self, held: _SharedSearcher, uses: int = 0) -> None:
        """Remove users of a searcher; close it after the last one if it is retired."""
        with self._lock:
            held.users -= uses
            is_last = held.retired and not held.users and not held.closed
            held.closed |= is_last
        if not is_last:
            return
        if held.owner is None:
            held.searcher.close()
        else:
            self._release(held.owner, uses=1)

    def _reject(self, error: DuneGPTError) -> None:
        """Keep the old snapshot, but apply the newest access overlay to it."""
        if str(error) != self.rejection_reason:
            log.error("the newest snapshot is not used: %s", error)
        self.rejection_reason = str(error)
        old = self._current.searcher.snapshot
        if self._read_overlay_stamp() != self._state.overlay and old.folder.is_dir():
            # Reopening the snapshot might fail, but revocations must apply now.
            searcher = self._make_searcher(old)
            stamp = self._read_overlay_stamp()
            self._state.overlay = _NO_STAMP if self._retries_overlay else stamp
            self._swap(searcher)

    def _check_repeatedly(self) -> None:
        """Check the files at the start, after each switch, and now and then."""
        while not self._stop.is_set():
            self.check()
            self._check_soon.wait(_CHECK_EVERY_S)
            self._check_soon.clear()

    def _watch(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            try:
                self.refresh()
            except (DuneGPTError, OSError):
                log.exception("checking for a new snapshot failed; trying again")

    def _has_changed(self) -> bool:
        """Return whether the snapshot, the overlay or the stale sources changed."""
        if (self._read_target(), self._read_overlay_stamp()) != (
            self._state.snapshot,
            self._state.overlay,
        ):
            return True
        searcher = self._current.searcher
        path = self._opener.overlay
        if searcher.revocations.stale is None or not path.is_file():
            return False
        sources = searcher.snapshot.manifest["sources"]
        now = find_stale_sources(
            sources, path, self._opener.settings.access.max_overlay_age
        )
        return now.names != searcher.revocations.stale

    def _open_newest(self) -> Searcher:
        target, stamp = self._read_target(), self._read_overlay_stamp()
        path = Path(target[0])
        # A server checks gigabytes of files while it answers.
        snapshot = (
            Snapshot(path, max_wait_bytes=_MAX_WAIT_BYTES)
            if self._interval_s
            else Snapshot(path)
        )
        searcher = self._make_searcher(snapshot)
        self._state = _FileState(target, _NO_STAMP if self._retries_overlay else stamp)
        return searcher

    def _make_searcher(self, snapshot: Snapshot) -> Searcher:
        """Return a searcher, of public documents only if the overlay is unreadable."""
        self._retries_overlay = False
        try:
            self._withdrawn = read_revoked(self._opener.settings.data)
            return self._opener.make_searcher(snapshot, withdrawn=self._withdrawn)
        except (IndexBrokenError, HostError) as error:
            log.error("%s", error)
            self._retries_overlay = isinstance(error, HostError)
            public_only = Revocations(stale=None, notice=_UNREADABLE_NOTICE)
            return self._opener.make_searcher(
                snapshot, public_only, withdrawn=self._withdrawn
            )

    def _read_target(self) -> tuple[str, int]:
        """Return path and inode of the current snapshot, which may be replaced."""
        path = self._opener.settings.paths.current_snapshot.resolve()
        try:
            return str(path), path.stat().st_ino
        except FileNotFoundError:
            return str(path), 0

    def _read_overlay_stamp(self) -> _Stamp:
        """Return inodes and times of both files, which are replaced by renaming."""
        withdrawn = read_stamp(self._opener.settings.data)
        try:
            status = self._opener.overlay.stat()
        except FileNotFoundError:
            return (0, 0), withdrawn
        return (status.st_ino, status.st_mtime_ns), withdrawn


def _prefetch_in_background(snapshot: Snapshot, before: Snapshot | None = None) -> None:
    """Load the files that the snapshot before does not have into the page cache."""

    def read_files() -> None:
        try:
            size = snapshot.prefetch(before)
        except OSError as error:  # a search reads what it needs itself
            log.warning("prefetching snapshot %s failed: %s", snapshot.id, error)
        else:
            log.info("prefetched %d MB of snapshot %s", size >> 20, snapshot.id)

    threading.Thread(target=read_files, name="snapshot-warm", daemon=True).start()
