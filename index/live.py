"""The searcher of a server: always of the current snapshot, never between two.

A thread looks every second whether `current` or the access overlay is another one. A
new pair is opened beside the old one and takes its place by one assignment; who is
searching goes on with the old one, which is closed after the last of them. One that
cannot be opened is refused, and said so, while the old one stays: with one exception.
A new record of access that cannot be read leaves only what is public. The files of a
new snapshot are read once by another thread, for which no question waits.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.errors import (
    DuneGPTError,
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
)
from dunegpt.index.narrowing import Narrowing, read, stale_sources
from dunegpt.index.search import Searcher
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest import overlay

log = logging.getLogger(__name__)

_UNREADABLE = "The record of who may read what cannot be read: only what is public is"
_UNREADABLE += " searched. Run 'dunegpt crawl'."


@dataclass(slots=True)
class _Open:
    """A searcher, and how many are using it.

    Attributes:
        retired: Another one has taken its place: close it when nobody uses it.
    """

    searcher: Searcher
    users: int = 0
    retired: bool = False


@dataclass(slots=True)
class _Seen:
    """What the files looked like: the link's target, and the overlay's stamp."""

    snapshot: str = ""
    overlay: tuple[int, int] = (0, 0)


class LiveSearcher:
    """Searches whatever snapshot is current; safe for any number of threads.

    Attributes:
        refused: Why the newest snapshot is not the one searched; empty if it is.
    """

    def __init__(self, settings: Settings, *, interval_s: float = 1.0) -> None:
        """Open the current snapshot, and begin to look for others.

        Args:
            settings: Where the data folder is.
            interval_s: How often to look; 0: only when `look` is called.

        Raises:
            IndexMissingError: There is none.
            IndexBrokenError: It cannot be used.
            IndexMismatchError: It is of another format.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._seen = _Seen()
        self.refused = ""
        self._open = _Open(self._new())
        _warm(self._open.searcher.snapshot)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, args=(interval_s,), name="snapshot-watch", daemon=True
        )
        if interval_s:
            self._thread.start()

    @contextmanager
    def searcher(self) -> Iterator[Searcher]:
        """Give the searcher of the snapshot that is current now, until with ends."""
        with self._lock:
            held = self._open
            held.users += 1
        try:
            yield held.searcher
        finally:
            with self._lock:
                held.users -= 1
                is_last = held.retired and not held.users
            if is_last:
                held.searcher.close()

    def look(self) -> bool:
        """Take the newest snapshot and overlay if they are others; return if so."""
        with self._looking:
            if not self._differs():
                return False
            try:
                searcher = self._new()
            except (IndexBrokenError, IndexMissingError, IndexMismatchError) as error:
                self._refuse(error)
                return False
            self.refused = ""
            self._take(searcher)
            return True

    def close(self) -> None:
        """Stop looking, and close the snapshot once nobody uses it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            held = self._open
            held.retired = True
            is_last = not held.users
        if is_last:
            held.searcher.close()

    def _take(self, searcher: Searcher) -> None:
        with self._lock:
            old, self._open = self._open, _Open(searcher)
            old.retired = True
            is_last = not old.users
        if old.searcher.snapshot.folder != searcher.snapshot.folder:
            _warm(searcher.snapshot, old.searcher.snapshot)
        if is_last:
            old.searcher.close()
        log.info("searching snapshot %s", searcher.snapshot.id)

    def _refuse(self, error: DuneGPTError) -> None:
        """Stay with the old snapshot, under the newest record of access."""
        if str(error) != self.refused:
            log.error("the newest snapshot is not used: %s", error)
        self.refused = str(error)
        old = self._open.searcher.snapshot
        if self._stamp() != self._seen.overlay and old.folder.is_dir():
            narrowing = self._narrowing(old)
            self._seen.overlay = self._stamp()
            self._take(Searcher(Snapshot(old.folder), narrowing))

    def _watch(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            try:
                self.look()
            except (DuneGPTError, OSError):
                log.exception("looking for a new snapshot failed; trying again")

    def _differs(self) -> bool:
        """Return whether there is another snapshot or overlay, or access got stale."""
        if (self._target(), self._stamp()) != (self._seen.snapshot, self._seen.overlay):
            return True
        searcher = self._open.searcher
        path = self._settings.data / overlay.FILE
        if searcher.narrowing.stale is None or not path.is_file():
            return False
        sources = searcher.snapshot.manifest["sources"]
        now = stale_sources(sources, path, self._settings.access.max_overlay_age)
        return now != searcher.narrowing.stale

    def _new(self) -> Searcher:
        target, stamp = self._target(), self._stamp()
        snapshot = Snapshot(Path(target))
        searcher = Searcher(snapshot, self._narrowing(snapshot))
        self._seen = _Seen(target, stamp)
        return searcher

    def _narrowing(self, snapshot: Snapshot) -> Narrowing:
        try:
            return read(
                snapshot.folder,
                snapshot.manifest["sources"],
                self._settings.data / overlay.FILE,
                self._settings.access.max_overlay_age,
            )
        except IndexBrokenError as error:
            log.error("%s", error)
            return Narrowing(stale=None, notice=_UNREADABLE)

    def _target(self) -> str:
        return str((self._settings.data / "snapshots" / CURRENT).resolve())

    def _stamp(self) -> tuple[int, int]:
        """Return what tells one overlay from another; it is replaced by a rename."""
        try:
            facts = (self._settings.data / overlay.FILE).stat()
        except FileNotFoundError:
            return (0, 0)
        return facts.st_ino, facts.st_mtime_ns


def _warm(snapshot: Snapshot, before: Snapshot | None = None) -> None:
    """Read once, beside the questions, what a snapshot has and the one before not."""

    def read_files() -> None:
        try:
            read = snapshot.warm(before)
        except OSError as error:  # questions read what they need, or say what is wrong
            log.warning("reading snapshot %s ahead ended: %s", snapshot.id, error)
        else:
            log.info("read %d MB of snapshot %s ahead", read >> 20, snapshot.id)

    threading.Thread(target=read_files, name="snapshot-warm", daemon=True).start()
