"""No dependency sends or keeps anything about us. The long run is in tests/real."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dunegpt.telemetry import OPT_OUTS
from simulators.isolated_network import Packet, Run, run_isolated, why_unavailable

ROOT = Path(__file__).resolve().parents[1]
UNAVAILABLE = why_unavailable()
isolated = pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)

FACT = "The drift field of the far detector is 475 V/cm."
QUESTION = "What is the drift field of the far detector?"
RESOLVE = "import socket; socket.getaddrinfo('example.org', 443, socket.AF_INET)"
CONNECT = "import socket; socket.socket().connect_ex(('198.51.100.7', 443))"


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing turns telemetry off yet.

    onnxruntime sends nothing where a variable says that this is a CI.
    """
    ours = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    return {**ours, **own, "PYTHONPATH": str(ROOT)}


def run_python(home: Path, *arguments: str, timeout_s: float = 60) -> Run:
    """Run this Python in a network of its own; end the test if that fails."""
    line = [sys.executable, *arguments]
    env = clean_environment(home)
    run = run_isolated(line, env=env, cwd=ROOT, timeout_s=timeout_s)
    assert run.exit_code == 0, run.stdout + run.stderr
    return run


def files_under(home: Path) -> list[str]:
    return sorted(
        path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give the empty home of the programs that are watched."""
    folder = tmp_path / "watched"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("module", ["dunegpt", "dunegpt.types", "benchmarks"])
def test_an_import_opts_out_of_all_whatever_was_set(module: str, home: Path) -> None:
    code = f"import {module}, os; print(*(os.environ[n] for n in {list(OPT_OUTS)}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(home) | dict.fromkeys(OPT_OUTS, "set otherwise"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == list(OPT_OUTS.values())


def test_the_package_itself_imports_no_dependency(home: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import dunegpt;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["dunegpt"]


@pytest.mark.slow
def test_langsmith_does_not_trace(home: Path) -> None:
    code = (
        "import dunegpt; from langsmith.utils import tracing_is_enabled;"
        "print(tracing_is_enabled())"
    )
    tracing = {name: "true" for name in OPT_OUTS if name.startswith("LANG")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(home) | tracing,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


@isolated
def test_a_query_and_a_connection_are_seen(home: Path) -> None:
    """Show that the tests below could fail."""
    queries = run_python(home, "-c", RESOLVE).packets
    assert {(packet.name, packet.port) for packet in queries} == {("example.org", 53)}
    connections = run_python(home, "-c", CONNECT).packets
    assert Packet("198.51.100.7", 443) in connections


@isolated
def test_loopback_is_not_outside(home: Path) -> None:
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0));"
        "socket.create_connection(s.getsockname())"
    )
    assert not run_python(home, "-c", code).packets


@pytest.mark.slow
@isolated
def test_chat_sends_nothing_and_leaves_no_file(
    config_file: Callable[[str], Path], papers: Path, home: Path
) -> None:
    (papers / "field.txt").write_text(FACT)
    config = str(config_file(""))
    for command in ("crawl", "index"):
        assert not run_python(
            home, "-m", "dunegpt", "--config", config, command
        ).packets
    run = run_python(home, "-m", "tests.open_chat", config, "0.2", QUESTION)
    assert "475 V/cm" in run.stdout
    assert "exit code 0, 1 requests" in run.stdout
    assert not run.packets
    assert files_under(home) == []
