"""Sends the requests that confirm access: short ones, once, several at a time.

Unlike `http`, it does not wait and does not try again: whoever asks would not have the
time. Follows no redirect, and reads no answer beyond a small size.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx

from dunegpt.ingest.access_check import AccessRequest
from dunegpt.version import __version__

_CONNECT_S, _READ_S, _WHOLE_S = 1.0, 2.0, 4.0
_MAX_BYTES = 4 << 20
_KEPT_ALIVE = 20
_STRAINED = {429, 502, 503, 504}
_PAUSE_S, _MAX_PAUSE_S = 30.0, 900.0
"""What a source that asks to wait gets if it does not say how long, and at most."""


class SourceStrainedError(Exception):
    """A source did not answer, or asks to be left alone.

    Attributes:
        pause_s: For how long it asks to be left alone; None if it does not say.
    """

    def __init__(self, message: str = "", *, pause_s: float | None = None) -> None:
        super().__init__(message)
        self.pause_s = pause_s


class ConfirmTransport:
    """Connections to the sources, kept open; safe to share between threads."""

    def __init__(self, contact: str = "") -> None:
        agent = f"dunegpt/{__version__}" + (f" ({contact})" if contact else "")
        self._headers = {"User-Agent": agent}
        self._clients: dict[Any, httpx.Client] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def get(self, request: AccessRequest) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of the answer to a request.

        Raises:
            SourceStrainedError: No answer came, or one that asks to wait.
        """
        deadline = time.monotonic() + _WHOLE_S
        try:
            with self._client(request).stream(
                "GET", request.url, headers=dict(request.headers)
            ) as reply:
                if reply.status_code in _STRAINED or "cf-mitigated" in reply.headers:
                    raise SourceStrainedError(
                        f"the source answers {reply.status_code}",
                        pause_s=_parse_pause(reply.headers.get("retry-after", "")),
                    )
                body = b""
                for piece in reply.iter_bytes():
                    body += piece
                    if len(body) > _MAX_BYTES or time.monotonic() > deadline:
                        raise SourceStrainedError("the answer is too long")
                return reply.status_code, reply.headers, body
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceStrainedError(type(error).__name__) from error
        except RuntimeError as error:  # of httpx, for a client that was closed
            raise SourceStrainedError("closing", pause_s=0) from error

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._is_closed = True
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def _client(self, request: AccessRequest) -> httpx.Client:
        """Return the client for the TLS settings of a request."""
        with self._lock:
            if self._is_closed:
                raise SourceStrainedError("closing", pause_s=0)
            if request.trust not in self._clients:
                self._clients[request.trust] = httpx.Client(
                    headers=self._headers,
                    timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S),
                    follow_redirects=False,
                    verify=request.trust,
                    # Whoever asks limits how many requests are made at a time.
                    limits=httpx.Limits(max_keepalive_connections=_KEPT_ALIVE),
                )
            return self._clients[request.trust]


def _parse_pause(retry_after: str) -> float:
    """Return the seconds of ``Retry-After``; the default if it is a date or none."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _MAX_PAUSE_S)
    return _PAUSE_S
