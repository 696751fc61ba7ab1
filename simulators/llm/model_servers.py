"""Real model servers on loopback for tests: vLLM on the CPU, and llama.cpp.

Environments and weights are cached in .llm/ in the repository, shared with `make llm`.
Both servers are started with the command of `dunegpt llm serve`.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from dunegpt.config import Settings, load_settings
from dunegpt.serve.llm.launch import build_command
from simulators.processes import Processes

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".llm"
PROGRAMS = {"vllm": "vllm", "llama": "llama.cpp"}
"""Program of each server, by its name in the settings."""

_SET_UP_S = 900
_READY_S = 300
_TAIL = 3000


class ModelStartError(RuntimeError):
    """A server could not be set up or started."""


@dataclass
class ModelServers:
    """Running servers; `settings.llm` has them by name."""

    settings: Settings
    work: Path
    processes: Processes = field(repr=False)

    def pid(self, name: str) -> int:
        """Return the process id of the leader of a server's process group."""
        return int((self.work / "pids" / f"{name}.pid").read_text().split()[0])

    def kill(self, name: str) -> None:
        """Kill a server and its children, as in a power failure."""
        os.killpg(self.pid(name), signal.SIGKILL)

    def log(self, name: str) -> str:
        return (self.work / "log" / f"{name}.log").read_text(errors="replace")

    def metric(self, name: str) -> float:
        """Return the sum of one of vLLM's metrics over its labels."""
        url = self.settings.llm["vllm"].base_url.removesuffix("/v1")
        lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
        return sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith(name))


def is_set_up(names: Iterable[str] = PROGRAMS) -> bool:
    """Return whether an earlier run has set up the servers' environments."""
    return all((FOLDER / PROGRAMS[n] / "installed").is_file() for n in names)


def start(work: Path, names: Collection[str] = PROGRAMS.keys()) -> ModelServers:
    """Start the named servers; after they stop, only their logs remain in `work`.

    Raises:
        ModelStartError: A server could not be set up or started.
    """
    tables = {}
    for name in names:
        table = load_settings(_set_up(PROGRAMS[name])).llm["local"]
        port = _free_port()
        url = f"http://127.0.0.1:{port}/v1"
        tables[name] = table.model_copy(update={"base_url": url})
    settings = Settings(llm=tables, config_dir=FOLDER, data_dir=work / "data")
    (work / "log").mkdir()
    servers = ModelServers(settings, work, Processes(work))
    try:
        for name in names:
            line, variables = build_command(name, settings)
            servers.processes.launch(name, line, env=variables)
        for name in names:
            _wait(servers, name)
    except BaseException:
        servers.processes.stop()
        raise
    return servers


def _set_up(program: str) -> Path:
    script = [sys.executable, str(ROOT / "examples" / "set_up_llm.py"), program]
    try:
        result = subprocess.run(
            script, capture_output=True, text=True, timeout=_SET_UP_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelStartError(f"setting up {program} took {_SET_UP_S} s") from error
    if result.returncode:
        raise ModelStartError(f"setting up {program}: {result.stderr[-_TAIL:]}")
    return FOLDER / f"{program}.toml"


def _wait(servers: ModelServers, name: str) -> None:
    url = servers.settings.llm[name].base_url.removesuffix("/v1")
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and servers.processes.all_alive():
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        threading.Event().wait(0.3)
    raise ModelStartError(f"{name} did not start: {servers.log(name)[-_TAIL:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
