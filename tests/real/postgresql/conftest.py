"""A PostgreSQL with an empty database of accounts for each test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.account_settings import AccountSettings
from dunegpt.config import Settings
from dunegpt.serve.accounts.database import open_database
from dunegpt.serve.accounts.migrate import migrate
from dunegpt.serve.accounts.store import AccountStore
from simulators.postgresql import PostgreSQLServer, PostgreSQLStartError
from tests.real.conftest import absent
from tests.serve.accounts.opened import open_store

_TEMPLATE = "migrated"
_numbers = itertools.count(1)


def make_settings(server: PostgreSQLServer, database: str, folder: Path) -> Settings:
    """Return settings with a database of the server."""
    accounts = AccountSettings(database=server.make_url(database))
    return Settings(data_dir=folder / "data", accounts=accounts)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQLServer]:
    """Give a running server with a database that has all tables."""
    try:
        server = PostgreSQLServer()
    except PostgreSQLStartError as error:
        absent("PostgreSQL", str(error))
    try:
        server.execute(f"create database {_TEMPLATE}")
        folder = tmp_path_factory.mktemp("postgresql")
        database = open_database(make_settings(server, _TEMPLATE, folder))
        migrate(database)
        database.close()
        yield server
    finally:
        server.remove()


@pytest.fixture
def empty_settings(postgresql: PostgreSQLServer, tmp_path: Path) -> Iterator[Settings]:
    """Give settings with a database without tables."""
    yield from _make_database(postgresql, tmp_path, "template0")


@pytest.fixture
def account_settings(
    postgresql: PostgreSQLServer, tmp_path: Path
) -> Iterator[Settings]:
    """Give settings with an empty database of accounts."""
    yield from _make_database(postgresql, tmp_path, _TEMPLATE)


@pytest.fixture
def store(account_settings: Settings) -> Iterator[AccountStore]:
    """Give the accounts, opened."""
    with open_store(account_settings) as opened:
        yield opened


def _make_database(
    server: PostgreSQLServer, folder: Path, template: str
) -> Iterator[Settings]:
    name = f"test_{next(_numbers)}"
    server.execute(f"create database {name} template {template}")
    yield make_settings(server, name, folder)
    server.execute(f"drop database {name} with (force)")
