"""What ``pytest --clock`` moves: this run, a worker's, and that of child processes."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOW = "from datetime import *; print(datetime.now().astimezone(), date.today())"
PROBE = f"""
import subprocess, sys, time
from datetime import date, datetime

def test_it():
    now = datetime.now().astimezone()
    assert str(now).startswith("2028-02-29 20:0") and str(now).endswith("-11:00")
    assert date.today() == date(2028, 2, 29)
    assert abs(time.time() - now.timestamp()) < 60
    child = subprocess.run(
        [sys.executable, "-c", {NOW!r}], capture_output=True, text=True, check=True
    )
    assert child.stdout.startswith("2028-02-29 20:0"), child
    assert child.stdout.endswith("-11:00 2028-02-29\\n"), child
"""


def run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the probe with the plugin and nothing else of this repository."""
    (folder / "test_probe.py").write_text(PROBE)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    plugins = ("-p", "tests.clock", "-p", "time_machine", "-p", "xdist.plugin")
    line = [sys.executable, "-m", "pytest", *plugins, *options, str(folder)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        line, cwd=ROOT, env=alone, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_moved_clock_is_that_of_workers_and_children(tmp_path: Path) -> None:
    shift = ("--clock", "2028-02-29T20:00", "--zone", "Pacific/Pago_Pago")
    done = run(tmp_path, *shift, "-n", "1")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "clock: 2028-02-29T20:00" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--clock", "2027-02-29T20:00"), ("--zone", "Mars/Olympus")]
)
def test_a_moment_or_zone_that_is_none(
    tmp_path: Path, options: tuple[str, str]
) -> None:
    done = run(tmp_path, *options)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert " ".join(options) in done.stderr


def test_this_run_is_moved_if_it_is_asked_to_be(pytestconfig: pytest.Config) -> None:
    """Within an hour of ``--clock``; the same in a child, moved or not."""
    child = subprocess.run(
        [sys.executable, "-c", NOW], capture_output=True, text=True, check=True
    )
    now = datetime.now().astimezone()
    theirs = datetime.fromisoformat(" ".join(child.stdout.split()[:2]))
    assert timedelta(0) <= now - theirs < timedelta(seconds=60)
    assert theirs.utcoffset() == now.utcoffset()
    if begun := pytestconfig.getoption("clock"):
        passed = now.replace(tzinfo=None) - datetime.fromisoformat(begun)
        assert timedelta(0) <= passed < timedelta(hours=1)
