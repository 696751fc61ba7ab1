"""Brings the tables of serve.db up to date, in one transaction and one at a time.

A process that is killed in the middle leaves the tables as they were; a second process
waits for the first, and then finds nothing to do.
"""

import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from dunegpt.errors import StorageError
from dunegpt.serve.accounts.database import Database

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x64756E65677074
"""Key of the advisory lock of PostgreSQL: ``dunegpt`` in ASCII."""

_LOCK_TIMEOUT_S = 300
_ONE_THREAD = threading.Lock()
"""Alembic keeps its context in a module."""


def migrate(database: Database, target: str = "head") -> None:
    """Bring the tables up to a version.

    Args:
        database: The database; an empty one gets all tables.
        target: Number of the version; by default the newest.

    Raises:
        StorageError: The tables are of a newer version than this program, or cannot be
            changed now.
    """
    config = make_config()
    newest = ScriptDirectory.from_config(config)
    if target == "head" and _find_version(database) == newest.get_current_head():
        return
    with _ONE_THREAD, database.connect() as connection:
        _lock(connection)
        found = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in newest.walk_revisions()}
        if found is not None and found not in known:
            raise StorageError(
                f"The accounts in {database.name} have version {found}, which this"
                f" program does not know; its own is {newest.get_current_head()}.",
                hint="Use the version of dunegpt that wrote them, or a newer one.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def make_config(connection: sa.Connection | None = None) -> Config:
    """Return Alembic's configuration, for its commands on a connection."""
    attributes: dict[str, Any] = {"connection": connection} if connection else {}
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _find_version(database: Database) -> str | None:
    """Return the version of the tables, without waiting for a lock."""
    with database.read() as db:
        return MigrationContext.configure(db.connection()).get_current_revision()


def _lock(connection: sa.Connection) -> None:
    """Wait until no other process migrates; a transaction of SQLite has waited."""
    if connection.dialect.name != "postgresql":
        return
    limit = f"set local lock_timeout = '{_LOCK_TIMEOUT_S}s'"
    connection.exec_driver_sql(limit)
    connection.exec_driver_sql(f"set local statement_timeout = '{_LOCK_TIMEOUT_S}s'")
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
