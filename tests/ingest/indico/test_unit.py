"""Indico as a source, against a scripted site that goes wrong on demand.

What the site answers follows what was seen on Indico 3.3.14; the real one is in
``tests/real``.
"""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY, PUBLIC
from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import (
    ConfigError,
    FetchError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.indico.source import IndicoSource
from dunegpt.ingest.items import CompleteListing, CrawlScope, Item
from dunegpt.types import Document, Failure, FileRef
from simulators.http_server import FaultServer, Reply, Request
from tests.ingest.listing import DictState, items

TOKEN = "indp_secret"
MEMBER = "larch:member"
JSON = {"Content-Type": "application/json"}
PAGE = {"Content-Type": "text/html; charset=utf-8"}


def as_json(content: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode(), JSON)


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "meeting",
        "title": f"Meeting {number}",
        "url": f"https://larch.test/event/{number}/",
        "startDate": {"date": "2026-03-04", "time": "10:00:00", "tz": "UTC"},
        "description": "<p>About it</p>",
        "contributions": [],
        **more,
    }


def talk(db_id: int, **more: Any) -> dict[str, Any]:
    url = f"https://larch.test/event/1/contributions/{db_id}/"
    return {"db_id": db_id, "title": f"Talk {db_id}", "url": url, **more}


def attachment(number: int, url: str, content: str = "slides") -> dict[str, Any]:
    return {
        "id": number,
        "type": "file",
        "filename": f"{content}.pdf",
        "content_type": "application/pdf",
        "size": len(content),
        "checksum": "0" * 32,
        "download_url": url,
    }


class Larch:
    """A scripted Indico: what each reader sees, and what goes wrong."""

    def __init__(self) -> None:
        self.public: dict[str, dict[str, Any]] = {}
        self.member: dict[str, dict[str, Any]] = {}
        self.closed: set[str] = set()
        self.count: int | None = None
        self.wrong: list[tuple[str, Reply | Callable[[Request], Reply | None]]] = []

    def add(self, *events: dict[str, Any], hidden: bool = False) -> None:
        for item in events:
            self.member[item["id"]] = item
            if not hidden:
                self.public[item["id"]] = copy.deepcopy(item)

    def answer(self, request: Request) -> Reply | None:
        for part, reply in self.wrong:
            if part in request.path:
                own = reply if isinstance(reply, Reply) else reply(request)
                if own:
                    return own
        login = request.headers.get("authorization") == f"Bearer {TOKEN}"
        events = self.member if login else self.public
        if request.path.startswith("/category/"):
            count = len(self.member) if self.count is None else self.count
            return as_json({"category": {"deep_event_count": count}})
        if request.path.startswith("/export/categ/"):
            return as_json(
                {"results": [e for e in events.values() if within(e, request)]}
            )
        if request.path.startswith("/export/event/"):
            asked = Path(request.path).stem.split("-")
            return as_json({"results": [events[n] for n in asked if n in events]})
        if request.path.startswith("/export/attachments/"):
            return self.fate(Path(request.path).stem, events)
        return None

    def fate(self, number: str, shown: dict[str, dict[str, Any]]) -> Reply:
        if number in shown:
            return as_json({"results": {"folders": []}})
        closed = number in self.member or number in self.public or number in self.closed
        return as_json({"message": "no"}, 403 if closed else 404)


def within(item: dict[str, Any], request: Request) -> bool:
    if not {"from", "to"} & request.query.keys():
        return True
    day: str = item["startDate"]["date"]
    return request.query.get("from", "0") <= day <= request.query.get("to", "9999")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    client = partial(PoliteClient, attempts=2, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    monkeypatch.setenv("LARCH_TOKEN", TOKEN)


@pytest.fixture
def larch() -> Larch:
    return Larch()


@pytest.fixture
def server(larch: Larch) -> Iterator[FaultServer]:
    with FaultServer(larch.answer) as server:
        yield server


Open = Callable[..., IndicoSource]


@pytest.fixture
def open_larch(server: FaultServer) -> Iterator[Open]:
    opened: list[IndicoSource] = []

    def make(token: bool = True, **more: Any) -> IndicoSource:
        options = {"token_env": "LARCH_TOKEN", "principals": [MEMBER]} if token else {}
        table = SourceSettings(
            type="indico",
            **{"url": server.url, "categories": [2], "delay_s": 0, **options, **more},
        )
        opened.append(IndicoSource("larch", table, Settings()))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


Listed = tuple[dict[str, Document], list[Failure]]


def listed(source: IndicoSource) -> Listed:
    found = items(source)
    documents = {d.id: d for d in found if isinstance(d, Document)}
    return documents, [f for f in found if isinstance(f, Failure)]


# ── who may read ──────────────────────────────────────────────────────────────────


def test_two_views(larch: Larch, server: FaultServer, open_larch: Open) -> None:
    larch.add(event(1, contributions=[talk(7), talk(8)]))
    larch.public["1"]["contributions"].pop()
    larch.add(event(2), hidden=True)
    documents, failures = listed(open_larch())
    assert failures == []
    assert {i: set(d.access) for i, d in documents.items()} == {
        "larch:1": {PUBLIC},
        "larch:1/c7": {PUBLIC},
        "larch:1/c8": {MEMBER},
        "larch:2": {MEMBER},
    }
    assert all(f.access == d.access for d in documents.values() for f in d.files)
    assert documents["larch:1/c8"].parent == "larch:1"


@pytest.mark.parametrize(
    "change", [{"title": "Other"}, {"description": "more"}, {"room": "B1"}]
)
def test_content_that_differs_is_not_public(
    larch: Larch, open_larch: Open, change: dict[str, str]
) -> None:
    larch.add(event(1))
    larch.public["1"].update(change)
    documents, _ = listed(open_larch())
    assert documents["larch:1"].access == {MEMBER}
    assert documents["larch:1"].title == "Meeting 1"
    assert {f.access for f in documents["larch:1"].files} == {frozenset({MEMBER})}


def test_a_file_for_members_in_a_public_talk(larch: Larch, open_larch: Open) -> None:
    own = [attachment(1, "http://x/1"), attachment(2, "http://x/2")]
    note = {"html": "<p>Decided</p>", "url": "http://x/note"}
    larch.add(event(1, folders=[{"attachments": own}], note=note))
    larch.public["1"]["folders"][0]["attachments"].pop()
    larch.public["1"]["note"] = {"html": "<p>Shortened</p>", "url": "http://x/note"}
    documents, _ = listed(open_larch())
    access = {f.key: set(f.access) for f in documents["larch:1"].files}
    assert documents["larch:1"].access == {PUBLIC}
    assert access == {
        "about": {PUBLIC},
        "minutes": {MEMBER},
        "a1": {PUBLIC},
        "a2": {MEMBER},
    }


def test_a_token_without_principals_hides(larch: Larch, open_larch: Open) -> None:
    larch.add(event(1))
    larch.add(event(2), hidden=True)
    documents, _ = listed(open_larch(principals=[]))
    assert documents["larch:1"].access == {PUBLIC}
    assert documents["larch:2"].access == NOBODY
    assert all(file.access == NOBODY for file in documents["larch:2"].files)


def test_without_a_token(larch: Larch, server: FaultServer, open_larch: Open) -> None:
    larch.add(event(1))
    larch.add(event(2), hidden=True)
    source = open_larch(token=False)
    documents, failures = listed(source)
    assert (set(documents), failures) == ({"larch:1"}, [])
    assert not any("authorization" in r.headers for r in server.requests)
    assert not any("onlyauthed" in r.query for r in server.requests)


def test_each_request(larch: Larch, server: FaultServer, open_larch: Open) -> None:
    larch.add(event(1, contributions=[talk(7, session="S")]), event(2))
    session = {"session": {"id": 5, "title": "S"}}
    larch.wrong.append(("/contributions/7.json", as_json(session)))
    larch.wrong.append(("/export/attachments/", as_json({"results": {"folders": []}})))
    larch.wrong.append(("/export/note/", as_json({"results": {}})))
    documents, failures = listed(open_larch())
    assert failures == []
    assert set(documents) == {"larch:1", "larch:1/c7", "larch:1/sess5", "larch:2"}
    assert documents["larch:1/sess5"].kind == "session"
    kinds = {r.path.split("/")[2] for r in server.requests if "export" in r.path}
    assert kinds == {"categ", "attachments", "note"}
    for request in server.requests:
        assert (request.query["nc"], request.query["tz"]) == ("yes", "UTC")
        authed = "authorization" in request.headers
        due = authed and request.path.startswith("/export/")
        assert ("onlyauthed" in request.query) == due
        assert "offset" not in request.query
        assert "limit" not in request.query


# ── windows ───────────────────────────────────────────────────────────────────────


def windows(server: FaultServer) -> list[tuple[str | None, str | None]]:
    """Return the days that the account asked the details of."""
    return [
        (r.query.get("from"), r.query.get("to"))
        for r in server.requests
        if r.path.startswith("/export/categ/")
        and r.query["detail"] == "subcontributions"
        and "authorization" in r.headers
    ]


def test_a_large_list_is_cut_by_date(
    larch: Larch, server: FaultServer, open_larch: Open
) -> None:
    days = ["1970-01-01", "1990-01-01", "2026-12-31", "2150-01-01"]
    days += [f"20{n % 30:02}-0{n % 9 + 1}-1{n % 10}" for n in range(300)]
    for number, day in enumerate(days):
        start = {"date": day, "time": "10:00:00", "tz": "UTC"}
        larch.add(event(number, startDate=start))
    larch.public.clear()
    documents, failures = listed(open_larch())
    assert (len(documents), failures) == (304, [])
    asked = windows(server)
    assert (asked[0][0], asked[-1][1]) == (None, None)
    for (_, stop), (following, _) in pairwise(asked):
        assert stop
        assert stop == following


@pytest.mark.parametrize("count", [250, 251])
def test_when_it_is_cut(
    larch: Larch, server: FaultServer, open_larch: Open, count: int
) -> None:
    larch.add(event(1))
    larch.count = count
    assert set(listed(open_larch())[0]) == {"larch:1"}
    assert (len(windows(server)) > 1) == (count > 250)


def test_a_window_too_large_for_the_site_is_cut(larch: Larch, open_larch: Open) -> None:
    """A proxy gives up after a minute: 504 for whatever holds too many events."""
    for number in range(300):
        start = {"date": f"2020-{number % 12 + 1:02}-{number % 27 + 1:02}"}
        start |= {"time": "10:00:00", "tz": "UTC"}
        larch.add(event(number, startDate=start))
    larch.public.clear()

    def overloaded(request: Request) -> Reply | None:
        first, last = request.query.get("from"), request.query.get("to")
        if not first or not last or first > "2020-12-31" or last < "2020-01-01":
            return None
        width = date.fromisoformat(last) - date.fromisoformat(first)
        return Reply(504) if width.days > 100 else None

    larch.wrong.append(("/export/categ/", overloaded))
    assert len(listed(open_larch())[0]) == 300


# ── refusals ──────────────────────────────────────────────────────────────────────

SCOPE = b'{"error": "insufficient_scope"}'


@pytest.mark.parametrize(
    ("where", "reply", "reason"),
    [
        (
            "/export/categ",
            Reply(400, b"OAuth error: insufficient_scope", PAGE),
            "legacy",
        ),
        ("/export/categ", Reply(400, b"OAuth error: invalid_token", PAGE), "expired"),
        ("/category/", Reply(401, b'{"error": "invalid_token"}', JSON), "expired"),
        ("/category/", Reply(403, SCOPE, JSON), "read:everything"),
        ("/category/", Reply(403, b"<h1>Access denied</h1>", PAGE), "no access"),
        ("/category/", Reply(302, b"", {"Location": "/login/"}), "may not"),
        ("/export/categ", Reply(302, b"", {"Location": "/login/"}), "may not"),
        ("/category/", Reply(301, b"", {"Location": "http://x/"}), "another address"),
        ("/export/categ", Reply(403, b'{"message": "x"}', JSON), "403"),
    ],
)
def test_refused(
    larch: Larch, open_larch: Open, where: str, reply: Reply, reason: str
) -> None:
    larch.add(event(1))
    larch.wrong.append((where, reply))
    with pytest.raises(SourceLoginError, match=reason):
        listed(open_larch())


def test_a_login_page_without_a_token(larch: Larch, open_larch: Open) -> None:
    larch.wrong.append(("/category/", Reply(302, b"", {"Location": "/login/"})))
    with pytest.raises(SourceLoginError, match="leads to a login page"):
        listed(open_larch(token=False))


@pytest.mark.parametrize(
    ("where", "reply"),
    [
        ("/category/", Reply(404, b"{}", JSON)),
        ("/category/", Reply(200, b"<!doctype html><h1>Indico</h1>", PAGE)),
        ("/category/", Reply(200, b"{half", JSON)),
        ("/category/", as_json({})),
        ("/category/", as_json([])),
        ("/category/", as_json({"category": {"deep_event_count": None}})),
        ("/export/categ", Reply(200, b"<!doctype html><h1>Log in</h1>", PAGE)),
        ("/export/categ", Reply(422, b"<h1>limit</h1>", PAGE)),
        ("/export/categ", Reply(400, b'{"message": "too many"}', JSON)),
        ("/export/categ", as_json({"results": None})),
        ("/export/categ", as_json([1])),
        ("/export/categ", as_json({"results": [{}]})),
        ("/export/categ", as_json({"results": ["1"]})),
    ],
)
def test_a_list_that_is_none(
    larch: Larch, open_larch: Open, where: str, reply: Reply
) -> None:
    larch.add(event(1))
    larch.wrong.append((where, reply))
    with pytest.raises(SourceFormatError):
        listed(open_larch())


# ── one bad item ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("closed", "reason"), [(False, "deleted at the source"), (True, "closed to us")]
)
def test_an_event_that_vanishes(
    larch: Larch, open_larch: Open, closed: bool, reason: str
) -> None:
    """Between the list and the reading: it is asked what became of it."""
    for number in range(1, 4):
        larch.add(event(number))

    def vanish(request: Request) -> None:
        larch.member.pop("2", None)
        larch.public.pop("2", None)
        larch.closed |= {"2"} if closed else set()

    larch.wrong.append(("/export/categ/", too_much))
    larch.wrong.append(("/export/event/", vanish))
    found = items(open_larch())
    assert {d.id for d in found if isinstance(d, Document)} == {"larch:1", "larch:3"}
    assert CompleteListing("larch:2", frozenset(), reason) in found
    assert not [f for f in found if isinstance(f, Failure)]


@pytest.mark.parametrize(
    "broken",
    [
        {"title": None, "url": 7, "startDate": {"date": "soon"}},
        {"startDate": "2026-03-04"},
        {"contributions": 7},
        {"folders": [{"attachments": [{"id": 1}]}]},
    ],
)
@pytest.mark.parametrize("token", [True, False])
def test_a_broken_event_among_good_ones(
    larch: Larch, open_larch: Open, broken: dict[str, Any], token: bool
) -> None:
    larch.add(event(1), event(2, **broken), event(3))
    documents, failures = listed(open_larch(token=token))
    assert {"larch:1", "larch:3"} <= set(documents)
    assert {(f.id, f.stage) for f in failures} == {("larch:2", "list")}


def test_the_ledger_keeps_the_true_reason(larch: Larch, open_larch: Open) -> None:
    """One event, one failure; the last one of an id is what the ledger shows."""
    larch.add(event(1), event(2, startDate={"date": "soon"}))
    _, failures = listed(open_larch(token=False))
    assert [f.error for f in failures] == ["KeyError"]


def test_an_id_of_letters_stops_nothing(larch: Larch, open_larch: Open) -> None:
    """Imported events kept ids such as ``a012``."""
    larch.add(event(1), {**event(2), "id": "a012"})
    documents, _ = listed(open_larch())
    assert "larch:1" in documents


def too_much(request: Request) -> Reply | None:
    """The site lists events, and cannot show them in a list."""
    return Reply(500) if request.query["detail"] != "events" else None


def test_an_event_that_the_site_cannot_show(larch: Larch, open_larch: Open) -> None:
    """A batch that fails is halved until the one event is found."""
    for number in range(1, 31):
        larch.add(event(number))

    def fail(request: Request) -> Reply | None:
        asked = Path(request.path).stem.split("-")
        return Reply(500) if "13" in asked else None

    larch.wrong.append(("/export/categ/", too_much))
    larch.wrong.append(("/export/event/", fail))
    documents, failures = listed(open_larch())
    assert len(documents) == 29
    [failure] = failures
    assert (failure.id, failure.stage) == ("larch:13", "list")
    assert failure.error == "SourceUnreachableError"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_the_site_dies_midway(larch: Larch, open_larch: Open, after: int) -> None:
    for number in range(1, 61):
        larch.add(event(number))
    asked: list[str] = []

    def die(request: Request) -> Reply | None:
        asked.append(request.path)
        return Reply(503) if len(asked) > 4 * after else None

    larch.wrong.append(("/export/categ/", too_much))
    larch.wrong.append(("/export/event/", die))
    source = open_larch()
    came: list[Item] = []
    with pytest.raises(SourceUnreachableError):
        for item in source.changes(CrawlScope(), DictState()):
            came.append(item)
    assert len([d for d in came if isinstance(d, Document)]) == 20 * after


# ── files ─────────────────────────────────────────────────────────────────────────


def fetch(source: IndicoSource, url: str) -> bytes:
    file = FileRef("a1", "a.pdf", "application/pdf", url, NOBODY)
    return b"".join(source.fetch(file))


@pytest.mark.parametrize("fault", ["login", "error", "partial", "forbidden", "nothing"])
def test_a_file_that_cannot_be_had(
    server: FaultServer, open_larch: Open, fault: str
) -> None:
    with pytest.raises(FetchError):
        fetch(open_larch(), f"{server.url}/{fault}")
    assert not any("/login/" in path for path in server.paths())


def test_a_file(server: FaultServer, open_larch: Open) -> None:
    assert fetch(open_larch(), f"{server.url}/ok").startswith(b"all is well")
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    with pytest.raises(FetchError, match="another host"):
        fetch(open_larch(), "http://127.0.0.2/ok")
    with pytest.raises(FetchError, match="longer than 1,048,576"):
        fetch(open_larch(max_file_mb=1), f"{server.url}/endless")


@pytest.mark.parametrize(
    "options",
    [{"url": "larch.test"}, {"categories": []}, {"token": "indp_x"}, {"delay_s": -1}],
)
def test_options(open_larch: Open, options: dict[str, Any]) -> None:
    table = {"type": "indico", "url": "http://x", "categories": [1], **options}
    with pytest.raises(ConfigError, match=r"\[sources\.larch\]") as caught:
        IndicoSource("larch", SourceSettings(**table), Settings())
    assert "indp_x" not in str(caught.value)


def test_a_token_that_is_not_set(
    open_larch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LARCH_TOKEN")
    with pytest.raises(ConfigError, match="LARCH_TOKEN"):
        open_larch()
