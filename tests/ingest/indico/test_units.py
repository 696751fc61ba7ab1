"""Categories, accounts and lists fail one by one, and end nothing but themselves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import PUBLIC
from dunegpt.config import SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from simulators.http_server import Reply, Request
from simulators.indico.model import Event, Talk
from tests.ingest.indico.site import (
    AHEAD,
    GROUP,
    MEMBER,
    NEAR,
    Site,
    age_slices,
    assert_true,
    many_events,
    rich_event,
    truth,
    view_of,
)

pytestmark = pytest.mark.usefixtures("accounts")

OTTO = frozenset({"otto"})
OLD = "2011-12-31"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Yield a site of two categories, 7 and 8."""
    with Site(tmp_path / "data") as found:
        configure(found, categories=[7, 8])
        yield found


def configure(site: Site, **more: Any) -> None:
    table = {**site.settings.sources["larch"].model_dump(), **more}
    sources = {"larch": SourceSettings(**table)}
    site.settings = site.settings.model_copy(update={"sources": sources})


def warnings(report: CrawlReport) -> str:
    return "\n".join(report.warnings)


def unconfirmed(site: Site) -> dict[str, list[str]]:
    catalog = Catalog(site.settings.paths.catalog)
    units = catalog.get_state("larch", "unconfirmed") or []
    catalog.close()
    return {unit["unit"]: unit["ids"] for unit in units}


def overlay(site: Site) -> dict[str, set[str]]:
    with closing(sqlite3.connect(site.settings.paths.overlay)) as db:
        rows = db.execute("select id, principals from access where key = ''").fetchall()
    return {name: set(readers.strip('[]"').split('", "')) for name, readers in rows}


def let_time_pass(site: Site, hours: float) -> None:
    """Make all observations and failures of the catalog older."""
    age_slices(site, hours)

    def earlier(then: str) -> str:
        older = datetime.fromisoformat(then) - timedelta(hours=hours)
        return older.isoformat(timespec="seconds")

    with closing(sqlite3.connect(site.settings.paths.catalog)) as db, db:
        db.create_function("earlier", 1, earlier)
        db.execute("update documents set observed_at = earlier(observed_at)")
        db.execute("update failures set first_at = earlier(first_at)")
    catalog = Catalog(site.settings.paths.catalog)
    if units := catalog.get_state("larch", "unconfirmed"):
        units = [unit | {"since": earlier(unit["since"])} for unit in units]
        catalog.put_state("larch", "unconfirmed", units)
    catalog.close()


# ── a category ────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("who", [{"mia"}, {"mo"}, {"mia", "mo"}, {"otto"}])
def test_a_category_that_is_closed_to_an_account_ends_no_other(
    site: Site, who: set[str]
) -> None:
    """And a public event of another category that is closed meanwhile is closed."""
    here = rich_event(site)
    here.category = 8
    other = site.model.add("Open so far", NEAR)
    assert site.crawl().error == ""
    assert_true(site)
    site.model.closed[8] = who
    other.readers = GROUP
    report = site.crawl()
    assert report.error == ""
    assert_true(site)
    assert "Category 8 is closed to the account of" in warnings(report)
    assert "ask its managers to admit the account to category 8" in warnings(report)
    for name in who:
        assert f"TOKEN_{name.upper()}" in warnings(report)
    assert "token" not in warnings(report).replace("TOKEN_", "").lower()
    site.model.closed.clear()
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])
    assert_true(site)


@pytest.mark.slow
def test_what_a_closed_category_hid_comes_back_at_once(site: Site) -> None:
    """Whatever its day: no daily look is waited for."""
    event = rich_event(site, day=OLD, readers=GROUP)
    event.category = 8
    many_events(site)
    site.crawl()
    before = view_of(site.settings.data)
    site.model.closed[8] = {"mia"}
    assert site.crawl().error == ""
    assert_true(site)
    site.model.closed.clear()
    assert site.crawl().error == ""
    assert view_of(site.settings.data) == before
    assert_true(site)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["error", "html", "drop", "forbidden"])
def test_a_category_that_cannot_be_listed(
    site: Site, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Its events stay, public or not, while their access may be unconfirmed."""
    inside, ours = rich_event(site), rich_event(site, readers=GROUP)
    inside.category = ours.category = 8
    other = site.model.add("Open so far", NEAR)
    site.crawl()
    before = view_of(site.settings.data)
    answer = site.model.answer

    def broken(request: Request) -> Reply | None:
        if request.path == "/export/categ/8.json" and fault != "forbidden":
            return site.server._fault(fault)
        if request.path == "/export/categ/8.json":
            return Reply(418, b"<h1>no</h1>", {"Content-Type": "text/html"})
        return answer(request)

    monkeypatch.setattr(site.server, "_answer", broken)
    other.readers, inside.readers = GROUP, GROUP
    report = site.crawl()
    assert (report.error, report.removed, report.hidden) == ("", 0, 0)
    assert "category 8" in warnings(report)
    assert view_of(site.settings.data)[f"larch:{other.number}"][1] == {MEMBER}
    kept = {k for k in before if not k.startswith(f"larch:{other.number}")}
    assert kept <= view_of(site.settings.data).keys()
    ids = {f"larch:{inside.number}", f"larch:{ours.number}"}
    assert unconfirmed(site).keys() == {"category 8"}
    assert set(unconfirmed(site)["category 8"]) == ids
    assert ids <= overlay(site).keys()
    let_time_pass(site, 25)
    assert site.crawl().error == ""
    assert not ids & overlay(site).keys()
    assert f"larch:{other.number}" in overlay(site)
    monkeypatch.setattr(site.server, "_answer", answer)
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])
    assert unconfirmed(site) == {}
    assert_true(site)
    assert overlay(site)[f"larch:{inside.number}"] == {MEMBER}


def test_a_category_that_does_not_exist_is_told_by_number(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rich_event(site)
    answer = site.model.answer

    def missing(request: Request) -> Reply | None:
        return None if request.path == "/category/8/info" else answer(request)

    monkeypatch.setattr(site.server, "_answer", missing)
    report = site.crawl()
    assert report.error == ""
    assert "no category 8" in warnings(report)
    assert "'categories'" in warnings(report)
    assert_true(site)


@pytest.mark.slow
def test_no_category_can_be_opened_by_anybody(site: Site) -> None:
    event = rich_event(site)
    site.crawl()
    before = view_of(site.settings.data)
    site.model.closed = {7: {"mia", "mo", "otto"}, 8: {"mia", "mo", "otto"}}
    report = site.crawl()
    assert "/category/7/info" in report.error
    assert "admit the account" in report.hint
    assert view_of(site.settings.data) == before
    assert f"larch:{event.number}" in overlay(site)
    age = site.settings.access.model_copy(update={"max_overlay_age_h": 1e-9})
    hasty = site.settings.model_copy(update={"access": age})
    assert "/category/7/info" in crawl("larch", hasty).error
    assert overlay(site) == {}
    site.model.closed.clear()
    assert site.crawl().error == ""
    assert_true(site)


# ── an account ────────────────────────────────────────────────────────────────────


def revoke(site: Site, *names: str) -> None:
    site.model.accounts -= set(names)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("mia",), ("mo",), ("otto",), ("mia", "mo", "otto")])
def test_an_account_that_is_refused_ends_no_other(
    site: Site, names: tuple[str, ...]
) -> None:
    """What it alone can tell stays for a time; what is closed to all is closed."""
    kept, closed = rich_event(site, day=OLD), site.model.add("Open so far", NEAR)
    groups = [rich_event(site, readers=GROUP), rich_event(site, readers=OTTO)]
    site.crawl()
    before = view_of(site.settings.data)
    revoke(site, *names)
    closed.readers = frozenset({"nobody"})
    report = site.crawl()
    assert report.error == ""
    for name in names:
        assert f"TOKEN_{name.upper()}" in warnings(report)
    assert "max_overlay_age_h" in warnings(report)
    after = view_of(site.settings.data)
    public = {k for k, (_, access) in before.items() if PUBLIC in access}
    gone = {k for k in public if k.startswith(f"larch:{closed.number}")}
    assert gone
    assert not gone & {k for k, (_, access) in after.items() if PUBLIC in access}
    alone = [e for e in groups if not set(e.readers or ()) - set(names)]
    for event in [kept, *groups]:
        own = {k: v for k, v in before.items() if k.startswith(f"larch:{event.number}")}
        assert {k: after.get(k) for k in own} == own
    let_time_pass(site, 25)
    assert site.crawl().error == ""
    shown = overlay(site)
    assert f"larch:{kept.number}" in shown
    for event in alone:
        assert f"larch:{event.number}" not in shown
    site.model.accounts |= set(names)
    report = site.crawl()
    assert (report.error, report.warnings, unconfirmed(site)) == ("", [], {})
    assert_true(site)


def test_what_a_refused_account_cannot_see_is_not_given_to_its_group(
    site: Site,
) -> None:
    site.crawl()
    revoke(site, "mia")
    event = site.model.add("For one of two", NEAR, readers=frozenset({"mo"}))
    site.model.add("For all", NEAR)
    assert site.crawl().error == ""
    assert view_of(site.settings.data).keys() & {f"larch:{event.number}"} == set()
    catalog = Catalog(site.settings.paths.catalog)
    stored = catalog.get(f"larch:{event.number}")
    catalog.close()
    assert stored is not None
    assert stored.evidence.endswith("; TOKEN_MIA could not look")
    assert "not to TOKEN_MIA" not in stored.evidence
    site.model.accounts.add("mia")
    site.crawl()
    assert_true(site)


def test_a_group_that_is_seen_to_be_closed_loses_at_once(site: Site) -> None:
    """One of its accounts is refused; the other is not shown it any more."""
    event = site.model.add("For the group", NEAR, readers=GROUP)
    site.crawl()
    revoke(site, "mia")
    event.readers = frozenset({"mia", "otto"})
    assert site.crawl().error == ""
    assert not any(
        MEMBER in access
        for key, (_, access) in view_of(site.settings.data).items()
        if key.startswith(f"larch:{event.number}")
    )


@pytest.mark.slow
def test_visitors_without_an_account_are_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site that asks all for a login: what was public is not taken for closed."""
    event = rich_event(site)
    site.crawl()
    before = view_of(site.settings.data)
    answer = site.model.answer

    def closed(request: Request) -> Reply | None:
        if "authorization" in request.headers:
            return answer(request)
        return Reply(302, b"", {"Location": "/login/"})

    monkeypatch.setattr(site.server, "_answer", closed)
    report = site.crawl()
    assert (report.error, report.removed) == ("", 0)
    assert "an anonymous visitor" in warnings(report)
    assert view_of(site.settings.data) == before
    let_time_pass(site, 25)
    site.crawl()
    assert f"larch:{event.number}" not in overlay(site)
    monkeypatch.setattr(site.server, "_answer", answer)
    assert site.crawl().error == ""
    assert_true(site)


def test_an_account_that_manages_a_category_is_left_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rich_event(site)
    answer = site.model.answer

    def managed(request: Request) -> Reply | None:
        is_otto = request.headers.get("authorization") == "Bearer otto"
        if request.path == "/category/8/info" and is_otto:
            about = b'{"category": {"deep_event_count": 0, "can_manage": true}}'
            return Reply(200, about, {"Content-Type": "application/json"})
        return answer(request)

    monkeypatch.setattr(site.server, "_answer", managed)
    report = site.crawl()
    assert report.error == ""
    assert "manages category 8" in warnings(report)
    assert "plain member" in warnings(report)
    seen = {p for _, access in view_of(site.settings.data).values() for p in access}
    assert seen == {PUBLIC, MEMBER}
    monkeypatch.setattr(site.server, "_answer", answer)
    site.crawl()
    assert_true(site)


# ── a list ────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_days_that_cannot_be_listed_end_no_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All lists with events of 2012 fail, down to a day, and so does each of these."""
    many_events(site, 300)
    broken = {str(e.number) for e in site.model.events.values() if "2012" in e.day}
    far = rich_event(site, day="2019-12-31")
    site.crawl()
    assert_true(site)
    answer = site.model.answer

    def fail(request: Request) -> Reply | None:
        first, last = request.query.get("from", "0"), request.query.get("to", "9")
        is_list = request.path.startswith("/export/categ/7") and "limit" not in (
            request.query
        )
        if is_list and first <= "2012-12-31" and last >= "2012-01-01":
            return Reply(500)
        asked = set(request.path.split("/")[-1].removesuffix(".json").split("-"))
        if request.path.startswith("/export/event/") and asked & broken:
            return Reply(500)
        return answer(request)

    monkeypatch.setattr(site.server, "_answer", fail)
    far.readers = OTTO
    age_slices(site, hours=25)
    report = site.crawl()
    assert report.error == ""
    assert "category 7 from 201" in warnings(report)
    assert view_of(site.settings.data)[f"larch:{far.number}"][1] != {PUBLIC}
    ids = {i for own in unconfirmed(site).values() for i in own}
    assert {f"larch:{n}" for n in broken} <= ids
    assert f"larch:{far.number}" not in ids
    monkeypatch.setattr(site.server, "_answer", answer)
    report = site.crawl()
    assert (report.error, report.warnings, unconfirmed(site)) == ("", [], {})
    assert_true(site)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["mia", "otto", ""])
def test_the_list_of_one_account_fails(
    site: Site, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """What is known is asked for by number, by all accounts."""
    event = rich_event(site, readers=GROUP | {"", "otto"})
    site.crawl()
    answer = site.model.answer

    def fail(request: Request) -> Reply | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        is_list = "/export/categ/7" in request.path and "limit" not in request.query
        return Reply(500) if is_list and token == who else answer(request)

    monkeypatch.setattr(site.server, "_answer", fail)
    event.readers = GROUP
    site.crawl(full=True)
    assert_true(site)
    monkeypatch.setattr(site.server, "_answer", answer)
    assert site.crawl().error == ""
    assert_true(site)


# ── after an alarm ────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_after_an_alarm_all_lists_are_taken_again(site: Site) -> None:
    """An account loses its group for a while: nothing waits for the daily look."""
    canary = rich_event(site, readers=GROUP)
    configure(site, canary=canary.number)
    events = [rich_event(site, day=OLD, readers=GROUP), rich_event(site, day=AHEAD)]
    many_events(site)
    site.crawl()
    before = view_of(site.settings.data)
    for event in [canary, *events]:
        _swap(event, "mia", "gone")
    age_slices(site, hours=25)
    assert "canary" in site.crawl().error
    for event in [canary, *events]:
        _swap(event, "gone", "mia")
    report = site.crawl()
    assert report.error == ""
    assert view_of(site.settings.data) == before
    assert_true(site)


def _swap(event: Event, old: str, new: str) -> None:
    """Let another account read what one reads of an event."""
    things: list[Any] = [event, *event.sessions.values()]
    for talk in event.talks.values():
        things += [talk, *talk.files]
    for thing in things:
        if thing.readers and old in thing.readers:
            thing.readers = (thing.readers - {old}) | {new}


@pytest.mark.slow
def test_the_quick_look_closes_within_the_hour(site: Site) -> None:
    """Far from today, with few requests, and none of it twice."""
    far = rich_event(site, day=OLD)
    opened = site.model.add("Closed so far", AHEAD, readers=frozenset({"nobody"}))
    for number in range(60):
        site.model.add(f"Weekly {number}", f"20{10 + number % 12}-0{number % 9 + 1}-11")
    site.crawl()
    split_slices(site, ["2010-01-01", "2014-01-01", "2018-01-01", "2026-01-01"])
    quiet = site.crawl().requests
    far.readers = GROUP
    opened.readers = None
    far.talks[next(iter(far.talks))].readers = OTTO
    site.model.delete(next(n for n, e in site.model.events.items() if "2016" in e.day))
    let_minutes_pass(site, 30)
    assert site.crawl().requests == quiet
    let_minutes_pass(site, 30)
    looked = site.crawl()
    assert looked.error == ""
    assert_true(site)
    assert site.crawl().requests == quiet
    let_minutes_pass(site, 60)
    again = site.crawl()
    assert (again.changed, again.removed) == (0, 0)
    assert quiet < again.requests < looked.requests
    assert again.requests - quiet <= 5 * 3 * 2 * 2


def split_slices(site: Site, marks: list[str]) -> None:
    """Cut the days, as of a site with many events."""
    catalog = Catalog(site.settings.paths.catalog)
    [[*_, read_at, looked_at, events]] = [
        row[:5] for row in catalog.get_state("larch", "slices")
    ]
    days = ["", *marks, ""]
    rows = [[first, last, read_at, looked_at, events] for first, last in pairwise(days)]
    catalog.put_state("larch", "slices", rows)
    catalog.close()


def let_minutes_pass(site: Site, minutes: float) -> None:
    catalog = Catalog(site.settings.paths.catalog)
    rows = catalog.get_state("larch", "slices")
    for row in rows:
        for place in (2, 3, 5):
            if len(row) > place and row[place]:
                then = datetime.fromisoformat(row[place]) - timedelta(minutes=minutes)
                row[place] = then.isoformat(timespec="seconds")
    catalog.put_state("larch", "slices", rows)
    catalog.close()


@pytest.mark.slow
def test_the_quick_look_keeps_to_its_share_of_the_requests(site: Site) -> None:
    """What it cannot do in one run it does in the next, the longest unseen first."""
    events = [site.model.add(f"Of {y}", f"{y}-06-01") for y in range(2010, 2020)]
    site.crawl()
    split_slices(site, [f"{year}-01-01" for year in range(2010, 2021)])
    catalog = Catalog(site.settings.paths.catalog)
    rows = [[*row[:4], 200] for row in catalog.get_state("larch", "slices")]
    catalog.put_state("larch", "slices", rows)
    catalog.close()
    let_minutes_pass(site, 60)
    for event in events:
        event.readers = OTTO
    configure(site, requests_per_hour=30 * 3)
    public: list[int] = []
    for _ in range(12):
        site.crawl()
        shown = view_of(site.settings.data).values()
        public.append(sum(PUBLIC in access for _, access in shown))
        catalog = Catalog(site.settings.paths.catalog)
        catalog.put_state("larch", "spent", None)
        catalog.close()
    assert public[0] > 0
    assert public == sorted(public, reverse=True)
    assert public[-1] == 0
    assert_true(site)


def test_a_talk_that_is_opened_is_seen_by_the_quick_look(site: Site) -> None:
    event = site.model.add("Far", OLD)
    event.talks[99] = Talk(99, "Closed so far", readers=frozenset({"nobody"}))
    site.crawl()
    split_slices(site, ["2010-01-01", "2014-01-01"])
    let_minutes_pass(site, 60)
    event.talks[99].readers = None
    site.crawl()
    assert truth(site.model)["larch:1/c99"] == {PUBLIC}
    assert_true(site)


@pytest.mark.slow
def test_a_data_folder_of_an_earlier_version_opens(site: Site) -> None:
    """It knows neither views nor days nor categories of its events."""
    rich_event(site)
    far = rich_event(site, day=OLD, readers=GROUP)
    site.crawl()
    catalog = Catalog(site.settings.paths.catalog)
    for key, facts in list(catalog.iter_state("larch", "larch:")):
        kept = {k: facts[k] for k in ("talks", "unpublished", "sessions")}
        kept["sessions"] = {k: v for k, v in kept["sessions"].items() if k != "*"}
        catalog.put_state("larch", key, {**kept, "look": "of before"})
    rows = [row[:5] for row in catalog.get_state("larch", "slices")]
    catalog.put_state("larch", "slices", rows)
    catalog.close()
    revoke(site, "mia")
    assert site.crawl().removed == 0
    site.model.accounts.add("mia")
    far.readers = OTTO
    assert site.crawl().error == ""
    assert_true(site)
    clean = site.settings.model_copy(
        update={"data_dir": site.settings.data.parent / "clean"}
    )
    crawl("larch", clean)
    assert view_of(site.settings.data) == view_of(clean.data)


def test_what_is_shared_with_a_refused_account_alone_is_not_taken_for_gone(
    site: Site,
) -> None:
    event = site.model.add("By name", NEAR, readers=frozenset({"mia"}))
    site.model.add("For all", NEAR)
    site.crawl()
    revoke(site, "mia")
    report = site.crawl()
    assert (report.error, report.removed, report.hidden) == ("", 0, 0)
    site.model.accounts.add("mia")
    event.readers = GROUP
    site.crawl()
    assert_true(site)
