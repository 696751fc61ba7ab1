"""The accounts in an SQLite file; `tests/real/postgresql` runs the same tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.serve.accounts.database import open_sqlite
from dunegpt.serve.accounts.migrate import migrate
from dunegpt.serve.accounts.store import AccountStore
from tests.serve.accounts.opened import open_store


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with all tables, made once."""
    path = tmp_path_factory.mktemp("migrated") / "serve.db"
    database = open_sqlite(path)
    migrate(database)
    database.close()
    return path


@pytest.fixture
def empty_settings(tmp_path: Path) -> Settings:
    """Give settings with a database without tables."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def account_settings(tmp_path: Path, migrated: Path) -> Settings:
    """Give settings with an empty database of accounts."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.paths.prepare()
    shutil.copy(migrated, settings.paths.accounts)
    return settings


@pytest.fixture
def store(account_settings: Settings) -> Iterator[AccountStore]:
    """Give the accounts, opened."""
    with open_store(account_settings) as opened:
        yield opened
