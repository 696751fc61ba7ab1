"""The catalog's file: its connection, transactions and schema, and ids as subtrees.

Does not depend on what the tables contain.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dunegpt.errors import StorageError
from dunegpt.files import damaged, storage_errors
from dunegpt.ingest.catalog import schema
from dunegpt.permissions import make_file, make_folder, protect_root

_DAMAGED_HINT = (
    "Restore it from a backup. Without one, move this one file away, with its -wal and"
    " -shm, and run 'dunegpt crawl --full'. Lost would be the ledger, the dates of"
    " first sight, what sources remember, and losses and openings that wait for your"
    " confirmation. Forgotten documents stay forgotten: keep forgotten.json."
)


def now() -> str:
    """Return the time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class CatalogFile:
    """The SQLite file, created when it is first opened."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, and migrate an older one to the current schema.

        Raises:
            StorageError: Written by a newer version, damaged, or the disk is full.
        """
        with storage_errors(path.parent):
            make_folder(path.parent)
            protect_root(path.parent)
            make_file(path)
        self.path = path
        self._engine = sa.create_engine(f"sqlite:///{path}")
        sa.event.listen(self._engine, "connect", _set_up_connection)
        with self._convert_errors():
            self._check_schema()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _check_schema(self) -> None:
        with self._engine.begin() as db:
            version = sa.text("pragma user_version")
            if db.execute(version).scalar_one() == schema.SCHEMA:
                return
            # Another process may make the tables at this moment.
            db.exec_driver_sql("begin immediate")
            found = db.execute(version).scalar_one()
            if not schema.migrate_schema(db, found):
                raise StorageError(
                    f"{self.path} has format {found}; this program reads"
                    f" {schema.SCHEMA}.",
                    hint="Use the program version that made it. Another data_dir"
                    " would start empty: copy forgotten.json into it, or forgotten"
                    " documents come back.",
                )
            schema.metadata.create_all(db)
            db.execute(sa.text(f"pragma user_version = {schema.SCHEMA}"))

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, ValueError) as error:
            # A ValueError: a value is no JSON, no UTF-8 or no date.
            reason = getattr(error, "orig", error)
            raise damaged(
                error,
                f"The catalog {self.path} cannot be used: {reason}.",
                path=self.path,
                hint=_DAMAGED_HINT,
                kind=StorageError,
            ) from error

    @contextmanager
    def _write_transaction(self) -> Iterator[sa.Connection]:
        with self._convert_errors(), self._engine.begin() as db:
            yield db

    @contextmanager
    def _read_connection(self) -> Iterator[sa.Connection]:
        with self._convert_errors(), self._engine.connect() as db:
            yield db


def subtree_condition(column: Any, holder: str) -> Any:
    """Return the SQL condition that an id is a document's, or lies below it.

    Below it lie its versions (``:``), parts (``/``) and files (``#``). Written as
    ranges, so that the index on the ids is used.
    """
    below = [
        (column >= f"{holder}{mark}") & (column < f"{holder}{chr(ord(mark) + 1)}")
        for mark in ":/#"
    ]
    return sa.or_(column == holder, *below)


def is_in_subtree(document_id: str, holder: str) -> bool:
    """Return whether an id is a document's, or lies below it."""
    return document_id == holder or (
        document_id.startswith(holder) and document_id[len(holder)] in ":/#"
    )


def _set_up_connection(connection: Any, _record: Any) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma busy_timeout = 10000")
