"""The journey: crawl, restrict, revoke, delete, forget; and three people who ask.

Over 5,000 documents with versions and mixed access, through the command line. Later
parts add their steps here.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from simulators.docdb.endpoints import Doors
from simulators.docdb.model import DocDBModel
from simulators.edms.soap_server import EdmsDoors
from simulators.http_server import FaultServer
from simulators.indico.model import Event, IndicoModel
from tests.acceptance import edms as edms_steps
from tests.acceptance import receipts as receipt_steps
from tests.acceptance.logbook import Logbook, logbook
from tests.acceptance.world import (
    ACCOUNTS,
    BOARD,
    GROUP,
    PEOPLE,
    Fact,
    add_talk,
    docdb_readers,
    fill,
    fill_docdb,
    one_of_each,
    who,
    write_notes,
)

EVENTS, NOTES, DOCUMENTS, SHEETS = 1250, 150, 120, 60


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def model() -> Iterator[IndicoModel]:
    model = IndicoModel(ACCOUNTS)
    with FaultServer(model.answer) as server:
        model.url = server.url
        yield model


@pytest.fixture
def docdb() -> Iterator[Doors]:
    model = DocDBModel(("All", "Board"))
    model.superiors = {("Board", "All")}
    doors = Doors(model)
    doors.sessions["service"] = ["All", "Board"]
    with FaultServer(doors.answer) as server:
        doors.url = server.url
        yield doors


@pytest.fixture
def edms() -> Iterator[EdmsDoors]:
    with edms_steps.served() as doors:
        yield doors


@pytest.fixture
def shiftlog(tmp_path: Path) -> Iterator[Logbook]:
    with logbook(tmp_path) as made:
        yield made


@pytest.fixture
def config(  # noqa: PLR0917 - a server for each source
    tmp_path: Path,
    model: IndicoModel,
    docdb: Doors,
    edms: EdmsDoors,
    shiftlog: Logbook,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    for name in ACCOUNTS:
        monkeypatch.setenv(f"TOKEN_{name.upper()}", name)
    monkeypatch.setenv("DOCDB_COOKIE", "session=service")
    monkeypatch.setenv("EDMS_PASSWORD", edms.users["svc"])
    (tmp_path / "notes").mkdir()
    path = tmp_path / "dunegpt.toml"
    path.write_text(
        f"""
        data_dir = "data"
        [embed]
        model = "{tiny_encoder}"
        [sources.notes]
        type = "folder"
        path = "notes"
        access = ["notes:member"]
        [sources.docdb]
        type = "docdb"
        url = "{docdb.url}/cgi-bin"
        delay_s = 0
        requests_per_hour = 0
        [[sources.docdb.doors]]
        kind = "cookie"
        url = "{docdb.url}/cgi-bin/sso"
        cookie_env = "DOCDB_COOKIE"
        {edms_steps.table(edms)}
        [sources.larch]
        type = "indico"
        url = "{model.url}"
        categories = [7]
        delay_s = 0
        requests_per_hour = 0
        token_env = ["TOKEN_MIA", "TOKEN_MO"]
        principals = ["larch:member"]
        audiences = [{{principals = ["larch:board"], token_env = "TOKEN_OTTO"}}]
        {shiftlog.settings()}
        """
    )
    return path


@pytest.fixture
def run(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    def call(*arguments: str, good: bool = True) -> Result:
        capsys.readouterr()
        argv = ["dunegpt", "--config", str(config), *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as stop:
            main.main()
        result = Result(int(stop.value.code or 0), *capsys.readouterr())
        assert result.code == 0 or not good, result.err
        return result

    return call


def crawl(run: Run, *options: str) -> list[Any]:
    lines = run("crawl", "--json", *options).out.split("\n")
    return [json.loads(line) for line in lines if line]


def assert_told(run: Run, fact: Fact) -> None:
    """Ask as each person: the readers are told with the right citation, others not."""
    for person, principals in PEOPLE.items():
        names = ",".join(sorted(principals))
        answer = run("ask", "--json", "--as", names, fact.question, good=False).json
        cited = {r["document"]["id"] for r in answer["references"] if r["cited"]}
        found = run("search", "--json", "--as", names, fact.question, good=False)
        shown = run("show", "--as", names, fact.id, good=False)
        if person in fact.readers:
            assert fact.value in answer["answer"], (person, fact)
            assert fact.id in cited, (person, fact)
            assert fact.id in found.out
            assert shown.code == 0
        else:
            told = json.dumps(answer) + found.out + shown.out + shown.err
            assert fact.value not in told, (person, fact)
            nothing = fact.id.replace("larch:", "larch:9").replace("N-", "N-9")
            nothing = nothing.replace("docdb:", "docdb:999")
            nothing = nothing.replace("edms:", "edms:999")
            unknown = run("show", "--as", names, nothing, good=False)
            assert _blank(shown, fact.id) == _blank(unknown, nothing)


def _blank(result: Result, name: str) -> tuple[str, str, int]:
    """Return an answer without the id that was asked for."""
    return result.out, result.err.replace(name, "X"), result.code


def killed(config: Path, *arguments: str, after_s: float) -> None:
    """Run a command and end it by SIGKILL, wherever it is by then."""
    command = [sys.executable, "-m", "dunegpt", "--config", str(config), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)


def number_of(fact: Fact) -> int:
    """Return the number of the event that a fact's talk is in; 0 for a note."""
    number = fact.id.partition(":")[2].partition("/")[0]
    return int(number) if number.isdecimal() else 0


def event_of(model: IndicoModel, fact: Fact) -> Event:
    return model.events[number_of(fact)]


def first(facts: list[Fact], *readers: str) -> Fact:
    """Return a talk's fact with exactly these readers."""
    wanted = frozenset(readers)
    return next(f for f in facts if f.readers == wanted and f.id.startswith("larch"))


def change_docdb(run: Run, model: DocDBModel, reports: list[Fact]) -> None:
    """Restrict, revoke and delete versions; nobody is told what he may not know."""
    restricted = next(f for f in reports if f.readers == set(PEOPLE))
    revoked = next(f for f in reports if f.readers == {"member", "board"})
    touched = {place(f)[0] for f in (restricted, revoked)}
    free = [f for f in reports if place(f)[0] not in touched]
    deleted = next(f for f in free if f.readers == set(PEOPLE))
    model.close(*place(restricted), "All")
    model.close(*place(revoked), "Board")
    model.delete(*place(deleted))
    crawl(run, "docdb")
    run("notice", "docdb", deleted.id)
    crawl(run, "docdb")
    for fact in (restricted, revoked):
        readers = docdb_readers(model, *place(fact)) & fact.readers
        assert_told(run, replace(fact, readers=readers))
    assert_told(run, replace(deleted, readers=frozenset()))


def place(fact: Fact) -> tuple[int, int]:
    """Return number and version of a report."""
    _, number, version = fact.id.split(":")
    return int(number), int(version)


def test_journey(  # noqa: PLR0917 - a server for each source
    run: Run,
    config: Path,
    model: IndicoModel,
    docdb: Doors,
    edms: EdmsDoors,
    shiftlog: Logbook,
    tmp_path: Path,
) -> None:
    facts = fill(model, EVENTS) + write_notes(tmp_path / "notes", NOTES)
    reports = fill_docdb(docdb.model, DOCUMENTS)
    sheets = edms_steps.fill(edms.model, SHEETS)
    cited = edms_steps.cite(edms.model, tmp_path / "notes")
    logged = shiftlog.fill()
    killed(config, "crawl", after_s=4)
    records = crawl(run)
    assert {r["error"] for r in records} == {""}
    state = run("status", "--json").json
    assert sum(s["versions"] for s in state["sources"]) >= 5000
    killed(config, "index", after_s=4)
    index = run("index", "--json").json
    assert index["documents"] >= 3500
    shown = (*one_of_each(facts), *one_of_each(reports), *one_of_each(sheets))
    for fact in (*shown, *logged):
        assert_told(run, fact)
    edms_steps.assert_standing(run, edms.model, sheets)
    shiftlog.assert_runs(run)

    restricted, revoked = first(facts, *PEOPLE), first(facts, "member")
    kept = receipt_steps.asked(run, revoked, "member")
    event_of(model, restricted).readers = GROUP
    event_of(model, revoked).readers = BOARD
    touched = {event_of(model, f).number for f in (restricted, revoked)}
    deleted = first([f for f in facts if number_of(f) not in touched], *PEOPLE)
    model.delete(event_of(model, deleted).number)
    for fact in (restricted, revoked, deleted):
        run("notice", "larch", fact.id)
    crawl(run, "larch")
    assert_told(run, replace(restricted, readers=frozenset({"member"}) & who(GROUP)))
    assert_told(run, replace(revoked, readers=frozenset()))
    assert_told(run, replace(deleted, readers=frozenset()))
    receipt_steps.assert_closed(run, kept, revoked, "member")

    change_docdb(run, docdb.model, reports)
    for fact in edms_steps.change(run, edms.model, sheets):
        assert_told(run, fact)
    assert edms.leaks == []
    renewed = shiftlog.change(run, assert_told)

    added = add_talk(model, event_of(model, restricted), GROUP)
    run("notice", "larch", added.id)
    crawl(run, "larch")
    run("index")
    assert_told(run, replace(added, readers=frozenset({"member"})))
    assert_told(run, cited)
    for fact in renewed:
        assert_told(run, fact)

    forgotten = first([f for f in facts if f.id != restricted.id], "board")
    proof = run("forget", forgotten.id, "--prove", "--json").json
    assert all(place["left"] == 0 for place in proof["places"])
    crawl(run, "larch", "--full")
    assert_told(run, replace(forgotten, readers=frozenset()))
    assert run("crawl", "--full").code == 0
