"""``dunegpt llm``: what it tries, what it prints, and its exit codes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.schemas.operations import LLMCheckResponse
from simulators.llm.openai_server import fake_model

JSON = '{"symbol": "Ar", "number": 18}'
LONG = "Argon is cold, and it is heavy."


class Call:
    """Calls ``dunegpt`` with settings of a test."""

    def __init__(
        self,
        write: Callable[[str], Path],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self._write, self._patch, self._capsys = write, monkeypatch, capsys

    def __call__(self, settings: str, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        file = str(self._write(settings))
        argv = ["dunegpt", "--config", file, "llm", *arguments]
        self._patch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as stop:
            main.main()
        return int(stop.value.code or 0), *self._capsys.readouterr()


@pytest.fixture
def call(
    config_file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    return Call(config_file, monkeypatch, capsys)


def table(url: str, more: str = "", name: str = "own") -> str:
    return f'[llm.{name}]\nbase_url = "{url}"\nmodel = "fake"\ntimeout_s = 20\n{more}\n'


@pytest.mark.slow
def test_a_good_server(call: Call) -> None:
    # Each is asked in this order: chat, streaming, cancel with a chat, structured.
    with fake_model(["Argon.", LONG, LONG, "Argon.", JSON]) as model:
        code, out, _ = call(table(model.url), "check", "--json")
    [server] = LLMCheckResponse.model_validate_json(out).servers
    assert (code, server.name, server.ok) == (0, "own", True)
    assert [one.name for one in server.checks] == [
        "models",
        "chat",
        "streaming",
        "cancel",
        "structured",
    ]


@pytest.mark.slow
def test_another_key_must_be_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", "s3cret-key")
    keyed = 'api_key_env = "OWN_KEY"'
    with fake_model(["Argon.", "401", LONG, LONG, "Argon.", JSON]) as model:
        code, out, err = call(table(model.url, keyed), "check")
    assert code == 0
    assert "another key was refused" in out
    with fake_model(["Argon.", "Argon.", LONG, LONG, "Argon.", JSON]) as model:
        code, out, err = call(table(model.url, keyed), "check")
    assert code == 5
    assert "It answers whatever the key is." in out
    assert "s3cret" not in out + err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replies", "failed", "says"),
    [
        (["500"], ["chat", "streaming", "cancel", "structured"], "refuses the request"),
        (["401"], ["chat"], "refuses the key"),
        (["Ar.", LONG, LONG, "Ar.", "no JSON"], ["structured"], "no answer"),
        (["Ar.", "Ar.", LONG, "Ar.", JSON], ["streaming"], "in one piece"),
    ],
)
def test_what_fails_is_said(
    call: Call, replies: list[str], failed: list[str], says: str
) -> None:
    with fake_model(replies) as model:
        code, out, _ = call(table(model.url), "check", "--json")
    [server] = LLMCheckResponse.model_validate_json(out).servers
    assert (code, server.ok) == (5, False)
    assert [one.name for one in server.checks if not one.ok] == failed
    assert says in next(one.detail for one in server.checks if not one.ok)


def test_another_model_is_named(call: Call) -> None:
    with fake_model(["Argon."]) as model:
        other = table(model.url).replace('"fake"', '"Qwen"')
        code, out, _ = call(other, "check", "own")
    assert code == 5
    assert "It has fake, another, not Qwen." in out
    assert model.requests == []


def test_a_server_that_is_down(call: Call) -> None:
    with fake_model([JSON]) as good, fake_model(["x"]) as gone:
        pass
    code, out, _ = call(table(gone.url, name="a") + table(good.url, name="b"), "check")
    assert code == 5
    assert out.count("is down") == 2


@pytest.mark.parametrize(
    ("settings", "arguments", "says"),
    [
        ("", ["check"], "No model server"),
        (table("http://127.0.0.1:1/v1"), ["check", "other"], "configured: own"),
        (table("http://127.0.0.1:1/v1"), ["serve"], "says how to start"),
        (table("http://127.0.0.1:1/v1"), ["serve", "own"], "llm.own.serve"),
        (table("http://127.0.0.1:1/v1"), ["serve", "other"], "configured: own"),
    ],
)
def test_settings_that_do_not_fit(
    call: Call, settings: str, arguments: list[str], says: str
) -> None:
    code, _, err = call(settings, *arguments)
    assert code == 1
    assert says in err


def test_usage(call: Call) -> None:
    assert call("", "check", "--nonsense")[0] == 2


def test_serve_becomes_the_server(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Path(sys.prefix)
    starts = table(
        "http://127.0.0.1:8123/v1", f'[llm.own.serve]\nenvironment = "{environment}"'
    )
    code, out, _ = call(starts, "serve", "--dry-run")
    assert code == 0
    assert "--port 8123" in out
    became: list[Any] = []

    def become(path: str, line: list[str], variables: dict[str, str]) -> None:
        became.extend([path, line])
        raise OSError("cannot")

    monkeypatch.setattr(os, "execve", become)
    code, _, err = call(starts, "serve")
    assert (code, became[0]) == (1, str(environment / "bin" / "python"))
    assert " ".join(became[1]) == out.strip()
    assert "cannot be run" in err
