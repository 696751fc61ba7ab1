"""Reads files in a child process with limits on time and memory.

A file that crashes, hangs or swells costs its own reading and one new child; the run
goes on, and what the child had read before is kept. Does not know formats or documents.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from dunegpt.config import ExtractTable
from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import MAX_PAGE_CHARACTERS, Extracted, limits_id
from dunegpt.types import Box, Page

_Message = (
    tuple[Literal["page"], int, str, str, str, int]
    | tuple[Literal["remark"], str]
    | tuple[Literal["made_with"], dict[str, str]]
    | tuple[Literal["boxes"], list[tuple[int, float, float, float, float]]]
    | tuple[Literal["error"], str]
    | tuple[Literal["end"]]
)
_MESSAGE: TypeAdapter[Any] = TypeAdapter(_Message)
_LONGEST_LINE = 12 * MAX_PAGE_CHARACTERS
_MOST_MESSAGES = 100_000
_WAIT_S = 1.0


class _StoppedError(Exception):
    """The child crashed, hung or said what is no message; the text says which."""


class Sandbox:
    """One child process, started when first needed and again after each crash."""

    def __init__(self, limits: ExtractTable) -> None:
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, if there is one."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """End the child and all that it has started."""
        if self._child is not None:
            try:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._child.kill()
            self._child.communicate()
            self._child, self._heard = None, b""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def extract(self, path: Path, name: str, media_type: str) -> Extracted:
        """Return what a file becomes; a file that cannot be read has ``error``."""
        size_mb = path.stat().st_size >> 20
        if size_mb > self._limits.max_file_mb:
            return self._limited(
                f"The file has {size_mb} MB; [extract] max_file_mb is"
                f" {self._limits.max_file_mb}."
            )
        request: dict[str, object] = {
            "path": str(path),
            "name": name,
            "media_type": media_type,
        }
        pages: list[Page] = []
        remarks: list[str] = []
        made_with: dict[str, str] = {}
        try:
            for kind, *rest in self._ask(request):
                if kind == "page" and rest[2].strip():
                    pages.append(Page(*rest))
                elif kind == "remark":
                    remarks.append(rest[0])
                elif kind == "made_with":
                    made_with = rest[0]
                elif kind == "error":
                    return _failed(pages, remarks, made_with, rest[0])
        except _StoppedError as error:
            made_with = {"limits": limits_id(self._limits)}
            return _failed(pages, remarks, made_with, str(error))
        if not pages:
            return Extracted((), (), made_with, "No page has any text.")
        return Extracted(tuple(pages), tuple(remarks), made_with)

    def boxes(
        self, path: Path, name: str, media_type: str, page: int, quote: str
    ) -> list[Box]:
        """Return where a quote stands on a page, a rectangle for each line of it.

        Raises:
            ExtractError: The file cannot be read, with the reason.
        """
        request: dict[str, object] = {
            "path": str(path),
            "name": name,
            "media_type": media_type,
            "page": page,
            "quote": quote,
        }
        try:
            for kind, *rest in self._ask(request):
                if kind == "boxes":
                    return [Box(*box) for box in rest[0]]
                if kind == "error":
                    raise ExtractError(rest[0])
        except _StoppedError as error:
            raise ExtractError(str(error)) from error
        return []

    def _limited(self, reason: str) -> Extracted:
        return Extracted((), (), {"limits": limits_id(self._limits)}, reason)

    def _ask(self, request: dict[str, object]) -> Iterator[tuple[Any, ...]]:
        """Yield the messages that answer one request, up to its end or error.

        Raises:
            _StoppedError: With the reason.
        """
        child = self._child = self._child or self._start()
        assert child.stdin
        whole = False
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            latest = time.monotonic() + self._limits.file_timeout_s
            for _ in range(_MOST_MESSAGES):
                message = _parsed(self._line(child, latest))
                whole = message[0] in {"end", "error"}
                yield message
                if whole:
                    return
            raise _StoppedError("The reader gave an answer that is none.")
        except BrokenPipeError:
            raise _StoppedError(self._epitaph(child)) from None
        finally:
            if not whole:
                self.close()

    def _line(self, child: subprocess.Popen[bytes], latest: float) -> bytes:
        """Return the child's next line, waiting for each piece of it in turn."""
        assert child.stdout
        limits = self._limits
        soon = time.monotonic() + limits.timeout_s
        poll = select.poll()
        poll.register(child.stdout, select.POLLIN)
        pieces = [self._heard]
        size = len(self._heard)
        while b"\n" not in pieces[-1]:
            left = min(soon, latest) - time.monotonic()
            if left <= 0:
                over = limits.timeout_s if soon <= latest else limits.file_timeout_s
                raise _StoppedError(f"Reading took over {over:g} s.")
            if not poll.poll(min(left, _WAIT_S) * 1000):
                # What a dead child has started may still hold the pipe open.
                if child.poll() is not None:
                    raise _StoppedError(self._epitaph(child))
                continue
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                raise _StoppedError(self._epitaph(child))
            pieces.append(piece)
            size += len(piece)
            if size > _LONGEST_LINE:
                raise _StoppedError("The reader gave an answer that is none.")
        line, _, self._heard = b"".join(pieces).partition(b"\n")
        return line

    def _epitaph(self, child: subprocess.Popen[bytes]) -> str:
        """Return what a child died of."""
        code = child.wait()
        if -code == signal.SIGXCPU:
            return f"Reading used over {self._limits.file_timeout_s:g} s of CPU time."
        return f"The reader crashed with exit code {code}."

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "dunegpt.ingest.extract.worker"]

    def _start(self) -> subprocess.Popen[bytes]:
        self._folder = tempfile.TemporaryDirectory(prefix="dunegpt-")
        return subprocess.Popen(
            [*self._command(), self._limits.model_dump_json(), self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _failed(
    pages: list[Page], remarks: list[str], made_with: dict[str, str], reason: str
) -> Extracted:
    """Return what is left of a file whose reading ended early."""
    if not pages:
        return Extracted((), (), made_with, reason)
    last = f"Nothing was read after page {pages[-1].number}: {reason}"
    return Extracted(tuple(pages), (*remarks, last), made_with)


def _parsed(line: bytes) -> tuple[Any, ...]:
    try:
        message: tuple[Any, ...] = _MESSAGE.validate_json(line, strict=True)
    except ValidationError as error:
        raise _StoppedError("The reader gave an answer that is none.") from error
    return message
