"""Keeps the child processes that read files from test to test.

To start one takes longer than most tests. A child reads one file after the other in
production, too; it is used again only after it has answered a request to the end.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import pytest

from dunegpt.ingest.extract.sandbox import Sandbox

_MOST = 4

_start, _ask, _close = Sandbox._start, Sandbox._request, Sandbox.close


@dataclass(frozen=True)
class _Reader:
    """A child that waits for requests, and its folder for temporary files."""

    key: tuple[str, ...]
    child: "subprocess.Popen[bytes]"
    folder: "tempfile.TemporaryDirectory[str]"


class KeptReaders:
    """The idle children of one process, the one used last at the end."""

    def __init__(self) -> None:
        self._idle: list[_Reader] = []
        self._asked: set[Sandbox] = set()
        self._lock = Lock()
        self._pid = os.getpid()
        # A child dies with the thread that started it, so that thread has to stay.
        self._starter = ThreadPoolExecutor(1)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let all sandboxes use these children."""

        def start(sandbox: Sandbox) -> "subprocess.Popen[bytes]":
            return self._take(sandbox)

        def ask(sandbox: Sandbox, request: dict[str, object]) -> Iterator[Any]:
            self._asked.add(sandbox)
            yield from _ask(sandbox, request)
            self._asked.discard(sandbox)

        def close(sandbox: Sandbox) -> None:
            self._keep(sandbox)

        monkeypatch.setattr(Sandbox, "_start", start)
        monkeypatch.setattr(Sandbox, "_request", ask)
        monkeypatch.setattr(Sandbox, "close", close)

    def stop(self) -> None:
        """End all children."""
        for reader in self._idle:
            _end(reader)
        self._idle.clear()
        self._starter.shutdown()

    def _take(self, sandbox: Sandbox) -> "subprocess.Popen[bytes]":
        if os.getpid() != self._pid:
            return _start(sandbox)
        key = _key(sandbox)
        with self._lock:
            for reader in reversed(self._idle):
                if reader.key == key and reader.child.poll() is None:
                    self._idle.remove(reader)
                    sandbox._folder = reader.folder
                    return reader.child
        return self._starter.submit(_start, sandbox).result()

    def _keep(self, sandbox: Sandbox) -> None:
        """Close a sandbox, but keep its child if it has answered to the end."""
        child, folder = sandbox._child, sandbox._folder
        interrupted = sandbox in self._asked or sandbox._buffer
        self._asked.discard(sandbox)
        mine = os.getpid() == self._pid
        if child is None or folder is None or interrupted or not mine:
            _close(sandbox)
            return
        sandbox._child = sandbox._folder = None
        with self._lock:
            self._idle.append(_Reader(_key(sandbox), child, folder))
            oldest = self._idle.pop(0) if len(self._idle) > _MOST else None
        if oldest is not None:
            _end(oldest)


def _key(sandbox: Sandbox) -> tuple[str, ...]:
    """Return what a child depends on: its limits, its command and its programs."""
    limits = sandbox._limits.model_dump_json()
    return limits, *sandbox._command(), os.environ.get("PATH", "")


def _end(reader: _Reader) -> None:
    reader.child.kill()
    reader.child.communicate()
    reader.folder.cleanup()
