"""Errors: stable codes, an id that the log has, and nothing of the inside."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.errors import DatabaseUnavailableError, IndexBrokenError
from dunegpt.serve.api.problems import PROBLEMS
from tests.serve.api.world import HIDDEN, QUESTION, World, serving

SECRET = "/srv/secret/path"


@pytest.fixture
def broken(indexed: Settings) -> Iterator[World]:
    """Give an app whose parts can be made to fail."""
    with serving(indexed) as world:
        yield world


@pytest.mark.parametrize(
    ("method", "path", "more", "code"),
    [
        ("GET", "/api/v1/nothing", {}, "not_found"),
        ("GET", "/nothing", {}, "not_found"),
        ("PUT", "/api/v1/search", {}, "method_not_allowed"),
        ("GET", "/api/v1/search", {}, "invalid_request"),
        ("GET", "/api/v1/search?q=x&k=0", {}, "invalid_request"),
        ("GET", "/api/v1/search?q=x&other=1", {}, "invalid_request"),
        ("GET", "/api/v1/search?q=", {}, "invalid_question"),
        ("GET", "/api/v1/search?q=after:nonsense", {}, "invalid_question"),
        ("GET", "/api/v1/documents/unknown", {}, "not_found"),
        ("GET", "/api/v1/documents/n:FLD-1?page=-1", {}, "invalid_request"),
        ("POST", "/api/v1/ask", {"content": b"{"}, "invalid_request"),
        ("POST", "/api/v1/ask", {"json": {"question": ""}}, "invalid_question"),
        (
            "POST",
            "/api/v1/ask",
            {"json": {"question": "x", "k": 99}},
            "invalid_request",
        ),
    ],
)
def test_problems(
    world: World, method: str, path: str, more: dict[str, Any], code: str
) -> None:
    more["headers"] = world.csrf("reader")
    response = world.call(method, path, **more)
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["status"]) == (code, response.status_code)
    assert response.status_code == PROBLEMS[code].status
    assert len(body["id"]) == 16


def test_values_of_a_request_are_not_repeated(world: World) -> None:
    response = world.call("GET", "/api/v1/search?q=x&k=nonsense")
    assert response.json()["errors"][0]["where"] == "query.k"
    assert "nonsense" not in response.text


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_unexpected_error_is_in_the_log_under_its_id(
    broken: World,
    accept: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken.accounts.fails["audit"] = ValueError(SECRET)
    monkeypatch.setattr(logging.getLogger("dunegpt"), "propagate", True)
    is_page = accept == "text/html"
    body: dict[str, Any] = {"data" if is_page else "json": {"question": QUESTION}}
    with caplog.at_level(logging.ERROR):
        response = broken.call(
            "POST",
            "/" if is_page else "/api/v1/ask",
            **body,
            headers={"Accept": accept, **broken.csrf("reader")},
        )
    assert response.status_code == 500
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["problem"] == "internal"
    assert line["id"] in response.text
    assert line["id"] in caplog.text
    assert SECRET in caplog.text


def test_nothing_is_shown_that_cannot_be_audited(broken: World) -> None:
    broken.accounts.fails["audit"] = DatabaseUnavailableError(f"{SECRET} is full")
    for path in ("/api/v1/search?q=drift+field", "/api/v1/documents/n:FLD-1"):
        response = broken.call("GET", path)
        assert response.status_code == 503
        assert response.json()["code"] == "storage_unavailable"
        assert SECRET not in response.text


def test_a_database_that_is_down_admits_nobody(broken: World) -> None:
    broken.accounts.fails["sessions"] = DatabaseUnavailableError("locked")
    response = broken.call("GET", "/api/v1/status")
    assert (response.status_code, response.headers["retry-after"]) == (503, "10")
    assert broken.call("GET", "/healthz").status_code == 200


def test_a_broken_index_is_no_news_of_the_host(
    broken: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise IndexBrokenError(f"{SECRET} is damaged")

    monkeypatch.setattr(broken.app.state.services.assistant, "searcher", fail)
    response = broken.call("GET", "/api/v1/search?q=drift")
    assert (response.status_code, response.json()["code"]) == (
        503,
        "search_unavailable",
    )
    asked = broken.call(
        "POST",
        "/api/v1/ask",
        json={"question": QUESTION},
        headers=broken.csrf("reader"),
    )
    assert SECRET not in response.text + asked.text


def test_pages_for_people_and_problems_for_programs(world: World) -> None:
    page = world.call(
        "GET", f"/view/{HIDDEN}", "operator", headers={"Accept": "text/html"}
    )
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    program = world.call("GET", f"/view/{HIDDEN}", "operator")
    assert program.json()["code"] == "not_found"
