"""Chooses among the model servers: order of preference, queues, failing servers.

A server that failed several times in a row is left out for a while; then one question
tries it again. A process that answers many keeps one `LLMPool`. Knows no documents.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing

from dunegpt.config import Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.circuit_breaker import CircuitBreaker
from dunegpt.serve.llm.fair_queue import FairQueue
from dunegpt.serve.llm.messages import Messages, YesNo

StreamFunction = Callable[[str, Messages], Generator[str]]
"""From the name of a server and what it is told, to what it writes."""
AskYesNoFunction = Callable[..., YesNo]
"""Like `LLMPool.ask_yes_no`."""

_MIN_WAIT_S = 0.05
_QUEUE_FACTOR = 4
"""So many times as many as it answers at once may wait for a server."""
_REQUEST_FAULTS = {ModelFault.TOO_LONG}
"""Says nothing of how well a server is."""
_TIMEOUT_FAULTS = {ModelFault.SILENT, ModelFault.STALLED}
"""Nor does this, if it had less time than usual."""


class _Server:
    """One server with what is remembered of it."""

    def __init__(self, table: LLMSettings, clock: Callable[[], float]) -> None:
        self.table = table
        self.breaker = CircuitBreaker(clock)
        most = _QUEUE_FACTOR * table.at_once
        self.queue = FairQueue(
            table.at_once,
            waiting=most,
            each=max(1, most // 4),
            wait_s=min(30.0, table.timeout_s),
        )


class LLMPool:
    """All model servers of the settings, in their order."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._servers = {n: _Server(t, clock) for n, t in settings.llm.items()}

    def stream(
        self,
        name: str,
        messages: Messages,
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
        key = self._settings.read_model_key(name)
        table = server.table
        limits = {
            "timeout_s": min(within_s or table.timeout_s, table.timeout_s),
            "max_tokens": min(tokens or table.max_tokens, table.max_tokens),
        }
        try:
            with server.queue.turn(person):
                yield from self._stream_guarded(
                    name, server, key, messages, table.model_copy(update=limits)
                )
        except ModelError as error:
            raise _add_server_name(name, error) from error

    def ask_yes_no(
        self, name: str, messages: Messages, *, within_s: float | None = None
    ) -> YesNo:
        """Return how probably a server answers yes, in one token.

        It takes no turn in the queue: it belongs to the answer whose turn it is, and
        costs the server one token behind a prompt that it has read.

        Args:
            name: Of the server.
            messages: What it is told.
            within_s: So long one waits, if that is less than usual.

        Raises:
            ModelError: It did not answer, or is left out.
            ConfigError: Its key cannot be had.
        """
        from dunegpt.serve.llm import client  # noqa: PLC0415 - .1 s, only to generate

        server = self._servers[name]
        key = self._settings.read_model_key(name)
        timeout_s = min(within_s or server.table.timeout_s, server.table.timeout_s)
        limits = {"timeout_s": max(timeout_s, _MIN_WAIT_S), "max_tokens": 1}
        if server.table.kind == "argo":
            limits["max_tokens"] = server.table.max_tokens
        try:
            return client.ask_yes_no(
                name, server.table.model_copy(update=limits), key, messages
            )
        except ModelError as error:
            raise _add_server_name(name, error) from error

    def _stream_guarded(
        self,
        name: str,
        server: _Server,
        key: str,
        messages: Messages,
        table: LLMSettings,
    ) -> Generator[str]:
        """Yield an answer; tell the breaker how it ended.

        Args:
            name: Of the server.
            server: What is remembered of it.
            key: Its secret.
            messages: What it is told.
            table: Its settings, for this answer.
        """
        from dunegpt.serve.llm import client  # noqa: PLC0415 - .1 s, only to generate

        breaker = server.breaker
        is_hurried = table.timeout_s < server.table.timeout_s
        tries_again = breaker.enter()
        learnt = False
        try:
            with closing(client.stream(name, table, key, messages)) as pieces:
                yield from pieces
            breaker.record_success()
            learnt = True
        except ModelError as error:
            is_late = is_hurried and error.fault in _TIMEOUT_FAULTS
            if error.fault not in _REQUEST_FAULTS and not is_late:
                breaker.record_failure(error)
                learnt = True
            raise
        finally:
            if tries_again and not learnt:
                breaker.release()


def _add_server_name(name: str, error: ModelError) -> ModelError:
    """Return an error that names its server."""
    if str(error).startswith("The model server"):
        return error
    return ModelError(f"The model server {name!r} {error}.", fault=error.fault)
