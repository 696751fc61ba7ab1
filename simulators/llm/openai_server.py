"""A small fake of an OpenAI-compatible server on loopback, with scripted replies.

Each reply is a text, which is streamed in chunks, or a named fault: alone (`empty`), or
with the text sent before it happens (`drop: The field is`). Requests are recorded.
Requests for log-probabilities come from a judge; they get the `verdict`, and are
recorded apart.
"""

import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simulators.llm.loopback import QuietHandler, serve

TOO_LONG = "This model's maximum context length is 2048 tokens; your prompt has 9000."
STATUSES = {
    "400": (400, "scripted 400"),
    "401": (401, "scripted 401"),
    "404": (404, "The model `fake` does not exist."),
    "429": (429, "scripted 429"),
    "500": (500, "scripted 500"),
    "503": (503, "scripted 503"),
    "long": (400, TOO_LONG),
}
_PIECE = 7
_BEGUN = ("cut", "drop", "no end", "stall", "slow", "tells", "held", "pings")
"""Faults with a text, which is sent first:

cut     then the generation ends at the token limit
drop    then the connection breaks
no end  then the stream ends without a final event
tells   then an error event follows
pings   then only keep-alive comments follow
stall   then nothing more follows
slow    is sent again and again, until the client disconnects
held    is sent once `released` is set
"""


@dataclass
class FakeModel:
    """A running server.

    Attributes:
        url: Base URL for ``[llm.*] base_url``.
        replies: Next replies; the last one is repeated.
        requests: Request bodies, in order, but those of a judge.
        verdict: What a judge is told: ``yes``, ``no``, another word, a probability of
            yes, or a fault of `STATUSES`.
        judged: Request bodies of a judge.
        keys: Authorization header of each request.
        left: Set when a client closes a stream before its end.
        released: Event that `held` waits for.
    """

    url: str
    replies: list[str]
    requests: list[dict[str, Any]] = field(default_factory=list)
    verdict: str = "yes"
    judged: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def sent(self) -> str:
        """All request bodies as one JSON text."""
        return json.dumps(self.requests, ensure_ascii=False)

    def next(self) -> str:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def fake_model(replies: Sequence[str]) -> Iterator[FakeModel]:
    """Run a server with these replies or faults."""

    answering = FakeModel("", list(replies))

    class Handler(_Handler):
        model = answering

    with serve(Handler, answering.stopping) as port:
        answering.url = f"http://127.0.0.1:{port}/v1"
        try:
            yield answering
        finally:
            answering.released.set()


class _Handler(QuietHandler):
    model: FakeModel

    def do_GET(self) -> None:
        self.send_whole(
            200, {"data": [{"id": "fake", "max_model_len": 8192}, {"id": "another"}]}
        )

    def do_POST(self) -> None:
        body = self.read_json()
        if body.get("logprobs"):
            self._judge(body)
            return
        self.model.paths.append(self.path)
        self.model.keys.append(self.headers.get("Authorization", ""))
        self.model.requests.append(body)
        reply = self.model.next()
        if reply in STATUSES:
            status, message = STATUSES[reply]
            self.send_whole(status, {"error": {"message": message}})
        elif reply == "html":
            self.send_whole(200, "<html>Please log in</html>", "text/html")
        elif reply == "hang":
            self.model.stopping.wait(60)
        elif body.get("stream"):
            try:
                self._stream(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.model.left.set()
        else:
            self.send_whole(200, _completion(reply))
        self.close_connection = True

    def _judge(self, body: dict[str, Any]) -> None:
        """Answer a judge's request with the verdict, and its log-probabilities."""
        self.model.judged.append(body)
        verdict = self.model.verdict
        if verdict in STATUSES:
            status, message = STATUSES[verdict]
            self.send_whole(status, {"error": {"message": message}})
        else:
            shares = {
                "yes": {"Yes": 0.98, " no": 0.01},
                "no": {"No": 0.97, "yes": 0.02},
            }
            own = shares.get(verdict, {verdict: 0.9})
            if verdict.startswith("0."):
                own = {"Yes": float(verdict), "No": 1 - float(verdict)}
            self.send_whole(200, _completion(next(iter(own)), own))
        self.close_connection = True

    def _stream(self, reply: str) -> None:
        name, colon, text = reply.partition(":")
        fault = name if colon and name in _BEGUN else ""
        text = text.lstrip() if fault else reply
        if fault == "held":
            self.model.released.wait(60)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if fault == "drop":
            self.send_header(
                "Content-Length", "1000000"
            )  # so that closing early is an error
        self.end_headers()
        if reply == "nonsense":
            self.wfile.write(b"data: {this is no JSON\n\n")
            return
        self._write("" if reply == "empty" else text)
        while fault == "slow" and not self.model.stopping.wait(0.02):
            self._write(text)
        while fault == "pings" and not self.model.stopping.wait(0.02):
            self.wfile.write(b": I live\n\n")
            self.wfile.flush()
        if fault == "stall":
            self.model.stopping.wait(60)
        elif fault == "tells":
            self._event({"error": {"message": "scripted", "code": 500}})
        elif fault in {"", "held", "cut"}:
            self._piece({}, "length" if fault == "cut" else "stop")
            self.wfile.write(b"data: [DONE]\n\n")

    def _write(self, text: str) -> None:
        for start in range(0, len(text), _PIECE):
            self._piece({"content": text[start : start + _PIECE]}, None)

    def _piece(self, delta: dict[str, str], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self._event(
            {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "fake",
                "choices": [choice],
            }
        )

    def _event(self, content: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(content)}\n\n".encode())
        self.wfile.flush()


def _completion(text: str, shares: dict[str, float] | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if shares:
        top = [
            {"token": token, "logprob": math.log(share), "bytes": None}
            for token, share in shares.items()
        ]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [choice],
        "usage": {
            "prompt_tokens": 900,
            "completion_tokens": 1,
            "total_tokens": 901,
            "prompt_tokens_details": {"cached_tokens": 800},
        },
    }
