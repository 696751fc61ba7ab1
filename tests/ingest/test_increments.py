"""Increments: parts of a source, alarms, limits, dry runs, purging, forgetting."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dunegpt.access import NOBODY
from dunegpt.config import AccessSettings, Settings
from dunegpt.errors import FetchError, StorageError
from dunegpt.ingest import change_notices
from dunegpt.ingest.catalog import schema
from dunegpt.ingest.catalog.database import Catalog, HiddenState
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.items import Alarm, CompleteListing, CrawlScope, Unchanged
from dunegpt.types import Failure
from tests.ingest.fake import PUBLIC, FakeSource, counted, ledger, run, stored


def in_overlay(settings: Settings) -> set[str]:
    with closing(sqlite3.connect(settings.paths.overlay)) as db:
        return {i for (i,) in db.execute("select id from access where key = ''")}


@pytest.fixture
def event(plain: Settings, source: FakeSource) -> FakeSource:
    """Give a source that has an event with three talks, and lists in parts from now."""
    for number in ("1", "1/c1", "1/c2", "1/c2/s1", "2"):
        source.add(number)
    run(plain)
    source.items = []
    source.lists_all = False
    return source


def test_what_is_gone_from_one_place(plain: Settings, event: FakeSource) -> None:
    kept = event.add("1"), event.add("1/c2")
    event.items.append(CompleteListing("fake:1", frozenset(d.id for d in kept)))
    assert counted(run(plain)) == {"seen": 2, "unchanged": 2, "removed": 2}
    assert stored(plain).keys() == {"fake:1", "fake:1/c2", "fake:2"}
    assert in_overlay(plain) == stored(plain).keys()


def test_a_holder_that_is_gone_takes_its_parts(
    plain: Settings, event: FakeSource
) -> None:
    event.items = [CompleteListing("fake:1", frozenset(), "deleted at the source")]
    assert run(plain).removed == 4
    assert stored(plain).keys() == {"fake:2"}
    catalog = Catalog(plain.paths.catalog)
    [row] = [o for o in catalog.iter_observed("fake:1/c2/s1")]
    assert row.hidden == "deleted at the source"
    catalog.close()


@pytest.mark.slow
@pytest.mark.parametrize("replaces", [True, False])
def test_what_was_replaced_is_no_loss(
    plain: Settings, source: FakeSource, replaces: bool
) -> None:
    """Only in a place that says so: elsewhere older versions stay, and may be lost."""
    old = [source.add(number) for number in range(60)]
    run(plain)
    new = [
        replace(source.add(f"n{number}"), supersedes=before.id)
        for number, before in enumerate(old[:50])
    ]
    source.lists_all = False
    there = frozenset({d.id for d in new} | {d.id for d in old[55:]})
    source.items = [*new, *old[55:], CompleteListing("", there, replaces=replaces)]
    report = run(plain)
    if replaces:
        # 50 were replaced, 5 are gone.
        assert (report.removed, report.hidden, report.error) == (55, 0, "")
    else:
        assert (report.removed, report.hidden) == (0, 55)
    assert stored(plain).keys() == there
    source.items[0] = replace(new[0], supersedes="")
    assert run(plain).changed == 1


@pytest.mark.slow
def test_replaced_by_what_is_gone_too_is_a_loss(
    plain: Settings, source: FakeSource
) -> None:
    old = [source.add(number) for number in range(30)]
    kept = source.add("kept")
    run(plain)
    new = [replace(source.add(f"n{d.id}"), supersedes=d.id) for d in old]
    source.lists_all = False
    source.items = [
        *new,
        kept,
        CompleteListing("", frozenset({kept.id}), replaces=True),
    ]
    report = run(plain)
    assert (report.removed, report.hidden) == (0, 60)


def test_what_is_often_taken_back_is_kept(plain: Settings, event: FakeSource) -> None:
    top = event.add("1")
    event.items.append(
        CompleteListing("fake:1", frozenset({top.id}), "withdrawn", keep_hidden=True)
    )
    report = run(plain)
    assert (report.kept, report.removed, report.error) == (3, 0, "")
    assert stored(plain).keys() == {"fake:1", "fake:2"}
    purging = settings_with(plain, purge_after_days=0)
    event.items = []
    crawl("fake", purging)
    catalog = Catalog(plain.paths.catalog)
    assert len(catalog.hidden_ids("fake", HiddenState.KEPT)) == 3
    catalog.close()


def settings_with(plain: Settings, **access: float) -> Settings:
    return plain.model_copy(update={"access": AccessSettings(**access)})


def test_seen_again(
    plain: Settings, event: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = "2031-01-01T00:00:00+00:00"
    monkeypatch.setattr("dunegpt.ingest.catalog.connection.now", lambda: later)
    event.items = [Unchanged(frozenset({"fake:1", "fake:1/c1", "fake:9"}))]
    assert counted(run(plain)) == {"seen": 2, "unchanged": 2}
    catalog = Catalog(plain.paths.catalog)
    found = {o.document.id for o in catalog.iter_observed() if o.observed_at == later}
    assert found == {"fake:1", "fake:1/c1"}
    catalog.close()


def test_an_alarm_keeps_what_is_gone(plain: Settings, event: FakeSource) -> None:
    event.items = [Alarm("No canary.", "Look."), CompleteListing("fake:2", frozenset())]
    report = run(plain)
    assert (report.removed, report.hidden) == (0, 1)
    assert report.error.startswith("No canary.")
    assert report.hint == "Look."
    assert "fake:2" not in stored(plain)
    event.items = []
    assert run(plain).removed == 1


@pytest.mark.slow
def test_suspects_add_up_over_runs(plain: Settings, source: FakeSource) -> None:
    """A source that loses its objects in small portions under an alarm is not free."""
    for number in range(60):
        source.add(number)
    run(plain)
    source.lists_all = False
    for number in range(30):
        source.items = [
            Alarm("No canary."),
            CompleteListing(f"fake:{number}", frozenset()),
        ]
        run(plain)
    source.items = []
    report = run(plain)
    assert (report.hidden, report.removed) == (30, 0)
    assert run(plain, accept_loss=True).removed == 30


def test_purged_after_a_while(plain: Settings, event: FakeSource) -> None:
    event.items = [CompleteListing("fake:1", frozenset())]
    run(plain)
    event.items = []
    run(plain)
    catalog = Catalog(plain.paths.catalog)
    assert len(catalog.ids("fake")) == 5
    catalog.close()
    crawl("fake", settings_with(plain, purge_after_days=0))
    catalog = Catalog(plain.paths.catalog)
    assert catalog.ids("fake") == {"fake:2"}
    catalog.close()


def test_what_comes_back_is_shown(plain: Settings, event: FakeSource) -> None:
    event.items = [CompleteListing("fake:2", frozenset())]
    run(plain)
    event.items = []
    event.add("2")
    assert counted(run(plain)) == {"seen": 1, "changed": 1}
    assert "fake:2" in stored(plain)
    assert event.fetched.count("2") == 1


def test_failures_of_other_places_stay(plain: Settings, event: FakeSource) -> None:
    event.items = [Failure("fake:1", "list", "KeyError", "'id'")]
    event.add("2", FetchError("cut short"))
    run(plain)
    assert ledger(plain) == ["fake:1 list KeyError", "fake:2#a fetch FetchError"]
    event.items = []
    run(plain)
    assert len(ledger(plain)) == 2
    assert event.scopes[-1].priority_ids == ("fake:1", "fake:2")
    event.contents["https://fake.test/2"] = b"promised"
    event.items = [event.add("1"), CompleteListing("fake:1", frozenset({"fake:1"}))]
    event.add("2", b"promised")
    run(plain)
    assert ledger(plain) == []


@pytest.mark.slow
def test_what_could_not_be_seen_for_long_is_closed(
    plain: Settings, event: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that keeps failing holds access open no longer than was agreed."""
    for number in ("1", "1/c1"):
        own = event.add(number)
        event.items[-1] = replace(
            own, access=frozenset({"fake:member"}), files=(), parent=""
        )
    run(plain)
    event.items = [Failure("fake:1", "list", "KeyError", "'id'")]
    assert run(plain).error == ""
    assert "fake:1/c1" in in_overlay(plain)
    crawl("fake", settings_with(plain, max_overlay_age_h=1e-9))
    assert in_overlay(plain) == {"fake:2"}
    event.items = [event.add("1")]
    run(plain)


def test_modes(plain: Settings, source: FakeSource) -> None:
    source.add(1)
    day = date(2026, 1, 1)
    modes = [run(plain).mode, run(plain).mode, run(plain, full=True).mode]
    assert [*modes, run(plain, since=day).mode] == [
        "full",
        "increment",
        "full",
        "since",
    ]
    assert source.scopes[2:] == [CrawlScope(full=True), CrawlScope(since=day)]


def test_a_limit(plain: Settings, source: FakeSource) -> None:
    for number in range(5):
        source.add(number)
    report = run(plain, limit=2)
    assert (report.seen, report.partial, report.removed) == (2, True, 0)
    assert len(stored(plain)) == 2
    catalog = Catalog(plain.paths.catalog)
    assert catalog.last_run("fake", good=True) is None
    catalog.close()
    assert run(plain).new == 3


def test_a_dry_run_keeps_nothing(plain: Settings, source: FakeSource) -> None:
    source.add(1)
    source.add(2)
    assert run(plain, dry_run=True).new == 2
    assert not plain.data.exists()
    run(plain)
    before = sorted(p for p in plain.data.rglob("*") if p.is_file())
    source.add(1, b"other text")
    source.drop(2)
    source.add(3)
    report = run(plain, dry_run=True)
    assert counted(report) == {"seen": 2, "new": 1, "changed": 1, "removed": 1}
    assert source.fetched == ["1", "2"]
    assert sorted(p for p in plain.data.rglob("*") if p.is_file()) == before
    assert stored(plain).keys() == {"fake:1", "fake:2"}
    assert counted(run(plain)) == {**counted(report), "fetched": 2}


def test_the_same_file_elsewhere_is_not_fetched(
    plain: Settings, source: FakeSource
) -> None:
    for document in (source.add(n, b"the same slides") for n in (1, 2)):
        sized = replace(document.files[0], size_bytes=15)
        source.items[-1] = replace(document, files=(sized,))
    assert run(plain).fetched == 1
    first, second = (stored(plain)[f"fake:{n}"].files[0] for n in (1, 2))
    assert first.sha256 == second.sha256


def test_a_file_for_nobody_is_not_fetched(plain: Settings, source: FakeSource) -> None:
    document = source.add(1)
    closed = replace(document.files[0], access=NOBODY)
    source.items = [replace(document, access=NOBODY, files=(closed,))]
    run(plain)
    assert stored(plain)["fake:1"].files[0].sha256 == ""
    assert source.fetched == []


def test_bytes_of_what_was_closed_to_all_go_later(
    plain: Settings, source: FakeSource
) -> None:
    """An account that loses its group for a day must not cost all the files."""
    document = source.add(1)
    run(plain)
    closed = replace(document.files[0], access=NOBODY)
    source.items = [replace(document, access=NOBODY, files=(closed,))]
    run(plain)
    assert stored(plain)["fake:1"].files[0].sha256
    assert in_overlay(plain) == set()
    crawl("fake", settings_with(plain, purge_after_days=0))
    assert stored(plain)["fake:1"].files[0].sha256 == ""
    source.items = [document]
    assert run(plain).fetched == 1


def test_old_bytes_keep_their_old_readers(plain: Settings, source: FakeSource) -> None:
    """A closed draft is replaced by an open file, and that does not come."""
    document = source.add(1)
    member = frozenset({"fake:member"})
    draft = replace(document.files[0], access=member)
    source.items = [replace(document, access=member, files=(draft,))]
    run(plain)
    source.add(1, FetchError("cut short"))
    run(plain)
    [file] = stored(plain)["fake:1"].files
    assert (bool(file.sha256), file.access) == (True, member)


def test_an_answer_that_nobody_foresaw(plain: Settings, event: FakeSource) -> None:
    """What was closed before it came is closed all the same."""
    event.items = [CompleteListing("fake:1", frozenset()), KeyError("title")]
    report = run(plain)
    assert report.error == "Unexpected KeyError: 'title'"
    assert in_overlay(plain) == {"fake:2"}


def test_a_long_failure_is_tried_less_often(
    plain: Settings, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at(moment: str) -> None:
        monkeypatch.setattr("dunegpt.ingest.catalog.connection.now", lambda: moment)
        catalog = Catalog(plain.paths.catalog)
        catalog.put_failure("fake", Failure("fake:1", "list", "KeyError", ""))
        assert catalog.retry_ids("fake") == due
        catalog.close()

    now = datetime.now(UTC)
    due = ["fake:1"]
    fail_at((now - timedelta(hours=9)).isoformat(timespec="seconds"))
    due = []
    fail_at((now - timedelta(hours=1)).isoformat(timespec="seconds"))


def test_a_long_run_closes_while_it_runs(
    plain: Settings, event: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.ingest.crawl._OVERLAY_INTERVAL_S", 0.0)
    seen: list[set[str]] = []
    event.items = [
        CompleteListing("fake:1", frozenset()),
        Unchanged(frozenset({"fake:2"})),
    ]
    run(plain, progress=lambda report: seen.append(in_overlay(plain)))
    assert [("fake:1" in ids) for ids in seen] == [True, False]


# ── notices ───────────────────────────────────────────────────────────────────────


def test_notices_go_when_a_good_run_has_looked(
    plain: Settings, source: FakeSource
) -> None:
    source.add(1)
    change_notices.write_notice(plain.data, "fake", ["fake:7", " fake:8 ", ""])
    change_notices.write_notice(plain.data, "fake", ["fake:7", "fake:9"])
    run(plain, limit=1)
    named = source.scopes[-1].priority_ids
    assert named == ("fake:7", "fake:8", "fake:9")
    assert len(change_notices.list_pending(plain.data, "fake")) == 2
    run(plain)
    assert change_notices.list_pending(plain.data, "fake") == []
    run(plain)
    assert not source.scopes[-1].priority_ids


# ── an older catalog ──────────────────────────────────────────────────────────────

V1 = """
create table documents (id varchar primary key, source varchar not null,
  hash varchar not null, fields json not null, first_seen varchar not null,
  changed_at varchar not null, hidden_at varchar);
create table files (document_id varchar not null, key varchar not null,
  position integer not null, fields json not null, sha256 varchar not null,
  primary key (document_id, key), foreign key(document_id) references documents (id));
create table tombstones (id varchar primary key, source varchar not null,
  removed_at varchar not null, reason varchar not null);
create table failures (id varchar not null, stage varchar not null,
  source varchar not null, error varchar not null, message varchar not null,
  first_at varchar not null, last_at varchar not null, primary key (id, stage));
create table runs (number integer primary key autoincrement, source varchar not null,
  started_at varchar not null, finished_at varchar not null, good boolean not null,
  record json not null);
insert into documents values ('fake:1', 'fake', 'x', '{"kind": "note", "url": "u",
  "title": "T", "access": ["public"], "authors": [], "date": null, "status": "",
  "supersedes": "", "parent": "fake:0", "evidence": "e"}', '2026-01-01', '2026-01-02',
  null);
insert into files values ('fake:1', 'a', 0, '{"name": "a", "media_type": "text/plain",
  "url": "u", "access": ["public"], "size_bytes": 3, "checksum": "md5:1",
  "evidence": "e"}', 'abc');
pragma user_version = 1;
"""


def test_a_catalog_of_the_first_format_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(V1)
    catalog = Catalog(path)
    [each] = catalog.iter_observed()
    assert (each.observed_at, each.document.parent) == ("2026-01-02", "fake:0")
    assert catalog.find_sha256("md5:1", 3) == "abc"
    assert each.document.files[0].access == PUBLIC
    catalog.put_state("fake", "key", {"a": [1]})
    assert catalog.get_state("fake", "key") == {"a": [1]}
    catalog.close()
    Catalog(path).close()


def test_an_upgrade_is_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(V1)
    statements = schema._UPGRADES[1]
    with monkeypatch.context() as patch:
        broken = {1: (*statements[:3], "this is no statement", *statements[3:])}
        patch.setattr(schema, "_UPGRADES", broken)
        with pytest.raises(StorageError):
            Catalog(path)
    Catalog(path).close()


def test_digest_of_the_known_file() -> None:
    """The fake source promises true checksums, so that these tests mean something."""
    source = FakeSource()
    [file] = source.add(1, b"x").files
    assert file.checksum == f"md5:{hashlib.md5(b'x').hexdigest()}"
