"""The model servers of an installation: their order, their queues, who is left out.

A server that failed several times in a row is left out for a while; then one question
tries it again. A process that answers many keeps one `Models`. Knows no documents.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing

from dunegpt.config import LLMTable, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.serve import llm
from dunegpt.serve.queue import Queue

Stream = Callable[[str, llm.Messages], Generator[str]]
"""From the name of a server and what it is told, to what it writes."""

FAILURES = 3
"""After so many in a row a server is left out ..."""
PAUSE_S = 30.0
"""... for so long."""

_WAITING = 4
"""So many times as many as it answers at once may wait for a server."""
_OF_THE_ASKER = {ModelFault.TOO_LONG}
"""Says nothing of how well a server is."""
_LATE = {ModelFault.SILENT, ModelFault.STALLED}
"""Nor does this, if it had less time than usual."""


class Breaker:
    """Counts a server's failures in a row, and says when it may be asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._last = ""

    def enter(self) -> bool:
        """Let a question pass; return whether it is the one that tries again.

        Raises:
            ModelError: The server is left out at the moment.
        """
        with self._lock:
            if self._failures < FAILURES:
                return False
            left = self._until - self._clock()
            if left > 0:
                raise ModelError(
                    f"is left out for {left:.0f} s after {self._failures} failures;"
                    f" the last: {self._last}",
                    fault=ModelFault.LEFT_OUT,
                )
            self._until = self._clock() + PAUSE_S  # the others wait for this one
            return True

    def failed(self, error: ModelError) -> None:
        """Count a failure of the server."""
        with self._lock:
            self._failures += 1
            self._last = error.fault.value
            self._until = self._clock() + PAUSE_S

    def succeeded(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._failures = 0

    def left(self) -> None:
        """Let the next one try: who tried again learnt nothing of the server."""
        with self._lock:
            self._until = self._clock()


class _Server:
    """One server with what is remembered of it."""

    def __init__(self, table: LLMTable, clock: Callable[[], float]) -> None:
        self.table = table
        self.breaker = Breaker(clock)
        most = _WAITING * table.at_once
        self.queue = Queue(
            table.at_once,
            waiting=most,
            each=max(1, most // 4),
            wait_s=min(30.0, table.timeout_s),
        )


class Models:
    """All model servers of the settings, in their order."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._servers = {n: _Server(t, clock) for n, t in settings.llm.items()}

    def stream(
        self,
        name: str,
        messages: llm.Messages,
        person: str = "",
        *,
        within_s: float | None = None,
        tokens: int | None = None,
    ) -> Generator[str]:
        """Yield a server's answer as it comes; closing this stops the server.

        Args:
            name: Of the server.
            messages: What it is told.
            person: Whose turn it takes.
            within_s: So long one waits for a word, if that is less than usual; a server
                that is slower has not failed.
            tokens: So many it writes at most, if that is less than usual.

        Raises:
            ModelError: It did not answer, is left out, or too many wait for it.
            ConfigError: Its key cannot be had.
        """
        server = self._servers[name]
        key = self._settings.model_key(name)
        table = server.table
        limits = {
            "timeout_s": min(within_s or table.timeout_s, table.timeout_s),
            "max_tokens": min(tokens or table.max_tokens, table.max_tokens),
        }
        try:
            with server.queue.turn(person):
                yield from self._watched(
                    name, server, key, messages, table.model_copy(update=limits)
                )
        except ModelError as error:
            raise _named(name, error) from error

    def _watched(
        self,
        name: str,
        server: _Server,
        key: str,
        messages: llm.Messages,
        table: LLMTable,
    ) -> Generator[str]:
        """Yield an answer; tell the breaker how it ended.

        Args:
            name: Of the server.
            server: What is remembered of it.
            key: Its secret.
            messages: What it is told.
            table: Its settings, for this answer.
        """
        breaker = server.breaker
        is_hurried = table.timeout_s < server.table.timeout_s
        tries_again = breaker.enter()
        learnt = False
        try:
            with closing(llm.stream(name, table, key, messages)) as pieces:
                yield from pieces
            breaker.succeeded()
            learnt = True
        except ModelError as error:
            is_late = is_hurried and error.fault in _LATE
            if error.fault not in _OF_THE_ASKER and not is_late:
                breaker.failed(error)
                learnt = True
            raise
        finally:
            if tries_again and not learnt:
                breaker.left()


def _named(name: str, error: ModelError) -> ModelError:
    """Return an error that names its server."""
    if str(error).startswith("The model server"):
        return error
    return ModelError(f"The model server {name!r} {error}.", fault=error.fault)
