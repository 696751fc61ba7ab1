"""Migrations: forward only, whole or not at all, by one process at a time."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from dunegpt.config import Settings
from dunegpt.errors import StorageError
from dunegpt.serve.accounts.database import Database, open_database
from dunegpt.serve.accounts.migrate import make_config, migrate
from dunegpt.serve.accounts.tables import Base

OPEN = """
import sys
import sqlalchemy as sa
from dunegpt.config import Settings
from dunegpt.serve.accounts.database import open_database
from dunegpt.serve.accounts.migrate import migrate
database = open_database(Settings.model_validate_json(sys.argv[1]))
{body}
migrate(database)
"""
KILL = """
def kill(_connection, _cursor, statement, *_rest):
    if "INDEX ix_sessions_sid" in statement:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(database.engine, "before_cursor_execute", kill)
"""


@pytest.fixture
def database(empty_settings: Settings) -> Iterator[Database]:
    opened = open_database(empty_settings)
    yield opened
    opened.close()


def find_tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def start(settings: Settings, body: str = "") -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", OPEN.format(body=body)]
    return subprocess.Popen([*arguments, settings.model_dump_json()])


ALL_TABLES = {*Base.metadata.tables, "alembic_version"}


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    migrate(database)
    assert find_tables(database) == ALL_TABLES
    with database.connect() as connection:
        command.check(make_config(connection))  # raises if they differ


def test_every_version_leads_to_the_newest(database: Database) -> None:
    scripts = list(ScriptDirectory.from_config(make_config()).walk_revisions())
    assert scripts[-1].revision == "0001"
    migrate(database, "0001")
    with database.write() as db:
        db.execute(
            sa.text(
                "insert into accounts (issuer, subject, name, name_key, email, role,"
                " principals, claims, created_at) values ('local', 'ada', 'Ada', 'ada',"
                " '', 'reader', '[]', '{}', '2026-01-02 03:04:05+00:00')"
            )
        )
    migrate(database)
    with database.read() as db:
        assert db.execute(sa.text("select name from accounts")).scalar_one() == "Ada"
        version = db.execute(sa.text("select version_num from alembic_version"))
        assert version.scalar_one() == scripts[0].revision


def test_tables_of_a_newer_program_are_left_alone(database: Database) -> None:
    migrate(database)
    with database.write() as db:
        db.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StorageError, match="version 9999"):
        migrate(database)


def test_a_migration_that_fails_changes_nothing(database: Database) -> None:
    def fail(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if "CREATE TABLE tokens" in statement:
            raise KeyboardInterrupt

    sa.event.listen(database.engine, "before_cursor_execute", fail)
    with pytest.raises(KeyboardInterrupt):
        migrate(database)
    sa.event.remove(database.engine, "before_cursor_execute", fail)
    assert find_tables(database) == set()
    migrate(database)
    assert find_tables(database) == ALL_TABLES


@pytest.mark.slow
def test_a_process_killed_in_the_middle_changes_nothing(
    database: Database, empty_settings: Settings
) -> None:
    assert start(empty_settings, KILL).wait(60) == -9
    assert find_tables(database) == set()
    migrate(database)
    assert find_tables(database) == ALL_TABLES


@pytest.mark.slow
def test_processes_migrate_one_after_the_other(
    database: Database, empty_settings: Settings
) -> None:
    started = [start(empty_settings) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert find_tables(database) == ALL_TABLES
