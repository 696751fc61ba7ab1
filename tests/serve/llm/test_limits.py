"""A server that never ends: the limits hold at any pace of its bytes."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat

import pytest

from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm import client
from dunegpt.serve.llm.check import Element
from dunegpt.serve.llm.limits import TokenLimit
from dunegpt.serve.llm.messages import TRUNCATION_MARK

HELLO = [("user", "Hello?")]
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: "
EVENTS = HEAD + b"text/event-stream\r\n\r\n"
JSON = HEAD + b"application/json\r\n\r\n"
TEXT = HEAD + b"text/plain\r\n\r\n"


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    chunk = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "m",
        "choices": [choice],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


@contextmanager
def endless_server(head: bytes, tail: bytes, pause_s: float) -> Iterator[str]:
    """Serve one request: a beginning at once, then the same bytes for ever."""
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(head)
                    while not stopping.wait(pause_s):
                        connection.sendall(tail)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            stopping.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(20)
    assert not thread.is_alive()


def table(url: str, **more: object) -> LLMSettings:
    fields = {"base_url": url, "model": "m", "timeout_s": 1, "answer_timeout_s": 2}
    return LLMSettings.model_validate(fields | more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "tail", "setting"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", "timeout_s = 1"),
        (EVENTS, b":", "timeout_s = 1"),
        (EVENTS, b"\n", "timeout_s = 1"),
        (EVENTS + event("The field"), b": a comment\n\n", "timeout_s = 1"),
        (EVENTS + event("The field") + b'data: {"id": "', b"x", "timeout_s = 1"),
        (EVENTS, event("The field "), "answer_timeout_s = 2"),
        (EVENTS + event("The field"), event(""), "answer_timeout_s = 2"),
    ],
)
def test_a_stream_that_never_ends(head: bytes, tail: bytes, setting: str) -> None:
    with endless_server(head, tail, 0.2) as url, pytest.raises(ModelError) as caught:
        begun = time.monotonic()
        list(client.stream("fake", table(url), "", HELLO))
    assert time.monotonic() - begun < 10
    assert caught.value.fault in {ModelFault.SILENT, ModelFault.STALLED}
    assert f"[llm.fake] {setting}" in str(caught.value)


@pytest.mark.slow
def test_plain_text_that_never_ends() -> None:
    """Argo's answers are no events."""
    with endless_server(TEXT, b"word ", 0.1) as url, pytest.raises(ModelError) as error:
        argo = table(url, kind="argo", user="somebody")
        list(client.stream("fake", argo, "", HELLO))
    assert "answer_timeout_s = 2" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["models", "structured"])
def test_a_whole_answer_that_never_ends(call: str) -> None:
    with endless_server(JSON, b" ", 0.2) as url, pytest.raises(ModelError) as caught:
        if call == "models":
            client.list_models("fake", table(url), "")
        else:
            client.generate_structured("fake", table(url), "", HELLO, Element)
    assert "timeout_s = 1" in str(caught.value)


@pytest.mark.slow
def test_a_reader_who_takes_his_time_is_no_silence() -> None:
    with endless_server(EVENTS, event("word "), 0.1) as url:
        pieces = client.stream("fake", table(url, answer_timeout_s=20), "", HELLO)
        assert next(pieces)
        time.sleep(1.5)
        assert next(pieces)
        pieces.close()


@pytest.mark.parametrize("tail", [event("word "), event("wordsandmore"), event("\n")])
def test_a_server_that_ignores_the_number_of_tokens(tail: bytes) -> None:
    with endless_server(EVENTS, 50 * tail, 0.0) as url:
        mine = table(url, max_tokens=16, timeout_s=60, answer_timeout_s=60)
        text = "".join(client.stream("fake", mine, "", HELLO))
    assert text.endswith(TRUNCATION_MARK)
    assert len(text.split()) <= 17
    assert len(text) <= 16 * 32 + 2


@pytest.mark.slow
def test_an_event_without_an_end_is_not_held_in_memory() -> None:
    with endless_server(EVENTS, b"data: " + b"x" * 1_000_000, 0.0) as url:
        with pytest.raises(ModelError) as caught:
            mine = table(url, max_tokens=16, timeout_s=60, answer_timeout_s=60)
            list(client.stream("fake", mine, "", HELLO))
    assert caught.value.fault is ModelFault.BROKE_OFF
    assert "bytes" in str(caught.value)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_answer_within_the_limit_is_whole(size: int) -> None:
    answer = "The drift field of the far detector is 475 V/cm, in argon. "
    limit = TokenLimit(len(answer.split()))
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    assert "".join(map(limit.cut, pieces)) == answer
    assert not limit.is_exceeded
    assert limit.cut("more") == ""
    assert limit.is_exceeded


def test_a_stream_of_nothing_is_limited() -> None:
    limit = TokenLimit(16)
    for text in repeat("", 32 * 16):
        limit.cut(text)
    assert not limit.is_exceeded
    limit.cut("")
    assert limit.is_exceeded
