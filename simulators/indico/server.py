"""Installs, fills, starts and stops a real Indico on loopback for tests.

    python -m simulators.indico.server up|down --work DIR

The venv and the filled database are cached in .cache/indico-<version>/ in the
repository. Does not depend on the contents of the database (seed.py).
"""

import argparse
import atexit
import ctypes.util
import fcntl
import functools
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulators.processes import Processes, reap, running

VERSION = "3.3.14"
REQUIREMENTS = (f"indico=={VERSION}", "gunicorn", "python-pptx")
HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / f"indico-{VERSION}"
SEED_FILES = tuple(
    f"seeded_site/{name}.py"
    for name in ("seed", "make", "truth", "story", "access_cases", "files")
)
_TAIL_LINES = 25
_STEP_TIMEOUT_S = 1800
_READY_TIMEOUT_S = 180
_READY_S = 0.2

_CONFIG = """\
SQLALCHEMY_DATABASE_URI = 'postgresql://indico@127.0.0.1:{database}/indico'
CELERY_BROKER = 'redis://127.0.0.1:{redis}/0'
REDIS_CACHE_URL = 'redis://127.0.0.1:{redis}/1'
BASE_URL = 'http://127.0.0.1:{web}'
SECRET_KEY = b'for tests on loopback, never for a real server'
DEFAULT_TIMEZONE = 'America/Chicago'
DEFAULT_LOCALE = 'en_US'
STORAGE_BACKENDS = {{'default': 'fs:{work}/archive'}}
ATTACHMENT_STORAGE = 'default'
CACHE_DIR = '{work}/cache'
TEMP_DIR = '{work}/tmp'
LOG_DIR = '{work}/log'
SUPPORT_EMAIL = PUBLIC_SUPPORT_EMAIL = NO_REPLY_EMAIL = 'nobody@example.test'
SMTP_USE_CELERY = True  # mail stays in the queue: there is no worker
DISABLE_CELERY_CHECK = True
DISABLE_GRAVATAR = True
SYSTEM_NOTICES_URL = None
"""
_LOGGING = """\
version: 1
root: {level: INFO, handlers: [file]}
handlers:
  file: {class: logging.FileHandler, filename: indico.log, formatter: line}
formatters:
  line: {format: '%(asctime)s %(levelname)s %(name)s %(message)s'}
"""


class ServerStartError(RuntimeError):
    """A step failed; has its name, the end of its log, and missing requirements."""

    def __init__(
        self, step: str = "", *, log: str = "", missing: Sequence[str] = ()
    ) -> None:
        self.step, self.log, self.missing = step, log, list(missing)
        lacking = "".join(f"\n- {what}" for what in missing)
        super().__init__(f"Indico: {step} failed{lacking}\n{log}".rstrip())


@dataclass(frozen=True)
class IndicoServer:
    """A running Indico; `seed` is the truth printed by seed.py."""

    url: str
    config: Path
    work: Path
    venv: Path
    seed: dict[str, Any] = field(repr=False)
    processes: Processes = field(repr=False, compare=False)

    def stop(self) -> None:
        """Stop the server and remove its database and files."""
        atexit.unregister(self.stop)
        self.processes.stop()
        _clear(self.work)


def start(
    work: Path, *, venv: Path | None = None, detached: bool = False
) -> IndicoServer:
    """Start a freshly filled server; after stop(), only its logs remain in `work`.

    Args:
        work: Any folder; an earlier server in it is stopped and removed.
        venv: Indico's venv; by default one shared by all runs.
        detached: Leave the server running when this process ends.

    Raises:
        ServerStartError: A step failed, or a requirement is missing.
    """
    work, venv = work.resolve(), venv or CACHE / "venv"
    if absent := missing(venv):
        raise ServerStartError("looking for what it needs", missing=absent)
    reap(work)
    _clear(work)
    for name in ("log", "archive", "cache", "tmp"):
        (work / name).mkdir(parents=True, exist_ok=True)
    _install(work, venv)
    processes = Processes(work, detached=detached)
    try:
        url, seed = _bring_up(work, venv, processes)
    except BaseException:  # an interrupt, too, must leave nothing behind
        processes.stop()
        _clear(work)
        raise
    server = IndicoServer(url, work / "indico.conf", work, venv, seed, processes)
    if not detached:
        atexit.register(server.stop)
    return server


def missing(venv: Path | None = None) -> list[str]:
    """Return the requirements missing on this machine; empty if it can start."""
    lacking = []
    installed = _is_installed(venv or CACHE / "venv")
    if not installed and _python() is None:
        lacking.append("needs Python 3.12 as python3.12 or in ~/.pyenv/versions")
    packages = _absent_packages(installed)
    if packages and not (_is_root() and shutil.which("apt-get")):
        lacking.append(f"needs root to apt-get install {' '.join(packages)}")
    return lacking


# ---------------------------------------------------------------- installing


def _install(work: Path, venv: Path) -> None:
    """Install the Debian packages and the venv, unless already installed."""
    with _locked("install"):
        packages = _absent_packages(_is_installed(venv))
        if packages:
            apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
            quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            _run(work, "apt-get update", [*apt, "update"], env=quiet)
            install = [*apt, "install", "-y", "--no-install-recommends", *packages]
            _run(work, "apt-get install", install, env=quiet)
        python = _python()
        if _is_installed(venv) or python is None:
            return
        # pip of a killed run may still be running and hold this lock
        alone = ["flock", str(CACHE / "pip.lock")]
        _run(work, "rm", [*alone, "rm", "-rf", str(venv)])
        _run(work, "python -m venv", [python, "-m", "venv", str(venv)])
        pip = [f"{venv}/bin/pip", "install", "-q", "--disable-pip-version-check"]
        # Indico asks for 3.12.2; 3.12.1 was enough on 2026-11-23
        pip += ["--ignore-requires-python", *REQUIREMENTS]
        _run(work, "pip install", [*alone, *pip])
        _marker(venv).write_text("\n".join(REQUIREMENTS))


def _marker(venv: Path) -> Path:
    """Return the marker file that is written once the venv is complete."""
    return venv / "installed.txt"


def _is_installed(venv: Path) -> bool:
    """Return whether the venv contains the packages of this module."""
    marker = _marker(venv)
    return marker.exists() and marker.read_text() == "\n".join(REQUIREMENTS)


def _is_root() -> bool:
    """Return whether this process may install packages."""
    return os.geteuid() == 0


@functools.cache
def _python() -> str | None:
    """Return a working Python 3.12; a pyenv shim on PATH may not work."""
    pyenv = Path.home().glob(".pyenv/versions/3.12*/bin/python")
    check = "import sys; sys.exit(sys.version_info[:2] != (3, 12))"
    for candidate in (shutil.which("python3.12"), *map(str, sorted(pyenv))):
        if candidate is None:
            continue
        if not subprocess.call([candidate, "-c", check], stderr=subprocess.DEVNULL):
            return candidate
    return None


def _absent_packages(installed: bool) -> list[str]:
    """Return the required Debian packages that are not installed."""
    checks: dict[str, Callable[[], object]] = {
        "postgresql": lambda: _postgres("initdb"),
        "redis-server": lambda: shutil.which("redis-server"),
        "libpangoft2-1.0-0": lambda: ctypes.util.find_library("pangoft2-1.0"),
    }
    if not installed:  # psycopg2 is compiled
        checks["libpq-dev"] = lambda: shutil.which("pg_config")
        checks["gcc"] = lambda: shutil.which("gcc")
    return [package for package, is_present in checks.items() if not is_present()]


def _postgres(program: str) -> str | None:
    """Return the path of a PostgreSQL program, of the newest version installed."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(folders, key=lambda p: float(p.parent.name), reverse=True)
    return shutil.which(program, path=os.pathsep.join(map(str, newest))) or (
        shutil.which(program)
    )


# ------------------------------------------------------------------ starting


def _bring_up(
    work: Path, venv: Path, processes: Processes
) -> tuple[str, dict[str, Any]]:
    """Start the three servers; return (url, seed) once they respond."""
    database, redis, web = _free_ports(3)
    ports = {"database": database, "redis": redis, "web": web}
    (work / "indico.conf").write_text(_CONFIG.format(work=work, **ports))
    (work / "logging.yaml").write_text(_LOGGING)
    _start_postgres(work, processes, database)
    redis_command = ["redis-server", "--bind", "127.0.0.1", "--port", str(redis)]
    redis_command += ["--save", "", "--dir", str(work / "tmp")]
    processes.launch("redis", redis_command, env=os.environ)
    _until("redis", work, processes, lambda: _listens(redis))
    seed = _fill(work, venv, database)
    url = f"http://127.0.0.1:{web}"
    # one worker: starts in half the time of two on two cores
    gunicorn = [f"{venv}/bin/gunicorn", "--bind", f"127.0.0.1:{web}", "--timeout=300"]
    gunicorn += ["--no-control-socket", "--workers=1", "--threads=8"]
    gunicorn += ["indico.web.flask.app:make_app()"]
    processes.launch("web", gunicorn, env=_indico_env(work))
    _until("web", work, processes, lambda: _answers(f"{url}/category/0/info"))
    return url, seed


def _start_postgres(work: Path, processes: Processes, port: int) -> None:
    """Start a new, empty cluster whose superuser is `indico`."""
    data = _cluster_folder(work)
    owner = "postgres" if _is_root() else None  # PostgreSQL refuses to run as root
    if owner:
        shutil.chown(data, owner, owner)
    init = [str(_postgres("initdb")), "-D", str(data), "-U", "indico"]
    init += ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    _run(work, "initdb", init, user=owner)
    command = [str(_postgres("postgres")), "-D", str(data), "-p", str(port)]
    settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
    for setting in settings:
        command += ["-c", setting]
    processes.launch("postgres", command, env=os.environ, user=owner)
    ready = [str(_postgres("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
    _until("postgres", work, processes, lambda: not subprocess.call(ready))


def _cluster_folder(work: Path) -> Path:
    """Create the database folder; return its path.

    pytest's folders are closed to user postgres: then it is created in the system's
    temporary folder, with a link at work/postgres.
    """
    inside = work / "postgres"
    if not _is_root() or all(p.stat().st_mode & 1 for p in (work, *work.parents)):
        inside.mkdir(mode=0o700)
        return inside
    outside = Path(tempfile.mkdtemp(prefix="indico-postgres-"))
    inside.symlink_to(outside)
    return outside


def _clear(work: Path) -> None:
    """Remove the database and files of an earlier server."""
    cluster = work / "postgres"
    shutil.rmtree(cluster.resolve(), ignore_errors=True)
    if cluster.is_symlink():
        cluster.unlink()
    for name in ("archive", "cache", "tmp"):
        shutil.rmtree(work / name, ignore_errors=True)
    (work / "server.json").unlink(missing_ok=True)


def _free_ports(count: int) -> list[int]:
    """Return ports that are currently unused."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


def _until(
    name: str, work: Path, processes: Processes, ready: Callable[[], bool]
) -> None:
    """Wait until ready; raise with the log if a process ends or on timeout."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline or not processes.all_alive():
            raise ServerStartError(f"starting {name}", log=_tail(work, name))
        time.sleep(_READY_S)


def _listens(port: int) -> bool:
    """Return whether something accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    """Return whether the web server responds with status 200."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=60) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


# ------------------------------------------------------------------- filling


def _fill(work: Path, venv: Path, port: int) -> dict[str, Any]:
    """Fill the database from the snapshot, creating it if needed; return the seed."""
    client = ["-h", "127.0.0.1", "-p", str(port), "-U", "indico"]
    _run(work, "createdb", [str(_postgres("createdb")), *client, "indico"])
    with _locked("snapshot"):
        snapshot = CACHE / f"snapshot-{_fingerprint()}"
        if snapshot.exists():
            restore = [str(_postgres("pg_restore")), *client, "-d", "indico", "-j2"]
            _run(work, "pg_restore", [*restore, str(snapshot / "database")])
            with tarfile.open(snapshot / "archive.tar") as tar:
                tar.extractall(work, filter="data")
        else:
            _make_snapshot(work, venv, client, snapshot)
        seed: dict[str, Any] = json.loads((snapshot / "seed.json").read_text())
        return seed


def _make_snapshot(work: Path, venv: Path, client: list[str], snapshot: Path) -> None:
    """Prepare and seed the database, then save it, replacing older snapshots."""
    extensions = "create extension unaccent; create extension pg_trgm"
    psql = [str(_postgres("psql")), *client, "-d", "indico", "-c", extensions]
    _run(work, "create extension", psql)
    prepare = [f"{venv}/bin/indico", "db", "prepare"]
    _run(work, "indico db prepare", prepare, env=_indico_env(work))
    seed = _seed_command(venv, work, "seed")
    for old in CACHE.glob("snapshot-*"):
        shutil.rmtree(old)
    unfinished = CACHE / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    dump = [str(_postgres("pg_dump")), *client, "-d", "indico", "-Fc", "-f"]
    _run(work, "pg_dump", [*dump, str(unfinished / "database")])
    with tarfile.open(unfinished / "archive.tar", "w") as tar:
        tar.add(work / "archive", "archive")
    (unfinished / "seed.json").write_text(json.dumps(seed))
    unfinished.rename(snapshot)


def _fingerprint() -> str:
    """Return a hash of everything that a snapshot is made from."""
    parts = [(HERE / name).read_bytes() for name in SEED_FILES]
    parts.append(str(_postgres("pg_dump")).encode())  # contains the PostgreSQL version
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def seed_script(venv: Path, work: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command line and environment of seed.py."""
    script = [f"{venv}/bin/python", "-P", "-W", "ignore", str(HERE / SEED_FILES[0])]
    return script, _indico_env(work)


def _seed_command(venv: Path, work: Path, *words: str) -> dict[str, Any]:
    """Run a command of seed.py; return its JSON output."""
    script, env = seed_script(venv, work)
    printed = _run(work, f"seed.py {words[0]}", [*script, *words], env=env)
    result: dict[str, Any] = json.loads(printed)
    return result


def _indico_env(work: Path) -> dict[str, str]:
    """Return the environment without settings of this Python."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "VIRTUAL_ENV"
    }
    return variables | {"INDICO_CONFIG": str(work / "indico.conf")}


def _run(
    work: Path,
    step: str,
    command: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    user: str | None = None,
) -> str:
    """Run a command; return its output. Errors go to the log of the step."""
    name = step.replace(" ", "-")
    with (work / "log" / f"{name}.log").open("wb") as log:
        try:
            result = subprocess.run(
                command,
                cwd="/" if user else work,  # another user may not enter work
                env=env,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=_STEP_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServerStartError(step, log=str(error)) from error
    printed = result.stdout.decode(errors="replace")
    if result.returncode:
        raise ServerStartError(step, log=f"{_tail(work, name)}\n{printed}"[-4000:])
    return printed


def _tail(work: Path, name: str) -> str:
    """Return the last lines of a log."""
    text = (work / "log" / f"{name}.log").read_text(errors="replace")
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Lock a part of the cache against other test runs."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    with (CACHE / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# -------------------------------------------------------------- command line


def main() -> int:
    """Run `up` or `down`; return the exit status."""
    parser = argparse.ArgumentParser(description="A test Indico on loopback.")
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    work = options.work.resolve()
    if options.command == "down":
        reap(work)
        _clear(work)
        return 0
    notes = work / "server.json"
    if not (running(work) and notes.exists()):
        server = start(work, detached=True)
        notes.write_text(json.dumps({"url": server.url, "seed": server.seed}))
    known = json.loads(notes.read_text())
    lines = [known["url"], f"category {known['seed']['category']}"]
    lines += [f"{name} {token}" for name, token in known["seed"]["tokens"].items()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
