"""A DocDB from one state to the next: every version, every reader, every byte."""

from collections.abc import Iterator

import pytest

from dunegpt.ingest.catalog.database import Catalog, HiddenState
from simulators.crawled_source import folder
from simulators.docdb.model import DocDBModel
from simulators.docdb.site import Site, truth

GROUPS = ("Admin", "All", "Board", "Office", "Guests", "Near")


@pytest.fixture
def site() -> Iterator[Site]:
    model = DocDBModel(GROUPS)
    above = {("Admin", "All"), ("Admin", "Board"), ("Admin", "Office")}
    model.superiors = above | {("Board", "All"), ("All", "Near")}
    with folder() as path:
        yield Site(path, model)


def fill(model: DocDBModel) -> None:
    """Put one document of each kind of access into a DocDB."""
    report = model.add("Design report")  # 1: all versions for everybody
    model.add_version(report, "Design report, second")
    model.add_version(report, "Design report, third")
    model.add("High voltage", ["All"])  # 2
    model.add("Closed minutes", ["Board"])  # 3
    plan = model.add("Plan, draft", ["Board"])  # 4: opened by its second version
    model.add_version(plan, "Plan")
    costs = model.add("Overview")  # 5: closed by its second version
    model.add_version(costs, "Overview with costs", ["Board"])
    model.add("Interfaces", ["Office", "Board"])  # 6
    model.add("Crane", ["Near"])  # 7: one level up only
    model.add("Reserved", ["All"], version=0)  # 8
    model.add("Entities")  # 9
    model.add("Mojibake")  # 10
    model.add("Mistake")  # 11
    slow = model.add("Slow control", ["All"])  # 12
    model.add_version(slow, "Slow control", ["All"])
    model.add_version(slow, "Slow control", ["All"])
    model.edit(model.add("Procedure", ["All"]), 1, status="Unapproved")  # 13
    model.add("Trigger", ["All"])  # 14
    sources = model.add("Sources", ["All"])  # 15
    model.put_file(sources, 1, "sources.zip", b"PK")


def change(model: DocDBModel) -> None:
    """Do everything that people do to documents."""
    model.delete(11)
    model.delete(12, 2)
    model.edit(14, 1, title="Trigger note")
    model.close(2, 1, "Board")
    model.close(13, 1)
    model.put_file(15, 1, "extra.txt", b"more")
    model.put_file(15, 1, "note.txt", b"another text")
    model.close(1, 1, "All")
    model.add_version(8, "Run plan", ["All"])
    model.add("New one", ["All"])
    model.superiors.add(("Board", "Near"))


@pytest.mark.slow
def test_from_one_state_to_the_next(site: Site) -> None:
    fill(site.model)
    report = site.crawl()
    assert (report.error, report.failed, report.warnings) == ("", 0, [])
    site.assert_true()
    assert len(truth(site.model)) == 21
    near = {"docdb:Near", "docdb:All"}
    assert site.access()["docdb:7:1"] == near
    site.model.pass_days(9)
    change(site.model)
    report = site.next_day(5)
    assert (report.error, report.failed, report.warnings) == ("", 0, [])
    assert (report.mode, report.removed, report.hidden) == ("increment", 2, 0)
    site.assert_true()
    found = site.documents()
    assert site.access()["docdb:7:1"] == near | {"docdb:Board"}
    assert found["docdb:12:3"].supersedes == "docdb:12:1"
    assert found["docdb:8:1"].supersedes == "docdb:8:0"
    assert found["docdb:13:1"].status == "Unapproved"
    assert found["docdb:13:1"].url.startswith("https://docdb.test/cgi-bin/ShowDoc")
    assert found["docdb:2:1"].url.startswith("https://docdb.test/cgi-bin/sso/ShowDoc")
    assert site.crawl(full=True).changed == 0


def test_by_passwords_alone(site: Site) -> None:
    """One password for each group shows as much as one account of all groups."""
    fill(site.model)
    site.by_passwords(*GROUPS)
    assert site.crawl().error == ""
    site.assert_true()
    site.model.pass_days(9)
    change(site.model)
    assert site.next_day(5).error == ""
    site.assert_true()


def test_a_small_docdb_is_looked_over_by_each_run(site: Site) -> None:
    fill(site.model)
    site.configure(few_documents=100)
    site.crawl()
    site.model.pass_days(9)
    change(site.model)
    assert site.crawl().error == ""
    site.assert_true()


@pytest.mark.slow
def test_an_hourly_run_sees_what_changed(site: Site) -> None:
    fill(site.model)
    site.crawl()
    site.model.pass_days(9)
    assert site.crawl().seen == 0
    assert len(site.doors.asked) < 130
    change(site.model)
    report = site.crawl()
    assert (report.error, report.failed) == ("", 0)
    stale = {"docdb:11:1", "docdb:12:2", "docdb:7:1"}
    shown = {k: v for k, v in site.access().items() if k not in stale | {"docdb:8:0"}}
    assert shown == {k: v for k, v in truth(site.model).items() if k not in stale}
    # What is deleted, and the hierarchy, wait for the daily look.
    assert {"docdb:11:1", "docdb:12:2"} <= site.access().keys()
    assert "docdb:Board" not in site.access()["docdb:7:1"]
    assert site.access()["docdb:2:1"] == {"docdb:Board", "docdb:Admin"}
    site.next_day()
    site.assert_true()


@pytest.mark.slow
def test_lists_are_fetched_every_hour(site: Site) -> None:
    """What is closed or deleted without a trace is hidden with the next lists."""
    fill(site.model)
    site.crawl()
    site.model.pass_days(9)
    change(site.model)
    site.configure(lists_every_min=0)
    site.doors.asked.clear()
    assert site.crawl().error == ""
    lists = [asked for asked in site.doors.asked if "alldocs" in asked]
    assert len(lists) == len(GROUPS) + 2
    assert "docdb:11:1" not in site.access()
    site.doors.asked.clear()
    site.configure(lists_every_min=55)
    assert site.crawl().error == ""
    assert not any("alldocs" in asked for asked in site.doors.asked)


@pytest.mark.slow
def test_deleted_and_closed_are_told_apart(site: Site) -> None:
    fill(site.model)
    site.crawl()
    site.model.groups[7] = "Secret"
    site.model.close(14, 1, "Secret")
    site.model.delete(11)
    site.next_day()
    catalog = Catalog(site.settings.paths.catalog)
    why = {o.document.id: o.hidden for o in catalog.iter_observed() if o.hidden}
    assert why == {
        "docdb:11:1": "deleted at the source",
        "docdb:14:1": "closed to us",
    }
    assert catalog.hidden_ids("docdb", HiddenState.GONE) == why.keys()
    catalog.close()
    site.model.close(14, 1, "All")
    site.next_day()
    site.assert_true()
