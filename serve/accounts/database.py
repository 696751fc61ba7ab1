"""The connection to serve.db: an SQLite file by default, or a PostgreSQL database.

Both are used alike: a read is one transaction, a write is one that starts as such, so
that SQLite never has to make a writer of a reader. Does not know what is stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dunegpt.config import Settings
from dunegpt.errors import (
    ConfigError,
    DatabaseUnavailableError,
    DuneGPTError,
    StorageError,
)
from dunegpt.files import host_error, storage_errors
from dunegpt.permissions import make_file

_BUSY_TIMEOUT_S = 10
_POOL = {"pool_size": 8, "max_overflow": 8, "pool_timeout": 15}
_CONNECT_TIMEOUT_S = 10
_STATEMENT_TIMEOUT_MS = 30_000
_BEGIN = "dunegpt_begin"
"""Execution option: how a transaction of SQLite starts."""

_DISK_FULL, _READ_ONLY = "53100", "25006"
_LOCKED = ("database is locked", "database table is locked")
_DAMAGED_HINT = "Restore it from a backup; moved away, a new and empty one is created."

_CONFLICT_HINT = "Another program has changed the same entry: try again."


class Database:
    """An open database; safe to share between threads."""

    def __init__(self, engine: sa.Engine, name: str, path: Path | None = None) -> None:
        """Use an engine.

        Args:
            engine: Made by `open_database`, or by a test.
            name: For messages; without a password.
            path: The file of an SQLite database.
        """
        self.engine = engine
        self._writer = engine.execution_options(**{_BEGIN: "begin immediate"})
        self.name = name
        self.path = path

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give an ORM session that reads; all that it reads is of one moment.

        Raises:
            DatabaseUnavailableError: It is locked, or does not answer.
            StorageError: The disk is full, or the database is damaged.
        """
        with self._convert_errors(), Session(self.engine) as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give an ORM session that is committed at the end of ``with``.

        Raises:
            DatabaseUnavailableError: It is locked, or does not answer.
            StorageError: The disk is full, or the database is damaged.
        """
        with (
            self._convert_errors(),
            Session(self._writer, expire_on_commit=False) as db,
            db.begin(),
        ):
            yield db

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that may change tables, for migrations."""
        with self._convert_errors(), self._writer.begin() as connection:
            yield connection

    def check(self) -> None:
        """Ask the database something.

        Raises:
            DatabaseUnavailableError: It does not answer.
        """
        with self.read() as db:
            db.execute(sa.select(1))

    def empty_journal(self) -> None:
        """Overwrite what SQLite's journal still holds of removed rows."""
        if self.path is None:
            return
        with self._convert_errors(), self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                raw.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise self._describe(error) from error

    def _describe(self, error: sa.exc.SQLAlchemyError) -> DuneGPTError:
        """Return the error to raise for one of the database."""
        reason = str(getattr(error, "orig", None) or "no connection is free")
        reason = reason.strip().splitlines()[0].rstrip(".")
        message = f"The accounts in {self.name} cannot be used: {reason}."
        if isinstance(error, sa.exc.TimeoutError) or reason in _LOCKED:
            return DatabaseUnavailableError(message)
        if isinstance(error, sa.exc.IntegrityError):
            return DatabaseUnavailableError(message, hint=_CONFLICT_HINT)
        if self.path is not None:
            refused = host_error(error, self.path)
            return refused or StorageError(message, hint=_DAMAGED_HINT)
        state = getattr(getattr(error, "orig", None), "sqlstate", None)
        if state == _DISK_FULL:
            return StorageError(message, hint="Free disk space on its server.")
        if state == _READ_ONLY or isinstance(error, sa.exc.OperationalError):
            return DatabaseUnavailableError(message)
        return StorageError(message)


def open_database(settings: Settings) -> Database:
    """Return the database of the settings; its tables may be of an older version.

    Raises:
        ConfigError: The address of the PostgreSQL database cannot be used.
        StorageError: The file cannot be made.
    """
    if settings.accounts.database:
        return _open_postgresql(settings)
    data = settings.paths
    data.prepare()
    path = data.accounts
    with storage_errors(data.root):
        make_file(path, is_private=True)
    return open_sqlite(path)


def open_sqlite(path: Path, *, busy_timeout_s: float = _BUSY_TIMEOUT_S) -> Database:
    """Return the database in a file, which exists."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
        poolclass=sa.QueuePool,
        **_POOL,
    )
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, str(path), path)


def _open_postgresql(settings: Settings) -> Database:
    """Return a PostgreSQL database; connections that it has closed are replaced."""
    try:
        url = sa.make_url(settings.accounts.database)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError("[accounts] database is not an address.") from error
    if url.password:
        raise ConfigError(
            "[accounts] database must not hold the password.",
            hint="Name a variable or a file with it: password_env or password_file.",
        )
    if password := settings.read_database_password():
        url = url.set(password=password)
    name = f"{url.database} on {url.host or 'this host'}"
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT_S,
                "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}"
                f" -c lock_timeout={_BUSY_TIMEOUT_S * 1000} -c timezone=UTC",
                "application_name": "dunegpt",
            },
            pool_pre_ping=True,
            **_POOL,
        )
    except ImportError as error:
        raise ConfigError(
            "[accounts] database needs the PostgreSQL driver, which is not installed.",
            hint="pip install 'dunegpt[postgres]'",
        ) from error
    return Database(engine, name)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma secure_delete = on")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Start a transaction, which the driver leaves to us; DDL is part of it, too."""
    begin = connection.get_execution_options().get(_BEGIN, "begin")
    connection.exec_driver_sql(begin)
