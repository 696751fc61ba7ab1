"""An Indico site with two groups, one account each, against a scripted site.

What each of these shows was found first on the real server of ``tests/real``.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY
from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.indico import sync
from dunegpt.ingest.indico.source import IndicoSource
from dunegpt.ingest.items import (
    Alarm,
    CompleteListing,
    Concern,
    CrawlScope,
    Item,
    KnownDocument,
)
from dunegpt.types import Document
from simulators.http_server import FaultServer, Reply, Request
from tests.ingest.indico.test_unit import as_json, attachment, event, talk, within
from tests.ingest.listing import DictState

MEMBER, BOARD = "larch:member", "larch:board"
NAMES = {"Bearer indp_member": "member", "Bearer indp_board": "board"}


class Larch:
    """What each reader is shown, by event number."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, dict[str, Any]]] = {
            name: {} for name in ("member", "board", "public")
        }

        self.session_for = {"member", "board", "public"}

    def add(self, item: dict[str, Any], *readers: str) -> None:
        for name in readers or self.shown:
            self.shown[name][item["id"]] = item

    def answer(self, request: Request) -> Reply | None:
        name = NAMES.get(request.headers.get("authorization", ""), "public")
        events, path = self.shown[name], request.path
        everything = {n for own in self.shown.values() for n in own}
        if path.startswith("/category/"):
            return as_json({"category": {"deep_event_count": len(everything)}})
        if path.startswith("/export/categ/"):
            found = [e for e in events.values() if within(e, request)]
            return as_json({"results": found})
        if path.startswith("/export/event/"):
            asked = Path(path).stem.split("-")
            return as_json({"results": [events[n] for n in asked if n in events]})
        if "/session/" in path and path.startswith("/export/"):
            return as_json({"results": {}}, 200 if name in self.session_for else 403)
        if "/contributions/" in path:
            return as_json({"session": {"id": 9, "title": "Open"}})
        number = Path(path).stem
        if path.startswith("/export/attachments/") and number in events:
            return as_json({"results": {"folders": []}})
        return as_json({"message": "no"}, 403 if number in everything else 404)


@pytest.fixture
def larch() -> Larch:
    return Larch()


@pytest.fixture
def server(larch: Larch, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    client = partial(PoliteClient, attempts=2, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    monkeypatch.setenv("LARCH_MEMBER", "indp_member")
    monkeypatch.setenv("LARCH_BOARD", "indp_board")
    with FaultServer(larch.answer) as server:
        yield server


def crawl(server: FaultServer, memory: DictState, **board: Any) -> list[Item]:
    """Return what a run yields, and let the memory know the events of it."""
    group = {"token_env": "LARCH_BOARD", "principals": [BOARD], **board}
    table = SourceSettings(
        type="indico",
        **{
            "url": server.url,
            "categories": [2],
            "delay_s": 0,
            "token_env": "LARCH_MEMBER",
            "principals": [MEMBER],
            "audiences": [group],
        },
    )
    source = IndicoSource("larch", table, Settings())
    found = list(source.changes(CrawlScope(), memory))
    source.close()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for item in found:
        if isinstance(item, Document) and not item.parent:
            memory.known[item.id] = KnownDocument(item.date, now)
    return found


def documents(found: list[Item]) -> dict[str, Document]:
    return {item.id: item for item in found if isinstance(item, Document)}


def test_a_file_of_one_group_in_an_event_of_all(
    larch: Larch, server: FaultServer
) -> None:
    """The account that is shown the event first is not shown the file."""
    larch.add(event(1))
    own = {"attachments": [attachment(5, f"{server.url}/5")]}
    larch.add(event(1, folders=[own]), "board")
    found = documents(crawl(server, DictState()))["larch:1"]
    assert {f.key: set(f.access) for f in found.files} == {
        "about": {"public"},
        "a5": {BOARD},
    }


def test_each_group_has_a_canary(larch: Larch, server: FaultServer) -> None:
    larch.add(event(1), "board")
    larch.add(event(2), "member")
    larch.add(event(3))
    state = DictState()
    assert not [i for i in crawl(server, state, canary=1) if _is_alarm(i)]
    with pytest.raises(ConfigError, match="event 2, has never been visible to the"):
        crawl(server, DictState(), canary=2)
    [alarm] = [i for i in crawl(server, DictState(), canary=3) if isinstance(i, Alarm)]
    assert alarm.message == "The canary, event 3, is shown to the public."
    assert alarm.concern is Concern.OPENING
    del larch.shown["board"]["1"]
    alarms = [i for i in crawl(server, state, canary=1) if isinstance(i, Alarm)]
    assert "The account of LARCH_BOARD can no longer see the canary, event 1." in [
        alarm.message for alarm in alarms
    ]


def _is_alarm(item: Item) -> bool:
    return isinstance(item, Alarm)


def test_a_new_event_of_the_second_group_is_found_at_once(
    larch: Larch, server: FaultServer
) -> None:
    memory = DictState()
    larch.add(event(1))
    crawl(server, memory)
    larch.add(event(2), "board")
    found = documents(crawl(server, memory))
    assert found["larch:2"].access == {BOARD}


def test_half_an_event_is_not_known(larch: Larch, server: FaultServer) -> None:
    """A killed run left the event, and not its talk."""
    memory = DictState()
    larch.add(event(1))
    crawl(server, memory)
    larch.add(event(2, contributions=[talk(7)]))
    memory.known["larch:2"] = KnownDocument(
        date(2026, 3, 4), "2026-03-04T00:00:00+00:00"
    )
    assert set(documents(crawl(server, memory))) == {"larch:2", "larch:2/c7"}


def test_an_event_that_only_the_second_group_reads_changes_its_day(
    larch: Larch, server: FaultServer
) -> None:
    """It is closed to the account that is asked first, and not gone."""
    memory = DictState()
    larch.add(event(1))
    larch.add(event(2), "board")
    crawl(server, memory)
    later = {"date": "2041-03-04", "time": "10:00:00", "tz": "UTC"}
    larch.add(event(2, startDate=later), "board")
    memory.kept["slices"] = [["2026-01-01", "2027-01-01", "", "", 2]]
    found = crawl(server, memory)
    assert [i for i in found if isinstance(i, CompleteListing) and not i.ids] == []
    assert documents(found)["larch:2"].date == date(2041, 3, 4)


def test_a_session_that_an_account_manages_is_not_its_groups(
    larch: Larch, server: FaultServer
) -> None:
    block = {
        "url": f"{server.url}/event/1/sessions/9/",
        "title": "Closed",
        "startDate": {"date": "2026-03-04", "time": "10:00:00", "tz": "UTC"},
        "session": {"title": "Closed", "url": f"{server.url}/event/1/sessions/9/"},
        "allowed": {"users": [], "groups": []},
    }
    larch.add(event(1))
    larch.add(event(1, sessions=[block]), "member")
    found = documents(crawl(server, DictState()))["larch:1/sess9"]
    assert found.access == NOBODY
    del block["allowed"]
    found = documents(crawl(server, DictState()))["larch:1/sess9"]
    assert found.access == {MEMBER}


@pytest.mark.parametrize("closed", [set(), {"public"}, {"public", "member"}])
def test_a_bare_session_is_open_to_more_than_its_talks(
    larch: Larch, server: FaultServer, closed: set[str]
) -> None:
    """Only the board is shown a talk in it; the session itself is asked of each."""
    larch.add(event(1))
    larch.add(event(1, contributions=[talk(7, session="Open")]), "board")
    larch.session_for -= closed
    found = documents(crawl(server, DictState()))
    names = {"public": "public", "member": MEMBER, "board": BOARD}
    due = {names[name] for name in larch.session_for}
    assert found["larch:1/sess9"].access == ({"public"} if "public" in due else due)
    assert found["larch:1/c7"].access == {BOARD}


def test_a_clock_that_is_set_back_ends_the_run_all_the_same(
    larch: Larch, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is taken for gone that was seen by the slower clock."""

    def hour_ago() -> str:
        then = datetime.now(UTC) - timedelta(hours=1)
        return then.isoformat(timespec="seconds")

    monkeypatch.setattr(sync, "_now", hour_ago)
    for number in range(1, 31):
        larch.add(event(number))
    memory = DictState()
    old = "2026-01-01T00:00:00+00:00"
    memory.known = {
        f"larch:{n}": KnownDocument(date(2026, 3, 4), old) for n in range(1, 31)
    }
    found = crawl(server, memory)
    assert len(documents(found)) == 30
    assert [i for i in found if isinstance(i, CompleteListing) and not i.ids] == []
