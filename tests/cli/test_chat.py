"""The command chat: through the program's own door, and through a real pipe."""

import builtins
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.schemas.reading import AskResponse, ChatErrorResponse
from simulators.llm.openai_server import fake_model
from tests.made_once import MakeOnce

pytestmark = pytest.mark.same_place

Write = Callable[[str], Path]
FACT = "The drift field of the far detector is 475 V/cm."
LENGTH = "The length of the far detector is 58 m."
QUESTION = "What is the drift field of the far detector?"
LIST = """
[[document]]
id = "FLD-1"
title = "Field"
authors = ["Ada Okonjo"]
date = 2024-02-29
files = ["field.txt"]
[[document]]
id = "LEN-2"
title = "Length"
authors = ["Tomasz Wrona"]
files = ["length.txt"]
[[document]]
id = "SEC-3"
title = "Secret"
access = ["papers:lar"]
authors = ["Zelda Quokka"]
files = ["secret.txt"]
"""


@pytest.fixture
def file(
    config_file: Write,
    papers: Path,
    tmp_path: Path,
    make_once: MakeOnce,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    (papers / "documents.toml").write_text(LIST)
    (papers / "field.txt").write_text(FACT)
    (papers / "length.txt").write_text(LENGTH)
    (papers / "secret.txt").write_text("The quokka of the far detector is 180 V.")
    path = str(config_file(""))

    def make() -> None:
        for command in ("crawl", "index"):
            monkeypatch.setattr(sys, "argv", ["dunegpt", "--config", path, command])
            with pytest.raises(SystemExit):
                main.main()

    make_once("chat", tmp_path, make)
    return path


@pytest.fixture
def chat(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def call(*lines: str, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
        capsys.readouterr()
        text = "".join(f"{line}\n" for line in lines)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        monkeypatch.setattr(
            sys, "argv", ["dunegpt", "--config", file, "chat", *options]
        )
        with pytest.raises(SystemExit) as stop:
            main.main()
        return int(stop.value.code or 0), *capsys.readouterr()

    return call


Chat = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
def test_a_follow_up_knows_what_was_asked(chat: Chat) -> None:
    code, out, _ = chat(QUESTION, "", "and its length?", "Who wrote that?")
    assert code == 0
    assert FACT in out
    assert "Asked as: What is the length of the far detector?" in out
    assert LENGTH in out
    assert "Asked as: Who wrote papers:LEN-2:1?" in out
    assert "by Tomasz Wrona" in out


def test_a_filter_is_taken_out_by_its_number(chat: Chat) -> None:
    question = "What is the length of the far detector, in the note by Okonjo?"
    code, out, _ = chat(question, "/without 1", "and its drift field?")
    assert code == 0
    first, second = out.split("/without 1", 1)
    assert "[by Okonjo: author:Okonjo] remove with " in first
    assert LENGTH not in first
    assert LENGTH in second
    assert second.count("Asked as:") == 1  # asked again, the turn counts once


def test_new_begins_anew(chat: Chat) -> None:
    _, out, _ = chat(QUESTION, "/new", "and its length?")
    assert "Asked as" not in out


def test_quit_ends(chat: Chat) -> None:
    code, out, _ = chat("/quit", QUESTION)
    assert (code, out) == (0, "")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/nonsense", "/nonsense"),
        ("/without", "needs the number of a filter"),
        ("/without 1", "no filter 1"),
        ("/without x", "needs the number of a filter"),
        ("after:soon purity", "soon"),
        ("x" * 5000, "5,000"),
    ],
)
def test_a_bad_line_is_told_and_the_chat_goes_on(
    chat: Chat, line: str, told: str
) -> None:
    code, out, err = chat(line, QUESTION)
    assert code == 1
    assert told in err
    assert FACT in out
    assert "Traceback" not in err


def test_help(chat: Chat) -> None:
    assert "/without N" in chat("/help")[2]


def test_one_object_a_line(chat: Chat) -> None:
    code, out, _ = chat(
        QUESTION, "and its length?", "/without 7", options=("--json", "--no-llm")
    )
    first, second, third = out.splitlines()
    assert AskResponse.model_validate_json(first).outcome == "answered"
    shape = AskResponse.model_validate_json(second)
    assert shape.question == "and its length?"
    assert shape.asked == "What is the length of the far detector?"
    assert shape.was_rewritten
    assert "filter 7" in ChatErrorResponse.model_validate_json(third).error
    assert code == 1


def test_a_reader_sees_what_is_theirs(chat: Chat) -> None:
    lines = ("What is the quokka of the far detector?", "Who wrote that?")
    _, out, err = chat(*lines)
    assert "180 V" not in out + err
    assert "SEC-3" not in out + err
    _, out, _ = chat(*lines, options=("--as", "papers:lar"))
    assert "Zelda Quokka" in out


def test_a_folder(chat: Chat, papers: Path) -> None:
    code, out, _ = chat(QUESTION, options=("--folder", str(papers), "-k", "2"))
    assert code == 0
    assert FACT in out


def test_without_an_index(
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTION}\n"))
    argv = ["dunegpt", "--config", str(config_file("")), "chat"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 4
    assert "dunegpt index" in capsys.readouterr().err


def test_in_a_terminal(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt at the prompt drops the line; the end of the input ends."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed: Iterator[Any] = iter([KeyboardInterrupt(), QUESTION, EOFError()])

    def read(prompt: str) -> str:
        line = next(typed)
        if isinstance(line, BaseException):
            raise line
        return str(line)

    monkeypatch.setattr(io, "StringIO", lambda text: Terminal())
    monkeypatch.setattr(builtins, "input", read)
    code, out, err = chat()
    assert code == 0
    assert FACT in out
    assert "/quit leaves the chat." in err


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let programs be interrupted, though these tests may run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_real_pipe_and_an_interrupt(
    config_file: Write, file: str, papers: Path
) -> None:
    """Ctrl-C stops the answer that is being written, and nothing else."""
    with fake_model(["held: The drift field is 475 V/cm [1].", "None."]) as model:
        table = f'[llm.a]\nbase_url = "{model.url}"\nmodel = "fake"\n'
        path = config_file(table)
        line = [sys.executable, "-m", "dunegpt", "--config", str(path), "chat"]
        with subprocess.Popen(
            [*line, "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            assert process.stdin is not None
            process.stdin.write(f"{QUESTION}\n")
            process.stdin.flush()
            for _ in range(600):
                if model.requests:
                    break
                threading.Event().wait(0.1)
            assert model.requests
            threading.Event().wait(1)  # until it waits for the answer
            process.send_signal(signal.SIGINT)
            out, err = process.communicate("and its length?\n/quit\n", timeout=60)
    assert process.returncode == 0
    [told] = out.splitlines()
    assert json.loads(told)["asked"] == "What is the length of the far detector?"
    assert "Stopped. /quit leaves the chat." in err
