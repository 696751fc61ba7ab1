"""A login is sent over HTTPS, or to this host alone: for every type of source."""

from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError, FetchError
from dunegpt.ingest.encryption import is_encrypted
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.registry import open_source

REMOTE = "http://docs.example.org"


def open_one(tmp_path: Path, **table: Any) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        config_dir=tmp_path,
        sources={"papers": SourceSettings(**table)},
    )
    open_source("papers", settings).close()


INDICO = {"type": "indico", "categories": [1], "principals": ["papers:member"]}
EDMS = {"type": "edms", "transport": "soap", "nodes": ["1"], "user": "me"}
OAUTH = {"client_id": "x", "client_secret_env": "SECRET", "audience": "a"}
ELOG = {"type": "elog", "access": ["papers:shift"]}
DOOR = {"group": "DUNE", "user": "me", "password_env": "SECRET"}
GIT = {"type": "git", "access": ["public"]}
WITH_LOGIN: dict[str, dict[str, Any]] = {
    "indico": {**INDICO, "url": REMOTE, "token_env": "SECRET"},
    "indico audience": {
        **INDICO,
        "url": REMOTE,
        "audiences": [{"principals": ["papers:x"], "token_env": ["SECRET"]}],
    },
    "docdb basic": {
        "type": "docdb",
        "doors": [{"kind": "basic", "url": f"{REMOTE}/cgi-bin/private", **DOOR}],
    },
    "docdb cookie": {
        "type": "docdb",
        "url": "https://docs.example.org",
        "doors": [{"kind": "cookie", "url": REMOTE, "cookie_env": "SECRET"}],
    },
    "edms": {**EDMS, "url": REMOTE, "password_env": "SECRET"},
    "edms token": {**EDMS, **OAUTH, "token_url": f"{REMOTE}/token"},
    "elog token": {**ELOG, "url": REMOTE, "token_env": "SECRET"},
    "elog signed": {**ELOG, "url": REMOTE, "user": "me", "password_env": "SECRET"},
    "elog runs": {
        **ELOG,
        "url": "https://log.example.org",
        "runs_url": f"{REMOTE}/runs",
        "token_env": "SECRET",
    },
    "in the address": {**INDICO, "url": "http://me:pass@docs.example.org"},
}


@pytest.mark.parametrize("kind", WITH_LOGIN)
def test_a_login_is_not_sent_unencrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    with pytest.raises(ConfigError, match="unencrypted") as caught:
        open_one(tmp_path, **WITH_LOGIN[kind])
    assert "[sources.papers]" in str(caught.value)
    assert "https://" in caught.value.hint
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("url", [f"{REMOTE}/x.git", "http://127.0.0.1/x.git"])
def test_git_takes_no_plain_http_at_all(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="https, ssh or file"):
        open_one(tmp_path, **GIT, url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example.org",
        "http://127.0.0.1:8000",
        "http://[::1]/",
        "http://localhost",
    ],
)
def test_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    open_one(tmp_path, **INDICO, url=url, token_env="SECRET")


def test_what_is_public_needs_no_encryption(tmp_path: Path) -> None:
    open_one(tmp_path, type="docdb", url=REMOTE)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.3.2.1", True),
        ("http://LOCALHOST.:80", True),
        ("http://indico.localhost", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("HTTP://example.org", False),
        ("https://example.org", True),
    ],
)
def test_addresses(url: str, expected: bool) -> None:
    assert is_encrypted(url) is expected


@pytest.mark.parametrize(
    "headers", [{"Authorization": "x"}, {"cookie": "a=b"}, {"X-Signature": "x"}]
)
def test_no_request_sends_a_login_unencrypted(headers: dict[str, str]) -> None:
    """Whatever made the address: a list, a redirect, a mistake of ours."""
    client = PoliteClient(REMOTE)
    with pytest.raises(ConfigError, match="unencrypted"):
        client.get("/list", headers=headers)
    with pytest.raises(ConfigError, match="unencrypted"):
        list(client.stream(f"{REMOTE}/file", max_bytes=1, headers=headers))
    assert client.requests == 0
    client.close()


def test_a_file_is_not_fetched_over_http_from_a_site_with_https() -> None:
    client = PoliteClient("https://docs.example.org")
    with pytest.raises(FetchError, match="no token is sent"):
        list(client.stream(f"{REMOTE}/file", max_bytes=1, token="s3cret"))
    assert client.requests == 0
    client.close()
