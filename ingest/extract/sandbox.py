"""Extracts files in a child process with limits on time and memory.

A file that crashes the child, hangs or exceeds the limits fails alone: pages read
before are kept, and the next file gets a new child. Does not depend on the formats.
"""

import base64
import binascii
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from dunegpt.config import ExtractSettings
from dunegpt.errors import ExtractError
from dunegpt.files import host_error
from dunegpt.ingest.extract import MAX_PAGE_CHARACTERS, ExtractResult, format_limits
from dunegpt.types import Box, Page

_BoxFields = tuple[int, float, float, float, float]
_FigureFields = tuple[str, int, int, _BoxFields | None]
_Message = (
    tuple[Literal["page"], int, str, str, str, int, list[_FigureFields]]
    | tuple[Literal["remark"], str]
    | tuple[Literal["made_with"], dict[str, str]]
    | tuple[Literal["transient"]]
    | tuple[Literal["boxes"], list[_BoxFields]]
    | tuple[Literal["picture"], str]
    | tuple[Literal["error"], str]
    | tuple[Literal["end"]]
)
_MESSAGE: TypeAdapter[Any] = TypeAdapter(_Message)
_MAX_LINE_BYTES = 12 * MAX_PAGE_CHARACTERS
_MAX_MESSAGES = 100_000
_POLL_INTERVAL_S = 1.0
_FATAL_SIGNALS = {
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
}


class _StoppedError(Exception):
    """The child crashed, timed out or sent an invalid message; the text says which."""


class Sandbox:
    """One child process, started on first use and restarted after each crash."""

    def __init__(self, limits: ExtractSettings) -> None:
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None if it is not running."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """Kill the child and all processes it has started."""
        if self._child is not None:
            try:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._child.kill()
            self._child.communicate()
            self._child, self._buffer = None, b""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def extract(self, path: Path, name: str, media_type: str) -> ExtractResult:
        """Return the result for a file; ``error`` is set if it cannot be read."""
        size_mb = path.stat().st_size >> 20
        if size_mb > self._limits.max_file_mb:
            return self._reject_file(
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
        is_transient = False
        try:
            for kind, *rest in self._request(request):
                if kind == "page" and rest[2].strip():
                    pages.append(Page.from_fields(rest))
                elif kind == "remark":
                    remarks.append(rest[0])
                elif kind == "made_with":
                    made_with = rest[0]
                elif kind == "transient":
                    is_transient = True
                elif kind == "error":
                    return _build_failure(
                        pages, remarks, made_with, rest[0], is_transient=is_transient
                    )
        except _StoppedError as error:
            made_with = {"limits": format_limits(self._limits)}
            return _build_failure(
                pages, remarks, made_with, str(error), is_transient=True
            )
        if not pages:
            reason = "No page has any text."
            return ExtractResult((), (), made_with, reason, is_transient)
        return ExtractResult(
            tuple(pages), tuple(remarks), made_with, is_transient=is_transient
        )

    def find_boxes(
        self, path: Path, name: str, media_type: str, page: int, quote: str
    ) -> list[Box]:
        """Return the rectangles of a quote on a page, one per line.

        Raises:
            ExtractError: The file cannot be read; the message says why.
        """
        request: dict[str, object] = {
            "path": str(path),
            "name": name,
            "media_type": media_type,
            "page": page,
            "quote": quote,
        }
        try:
            for kind, *rest in self._request(request):
                if kind == "boxes":
                    return [Box(*box) for box in rest[0]]
                if kind == "error":
                    raise ExtractError(rest[0])
        except _StoppedError as error:
            raise ExtractError(str(error)) from error
        return []

    def render_picture(self, path: Path, name: str, media_type: str, box: Box) -> bytes:
        """Return what a file shows at a place, as JPEG; empty if there is no picture.

        Raises:
            ExtractError: The file cannot be read; the message says why.
        """
        request: dict[str, object] = {
            "path": str(path),
            "name": name,
            "media_type": media_type,
            "box": astuple(box),
        }
        try:
            for kind, *rest in self._request(request):
                if kind == "picture":
                    return base64.b64decode(rest[0])
                if kind == "error":
                    raise ExtractError(rest[0])
        except (_StoppedError, binascii.Error) as error:
            raise ExtractError(str(error)) from error
        return b""

    def _reject_file(self, reason: str) -> ExtractResult:
        return ExtractResult((), (), {"limits": format_limits(self._limits)}, reason)

    def _request(self, request: dict[str, object]) -> Iterator[tuple[Any, ...]]:
        """Yield the messages of the child for one request, up to its end or error.

        Raises:
            _StoppedError: The child stopped; the message says why.
        """
        child = self._child = self._child or self._start()
        assert child.stdin
        complete = False
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            deadline = time.monotonic() + self._limits.file_timeout_s
            for _ in range(_MAX_MESSAGES):
                message = _parse_message(self._read_line(child, deadline))
                complete = message[0] in {"end", "error"}
                yield message
                if complete:
                    return
            raise _StoppedError("The reader gave an answer that is none.")
        except BrokenPipeError:
            raise _StoppedError(self._exit_reason(child)) from None
        finally:
            if not complete:
                self.close()

    def _read_line(self, child: subprocess.Popen[bytes], deadline: float) -> bytes:
        """Return the child's next line, within the timeouts per line and file."""
        assert child.stdout
        limits = self._limits
        soon = time.monotonic() + limits.timeout_s
        poll = select.poll()
        poll.register(child.stdout, select.POLLIN)
        pieces = [self._buffer]
        size = len(self._buffer)
        while b"\n" not in pieces[-1]:
            wait = min(soon, deadline) - time.monotonic()
            if wait <= 0:
                limit = limits.timeout_s if soon <= deadline else limits.file_timeout_s
                raise _StoppedError(f"Reading took over {limit:g} s.")
            if not poll.poll(min(wait, _POLL_INTERVAL_S) * 1000):
                # A process started by a dead child may still hold the pipe open.
                if child.poll() is not None:
                    raise _StoppedError(self._exit_reason(child))
                continue
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                raise _StoppedError(self._exit_reason(child))
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_LINE_BYTES:
                raise _StoppedError("The reader gave an answer that is none.")
        line, _, self._buffer = b"".join(pieces).partition(b"\n")
        return line

    def _exit_reason(self, child: subprocess.Popen[bytes]) -> str:
        """Return the reason why a child exited."""
        code = child.wait()
        if -code == signal.SIGXCPU:
            return f"Reading used over {self._limits.file_timeout_s:g} s of CPU time."
        return f"The reader crashed with exit code {code}{_describe_signal(-code)}."

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "dunegpt.ingest.extract.worker"]

    def _start(self) -> subprocess.Popen[bytes]:
        """Start a child.

        Raises:
            HostError: The operating system refuses another process.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="dunegpt-")
        try:
            return subprocess.Popen(
                [*self._command(), self._limits.model_dump_json(), self._folder.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self.close()
            raise host_error(error) or error from error


def _describe_signal(number: int) -> str:
    """Return the name of the signal that ended a child and what to do about it."""
    if number not in set(signal.Signals):
        return ""
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        return (
            f" ({name}: something killed it, usually the system for lack of memory;"
            " free some memory or lower [extract] workers)"
        )
    if number in _FATAL_SIGNALS:
        return (
            f" ({name}: a library failed on this file; try [extract] memory_mb, or"
            " convert the file at its source)"
        )
    return f" ({name})"


def _build_failure(
    pages: list[Page],
    remarks: list[str],
    made_with: dict[str, str],
    reason: str,
    *,
    is_transient: bool,
) -> ExtractResult:
    """Return the result for a file whose extraction ended early."""
    if not pages:
        return ExtractResult((), (), made_with, reason, is_transient)
    last = f"Nothing was read after page {pages[-1].number}: {reason}"
    return ExtractResult(
        tuple(pages), (*remarks, last), made_with, is_transient=is_transient
    )


def _parse_message(line: bytes) -> tuple[Any, ...]:
    try:
        message: tuple[Any, ...] = _MESSAGE.validate_json(line, strict=True)
    except ValidationError as error:
        raise _StoppedError("The reader gave an answer that is none.") from error
    if message[0] == "page":
        _check_figures(message[3], message[6])
    return message


def _check_figures(text: str, figures: list[Any]) -> None:
    """Raise `_StoppedError` unless figures follow each other within a text."""
    at = 0
    for _, start, end, box in figures:
        if not at <= start < end <= len(text):
            raise _StoppedError("The reader gave an answer that is none.")
        if box and not all(0 <= side <= 1 for side in box[1:]):
            raise _StoppedError("The reader gave an answer that is none.")
        at = end
