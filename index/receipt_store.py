"""The receipts of answers, one row each, in one SQLite file of the data folder.

Each is one transaction, so that a process that is killed, a second one that writes, or
a full disk never harms an earlier one. Only who holds all principals of a receipt is
given it. What is removed is gone from the file's bytes, too. Knows no search.
"""

import json
import mmap
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dunegpt.errors import StorageError
from dunegpt.ingest import overlay
from dunegpt.ingest.blobs import storage_errors
from dunegpt.receipt_schemas import ReceiptShape
from dunegpt.types import PUBLIC, Access

FILE = "receipts.db"
ID_LENGTH = 10
"""Characters of 5 random bits each."""

_FORMAT = 1
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011", "- ")
_MODE = 0o600
_WAIT_S = 5.0
_PURGED_AT_ONCE = 200
_TABLES = """
create table if not exists receipts (
  id text primary key, at text not null, principals text not null,
  receipt text not null);
create index if not exists receipts_by_time on receipts (at);
"""


class ReceiptStore:
    """The receipts of one data folder, made when the first one is put."""

    def __init__(self, data: Path, keep_days: float) -> None:
        """Open nothing yet.

        Args:
            data: The data folder.
            keep_days: Older receipts are shown to nobody, and removed by and by.
        """
        self._data = data
        self._path = data / FILE
        self._keep = timedelta(days=keep_days)

    @contextmanager
    def putting(self, receipt: ReceiptShape) -> Iterator[str]:
        """Store a receipt and give its id; tidy up when with ends.

        The id is empty, and nothing is stored, if a document of the answer was closed
        while it was made.

        Raises:
            StorageError: It cannot be stored; those that are there are as they were.
        """
        with self._opened() as db:
            with _errors(self._path), _transaction(db):
                identity = ""
                if not _is_closed(receipt, self._data / overlay.FILE):
                    identity = _put(db, receipt)
                old = "select id from receipts where at < ? limit ?"
                oldest = (self._oldest(), _PURGED_AT_ONCE)
                db.execute(f"delete from receipts where id in ({old})", oldest)
            yield identity

    def get(self, name: str, reader: Access) -> ReceiptShape | None:
        """Return a receipt; None if there is none, or not for this reader.

        Args:
            name: Its id, however it was typed.
            reader: Principals of whoever looks.
        """
        if not self._path.is_file():
            return None
        where = "select principals, receipt from receipts where id = ? and at >= ?"
        with self._opened() as db, _errors(self._path):
            key = (spelled(name), self._oldest())
            row = db.execute(where, key).fetchone()
            if row is None or not _holds(reader, row[0]):
                return None
            return ReceiptShape.model_validate_json(row[1])

    def own(self, reader: Access) -> Iterator[ReceiptShape]:
        """Yield the receipts that a reader may see, the newest first."""
        if not self._path.is_file():
            return
        where = "select principals, receipt from receipts where at >= ?"
        with self._opened() as db, _errors(self._path):
            rows = db.execute(
                f"{where} order by at desc, rowid desc", (self._oldest(),)
            )
            for principals, receipt in rows:
                if _holds(reader, principals):
                    yield ReceiptShape.model_validate_json(receipt)

    def remove(self, name: str) -> int:
        """Remove the receipts that name a document, and their bytes; count them.

        A receipt is removed whole: its sentences and hashes are of that document.

        Raises:
            StorageError: They cannot be removed now.
        """
        if not self._path.is_file():
            return 0
        with self._opened() as db, _errors(self._path):
            with _transaction(db):
                found = _naming(db, name)
                db.executemany("delete from receipts where id = ?", found)
            # What an earlier run that was killed has left in free pages goes, too.
            db.execute("vacuum")
            db.execute("pragma wal_checkpoint(truncate)")
            return len(found)

    def holding(self, name: str) -> int:
        """Return how many receipts name a document; 1 if only the file's bytes do."""
        if not self._path.is_file():
            return 0
        with self._opened() as db, _errors(self._path):
            count = len(_naming(db, name))
        files = (self._path, self._path.with_name(f"{FILE}-wal"))
        return count or int(any(_bytes_name(file, name) for file in files))

    def _oldest(self) -> str:
        return (datetime.now(UTC) - self._keep).isoformat(timespec="seconds")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Give the file, made if need be, as only its owner may read it."""
        with storage_errors(self._data):
            # SQLite gives the files that it puts beside it the same mode.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, _MODE))
        with _errors(self._path):
            db = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        with closing(db):
            with _errors(self._path):
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = full")
                db.execute("pragma secure_delete = on")
                _check_format(db, self._path)
            yield db


def new_id() -> str:
    """Return an id that a person can type, and nobody can guess."""
    return "".join(secrets.choice(_LETTERS) for _ in range(ID_LENGTH))


def spelled(name: str) -> str:
    """Return an id as it is stored, from what somebody typed: O is 0, I and L are 1."""
    return name.upper().translate(_MISREAD)


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    [found] = db.execute("pragma user_version").fetchone()
    if found == _FORMAT:
        return
    if found:
        raise StorageError(
            f"{path} has format {found}; this program reads {_FORMAT}.",
            hint="Use the program version that made it, or move it away.",
        )
    with _transaction(db):
        for statement in filter(str.strip, _TABLES.split(";")):
            db.execute(statement)
        db.execute(f"pragma user_version = {_FORMAT}")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make all that is done inside one change, or none of it."""
    db.execute("begin immediate")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk has ended it already
            db.execute("rollback")
        raise
    db.execute("commit")


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"The receipts in {path} cannot be used: {error}.",
            hint="Is the disk full, or the file damaged? Without it a new one is made.",
        ) from error


def _put(db: sqlite3.Connection, receipt: ReceiptShape) -> str:
    """Store a receipt under an id that no other has; return that."""
    at = receipt.at.astimezone(UTC).isoformat(timespec="seconds")
    taken = "select 1 from receipts where id = ?"
    identity = new_id()
    while db.execute(taken, (identity,)).fetchone():
        identity = new_id()
    named = receipt.model_copy(update={"id": identity})
    row = (identity, at, json.dumps(receipt.principals), named.model_dump_json())
    db.execute("insert into receipts values (?, ?, ?, ?)", row)
    return identity


def _is_closed(receipt: ReceiptShape, overlay_file: Path) -> bool:
    """Return whether a file that an answer rests on was closed since it was begun.

    The search looked into an overlay that had all of them. Asked within the
    transaction, and after `forget` has written its overlay and before it removes
    receipts, so no receipt of what is forgotten can come later.
    """
    if not overlay_file.is_file():
        return False
    files = {(passage.document, passage.file) for passage in receipt.passages}
    where = "select 1 from access where id = ? and key = ?"
    uri = f"{overlay_file.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        return not all(db.execute(where, file).fetchone() for file in files)


def _holds(reader: Access, principals: str) -> bool:
    """Return whether a reader holds all principals; everybody holds ``public``."""
    return reader | {PUBLIC} >= set(json.loads(principals))


def _naming(db: sqlite3.Connection, name: str) -> list[tuple[str]]:
    """Return the ids of the receipts that name a document."""
    rows = db.execute("select id, receipt from receipts")
    return [(identity,) for identity, text in rows if _names(text, name)]


def _names(receipt: str, name: str) -> bool:
    """Return whether a receipt names a document, or cites a timetable that does."""
    if _spelling(name).search(receipt.encode()):
        return True
    holders = {name[:end] for end, mark in enumerate(name) if mark == "/"}
    return bool(holders) and any(
        passage["document"] in holders and passage["file"].startswith("timetable")
        for passage in json.loads(receipt)["passages"]
    )


def _spelling(name: str) -> re.Pattern[bytes]:
    """Return the pattern of an id in JSON: itself, or the beginning of a part's id."""
    text = json.dumps(name, ensure_ascii=False)[1:-1]
    return re.compile(rb"(?<![\w.-])" + re.escape(text.encode()) + rb"(?!\.?[\w-])")


def _bytes_name(file: Path, name: str) -> bool:
    """Return whether the bytes of a file name a document, free pages included."""
    if not file.is_file() or not file.stat().st_size:
        return False
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return bool(_spelling(name).search(content))
