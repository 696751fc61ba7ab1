"""Every route, as every kind of person, against the table in docs/security.md."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.serve.api.guard import GuardedMount, GuardedRoute, walk_routes
from tests.serve.api.world import HIDDEN, QUESTION, World, serving

PAGE = Path(__file__).resolve().parents[3] / "docs" / "security.md"
PATHS = {
    "/api/v1/documents/{name}": f"/api/v1/documents/{HIDDEN}",
    "/view/{name}": f"/view/{HIDDEN}",
    "/account/sessions/{session_id}/revoke": "/account/sessions/unknown/revoke",
    "/static/{path}": "/static/style.css",
    "/api/v1/search": "/api/v1/search?q=quokka",
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/ask": {"json": {"question": QUESTION}},
    "POST /": {"data": {"question": QUESTION}},
}
ENDS_SESSIONS = {"POST /logout", "POST /account/sessions/revoke-others"}
"""Called last, and on a session of their own."""


@dataclass(frozen=True)
class Table:
    """The table: what each kind of person gets from each route."""

    people: list[str]
    cells: dict[str, dict[str, str]]


def read_table() -> Table:
    """Return the table of the page."""
    section = PAGE.read_text("utf-8").partition("## Routes by person")[2]
    rows = re.findall(r"^\|(.+)\|$", section.partition("\n## ")[0], re.MULTILINE)
    split = [[cell.strip() for cell in row.split("|")] for row in rows]
    people = split[0][1:]
    cells = {
        row[0].strip("`"): dict(zip(people, row[1:], strict=True)) for row in split[2:]
    }
    return Table(people, cells)


def list_routes(world: World) -> set[str]:
    """Return method and path of each route of the app, mounts included."""
    found = set()
    for route in walk_routes(world.app.routes):
        assert isinstance(route, GuardedRoute | GuardedMount), route
        path = route.path.replace(":path}", "}")
        if isinstance(route, GuardedMount):
            found.add(f"GET {path}/{{path}}")
        else:
            found |= {f"{method} {path}" for method in route.methods or ()}
    return found


def describe(response: Any) -> str:
    """Return what a response is in the table."""
    location = response.headers.get("location", "")
    if location == "/login" or location.startswith("/login?next="):
        return "login"
    if response.status_code in {401, 403, 404}:
        return str(response.status_code)
    assert response.status_code < 400, response.text
    return "yes"


def call(world: World, route: str, who: str) -> str:
    """Return what somebody gets from a route, as a page for pages."""
    method, path = route.split(" ")
    more = dict(BODIES.get(route, {}))
    headers = {} if path.startswith(("/api", "/metrics")) else {"Accept": "text/html"}
    if method == "POST":
        headers |= world.csrf(who)
    if route == "POST /login":
        more["data"] = {"name": "ada", "password": world.password}
        headers |= world.form_headers()
    address = PATHS.get(path, path)
    if route == "GET /login":
        headers |= {"Accept": "application/json"}
    return describe(world.call(method, address, who, headers=headers, **more))


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table()


def test_every_route_is_in_the_table(world: World, table: Table) -> None:
    assert list_routes(world) == set(table.cells)


def test_everybody_gets_what_the_table_says(indexed: Settings, table: Table) -> None:
    wrong = []
    limits = {"questions_per_minute": 10_000, "searches_per_minute": 10_000}
    for anonymous in (False, True):
        with serving(indexed, anonymous=anonymous, **limits) as world:
            for route, cells in table.cells.items():
                for column, expected in cells.items():
                    is_open = column == "nobody, `anonymous`"
                    if is_open != anonymous:
                        continue
                    who = "nobody" if is_open else column
                    if route in ENDS_SESSIONS:
                        world.renew()
                    got = call(world, route, who)
                    if got != expected:
                        wrong.append(f"{route} as {column}: {got}, not {expected}")
                    world.renew()
    assert not wrong, "\n".join(wrong)


def test_the_table_knows_all_people(world: World, table: Table) -> None:
    assert {*world.headers, "nobody, `anonymous`"} == set(table.people)
