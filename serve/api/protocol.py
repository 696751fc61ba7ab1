"""Connections: how many, how long a head may take, and how slowly one may read.

uvicorn limits the time that a connection is idle after a response, and the size of a
head, but not the time that a head takes to arrive nor that a client takes to read.
"""

import asyncio
import logging
import resource
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from dunegpt.server_settings import ServerSettings

log = logging.getLogger(__name__)

_OTHER_FILES = 128
"""Descriptors for the index, the databases, and sockets to model servers."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 with limits; the app state holds the settings and the shutdown."""

    _timer: asyncio.TimerHandle | None = None

    @property
    def _settings(self) -> ServerSettings:
        settings: ServerSettings = self.app_state["settings"]
        return settings

    def connection_made(self, transport: Any) -> None:
        """Accept a connection, or refuse it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.app_state["max_connections"]:
            transport.write(_FULL)
            transport.close()
            return
        _limit_unread(transport, self._settings.body_timeout_s)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data on; a head that has begun has to be complete in time."""
        super().data_received(data)
        if self._is_serving():
            self._stop_timer()
        elif self._timer is None and not self.transport.is_closing():
            self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, whose head may have begun to arrive."""
        super().on_response_complete()
        if not self._is_serving() and self.conn.trailing_data[0]:
            self._expect_head()

    def pause_writing(self) -> None:
        """Give a client that reads slowly some time."""
        super().pause_writing()
        self._start_timer(self._settings.body_timeout_s)

    def resume_writing(self) -> None:
        """Go on writing."""
        self._stop_timer()
        super().resume_writing()

    def shutdown(self) -> None:
        """End the connection after its request; running answers are told."""
        self.app_state["shutdown"].begin()
        super().shutdown()

    def _is_serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._start_timer(self._settings.header_timeout_s)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _limit_unread(transport: asyncio.Transport, seconds: float) -> None:
    """Let the system end a connection whose client does not take what was sent."""
    own = transport.get_extra_info("socket")
    if own is not None and own.family in {socket.AF_INET, socket.AF_INET6}:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def limit_connections(wanted: int) -> int:
    """Return how many connections this host allows, at most as many as wanted.

    Raises the limit of open files as far as the host permits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = max(soft - _OTHER_FILES, 16)
    if allowed < wanted:
        log.warning("this host allows %d connections, not %d", allowed, wanted)
    return min(wanted, allowed)
