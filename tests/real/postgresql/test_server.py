"""What happens to accounts when their PostgreSQL stops, refuses or is full."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dunegpt.config import Settings
from dunegpt.errors import DatabaseUnavailableError, HostError, StorageError
from dunegpt.serve.accounts.person import ANONYMOUS
from dunegpt.serve.accounts.store import AccountStore
from simulators.postgresql import PostgreSQLServer
from tests.serve.accounts.opened import PASSWORD, open_store

FULL = """
create function refuse() returns trigger language plpgsql as $$ begin
  raise exception 'could not extend file: No space left on device'
    using errcode = '53100';
end $$;
create trigger full_disk before insert on shown_documents execute function refuse();
"""


def get_name(settings: Settings) -> str:
    """Return the name of the test's database."""
    return settings.accounts.database.rpartition("/")[2]


@pytest.mark.smoke
def test_a_restart_in_the_middle_of_use_is_not_noticed(
    store: AccountStore, postgresql: PostgreSQLServer
) -> None:
    number = store.local.add("Ada", PASSWORD).id
    made = store.sessions.create(number)
    with ThreadPoolExecutor(4) as pool:  # fills the pool of connections
        assert all(pool.map(lambda _: store.sessions.find(made.secret), range(8)))
    postgresql.stop()
    with pytest.raises(DatabaseUnavailableError):
        store.sessions.find(made.secret)
    with pytest.raises(DatabaseUnavailableError):
        store.check()
    postgresql.start()
    assert store.sessions.find(made.secret) is not None
    store.audit.record(ANONYMOUS, ["d:1"], face="web")


def test_a_restart_within_a_transaction_leaves_nothing_half_done(
    store: AccountStore, postgresql: PostgreSQLServer
) -> None:
    number = store.local.add("Ada", PASSWORD).id
    with pytest.raises(DatabaseUnavailableError) as raised:
        with store.database.write() as db:
            db.connection().exec_driver_sql("update accounts set name = 'Half'")
            postgresql.stop()
            postgresql.start()
            db.connection().exec_driver_sql("update accounts set email = 'done'")
    assert raised.value.retryable
    account = store.directory.get(number)
    assert account is not None
    assert account.name == "Ada"


def test_a_full_disk_is_told_and_nothing_is_shown(
    store: AccountStore, postgresql: PostgreSQLServer, account_settings: Settings
) -> None:
    postgresql.execute(FULL, get_name(account_settings))
    with pytest.raises(StorageError, match="No space") as raised:
        store.audit.record(ANONYMOUS, ["d:1"], face="web")
    assert "space" in raised.value.hint
    assert not isinstance(raised.value, HostError)
    postgresql.execute("drop trigger full_disk on shown_documents",
                       get_name(account_settings))  # fmt: skip
    store.audit.record(ANONYMOUS, ["d:1"], face="web")
    assert store.audit.count_document("d:1") == 1


def test_a_server_that_only_reads_is_told(
    account_settings: Settings, postgresql: PostgreSQLServer
) -> None:
    name = get_name(account_settings)
    postgresql.execute(f"alter database {name} set default_transaction_read_only = on")
    with open_store(account_settings) as store:
        assert store.directory.list() == []
        with pytest.raises(DatabaseUnavailableError, match="read-only"):
            store.local.add("Ada", PASSWORD)


def test_a_lock_of_somebody_else_is_waited_for(
    store: AccountStore, account_settings: Settings
) -> None:
    number = store.local.add("Ada", PASSWORD).id
    with open_store(account_settings) as other:
        is_locked, may_end = threading.Event(), threading.Event()

        def hold() -> None:
            with other.database.write() as db:
                db.connection().exec_driver_sql("select * from accounts for update")
                is_locked.set()
                may_end.wait(20)

        with ThreadPoolExecutor(2) as pool:
            holding = pool.submit(hold)
            assert is_locked.wait(20)
            changing = pool.submit(store.directory.disable, number)
            assert not changing.done()
            may_end.set()
            changing.result(20)
            holding.result(20)
    assert store.directory.find("Ada").disabled_at is not None


def take_all(text: str, allowed: "multiprocessing.Queue[int]") -> None:
    """Use up a limit, in a process of its own."""
    with open_store(Settings.model_validate_json(text)) as store:
        states = [store.limits.take("ask", "x", limit=20, per_s=999) for _ in range(30)]
    allowed.put(sum(state.is_allowed for state in states))


@pytest.fixture
def spawn() -> Iterator[multiprocessing.context.SpawnContext]:
    yield multiprocessing.get_context("spawn")


def test_two_processes_share_a_limit(
    account_settings: Settings, spawn: multiprocessing.context.SpawnContext
) -> None:
    allowed: multiprocessing.Queue[int] = spawn.Queue()
    text = account_settings.model_dump_json()
    processes = [spawn.Process(target=take_all, args=(text, allowed)) for _ in "ab"]
    for process in processes:
        process.start()
    counts = [allowed.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert sum(counts) == 20


def test_a_name_that_no_database_could_store_is_refused_like_any(
    store: AccountStore,
) -> None:
    store.audit.record(ANONYMOUS, ["réf:ø/山"], face="web")
    assert store.audit.count_document("réf:ø") == 1
    for secret in ("\x00", "\udcff"):
        assert store.sessions.find(secret) is None
        assert store.tokens.find(secret) is None
