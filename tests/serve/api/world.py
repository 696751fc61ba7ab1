"""A server in the test's process, on a small index with a public and a hidden note."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI
from starlette.testclient import TestClient

from dunegpt.access import PUBLIC
from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.serve.accounts.person import Role, Scope
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api.csrf import HEADER, make_token
from dunegpt.server_settings import ServerSettings
from dunegpt.web.app import create_web_app
from tests.index.corpus import document, fill, readers
from tests.serve.api.memory_accounts import PASSWORD, MemoryAccounts

TEAM = "notes:team"
QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
OPEN, HIDDEN = "n:FLD-1:1", "n:SEC-3:1"
NOTES = {
    OPEN: (readers(PUBLIC), f"It was a cold day in Lead. {FACT}"),
    "n:PUR-2:1": (readers(PUBLIC), "The purity monitors measure the lifetime hourly."),
    HIDDEN: (readers(TEAM), "The quokka valve of the far detector holds 180 bar."),
}


def make_index(settings: Settings, *, left_out: str = "") -> None:
    """Index the notes, but for one that is left out."""
    fill(
        settings,
        [
            (document(i, access=who, title=f"Note {i[2:5]}"), {"a.txt": [text]})
            for i, (who, text) in NOTES.items()
            if i != left_out
        ],
    )
    build(settings)


@dataclass
class World:
    """A running app, and who can call it.

    Attributes:
        headers: What each kind of person sends.
    """

    app: FastAPI
    client: TestClient
    accounts: MemoryAccounts
    headers: dict[str, dict[str, str]]

    password: str = PASSWORD

    def renew(self) -> None:
        """Give everybody a session again whose session was ended."""
        self.accounts.persons.clear()
        self.headers = make_headers(self.accounts)

    def csrf(self, who: str) -> dict[str, str]:
        """Return the header with the token of somebody's session, if they have one."""
        cookie = self.headers[who].get("Cookie", "")
        return {HEADER: make_token(cookie.partition("=")[2])} if cookie else {}

    def form_headers(self) -> dict[str, str]:
        """Return cookie and token of a form before the login."""
        return {"Cookie": "dunegpt-form=abc", HEADER: make_token("abc")}

    def call(self, method: str, path: str, who: str = "reader", **more: Any) -> Any:
        """Return the response to a request of somebody; redirects are not followed."""
        headers = self.headers[who] | more.pop("headers", {})
        return self.client.request(
            method, path, headers=headers, follow_redirects=False, **more
        )


@contextmanager
def serving(settings: Settings, **server: Any) -> Iterator[World]:
    """Give the app, with these settings of the server."""
    own = settings.model_copy(update={"server": ServerSettings(**server)})
    accounts = MemoryAccounts()

    def open_accounts(_: Settings) -> AccountStore:
        return cast(AccountStore, accounts)

    app = create_web_app(own, open_accounts=open_accounts)
    address = own.server.url or "http://127.0.0.1"
    with TestClient(
        app, address.removesuffix(own.server.base_path), client=("127.0.0.1", 50000)
    ) as client:
        services = app.state.services
        deadline = time.monotonic() + 20
        while services.index.reason == "starting" and time.monotonic() < deadline:
            time.sleep(0.005)
        yield World(app, client, accounts, make_headers(accounts))


def make_headers(accounts: MemoryAccounts) -> dict[str, dict[str, str]]:
    """Return what each kind of person sends with a request."""
    operate = accounts.add_token(Scope.OPERATE, role=Role.OPERATOR)
    tokens = {
        "token: search": accounts.add_token(Scope.SEARCH),
        "token: ask": accounts.add_token(Scope.ASK),
        "token: operate": operate,
        "token: operate of a reader": accounts.add_token(Scope.OPERATE),
        "token, not valid": "no-such-token",
    }
    sessions = {
        "reader": accounts.add_session("ada", TEAM),
        "reader of another group": accounts.add_session("bea", "notes:other"),
        "operator": accounts.add_session("olga", role=Role.OPERATOR),
        "session that has ended": "an-old-cookie",
    }
    return {
        "nobody": {},
        **{who: {"Cookie": f"dunegpt-session={s}"} for who, s in sessions.items()},
        **{who: {"Authorization": f"Bearer {t}"} for who, t in tokens.items()},
    }
