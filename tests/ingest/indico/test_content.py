"""What the API tells of an event is what can be found: nothing of it is left out."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dunegpt.access import PUBLIC
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.indico.rendering import render_markdown
from dunegpt.ingest.indico.times import format_span, local_date
from dunegpt.types import Document
from simulators.indico.model import Event, File, Session, Talk
from tests.ingest.indico.site import (
    GROUP,
    MEMBER,
    NEAR,
    Site,
    assert_true,
    many_events,
)

pytestmark = pytest.mark.usefixtures("accounts")

CHICAGO = {"timezone": "America/Chicago"}


def document(site: Site, name: str) -> Document:
    catalog = Catalog(site.settings.paths.catalog)
    found = catalog.get(f"larch:{name}")
    catalog.close()
    assert found is not None, name
    return found


def text(site: Site, name: str, key: str = "about") -> str:
    """Return what a reader of a file sees."""
    [file] = [f for f in document(site, name).files if f.key == key]
    content = BlobStore(site.settings.paths.blobs).path(file.sha256).read_bytes()
    if file.media_type != "text/html":
        return content.decode()
    return "\n".join(page.text for page in read_html(content))


def moment(day: str, time: str, tz: str = "UTC") -> dict[str, str]:
    return {"date": day, "time": time, "tz": tz}


# ── descriptions ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("cut at <MeV> and > 3", "cut at <MeV> and > 3"),
        ("if a<b and c>d", "if a<b and c>d"),
        ("x <- y -> z", "x <- y -> z"),
        ("the mean <p> of pions", "the mean <p> of pions"),
        ("`<b>` is a tag, <b>this</b> is bold", "`<b>` is a tag, this is bold"),
        ("std::vector<int> v", "std::vector<int> v"),
        ("<script>alert(1)</script> end", "<script>alert(1)</script> end"),
        ("mail <ann@example.org>", "mail <ann@example.org>"),
        ("fish &amp; chips & more", "fish & chips & more"),
        ("first\nsecond", "first\nsecond"),
        ("* one\n* two <three>", "* one\n* two <three>"),
        ("<p>Imported</p><ul><li>one</li></ul>", "Imported\none"),
        ('<a href="http://x/?a=1">here</a>', "here"),
        ("```\nif (a < b && c > d) {}\n```", "```\nif (a < b && c > d) {}\n```"),
    ],
)
def test_a_description_in_markdown_loses_no_text(source: str, seen: str) -> None:
    pages = list(read_html(f"<h1>Title</h1><div>{render_markdown(source)}</div>"))
    lines = [line for page in pages for line in page.text.split("\n") if line.strip()]
    assert "\n".join(line for line in lines if line != "Title") == seen


def test_descriptions_are_html_or_markdown_by_their_object(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = "<p>Of the <b>event</b>, 3 &lt; 4</p>"
    event = site.model.add("Event", NEAR, details={"description": html})
    talk = Talk(site.model.next(), "Talk")
    event.talks[talk.number] = talk
    session = Session(site.model.next(), "Session")
    event.sessions[session.number] = session
    own_talk, own_block = site.model._talk, site.model._block

    def talk_told(*args: Any, **more: Any) -> dict[str, Any]:
        return own_talk(*args, **more) | {"description": "beam <500 MeV> on"}

    def block_told(*args: Any) -> dict[str, Any]:
        block = own_block(*args)
        block["session"]["description"] = "a<b>c and *stars*"
        return block

    monkeypatch.setattr(site.model, "_talk", talk_told)
    monkeypatch.setattr(site.model, "_block", block_told)
    site.crawl()
    assert "Of the event, 3 < 4" in text(site, f"{event.number}")
    assert "beam <500 MeV> on" in text(site, f"{event.number}/c{talk.number}")
    assert "a<b>c and *stars*" in text(site, f"{event.number}/sess{session.number}")


# ── labels, people, places ────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("message", ["", "Moved to May <tbc>."])
def test_a_cancelled_event_says_so(site: Site, message: str) -> None:
    label = {"title": "Cancelled", "is_event_not_happening": True, "message": message}
    event = site.model.add("Meeting", NEAR, details={"label": label})
    event.talks[9] = Talk(9, "Talk")
    event.talks[10] = Talk(10, "Other talk")
    site.crawl()
    told = (
        f"Cancelled (the event does not take place){': ' if message else ''}{message}"
    )
    for name in ("1", "1/c9"):
        assert f"Label: {told}" in text(site, name)
        assert document(site, name).status == "Cancelled"
    assert told in text(site, "1", "timetable")
    event.details = {"label": {**label, "is_event_not_happening": False}}
    site.crawl()
    assert "does not take place" not in text(site, "1")
    assert document(site, "1").status == "Cancelled"
    assert document(site, "1/c9").status == ""
    event.details = {"label": None}
    site.crawl()
    assert "Label" not in text(site, "1")
    assert document(site, "1").status == ""


def test_people_come_with_what_they_do_and_where_they_are(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def person(first: str, last: str, where: str) -> dict[str, str]:
        return {"first_name": first, "last_name": last, "affiliation": where}

    ann, bob = person("Ann", "Lee", "Fermilab"), person("Bob", "Roe", "")
    cy = person("Cy", "O'Dea", "CERN & U. of <X>")
    details = {"chairs": [ann, bob], "organizer": "The DAQ <consortium>"}
    event = site.model.add("Event", NEAR, details=details)
    event.talks[9] = Talk(9, "Talk")
    event.sessions[8] = Session(8, "Session")
    own_talk, own_block = site.model._talk, site.model._block

    def talk_told(*args: Any, **more: Any) -> dict[str, Any]:
        own = {"speakers": [cy], "primaryauthors": [ann, cy], "coauthors": [bob]}
        return own_talk(*args, **more) | own

    def block_told(*args: Any) -> dict[str, Any]:
        block = own_block(*args)
        block["session"]["sessionConveners"] = [bob]
        return block | {"conveners": [ann]}

    monkeypatch.setattr(site.model, "_talk", talk_told)
    monkeypatch.setattr(site.model, "_block", block_told)
    site.crawl()
    about = text(site, "1")
    assert "Chairs: Ann Lee (Fermilab), Bob Roe" in about
    assert "Organizer: The DAQ <consortium>" in about
    about = text(site, "1/c9")
    assert "Speakers: Cy O'Dea (CERN & U. of <X>)" in about
    assert "Authors: Ann Lee (Fermilab), Cy O'Dea (CERN & U. of <X>)" in about
    assert "Co-authors: Bob Roe" in about
    assert document(site, "1/c9").authors == ("Cy O'Dea", "Ann Lee", "Bob Roe")
    assert "Conveners: Bob Roe, Ann Lee (Fermilab)" in text(site, "1/sess8")
    assert document(site, "1/sess8").authors == ("Bob Roe", "Ann Lee")


# ── attachments and folders ───────────────────────────────────────────────────────


def test_what_is_said_of_a_file_has_the_readers_of_the_file(site: Site) -> None:
    event = site.model.add("Event", NEAR)
    talk = Talk(9, "Talk")
    folder = {"title": "Drawings", "description": "Of the south wall."}
    talk.files = [
        File(20, "plain"),
        File(21, "named", None, "Final <slides>", "As shown on Monday."),
        File(22, "closed", GROUP, "Salaries", "Of the whole group.", folder),
        File(23, "in a folder", None, folder=folder),
    ]
    event.talks[9] = talk
    site.crawl()
    files = {file.key: set(file.access) for file in document(site, "1/c9").files}
    assert files == {
        "about": {PUBLIC},
        "a20": {PUBLIC},
        "a21": {PUBLIC},
        "info-a21": {PUBLIC},
        "a22": {MEMBER},
        "info-a22": {MEMBER},
        "a23": {PUBLIC},
        "info-a23": {PUBLIC},
    }
    told = text(site, "1/c9", "info-a21")
    assert told == "21.txt\nFinal <slides>\nAs shown on Monday."
    told = text(site, "1/c9", "info-a22")
    assert told.split("\n")[1:] == [
        "Salaries",
        "Of the whole group.",
        "Folder: Drawings",
        "Of the south wall.",
    ]
    assert "Folder: Drawings" in text(site, "1/c9", "info-a23")
    assert document(site, "1/c9").access == {PUBLIC}
    talk.files[1].description = "As shown on Tuesday."
    site.crawl()
    assert "Tuesday" in text(site, "1/c9", "info-a21")


# ── times ─────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "time", "day", "begins"),
    [
        ("America/Chicago", "02:30:00", -1, "20:30"),
        ("America/Chicago", "18:00:00", 0, "12:00"),
        ("Pacific/Kiritimati", "12:00:00", 1, "02:00"),
        ("Etc/GMT+12", "11:59:00", -1, "23:59"),
        ("Asia/Kolkata", "20:00:00", 1, "01:30"),
        ("UTC", "23:59:00", 0, "23:59"),
        ("Nowhere/Land", "23:59:00", 0, "23:59"),
        ("", "23:59:00", 0, "23:59"),
    ],
)
def test_days_are_those_of_the_event(
    site: Site, zone: str, time: str, day: int, begins: str
) -> None:
    start = date(2019, 1, 15)
    event = site.model.add("Meeting", str(start), time=time, details={"timezone": zone})
    event.talks[9] = Talk(9, "One talk")
    event.talks[10] = Talk(10, "Other talk")
    event.sessions[8] = Session(8, "Session")
    site.crawl()
    own_day = start + timedelta(days=day)
    name = zone if zone and not zone.startswith("Nowhere") else "UTC"
    for name_of in ("1", "1/c9", "1/sess8"):
        assert document(site, name_of).date == own_day
        assert f"Date: {own_day} {begins} {name}" in text(site, name_of)
    assert f"{own_day} ({name})" in text(site, "1", "timetable")
    assert f"{begins} One talk" in text(site, "1", "timetable")


@pytest.mark.slow
def test_a_year_later_each_zone_is_still_looked_at(site: Site) -> None:
    """Days in the event's zone and lists by days in UTC lose no event between them."""
    zones = ["Pacific/Kiritimati", "Etc/GMT+12", "UTC", "America/Chicago"]
    days = ["2010-01-01", "2013-12-31", "2014-01-01", "2014-01-02"]
    for zone, day, time in itertools.product(zones, days, ["00:00:00", "23:59:00"]):
        site.model.add("Meeting", day, time=time, details={"timezone": zone})
    many_events(site, 260)
    site.crawl()
    assert_true(site)
    for event in list(site.model.events.values())[:32:3]:
        site.model.delete(event.number)
    for event in list(site.model.events.values())[:32:2]:
        event.readers = GROUP
    catalog = Catalog(site.settings.paths.catalog)
    rows = catalog.get_state("larch", "slices")
    then = (datetime.now(UTC) - timedelta(hours=25)).isoformat(timespec="seconds")
    rows = [[*row[:2], row[2] and then, "", row[4]] for row in rows]
    catalog.put_state("larch", "slices", rows)
    catalog.close()
    assert site.crawl().error == ""
    assert_true(site)


@pytest.mark.slow
@pytest.mark.parametrize(
    "zone", ["America/Chicago", "Pacific/Kiritimati", "Etc/GMT+12"]
)
@pytest.mark.parametrize("offset", [-7, 14])
@pytest.mark.parametrize("hour", [0, 23])
def test_the_first_and_the_last_near_day_are_whole(
    site: Site, zone: str, offset: int, hour: int
) -> None:
    """An event on day +14 of its own zone is seen to be closed by the next run."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only here

    today = datetime.now(UTC).date()
    local = datetime.combine(today + timedelta(days=offset), datetime.min.time())
    begins = local.replace(hour=hour, minute=30, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    event = site.model.add(
        "Meeting",
        str(begins.date()),
        time=f"{begins:%H:%M:00}",
        details={"timezone": zone},
    )
    kept = site.model.add("Other", "2015-05-05")
    site.crawl()
    assert document(site, str(event.number)).date == today + timedelta(days=offset)
    event.readers = GROUP
    site.crawl()
    assert document(site, str(event.number)).access == {MEMBER}
    site.model.delete(event.number)
    assert site.crawl().removed == 1
    assert document(site, str(kept.number)).access == {PUBLIC}


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (("2026-03-05", "00:30:00"), ("2026-03-05", "02:00:00"), "18:30 to 20:00"),
        (
            ("2026-03-05", "00:30:00"),
            ("2026-03-07", "02:00:00"),
            "18:30 to 2026-03-06 20:00",
        ),
        (("2026-03-05", "00:30:00"), ("2026-03-05", "00:30:00"), "18:30"),
        # In the night of the change to summer time.
        (("2026-03-08", "07:30:00"), ("2026-03-08", "08:30:00"), "01:30 to 03:30"),
    ],
)
def test_from_when_to_when(
    start: tuple[str, str], end: tuple[str, str], said: str
) -> None:
    told = format_span(moment(*start), moment(*end), CHICAGO)
    day = local_date(moment(*start), CHICAGO)
    assert told == f"{day} {said} America/Chicago"


def test_answers_in_another_zone_than_was_asked_for() -> None:
    told = moment("2026-03-05", "01:30:00.25", "Europe/Zurich")
    assert local_date(told, CHICAGO) == date(2026, 3, 4)
    with pytest.raises(ValueError, match="unknown time zone"):
        local_date(moment("2026-03-05", "01:30:00", "Nowhere/Land"), CHICAGO)


# ── breaks, and sessions without a time ───────────────────────────────────────────


def test_breaks_stand_in_the_timetable(site: Site) -> None:
    pause = {
        "title": "Coffee <free>",
        "description": "In the atrium.",
        "startDate": moment("2019-01-15", "16:30:00"),
        "endDate": moment("2019-01-15", "17:00:00"),
        "room": "Atrium",
    }
    event = site.model.add("Event", "2019-01-15", details=CHICAGO)
    event.talks[9] = Talk(9, "Talk")
    event.sessions[8] = Session(8, "For members", GROUP)
    event.breaks = [pause, {**pause, "title": "Members' tea", "sessionSlotId": 8}]
    site.crawl()
    files = {file.key: file for file in document(site, "1").files}
    assert set(files["timetable"].access) == {MEMBER}
    assert set(files["timetable-public"].access) == {PUBLIC}
    line = "10:30-11:00 Break: Coffee <free>, In the atrium., Atrium"
    for key in ("timetable", "timetable-public"):
        assert line in text(site, "1", key)
    assert "Members' tea" in text(site, "1", "timetable")
    assert "Members' tea" not in text(site, "1", "timetable-public")


def test_breaks_that_cannot_be_had_stay_as_they_were(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = {"title": "Lunch", "startDate": moment(NEAR, "12:00:00")}
    event = site.model.add("Event", NEAR, breaks=[pause])
    event.talks[9] = Talk(9, "Talk")
    site.crawl()
    assert "Break: Lunch" in text(site, "1", "timetable")
    answer = site.model.answer
    monkeypatch.setattr(
        site.server,
        "_answer",
        lambda r: site.server._fault("error") if "timetable" in r.path else answer(r),
    )
    report = site.crawl()
    assert (report.error, report.failed) == ("", 0)
    assert "Breaks" in report.warnings[0]
    assert "Break: Lunch" in text(site, "1", "timetable")
    assert_true(site)


@pytest.mark.slow
@pytest.mark.parametrize("readers", [None, GROUP, frozenset({"otto"})])
def test_a_session_without_a_block_and_without_a_talk(
    site: Site, readers: frozenset[str] | None
) -> None:
    event = site.model.add("Conference", NEAR)
    event.talks[9] = Talk(9, "Talk")
    event.sessions[8] = Session(8, "Posters & <more>", readers, has_block=False)
    site.crawl()
    access = {None: {PUBLIC}, GROUP: {MEMBER}}.get(readers, {"larch:board"})
    found = document(site, "1/sess8")
    assert (found.title, set(found.access)) == ("Posters & <more>", access)
    event.sessions[8].readers = frozenset({"nobody"})
    site.crawl()
    catalog = Catalog(site.settings.paths.catalog)
    hidden = {o.document.id for o in catalog.iter_observed() if o.hidden}
    catalog.close()
    assert "larch:1/sess8" in hidden


def test_the_names_of_sessions_are_asked_for_once_a_day(site: Site) -> None:
    event: Event = site.model.add("Conference", NEAR)
    event.talks[9] = Talk(9, "Talk")
    site.crawl()
    site.crawl()
    site.crawl()
    asked = [p for p in site.server.paths() if p.endswith("/customize")]
    assert len(asked) == 1
    event.sessions[8] = Session(8, "Later", has_block=False)
    site.crawl(full=True)
    assert document(site, "1/sess8").access == {PUBLIC}
