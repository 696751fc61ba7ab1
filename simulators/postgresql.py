"""A real PostgreSQL for tests: a new cluster on the loopback interface, not durable.

It comes from Debian's package ``postgresql``; it does not run as root, so root starts
it as the user ``postgres``.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

_USER = "dunegpt"
_TIMEOUT_S = 60


class PostgreSQLStartError(Exception):
    """It is not installed, or did not start; the message says why."""


def find_program(name: str) -> str:
    """Return the path of a program of PostgreSQL, of the newest version; "" if none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    return shutil.which(name, path=path) or ""


class PostgreSQLServer:
    """A running server, whose only user is trusted."""

    def __init__(self) -> None:
        """Make a cluster and start it.

        Raises:
            PostgreSQLStartError: It cannot be started.
        """
        if not find_program("initdb"):
            raise PostgreSQLStartError("the package postgresql is not installed")
        self._owner = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="dunegpt-postgresql-"))
        self._data = self._folder / "data"
        if self._owner:
            shutil.chown(self._folder, self._owner, self._owner)
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.port: int = bound.getsockname()[1]
        try:
            init = ["-D", str(self._data), "-U", _USER, "-A", "trust", "-E", "UTF8"]
            self._run("initdb", *init, "--locale=C.UTF-8", "--no-sync")
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        settings = f"-p {self.port} -c fsync=off -c listen_addresses=127.0.0.1"
        settings += f" -c unix_socket_directories={self._folder}"
        log = str(self._folder / "log")
        self._run(
            "pg_ctl", "-D", str(self._data), "-l", log, "-w", "-o", settings, "start"
        )

    def stop(self) -> None:
        """End all connections, and stop it."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")

    def remove(self) -> None:
        """Stop it, and remove its cluster."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run a statement; return what psql prints of its rows."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-d", database]
        quiet = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        return self._run("psql", *where, *quiet, "-c", statement).strip()

    def make_url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> str:
        # A file, as a server that pg_ctl starts would keep a pipe open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [find_program(program), *arguments],
                cwd="/",
                user=self._owner,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT_S,
                check=False,
            )
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
        if done.returncode:
            raise PostgreSQLStartError(f"{program}: {text.strip()[-500:]}")
        return text
