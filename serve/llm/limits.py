"""Limits the time, tokens and bytes of what a model server sends.

A read timeout alone limits the pause between two bytes, so a server that sends a byte
now and then never runs into it. `RequestTimer` closes the connection instead. Servers
that ignore ``max_tokens`` are cut off by `TokenLimit`. Does not depend on langchain.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, cast

import httpx

_LONGEST_TOKEN = 32
_CHUNKS_PER_TOKEN = 32
_BYTES_PER_TOKEN = 4096
_OVERHEAD_BYTES = 1 << 20
_CONNECTED = (
    "connect_tcp.complete",
    "connect_unix_socket.complete",
    "start_tls.complete",
)


class AnswerTimeoutError(httpx.ReadTimeout):
    """A request exceeded one of its time limits; the text is the setting."""


class RequestTimer:
    """Ends the requests of one client when a time limit is reached.

    Use it as a context manager, and `watch` as a request hook of the client.
    """

    def __init__(self, silence_s: float, total_s: float) -> None:
        """Set the limits.

        Args:
            silence_s: Seconds to the first sign of progress, and between two.
            total_s: Seconds for everything.
        """
        self._silence_s, self._total_s = silence_s, total_s
        self._condition = threading.Condition()
        self._socket: socket.socket | None = None
        self._begun = self._last = time.monotonic()
        self._is_paused = self._is_done = False
        self._exceeded = ""

    def __enter__(self) -> "RequestTimer":
        self._begun = self._last = time.monotonic()
        threading.Thread(target=self._wait, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._condition:
            self._is_done = True
            self._condition.notify()
        if isinstance(error, Exception):
            self.check(error)

    def check(self, cause: Exception | None = None) -> None:
        """Do nothing unless a limit was reached.

        Raises:
            AnswerTimeoutError: It was; ``cause`` is what the closed connection led to.
        """
        if self._exceeded:
            raise AnswerTimeoutError(self._exceeded) from cause

    def watch(self, request: httpx.Request) -> None:
        """Watch the connection that a request will use; silence counts from now.

        What is done before it, such as the first import of the client, does not count.
        """
        self.record_progress()
        request.extensions["trace"] = self._follow

    def record_progress(self) -> None:
        """Start the time of silence anew."""
        with self._condition:
            self._last = time.monotonic()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time that the reader of the answer takes as silence."""
        self._is_paused = True
        try:
            yield
        finally:
            self.record_progress()
            self._is_paused = False

    def _follow(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the socket of a connection that was just made."""
        if event.endswith(_CONNECTED):
            stream = info["return_value"]
            with self._condition:
                self._socket = stream.get_extra_info("socket")
                if self._exceeded:
                    self._disconnect()

    def _wait(self) -> None:
        with self._condition:
            while not self._is_done:
                now = time.monotonic()
                total_left = self._begun + self._total_s - now
                left = self._last + self._silence_s - now
                if self._is_paused:
                    left = self._silence_s
                if min(left, total_left) <= 0:
                    is_total = total_left <= left
                    name = "answer_timeout_s" if is_total else "timeout_s"
                    limit_s = self._total_s if is_total else self._silence_s
                    self._exceeded = f"{name} = {limit_s:g}"
                    self._disconnect()
                    return
                self._condition.wait(min(left, total_left))

    def _disconnect(self) -> None:
        """Shut the connection down; unlike closing, this wakes up a waiting read."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class TokenLimit:
    """Cuts an answer off for a server that ignores ``max_tokens``.

    Tokens are counted low: each word is at least one, and so are 32 characters of one.
    No server that observes the limit is cut off.

    Attributes:
        is_exceeded: Whether the answer was cut off.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._tokens = self._characters = self._chunks = self._word = 0
        self.is_exceeded = False

    def cut(self, text: str) -> str:
        """Return the next piece of the answer, as far as it is within the limit."""
        self._chunks += 1
        if self._chunks > _CHUNKS_PER_TOKEN * self._max_tokens:
            self.is_exceeded = True
            return ""
        for position, character in enumerate(text):
            self._count(character)
            if (
                self._tokens > self._max_tokens
                or self._characters > _LONGEST_TOKEN * self._max_tokens
            ):
                self.is_exceeded = True
                return text[:position]
        return text

    def _count(self, character: str) -> None:
        self._characters += 1
        if character.isspace():
            self._word = 0
            return
        if self._word % _LONGEST_TOKEN == 0:
            self._tokens += 1
        self._word += 1


class LimitedStream(httpx.SyncByteStream):
    """The body of a response, limited to what so many tokens can take."""

    def __init__(self, stream: object, max_tokens: int) -> None:
        self._stream = cast("httpx.SyncByteStream", stream)
        self._max_bytes = _OVERHEAD_BYTES + _BYTES_PER_TOKEN * max_tokens

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for content in self._stream:
            size += len(content)
            if size > self._max_bytes:
                raise httpx.RemoteProtocolError(
                    f"it sent over {self._max_bytes:,} bytes"
                )
            yield content

    def close(self) -> None:
        """Close the body."""
        self._stream.close()
