"""Differential access test: a hidden document changes nothing on any route.

Two servers differ in one document that a reader may not open. Every route gives the
same status, body and size in both, but for the third digit of scores ("What hidden
text can move" in docs/security.md), and a hidden name is answered as an unknown one.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import EmbedSettings, Settings
from dunegpt.serve.api.guard import GuardedMount, walk_routes
from tests.serve.api.world import HIDDEN, QUESTION, World, make_index, serving

OUTSIDERS = ("reader of another group", "operator", "token: search", "token: ask")
NAMES = (HIDDEN, "n:SEC-3", "SEC-3", "Note SEC", "https://notes.test/n/SEC-3/1")
QUESTIONS = (QUESTION, "What pressure does the quokka valve hold?", *NAMES)
LIMITS = {"questions_per_minute": 10_000, "searches_per_minute": 10_000}


@pytest.fixture(scope="module")
def worlds(
    indexed: Settings, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> Iterator[tuple[World, World]]:
    """Give a server with the hidden note, and one without."""
    without = Settings(
        data_dir=tmp_path_factory.mktemp("without") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    make_index(without, left_out=HIDDEN)
    with ExitStack() as stack:
        yield (
            stack.enter_context(serving(indexed, **LIMITS)),
            stack.enter_context(serving(without, **LIMITS)),
        )


def list_requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield requests to every route that a reader can call, about the hidden note."""
    for name in NAMES:
        for query in ("", "?page=1", "?page=7"):
            yield "GET", f"/api/v1/documents/{name}{query}", {}
            yield "GET", f"/view/{name}{query}", {}
    for question in QUESTIONS:
        for more in ({}, {"filters": {"documents": [HIDDEN]}}, {"k": 50}):
            yield "POST", "/api/v1/ask", {"json": {"question": question, **more}}
        yield "GET", f"/api/v1/search?q={question}", {}
        yield "GET", f"/api/v1/search?q={question}&documents={HIDDEN}", {}
        yield "POST", "/", {"data": {"question": question}}
    for path in ("/", "/account", "/login", "/metrics", "/healthz", "/readyz"):
        yield "GET", path, {}
    for path in ("/api/v1/status", "/api/v1/openapi.json", "/static/style.css"):
        yield "GET", path, {}
    yield "POST", "/login", {}
    for path in ("/login/{provider}", "/login/{provider}/callback"):
        yield "GET", path, {}
    yield "POST", "/login/{provider}/backchannel-logout", {}
    yield "POST", "/logout", {}
    yield "POST", "/account/sessions/unknown/revoke", {}
    yield "POST", "/account/sessions/revoke-others", {}


def strip(text: str, world: World) -> str:
    """Return a body without what differs by chance, or names the index as a whole."""
    text = text.replace(world.app.state.services.index.snapshot, "SNAPSHOT")
    text = re.sub(r'"created_at":"[^"]*"', '"created_at":""', text)
    text = re.sub(r'"(score|probability)":[\d.]+', r'"\1":0', text)
    text = re.sub(r'"receipt":"\w{10}"', '"receipt":"0123456789"', text)
    return re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{16}\b", "ID", text)


@pytest.mark.parametrize(
    "who",
    [
        OUTSIDERS[0],
        *(pytest.param(who, marks=pytest.mark.slow) for who in OUTSIDERS[1:]),
    ],
)
def test_no_route_tells_of_a_hidden_document(
    worlds: tuple[World, World], who: str
) -> None:
    differences = []
    for method, path, more in list_requests():
        if path == "/metrics" and who == "operator":
            continue  # counts what was asked, and how long that took
        found = []
        for world in worlds:
            world.renew()
            headers = world.csrf(who)
            response = world.call(method, path, who, headers=headers, **more)
            assert "quokka valve" not in response.text.replace(
                "What pressure does the quokka valve hold?", ""
            )
            found.append((response.status_code, strip(response.text, world)))
        if found[0] != found[1]:
            differences.append((who, method, path, more, found))
    assert not differences, differences[0]


def test_hidden_and_unknown_names_are_alike(worlds: tuple[World, World]) -> None:
    world, _ = worlds
    for path in ("/api/v1/documents/{}", "/api/v1/documents/{}?page=1", "/view/{}"):
        for who in OUTSIDERS[:3]:
            hidden = world.call("GET", path.format(HIDDEN), who)
            unknown = world.call("GET", path.format("n:XYZ-9:1"), who)
            assert hidden.status_code == unknown.status_code == 404
            assert strip(hidden.text, world) == strip(unknown.text, world)
            assert len(hidden.content) == len(unknown.content)
            assert hidden.headers.keys() == unknown.headers.keys()


def test_every_route_is_asked(worlds: tuple[World, World]) -> None:
    asked = {
        re.sub(r"\?.*", "", path).replace("unknown", "{session_id}")
        for _, path, _ in list_requests()
    }
    for route in walk_routes(worlds[0].app.routes):
        path = getattr(route, "path", "")
        if isinstance(route, GuardedMount) or ":path}" in path:
            assert any(each.startswith(path.partition("{")[0]) for each in asked)
        else:
            assert path in asked
