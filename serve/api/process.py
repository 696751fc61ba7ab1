"""Runs an app under uvicorn: the socket, the limits of connections, signals, processes.

Does not know which app.
"""

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from dunegpt.errors import ConfigError
from dunegpt.serve.api.limits import MAX_HEAD_BYTES
from dunegpt.serve.api.protocol import LimitedProtocol
from dunegpt.server_settings import ServerSettings

_KEEP_ALIVE_S = 5
_AFTER_SHUTDOWN_S = 5
"""Time in which answers that were told to stop can say so to their clients."""
_REFUSALS = {
    errno.EADDRINUSE: ("is in use", "Stop what uses it, or take another with --port."),
    errno.EACCES: ("may not be used by this user", "Take a port above 1023."),
    errno.EADDRNOTAVAIL: (
        "is not an address of this host",
        "Correct [server] host, or --host.",
    ),
}


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address; port 0 takes one that is free.

    Raises:
        ConfigError: The address cannot be used.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(f"There is no host {host!r} to listen on.") from error
    own = socket.socket(family, kind, number)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
        own.listen()  # else a second server could be bound, and fail only later
    except OSError as error:
        own.close()
        reason, hint = _REFUSALS.get(error.errno or 0, (error.strerror, ""))
        raise ConfigError(f"Port {port} of {host} {reason}.", hint=hint) from error
    own.set_inheritable(True)
    return own


def run_server(
    make_app: Callable[[], Any], own: socket.socket, settings: ServerSettings
) -> None:
    """Serve until the process is asked to end by SIGINT or SIGTERM.

    Args:
        make_app: Returns the app; called in each process. With several processes it
            has to be picklable.
        own: The socket, from `bind_socket`.
        settings: Limits, and the number of processes.

    Raises:
        SystemExit: The app could not be started; uvicorn has logged why.
    """
    config = uvicorn.Config(
        make_app,
        factory=True,
        workers=settings.workers,
        loop="asyncio",
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.shutdown_timeout_s) + _AFTER_SHUTDOWN_S,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    signal.signal(signal.SIGTERM, _interrupt)
    if settings.workers > 1:
        Multiprocess(config, sockets=[own]).run()
        return
    with contextlib.suppress(KeyboardInterrupt):  # raised again once all is closed
        uvicorn.Server(config).run(sockets=[own])


def end_process() -> NoReturn:
    """End the process although a model still writes an answer that was given up.

    The interpreter would wait for its thread otherwise, as long as the model takes.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Take SIGTERM, which uvicorn raises again once all is closed, for Ctrl-C."""
    raise KeyboardInterrupt


class DropAborted(logging.Filter):
    """Leaves out that a response was broken off, which is logged already."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be logged."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, ConnectionAbortedError)


def log_with(logger: logging.Logger) -> None:
    """Let uvicorn's messages go where those of another logger go."""
    own = logging.getLogger("uvicorn.error")
    own.handlers[:] = logger.handlers
    own.setLevel(logging.WARNING)
    own.propagate = False
    own.addFilter(DropAborted())
