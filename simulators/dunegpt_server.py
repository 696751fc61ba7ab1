"""A real ``dunegpt serve`` in a process of its own, on a free port of this host."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_START_S = 60.0


@dataclass
class ServerProcess:
    """A server that runs.

    Attributes:
        url: Its address.
        process: The process.
        log: File with its messages and its access log.
    """

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Ask it to end; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def read_access_log(self) -> list[dict[str, Any]]:
        """Return the lines of its access log."""
        lines = self.log.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def serving(config: Path, *options: str, ready: bool = True) -> Iterator[ServerProcess]:
    """Give a server that answers; it is ended with the context.

    Args:
        config: Settings file.
        options: Of ``dunegpt serve``; a free port is taken.
        ready: Wait until its index is open, too.

    Raises:
        RuntimeError: It did not start.
    """
    log = config.with_name("server.log")
    command = [sys.executable, "-m", "dunegpt", "--config", str(config), "serve"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield ServerProcess(_wait(process, log, ready=ready), process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", log: Path, *, ready: bool) -> str:
    """Return the address of a server once it answers."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        found = re.search(r"Serving (http://[^\s;]+)", log.read_text("utf-8"))
        if found is None:
            continue
        try:
            path = "/readyz" if ready else "/healthz"
            if httpx.get(f"{found[1]}{path}").is_success:
                return found[1]
        except httpx.TransportError:
            continue
    raise RuntimeError(f"the server did not start: {log.read_text('utf-8')[-2000:]}")
