"""`dunegpt crawl --every`: rounds until a signal, and a failed one stops nothing."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dunegpt.cli.polling import PollingLoop
from dunegpt.datadir import DataDir

Write = Callable[[str], Path]


def test_rounds_until_ended_from_within() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    with PollingLoop(0).until_interrupted() as rounds:
        for number in rounds:
            seen.append(number)
            if number == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            assert number <= 3
    assert seen == [1, 2, 3]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_at_any_moment_ends_it() -> None:
    """Also while a wait begins or ends, where locks may be held."""
    chance = random.Random(1)
    for _ in range(200):
        kill = threading.Timer(
            chance.uniform(0, 0.003), os.kill, (os.getpid(), signal.SIGTERM)
        )
        with PollingLoop(0).until_interrupted() as rounds:
            kill.start()
            for _ in rounds:
                pass
        kill.join()


def test_an_error_of_ours_leaves_the_handlers_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError), PollingLoop(0).until_interrupted() as rounds:
        for _ in rounds:
            raise ValueError
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def polling(config_file: Write, papers: Path) -> Iterator["subprocess.Popen[str]"]:
    """Give a crawl that goes on, and a note that it finds."""
    (papers / "a.txt").write_text("The field is 475 V/cm.")
    command = [sys.executable, "-u", "-m", "dunegpt", "--config", str(config_file(""))]
    command += ["crawl", "papers", "--every", "0.003", "--index"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        yield child
        child.kill()


def until(child: "subprocess.Popen[str]", text: str) -> str:
    """Return the first line that holds a text."""
    assert child.stdout is not None
    for line in child.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "end", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_crawl_that_goes_on(
    polling: "subprocess.Popen[str]", papers: Path, tmp_path: Path, end: signal.Signals
) -> None:
    until(polling, "1 seen, 1 new")
    until(polling, "published")
    until(polling, "1 seen, 0 new, 0 changed, 1 unchanged")
    (papers / "b.txt").write_text("The purity is 3 ms.")
    until(polling, "2 seen, 1 new")
    until(polling, "published")
    papers.rename(tmp_path / "away")
    until(polling, "There is no folder")
    (tmp_path / "away").rename(papers)
    until(polling, "2 seen, 0 new")
    polling.send_signal(end)
    until(polling, "Stopped.")
    assert polling.wait() == 0
    with DataDir(tmp_path / "data").lock():
        pass
