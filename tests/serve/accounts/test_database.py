"""The SQLite file: its permissions, and what happens when it cannot be used."""

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from dunegpt.account_settings import AccountSettings
from dunegpt.config import Settings
from dunegpt.errors import (
    ConfigError,
    DatabaseUnavailableError,
    HostError,
    StorageError,
)
from dunegpt.serve.accounts.database import open_database, open_sqlite
from dunegpt.serve.accounts.person import ANONYMOUS
from dunegpt.serve.accounts.store import AccountStore
from tests.serve.accounts.opened import PASSWORD, open_store


def test_the_file_is_private_and_its_changes_are_journaled(
    account_settings: Settings,
) -> None:
    account_settings.paths.accounts.chmod(0o644)
    with open_store(account_settings) as store:
        store.local.add("Ada", PASSWORD)
        files = list(account_settings.data.glob("serve.db*"))
        assert len(files) == 3  # with -wal and -shm
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        with store.database.engine.connect() as connection:
            pragmas = ("journal_mode", "foreign_keys", "synchronous", "secure_delete")
            values = [
                connection.exec_driver_sql(f"pragma {name}").scalar_one()
                for name in pragmas
            ]
        assert values == ["wal", 1, 2, 1]


def test_readers_do_not_wait_for_a_writer(
    store: AccountStore, account_settings: Settings
) -> None:
    made = store.sessions.create(store.local.add("Ada", PASSWORD).id)
    with closing(sqlite3.connect(account_settings.paths.accounts)) as other:
        other.execute("begin immediate")
        assert store.sessions.find(made.secret) is not None


def test_a_locked_database_is_told(store: AccountStore, tmp_path: Path) -> None:
    path = store.database.path
    assert path is not None
    impatient = open_sqlite(path, busy_timeout_s=0.01)
    with closing(sqlite3.connect(path)) as other:
        other.execute("begin immediate")
        with pytest.raises(DatabaseUnavailableError, match="locked") as raised:
            with impatient.write() as db:
                db.execute(sa.select(1))
        assert raised.value.retryable
    with impatient.write() as db:
        db.execute(sa.select(1))
    impatient.close()


def test_two_programs_that_add_the_same_are_told_to_try_again(
    store: AccountStore,
) -> None:
    store.local.add("Ada", PASSWORD)
    with (
        pytest.raises(DatabaseUnavailableError) as raised,
        store.database.write() as db,
    ):
        columns = "issuer, subject, name, name_key, email, role, principals, claims"
        values = "'local', 'ada', '', '', '', 'reader', '[]', '{}'"
        insert = f"insert into accounts ({columns}, created_at) values ({values}, 'x')"
        db.execute(sa.text(insert))
    assert "try again" in raised.value.hint


def test_a_writer_waits_for_another(store: AccountStore) -> None:
    path = store.database.path
    assert path is not None
    other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    other.execute("begin immediate")
    timer = threading.Timer(0.1, other.execute, ["commit"])
    timer.start()
    store.local.add("Ada", PASSWORD)
    timer.join()
    other.close()


def test_a_full_disk_is_told_and_nothing_is_lost(store: AccountStore) -> None:
    number = store.local.add("Ada", PASSWORD).id
    limit = "pragma max_page_count = 1"

    def fill(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(limit)

    sa.event.listen(store.database.engine, "checkout", fill)
    documents = [f"docdb:{'9' * 200}{i}:1" for i in range(300)]
    with pytest.raises(HostError, match="No space"):
        store.audit.record(ANONYMOUS, documents, face="web")
    assert store.directory.find("Ada").id == number
    limit = "pragma max_page_count = 1000000"
    store.audit.record(ANONYMOUS, documents, face="web")
    assert store.audit.count_document(documents[0]) == 1


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" * 99])
def test_a_damaged_file_is_told(account_settings: Settings, content: bytes) -> None:
    account_settings.paths.accounts.write_bytes(content)
    with pytest.raises(StorageError, match="cannot be used") as raised:
        open_store(account_settings)
    assert "backup" in raised.value.hint
    assert account_settings.paths.accounts.read_bytes() == content


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    settings.paths.prepare()
    settings.paths.accounts.mkdir()
    with pytest.raises((StorageError, OSError)):
        open_store(settings)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("postgresql://ada:secret@127.0.0.1/x", "password_env"),
        ("postgresql://[::1", ""),
        ("postgresql://127.0.0.1:port/x", ""),
    ],
)
def test_an_address_that_cannot_be_used_is_told(
    tmp_path: Path, address: str, hint: str
) -> None:
    accounts = AccountSettings(database=address)
    settings = Settings(data_dir=tmp_path / "data", accounts=accounts)
    with pytest.raises(ConfigError) as raised:
        open_database(settings)
    assert hint in raised.value.hint
    assert "secret" not in str(raised.value)


def test_the_password_of_a_server_is_read_from_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    file = tmp_path / "password"
    file.write_text("of the file\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("DATABASE_PASSWORD", "of the variable")
    address = "postgresql://ada@db.example.org:5433/x?sslmode=verify-full"
    for keys, expected in (
        ({"password_env": "DATABASE_PASSWORD"}, "of the variable"),
        ({"password_file": str(file)}, "of the file"),
        ({}, None),
    ):
        accounts = AccountSettings(database=address, **keys)
        database = open_database(Settings(data_dir=tmp_path, accounts=accounts))
        url = database.engine.url
        assert (url.password, url.port) == (expected, 5433)
        assert url.query == {"sslmode": "verify-full"}
        assert "of the" not in database.name
        database.close()
    file.chmod(0o644)
    accounts = AccountSettings(database=address, password_file=str(file))
    with pytest.raises(ConfigError, match="Others may read"):
        open_database(Settings(data_dir=tmp_path, accounts=accounts))


def test_a_server_that_is_down_is_told(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    address = "postgresql://ada@127.0.0.1:1/x"
    settings = Settings(
        data_dir=tmp_path / "data", accounts=AccountSettings(database=address)
    )
    with pytest.raises(DatabaseUnavailableError, match="x on 127"):
        AccountStore(settings)


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        AccountSettings(database="mysql://ada@127.0.0.1/x")
