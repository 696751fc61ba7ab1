"""Operators' commands: ``crawl``, ``index``, ``status``, ``access``, ``forget`` ..."""

import io
import json
import sys
from pathlib import Path

import pytest

from dunegpt.datadir import DataDir
from dunegpt.schemas.operations import (
    AccessResponse,
    CrawlResponse,
    ForgetResponse,
    IndexRunResponse,
    PersonResponse,
    StatusResponse,
)
from tests.cli.invocation import Result, Run, Write

pytestmark = pytest.mark.same_place


def test_crawl_and_index(run: Run, file: str) -> None:
    first = run("--config", file, "crawl", "--json")
    assert first.read(CrawlResponse).new == 4
    assert first.out.count("\n") == 1
    again = run("--config", file, "crawl", "papers")
    assert "papers (increment): 4 seen, 0 new, 0 changed, 4 unchanged" in again.out
    built = run("--config", file, "index", "--json")
    report = built.read(IndexRunResponse)
    assert (report.documents, report.published) == (4, True)
    assert [f.id for f in report.failures] == ["papers:broken.pdf#broken.pdf"]
    again = run("--config", file, "index")
    assert "0 embedded, 1 unreadable file" in again.out
    assert "already up to date" in again.out
    assert "broken.pdf" in again.err


def test_source_that_cannot_be_listed(run: Run, file: str, papers: Path) -> None:
    papers.rename(papers.parent / "away")
    result = run("--config", file, "crawl")
    assert result.code == 1
    assert "There is no folder" in result.err
    as_json = run("--config", file, "crawl", "--json")
    assert as_json.code == 1
    assert "SourceFormatError" in as_json.read(CrawlResponse).error


def test_locked(run: Run, file: str, tmp_path: Path) -> None:
    with DataDir(tmp_path / "data").lock():
        result = run("--config", file, "crawl")
    assert result.code == 1
    assert "Another" in result.err


def test_access(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "access", "papers:LTS-0001:1")
    assert result.code == 0
    assert result.out.startswith(
        "papers:LTS-0001:1: public (access of [sources.papers]"
    )
    rows = (
        run("--config", indexed, "access", "--all", "--json").read(AccessResponse).rows
    )
    assert {row.file is None for row in rows} == {True, False}
    restricted = [row for row in rows if row.principals != ["public"]]
    assert restricted
    assert {row.evidence for row in restricted} == {"access in documents.toml"}
    assert all(row.observed_at for row in rows)
    assert run("--config", indexed, "access", "LTS-0099").code == 1
    assert run("--config", indexed, "access").code == 2


def test_status(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "status")
    assert result.code == 0
    assert "broken.pdf" in result.out
    assert "ombat" not in result.out
    state = run("--config", indexed, "status", "--json").read(StatusResponse)
    assert state.sources[0].versions == state.index.documents == 4
    assert [f.stage for f in state.failures] == ["extract"]


def test_status_of_nothing(run: Run) -> None:
    result = run("status", "--json")
    assert result.code == 0
    assert "There is no index" in result.read(StatusResponse).index.error


def test_crawl_options(run: Run, file: str, tmp_path: Path) -> None:
    dry = run("--config", file, "crawl", "--dry-run", "--json").read(CrawlResponse)
    assert (dry.new, dry.dry_run, dry.mode) == (4, True, "full")
    assert not (tmp_path / "data").exists()
    part = run("--config", file, "crawl", "--limit", "1")
    assert part.code == 0
    assert "stopped at the limit" in part.out
    full = run("--config", file, "crawl", "--full", "--json").read(CrawlResponse)
    assert (full.mode, full.new, full.unchanged) == ("full", 3, 1)
    since = run("--config", file, "crawl", "--since", "2024-01-01", "--json")
    assert since.read(CrawlResponse).mode == "since"
    assert run("--config", file, "crawl", "--since", "soon").code == 2
    assert run("--config", file, "crawl", "--limit", "-1").code == 2


def test_a_source_that_cannot_be_used_stops_no_other(
    run: Run, config_file: Write, papers: Path
) -> None:
    (papers / "a.txt").write_text("text")
    path = config_file(
        '[sources.broken]\ntype = "indico"\nurl = "x"\ncategories = [1]\n'
    )
    result = run("--config", str(path), "crawl", "broken", "papers", "--json")
    assert result.code == 1
    broken, good = map(CrawlResponse.model_validate_json, result.out.splitlines())
    assert "[sources.broken]" in broken.error
    assert (good.error, good.new) == ("", 1)


def test_forget(run: Run, indexed: str) -> None:
    proof = run("--config", indexed, "forget", "papers:SEC-0002", "--prove")
    assert proof.code == 0
    assert "nothing left" in proof.out
    for place in ("catalog", "overlay", "snapshots", "shards", "pages", "blobs"):
        assert place in proof.out
    assert "ombat" not in proof.out + proof.err
    shown = run("--config", indexed, "show", "SEC-0002", "--as", "papers:lar")
    assert shown.code == 3
    assert run("--config", indexed, "access", "papers:SEC-0002").code == 1
    assert run("--config", indexed, "forget", "papers:nothing").code == 2
    assert run("--config", indexed, "forget", "papers:SEC-0002", "--lift").code == 0
    assert run("--config", indexed, "forget", "papers:SEC-0002", "--lift").code == 2
    again = run("--config", indexed, "crawl", "--json").read(CrawlResponse)
    assert again.new == 1


def test_forget_as_data(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "forget", "papers:LTS-0001", "--json")
    shape = result.read(ForgetResponse)
    assert shape.documents == [
        "papers:LTS-0001",
        "papers:LTS-0001:1",
        "papers:LTS-0001:2",
    ]
    assert all(place.left == 0 for place in shape.places)


def test_notice(run: Run, indexed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "2 ids are pending"
        in run("--config", indexed, "notice", "papers", "a", "b").out
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("c\nd e\n"))
    assert "3 ids are pending" in run("--config", indexed, "notice", "papers").out
    state = run("--config", indexed, "status", "--json").read(StatusResponse)
    assert state.sources[0].notices == 2
    assert "2 pending" in run("--config", indexed, "status").out
    assert run("--config", indexed, "notice", "nowhere", "a").code == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run("--config", indexed, "notice", "papers").code == 2


def test_principals(run: Run, config_file: Write) -> None:
    rule = '[[access.people]]\nclaim = "groups"\nvalue = "dune"\nprincipals = ["a:b"]\n'
    path = str(config_file(rule))
    Path("known.json").write_text('{"groups": ["dune"]}')
    Path("unknown.json").write_text('{"groups": []}')
    Path("list.json").write_text("[]")
    known = run("--config", path, "principals", "known.json", "--json")
    assert known.read(PersonResponse).principals == ["a:b"]
    unknown = run("--config", path, "principals", "unknown.json")
    assert unknown.out == "none (only what is public)\n"
    for wrong in ("list.json", "nowhere.json"):
        assert run("--config", path, "principals", wrong).code == 2


def test_snapshots(run: Run, indexed: str, papers: Path) -> None:
    def snapshot(*arguments: str) -> Result:
        return run("--config", indexed, "snapshot", *arguments)

    (first,) = json.loads(snapshot("list", "--json").out)["snapshots"]
    assert first["is_current"]
    assert snapshot("verify").code == 0
    (papers / "new.txt").write_text("The new valve opens at 1.21 bar.\n")
    assert run("--config", indexed, "crawl").code == 0
    told = run("--config", indexed, "index")
    assert "recall@10 1.000" in told.out
    shown = snapshot("list")
    assert first["id"] in shown.out
    assert "MB, " in shown.out
    changed = snapshot("diff", first["id"][:6])
    assert "+ papers:new.txt" in changed.out
    assert "1 added, 0 removed, 0 changed" in changed.out
    assert json.loads(snapshot("diff", first["id"], "--json").out)["changed"] == []
    back = snapshot("rollback")
    assert (back.code, first["id"] in back.out) == (0, True)
    assert snapshot("rollback").code == 2
    assert snapshot("publish", "nothing").code == 2
    assert "snapshot list" in snapshot("publish", "nothing").err
    assert "0 removed" in snapshot("collect", "--keep", "1").out
    assert run("--config", indexed, "index").code == 0
    path = papers.parent / "data" / "snapshots" / "current" / "row_document.npy"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + b"x")
    broken = snapshot("verify")
    assert broken.code == 1
    assert "row_document.npy is changed" in broken.err
    assert "1 error" in broken.out
