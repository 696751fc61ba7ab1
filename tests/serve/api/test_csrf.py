"""Requests that change something: only from our own pages, or with an API token."""

from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.serve.api.csrf import FIELD, make_token
from tests.serve.api.world import QUESTION, World, serving

ASK: dict[str, Any] = {"json": {"question": QUESTION}}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": "Ω"},
        {"X-CSRF-Token": make_token("another cookie")},
        {"X-CSRF-Token": make_token("")},
    ],
)
def test_a_cookie_alone_changes_nothing(world: World, headers: dict[str, str]) -> None:
    sent = {k: v.encode() for k, v in headers.items()}
    response = world.call("POST", "/api/v1/ask", **ASK, headers=sent)
    assert (response.status_code, response.json()["code"]) == (403, "cross_site")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({}, 200),
    ],
)
def test_another_site_is_refused_whatever_it_knows(
    world: World, headers: dict[str, str], status: int
) -> None:
    for who in ("reader", "token: ask"):
        sent = {**headers, **world.csrf(who)} if who == "reader" else headers
        response = world.call("POST", "/api/v1/ask", who, **ASK, headers=sent)
        assert response.status_code == status


def test_the_token_in_a_form(world: World) -> None:
    token = world.csrf("reader")["X-CSRF-Token"]
    form = {"question": QUESTION, FIELD: token}
    assert world.call("POST", "/", data=form).status_code == 200
    assert world.call("POST", "/", data={"question": QUESTION}).status_code == 403
    sent = {"X-CSRF-Token": token}
    assert world.call("POST", "/", json=form, headers=sent).status_code == 415
    # In an address it would be in logs and histories, so it counts for nothing there.
    path = f"/?{FIELD}={token}"
    assert world.call("POST", path, data={"question": QUESTION}).status_code == 403


def test_a_token_of_one_person_is_worth_nothing_to_another(world: World) -> None:
    sent = world.csrf("operator")
    assert world.call("POST", "/logout", "reader", headers=sent).status_code == 403


def test_a_form_before_the_login_gives_no_token_for_a_session(world: World) -> None:
    tossed = f"{world.headers['reader']['Cookie']}; dunegpt-form=abc"
    sent = {"Cookie": tossed, "X-CSRF-Token": make_token("abc")}
    assert world.call("POST", "/logout", "nobody", headers=sent).status_code == 403


def test_a_login_needs_the_token_of_its_form(world: World) -> None:
    form = {"name": "ada", "password": world.password}
    assert world.call("POST", "/login", "nobody", data=form).status_code == 403
    foreign = world.form_headers() | {"Cookie": "dunegpt-form=another"}
    refused = world.call("POST", "/login", "nobody", data=form, headers=foreign)
    assert refused.status_code == 403
    own = world.form_headers()
    accepted = world.call("POST", "/login", "nobody", data=form, headers=own)
    assert accepted.status_code == 303


def test_an_authorization_header_never_falls_back_to_the_cookie(world: World) -> None:
    for value in ("Bearer wrong", "Basic YTpi", "Bearer", ""):
        headers = {"Authorization": value}
        response = world.call("GET", "/api/v1/status", "reader", headers=headers)
        assert response.json()["code"] == "invalid_token"


def test_the_public_address_is_an_origin_of_ours(indexed: Settings) -> None:
    with serving(indexed, url="https://gpt.test") as world:
        cookie = world.headers["reader"]["Cookie"].partition("=")[2]
        headers = {
            "Cookie": f"__Host-dunegpt-session={cookie}",
            "X-CSRF-Token": make_token(cookie),
            "Origin": "https://gpt.test",
            "Host": "127.0.0.1:8000",
        }
        assert (
            world.call("POST", "/api/v1/ask", "nobody", **ASK, headers=headers)
        ).status_code == 200
