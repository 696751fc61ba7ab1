"""Records when sources were asked about access: for budget, cache and pauses.

Shared by all processes that answer from one data folder, so that neither many readers
nor many short processes exceed the budget of a source. Holds no ids of documents, only
their hashes. Makes no requests.
"""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dunegpt.errors import StorageError
from dunegpt.files import damaged, storage_errors
from dunegpt.ingest.access_check import Shown, Verdict
from dunegpt.permissions import make_file

_TABLES = """
create table if not exists asked (source text not null, at real not null);
create index if not exists asked_at on asked (source, at);
create table if not exists shown (
  item text primary key, at real not null, files text) without rowid;
create table if not exists pauses (
  source text primary key, until real not null) without rowid;
create table if not exists learned (
  source text primary key, at real not null, value text not null) without rowid;
"""
_HOUR_S = 3600.0
_LEARNED_FOR_S = 24 * _HOUR_S
_OPEN_S, _BUSY_MS = 2.0, 100


class ConfirmStore:
    """The record of one data folder; safe to share between threads and processes.

    Every method raises `StorageError` if the record cannot be used.
    """

    def __init__(self, path: Path, *, cache_s: float) -> None:
        """Open the record, or create it.

        Args:
            path: The file.
            cache_s: How long a document that was shown needs no further request.

        Raises:
            StorageError: It is damaged, or cannot be written.
        """
        self._path, self._cache_s = path, cache_s
        self._lock = threading.Lock()
        with storage_errors(path.parent):
            make_file(path)
        with self._translate_errors():
            self._db = sqlite3.connect(
                path, timeout=_OPEN_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("pragma synchronous = off")
            self._db.executescript(_TABLES)
            self._db.execute(f"pragma busy_timeout = {_BUSY_MS}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # ── budget ────────────────────────────────────────────────────────────────────

    def take_request(self, source: str, per_hour: int) -> bool:
        """Count a request; return whether the hourly budget allows it."""
        now = time.time()
        with self._transaction() as db:
            db.execute(
                "delete from asked where source = ? and at <= ?",
                (source, now - _HOUR_S),
            )
            count = "select count(*) from asked where source = ?"
            [(spent,)] = db.execute(count, (source,))
            if spent >= per_hour:
                return False
            db.execute("insert into asked values (?, ?)", (source, now))
            return True

    def pause(self, source: str, seconds: float) -> None:
        """Ask a source nothing for some time."""
        with self._transaction() as db:
            row = (source, time.time() + seconds)
            db.execute("insert or replace into pauses values (?, ?)", row)

    def is_paused(self, source: str) -> bool:
        """Return whether a source is to be left alone now."""
        query = "select 1 from pauses where source = ? and until > ?"
        with self._transaction() as db:
            return bool(db.execute(query, (source, time.time())).fetchone())

    # ── cache ─────────────────────────────────────────────────────────────────────

    def get_shown(
        self, source: str, document_id: str, principal: str
    ) -> Verdict | None:
        """Return the latest verdict, if the document was shown minutes ago."""
        now = time.time()
        query = "select files from shown where item = ? and at > ? and at <= ?"
        row = (_hash(source, document_id, principal), now - self._cache_s, now)
        with self._transaction() as db:
            found = db.execute(query, row).fetchone()
        if found is None:
            return None
        files = None if found[0] is None else frozenset(json.loads(found[0]))
        return Verdict(Shown.YES, files)

    def put_shown(
        self, source: str, document_id: str, principal: str, verdict: Verdict
    ) -> None:
        """Store that a document is shown to a principal now."""
        now = time.time()
        files = None if verdict.files is None else json.dumps(sorted(verdict.files))
        with self._transaction() as db:
            db.execute("delete from shown where at <= ?", (now - self._cache_s,))
            row = (_hash(source, document_id, principal), now, files)
            db.execute("insert or replace into shown values (?, ?, ?)", row)

    # ── what a checker learned ────────────────────────────────────────────────────

    def get_learned(self, source: str) -> Any:
        """Return what the checker of a source learned within a day, or None."""
        query = "select value from learned where source = ? and at > ?"
        with self._transaction() as db:
            row = (source, time.time() - _LEARNED_FOR_S)
            found = db.execute(query, row).fetchone()
        return json.loads(found[0]) if found else None

    def put_learned(self, source: str, value: Any) -> None:
        """Store what the checker of a source learned."""
        with self._transaction() as db:
            row = (source, time.time(), json.dumps(value))
            db.execute("insert or replace into learned values (?, ?, ?)", row)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translate_errors():
            self._db.execute("begin immediate")
            try:
                yield self._db
            finally:
                self._db.execute("commit")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise damaged(
                error,
                f"The record of confirmations {self._path} cannot be used: {error}.",
                path=self._path,
                hint="If it is damaged, move it away: a new one is created.",
                kind=StorageError,
            ) from error


def _hash(*names: str) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
