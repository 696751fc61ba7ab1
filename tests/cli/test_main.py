"""The command line, through its own door: what it prints, and its exit codes."""

import io
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt import __version__
from dunegpt.cli import main
from dunegpt.config import load_settings
from dunegpt.datadir import DataDir
from dunegpt.schemas.operations import (
    AccessResponse,
    CrawlResponse,
    ExtractResponse,
    ForgetResponse,
    IndexRunResponse,
    PersonResponse,
    StatusResponse,
)
from dunegpt.schemas.reading import (
    AskResponse,
    RunsResponse,
    SearchResponse,
    ShowResponse,
)
from dunegpt.schemas.registry import RESPONSES
from dunegpt.types import Outcome
from simulators.llm.openai_server import fake_model
from tests.ingest.extract.test_extract import make_pdf
from tests.made_once import MakeOnce

pytestmark = pytest.mark.same_place

Write = Callable[[str], Path]
FACT = "The drift field of the far detector is 475 V/cm."
QUESTION = "What is the drift field of the far detector?"
LIST = """
[[document]]
id = "LTS-0001"
version = 1
title = "Field [note] :100: of $1"
files = ["v1.txt"]
[[document]]
id = "LTS-0001"
version = 2
title = "Field [note] :100: of $1"
authors = ["Ada Okonjo"]
date = 2024-02-29
status = "approved"
files = ["v2.txt"]
[[document]]
id = "SEC-0002"
title = "Secret wombats"
access = ["papers:lar"]
files = ["secret.txt"]
"""


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Give the loggers back as they were."""
    root = logging.getLogger("dunegpt")
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.level, root.propagate = before


class Result:
    """What a call of ``dunegpt`` left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def read(self, shape: Any) -> Any:
        return shape.model_validate_json(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> Result:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["dunegpt", *arguments])
        try:
            main.main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        return Result(int(code), *capsys.readouterr())

    return call


@pytest.fixture
def file(config_file: Write, papers: Path) -> str:
    (papers / "documents.toml").write_text(LIST)
    (papers / "v1.txt").write_text("The drift field of the far detector is 500 V/cm.")
    (papers / "v2.txt").write_text(FACT)
    (papers / "secret.txt").write_text("Wombats eat the drift field in Tasmania.")
    (papers / "broken.pdf").write_bytes(b"%PDF broken")
    return str(config_file(""))


@pytest.fixture
def indexed(run: Run, file: str, tmp_path: Path, make_once: MakeOnce) -> str:
    def make() -> None:
        assert run("--config", file, "crawl").code == 0
        assert run("--config", file, "index").code == 0

    make_once("cli", tmp_path, make)
    return file


# ── one file ──────────────────────────────────────────────────────────────────────


def test_extract(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("# Field [x]\n\nThe field is 475 V/cm.\n")
    shown = run("extract", str(note))
    assert shown.code == 0
    assert "note.md, line 1 · Field [x]" in shown.out
    assert "The field is 475 V/cm." in shown.out


def test_extract_as_json(run: Run, tmp_path: Path) -> None:
    """A line a file; what cannot be read does not hide what can."""
    (tmp_path / "note.txt").write_text("text")
    (tmp_path / "empty.pdf").touch()
    names = [str(tmp_path / name) for name in ("empty.pdf", "note.txt")]
    result = run("extract", "--json", *names)
    assert result.code == 1
    empty, note = map(ExtractResponse.model_validate_json, result.out.splitlines())
    assert (empty.error, empty.pages) == ("The file is empty.", [])
    assert [page.text for page in note.pages] == ["text"]
    assert "empty.pdf: The file is empty." in run("extract", *names).err


def test_extract_of_no_file(run: Run) -> None:
    result = run("extract", "nowhere.pdf")
    assert (result.code, "no file nowhere.pdf" in result.err) == (2, True)


def test_extract_tells_where_a_quote_stands(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf("The drift field is 475 V/cm."))
    found = run("extract", "--quote", "field is 475", str(path))
    assert found.out.startswith("a.pdf, page 1: left 0.")
    assert (
        "not found on that page" in run("extract", "--quote", "purity", str(path)).err
    )


# ── without an index ──────────────────────────────────────────────────────────────


def test_version(run: Run) -> None:
    assert run("--version").out == f"dunegpt {__version__}\n"


@pytest.mark.parametrize("name", main.COMMANDS)
def test_summaries_are_those_of_the_commands(name: str) -> None:
    help_text = main.load_command(name).help
    assert help_text.partition("\n")[0] == main.COMMANDS[name]


def test_config_prints_a_file_that_loads(run: Run) -> None:
    result = run("config")
    assert (result.code, result.err) == (0, "")
    Path("dunegpt.toml").write_text(result.out)
    assert load_settings().sources.keys() == {"papers"}


@pytest.mark.parametrize("command", ["", "crawl", "index", "ask", "search", "show"])
def test_help(run: Run, command: str) -> None:
    result = run(*filter(None, [command, "--help"]))
    assert result.code == 0
    assert "Usage: dunegpt" in result.out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("crawl",), 2, "No sources"),
        (("crawl", "nowhere"), 1, "nowhere"),
        (("index",), 2, "dunegpt crawl"),
        (("ask", QUESTION), 4, "There is no index"),
        (("search", QUESTION), 4, "There is no index"),
        (("show", "LTS-0001"), 4, "There is no index"),
        (("ask",), 2, "question"),
        (("nonsense",), 2, "nonsense"),
        (("ask", "--nonsense", "x"), 2, "--nonsense"),
        (("ask", "x", "--since", "yesterday"), 2, "yesterday"),
        (("ask", "x", "--since", "2024-02-30"), 2, "2024-02-30"),
        (("ask", "x", "-k", "0"), 2, "-k"),
        (("search", "x", "-k", "many"), 2, "-k"),
        (("--config", "nowhere.toml", "status"), 1, "nowhere.toml"),
        (("ask", "x", "--folder", "nowhere"), 2, "nowhere"),
    ],
)
def test_errors(run: Run, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = run(*arguments)
    assert (result.code, "Traceback" in result.err) == (code, False)
    assert told in result.out + result.err


def test_bad_settings(run: Run) -> None:
    Path("dunegpt.toml").write_text("[embed\n")
    result = run("status")
    assert result.code == 1
    assert "not TOML" in result.err
    assert "dunegpt config" in result.err


def test_trace_only_if_asked(run: Run) -> None:
    assert "Traceback" not in run("crawl", "nowhere").err
    debugged = run("--debug", "crawl", "nowhere")
    assert debugged.code == 1
    assert "Traceback" in debugged.err


def test_unexpected_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by [bold]nought")

    monkeypatch.setattr("dunegpt.config.read_example", fail)
    result = run("config")
    assert result.code == 1
    assert "Unexpected ZeroDivisionError: by [bold]nought" in result.err
    assert "--debug" in result.err
    with pytest.raises(ZeroDivisionError):
        run("--debug", "config")


def test_interrupt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dunegpt.config.read_example", interrupt)
    result = run("config")
    assert result.code == 130
    assert "next run continues" in result.err


# ── the whole way ─────────────────────────────────────────────────────────────────


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


def test_ask(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "ask", QUESTION)
    assert result.code == 0
    assert result.out.startswith(f"{FACT} [1]\n")
    assert "References" in result.out
    shape = run("--config", indexed, "ask", QUESTION, "--json").read(AskResponse)
    assert shape.outcome is Outcome.ANSWERED
    assert shape.answer.startswith(f"{FACT} [1]")
    assert shape.references[0].document.id == "papers:LTS-0001:2"
    assert shape.references[0].cited


def test_names_are_printed_as_they_are(run: Run, indexed: str) -> None:
    """Neither markup nor emoji is made of a title, nor of an id like docdb:100:3."""
    for command in (["ask", QUESTION], ["search", QUESTION], ["show", "LTS-0001"]):
        result = run("--config", indexed, *command)
        assert "Field [note] :100: of $1" in result.out, command


def test_ask_what_is_not_there(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "ask", "What do wombats eat in Tasmania?")
    assert result.code == 3
    assert "Not in the documents" in result.out
    shape = run("--config", indexed, "ask", "LTS-0099", "--json")
    assert shape.code == 3
    assert shape.read(AskResponse).notices


@pytest.mark.parametrize("command", ["ask", "search", "show"])
def test_as(run: Run, indexed: str, command: str) -> None:
    arguments = ["--config", indexed, command, "SEC-0002", "--json"]
    hidden = run(*arguments)
    assert hidden.code == (0 if command == "search" else 3)  # it finds other things
    assert "ombat" not in hidden.out + hidden.err
    seen = run(*arguments, "--as", "papers:lar, papers:other")
    assert seen.code == 0
    assert "Secret wombats" in seen.out
    seen.read(RESPONSES[command])


def test_runs(run: Run, config_file: Write, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(
        '[{"id": 8812, "timestamp": "2026-10-03 04:00", "text": "Quiet [shift]."}]'
    )
    (tmp_path / "runs.csv").write_text(
        "run,start,stop,beam,state,comment\n"
        "7,2026-10-03 04:12:00,2026-10-03 05:12:00,on,LArTPC [full],quiet\n"
        "8,2026-10-04 04:12:00,,off,cosmics,\n"
    )
    file = str(
        config_file(
            '[sources.log]\ntype = "elog"\npath = "log.json"\n'
            'access = ["log:shift"]\nruns_file = "runs.csv"\n'
        )
    )
    assert run("--config", file, "crawl", "log", "--index").code == 0
    own = ("--config", file, "runs", "--as", "log:shift")
    shown = run(*own)
    assert "7  2026-10-03 04:12:00 - 2026-10-03 05:12:00  beam on; LArTPC [full]" in (
        shown.out
    )
    assert "8  2026-10-04 04:12:00 - (no end)  beam off; cosmics" in shown.out
    [found] = run(*own, "--beam", "on", "--last", "--json").read(RunsResponse).runs
    assert (found.run, found.state, found.document) == (
        7,
        "LArTPC [full]",
        "log:runs-2026-10",
    )
    assert found.page == 1 and found.url.endswith("/runs.csv")
    for options in (["--run", "9"], ["--state", "x"], ["--since", "2027-01-01"]):
        nothing = run(*own, *options)
        assert (nothing.code, nothing.out) == (3, "No run found that you may see.\n")
    hidden = run("--config", file, "runs", "--json")
    assert (hidden.code, hidden.read(RunsResponse).runs) == (3, [])
    assert run("--config", file, "crawl", "--dry-run", "--index").code == 2
    assert run("--config", file, "crawl", "--every", "-1").code == 2


def test_cli_principals(run: Run, indexed: str, config_file: Write) -> None:
    config_file('[cli]\nprincipals = ["papers:lar"]\n')
    assert run("--config", indexed, "show", "SEC-0002").code == 0


def test_the_public_is_told_how_to_read_as_a_member(
    run: Run, indexed: str, config_file: Write
) -> None:
    """Only by the settings, and only if nothing was found."""
    question = ["ask", "What do wombats eat in Tasmania?"]
    assert "--as" not in run("--config", indexed, *question).err
    closed = '[sources.docs]\ntype = "docdb"\nurl = "https://docs.example.org"\n'
    closed += '[[sources.docs.doors]]\nkind = "cookie"\nurl = "https://d.example.org"\n'
    config_file(closed)
    for command in (question, ["show", "SEC-0002"]):
        result = run("--config", indexed, *command)
        assert "You read as the public. docs may have documents" in result.err
        assert "--as SOURCE:GROUP" in result.err
    for arguments in (["ask", QUESTION], [*question, "--as", "docs:A"]):
        assert "You read as" not in run("--config", indexed, *arguments).err


def test_search(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "search", "drift field", "-k", "1")
    assert result.code == 0
    assert result.out.startswith("1. Field")
    assert "\n2." not in result.out
    shape = run("--config", indexed, "search", "drift field", "--json")
    found = shape.read(SearchResponse)
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
    assert found.hits[0].text == FACT


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--since", "2024-02-29"], True),
        (["--since", "2024-03-01"], False),
        (["--until", "2024-02-28"], False),
        (["--author", "okonjo"], True),
        (["--author", "nobody"], False),
        (["--source", "papers"], True),
    ],
)
def test_filters(run: Run, indexed: str, options: list[str], found: bool) -> None:
    result = run("--config", indexed, "search", QUESTION, *options)
    assert result.code == (0 if found else 3)
    assert ("475 V/cm" in result.out) is found


@pytest.mark.parametrize("command", ["ask", "search"])
def test_unknown_source(run: Run, indexed: str, command: str) -> None:
    result = run("--config", indexed, command, "x", "--source", "elsewhere")
    assert result.code == 2
    assert "elsewhere" in result.err
    assert "papers" in result.err


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize("question", ["", "x" * 10_000])
def test_questions_that_cannot_be_asked(
    run: Run, indexed: str, command: str, question: str
) -> None:
    assert run("--config", indexed, command, question).code == 2


def test_show(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "show", "papers:LTS-0001:1", "--page", "1")
    assert result.code == 0
    assert "500 V/cm" in result.out
    assert "papers:LTS-0001:2" in result.out
    shape = run("--config", indexed, "show", "papers:LTS-0001:2", "--json")
    (shown,) = shape.read(ShowResponse).documents
    assert shown.supersedes == "papers:LTS-0001:1"
    assert shown.superseded_by == ""
    assert [(f.key, f.pages) for f in shown.files] == [("v2.txt", 1)]
    assert shown.pages == []
    assert (shown.cites, shown.cited_by) == ([], [])
    unknown = run("--config", indexed, "show", "LTS-0099")
    assert unknown.code == 3
    assert "LTS-0099 is not in the index" in unknown.err


def test_show_all_versions_as_json(run: Run, indexed: str) -> None:
    """What is printed with --json is one JSON text, however many versions come."""
    result = run("--config", indexed, "show", "LTS-0001", "--json")
    assert result.code == 0
    documents = result.read(ShowResponse).documents
    assert [d.document.id[-1] for d in documents] == ["1", "2"]


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


def test_broken_index(run: Run, indexed: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "snapshots" / "current" / "documents.npy"
    path.write_bytes(b"x")
    for command in ("ask", "search", "show"):
        result = run("--config", indexed, command, "LTS-0001")
        assert result.code == 4
        assert "--rebuild" in result.err
    assert "documents.npy" in run("--config", indexed, "status").out


def test_model(run: Run, indexed: str, config_file: Write) -> None:
    with fake_model(["The drift field is 475 V/cm [1]. It was 9 V [1].", "500"]) as on:
        table = f'[llm.fake]\nbase_url = "{on.url}"\nmodel = "fake"\n'
        config_file(table)
        good = run("--config", indexed, "ask", QUESTION)
        down = run("--config", indexed, "ask", QUESTION, "--json")
        without = run("--config", indexed, "ask", QUESTION, "--no-llm")
    assert good.code == 0
    assert "The drift field is 475 V/cm. [1]" in good.out
    assert "It was 9 V. [1] (not supported: 9 V is not in the source)" in good.out
    assert down.code == 5
    shape = down.read(AskResponse)
    assert (shape.outcome.value, shape.mode.value) == (
        "model_unavailable",
        "extractive",
    )
    assert shape.answer.startswith(FACT)
    assert "500" in shape.notices[0]
    assert without.code == 0
    assert len(on.requests) == 3  # the second asked to repair a sentence


def test_folder(run: Run, config_file: Write, papers: Path, tmp_path: Path) -> None:
    """Its files belong to a principal of their own, outside of the data folder."""
    file = str(config_file(""))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.txt").write_text(FACT)
    arguments = ["--config", file, "ask", QUESTION, "--folder", str(mine)]
    shape = run(*arguments, "--json").read(AskResponse)
    assert shape.answer.startswith(FACT)
    assert not (tmp_path / "data").exists()
    [index] = (tmp_path / "home" / "dunegpt" / "folders").iterdir()
    assert shape.receipt == ""
    assert not any("receipt" in path.name for path in index.iterdir())
    stolen = tmp_path / "stolen.toml"
    stolen.write_text(f'data_dir = "{index}"\n')
    assert run("--config", str(stolen), "search", QUESTION).code == 3
    (mine / "a.txt").unlink()
    (mine / "b.txt").write_text("Laser light enters through 20 ports.")
    assert run(*arguments).code == 3
    (mine / "b.txt").unlink()
    assert run(*arguments).code == 2


def test_folder_is_not_sent_to_a_model(
    run: Run, config_file: Write, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text(FACT)
    with fake_model(["Yes [1]."]) as model:
        table = f'[llm.fake]\nbase_url = "{model.url}"\nmodel = "fake"\n'
        file = str(config_file(table))
        folder = str(tmp_path / "mine")
        result = run("--config", file, "ask", QUESTION, "--folder", folder)
    assert result.code == 0
    assert model.requests == []


# ── as a program ──────────────────────────────────────────────────────────────────


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dunegpt", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_program(indexed: str) -> None:
    done = program("--config", indexed, "ask", QUESTION, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert AskResponse.model_validate_json(done.stdout).answer.startswith(FACT)
    assert program("--config", indexed, "ask", "wombats").returncode == 3
    nothing = program("ask", QUESTION)
    assert nothing.returncode == 4
    assert "Traceback" not in nothing.stderr
    assert program("--nonsense").returncode == 2


def test_names_cannot_steer_a_terminal(run: Run, file: str, papers: Path) -> None:
    (papers / "esc\x1b[31m\u202e.txt").write_text("The quiet field is 9 V/cm.\n")
    (papers / "bad\x1b[2J\n9.pdf").write_bytes(b"%PDF-1.4 broken")
    shown = [run("--config", file, "crawl"), run("--config", file, "index")]
    shown += [run("--config", file, *c) for c in (("status",), ("search", "quiet"))]
    shown.append(run("--config", file, "ask", "How much is the quiet field?"))
    for result in shown:
        assert not {"\x1b[31m", "\x1b[2J", "\u202e"} & set(_pieces(result))
    assert "9 V/cm" in shown[-1].out


def _pieces(result: Result) -> list[str]:
    text = result.out + result.err
    return [piece for piece in ("\x1b[31m", "\x1b[2J", "\u202e") if piece in text]


def test_a_folder_says_what_could_not_be_read(
    run: Run, config_file: Write, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "scan.pdf").write_bytes(b"%PDF-1.4 broken")
    file = str(config_file(""))
    result = run("--config", file, "ask", "x y", "--folder", str(mine), "--json")
    assert any(
        "scan.pdf could not be read" in n for n in result.read(AskResponse).notices
    )
    refused = run("--config", file, "ask", "x", "--folder", str(mine), "--as", "a:b")
    assert refused.code == 2


def test_a_page_that_is_not_there(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "show", "papers:LTS-0001:1", "--page", "99")
    assert result.code == 3
    assert "has no page 99" in result.err


# ── the operator's other commands ─────────────────────────────────────────────────


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


# ── snapshots ─────────────────────────────────────────────────────────────────────


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "typed", "found"),
    [
        (["--type", "Document"], "type:document", True),
        (["--type", "talk"], "type:talk", False),
        (["--status", "released"], "status:Released", False),
        (["--document", "LTS-0001"], "doc:LTS-0001", True),
        (["--document", "LTS-0001", "--type", "talk"], "in:LTS-0001 type:talk", False),
        (["--since", "2024-02-01"], "after:2024-02", True),
        (["--until", "2023-12-31"], "before:2024", False),
    ],
)
def test_filters_given_and_typed(
    run: Run, indexed: str, options: list[str], typed: str, found: bool
) -> None:
    given = run("--config", indexed, "search", QUESTION, *options)
    in_words = run("--config", indexed, "search", f"{QUESTION} {typed}")
    assert given.code == in_words.code == (0 if found else 3)
    assert ("475 V/cm" in given.out) is ("475 V/cm" in in_words.out) is found
    answered = run("--config", indexed, "ask", f"{typed} {QUESTION}")
    assert answered.code == (0 if found else 3)


def test_a_document_that_is_not_there_is_named(run: Run, indexed: str) -> None:
    for command in ("ask", "search"):
        for question in ("drift field doc:LTS-0099", "doc:LTS-0099"):
            result = run("--config", indexed, command, question)
            assert result.code == 3
            assert "LTS-0099 is not in the index as of 20" in result.err


@pytest.mark.parametrize("typed", ["after:tomorrow", "source:elsewhere"])
@pytest.mark.parametrize("command", ["ask", "search"])
def test_typed_filters_that_mean_nothing(
    run: Run, indexed: str, command: str, typed: str
) -> None:
    result = run("--config", indexed, command, f"drift field {typed}")
    assert result.code == 2
    assert typed.partition(":")[2] in result.err
    assert "papers" in result.err or "2024-03" in result.err


def test_filters_alone_are_listed_and_not_answered(run: Run, indexed: str) -> None:
    listed = run("--config", indexed, "search", "author:okonjo").out
    assert listed.startswith("1. Field")
    result = run("--config", indexed, "ask", "author:okonjo")
    assert result.code == 2
    assert "filters only" in result.err


def test_no_hit_missing_and_broken_index_are_told_apart(
    run: Run, indexed: str, tmp_path: Path
) -> None:
    search = ("--config", indexed, "search")
    nothing = run(*search, f"{QUESTION} author:nobody")
    hidden = run(*search, f"{QUESTION} author:hidden")
    assert nothing.code == hidden.code == 3
    assert nothing.out == hidden.out == "No passage found that you may read.\n"
    current = (tmp_path / "data/snapshots/current").resolve()
    lexical = current / "lexical" / "meta.json"
    lexical.write_bytes(b"{" + lexical.read_bytes()[1:-1] + b"?")
    broken = run(*search, QUESTION)
    shutil.rmtree(tmp_path / "data" / "snapshots")
    missing = run(*search, QUESTION)
    assert broken.code == missing.code == 4
    assert "There is no index" in missing.err
    assert "There is no index" not in broken.err
    assert "lexical" in broken.err


def test_a_rerank_model_that_is_not_there(
    run: Run, indexed: str, config_file: Write
) -> None:
    path = str(config_file('[rerank]\nmodel = "nowhere"\n'))
    for command in ("ask", "search"):
        result = run("--config", path, command, QUESTION)
        assert result.code == 1
        assert "model.onnx" in result.err
