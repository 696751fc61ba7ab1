"""The child process that reads files: one bad file costs itself and nothing else."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dunegpt.config import ExtractSettings
from dunegpt.ingest.extract import ExtractResult
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import Page

CHILD = """
import os, socket, subprocess, sys, time
from dunegpt.ingest.extract import registry, worker
from dunegpt.ingest.extract.formats import plain_text as text
from dunegpt.types import Page

class Faulty:
    name, version = "text", "2"

    @staticmethod
    def read_pages(task):
        yield from read_pages(task)

def read_pages(task):
    path = task.path
    word = path.read_text()
    if word == "hang":
        time.sleep(60)
    elif word == "abort":
        os.abort()
    elif word == "exit":
        os._exit(3)
    elif word == "spin":
        while True:
            pass
    elif word.startswith("connect"):
        socket.create_connection(("127.0.0.1", int(word.split()[1])), timeout=5)
    elif word.startswith("outside"):
        code = "import socket; socket.create_connection(('127.0.0.1', %s), 5)"
        done = subprocess.run([sys.executable, "-c", code % word.split()[1]])
        yield Page(1, "", "connected" if done.returncode == 0 else "refused")
        return
    elif word == "late":
        yield Page(1, "", "one page")
        os.abort()
    elif word == "child":
        held = subprocess.Popen(["sleep", "600.25"])
        (task.path.parent / "pid").touch()
        os._exit(held.pid % 1)
    elif word == "swell":
        bytearray(8 << 30)
    elif word == "nest":
        deep = lambda: deep()
        deep()
    elif word == "write":
        (path.parent / "written").write_text("x")
    elif word == "huge":
        yield from (Page(n + 1, "", "x" * 100_000) for n in range(300))
        return
    elif word.startswith("raise"):
        raise RuntimeError("a library's own words")
    elif word == "flood":
        while True:
            sys.stdout.write("x" * 100_000)
    elif word.startswith("say "):
        sys.stdout.write(word[4:] + "\\n")
        sys.stdout.flush()
        time.sleep(60)
    yield from text.read_pages(task)

registry.FORMATS["text/plain"] = Faulty
worker.main()
"""


TABLE = ExtractSettings()


class Faulty(Sandbox):
    """The real sandbox and worker, with a format that does what the file says."""

    started = 0

    def __enter__(self) -> "Faulty":
        return self

    def _command(self) -> list[str]:
        self.started += 1
        return [sys.executable, "-c", CHILD]

    def read(self, folder: Path, word: str) -> ExtractResult:
        path = folder / "file"
        path.write_text(word)
        return self.extract(path, "file", "text/plain")

    def text(self, folder: Path, word: str) -> str:
        return "".join(page.text for page in self.read(folder, word).pages)


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    with Faulty(ExtractSettings(memory_mb=2048)) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "reason", "starts"),
    [
        ("abort", "crashed with exit code -6", 2),
        ("exit", "crashed with exit code 3", 2),
        ("swell", "more memory than allowed", 1),
        ("nest", "nested too deeply", 1),
        ("write", "File too large", 1),
        ("raise", "RuntimeError: a library's own words", 1),
        ("child", "crashed with exit code 0", 2),
        ("connect 9", "may not open connections", 1),
    ],
)
def test_a_bad_file(
    faulty: Faulty, tmp_path: Path, word: str, reason: str, starts: int
) -> None:
    assert faulty.text(tmp_path, "good") == "good"
    found = faulty.read(tmp_path, word)
    assert reason in found.error
    assert not found.pages
    assert not found.remarks
    assert faulty.text(tmp_path, "good again") == "good again"
    assert faulty.started == starts
    written = tmp_path / "written"
    assert not written.exists() or written.read_bytes() == b""


@pytest.mark.slow
def test_a_file_that_hangs(tmp_path: Path) -> None:
    with Faulty(ExtractSettings()) as sandbox:
        patient = sandbox._limits
        assert sandbox.text(tmp_path, "good") == "good"
        sandbox._limits = ExtractSettings(timeout_s=0.2)
        assert sandbox.read(tmp_path, "hang").error == "Reading took over 0.2 s."
        sandbox._limits = patient
        assert sandbox.text(tmp_path, "good") == "good"
        assert sandbox.started == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply", ["no JSON", "7", "[]", "{}", '{"pages": 5}', '{"pages": [[1]]}', "\u00ff"]
)
def test_a_child_that_was_taken_over(
    faulty: Faulty, tmp_path: Path, reply: str
) -> None:
    """It can send text to its parent and no more; the parent is not to trust it."""
    assert "answer that is none" in faulty.read(tmp_path, f"say {reply}").error
    assert faulty.text(tmp_path, "good") == "good"


def test_a_child_that_never_ends_its_line(faulty: Faulty, tmp_path: Path) -> None:
    assert "answer that is none" in faulty.read(tmp_path, "flood").error


def test_a_child_that_is_gone_before_it_is_asked(
    faulty: Faulty, tmp_path: Path
) -> None:
    assert faulty.text(tmp_path, "good") == "good"
    assert faulty._child
    faulty._child.kill()
    faulty._child.wait()
    assert "crashed with exit code -9" in faulty.read(tmp_path, "good").error
    assert faulty.text(tmp_path, "good") == "good"


def test_close_ends_the_child(tmp_path: Path) -> None:
    sandbox = Faulty(ExtractSettings())
    sandbox.close()
    sandbox.read(tmp_path, "good")
    child = sandbox._child
    sandbox.close()
    assert child and child.returncode == -9
    assert sandbox._child is None


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(3 << 20)
    with Faulty(ExtractSettings(max_file_mb=2)) as sandbox:
        assert "has 3 MB" in sandbox.extract(path, "large.txt", "text/plain").error
    assert sandbox.started == 0


def test_the_least_memory_is_enough(tmp_path: Path) -> None:
    """What the settings allow must work: 256 MB, with the real worker."""
    path = tmp_path / "note.html"
    path.write_text("<h1>Head</h1><p>Text ünï</p>", encoding="utf-8")
    with Sandbox(ExtractSettings(memory_mb=256)) as sandbox:
        pages = sandbox.extract(path, "note.html", "text/html").pages
    assert pages == (Page(1, "Head", "Head\n\nText ünï"),)


def test_odd_paths(faulty: Faulty, tmp_path: Path) -> None:
    path = tmp_path / 'a "b"\nü.txt'
    path.write_text("good")
    assert faulty.extract(path, path.name, "text/plain").pages[0].text == "good"


def test_what_was_read_before_a_crash_is_kept(faulty: Faulty, tmp_path: Path) -> None:
    found = faulty.read(tmp_path, "late")
    assert [page.text for page in found.pages] == ["one page"]
    [remark] = found.remarks
    assert remark.startswith("Nothing was read after page 1: The reader crashed")


def test_cpu_time_is_limited(tmp_path: Path) -> None:
    with Faulty(ExtractSettings(file_timeout_s=1)) as sandbox:
        error = sandbox.read(tmp_path, "spin").error
    assert error in {
        "Reading used over 1 s of CPU time.",
        "Reading took over 1 s.",
    }


def test_too_much_text_is_cut_off(tmp_path: Path) -> None:
    with Faulty(ExtractSettings(max_characters=250_000)) as sandbox:
        found = sandbox.read(tmp_path, "huge")
    assert len(found.pages) == 2
    assert found.remarks == (
        "The file is cut off before page 3: over 250,000 characters.",
    )
    assert "limits" in found.made_with


def test_a_program_that_a_file_starts_has_no_network(tmp_path: Path) -> None:
    """The kernel's part of it, where the kernel lets us; `isolation` says when not."""
    with socket.create_server(("127.0.0.1", 0)) as server, Faulty(TABLE) as sandbox:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        if not _may_unshare():
            pytest.skip("this kernel allows no network namespace here")
        assert sandbox.text(tmp_path, f"outside {port}") == "refused"


def test_what_a_file_starts_ends_with_the_child(tmp_path: Path) -> None:
    """Killed as a group, and their folder with them."""
    before = set(psutil.pids())
    with Faulty(TABLE) as sandbox:
        sandbox.read(tmp_path, "child")
        assert sandbox._folder is None
    latest = time.monotonic() + 10
    while time.monotonic() < latest:
        left = [p for p in psutil.process_iter() if p.pid not in before]
        if not [p for p in left if _runs(p, "600.25")]:
            return
        time.sleep(0.05)
    raise AssertionError("what the child had started still runs")


def _runs(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline() and process.status() != "zombie"
    except psutil.Error:
        return False


def _may_unshare() -> bool:
    code = (
        "import ctypes, sys; libc = ctypes.CDLL(None);"
        "sys.exit(libc.unshare(0x40000000) and libc.unshare(0x50000000))"
    )
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
