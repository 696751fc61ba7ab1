"""A provider with faults, and what logs in there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.serve.accounts.database import open_sqlite
from dunegpt.serve.accounts.migrate import migrate
from simulators.oidc.issuer import Issuer
from tests.serve.login.served import Served, make_settings, serving
from tests.serve.login.world import PERSONS


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Give a running provider."""
    with Issuer({name: dict(claims) for name, claims in PERSONS.items()}) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with all tables, made once."""
    path = tmp_path_factory.mktemp("logins") / "serve.db"
    database = open_sqlite(path)
    migrate(database)
    database.close()
    return path


@pytest.fixture
def base_settings(tmp_path: Path, migrated: Path) -> Settings:
    """Give settings with an empty database of accounts."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.paths.prepare()
    shutil.copy(migrated, settings.paths.accounts)
    return settings


@pytest.fixture
def served(base_settings: Settings, issuer: Issuer) -> Iterator[Served]:
    """Give a server with one provider."""
    with serving(make_settings(base_settings, issuer)) as running:
        yield running
