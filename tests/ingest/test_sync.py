"""Clients with one budget per host, failures in a row, full passes, daily passes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from dunegpt.config import Settings
from dunegpt.errors import SourceError, SourceFormatError, SourceLoginError
from dunegpt.ingest import sync
from dunegpt.ingest.items import Item, SourceState, Unchanged
from dunegpt.ingest.options import HttpOptions
from dunegpt.ingest.sync import DailyPass, FailureStreak, FullPass, HttpClients
from dunegpt.types import Failure
from simulators.http_server import FaultServer

ITEM = Unchanged(frozenset({"fake:1"}))
STARTED = "2026-11-30T12:00:00+00:00"


class DictState:
    """The state of a source, kept in a dict."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        self.values[key] = value

    def started_at(self) -> str:
        return STARTED


def as_state(state: DictState) -> SourceState:
    return cast(SourceState, state)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def clients() -> Iterator[HttpClients]:
    clients = HttpClients(HttpOptions(type="fake", delay_s=0), Settings())
    yield clients
    clients.close()


# ── clients ───────────────────────────────────────────────────────────────────────────


def test_get_origin() -> None:
    url = "https://docs.example.org:8443/cgi-bin/sso?docid=1#top"
    assert sync.get_origin(url) == "https://docs.example.org:8443"


def test_one_client_for_an_origin_unless_a_new_one_is_opened(
    clients: HttpClients, server: FaultServer
) -> None:
    shared = clients.get(f"{server.url}/a")
    assert clients.get(f"{server.url}/b?c=d") is shared
    assert shared.url == server.url
    own = clients.open(f"{server.url}/below/")
    assert own is not shared and own.url == f"{server.url}/below"
    shared.get("/ok")
    own.get("/ok")
    assert clients.requests == 2
    # Both count as one guest: either knows of the other's request.
    assert len(shared.recent_request_times()) == 2
    assert shared.recent_request_times() == own.recent_request_times()


def test_requests_of_earlier_runs_count(
    clients: HttpClients, server: FaultServer
) -> None:
    now = datetime.now(UTC).timestamp()
    elsewhere = "http://elsewhere.test"
    state = DictState(spent={server.url: [now - 7200, now - 60], elsewhere: [now]})
    client = clients.get(server.url)

    def items() -> Iterator[Item]:
        client.get("/ok")
        yield ITEM

    assert list(clients.track(items(), as_state(state))) == [ITEM]
    times = state.get("spent")[server.url]
    assert times[0] == round(now - 60, 1) and len(times) == 2
    assert elsewhere not in state.get("spent")


def test_a_source_of_one_site_stores_a_plain_list(server: FaultServer) -> None:
    options = HttpOptions(type="fake", delay_s=0)
    clients = HttpClients(options, Settings(), host_key=None)
    state = DictState(spent=[datetime.now(UTC).timestamp()])
    client = clients.open(server.url)

    def items() -> Iterator[Item]:
        client.get("/ok")
        yield ITEM

    list(clients.track(items(), as_state(state)))
    clients.close()
    assert len(state.get("spent")) == 2


def test_request_times_are_stored_while_a_run_goes_on_and_when_it_fails(
    clients: HttpClients, server: FaultServer
) -> None:
    state = DictState()
    client = clients.get(server.url)

    def items() -> Iterator[Item]:
        for _ in range(20):
            client.get("/ok")
        yield ITEM
        yield ITEM
        client.get("/ok")
        raise SourceFormatError("broken")

    tracked = clients.track(items(), as_state(state))
    next(tracked)
    assert state.get("spent") is None
    next(tracked)
    assert len(state.get("spent")[server.url]) == 20
    with pytest.raises(SourceFormatError):
        next(tracked)
    assert len(state.get("spent")[server.url]) == 21


# ── failures in a row ─────────────────────────────────────────────────────────────────


def failing(error: SourceError) -> Iterator[Item]:
    yield ITEM
    raise error


def test_a_document_that_fails_is_a_failure_until_it_is_one_too_many() -> None:
    streak = FailureStreak(2)
    error = SourceFormatError("no XML")
    failure = Failure("fake:1", "list", "SourceFormatError", "no XML")
    assert list(streak.guard("fake:1", failing(error))) == [ITEM, failure]
    assert list(streak.guard("fake:2", iter([ITEM]))) == [ITEM]
    assert list(streak.guard("fake:1", failing(error)))[1:] == [failure]
    with pytest.raises(SourceFormatError):
        list(streak.guard("fake:3", failing(error)))


def test_an_expired_login_ends_the_run_at_once() -> None:
    with pytest.raises(SourceLoginError):
        list(FailureStreak(5).guard("fake:1", failing(SourceLoginError("expired"))))


def test_no_limit() -> None:
    streak = FailureStreak(0)
    for _ in range(20):
        streak.add(SourceFormatError("no XML"))
    assert isinstance(list(streak.guard("a", failing(SourceError("x"))))[1], Failure)


# ── passes ────────────────────────────────────────────────────────────────────────────


def test_a_full_pass_stays_open_until_it_is_finished() -> None:
    state = DictState()
    first = FullPass(as_state(state), requested=False)
    assert (first.number, first.is_open) == (1, True)
    assert state.values == {"full": {"number": 1, "open": True}}
    killed = FullPass(as_state(state), requested=True)
    assert (killed.number, killed.is_open) == (1, True)
    killed.finish()
    assert state.values == {"full": {"number": 1, "open": False}}
    later = FullPass(as_state(state), requested=False)
    assert (later.number, later.is_open) == (1, False)
    later.finish()
    assert FullPass(as_state(state), requested=True).number == 2


def test_a_daily_pass_is_due_after_a_day() -> None:
    state = DictState()
    daily = DailyPass(as_state(state))
    assert daily.is_due()
    daily.finish()
    assert state.values == {"daily": STARTED, "rolled": sync.today()}
    for hours, is_due in ((22, False), (24, True)):
        moment = datetime.now(UTC) - timedelta(hours=hours)
        state.put("daily", moment.isoformat())
        assert daily.is_due() is is_due


@pytest.mark.parametrize(
    ("days", "documents", "count"),
    [(0, 6000, 0), (1, 6000, 200), (1, 6001, 201), (2, 90, 90), (99, 6000, 6000)],
)
def test_a_thirtieth_of_all_is_read_again_each_day(
    days: int, documents: int, count: int
) -> None:
    last = datetime.now(UTC).date() - timedelta(days=days)
    daily = DailyPass(as_state(DictState(rolled=last.isoformat())))
    read_days = [(f"2020-01-{n % 28 + 1:02}", n) for n in range(documents)]
    due = daily.due_rereads(read_days)
    assert len(due) == count
    assert due == [number for _, number in sorted(read_days)][:count]


def test_nothing_is_read_again_before_the_first_daily_pass() -> None:
    assert DailyPass(as_state(DictState())).due_rereads([("2020-01-01", 1)]) == []
