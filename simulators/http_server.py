"""A loopback web server whose resources are named after their faults.

``/slow``, ``/drop``, ``/partial``, ... each fail in one way; other requests are
answered by a function of the test, if given. Every request is recorded.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

BODY = b"all is well\n"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, with header names in lower case."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply.

    Attributes:
        length: Declared length; None for the true length, negative for none.
        before: Called before the reply is sent; if it returns True, hang up instead.
    """

    status: int = 200
    body: bytes | Iterable[bytes] = BODY
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    before: Callable[[], object] = bool


class FaultServer:
    """A context manager that serves each request in a thread."""

    def __init__(self, answer: Callable[[Request], Reply | None] | None = None) -> None:
        self.requests: list[Request] = []
        self.elsewhere = "http://127.0.0.2:1/stolen"
        self.stopped = threading.Event()
        self._answer = answer
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The base URL without a trailing slash."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def paths(self) -> list[str]:
        """Return the requested paths, in order."""
        return [request.path for request in self.requests]

    def __enter__(self) -> "FaultServer":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def reply(self, request: Request) -> Reply:
        """Return the reply to a request that was just recorded."""
        reply = self._answer(request) if self._answer else None
        return reply or self._fault(request.path.strip("/"))

    def _fault(self, name: str) -> Reply:
        first = self.paths().count(f"/{name}") == 1
        html = {"Content-Type": "text/html; charset=utf-8"}
        json = {"Content-Type": "application/json"}
        faults = {
            "ok": Reply(),
            "slow": Reply(before=lambda: self.stopped.wait(30)),
            "drop": Reply(before=lambda: True),
            "drop-once": Reply(before=lambda: first),
            "partial": Reply(body=b"x" * 100, length=1000),
            "wrong-length": Reply(body=b"x" * 100, length=50),
            "flaky": Reply(500) if first else Reply(),
            "error": Reply(500, b"<h1>Internal error</h1>", html),
            "busy": Reply(429, headers={"Retry-After": "7"}) if first else Reply(),
            "login": Reply(302, b"", {"Location": "/login/?next=/file.pdf"}),
            "away": Reply(302, b"", {"Location": self.elsewhere}),
            "html": Reply(body=b"<!doctype html><p>Log in</p>", headers=html),
            "endless": Reply(body=self._endless(b"x" * 4096), length=-1),
            "drip": Reply(body=self._endless(b"x", pause_s=0.005), length=-1),
            "challenge": Reply(
                403, b"<title>Just a moment</title>", {**html, "Server": "cloudflare"}
            ),
            "mitigated": Reply(200, b"{}", {**json, "cf-mitigated": "challenge"}),
            "not-gzip": Reply(body=b"plain", headers={"Content-Encoding": "gzip"}),
            "unauthorized": Reply(401, b'{"error": "invalid_token"}', json),
            "forbidden": Reply(403, b"<h1>Forbidden</h1>", html),
        }
        return faults.get(name, Reply(404, b"nothing here"))

    def _endless(self, piece: bytes, *, pause_s: float = 0) -> Iterator[bytes]:
        while not self.stopped.wait(pause_s):
            yield piece


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # several connections at once are no fault


def _handler(server: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query))
            request = Request(parts.path, query, headers, body)
            server.requests.append(request)
            reply = server.reply(request)
            if reply.before():
                return
            try:
                self._send(reply)
            except OSError:
                pass  # the client hung up

        def _send(self, reply: Reply) -> None:
            pieces = [reply.body] if isinstance(reply.body, bytes) else reply.body
            size = len(reply.body) if isinstance(reply.body, bytes) else -1
            size = size if reply.length is None else reply.length
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if size >= 0:
                self.send_header("Content-Length", str(size))
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler
