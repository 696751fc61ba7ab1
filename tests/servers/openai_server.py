"""A small fake of an OpenAI-compatible server on loopback, with scripted replies.

Each reply is a text, which is streamed in pieces, or a fault named for what it does.
What was sent is kept.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUSES = {"500": 500, "401": 401}
FAULTS = {*STATUSES, "hang", "drop", "empty", "nonsense", "html"}
_PIECE = 7


@dataclass
class FakeModel:
    """The server, while it runs.

    Attributes:
        url: For ``[llm.*] base_url``.
        replies: The next ones; the last is given again and again.
        requests: Bodies that came, in order.
    """

    url: str
    replies: list[str]
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def sent(self) -> str:
        """All text that the server ever saw."""
        return json.dumps(self.requests, ensure_ascii=False)

    def next(self) -> str:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def fake_model(replies: Sequence[str]) -> Iterator[FakeModel]:
    """Run a server that gives these replies; a name in `FAULTS` is that fault."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model = FakeModel(f"http://127.0.0.1:{server.server_port}/v1", list(replies))
    Handler.model = model
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield model
    finally:
        model.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    model: FakeModel

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.model.paths.append(self.path)
        self.model.requests.append(json.loads(body))
        reply = self.model.next()
        if reply in STATUSES:
            error = {"error": {"message": f"scripted {reply}"}}
            self._whole(STATUSES[reply], json.dumps(error), "application/json")
        elif reply == "html":
            self._whole(200, "<html>Please log in</html>", "text/html")
        elif reply == "hang":
            self.model.stopping.wait(60)
        else:
            self._stream(reply)
        self.close_connection = True

    def _whole(self, status: int, text: str, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self, reply: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if reply.startswith("drop"):
            self.send_header("Content-Length", "1000000")  # so that an end is a break
        self.end_headers()
        if reply == "nonsense":
            self.wfile.write(b"data: {this is no JSON\n\n")
            return
        drops, text = reply.startswith("drop"), reply.removeprefix("drop").lstrip(":")
        for start in range(0, 0 if reply == "empty" else len(text), _PIECE):
            self._event({"content": text[start : start + _PIECE]}, None)
        if not drops:
            self._event({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, delta: dict[str, str], finish: str | None) -> None:
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "fake",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()
