"""A server with login providers, and browsers that sign in there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from dunegpt.config import PrincipalRule, Settings
from dunegpt.login_settings import OIDCSettings
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api.csrf import HEADER, make_token
from dunegpt.server_settings import ServerSettings
from dunegpt.web.app import create_web_app
from simulators.oidc.issuer import Issuer
from tests.serve.accounts.opened import open_store

URL = "https://gpt.example.org/app"
MEMBER = "docdb:LARCH"
PAGE = {"Accept": "text/html"}
SESSION, ATTEMPT = "__Host-dunegpt-session", "__Host-dunegpt-login"


@dataclass
class Browser:
    """A browser with its cookies; follows no redirects."""

    client: TestClient

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(f"/app{path}", follow_redirects=False, **more)

    def begin(self, provider: str = "lab", **query: str) -> Any:
        return self.get(f"/login/{provider}", params=query, headers=PAGE)

    def come_back(self, answer: dict[str, str], provider: str = "lab") -> Any:
        return self.get(f"/login/{provider}/callback", params=answer, headers=PAGE)

    def sign_in(
        self, issuer: Issuer, who: str = "ann", provider: str = "lab", **query: str
    ) -> Any:
        """Return the response to a whole login."""
        url = self.begin(provider, **query).headers["location"]
        return self.come_back(issuer.authorize(url, who), provider)

    def describe(self) -> dict[str, Any] | None:
        """Return who the server says this is; None if nobody."""
        response = self.get("/api/v1/status")
        if response.status_code == 401:
            return None
        assert response.status_code == 200, response.text
        person: dict[str, Any] = response.json()["person"]
        return person

    def principals(self) -> set[str]:
        person = self.describe()
        assert person is not None
        return set(person["principals"])

    def sign_out(self) -> Any:
        token = make_token(self.client.cookies[SESSION])
        return self.client.post(
            "/app/logout", headers=PAGE | {HEADER: token}, follow_redirects=False
        )


@dataclass
class Served:
    """A running server."""

    app: FastAPI

    @property
    def accounts(self) -> AccountStore:
        found: AccountStore = self.app.state.services.accounts
        return found

    def open_browser(self) -> Browser:
        return Browser(
            TestClient(self.app, "https://gpt.example.org", client=("192.0.2.1", 5000))
        )

    def notify(self, token: Any, provider: str = "lab") -> int:
        """Return the status of a logout notice."""
        client = self.open_browser().client
        path = f"/app/login/{provider}/backchannel-logout"
        response = client.post(path, data={"logout_token": token} if token else {})
        assert response.headers["cache-control"] == "no-store"
        return int(response.status_code)


def make_settings(settings: Settings, issuer: Issuer, **more: Any) -> Settings:
    """Return settings with a provider, and a rule for its members."""
    others = more.pop("others", {})
    table = {"issuer": issuer.url, "client_id": "gpt", "label": "The Lab"} | more
    secret = settings.data / "secret"
    secret.write_text("client-secret")
    secret.chmod(0o600)
    table["client_secret_file"] = str(secret)
    providers = {"lab": OIDCSettings(**table)}
    for name, other in others.items():
        providers[name] = OIDCSettings(**(table | {"issuer": other.url}))
    rule = PrincipalRule(
        claim="groups", value="larch-members", issuer=issuer.url, principals=(MEMBER,)
    )
    server = ServerSettings(url=URL, oidc=providers)
    access = settings.access.model_copy(update={"people": (rule,)})
    return settings.model_copy(update={"server": server, "access": access})


def read_clock() -> float:
    """Return the time as tests have moved it."""
    return time.time()


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """Give a server of these settings."""
    app = create_web_app(settings, open_accounts=open_store)
    with TestClient(app, "https://gpt.example.org"):
        for provider in app.state.services.logins.providers:
            provider._clock = read_clock
        yield Served(app)
