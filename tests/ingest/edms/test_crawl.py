"""Runs over an EDMS: what is found, what is asked again when, what is gone."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dunegpt.cli.render_operations import print_status
from dunegpt.ingest import change_notices
from dunegpt.operations.forget import forget
from dunegpt.operations.status import get_status
from simulators.crawled_source import folder
from simulators.edms.site import GROUP, OTHER, ROOT, EdmsSite

SUB = "CERN-0000200000"
MEMBERS, NOBODY = frozenset({GROUP}), frozenset[str]()


@pytest.fixture
def site() -> Iterator[EdmsSite]:
    with folder() as path:
        yield EdmsSite(path)


def asked(site: EdmsSite, start: int) -> list[str]:
    """Return which documents were asked for since then."""
    names = [
        name for name in site.doors.asked[start:] if name.startswith("getDocument ")
    ]
    return sorted({name.split()[1] for name in names})


# ── what is found ─────────────────────────────────────────────────────────────────────


def test_versions_are_strings(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT, version="0.1")
    for version in ("2.6", "2.10", "AE", "B", "1"):
        site.model.add_version(number, version)
    site.crawl()
    site.assert_true()
    chain = {d.id.rpartition(":")[2]: d.supersedes for d in site.documents().values()}
    order = ["0.1", "1", "2.6", "2.10", "B", "AE"]
    assert chain == {
        version: f"edms:{number}:{before}" if before else ""
        for version, before in zip(order, ["", *order], strict=False)
    }


def test_an_odd_version(site: EdmsSite) -> None:
    """It cannot be taken for a file or a part of something else."""
    number = site.model.add("A", ROOT, version="1 / draft:2#3")
    site.crawl()
    [own] = site.documents().values()
    assert own.id == f"edms:{number}:1%20%2F%20draft%3A2%233"
    assert own.files[1].sha256
    assert site.crawl().error == ""


def test_a_document_in_several_nodes_is_there_once(site: EdmsSite) -> None:
    site.model.node(SUB, "Below", ROOT)
    site.model.nodes[SUB].nodes.add(ROOT)  # a circle
    site.model.add("A", ROOT, SUB)
    report = site.crawl()
    assert (report.new, len(site.documents())) == (1, 1)


def test_versions_that_nobody_lists(site: EdmsSite) -> None:
    """They are counted down; others are those that texts name."""
    site.model.lacks = {"getDocumentVersions"}
    number = site.model.add("A", ROOT, version="3")
    for version in ("4", "5", "1", "0.1", "AE"):
        site.model.add_version(number, version)
    del site.model.documents[number]["AE"]
    site.crawl()
    found = {d.id.rpartition(":")[2] for d in site.documents().values()}
    assert found == {"3", "4", "5"}  # the count ends at 2, which is not there
    site.cited = {f"edms:{number}:0.1", f"edms:{number}:7"}
    site.next_day(full=True)
    found = {d.id.rpartition(":")[2] for d in site.documents().values()}
    assert found == {"0.1", "3", "4", "5"}


def test_cited_documents(site: EdmsSite) -> None:
    site.model.add("Stays", ROOT)
    one = site.model.add("A", OTHER)
    site.model.open(one, "1", "note.txt")
    site.crawl()
    assert f"edms:{one}:1" not in site.documents()
    site.cited = {f"edms:{one}:1", "edms:424242", "docdb:1"}
    site.crawl()  # at once, not only daily
    site.assert_true()
    assert site.recall("withheld")["documents named and not found"] == 1
    start = len(site.doors.asked)
    site.crawl()
    assert "424242" not in asked(site, start)  # asked for again by and by only
    site.cited = set()
    site.next_day()
    assert f"edms:{one}:1" in site.documents()  # no longer cited is not gone


def test_cited_nodes(site: EdmsSite) -> None:
    """Their own documents are taken, for nobody but where they are public."""
    site.model.node(SUB, "Below", OTHER)
    one, below = site.model.add("A", OTHER), site.model.add("B", SUB)
    site.crawl()
    site.cited = {f"edms:{OTHER}"}
    site.crawl()
    assert site.documents()[f"edms:{one}:1"].access == NOBODY
    assert f"edms:{below}:1" not in site.documents()


def test_not_followed(site: EdmsSite) -> None:
    one = site.model.add("A", OTHER)
    site.cited = {f"edms:{one}"}
    site.configure(cited=False)
    site.crawl()
    assert site.documents() == {}


def test_documents_of_the_settings(site: EdmsSite) -> None:
    """The owner's word counts for them too."""
    one, two = site.model.add("A", OTHER), site.model.add("B", OTHER)
    site.configure(documents=[one, f"https://edms.cern.ch/document/{two}/1"])
    site.crawl()
    assert site.access() == dict.fromkeys([f"edms:{one}:1", f"edms:{two}:1"], MEMBERS)


@pytest.mark.slow
def test_another_prefix(site: EdmsSite) -> None:
    """Texts name documents as EDMS does, whatever the source is called here."""
    one = site.model.add("A", OTHER)
    site.cited = {f"edms:{one}"}
    site.configure(id_prefix="e")
    site.crawl()
    assert list(site.documents()) == [f"e:{one}:1"]
    site.next_day(full=True)
    assert list(site.documents()) == [f"e:{one}:1"]


def test_only_one_of_a_file_and_its_rendition(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.model.put_file(number, "1", "spec (v1).docx", b"PK")
    site.model.put_file(number, "1", "spec (v1)_docx_cpdf.pdf", b"%PDF-1.4")
    site.crawl()
    names = [file.name for file in site.documents()[f"edms:{number}:1"].files]
    assert names == ["record.html", "note.txt", "spec (v1).docx"]


def test_the_record_says_what_edms_says(site: EdmsSite) -> None:
    site.model.add("WIB <format>", ROOT, description="448 bits", status="In Work")
    site.crawl()
    [own] = site.documents().values()
    path = site.settings.paths.blobs / own.files[0].sha256[:2] / own.files[0].sha256
    text = path.read_text()
    for word in ("WIB &lt;format&gt;", "448 bits", "In Work", "Report", "DUNE", ROOT):
        assert word in text
    assert own.date == dt.date(2024, 5, 17)


# ── increments ────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_what_is_read_again(site: EdmsSite) -> None:
    """Without a list of changes: what is not released each run, the rest in a month."""
    site.model.lacks = {"getModifiedDocuments"}
    work = site.model.add("Work", ROOT, status="In Work")
    released = [site.model.add(f"R{n}", ROOT) for n in range(60)]
    site.crawl()
    start = len(site.doors.asked)
    site.crawl()
    assert asked(site, start) == [work]
    start = len(site.doors.asked)
    site.next_day()
    again = asked(site, start)
    assert work in again
    assert len(again) == 50  # the share of a day
    start = len(site.doors.asked)
    site.next_day()
    assert {*again, *asked(site, start)} == {work, *released}


def test_with_a_list_of_changes(site: EdmsSite) -> None:
    work = site.model.add("Work", ROOT, status="In Work")
    done = site.model.add("Done", ROOT)
    for number in (work, done):
        site.model.documents[number]["1"].changed -= dt.timedelta(days=9)
    site.crawl()
    start = len(site.doors.asked)
    site.crawl()
    assert asked(site, start) == []
    site.model.edit(done, "1", title="Edited")
    site.crawl()
    assert asked(site, start) == [done]
    site.assert_true()


def test_older_released_versions_may_wait(site: EdmsSite) -> None:
    """Their readers are those of the document all the same."""
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT)
    site.model.add_version(number, "2", status="In Work")
    site.crawl()
    start = len(site.doors.asked)
    report = site.crawl()
    files = [name for name in site.doors.asked[start:] if name.startswith("getFiles")]
    assert len(files) == 1
    assert (report.unchanged, report.changed) == (2, 0)
    site.model.delete(number, "1")
    site.crawl()
    site.assert_true()
    assert site.documents()[f"edms:{number}:2"].supersedes == ""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["file", "status", "version"])
def test_changes_of_what_is_not_released(site: EdmsSite, what: str) -> None:
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT, status="In Work")
    site.crawl()
    if what == "file":
        site.model.put_file(number, "1", "note.txt", b"Another text.")
    elif what == "status":
        site.model.edit(number, "1", status="Released")
    else:
        site.model.add_version(number, "2", status="In Work")
    site.crawl()
    site.assert_true()
    newest = site.model.latest(number)
    told = site.documents()[f"edms:{number}:{newest}"].status
    assert told == site.model.documents[number][newest].status


@pytest.mark.slow
def test_a_change_notice(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.crawl()
    site.model.documents[number]["1"].title = "Nothing tells of it"
    site.model.documents[number]["1"].changed -= dt.timedelta(days=9)
    change_notices.write_notice(site.settings.data, "edms", [f"edms:{number}:1"])
    site.crawl()
    assert site.documents()[f"edms:{number}:1"].title == "Nothing tells of it"


# ── what is gone ──────────────────────────────────────────────────────────────────────


def test_not_found_twice_on_different_days(site: EdmsSite) -> None:
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT, status="In Work")
    site.model.add("Stays", ROOT)
    site.crawl()
    site.model.delete(number)
    first = site.crawl()
    assert (first.kept, first.removed) == (1, 0)
    assert f"edms:{number}:1" not in site.documents()
    second = site.crawl()
    assert (second.kept, second.removed) == (0, 0)  # the same day
    third = site.next_day()
    assert third.removed == 1


def test_found_again(site: EdmsSite) -> None:
    """What was hidden comes back as it is, whatever was asked for meanwhile."""
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT, status="In Work")
    site.crawl()
    kept = site.model.documents.pop(number)
    site.crawl()
    assert site.documents() == {}
    site.model.documents[number] = kept
    site.crawl()
    site.assert_true()


@pytest.mark.slow
def test_hidden_stays_hidden_when_the_tree_changes(site: EdmsSite) -> None:
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT, status="In Work")
    site.model.open(number, "1", "note.txt")
    site.model.add("Stays", ROOT)
    site.crawl()
    site.model.delete(number)
    site.crawl()
    site.model.nodes[ROOT].documents.discard(number)
    for after in range(12):  # wherever it is killed
        site.age()
        site.crawl_and_die(after)
        assert f"edms:{number}:1" not in site.documents()


def test_a_version_that_is_gone(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.model.add_version(number, "2", status="In Work")
    site.crawl()
    site.model.delete(number, "1")
    report = site.crawl()
    assert (report.removed, report.error) == (1, "")
    site.assert_true()


@pytest.mark.slow
def test_much_is_not_found(site: EdmsSite) -> None:
    """All of a sudden: hidden and told, and nothing is forgotten."""
    site.model.lacks = {"getModifiedDocuments"}
    numbers = [site.model.add(f"D{n}", ROOT, status="In Work") for n in range(30)]
    site.crawl()
    kept = dict(site.model.documents)
    for number in numbers[:25]:
        del site.model.documents[number]
    report = site.crawl()
    assert "25 of 30 documents are suddenly not found" in report.error
    report = site.next_day()
    assert (report.removed, report.hidden) == (0, 25)
    site.model.documents = kept
    assert site.next_day().error == ""
    site.assert_true()


def test_the_canary(site: EdmsSite) -> None:
    canary = site.model.add("Canary", ROOT)
    number = site.model.add("A", ROOT, status="In Work")
    site.configure(canary=canary)
    assert site.crawl().error == ""
    site.model.edit(canary, "1", closed=True)
    site.model.edit(number, "1", closed=True)
    report = site.crawl()
    assert "can no longer see the canary" in report.error
    assert (report.removed, report.hidden) == (0, 2)
    assert site.documents() == {}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["gone", "closed", "empty"])
def test_a_root_that_is_implausible(site: EdmsSite, how: str) -> None:
    """An alarm; nothing is forgotten, and nothing is shown that should not be."""
    number = site.model.add("A", ROOT)
    site.crawl()
    node = site.model.nodes[ROOT]
    if how == "gone":
        del site.model.nodes[ROOT]
    elif how == "closed":
        node.closed = True
    else:
        site.model.nodes[ROOT] = type(node)("Empty")
    report = site.next_day()
    assert "Node CERN" in report.error
    assert report.removed == 0
    access = NOBODY if how == "closed" else MEMBERS
    assert site.documents()[f"edms:{number}:1"].access == access
    site.model.nodes[ROOT] = node
    node.closed = False
    assert site.next_day().error == ""
    site.assert_true()


@pytest.mark.slow
def test_a_tree_that_lost_much(site: EdmsSite) -> None:
    numbers = [site.model.add(f"D{n}", ROOT) for n in range(30)]
    site.crawl()
    site.model.nodes[ROOT].documents -= set(numbers[:25])
    report = site.next_day()
    assert "25 of 30 documents are no longer in any node" in report.error
    site.assert_true()
    assert site.next_day().error == ""


@pytest.mark.slow
def test_kills_between_any_two_writes(site: EdmsSite) -> None:
    """The next run goes on with it, and the end is the same."""
    site.model.node(SUB, "Below", ROOT)
    for place in (ROOT, SUB):
        number = site.model.add("A", place)
        site.model.add_version(number, "2", status="In Work")
        site.model.open(number, "1", "note.txt")
    after = 0
    while site.crawl_and_die(after):
        allowed = site.truth()
        for name, readers in site.access().items():
            assert readers <= allowed[name]
        after += 3
    site.assert_true()
    assert after > 9


def test_status_says_what_is_untried(
    site: EdmsSite, capsys: pytest.CaptureFixture[str]
) -> None:
    site.cited = {"edms:424242"}
    site.crawl()
    shape = get_status(site.settings)
    [source] = shape.sources
    assert "real EDMS" in source.untried
    assert source.withheld["documents named and not found"] == 1
    print_status(shape)
    told = capsys.readouterr().out
    assert "untested" in told
    assert "docs/sources/edms.md" in told


def test_a_service_that_lists_no_files(site: EdmsSite) -> None:
    """A warning; documents are found by what EDMS says of them."""
    site.model.lacks = {"getFiles"}
    site.model.add("A", ROOT)
    report = site.crawl()
    assert report.error == ""
    assert "lists no files" in report.warnings[0]
    [own] = site.documents().values()
    assert [file.name for file in own.files] == ["record.html"]


def test_the_budget_of_an_hour_is_kept_between_runs(site: EdmsSite) -> None:
    site.model.add("A", ROOT)
    first = site.crawl()
    assert len(site.recall("spent")["edms.test"]) == first.requests
    second = site.crawl()
    assert len(site.recall("spent")["edms.test"]) == first.requests + second.requests


def test_a_new_version_that_is_closed_to_us(site: EdmsSite) -> None:
    """What was released before it is shown as before."""
    site.model.hides_latest = True
    number = site.model.add("A", ROOT)
    site.model.add_version(number, "2")
    site.crawl()
    site.model.add_version(number, "3", status="In Work", closed=True)
    report = site.next_day(full=True)
    assert (report.error, report.removed) == ("", 0)
    site.assert_true()
    assert len(site.documents()) == 2
    site.model.edit(number, "2", closed=True)
    site.next_day(full=True)
    site.assert_true()


def test_the_ledger_keeps_what_older_versions_lack(site: EdmsSite) -> None:
    """A version that need not be read again is not healed by that."""
    site.model.lacks = {"getModifiedDocuments"}
    drawn, broken = site.model.add("A", ROOT), site.model.add("B", ROOT)
    site.model.put_file(drawn, "1", "hall.stp", b"ISO-10303-21;")
    site.doors.broken[f"getFile svc {broken} 1"] = "fault"
    for number in (drawn, broken):
        site.model.add_version(number, "2", status="In Work")
    site.crawl()
    before = site.failures().keys()
    assert {name.split(":")[1] for name in before} == {drawn, broken}
    for _ in range(2):
        _fail_for_long(site)
        site.crawl()
        assert site.failures().keys() == before
    site.doors.broken.clear()
    site.next_day(full=True)
    assert {name.split(":")[1] for name in site.failures()} == {drawn}


def _fail_for_long(site: EdmsSite) -> None:
    """Let failures look old, so that they are tried again daily only."""
    with closing(sqlite3.connect(site.settings.paths.catalog)) as db, db:
        db.execute("update failures set first_at = '2020-01-01T00:00:00+00:00'")


@pytest.mark.slow
def test_a_version_that_comes_back_after_a_kill(site: EdmsSite) -> None:
    """Wherever it was killed, what was hidden and is there again is shown again."""
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT)
    site.model.add_version(number, "2", status="In Work")
    site.crawl()
    for after in range(2, 12):
        kept = site.model.documents[number].pop("1")
        site.crawl_and_die(after)
        site.model.documents[number] = {"1": kept, **site.model.documents[number]}
        site.crawl()
        site.assert_true()


def test_forgotten(site: EdmsSite) -> None:
    """No crawl brings it back, and no name of its files is kept between runs."""
    number = site.model.add("A", ROOT)
    site.model.put_file(number, "1", "layoffs.txt", b"A secret.")
    site.crawl()
    assert "layoffs" not in str(site.recall(f"edms:{number}"))
    shape = forget(site.settings, f"edms:{number}")
    assert all(place.left == 0 for place in shape.places)
    assert site.recall(f"edms:{number}") is None
    site.next_day(full=True)
    assert site.documents() == {}


def test_a_node_that_cannot_be_told(site: EdmsSite) -> None:
    """What was in it is kept; the ledger has it until it is told, or not listed."""
    site.model.node(SUB, "Below", ROOT)
    number = site.model.add("A", SUB)
    site.model.add("Stays", ROOT)
    site.crawl()
    site.doors.broken[f"getChildren svc {SUB}"] = "fault"
    assert site.next_day().error == ""
    assert site.documents()[f"edms:{number}:1"].access == MEMBERS
    assert list(site.failures()) == [f"edms:{SUB}"]
    site.model.nodes[ROOT].nodes.clear()
    site.next_day()
    assert site.failures() == {}
    assert site.documents()[f"edms:{number}:1"].access == NOBODY
    site.cited = {f"edms:{SUB}"}
    site.crawl()
    assert list(site.failures()) == [f"edms:{SUB}"]
    site.doors.broken.clear()
    site.crawl()
    assert site.failures() == {}


def test_a_root_that_cannot_be_told(site: EdmsSite) -> None:
    site.model.add("A", ROOT)
    site.crawl()
    before = site.access()
    site.doors.broken["getChildren"] = "fault"
    report = site.next_day()
    assert report.error.startswith("SourceFormatError")
    assert site.access() == before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["broken", "gone", "closed", "empty"])
def test_one_root_that_fails_ends_no_other(site: EdmsSite, how: str) -> None:
    """What is below it is closed if the node is; else it stays, for a time."""
    site.model.node(SUB, "Another root")
    site.configure(nodes=[ROOT, SUB])
    one, other = site.model.add("A", SUB), site.model.add("B", ROOT)
    assert site.crawl().error == ""
    node = site.model.nodes[SUB]
    if how == "broken":
        site.doors.broken[f"getChildren svc {SUB}"] = "fault"
    elif how == "gone":
        del site.model.nodes[SUB]
    elif how == "closed":
        node.closed = True
    else:
        site.model.nodes[SUB] = type(node)("Empty")
    new = site.model.add("New", ROOT)
    site.model.nodes[ROOT].documents -= {other}
    report = site.next_day()
    assert (report.error, report.removed) == ("", 0)
    [warning] = report.warnings
    assert f"Node {SUB}" in warning
    assert "Ask the owner of the node" in warning
    access = NOBODY if how == "closed" else MEMBERS
    documents = site.documents()
    assert documents[f"edms:{one}:1"].access == access
    assert documents[f"edms:{other}:1"].access == NOBODY
    assert documents[f"edms:{new}:1"].access == MEMBERS
    [unit] = site.recall("unconfirmed")
    assert (unit["unit"], unit["ids"]) == (f"node {SUB}", [])
    rules = site.settings.access.model_copy(update={"max_overlay_age_h": 1e-9})
    site.settings = site.settings.model_copy(update={"access": rules})
    site.next_day()
    [unit] = site.recall("unconfirmed")
    assert unit["ids"] == ([] if how == "closed" else [f"edms:{one}"])
    site.doors.broken.clear()
    site.model.nodes[SUB] = node
    node.closed = False
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])
    assert site.recall("unconfirmed") is None
    assert site.documents()[f"edms:{one}:1"].access == MEMBERS


def test_a_list_of_changes_that_fails_ends_nothing(site: EdmsSite) -> None:
    """And what changed meanwhile is not forgotten."""
    draft = site.model.add("Draft", ROOT, status="In Work")
    site.model.add("B", ROOT)
    site.crawl()
    site.crawl()
    since = site.recall("since")
    site.doors.broken["getModifiedDocuments"] = "fault"
    site.model.edit(draft, "1", title="Changed")
    report = site.crawl()
    assert (report.error, site.recall("since")) == ("", since)
    assert site.documents()[f"edms:{draft}:1"].title == "Changed"
