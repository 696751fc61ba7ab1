"""What the fake model servers share: a server on loopback, and whole replies."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuietHandler(BaseHTTPRequestHandler):
    """Reads JSON and sends whole replies; logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def read_json(self) -> Any:
        """Return the body of a request."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def send_whole(
        self, status: int, content: Any, media_type: str = "application/json"
    ) -> None:
        """Send a text, or what else becomes JSON."""
        text = content if isinstance(content, str) else json.dumps(content)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(
    handler: type[BaseHTTPRequestHandler], stopping: threading.Event
) -> Iterator[int]:
    """Serve in a thread and give the port; at the end the event is set first."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
