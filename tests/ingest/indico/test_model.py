"""Any history of a site, with kills in between, ends in the view of a clean crawl."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunegpt.access import PUBLIC
from dunegpt.config import SourceSettings
from dunegpt.ingest import change_notices
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from simulators.http_server import Reply, Request
from simulators.indico.model import Event, File, IndicoModel, Session, Talk
from tests.ingest.indico.site import (
    DAYS,
    GROUP,
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


# ── one history after the other ───────────────────────────────────────────────────


@pytest.mark.slow
def test_everything_that_can_be_closed(site: Site) -> None:
    rich_event(site)
    rich_event(site, readers=GROUP)
    rich_event(site, readers=frozenset({"mo"}))
    rich_event(site, inside=False)
    report = site.crawl()
    assert (report.error, report.failed) == ("", 0)
    assert_true(site)
    assert len(truth(site.model)) > 60


@pytest.mark.slow
def test_an_increment_sees_what_is_near(site: Site) -> None:
    near, far = rich_event(site), rich_event(site, day="2011-12-31")
    site.crawl()
    many_events(site)
    site.crawl(full=True)
    near.readers = frozenset({"otto"})
    assert site.crawl().error == ""
    assert_true(site)
    del far.talks[next(iter(far.talks))]
    assert site.crawl().removed == 0
    assert site.crawl(full=True).removed > 0
    assert_true(site)


@pytest.mark.slow
def test_the_daily_look_sees_what_was_closed_long_ago(site: Site) -> None:
    old = rich_event(site, day="2011-12-31")
    gone = site.model.add("Goes", "2011-12-30")
    many_events(site)
    site.crawl()
    assert_true(site)
    old.readers = GROUP
    next(iter(old.talks.values())).title = "Renamed"
    site.model.delete(gone.number)
    assert site.crawl().changed == 0
    age_slices(site, hours=25)
    report = site.crawl()
    assert report.removed > 1
    assert_true(site)
    unchanged = site.crawl()
    assert (unchanged.changed, unchanged.removed) == (0, 0)


@pytest.mark.slow
def test_new_events_are_found_wherever_they_lie(site: Site) -> None:
    many_events(site)
    site.crawl()
    for day in ("1971-01-01", "2012-02-03", "2049-01-01"):
        site.model.add("Back-dated", day)
        site.model.add("Closed", day, readers=GROUP)
    assert site.crawl().new == 6
    assert_true(site)


@pytest.mark.slow
def test_the_cost_of_an_increment_is_that_of_its_changes(site: Site) -> None:
    many_events(site, 300)
    full = site.crawl().requests
    quiet = site.crawl().requests
    for number in range(10):
        site.model.add("New", f"2012-03-{number + 1:02}")
    busy = site.crawl().requests
    many_events(site, 300)
    site.crawl(full=True)
    assert site.crawl().requests == quiet
    assert quiet < busy < full


@pytest.mark.slow
def test_moved_out_and_in(site: Site) -> None:
    event, other = rich_event(site), rich_event(site, inside=False)
    site.crawl()
    event.inside, other.inside = False, True
    site.crawl()
    assert_true(site)


def test_an_event_outside_is_not_let_in_by_a_notice(site: Site) -> None:
    event = rich_event(site, inside=False)
    site.crawl()
    change_notices.write_notice(
        site.settings.data, "larch", [str(event.number), "larch:nonsense/x"]
    )
    report = site.crawl()
    assert (report.error, report.seen) == ("", 0)
    assert change_notices.list_pending(site.settings.data, "larch") == []
    assert_true(site)


@pytest.mark.slow
def test_a_notice_jumps_the_queue(site: Site) -> None:
    event = rich_event(site, day="2011-12-31")
    many_events(site)
    site.crawl()
    event.readers = GROUP
    change_notices.write_notice(
        site.settings.data, "larch", [f"larch:{event.number}/c5"]
    )
    site.crawl()
    assert_true(site)


@pytest.mark.slow
def test_a_withdrawn_programme_is_kept_and_comes_back(site: Site) -> None:
    event = rich_event(site)
    site.crawl()
    before = view_of(site.settings.data)
    event.published = False
    report = site.crawl()
    assert report.kept > 0
    assert (report.removed, report.error) == (0, "")
    assert_true(site)
    catalog = Catalog(site.settings.paths.catalog)
    assert len(catalog.ids("larch")) == report.kept + 1
    catalog.close()
    event.published = True
    site.crawl()
    assert view_of(site.settings.data) == before


@pytest.mark.slow
def test_a_demoted_account_closes_and_purges_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = rich_event(site, readers=GROUP)
    many_events(site, 30)
    options = site.settings.sources["larch"].model_dump()
    table = SourceSettings(**{**options, "canary": canary.number})
    site.settings = site.settings.model_copy(update={"sources": {"larch": table}})
    site.crawl()
    before = view_of(site.settings.data)
    canary.readers = frozenset({"nobody"})
    report = site.crawl()
    assert "canary" in report.error
    assert report.hidden > 0
    assert_true(site)
    canary.readers = GROUP
    assert site.crawl(full=True).error == ""
    assert view_of(site.settings.data) == before


@pytest.mark.slow
def test_a_list_that_lacks_what_exists_is_not_believed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many events are missing from a list, and there when asked for one by one."""
    for number in range(60):
        site.model.add(f"Weekly {number}", NEAR)
    site.crawl()
    before = view_of(site.settings.data)
    answer = site.model.answer

    def broken(request: Request) -> Reply:
        narrow_list = request.query.get("from", "") == request.query.get("to")
        if "/export/categ" in request.path and not narrow_list:
            return Reply(200, b'{"results": []}', {"Content-Type": "application/json"})
        return answer(request)

    monkeypatch.setattr(site.model, "answer", broken)
    report = site.crawl(full=True)
    assert "cannot be trusted" in report.error
    assert view_of(site.settings.data) == before
    monkeypatch.setattr(site.model, "answer", answer)
    assert site.crawl().error == ""
    assert view_of(site.settings.data) == before


@pytest.mark.slow
def test_rights_that_come_after_the_first_crawl(site: Site) -> None:
    event = rich_event(site, readers=frozenset({"nobody"}))
    assert "none of them" in site.crawl().error
    event.readers = GROUP
    assert site.crawl().error == ""
    assert_true(site)


def test_events_that_stay_broken_stop_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [site.model.add(f"Meeting {n}", NEAR) for n in range(12)]
    broken = {str(event.number) for event in events[:5]}
    answer = site.model.answer

    def fail(request: Request) -> Reply:
        asked = request.path.split("/")[-1].removesuffix(".json").split("-")
        in_list = "categ" in request.path and request.query["detail"] != "events"
        if in_list or ("/export/event/" in request.path and broken & set(asked)):
            return Reply(500)
        return answer(request)

    monkeypatch.setattr(site.model, "answer", fail)
    for _ in range(3):
        site.crawl()
    monkeypatch.setattr(site.model, "answer", answer)
    assert site.crawl(full=True).error == ""
    assert_true(site)


@pytest.mark.slow
def test_an_event_that_was_stored_by_half_is_looked_at_again(site: Site) -> None:
    """Opened, stored by half, and closed again: the digest of before is void."""
    event = rich_event(site, day="2011-12-31", readers=GROUP)
    many_events(site)
    site.crawl()
    event.readers = None
    change_notices.write_notice(site.settings.data, "larch", [str(event.number)])
    site.crawl(limit=1)
    event.readers = GROUP
    for path in change_notices.list_pending(site.settings.data, "larch"):
        path.unlink()
    age_slices(site, hours=25)
    site.crawl()
    assert_true(site)


@pytest.mark.slow
def test_a_session_that_is_closed_long_after(site: Site) -> None:
    event = rich_event(site, day="2011-12-31")
    many_events(site)
    site.crawl()
    next(s for s in event.sessions.values() if s.has_block).readers = GROUP
    next(s for s in event.sessions.values() if not s.has_block).readers = GROUP
    age_slices(site, hours=25)
    site.crawl()
    assert_true(site)


@pytest.mark.slow
def test_many_events_may_change_their_days(site: Site) -> None:
    for number in range(60):
        site.model.add(f"Weekly {number}", "2011-11-20")
    many_events(site)
    site.crawl()
    for event in list(site.model.events.values())[:60]:
        event.day = "2016-11-20"
    age_slices(site, hours=25)
    report = site.crawl()
    assert (report.error, report.changed, report.removed) == ("", 60, 0)
    assert_true(site)


@pytest.mark.slow
def test_one_session_that_cannot_be_asked_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site fails on one session's files: one event waits, all others are read."""
    broken = rich_event(site)
    rich_event(site)
    number = next(s.number for s in broken.sessions.values() if not s.has_block)
    answer = site.model.answer

    def fail(request: Request) -> Reply:
        if request.path.endswith(f"/session/{number}.json"):
            return Reply(500)
        return answer(request)

    monkeypatch.setattr(site.model, "answer", fail)
    report = site.crawl()
    assert report.error == ""
    assert [f.id for f in report.failures] == [f"larch:{broken.number}"]
    monkeypatch.setattr(site.model, "answer", answer)
    assert site.crawl().failed == 0
    assert_true(site)


def test_a_manager_is_no_member(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an account is shown since it manages an event is not its group's."""
    event = rich_event(site, readers=GROUP)
    answer = site.model._event

    def managed(event: Event, level: str, who: str) -> dict[str, Any]:
        allowed: dict[str, Any] = {"allowed": {}} if who == "mia" else {}
        return answer(event, level, who) | allowed

    monkeypatch.setattr(site.model, "_event", managed)
    site.crawl()
    assert view_of(site.settings.data) == {}
    catalog = Catalog(site.settings.paths.catalog)
    document = catalog.get(f"larch:{event.number}")
    catalog.close()
    assert document
    assert "manages" in document.evidence
    assert not any(file.sha256 for file in document.files)


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["event", "file"])
def test_what_a_network_may_see_is_not_public(
    site: Site, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    """An anonymous visitor in the right network is shown what others are not."""
    event = rich_event(site)
    answer, files = site.model._event, site.model._files

    def marked(event: Event, level: str, who: str) -> dict[str, Any]:
        return answer(event, level, who) | {"hasAnyProtection": mark == "event"}

    def marked_files(talk: Talk, who: str) -> list[dict[str, Any]]:
        own = {"is_protected": mark == "file"}
        return [file | own for file in files(talk, who)]

    monkeypatch.setattr(site.model, "_event", marked)
    monkeypatch.setattr(site.model, "_files", marked_files)
    site.crawl()
    public = {k for k, (_, a) in view_of(site.settings.data).items() if PUBLIC in a}
    talks = {f"larch:{event.number}/c{talk}" for talk in event.talks}
    assert not public & talks
    assert (f"larch:{event.number}" in public) == (mark == "file")


# ── any history ───────────────────────────────────────────────────────────────────

READERS = st.sampled_from([None, GROUP, frozenset({"mia"}), frozenset({"otto"})])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            "new talk file part session edit close move delete drop publish "
            "crawl full kill".split()
        ),
        st.integers(0, 7),
        READERS,
    ),
    max_size=24,
)


def change(model: IndicoModel, what: str, which: int, readers: Any) -> None:  # noqa: C901
    """Let one thing happen at the site; nothing, if there is nothing to happen to."""
    if what == "new" or not model.events:
        model.add(f"Event {which}", DAYS[which % 5], readers=readers)
        return
    event = list(model.events.values())[which % len(model.events)]
    talks = list(event.talks.values())
    talk = talks[which % len(talks)] if talks else None
    if what == "talk":
        session = next(iter(event.sessions), None) if which % 2 else None
        own = Talk(model.next(), f"Talk {which}", readers, session=session)
        event.talks[own.number] = own
    elif what == "session":
        own_session = Session(model.next(), f"S{which % 2}", readers, bool(which % 3))
        event.sessions[own_session.number] = own_session
    elif what == "file" and talk:
        talk.files.append(File(model.next(), f"text {which}", readers))
    elif what == "part" and talk:
        talk.parts[model.next()] = f"Part {which}"
    elif what == "edit":
        event.title, event.minutes = f"Edited {which}", f"Minutes {model.next()}"
    elif what == "close":
        target: Any = talk if talk and which % 2 else event
        target.readers = readers
    elif what == "move":
        event.inside = not event.inside
    elif what == "delete":
        model.delete(event.number)
    elif what == "drop" and talk:
        del event.talks[talk.number]
    elif what == "publish":
        event.published = not event.published


def test_an_event_after_a_kill_at_the_end_of_an_empty_crawl(tmp_path: Path) -> None:
    with Site(tmp_path / "data") as site:
        site.crawl_and_die(4, full=True)
        change(site.model, "new", 0, None)
        report = site.crawl(full=True)
        assert (report.error, report.new) == ("", 1)


@pytest.mark.slow
@given(steps=STEPS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_history_ends_in_the_same_view(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    with Site(folder / "data") as site:
        for what, which, readers in steps:
            if what == "crawl":
                site.crawl()
            elif what == "full":
                site.crawl(full=True, accept_loss=True)
            elif what == "kill":
                site.crawl_and_die(3 * which + 1, full=bool(which % 2))
            else:
                change(site.model, what, which, readers)
        report = site.crawl(full=True, accept_loss=True)
        assert (report.error, report.failed) == ("", 0)
        assert_true(site)
        clean = site.settings.model_copy(update={"data_dir": folder / "clean"})
        crawl("larch", clean)
        assert view_of(site.settings.data) == view_of(clean.data)
