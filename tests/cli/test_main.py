"""The command line itself: its options, help, errors and interrupts."""

import subprocess
import sys
from pathlib import Path

import pytest

from dunegpt import __version__
from dunegpt.cli import main
from dunegpt.config import load_settings
from dunegpt.schemas.reading import (
    AskResponse,
)
from tests.cli.invocation import FACT, QUESTION, Result, Run

pytestmark = pytest.mark.same_place


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dunegpt", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def _pieces(result: Result) -> list[str]:
    text = result.out + result.err
    return [piece for piece in ("\x1b[31m", "\x1b[2J", "\u202e") if piece in text]


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
