import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
import time_machine

from dunegpt.config import Settings
from dunegpt.serve.accounts.rate_limits import RateLimit
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import RateLimitRow
from tests.serve.accounts.opened import open_store

START = dt.datetime(2030, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def take(store: AccountStore, key: str = "ada", limit: int = 3) -> RateLimit:
    return store.limits.take("ask", key, limit=limit, per_s=60)


def test_a_limit_is_used_up_and_comes_back(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    states = [take(store) for _ in range(4)]
    assert [state.is_allowed for state in states] == [True, True, True, False]
    assert [state.remaining for state in states] == [2, 1, 0, 0]
    assert [state.reset_s for state in states] == [20, 40, 60, 60]
    assert [state.retry_after_s for state in states] == [0, 0, 20, 20]
    clock.shift(19)
    assert not take(store).is_allowed
    clock.shift(1)
    assert take(store).is_allowed
    assert not take(store).is_allowed
    clock.shift(60)
    assert take(store).remaining == 2


def test_keys_and_kinds_do_not_share(store: AccountStore) -> None:
    assert [take(store, limit=1).is_allowed for _ in range(2)] == [True, False]
    assert take(store, "bob", limit=1).is_allowed
    assert store.limits.take("search", "ada", limit=1, per_s=60).is_allowed


@pytest.mark.parametrize("back_min", [4, 60, 60 * 24 * 365])
def test_a_clock_that_is_set_back_locks_nobody_out(
    store: AccountStore, clock: time_machine.Traveller, back_min: int
) -> None:
    while take(store).is_allowed:
        pass
    clock.shift(-dt.timedelta(minutes=back_min))
    clock.shift(dt.timedelta(minutes=6))
    assert take(store).is_allowed


def test_several_processes_share_a_limit(account_settings: Settings) -> None:
    with (
        open_store(account_settings) as first,
        open_store(account_settings) as second,
        ThreadPoolExecutor(4) as pool,
    ):
        stores = [first, second] * 10
        states = list(pool.map(lambda store: take(store, limit=7), stores))
    assert sum(state.is_allowed for state in states) == 7


def test_a_request_that_is_refused_writes_nothing(store: AccountStore) -> None:
    statements: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("begin"):
            statements.append(statement.split(maxsplit=1)[0])

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    for _ in range(3):
        take(store, limit=1)
    assert statements == ["INSERT", "INSERT", "SELECT", "INSERT", "SELECT"]


def test_counters_do_not_tell_whose_they_are(store: AccountStore) -> None:
    take(store, "192.0.2.7 \udcff")
    with store.database.read() as db:
        [key] = db.scalars(sa.select(RateLimitRow.key))
    assert "192.0.2.7" not in key


def test_requests_can_be_given_back(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    for _ in range(10):
        assert take(store).is_allowed
        store.limits.give_back("ask", "ada", limit=3, per_s=60)
    take(store, limit=1)
    store.limits.clear("ask", "ada")
    assert take(store).remaining == 2
