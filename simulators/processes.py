"""Background processes of a test server, tracked by pid files.

A pid file contains the pid and the start time of its process, so that a reused pid is
never killed. Linux only.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_GRACE_S = 15.0
_REPO = Path(__file__).resolve().parents[1]


class Processes:
    """The processes started in a work folder."""

    def __init__(self, work: Path, *, detached: bool = False) -> None:
        """Unless detached, they end when this process ends, even if it is killed."""
        self.work = work
        self._children: list[subprocess.Popen[bytes]] = []
        self._guard = None if detached else _guard(work)

    def launch(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        user: str | None = None,
    ) -> None:
        """Start a command in its own session; its output goes to the log."""
        log = self.work / "log" / f"{name}.log"
        with log.open("ab") as out:
            child = subprocess.Popen(
                command,
                cwd="/" if user else self.work,  # other users may not enter work
                env=dict(env),
                user=user,
                group=user,
                extra_groups=[] if user else None,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        pids = self.work / "pids"
        pids.mkdir(exist_ok=True)
        (pids / f"{name}.pid").write_text(f"{child.pid} {_born(child.pid)}")

    def all_alive(self) -> bool:
        """Return whether all processes launched here are still running."""
        return all(child.poll() is None for child in self._children)

    def stop(self) -> None:
        """Stop all processes launched here, and the guard."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard.stdin.close()
        self._guard = None
        reap(self.work)
        for child in self._children:
            child.wait()
        self._children.clear()


def _guard(work: Path) -> subprocess.Popen[bytes]:
    """Start a process that calls `reap` once this one is gone.

    It waits for the end of its standard input, which the kernel closes even if this
    process is killed.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "simulators.processes", str(work)],
        cwd=_REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def running(work: Path) -> bool:
    """Return whether any process with a pid file in `work` is alive."""
    return any(_alive(*known) for known in _known(work))


def reap(work: Path) -> None:
    """Stop all processes with a pid file in `work`, and remove the files."""
    alive = [known for known in _known(work) if _alive(*known)]
    for pid, _ in alive:
        _signal(pid, signal.SIGINT)  # a fast, clean shutdown for all servers
    deadline = time.monotonic() + _GRACE_S
    while any(_alive(*known) for known in alive) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, born in alive:
        if _alive(pid, born):
            _signal(-pid, signal.SIGKILL)
    for path in (work / "pids").glob("*.pid"):
        path.unlink(missing_ok=True)


def _known(work: Path) -> list[tuple[int, str]]:
    """Return (pid, start time) of each pid file, newest first."""
    paths = sorted((work / "pids").glob("*.pid"), key=lambda p: -p.stat().st_mtime)
    pairs = [path.read_text().split() for path in paths]
    return [(int(pair[0]), pair[1]) for pair in pairs if len(pair) == 2]


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, or to its group if pid is negative."""
    try:
        if pid < 0:
            os.killpg(-pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has already ended


def _alive(pid: int, born: str) -> bool:
    """Return whether the process with this pid and start time is running."""
    return _born(pid) == born


def _born(pid: int) -> str:
    """Return the start time in kernel ticks; '-' if the process has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "-"
    fields = stat.rpartition(")")[2].split()
    return "-" if fields[0] in "ZX" else fields[19]


if __name__ == "__main__":
    sys.stdin.read()
    reap(Path(sys.argv[1]))
