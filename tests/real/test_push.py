"""A snapshot that goes to another host over a real ssh and rsync."""

import getpass
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.errors import StorageError
from dunegpt.index import manage
from dunegpt.index.build import build
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.snapshot import Snapshot
from tests.index.corpus import PUBLIC, document, fill
from tests.real.conftest import absent, require_programs

pytestmark = [pytest.mark.programs, pytest.mark.smoke]
SSHD = Path("/usr/sbin/sshd")
_READY_S = 20


@dataclass(frozen=True)
class Host:
    """An ssh server on loopback; `command` reaches it."""

    command: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def programs() -> None:
    """Skip, or fail where real parts are required, if a program is missing."""
    require_programs("ssh", "rsync", str(SSHD))


@pytest.fixture
def host(programs: None, tmp_path: Path) -> Iterator[Host]:
    """Give a server that lets the person in who runs the tests, by a key of its own."""
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "person"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"]
        subprocess.run([*make, str(folder / name)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/person.pub\nPidFile none\nStrictModes no\n"
        f"PermitRootLogin prohibit-password\nAllowUsers {getpass.getuser()}\n"
    )
    if getpass.getuser() == "root":  # where Debian's sshd shuts itself in
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", folder / "sshd.conf"], stderr=log
        )
    deadline = time.monotonic() + _READY_S
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            absent("sshd", (folder / "log").read_text()[-300:])
        time.sleep(0.1)
    yield Host(
        f"ssh -p {port} -i {folder}/person -o StrictHostKeyChecking=no"
        f" -o UserKnownHostsFile={folder}/known -o BatchMode=yes",
        process,
    )
    process.terminate()
    process.wait(timeout=10)


def test_a_snapshot_is_pushed_over_ssh(
    host: Host, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RSYNC_RSH", host.command)
    fill(settings, [(document("n:1"), {"a.txt": ["The quokka weighs 4 kg."]})])
    first = build(settings).snapshot
    target = tmp_path / "a server" / "data"
    there = settings.model_copy(update={"data_dir": target})
    manage.push(settings, f"127.0.0.1:{target}")
    assert manage.verify(there, "current").errors == []

    fill(settings, [(document("n:2"), {"a.txt": ["A wombat digs."]})])
    second = build(settings).snapshot
    assert first != second
    manage.push(settings, f"127.0.0.1:{target}")
    assert (target / "snapshots" / "current").resolve().name == second
    assert manage.verify(there, "current").errors == []
    snapshot = Snapshot(target / "snapshots" / "current")
    assert Searcher(snapshot).as_reader(PUBLIC).search("wombat").hits
    snapshot.close()

    host.process.terminate()
    host.process.wait(timeout=10)
    with pytest.raises(StorageError, match=r"rsync to 127\.0\.0\.1") as refused:
        manage.push(settings, f"127.0.0.1:{target}", first)
    assert "run the same command again" in refused.value.hint
    assert (target / "snapshots" / "current").resolve().name == second
