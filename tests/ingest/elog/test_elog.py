"""A logbook behind an address: late, edited, deleted entries, and what goes wrong."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError
from dunegpt.ingest import change_notices
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.elog import sync
from dunegpt.ingest.registry import open_source
from dunegpt.operations.status import get_status
from simulators.crawled_source import folder
from simulators.elog.site import SHIFT, LogSite

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.date()
pytestmark = pytest.mark.time_machine(NOW)


@pytest.fixture
def site(tmp_path: Path) -> LogSite:
    made = LogSite(tmp_path)
    made.model.add("2024-05-01", "The first entry of all.")
    made.model.add("2025-11-30 23:59:59", "A cold night.", subject="Night shift")
    made.model.recent(0, "Beam is back.")
    return made


def test_an_entry_with_all_that_the_log_says_of_it(site: LogSite) -> None:
    entry = site.model.add(
        "2026-10-12 14:03:22",
        "<p>The lifetime of monitor Z2 fell to <b>3.1 ms</b>.</p>",
        subject="Purity <low> & falling",
        author="Ada Okonjo",
        category="Purity Monitors",
        form="Shift start",
        html=True,
        fields={"Run number": "28871"},
        comments=[("otto", "Seen <again>.")],
        related=[8001],
        images={"z2.png": b"\x89PNG"},
        files={"z2.csv": b"a,b\n"},
    )
    assert site.crawl().error == ""
    document = site.documents()[f"log:{entry.number}"]
    assert document.title == "Purity <low> & falling (2026-10-12 14:03)"
    assert document.url == f"https://log.test/ECL/larch/E/show?e={entry.number}"
    assert (document.kind, document.authors) == ("entry", ("Ada Okonjo",))
    assert document.date == date(2026, 10, 12)
    assert [f.name for f in document.files][1:] == ["z2.png", "z2.csv"]
    text = site.text(document.id)
    for said in (
        f"Entry {entry.number} of log, 2026-10-12 14:03:22",
        "Author: Ada Okonjo",
        "Category: Purity Monitors",
        "Form: Shift start",
        "Subject: Purity &lt;low&gt; &amp; falling",
        "Run number: 28871",
        "<b>3.1 ms</b>",
        "Comment otto",
        "Seen &lt;again&gt;.",
        "Related entries: log:8001",
    ):
        assert said in text
    site.assert_true()


def test_a_title_from_the_first_words(site: LogSite) -> None:
    words = " ".join(f"w{n}" for n in range(12))
    long, none = site.model.recent(0, words), site.model.recent(0, " ")
    site.crawl()
    named = {name: d.title for name, d in site.documents().items()}
    assert named[f"log:{long.number}"].startswith("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 ... (")
    assert named[f"log:{none.number}"].startswith("default (")


def test_access_is_required(tmp_path: Path) -> None:
    tables: list[dict[str, Any]] = [{}, {"access": []}]
    for access in tables:
        table = SourceSettings(type="elog", url="https://log.test", **access)
        with pytest.raises(ConfigError, match="access"):
            open_source("log", Settings(data_dir=tmp_path, sources={"log": table}))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"url": ""}, "url or path"),
        ({"path": "x"}, "url or path"),
        ({"runs_url": "http://x", "runs_file": "y"}, "runs_url"),
        ({"user": "reader"}, "password"),
        ({"runs_columns": {"rnu": "Run"}}, "rnu"),
        ({"recent_days": 0}, "recent_days"),
        ({"acces": []}, "acces"),
    ],
)
def test_settings_that_cannot_be(
    site: LogSite, options: dict[str, Any], named: str
) -> None:
    site.configure(**options)
    with pytest.raises(ConfigError, match=named):
        open_source("log", site.settings)


def test_an_increment_asks_for_the_last_days_only(site: LogSite) -> None:
    site.crawl()
    site.model.asked.clear()
    added = site.model.recent(1)
    report = site.crawl()
    # The first of a day rolls on over the older days, too.
    assert (report.new, report.mode) == (1, "increment")
    site.model.asked.clear()
    assert site.crawl().seen == 2
    [asked] = site.model.asked
    first = TODAY - timedelta(days=7)
    assert asked.startswith(f"/ECL/larch/E/xml_search?a={first} 00:00:00&b=")
    assert added.number in site.entries()


def test_days_that_no_run_looked_at_are_made_up_for(site: LogSite) -> None:
    site.crawl()
    catalog = Catalog(site.settings.paths.catalog)
    catalog.put_state("log", "read", str(TODAY - timedelta(days=50)))
    catalog.close()
    missed = site.model.recent(45)
    site.crawl()
    assert missed.number in site.entries()


def test_late_edited_and_deleted_entries(site: LogSite) -> None:
    gone = site.model.recent(2, "A mistake.")
    site.crawl()
    late = site.model.recent(5, "Written up later.")
    edited = site.model.entries[8003]
    edited.text = "Beam is back, at half its power."
    del site.model.entries[gone.number]
    report = site.crawl()
    assert (report.new, report.changed, report.removed) == (1, 1, 1)
    assert late.number in site.entries()
    assert "half its power" in site.text("log:8003")
    site.assert_true()


def test_a_late_entry_is_seen_when_the_next_one_comes(site: LogSite) -> None:
    site.crawl()
    late = site.model.add("2024-08-08", "Found in a drawer.")
    site.crawl()
    assert late.number not in site.entries()
    after = site.model.recent()
    site.crawl()
    assert {late.number, after.number} <= site.entries()
    site.model.asked.clear()
    site.crawl()
    assert not [a for a in site.model.asked if "xml_get" in a]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["page", "login", "error", "text", "empty"])
def test_a_log_that_answers_oddly_for_what_is_deleted(
    site: LogSite, fault: str
) -> None:
    """The list is believed: the run goes on, and what it lacks is gone."""
    gone = site.model.recent(2)
    site.crawl()
    del site.model.entries[gone.number]
    site.model.faults = {f"e={gone.number}": fault}
    report = site.crawl()
    assert (report.error, report.removed) == ("", 1)
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["page", "login", "error", "text", "empty"])
def test_one_entry_that_cannot_be_asked_for_stops_nothing(
    site: LogSite, fault: str
) -> None:
    entry = site.model.recent(2)
    entry.files["a.txt"] = b"alpha"
    site.crawl()
    site.model.faults = {f"e={entry.number}": fault}
    entry.text = "Edited."
    change_notices.write_notice(site.settings.data, "log", ["8001", str(entry.number)])
    report = site.crawl()
    assert (report.error, report.removed) == ("", 0)
    assert {n.partition("#")[0] for n in site.failures()} == {f"log:{entry.number}"}
    site.assert_true()
    site.model.faults = {}
    assert site.crawl(full=True).failed == 0
    assert site.failures() == {}


def test_an_entry_moved_to_another_day_is_not_gone(site: LogSite) -> None:
    moved = site.model.recent(1)
    site.crawl()
    moved.time = datetime(2024, 7, 1, 9, 30)
    report = site.crawl()
    assert (report.changed, report.removed) == (1, 0)
    site.assert_true()


@pytest.mark.slow
def test_older_days_are_read_again_in_turn(
    site: LogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "REREAD_CYCLE_DAYS", 4)
    for month in range(1, 11):
        site.model.add(f"2025-{month:02}-15")
    site.crawl()
    late = site.model.add("2025-03-03", "Very late.")
    site.model.entries[8001].text = "Edited."
    del site.model.entries[8002]
    for day in range(5):
        assert site.crawl().error == "", day
        site.age()
    assert late.number in site.entries()
    site.assert_true()


def test_full_and_since_look_at_what_they_say(site: LogSite) -> None:
    site.crawl()
    for number in (8001, 8002):
        site.model.entries[number].text += " Edited."
    assert site.crawl(since=date(2025, 11, 1)).changed == 1
    assert "Edited" not in site.text("log:8001")
    assert site.crawl(full=True).changed == 1
    site.assert_true()


@pytest.mark.slow
def test_a_full_crawl_that_was_killed_goes_on(site: LogSite) -> None:
    for month in range(1, 13):
        site.model.add(f"2024-{month:02}-20")
    assert site.crawl_and_die(12)
    site.model.asked.clear()
    assert site.crawl().error == ""
    assert "a=2024-01-01" not in site.model.asked[0]
    site.assert_true()


@pytest.mark.slow
def test_a_list_that_may_be_cut_off_is_asked_for_in_parts(site: LogSite) -> None:
    for day in range(1, 15):
        site.model.add(f"2025-02-{day:02}")
    assert site.crawl().error == ""
    site.assert_true()
    for _ in range(12):
        site.model.add("2025-03-03")
    report = site.crawl(full=True)
    assert "more entries than one list holds" in report.error
    assert "list_limit" in report.hint
    site.configure(list_limit=100)
    assert site.crawl(full=True).error == ""
    site.assert_true()


def test_notices_and_what_failed_are_looked_at_first(site: LogSite) -> None:
    site.crawl()
    site.model.entries[8001].text = "Edited after years."
    change_notices.write_notice(
        site.settings.data, "log", ["8001", "log:8777", "nonsense"]
    )
    report = site.crawl()
    assert (report.error, report.changed) == ("", 1)
    assert "after years" in site.text("log:8001")


def test_attachments_are_asked_for_once(site: LogSite) -> None:
    entry = site.model.recent()
    entry.files["a.txt"] = b"alpha"
    site.crawl()
    site.model.asked.clear()
    report = site.crawl()
    assert (report.fetched, report.changed) == (0, 0)
    site.model.asked.clear()
    site.crawl()
    assert [a for a in site.model.asked if "xml_get" in a or "/A/" in a] == []
    entry.files["b.txt"] = b"beta"
    assert site.crawl().fetched == 1
    site.assert_true()


@pytest.mark.slow
def test_an_attachment_that_cannot_be_had_is_in_the_ledger(site: LogSite) -> None:
    entry = site.model.recent()
    entry.files = {"a.txt": b"alpha", "b.txt": b"beta"}
    for fault in ("page", "gone", "login", "error"):
        site.model.faults = {"n=a.txt": fault}
        report = site.crawl()
        assert (report.error, report.failed) == ("", 1), fault
        [failed] = site.failures()
        assert failed.startswith(f"log:{entry.number}#a")
    site.model.faults = {}
    assert site.crawl(full=True).failed == 0
    assert site.failures() == {}
    site.assert_true()


def test_an_attachment_elsewhere_is_not_fetched(site: LogSite) -> None:
    entry = site.model.recent()
    entry.files["a.txt"] = b"alpha"
    body = site.model.element(entry, whole=True, base="http://127.0.0.2:1/x")
    element, site.model.element = site.model.element, lambda *a, **k: body  # type: ignore[method-assign]
    site.model.entries = {entry.number: entry}
    assert site.crawl().failed == 1
    [why] = site.failures().values()
    assert "another host" in why
    site.model.element = element  # type: ignore[method-assign]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("login", "SourceLoginError"),
        ("page", "SourceLoginError"),
        ("page as xml", "SourceFormatError"),
        ("error", "SourceUnreachableError"),
        ("gone", "SourceUnreachableError"),
        ("json of another", "SourceFormatError"),
        ("xml of another", "SourceFormatError"),
        ("text", "SourceFormatError"),
        ("empty", "SourceFormatError"),
        ("challenge", "SourceLoginError"),
    ],
)
def test_a_list_that_is_none_changes_nothing(
    site: LogSite, fault: str, error: str
) -> None:
    site.crawl()
    before = site.essence()
    site.model.faults = {"xml_search": fault}
    for how in ({}, {"full": True}):
        report = site.crawl(**how)
        assert report.error.startswith(error), (how, report.error)
        assert site.essence() == before


def test_a_list_that_is_not_whole_changes_nothing(site: LogSite) -> None:
    site.crawl()
    before = site.essence()
    site.model.claims = 2
    assert "are promised" in site.crawl().error
    site.model.claims, site.model.cuts_answers = None, True
    assert "truncated" in site.crawl().error
    site.model.cuts_answers, site.model.ignores_days = False, True
    assert "parameters a and b" in site.crawl().hint
    assert site.essence() == before
    site.model.ignores_days = False
    assert site.crawl().error == ""


def test_entities_are_not_expanded(site: LogSite) -> None:
    site.model.faults = {"xml_search": "bomb"}
    site.crawl()
    assert "aaaa" not in str(site.essence())


def test_an_entry_that_cannot_be_read_is_in_the_ledger(site: LogSite) -> None:
    site.crawl()
    entry, element = site.model.recent(), site.model.element

    def broken(own: Any, **how: Any) -> str:
        text = element(own, **how)
        return text.replace("timestamp=", "stamp=") if own is entry else text

    site.model.element = broken  # type: ignore[method-assign,assignment]
    report = site.crawl()
    assert (report.error, report.removed) == ("", 0)
    assert list(site.failures()) == [f"log:{entry.number}"]
    site.model.element = element  # type: ignore[method-assign]
    assert site.crawl().failed == 0
    assert site.failures() == {}
    site.assert_true()


@pytest.mark.slow
def test_much_gone_at_once_is_hidden_and_not_taken_for_gone(site: LogSite) -> None:
    for _ in range(8):
        site.model.recent(1)
        site.model.recent(2)
        site.model.recent(3)
    site.configure(list_limit=100)
    site.crawl()
    kept = dict(site.model.entries)
    site.model.entries = {n: e for n, e in kept.items() if n < 8004}
    report = site.crawl()
    assert "24 of 27 documents are gone" in report.error
    assert (report.hidden, report.removed) == (24, 0)
    assert site.entries() == {8001, 8002, 8003}
    site.model.entries = kept
    assert site.crawl().error == ""
    site.assert_true()


def test_a_signed_question(site: LogSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.model.secret = "geheim-4711"
    assert site.crawl().error.startswith("SourceLoginError")
    monkeypatch.setenv("LOG_PASSWORD", "geheim-4711")
    site.configure(user="reader", password_env="LOG_PASSWORD")
    assert site.crawl().error == ""
    site.assert_true()
    kept = site.settings.paths.catalog.read_bytes()
    assert b"geheim" not in kept


# ── exports ───────────────────────────────────────────────────────────────────────


def exported(site: LogSite, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "entries.xml").write_bytes(site.model.export())
    site.configure(url=None, path=str(folder))
    return folder


def test_an_export_in_a_folder(site: LogSite, tmp_path: Path) -> None:
    path = exported(site, tmp_path / "export")
    row = {"id": 9001, "timestamp": "2026-11-01T08:00:00", "text": "From JSON."}
    attached = [{"filename": "n.txt", "url": "n.txt"}]
    fields = {"Run": 7, "Beam": True}
    row |= {"attachments": attached, "fields": fields, "tags": ["cold"]}
    (path / "more.json").write_text(json.dumps({"entries": [row], "count": 1}))
    (path / "n.txt").write_text("A note.")
    report = site.crawl()
    assert (report.error, report.new, report.requests) == ("", 4, 0)
    assert "Tags: cold" in site.text("log:9001")
    [_, note] = site.documents()["log:9001"].files
    assert site.text("log:9001", note.key) == "A note."
    (path / "more.json").unlink()
    assert site.crawl().removed == 1
    assert site.entries() == {8001, 8002, 8003}


def test_an_export_leads_to_no_file_beside_it(site: LogSite, tmp_path: Path) -> None:
    path = exported(site, tmp_path / "export")
    (tmp_path / "secret.txt").write_text("geheim-4711")
    (path / "link.txt").symlink_to(tmp_path / "secret.txt")
    urls = ["../secret.txt", f"file://{tmp_path}/secret.txt", "link.txt"]
    urls += ["http://127.0.0.2:1/x", "%2e%2e/secret.txt"]
    rows = [
        {"id": n, "timestamp": "2026-11-01", "attachments": [{"url": url, "name": "x"}]}
        for n, url in enumerate(urls, start=1)
    ]
    (path / "more.json").write_text(json.dumps(rows))
    report = site.crawl()
    assert (report.error, report.failed) == ("", len(urls))
    blobs = [
        b.read_bytes() for b in site.settings.paths.blobs.rglob("*") if b.is_file()
    ]
    assert b"geheim-4711" not in b"".join(blobs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "break_it",
    [
        lambda path: (path / "entries.xml").unlink(),
        lambda path: (path / "entries.xml").write_bytes(b"<entry_list/>"),
        lambda path: (path / "entries.xml").write_bytes(b"<html>log in</html>"),
        lambda path: (path / "entries.xml").write_bytes(b'[{"id": 1}'),
        lambda path: (path / "entries.xml").write_bytes(b"\x00\xff"),
    ],
)
def test_a_broken_export_removes_nothing(
    site: LogSite, tmp_path: Path, break_it: Callable[[Path], object]
) -> None:
    path = exported(site, tmp_path / "export")
    site.crawl()
    before = site.essence()
    break_it(path)
    assert site.crawl().error.startswith("SourceFormatError")
    assert site.essence() == before


def test_an_export_at_an_address(site: LogSite) -> None:
    site.configure(url="https://log.test/ECL/larch/export.xml", whole=True)
    assert site.crawl().error == ""
    del site.model.entries[8002]
    site.model.entries[8001].text = "Edited."
    report = site.crawl()
    assert (report.changed, report.removed, report.requests) == (1, 1, 1)
    site.assert_true()


# ── any history ───────────────────────────────────────────────────────────────────

days = st.sampled_from([0, 1, 3, 6, 20, 100, 400])
picks = st.integers(0, 9)
ops = st.one_of(
    st.tuples(st.just("add"), days),
    st.tuples(st.just("edit"), picks),
    st.tuples(st.just("delete"), picks),
    st.tuples(st.just("move"), picks, days),
    st.tuples(st.just("file"), picks),
    st.tuples(st.just("crawl"), st.booleans()),
    st.tuples(st.just("die"), st.integers(0, 40), st.booleans()),
    st.tuples(st.just("later"), picks),
)


def do(site: LogSite, op: tuple[Any, ...]) -> None:
    name, *rest = op
    model = site.model
    if name == "add":
        model.recent(rest[0])
    elif name == "crawl":
        assert site.crawl(full=rest[0]).error == ""
    elif name == "die":
        site.crawl_and_die(rest[0], full=rest[1])
    elif name == "later" and site.settings.paths.catalog.is_file():
        site.age()
    elif name in {"edit", "delete", "move", "file"} and model.entries:
        number = sorted(model.entries)[rest[0] % len(model.entries)]
        entry = model.entries[number]
        if name == "delete":
            del model.entries[number]
        elif name == "edit":
            entry.text += " More."
        elif name == "file":
            entry.files[f"f{len(entry.files)}.txt"] = bytes([65 + len(entry.files)])
        else:
            day = NOW.replace(tzinfo=None) - timedelta(days=rest[1])
            entry.time = day


def run_history(history: list[tuple[Any, ...]]) -> None:
    with folder() as path:
        site = LogSite(path)
        site.configure(first_day=TODAY - timedelta(days=500), list_limit=30)
        for op in history:
            do(site, op)
        report = site.crawl(full=True, accept_loss=True)
        assert (report.error, report.failed) == ("", 0)
        site.assert_true()
        clean = LogSite(path / "clean", site.model)
        clean.configure(first_day=TODAY - timedelta(days=500), list_limit=30)
        clean.crawl()
        assert site.essence() == clean.essence()


@pytest.mark.slow
def test_a_full_crawl_that_is_gone_on_with_sees_what_changed_meanwhile() -> None:
    run_history([("crawl", False), ("add", 0), ("die", 7, True), ("add", 0)])
    run_history([("add", 400), ("crawl", False), ("die", 7, True), ("edit", 0)])


QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ops, min_size=4, max_size=10))
def test_some_histories(history: list[tuple[Any, ...]]) -> None:
    run_history(history)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ops, min_size=6, max_size=25))
def test_many_histories(history: list[tuple[Any, ...]]) -> None:
    run_history(history)


def test_nobody_else_is_named_a_reader(site: LogSite) -> None:
    site.crawl()
    assert {d.access for d in site.documents().values()} == {frozenset({SHIFT})}


def test_other_readers_in_the_settings_hold_for_old_entries_at_once(
    site: LogSite,
) -> None:
    entry = site.model.add("2024-06-01", "With a file.")
    entry.files["a.txt"] = b"alpha"
    site.configure(access=["public"])
    site.crawl()
    before = site.essence()
    site.configure(access=["log:board"])
    site.model.faults = {"xml_search": "error"}
    report = site.crawl()
    assert (report.changed, report.fetched, report.failed) == (4, 0, 0)
    assert report.error.startswith("SourceUnreachableError")
    board = frozenset({"log:board"})
    for document in site.documents().values():
        assert document.access == board
        assert all(file.access == board for file in document.files)
        assert before[document.id][4] == [f.sha256 for f in document.files]
    site.model.faults = {}
    assert site.crawl().changed == 0


def test_status_says_what_was_never_tried(site: LogSite) -> None:
    site.crawl()
    [source] = get_status(site.settings).sources
    assert "real ECL" in source.untried
