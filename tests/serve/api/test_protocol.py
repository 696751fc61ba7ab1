"""Connections that are too many, too slow or too large, on a real socket."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dunegpt.errors import ConfigError
from dunegpt.serve.api.limits import MAX_HEAD_BYTES
from dunegpt.serve.api.process import bind_socket
from dunegpt.serve.api.protocol import LimitedProtocol, limit_connections
from dunegpt.serve.api.shutdown import Shutdown
from dunegpt.server_settings import ServerSettings

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def hello(request: Request) -> Response:
    return Response("hello")


async def flood(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(1 << 20)

    return StreamingResponse(pieces())


@contextmanager
def listening(max_connections: int = 50, **settings: Any) -> Iterator[int]:
    """Give the port of a server with these settings, in a thread."""

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {
            "settings": ServerSettings(**settings),
            "shutdown": Shutdown(1),
            "max_connections": max_connections,
        }

    app = Starlette(routes=[Route("/", hello), Route("/flood", flood)], lifespan=live)
    own = bind_socket("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            log_config=None,
            log_level="critical",
            timeout_keep_alive=1,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
    )
    thread = threading.Thread(target=server.run, args=([own],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield own.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def read_all(own: socket.socket) -> bytes:
    """Return what comes until the other side ends the connection, however it does."""
    data = b""
    try:
        while piece := own.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n", GET[:-2], GET + b"GET / HT"]
)
def test_a_head_has_to_be_complete_in_time(sent: bytes) -> None:
    with listening(header_timeout_s=0.1) as port, connect(port) as own:
        own.sendall(sent)
        start = time.monotonic()
        answered = read_all(own)
        assert time.monotonic() - start < 3
        assert answered.count(b"200 OK") == sent.count(GET)


def test_a_head_that_trickles_is_not_waited_for() -> None:
    with listening(header_timeout_s=0.2) as port, connect(port) as own:
        own.sendall(GET[:-2])
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 3:
                own.sendall(b"X-A: b\r\n")
                time.sleep(0.02)
        assert time.monotonic() - start < 3


def test_an_honest_client_is_not_cut_off() -> None:
    with listening(header_timeout_s=0.3) as port, connect(port) as own:
        for _ in range(2):
            own.sendall(GET[:20])
            time.sleep(0.1)
            own.sendall(GET[20:])
            answered = b""
            while not answered.endswith(b"hello"):
                answered += own.recv(65536)
            time.sleep(0.1)


def test_a_head_has_a_size() -> None:
    with listening() as port, connect(port) as own:
        own.sendall(GET[:-2] + b"X-Long: " + b"x" * 2 * MAX_HEAD_BYTES)
        assert read_all(own).startswith(b"HTTP/1.1 400")


@pytest.mark.slow
def test_who_does_not_read_is_cut_off() -> None:
    with listening(body_timeout_s=0.2) as port, connect(port) as own:
        own.sendall(GET.replace(b"GET /", b"GET /flood"))
        own.recv(10)
        time.sleep(1)
        data = read_all(own)  # what the system has buffered, and no more
        assert len(data) < 64 << 20


def test_connections_have_a_number() -> None:
    with listening(max_connections=2) as port:
        held = [connect(port) for _ in range(2)]
        for each in held:
            each.sendall(GET)
            assert b"200 OK" in each.recv(65536)
        with connect(port) as third:
            assert b"503 Service Unavailable" in read_all(third)
        held.pop().close()
        time.sleep(0.1)
        with connect(port) as next_one:
            next_one.sendall(GET)
            assert b"200 OK" in next_one.recv(65536)
        held.pop().close()


def test_a_shutdown_is_noticed_once() -> None:
    async def run() -> bool:
        shutdown = Shutdown(0)
        shutdown.begin()
        shutdown.begin()
        await asyncio.wait_for(shutdown.is_over_time.wait(), 1)
        return shutdown.has_begun

    assert asyncio.run(run())


def test_a_port_that_is_taken() -> None:
    with bind_socket("127.0.0.1", 0) as own:
        port = own.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is in use"):
            bind_socket("127.0.0.1", port)
    with pytest.raises(ConfigError, match="not an address of this host"):
        bind_socket("203.0.113.7", 0)
    with pytest.raises(ConfigError, match="There is no host"):
        bind_socket("no such host", 0)


def test_open_files_bound_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(256, 256)]
    monkeypatch.setattr("resource.getrlimit", lambda _: limits[-1])
    monkeypatch.setattr("resource.setrlimit", lambda _, new: limits.append(new))
    assert limit_connections(512) == 128
    limits.append((256, 4096))
    assert limit_connections(512) == 512
    assert limits[-1] == (640, 4096)
