"""Stores the receipts of answers in an SQLite file of the data folder, one per row.

Each receipt is written in a transaction, so a killed process, a second writer or a full
disk never damages earlier ones. A receipt is returned only to readers who hold all of
its principals. Removed receipts are erased from the file's bytes, too. Does not depend
on the index.
"""

import json
import mmap
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dunegpt.access import PUBLIC, Access
from dunegpt.datadir import DataDir
from dunegpt.errors import StorageError
from dunegpt.files import damaged, storage_errors
from dunegpt.permissions import make_file, protect_root
from dunegpt.schemas.receipts import ReceiptResponse

ID_LENGTH = 10
"""Number of characters, with 5 random bits each."""

_FORMAT = 1
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREADINGS = str.maketrans("OIL", "011", "- ")
_BUSY_TIMEOUT_S = 5.0
_PURGE_BATCH = 200
_TABLES = """
create table if not exists receipts (
  id text primary key, at text not null, principals text not null,
  receipt text not null);
create index if not exists receipts_by_time on receipts (at);
"""


class ReceiptStore:
    """The receipts of one data folder; the file is created with the first one."""

    def __init__(self, data: Path, keep_days: float) -> None:
        """Set up the store without opening a file.

        Args:
            data: The data folder.
            keep_days: Days after which receipts are no longer shown, and are removed
                step by step.
        """
        self._data = data
        self._path = DataDir(data).receipts
        self._keep = timedelta(days=keep_days)

    @contextmanager
    def save(self, receipt: ReceiptResponse) -> Iterator[str]:
        """Store a receipt and yield its id; close the file at the end of ``with``.

        The id is empty, and nothing is stored, if access to a document of the answer
        was revoked while it was made.

        Raises:
            StorageError: The receipt cannot be stored; earlier ones are unchanged.
        """
        with self._open() as db:
            with _translate_errors(self._path), _transaction(db):
                identity = ""
                if not _is_revoked(receipt, DataDir(self._data).overlay):
                    identity = _insert(db, receipt)
                old = "select id from receipts where at < ? limit ?"
                oldest = (self._compute_cutoff(), _PURGE_BATCH)
                db.execute(f"delete from receipts where id in ({old})", oldest)
            yield identity

    def get(self, name: str, reader: Access) -> ReceiptResponse | None:
        """Return a receipt, or None if there is none that the reader may see.

        Args:
            name: Id of the receipt as typed; see `normalize_id`.
            reader: Principals of the reader.
        """
        if not self._path.is_file():
            return None
        where = "select principals, receipt from receipts where id = ? and at >= ?"
        with self._open() as db, _translate_errors(self._path):
            key = (normalize_id(name), self._compute_cutoff())
            row = db.execute(where, key).fetchone()
            if row is None or not _may_read(reader, row[0]):
                return None
            return ReceiptResponse.model_validate_json(row[1])

    def list_readable(self, reader: Access) -> Iterator[ReceiptResponse]:
        """Yield the receipts that a reader may see, newest first."""
        if not self._path.is_file():
            return
        where = "select principals, receipt from receipts where at >= ?"
        with self._open() as db, _translate_errors(self._path):
            rows = db.execute(
                f"{where} order by at desc, rowid desc", (self._compute_cutoff(),)
            )
            for principals, receipt in rows:
                if _may_read(reader, principals):
                    yield ReceiptResponse.model_validate_json(receipt)

    def remove(self, name: str) -> int:
        """Erase all receipts that name a document; return their number.

        Raises:
            StorageError: The receipts cannot be removed now.
        """
        if not self._path.is_file():
            return 0
        with self._open() as db, _translate_errors(self._path):
            with _transaction(db):
                ids = _find_naming(db, name)
                db.executemany("delete from receipts where id = ?", ids)
            # Also erase what a killed run left in free pages.
            db.execute("vacuum")
            db.execute("pragma wal_checkpoint(truncate)")
            return len(ids)

    def count_naming(self, name: str) -> int:
        """Return the number of receipts that name a document.

        It is 1 if only leftover bytes of the file do.
        """
        if not self._path.is_file():
            return 0
        with self._open() as db, _translate_errors(self._path):
            count = len(_find_naming(db, name))
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return count or int(any(_file_names_document(file, name) for file in files))

    def _compute_cutoff(self) -> str:
        return (datetime.now(UTC) - self._keep).isoformat(timespec="seconds")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file, creating it if necessary, readable only by its owner."""
        with storage_errors(self._data):
            protect_root(self._data)
            make_file(self._path, is_private=True)
        with _translate_errors(self._path):
            db = sqlite3.connect(
                self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None
            )
        with closing(db):
            with _translate_errors(self._path):
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = full")
                db.execute("pragma secure_delete = on")
                _check_format(db, self._path)
            yield db


def make_id() -> str:
    """Return a random id that is easy to type and cannot be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def normalize_id(name: str) -> str:
    """Return a typed id in its stored form; O is read as 0, I and L as 1."""
    return name.upper().translate(_MISREADINGS)


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    [version] = db.execute("pragma user_version").fetchone()
    if version == _FORMAT:
        return
    if version:
        raise StorageError(
            f"{path} has format {version}; this program reads {_FORMAT}.",
            hint="Use the program version that made it, or move it away.",
        )
    with _transaction(db):
        for statement in filter(str.strip, _TABLES.split(";")):
            db.execute(statement)
        db.execute(f"pragma user_version = {_FORMAT}")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run the statements inside ``with`` in one transaction."""
    db.execute("begin immediate")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk ends it
            db.execute("rollback")
        raise
    db.execute("commit")


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise damaged(
            error,
            f"The receipts in {path} cannot be used: {error}.",
            path=path,
            hint="If the file is damaged, move it away: a new one is created.",
            kind=StorageError,
        ) from error


def _insert(db: sqlite3.Connection, receipt: ReceiptResponse) -> str:
    """Store a receipt under a new unique id and return the id."""
    at = receipt.at.astimezone(UTC).isoformat(timespec="seconds")
    taken = "select 1 from receipts where id = ?"
    identity = make_id()
    while db.execute(taken, (identity,)).fetchone():
        identity = make_id()
    named = receipt.model_copy(update={"id": identity})
    row = (identity, at, json.dumps(receipt.principals), named.model_dump_json())
    db.execute("insert into receipts values (?, ?, ?, ?)", row)
    return identity


def _is_revoked(receipt: ReceiptResponse, overlay_file: Path) -> bool:
    """Return whether the overlay no longer has a file that the answer uses.

    Must be called inside the transaction: `forget` writes the overlay before it removes
    receipts, so no receipt of a forgotten document can be stored afterwards.
    """
    if not overlay_file.is_file():
        return False
    files = {(passage.document, passage.file) for passage in receipt.passages}
    where = "select 1 from access where id = ? and key = ?"
    uri = f"{overlay_file.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        return not all(db.execute(where, file).fetchone() for file in files)


def _may_read(reader: Access, principals: str) -> bool:
    """Return whether a reader holds all principals; all readers hold ``public``."""
    return reader | {PUBLIC} >= set(json.loads(principals))


def _find_naming(db: sqlite3.Connection, name: str) -> list[tuple[str]]:
    """Return the ids of the receipts that name a document."""
    rows = db.execute("select id, receipt from receipts")
    return [(identity,) for identity, text in rows if _names_document(text, name)]


def _names_document(receipt: str, name: str) -> bool:
    """Return whether a receipt names a document, or cites a timetable that does."""
    if _compile_id_pattern(name).search(receipt.encode()):
        return True
    holders = {name[:end] for end, mark in enumerate(name) if mark == "/"}
    return bool(holders) and any(
        passage["document"] in holders and passage["file"].startswith("timetable")
        for passage in json.loads(receipt)["passages"]
    )


def _compile_id_pattern(name: str) -> re.Pattern[bytes]:
    """Return a pattern that matches an id in JSON, or the id of one of its parts."""
    text = json.dumps(name, ensure_ascii=False)[1:-1]
    return re.compile(rb"(?<![\w.-])" + re.escape(text.encode()) + rb"(?!\.?[\w-])")


def _file_names_document(file: Path, name: str) -> bool:
    """Return whether the bytes of a file, free pages included, name a document."""
    if not file.is_file() or not file.stat().st_size:
        return False
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return bool(_compile_id_pattern(name).search(content))
