"""Bodies that are too large or too slow."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dunegpt.serve.api.limits import SizeLimits
from dunegpt.serve.api.problems import ProblemError
from dunegpt.server_settings import ServerSettings
from tests.serve.api.world import World


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": str(1 << 20)}, b"{}"),
        ({"Content-Length": "-1"}, b"{}"),
        ({"Content-Length": "many"}, b"{}"),
        ({}, b"x" * (1 << 20)),
    ],
)
def test_a_large_body(world: World, headers: dict[str, str], body: bytes) -> None:
    headers = headers | world.csrf("reader")
    response = world.call("POST", "/api/v1/ask", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/healthz", {"X-Long": "x" * 20_000}),
        ("/healthz", {f"X-{n}": "x" * 100 for n in range(200)}),
        ("/healthz?" + "x" * 20_000, {}),
    ],
)
def test_a_large_head(world: World, path: str, headers: dict[str, str]) -> None:
    response = world.call("GET", path, "nobody", headers=headers)
    assert (response.status_code, response.json()["code"]) == (431, "head_too_large")


def test_a_body_of_two_lengths(world: World) -> None:
    headers = {"Transfer-Encoding": "chunked", "Content-Length": "2"}
    headers |= world.csrf("reader")
    response = world.call("POST", "/api/v1/ask", content=b"{}", headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert response.headers["connection"] == "close"


def test_a_large_body_in_pieces(world: World) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 4096

    response = world.call(
        "POST", "/api/v1/ask", content=pieces(), headers=world.csrf("reader")
    )
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_a_body_that_stops_coming() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    async def receive() -> Any:
        if pieces:
            return pieces.pop()
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    pieces = [{"type": "http.request", "body": b"x", "more_body": True}]
    limits = SizeLimits(app, ServerSettings(body_timeout_s=0.05))
    scope = {"type": "http", "headers": [], "path": "/", "query_string": b""}
    with pytest.raises(ProblemError) as caught:
        asyncio.run(limits(scope, receive, send))
    assert caught.value.code == "request_timeout"


def test_a_body_that_comes_drop_by_drop() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    limits = SizeLimits(app, ServerSettings(request_timeout_s=0.1))
    scope = {"type": "http", "headers": [], "path": "/", "query_string": b""}
    with pytest.raises(ProblemError) as caught:
        asyncio.run(limits(scope, receive, send))
    assert caught.value.code == "request_timeout"
