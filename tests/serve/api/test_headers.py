"""Security headers stand on every response, whatever it is."""

import re
from pathlib import Path

import pytest

from dunegpt.serve.api.headers import HEADERS
from tests.serve.api.world import World

WEB = Path(__file__).resolve().parents[3] / "web"


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/static/style.css", "/nothing", "/healthz", "/api/v1/search"],
)
def test_every_response_has_them(world: World, path: str) -> None:
    response = world.call("GET", path, "nobody")
    for name, value in HEADERS.items():
        assert response.headers[name] == value
    assert "server" not in response.headers


def test_what_a_person_reads_is_not_stored(world: World) -> None:
    for path in ("/", "/account", "/api/v1/status"):
        assert world.call("GET", path).headers["cache-control"] == "no-store"


def test_nothing_on_a_page_is_inline() -> None:
    """The policy would stop it: scripts and styles in pages, or handlers."""
    for template in (WEB / "templates").glob("*.html"):
        text = template.read_text("utf-8")
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text)
        assert "|safe" not in text.replace(" ", "")


def test_cookies_cannot_be_read_by_scripts_or_sent_from_elsewhere(
    world: World,
) -> None:
    cookie = world.call("GET", "/login", "nobody").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
