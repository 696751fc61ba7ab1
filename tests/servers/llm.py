"""Real model servers on loopback for tests: vLLM on the processor, and llama.cpp.

What is slow is kept in .llm/ below the repository, where `make llm` puts it too. Both
are started by the command of `dunegpt llm serve`.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from dunegpt.config import Settings, load_settings
from dunegpt.serve.start import command
from tests.servers.processes import Processes

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".llm"
PROGRAMS = {"vllm": "vllm", "llama": "llama.cpp"}
"""Names of the servers in the settings, and what each runs."""

_SET_UP_S = 900
_READY_S = 300
_TAIL = 3000


class ModelStartError(RuntimeError):
    """A server could not be set up or started."""


@dataclass
class ModelServers:
    """The servers, while they run; `settings.llm` has them by name."""

    settings: Settings
    work: Path
    processes: Processes = field(repr=False)

    def pid(self, name: str) -> int:
        """Returns the process that leads a server's group."""
        return int((self.work / "pids" / f"{name}.pid").read_text().split()[0])

    def kill(self, name: str) -> None:
        """Kills a server and its children, as a machine that goes off would."""
        os.killpg(self.pid(name), signal.SIGKILL)

    def log(self, name: str) -> str:
        return (self.work / "log" / f"{name}.log").read_text(errors="replace")

    def metric(self, name: str) -> float:
        """Returns the sum of one of vLLM's metrics over its labels."""
        url = self.settings.llm["vllm"].base_url.removesuffix("/v1")
        lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
        return sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith(name))


def is_set_up() -> bool:
    """Returns whether both environments are there from an earlier run."""
    return all(
        (FOLDER / program / "installed").is_file() for program in PROGRAMS.values()
    )


def start(work: Path) -> ModelServers:
    """Returns both servers, ready; only their logs outlive them in work.

    Raises:
        ModelStartError: One could not be set up or started.
    """
    tables = {}
    for name, program in PROGRAMS.items():
        table = load_settings(_set_up(program)).llm["local"]
        port = _free_port()
        url = f"http://127.0.0.1:{port}/v1"
        tables[name] = table.model_copy(update={"base_url": url})
    settings = Settings(llm=tables, config_dir=FOLDER, data_dir=work / "data")
    (work / "log").mkdir()
    servers = ModelServers(settings, work, Processes(work))
    try:
        for name in PROGRAMS:
            line, variables = command(name, settings)
            servers.processes.launch(name, line, env=variables)
        for name in PROGRAMS:
            _wait(servers, name)
    except BaseException:
        servers.processes.stop()
        raise
    return servers


def _set_up(program: str) -> Path:
    script = [sys.executable, str(ROOT / "examples" / "set_up_llm.py"), program]
    try:
        done = subprocess.run(
            script, capture_output=True, text=True, timeout=_SET_UP_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelStartError(f"setting up {program} took {_SET_UP_S} s") from error
    if done.returncode:
        raise ModelStartError(f"setting up {program}: {done.stderr[-_TAIL:]}")
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
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])
