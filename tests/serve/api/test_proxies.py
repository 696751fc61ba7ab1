"""Forwarded headers, hosts and base paths: believed of named proxies only."""

import json
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.serve.api.proxies import is_served
from dunegpt.server_settings import ServerSettings
from tests.serve.api.world import World, serving

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def client_of(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])["client"]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        ([], "203.0.113.9", "127.0.0.1"),
        (["10.0.0.0/8"], "203.0.113.9", "127.0.0.1"),
        (["127.0.0.1"], "203.0.113.9", "203.0.113.9"),
        (["127.0.0.1"], "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (["127.0.0.1", "10.0.0.0/8"], "203.0.113.9, 10.1.1.1", "203.0.113.9"),
        (["127.0.0.1"], "203.0.113.9, nonsense", "127.0.0.1"),
        (["127.0.0.1"], "", "127.0.0.1"),
        (["127.0.0.1"], "::ffff:203.0.113.9", "::ffff:203.0.113.9"),
    ],
)
def test_client(
    indexed: Settings,
    capsys: pytest.CaptureFixture[str],
    proxies: list[str],
    forwarded: str,
    client: str,
) -> None:
    with serving(indexed, proxies=proxies) as world:
        headers = {"X-Forwarded-For": forwarded}
        world.call("GET", "/healthz", "nobody", headers=headers)
        assert client_of(capsys) == client


def test_tls_behind_a_proxy(indexed: Settings) -> None:
    with serving(indexed, proxies=["127.0.0.1"]) as world:
        page = world.call("GET", "/login", "nobody", headers=FORWARDED)
        assert "strict-transport-security" in page.headers
        assert page.headers["set-cookie"].startswith("__Host-dunegpt-form=")
        assert "Secure" in page.headers["set-cookie"]
    with serving(indexed) as world:
        page = world.call("GET", "/login", "nobody", headers=FORWARDED)
        assert "strict-transport-security" not in page.headers


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 401),
        ({"metrics_networks": ["127.0.0.0/8"]}, {}, 200),
        # A proxy that is not named would open them to the world.
        ({"metrics_networks": ["127.0.0.0/8"]}, FORWARDED, 401),
        ({"metrics_networks": ["127.0.0.0/8"]}, {"Forwarded": "for=1.2.3.4"}, 401),
        (
            {"metrics_networks": ["127.0.0.0/8"], "proxies": ["127.0.0.1"]},
            FORWARDED,
            401,
        ),
        (
            {"metrics_networks": ["127.0.0.0/8"], "proxies": ["127.0.0.1"]},
            {"X-Forwarded-For": "unknown"},
            401,
        ),
        (
            {"metrics_networks": ["203.0.113.0/24"], "proxies": ["127.0.0.1"]},
            FORWARDED,
            200,
        ),
        ({"metrics_networks": ["203.0.113.0/24"]}, FORWARDED, 401),
    ],
)
def test_metrics_by_network(
    indexed: Settings, settings: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    with serving(indexed, **settings) as world:
        response = world.call("GET", "/metrics", "nobody", headers=headers)
        assert response.status_code == status


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("gpt.test", True),
        ("GPT.test:443", True),
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("evil.test", False),
        ("gpt.test.evil.test", False),
        ("", False),
    ],
)
def test_hosts(host: str, served: bool) -> None:
    assert is_served(host, ServerSettings(url="https://gpt.test/x")) is served


def test_base_path(indexed: Settings) -> None:
    with serving(indexed, url="https://gpt.test/larch") as world:
        base = "/larch"
        assert world.call("GET", f"{base}/healthz", "nobody").status_code == 200
        assert world.call("GET", "/healthz", "nobody").status_code == 200
        assert world.call("GET", "/login", "nobody").status_code == 404
        assert world.call("GET", "/larchx/login", "nobody").status_code == 404
        start = world.call("GET", base, "nobody")
        assert (start.status_code, start.headers["location"]) == (307, f"{base}/")
        page = world.call("GET", f"{base}/login", "nobody")
        assert f'href="{base}/static/style.css"' in page.text
        assert world.call("GET", f"{base}/static/style.css", "nobody").is_success
        html = {"Accept": "text/html"}
        sent = world.call("GET", f"{base}/account", "nobody", headers=html)
        assert sent.headers["location"] == f"{base}/login?next=%2Flarch%2Faccount"


def test_another_host_gets_nothing(world: World) -> None:
    response = world.call("GET", "/login", "nobody", headers={"Host": "evil.test"})
    assert (response.status_code, response.json()["code"]) == (421, "wrong_host")
    assert "content-security-policy" in response.headers
