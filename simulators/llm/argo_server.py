"""A small fake of Argonne's LLM gateway Argo on loopback, with its two endpoints."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simulators.llm.loopback import QuietHandler, serve

KNOWN = {"gpt4o", "gpto1mini", "gpto3mini", "gpt5", "claudesonnet4", "gemini25pro"}


@dataclass
class FakeArgo:
    """A running gateway.

    Attributes:
        url: Base URL; ends in ``resource``, like the real one.
        reply: A text, or `hang`, `drop: TEXT`, `slow: TEXT`, `no response` or `html`.
        requests: (endpoint, body), in order.
    """

    url: str
    reply: str
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)


@contextmanager
def fake_argo(reply: str) -> Iterator[FakeArgo]:
    """Run a gateway whose models all give the same reply."""

    answering = FakeArgo("", reply)

    class Handler(_Handler):
        argo = answering

    with serve(Handler, answering.stopping) as port:
        answering.url = f"http://127.0.0.1:{port}/argoapi/api/v1/resource"
        yield answering


class _Handler(QuietHandler):
    argo: FakeArgo

    def do_POST(self) -> None:
        body = self.read_json()
        door = self.path.rstrip("/").rpartition("/")[2]
        self.argo.requests.append((door, body))
        self.close_connection = True
        if complaint := _complaint(body):
            self.send_whole(400, {"error": complaint})
        elif not body["user"].isalnum():
            self.send_whole(403, {"error": "who is that?"})
        elif self.argo.reply == "hang":
            self.argo.stopping.wait(60)
        elif self.argo.reply == "html":
            self.send_whole(200, "<html>Log in</html>", "text/html")
        elif door == "chat":
            key = "answer" if self.argo.reply == "no response" else "response"
            self.send_whole(200, {key: self.argo.reply})
        else:
            self._stream(self.argo.reply)

    def _stream(self, reply: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        if reply.startswith("drop"):
            self.send_header("Content-Length", "1000000")
        self.end_headers()
        content = reply.removeprefix("drop: ").removeprefix("slow: ").encode()
        try:
            for start in range(0, len(content), 5):  # splits multi-byte characters
                self.wfile.write(content[start : start + 5])
                self.wfile.flush()
                self.argo.stopping.wait(0.005)  # so that chunks arrive separately
            while reply.startswith("slow") and not self.argo.stopping.wait(0.02):
                self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.argo.left.set()


def _complaint(body: dict[str, Any]) -> str:
    """Return why the gateway or the model would reject a request, or ""."""
    model, roles = body["model"], [m["role"] for m in body["messages"]]
    if model not in KNOWN:
        return f"unknown model {model}"
    if model.startswith(("gpto", "gpt5")):
        if "temperature" in body or "max_tokens" in body:
            return "unsupported parameter"
        if model == "gpto1mini" and roles != ["user"]:
            return "unsupported role"
    elif "max_completion_tokens" in body or "top_p" in body:
        return "unsupported parameter"
    return "" if set(roles) <= {"system", "user", "assistant"} else "unknown role"
