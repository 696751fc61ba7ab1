"""Documents that open in masses: nothing is shown to more readers than before."""

import datetime as dt
import json
import sqlite3
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import time_machine

from dunegpt.access import NOBODY
from dunegpt.config import Settings
from dunegpt.errors import SourceUnreachableError
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.items import Alarm, Concern, Unchanged
from dunegpt.operations.status import get_status
from dunegpt.types import Document, Failure, FileRef
from tests.ingest.fake import PUBLIC, FakeSource, run, stored

MEMBER, BOARD = frozenset({"fake:member"}), frozenset({"fake:board"})
MANY = 30


@pytest.fixture
def members(plain: Settings, source: FakeSource) -> FakeSource:
    """Return a source that was crawled: 30 documents for members, 10 for the board."""
    for number in range(MANY + 10):
        source.add(number)
    restrict(source, range(MANY), MEMBER)
    restrict(source, range(MANY, MANY + 10), BOARD)
    assert run(plain).error == ""
    return source


def restrict(source: FakeSource, numbers: Any, access: frozenset[str]) -> None:
    wanted = {f"fake:{number}" for number in numbers}
    source.items = [
        replace(item, access=access)
        if isinstance(item, Document) and item.id in wanted
        else item
        for item in source.items
    ]


def readers(plain: Settings) -> dict[str, frozenset[str]]:
    return {name: document.access for name, document in stored(plain).items()}


def overlay(plain: Settings) -> dict[str, str]:
    with sqlite3.connect(plain.paths.overlay) as db:
        return dict(db.execute("select id, principals from access where key = ''"))


def openings(plain: Settings) -> int:
    catalog = Catalog(plain.paths.catalog)
    try:
        return len(catalog.list_openings("fake"))
    finally:
        catalog.close()


@pytest.mark.slow
@pytest.mark.parametrize("access", [PUBLIC, MEMBER | BOARD])
def test_many_that_open_stay_as_they_were(
    plain: Settings, members: FakeSource, access: frozenset[str]
) -> None:
    before = readers(plain)
    restrict(members, range(MANY), access)
    report = run(plain)
    who = "the public" if access == PUBLIC else "fake:board"
    assert f"{MANY} to {who}" in report.error
    assert (report.held, readers(plain)) == (MANY, before)
    assert json.loads(overlay(plain)["fake:3"]) == ["fake:member"]
    assert get_status(plain).sources[0].held == MANY
    # They are asked for again, and so are all lists.
    assert run(plain).held == MANY
    assert members.scopes[-1].recheck
    assert {f"fake:{n}" for n in range(MANY)} <= {*members.scopes[-1].priority_ids}
    assert readers(plain) == before
    assert run(plain, accept_opening=True).error == ""
    assert readers(plain)["fake:3"] == access
    assert openings(plain) == 0
    assert run(plain).error == ""
    assert not members.scopes[-1].recheck


@pytest.mark.slow
def test_those_that_the_source_does_not_name_again(
    plain: Settings, members: FakeSource
) -> None:
    """A source says once that a document is open; it stays held, and can be opened."""
    restrict(members, range(MANY), PUBLIC)
    run(plain)
    named = members.items
    members.items, members.lists_all = [Unchanged(frozenset(stored(plain)))], False
    assert run(plain).held == MANY
    assert readers(plain)["fake:3"] == MEMBER
    restrict(members, [], PUBLIC)
    members.items = [replace(i, access=MEMBER) for i in named if i.id != "fake:3"]  # type: ignore[type-var, union-attr]
    report = run(plain)
    # One of them is still open at the source: that is no mass.
    assert (report.error, readers(plain)["fake:3"]) == ("", PUBLIC)


@pytest.mark.slow
def test_few_open_at_the_end_of_a_run(plain: Settings, members: FakeSource) -> None:
    restrict(members, range(5), PUBLIC)
    members.items.append(RuntimeError())
    with pytest.raises(RuntimeError):
        run(plain)
    assert readers(plain)["fake:1"] == MEMBER
    members.items.pop()
    assert run(plain).error == ""
    assert readers(plain)["fake:1"] == PUBLIC
    assert openings(plain) == 0


@pytest.mark.slow
def test_what_was_killed_counts_on(plain: Settings, members: FakeSource) -> None:
    """Openings of killed runs add up; else each would be too small to be noticed."""
    for start in (0, 15):
        restrict(members, range(start, start + 15), PUBLIC)
        kept = members.items
        members.items = [*kept[: start + 15], RuntimeError()]
        with pytest.raises(RuntimeError):
            run(plain)
        members.items = kept
    assert run(plain).held == MANY


@pytest.mark.slow
def test_a_file_that_opens(plain: Settings, members: FakeSource) -> None:
    """Closed files of open documents are guarded as documents are."""

    def closed(document: Document, access: frozenset[str]) -> Document:
        file = replace(document.files[0], key="b", access=access)
        return replace(document, access=PUBLIC, files=(*document.files[:1], file))

    documents = [d for d in members.items if isinstance(d, Document)]
    members.items = [closed(d, MEMBER) for d in documents]
    assert run(plain, accept_opening=True).error == ""
    members.items = [closed(d, PUBLIC) for d in documents]
    report = run(plain)
    assert report.held == len(documents)
    files = {f.key: f for f in stored(plain)["fake:3"].files}
    assert (files["a"].access, files["b"].access) == (PUBLIC, MEMBER)
    # A file that is new in an open document is as open as the document.
    members.items = [closed(d, MEMBER) for d in documents]
    third = members.items[3]
    assert isinstance(third, Document)
    new = FileRef("c", "c.txt", "text/plain", "https://fake.test/3", PUBLIC)
    members.items[3] = replace(third, files=(*third.files, replace(new, body=b"c")))
    assert run(plain).error == ""
    assert {f.key for f in stored(plain)["fake:3"].files} == {"a", "b", "c"}


@pytest.mark.slow
def test_after_an_alarm_nothing_new_is_shown(
    plain: Settings, members: FakeSource
) -> None:
    alarm = Alarm("The canary is public.", concern=Concern.OPENING)
    restrict(members, [1], PUBLIC)
    members.add("before")
    members.items.append(alarm)
    members.add("after")
    report = run(plain)
    assert "The canary is public." in report.error
    assert report.held == 3
    shown = readers(plain)
    assert shown["fake:before"] == shown["fake:after"] == NOBODY
    assert shown["fake:1"] == MEMBER
    assert "fake:after" not in overlay(plain)
    members.items.remove(alarm)
    assert run(plain).error == ""
    assert readers(plain)["fake:after"] == PUBLIC


def test_after_an_alarm_no_new_file_is_shown(
    plain: Settings, members: FakeSource
) -> None:
    """What was for nobody at the source is not there before a fault shows it."""
    with_new_file(members, 3)
    with_new_file(members, 35)
    members.items.insert(4, Alarm("The canary is public.", concern=Concern.OPENING))
    for _ in range(2):
        assert run(plain).held == 2
        for name, access in (("fake:3", MEMBER), ("fake:35", BOARD)):
            document = stored(plain)[name]
            assert document.access == access
            assert document.files[0].access == access
            assert document.files[1].access == NOBODY
    del members.items[4]
    assert run(plain).error == ""
    for name in ("fake:3", "fake:35"):
        assert stored(plain)[name].files[1].access == PUBLIC
        assert stored(plain)[name].files[1].sha256
    assert openings(plain) == 0


def test_a_new_file_of_the_fault_goes_with_it(
    plain: Settings, members: FakeSource
) -> None:
    before = list(members.items)
    with_new_file(members, 3)
    restrict(members, range(MANY), PUBLIC)
    assert run(plain).held == MANY
    assert stored(plain)["fake:3"].files[1].access == NOBODY
    members.items = before
    assert run(plain).error == ""
    assert openings(plain) == 0
    assert readers(plain)["fake:3"] == MEMBER


def with_new_file(source: FakeSource, number: int) -> None:
    """Add a file for everybody to a document."""
    item = source.items[number]
    assert isinstance(item, Document)
    new = FileRef("new", "n.txt", "text/plain", "https://fake.test/n", PUBLIC)
    source.items[number] = replace(item, files=(*item.files, replace(new, body=b"c")))


def test_a_first_crawl_with_an_alarm_shows_nothing(
    plain: Settings, source: FakeSource
) -> None:
    source.items.append(Alarm("The canary is public.", concern=Concern.OPENING))
    for number in range(MANY):
        source.add(number)
    assert run(plain).held == MANY
    assert set(readers(plain).values()) == {NOBODY}
    assert overlay(plain) == {}


@pytest.mark.slow
def test_what_a_fault_closed_opens_again(plain: Settings, members: FakeSource) -> None:
    """Readers that a document had before a loss are no opening after it."""
    before = readers(plain)
    restrict(members, range(MANY), NOBODY)
    alarm = Alarm("The account lost its groups.")
    members.items.append(alarm)
    assert run(plain).error
    assert readers(plain)["fake:3"] == NOBODY
    members.items.remove(alarm)
    restrict(members, range(MANY), MEMBER)
    report = run(plain)
    assert (report.error, report.held) == ("", 0)
    assert readers(plain) == before
    # For somebody else as well they are one, then as ever.
    members.items.append(alarm)
    restrict(members, range(MANY), NOBODY)
    run(plain)
    members.items.remove(alarm)
    restrict(members, range(MANY), PUBLIC)
    assert run(plain).held == MANY
    assert readers(plain) == before


@pytest.mark.slow
def test_a_hidden_document_stays_hidden(plain: Settings, members: FakeSource) -> None:
    restrict(members, range(MANY), PUBLIC)
    run(plain)
    members.drop(3)
    assert run(plain).held == MANY - 1
    report = run(plain, accept_opening=True)
    assert report.error == ""
    assert "fake:3" not in stored(plain)
    assert "fake:3" not in overlay(plain)


def test_a_unit_that_is_not_confirmed_closes(
    plain: Settings, members: FakeSource
) -> None:
    """What a failed root holds is hidden after its time, public or not."""
    restrict(members, [1], PUBLIC)
    run(plain)
    catalog = Catalog(plain.paths.catalog)
    unit = {"unit": "category 5", "since": "2024-02-29T10:00:00+00:00"}
    catalog.put_state("fake", "unconfirmed", [unit | {"ids": ["fake:1", "fake:2"]}])
    catalog.close()
    members.items = [Failure("fake:9", "list", "SourceFormatError", "no list")]
    members.lists_all = False
    run(plain)
    assert {"fake:1", "fake:2", "fake:3"} <= overlay(plain).keys()
    [state] = get_status(plain).sources
    assert state.unconfirmed["category 5"] > 24
    access = plain.access.model_copy(update={"max_overlay_age_h": 1e-9})
    run(plain.model_copy(update={"access": access}))
    assert not {"fake:1", "fake:2", "fake:9"} & overlay(plain).keys()
    assert "fake:3" in overlay(plain)


def test_a_unit_that_failed_in_the_future_closes(
    plain: Settings, members: FakeSource
) -> None:
    """The clock was wrong: nobody knows for how long it has not been confirmed."""
    catalog = Catalog(plain.paths.catalog)
    future = "2999-01-01T00:00:00+00:00"
    unit = {"unit": "category 5", "since": future, "ids": ["fake:1"]}
    catalog.put_state("fake", "unconfirmed", [unit])
    catalog.close()
    with sqlite3.connect(plain.paths.catalog) as db:
        db.execute("update documents set observed_at = ?", (future,))
    members.items, members.lists_all = [], False
    run(plain)
    assert "fake:1" not in overlay(plain)
    assert "fake:3" in overlay(plain)


def test_a_source_that_fails_for_long_closes(
    plain: Settings, members: FakeSource
) -> None:
    """A site that is down cannot say what it has closed."""
    restrict(members, [1], PUBLIC)
    run(plain)
    down = SourceUnreachableError("no answer")
    members.items = [down]
    assert "no answer" in run(plain).error
    assert json.loads(overlay(plain)["fake:1"]) == ["public"]
    access = plain.access.model_copy(update={"max_overlay_age_h": 1e-9})
    strict = plain.model_copy(update={"access": access})
    assert "no answer" in run(strict).error
    assert overlay(plain) == {}


@pytest.mark.slow
def test_a_first_crawl_in_several_runs(plain: Settings, source: FakeSource) -> None:
    """Access that takes shape while all is read for the first time is no opening."""
    for number in range(MANY + 10):
        source.add(number)
    restrict(source, range(MANY + 10), MEMBER)
    kept = source.items
    source.items = [*kept[:MANY], RuntimeError()]
    with pytest.raises(RuntimeError):
        run(plain)
    source.items = kept
    assert run(plain, limit=MANY + 5).partial
    restrict(source, range(MANY + 10), MEMBER | BOARD)
    source.items = [*kept, *source.items]
    assert run(plain).error == ""
    assert set(readers(plain).values()) == {MEMBER | BOARD}
    restrict(source, range(MANY + 10), PUBLIC)
    assert run(plain).held == MANY + 10


# ── runs that did not end ─────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [True, False])
def test_what_an_unfinished_run_found_new(
    plain: Settings, members: FakeSource, is_killed: bool
) -> None:
    """It is new for the next run as well, and so is a new file."""
    before = readers(plain)
    with_new_file(members, 3)
    members.add("new")
    end = RuntimeError() if is_killed else SourceUnreachableError("no answer")
    members.items.append(end)
    with pytest.raises(RuntimeError) if is_killed else nullcontext():
        run(plain)
    members.items[-1] = Alarm("The canary is public.", concern=Concern.OPENING)
    assert run(plain).held == 2
    assert readers(plain) == before | {"fake:new": NOBODY}
    assert stored(plain)["fake:3"].files[1].access == NOBODY
    members.items.pop()
    assert run(plain).error == ""
    assert readers(plain)["fake:new"] == PUBLIC
    assert stored(plain)["fake:3"].files[1].access == PUBLIC
    assert openings(plain) == 0


def test_a_held_new_document_waits_for_the_end_of_a_run(
    plain: Settings, members: FakeSource
) -> None:
    members.add("new")
    members.items.append(Alarm("The canary is public.", concern=Concern.OPENING))
    assert run(plain).held == 1
    members.items[-1] = RuntimeError()
    with pytest.raises(RuntimeError):
        run(plain)
    assert readers(plain)["fake:new"] == NOBODY


def test_after_a_first_crawl_with_an_alarm_the_truth_counts(
    plain: Settings, source: FakeSource
) -> None:
    """What the fault showed is no longer wanted by anyone."""
    source.add(1)
    source.items.append(Alarm("The canary is public.", concern=Concern.OPENING))
    assert run(plain).held == 1
    source.items.pop()
    restrict(source, [1], MEMBER)
    assert run(plain).error == ""
    assert readers(plain) == {"fake:1": MEMBER}


def test_a_first_crawl_that_was_killed_is_no_baseline(
    plain: Settings, source: FakeSource
) -> None:
    source.add(1)
    source.items.append(RuntimeError())
    with pytest.raises(RuntimeError):
        run(plain)
    source.items = [
        Unchanged(frozenset({"fake:1"})),
        Alarm("The canary is public.", concern=Concern.OPENING),
    ]
    source.lists_all = False
    assert run(plain).held == 1
    assert readers(plain) == {"fake:1": NOBODY}


@pytest.mark.parametrize("hours", [1, 30])
def test_a_fault_that_opens_a_few_each_run(
    plain: Settings, members: FakeSource, hours: int
) -> None:
    """Their sum over a day alarms, and closes all of them; not that of two days."""
    before = list(members.items)
    now = dt.datetime.now(dt.UTC)
    with time_machine.travel(now, tick=False) as clock:
        for first in (0, 10, 20):
            restrict(members, range(first, first + 10), PUBLIC)
            clock.shift(dt.timedelta(hours=hours))
            report = run(plain)
        public = [name for name, access in readers(plain).items() if access == PUBLIC]
        if hours > 24:
            assert (report.error, len(public)) == ("", MANY)
            return
        assert "30 to the public" in report.error
        assert public == []
        members.items = before
        clock.shift(dt.timedelta(hours=1))
        assert run(plain).error == ""
        assert readers(plain)["fake:3"] == MEMBER


def test_accepted_openings_do_not_count(plain: Settings, members: FakeSource) -> None:
    restrict(members, range(15), PUBLIC)
    assert run(plain).error == ""
    restrict(members, range(15, 28), PUBLIC)
    assert run(plain).held == 28
    assert run(plain, accept_opening=True).error == ""
    restrict(members, range(28, MANY + 10), PUBLIC)
    assert run(plain).error == ""
    assert readers(plain)["fake:3"] == PUBLIC
