"""Groups, lists and hierarchy: the stricter one counts, and an alarm says where."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from dunegpt.access import PUBLIC
from dunegpt.cli import main
from dunegpt.errors import StorageError
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport
from dunegpt.ingest.docdb.access import (
    AccessJudge,
    VersionRule,
    infer_hierarchy,
    pack_list,
    unpack_list,
)
from dunegpt.operations.status import get_status
from simulators.crawled_source import folder
from simulators.docdb.model import DocDBModel, Version
from simulators.docdb.site import Site
from simulators.http_server import Reply, Request

ALL, BOARD, ADMIN = "docdb:All", "docdb:Board", "docdb:Admin"


@pytest.fixture
def site() -> Iterator[Site]:
    with folder() as path:
        made = Site(path)
        made.model.superiors = {("Board", "All")}
        yield made


def rule(*groups: str) -> VersionRule:
    return VersionRule(frozenset(groups))


# ── decided ───────────────────────────────────────────────────────────────────────


def test_superiors_are_found_in_the_lists() -> None:
    rules = {1: (1, rule("C")), 2: (3, rule("C", "X")), 3: (1, rule("P"))}
    lists = {"P": {1: 1, 2: 3, 3: 1}, "C": {1: 1, 2: 3}, "X": {2: 3}, PUBLIC: {}}
    found = infer_hierarchy(rules, lists)
    assert found.proven == {("P", "C")}
    # X is only where C is too: it may be, and nothing proves it.
    assert found.possible == {("P", "C"), ("P", "X")}


def test_one_document_that_is_missed_speaks_against_it() -> None:
    rules = {n: (1, rule("C")) for n in range(1, 4)}
    some = {"P": {1: 1, 2: 1}, "C": {1: 1, 2: 1, 3: 1}}
    assert infer_hierarchy(rules, some).possible == frozenset()
    # Of very many, one may have changed between two looks.
    many = {n: (1, rule("C")) for n in range(100)}
    lists = {"P": {n: 1 for n in range(99)}}
    assert infer_hierarchy(many, lists).proven == {("P", "C")}


def test_each_version_has_readers_of_its_own() -> None:
    judge = AccessJudge(infer_hierarchy({9: (1, rule("C"))}, {"P": {9: 1}}))
    shown = {"P": 3, "C": 2, PUBLIC: 1}
    assert judge.allowed_views(1, rule(), shown) == {"P", "C", PUBLIC}
    assert judge.allowed_views(2, rule(), shown) == {"P", "C"}
    assert judge.allowed_views(1, rule("C"), shown) == {"P", "C"}
    assert judge.allowed_views(3, rule("C"), shown) == {"P"}
    assert judge.allowed_views(1, rule("P"), shown) == {"P"}
    assert judge.allowed_views(4, rule(), shown) == frozenset()
    assert judge.allowed_views(1, rule("C"), {}) == frozenset()


def test_a_possible_superior_is_shown_the_latest_only() -> None:
    rules = {9: (2, rule("C", "X"))}
    judge = AccessJudge(infer_hierarchy(rules, {"P": {9: 2}}))
    assert judge.allowed_views(2, rule("C", "X"), {"P": 2}) == {"P"}
    assert judge.allowed_views(1, rule("C"), {"P": 2}) == frozenset()


def test_a_group_without_the_right_to_view() -> None:
    judge = AccessJudge(non_viewing_groups=frozenset({"C"}))
    assert judge.allowed_views(1, rule("C"), {"C": 1}) == frozenset()
    assert judge.allowed_views(1, rule("C", "D"), {"C": 1, "D": 1}) == {"D"}


def test_lists_are_kept_as_text() -> None:
    rows = {12: 3, 8: 0, 35370: 1}
    assert unpack_list(pack_list(rows)) == rows
    assert unpack_list("") == {}


# ── crawled ───────────────────────────────────────────────────────────────────────


def test_one_level_only(site: Site) -> None:
    site.model.superiors = {("Admin", "Board"), ("Board", "All")}
    site.model.add("A", ["All"])
    site.model.add("B", ["Board"])
    assert site.crawl().warnings == []
    assert site.access() == {"docdb:1:1": {ALL, BOARD}, "docdb:2:1": {BOARD, ADMIN}}


def test_the_list_shows_less(site: Site) -> None:
    """As where the groups of a version are wrong: the list counts, and it is told."""
    for number in range(3):
        site.model.add(f"A {number}", ["All"])
    sees = DocDBModel.sees

    def less(groups: object, version: Version) -> bool:
        is_board = list(groups) == ["Board"]  # type: ignore[call-overload]
        hidden = is_board and version.title == "A 1"
        return not hidden and sees(site.model, groups, version)  # type: ignore[arg-type]

    site.model.superiors.clear()
    site.model.edit(2, 1, groups=frozenset({"All", "Board"}))
    site.model.sees = less  # type: ignore[method-assign]
    report = site.crawl()
    assert report.error == ""
    [warning] = report.warnings
    assert "2-v1 is not shown to Board" in warning
    assert site.access()["docdb:2:1"] == {ALL}
    [told] = get_status(site.settings).sources
    assert told.warnings == [warning]


def test_the_list_shows_more(site: Site) -> None:
    """A group is shown a document that its groups do not give it: not here."""
    for number in range(3):
        site.model.add(f"A {number}", ["All"])
    sees = DocDBModel.sees
    site.model.superiors.clear()

    def more(groups: object, version: Version) -> bool:
        is_board = list(groups) == ["Board"]  # type: ignore[call-overload]
        also = is_board and version.title == "A 1"
        return also or sees(site.model, groups, version)  # type: ignore[arg-type]

    site.model.sees = more  # type: ignore[method-assign]
    report = site.crawl()
    [warning] = report.warnings
    assert "2-v1 is shown to Board" in warning
    assert site.access()["docdb:2:1"] == {ALL}
    catalog_run = site.crawl()
    assert catalog_run.error == ""


def test_a_group_that_may_not_view(site: Site) -> None:
    site.model.superiors.clear()
    site.model.powerless = {"Board"}
    site.model.add("A", ["Board"])
    site.model.add("B", ["Board", "All"])
    # Nobody is shown the first: not even the account that is in all groups.
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])
    assert site.access() == {"docdb:2:1": {ALL}}
    assert site.recall("withheld")["documents closed to us"] == 1


def test_a_view_that_fails_keeps_its_last_list(site: Site) -> None:
    site.model.add("A", ["All"])
    site.model.add("B", ["All"])
    site.crawl()
    before = site.access()
    answer = site.doors.answer

    def broken(request: Request) -> Reply:
        reply = answer(request)
        assert isinstance(reply.body, bytes)
        is_board = "groupids=3" in request.headers.get("cookie", "")
        if is_board and "alldocs" in request.query:
            return Reply(200, reply.body[:-40], reply.headers)
        return reply

    site.doors.answer = broken  # type: ignore[method-assign]
    report = site.next_day()
    assert report.error == ""
    assert "The list of Board failed" in report.warnings[0]
    assert site.access() == before


def test_what_no_list_has_is_hidden_whatever_its_page_says(site: Site) -> None:
    for number in range(3):
        site.model.add(f"A {number}", ["All"])
    site.crawl()
    site.model.delete(2)
    answer = site.doors.answer

    def broken(request: Request) -> Reply:
        if request.query == {"docid": "2"}:
            return Reply(200, b"<html>something</html>", {"Content-Type": "text/html"})
        return answer(request)

    site.doors.answer = broken  # type: ignore[method-assign]
    assert site.next_day().error == ""
    assert site.access().keys() == {"docdb:1:1", "docdb:3:1"}


def test_numbers_that_are_closed_to_us(site: Site) -> None:
    for number in range(5):
        site.model.add(f"A {number}", ["All"])
    site.model.groups[9] = "Secret"
    site.model.close(2, 1, "Secret")
    site.model.add("Behind", ["Secret"])
    site.model.delete(4)
    site.crawl()
    assert site.recall("withheld") == {
        "documents closed to us": 2,
        "documents by its own count, unaccounted for": 0,
    }
    assert site.recall("gaps") == {"none": [4], "closed": [2, 6]}
    site.model.close(2, 1, "All")
    asked = len(site.doors.asked)
    site.next_day()
    assert site.recall("gaps")["closed"] == [6]
    assert not [a for a in site.doors.asked[asked:] if a.endswith("docid=4")]


# ── people ────────────────────────────────────────────────────────────────────────


def claims(folder: Path, **facts: object) -> str:
    path = folder / "claims.json"
    path.write_text(json.dumps(facts))
    return str(path)


@pytest.fixture
def principals(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., list[str]]:
    def ask(**facts: object) -> list[str]:
        config = tmp_path / "dunegpt.toml"
        config.write_text(f'data_dir = "{site.settings.data}"\n')
        argv = ["dunegpt", "--config", str(config), "principals", "--json"]
        monkeypatch.setattr(sys, "argv", [*argv, claims(tmp_path, **facts)])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main.main()
        return list(json.loads(capsys.readouterr().out)["principals"])

    return ask


@pytest.mark.slow
def test_members_of_groups(site: Site, principals: Callable[..., list[str]]) -> None:
    site.model.members = {
        "All": [("ada@lab.test", "ada@x.test"), ("bo@lab.test", "")],
        "Board": [("ada@lab.test", "ada@x.test")],
    }
    site.model.add("A", ["All"])
    issuer = "https://id.test"
    site.configure(people={"issuer": issuer})
    site.crawl()
    ada = {"iss": issuer, "preferred_username": "ada@lab.test"}
    assert principals(**ada) == [ALL, BOARD]
    assert principals(iss=issuer, preferred_username="bo@lab.test") == [ALL]
    assert principals(iss="https://evil.test", preferred_username="ada@lab.test") == []
    assert principals(iss=issuer, preferred_username="ada") == []
    assert principals(iss=issuer, email="ada@x.test", email_verified=True) == []
    # A group that gives no right to view gives none here.
    site.model.powerless = {"Board"}
    site.model.members["All"].pop()
    site.configure(people={"issuer": issuer, "domain": "lab.test", "claim": "uid"})
    site.crawl()
    assert principals(iss=issuer, uid="ada") == [ALL]
    assert principals(iss=issuer, uid="bo") == []
    site.configure(people={"issuer": issuer, "claim": "email"})
    site.crawl()
    mail = {"iss": issuer, "email": "ada@x.test"}
    assert principals(**mail, email_verified=True) == [ALL]
    assert principals(**mail) == []
    site.configure(people=None)
    site.crawl()
    assert principals(**mail, email_verified=True) == []


def test_members_are_shown_to_no_reader(site: Site) -> None:
    site.model.members = {"All": [("ada@lab.test", "ada@x.test")]}
    site.model.add("A", ["All"])
    site.configure(people={"issuer": "https://id.test"})
    site.crawl()
    [document] = site.documents().values()
    assert "ada@" not in repr(document)
    for blob in site.settings.paths.blobs.rglob("*"):
        assert not blob.is_file() or b"ada@" not in blob.read_bytes()
    with closing(sqlite3.connect(site.settings.paths.overlay)) as db:
        rows = db.execute("select value, principals from people").fetchall()
    assert rows == [("ada@lab.test", json.dumps([ALL]))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", ["old", "future", "absent", "damaged", "earlier program"]
)
def test_members_without_a_good_overlay(
    site: Site, principals: Callable[..., list[str]], damage: str
) -> None:
    site.model.members = {"All": [("ada@lab.test", "ada@x.test")]}
    site.model.add("A", ["All"])
    site.configure(people={"issuer": "https://id.test"})
    site.crawl()
    ada = {"iss": "https://id.test", "preferred_username": "ada@lab.test"}
    assert principals(**ada) == [ALL]
    path = site.settings.paths.overlay
    if damage == "absent":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(b"no database at all" * 99)
        with pytest.raises(StorageError, match="cannot be used"):
            overlay.load_people_rules(site.settings.data, timedelta(hours=1))
        return
    else:
        with closing(sqlite3.connect(path)) as db, db:
            if damage in ("old", "future"):
                at = f"{2001 if damage == 'old' else 2999}-01-01T00:00:00+00:00"
                db.execute("update meta set written_at = ?", (at,))
            else:
                db.execute("drop table people")
    assert principals(**ada) == []


def test_a_warning_ends_the_command_with_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "dunegpt.toml"
    config.write_text('[sources.docdb]\ntype = "docdb"\n')
    told = CrawlReport("docdb", warnings=["Two lists differ."])
    monkeypatch.setattr("dunegpt.ingest.crawl.crawl", lambda *_, **__: told)
    monkeypatch.setattr(sys, "argv", ["dunegpt", "--config", str(config), "crawl"])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 1
    assert "Two lists differ." in capsys.readouterr().err


def test_marks_below_a_prefix(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    for key in ("docdb", "docdb:1", "docdb:12", "docdb;", "docdbx:1", "a"):
        catalog.put_state("docdb", key, {"key": key})
    catalog.put_state("other", "docdb:3", {})
    found = dict(catalog.iter_state("docdb", "docdb:"))
    assert found == {"docdb:1": {"key": "docdb:1"}, "docdb:12": {"key": "docdb:12"}}
    catalog.close()
