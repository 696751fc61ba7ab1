"""The child process that reads files: one bad file costs itself and nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import ExtractTable
from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import Page

CHILD = """
import os, sys, time
from dunegpt.ingest import extract
from dunegpt.ingest.extract import text, worker

def pages(path):
    word = path.read_text()
    if word == "hang":
        time.sleep(60)
    elif word == "abort":
        os.abort()
    elif word == "exit":
        os._exit(3)
    elif word == "swell":
        bytearray(8 << 30)
    elif word == "nest":
        deep = lambda: deep()
        deep()
    elif word == "write":
        (path.parent / "written").write_text("x")
    elif word == "huge":
        yield extract.Page(1, "", "x" * (worker._MAX_CHARACTERS + 1))
    elif word.startswith("raise"):
        raise RuntimeError("a library's own words")
    elif word.startswith("say "):
        sys.stdout.write(word[4:] + "\\n")
        sys.stdout.flush()
        time.sleep(60)
    yield from text.pages(path)

extract.FORMATS["text/plain"] = pages
sys.argv = ["worker", sys.argv[1]]
worker.main()
"""


class Faulty(Sandbox):
    """The real sandbox and worker, with a format that does what the file says."""

    started = 0

    def __enter__(self) -> "Faulty":
        return self

    def _start(self) -> subprocess.Popen[str]:
        self.started += 1
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, str(self._limits.memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )

    def read(self, folder: Path, word: str) -> list[Page]:
        path = folder / "file"
        path.write_text(word)
        return self.extract(path, "file", "text/plain")


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    with Faulty(ExtractTable(memory_mb=2048)) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("word", "reason", "starts"),
    [
        ("abort", "crashed with exit code -6", 2),
        ("exit", "crashed with exit code 3", 2),
        ("swell", "more memory than allowed", 1),
        ("nest", "nested too deeply", 1),
        ("write", "File too large", 1),
        ("huge", "over 50,000,000 characters", 1),
        ("raise", "RuntimeError: a library's own words", 1),
    ],
)
def test_a_bad_file(
    faulty: Faulty, tmp_path: Path, word: str, reason: str, starts: int
) -> None:
    assert faulty.read(tmp_path, "good") == [Page(1, "", "good")]
    with pytest.raises(ExtractError, match=reason):
        faulty.read(tmp_path, word)
    assert faulty.read(tmp_path, "good again") == [Page(1, "", "good again")]
    assert faulty.started == starts
    written = tmp_path / "written"
    assert not written.exists() or written.read_bytes() == b""


def test_a_file_that_hangs(tmp_path: Path) -> None:
    with Faulty(ExtractTable()) as sandbox:
        patient = sandbox._limits
        assert sandbox.read(tmp_path, "good")
        sandbox._limits = ExtractTable(timeout_s=0.2)
        with pytest.raises(ExtractError, match=r"took over 0\.2 s"):
            sandbox.read(tmp_path, "hang")
        sandbox._limits = patient
        assert sandbox.read(tmp_path, "good")
        assert sandbox.started == 2


@pytest.mark.parametrize(
    "reply", ["no JSON", "7", "[]", "{}", '{"pages": 5}', '{"pages": [[1]]}', "\u00ff"]
)
def test_a_child_that_was_taken_over(
    faulty: Faulty, tmp_path: Path, reply: str
) -> None:
    """It can send text to its parent and no more; the parent is not to trust it."""
    with pytest.raises(ExtractError):
        faulty.read(tmp_path, f"say {reply}")
    assert faulty.read(tmp_path, "good") == [Page(1, "", "good")]


def test_a_child_that_is_gone_before_it_is_asked(
    faulty: Faulty, tmp_path: Path
) -> None:
    assert faulty.read(tmp_path, "good")
    assert faulty._child
    faulty._child.kill()
    faulty._child.wait()
    with pytest.raises(ExtractError, match="crashed with exit code -9"):
        faulty.read(tmp_path, "good")
    assert faulty.read(tmp_path, "good")


def test_close_ends_the_child(tmp_path: Path) -> None:
    sandbox = Faulty(ExtractTable())
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
    with (
        Faulty(ExtractTable(max_file_mb=2)) as sandbox,
        pytest.raises(ExtractError, match="has 3 MB"),
    ):
        sandbox.extract(path, "large.txt", "text/plain")
    assert sandbox.started == 0


def test_the_least_memory_is_enough(tmp_path: Path) -> None:
    """What the settings allow must work: 256 MB, with the real worker."""
    path = tmp_path / "note.html"
    path.write_text("<h1>Head</h1><p>Text ünï</p>", encoding="utf-8")
    with Sandbox(ExtractTable(memory_mb=256)) as sandbox:
        pages = sandbox.extract(path, "note.html", "text/html")
    assert pages == [Page(1, "Head", "Head\n\nText ünï")]


def test_odd_paths(faulty: Faulty, tmp_path: Path) -> None:
    path = tmp_path / 'a "b"\nü.txt'
    path.write_text("good")
    assert faulty.extract(path, path.name, "text/plain") == [Page(1, "", "good")]
