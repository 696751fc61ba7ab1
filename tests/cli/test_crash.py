"""A crash of the whole process ends with a message; nothing else does."""

import subprocess
import sys
from pathlib import Path

import pytest

from dunegpt.cli.crash import format_crash

RUN = """
import ctypes, os, signal, sys
from dunegpt.cli import main

def app(**_):
    {body}

main.app = app
sys.argv[1:] = {arguments!r}
main.main()
"""


def run(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = RUN.format(body=body, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "code", "fault"),
    [
        ("ctypes.string_at(0)", -11, "Segmentation fault"),
        ("os.abort()", -6, "Aborted"),
        ("os.kill(os.getpid(), signal.SIGBUS)", -7, "Bus error"),
    ],
)
def test_a_crash_ends_with_what_to_do(body: str, code: int, fault: str) -> None:
    done = run(body)
    assert done.returncode == code
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"dunegpt crashed: {fault} in ")
    assert "run the same command again" in hint
    assert "dunegpt index --rebuild" in hint
    assert "most recent call first" in run(body, "--debug").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return 0", 0),
        ("return 3", 3),
        ("os._exit(7)", 7),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
def test_any_other_end_is_silent(body: str, code: int) -> None:
    done = run(body)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.slow
def test_an_error_is_told_as_before(tmp_path: Path) -> None:
    done = run("raise FileNotFoundError(2, 'No such file', '/x')")
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot read or write /x: No such file")
    assert "crashed" not in done.stderr


def test_a_stack_without_a_place() -> None:
    assert (
        format_crash("Fatal Python error: Aborted\n\n") == "dunegpt crashed: Aborted."
    )
