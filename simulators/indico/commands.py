"""Runs the commands of seed.py on the test Indico through one long-lived process.

Each separate call of seed.py takes Indico's start-up time; `serve` takes it once.
"""

import json
import subprocess
from typing import Any

from simulators.indico.server import IndicoServer, seed_script

_STOP_S = 20


class Clerk:
    """Runs commands of seed.py on the database of a server."""

    def __init__(self, server: IndicoServer) -> None:
        command, env = seed_script(server.venv, server.work)
        self._log = (server.work / "log" / "clerk.log").open("wb")
        self._process = subprocess.Popen(
            [*command, "serve"],
            cwd=server.work,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def __enter__(self) -> "Clerk":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, *words: str) -> dict[str, Any]:
        """Return the JSON output of a command.

        Raises:
            RuntimeError: The command failed; its trace is in log/clerk.log.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{words}: see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def step(self, name: str) -> dict[str, Any]:
        """Apply a change; return the keys of the changed objects."""
        return self.ask("step", name)

    def objects(self, *shelves: str) -> list[dict[str, Any]]:
        """Return the current truth about all objects, below the top or categories."""
        objects: list[dict[str, Any]] = self.ask("objects", *shelves)["objects"]
        return objects

    def close(self) -> None:
        """Stop the process."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()
