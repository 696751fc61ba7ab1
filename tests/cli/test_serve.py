"""`dunegpt serve` up to the moment at which it serves; tests/serve/api goes on."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.config import load_settings
from dunegpt.errors import LoginRefusedError
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api.process import bind_socket
from dunegpt.web.app import AppMaker, format_address, load_server_settings
from tests.serve.accounts.opened import quick_passwords

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "dunegpt.toml"
    path.write_text('data_dir = "data"\n[server]\nport = 1\n', encoding="utf-8")
    return path


@pytest.fixture
def run(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Give a function that runs ``dunegpt serve``, which ends when it would serve."""
    monkeypatch.setattr("dunegpt.serve.accounts.local.Passwords", quick_passwords)
    served: list[Any] = []

    def serve(maker: AppMaker, own: Any, settings: Any) -> None:
        served.append((maker, settings))
        own.close()

    def end() -> None:
        raise SystemExit(0)

    monkeypatch.setattr("dunegpt.serve.api.process.run_server", serve)
    monkeypatch.setattr("dunegpt.serve.api.process.end_process", end)

    def call(*arguments: str) -> SimpleNamespace:
        words = ["dunegpt", "--config", str(config), "serve", *arguments]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        return SimpleNamespace(
            code=ended.value.code, out=printed.out, err=printed.err, served=served
        )

    return call


def test_the_first_account_is_made_once(run: Run, config: Path) -> None:
    first = run("--port", "0", "--first-account", "Ada")
    assert first.code == 0
    [password] = re.findall(r"with the password (\S+)\. It is not shown", first.out)
    with AccountStore(load_settings(config)) as accounts:
        account = accounts.local.log_in("ada", password, address="127.0.0.1")
        assert account.role.value == "operator"
        with pytest.raises(LoginRefusedError):
            accounts.local.log_in("ada", "another password", address="127.0.0.1")
    again = run("--port", "0", "--first-account", "eve")
    assert (again.code, again.out) == (0, "")


def test_without_an_account(run: Run) -> None:
    ended = run("--port", "0")
    assert "there is no account yet" in ended.err
    assert "dunegpt user add" in ended.err


def test_options_take_precedence(run: Run) -> None:
    ended = run("--host", "localhost", "--port", "0", "--workers", "2")
    maker, settings = ended.served[-1]
    assert (settings.host, settings.workers) == ("localhost", 2)
    assert f"Serving http://localhost:{settings.port};" in ended.err
    assert maker.server["port"] == settings.port
    assert maker.shared_metrics


def test_metrics_of_others_are_not_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/elsewhere")
    maker, _ = run("--port", "0").served[-1]
    assert maker.shared_metrics == ""
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == "/elsewhere"


def test_a_port_that_is_taken(run: Run) -> None:
    with bind_socket("127.0.0.1", 0) as own:
        port = own.getsockname()[1]
        ended = run("--port", str(port))
    assert ended.code == 1
    assert f"Port {port} of 127.0.0.1 is in use." in ended.err
    assert "--port" in ended.err
    assert not ended.served


def test_settings_that_are_not_valid(run: Run, config: Path) -> None:
    config.write_text('[server]\nproxies = ["everybody"]\n', encoding="utf-8")
    ended = run()
    assert ended.code == 1
    assert "server.proxies" in ended.err


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("0.0.0.0", "127.0.0.1:80"),
        ("::", "[::1]:80"),
        ("gpt.test", "gpt.test:80"),
    ],
)
def test_addresses(host: str, address: str) -> None:
    assert format_address(host, 80) == address


def test_the_public_address_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('[server]\nurl = "https://gpt.test/x/"\n', encoding="utf-8")
    settings = load_server_settings(path, {"port": 9})
    assert settings.server.url == "https://gpt.test/x"
    assert (settings.server.base_path, settings.server.is_https) == ("/x", True)
