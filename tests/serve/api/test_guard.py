"""Deny by default: a route without an audience does not start."""

from collections.abc import Callable
from typing import cast

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from dunegpt.config import Settings
from dunegpt.serve.accounts.person import ANONYMOUS, Person, Role, Scope
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api.app import create_app
from dunegpt.serve.api.guard import (
    METRICS,
    OPERATORS,
    READERS,
    SIGNED_IN,
    Audience,
    UnguardedRouteError,
    check_person,
    readers_with,
)
from dunegpt.serve.api.problems import ProblemError
from tests.serve.api.memory_accounts import MemoryAccounts


async def endpoint() -> str:
    return "reached"


def add_plain(app: FastAPI) -> None:
    app.add_api_route("/plain", endpoint)


def add_included(app: FastAPI) -> None:
    router = APIRouter()
    router.add_api_route("/included", endpoint)
    app.include_router(router)


def add_mounted(app: FastAPI) -> None:
    app.mount("/mounted", Starlette())


def add_raw(app: FastAPI) -> None:
    app.router.routes.append(Route("/raw", endpoint))


def add_socket(app: FastAPI) -> None:
    app.add_api_websocket_route("/socket", endpoint)


@pytest.mark.parametrize(
    "add", [add_plain, add_included, add_mounted, add_raw, add_socket]
)
def test_a_route_without_an_audience_does_not_start(
    add: Callable[[FastAPI], None], settings: Settings
) -> None:
    app = create_app(
        settings, open_accounts=lambda _: cast(AccountStore, MemoryAccounts())
    )
    add(app)
    with pytest.raises(UnguardedRouteError), TestClient(app):
        pass


SEARCH_TOKEN = Person(scopes=frozenset({Scope.SEARCH}), kind="token", account_id=1)
OPERATOR = Person(
    role=Role.OPERATOR,
    scopes=frozenset({Scope.OPERATE}),
    kind="local",
    account_id=1,
    session_id="s",
)


@pytest.mark.parametrize(
    ("person", "audience", "anonymous", "code"),
    [
        (ANONYMOUS, READERS, True, ""),
        (ANONYMOUS, READERS, False, "not_signed_in"),
        (ANONYMOUS, SIGNED_IN, True, "not_signed_in"),
        (ANONYMOUS, OPERATORS, True, "not_signed_in"),
        (ANONYMOUS, METRICS, True, "not_signed_in"),
        (SEARCH_TOKEN, readers_with(Scope.SEARCH), False, ""),
        (SEARCH_TOKEN, readers_with(Scope.ASK), True, "forbidden"),
        (SEARCH_TOKEN, SIGNED_IN, True, "forbidden"),
        (SEARCH_TOKEN, OPERATORS, True, "forbidden"),
        (OPERATOR, OPERATORS, False, ""),
    ],
)
def test_audiences(
    person: Person, audience: Audience, anonymous: bool, code: str
) -> None:
    if not code:
        check_person(person, audience, anonymous=anonymous)
        return
    with pytest.raises(ProblemError) as caught:
        check_person(person, audience, anonymous=anonymous)
    assert caught.value.code == code
