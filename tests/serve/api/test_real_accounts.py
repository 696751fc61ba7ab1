"""The server on a real database of accounts: what ends there, ends here at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from starlette.testclient import TestClient

from dunegpt.config import EmbedSettings, Settings
from dunegpt.serve.accounts.person import Role, Scope
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api.csrf import HEADER, make_token
from dunegpt.web.app import create_web_app
from tests.serve.accounts.opened import PASSWORD, quick_passwords

FORM = {"Cookie": "dunegpt-form=abc", HEADER: make_token("abc")}


@pytest.fixture
def accounts(tmp_path: Path, tiny_encoder: Path) -> Iterator[AccountStore]:
    settings = Settings(
        data_dir=tmp_path / "data", embed=EmbedSettings(model=str(tiny_encoder))
    )
    settings.paths.prepare()
    with AccountStore(settings, passwords=quick_passwords()) as opened:
        yield opened


@pytest.fixture
def client(accounts: AccountStore, tmp_path: Path) -> Iterator[TestClient]:
    """Give a client of a server without an index, on the same accounts."""
    app = create_web_app(
        Settings(data_dir=tmp_path / "data"), open_accounts=lambda _: accounts
    )
    with TestClient(app, "http://127.0.0.1", client=("127.0.0.1", 5000)) as client:
        yield client


def log_in(client: TestClient) -> dict[str, str]:
    """Return the cookie of a new session."""
    form = {"name": "ada", "password": PASSWORD}
    response = client.post("/login", data=form, headers=FORM, follow_redirects=False)
    assert response.status_code == 303
    client.cookies.clear()
    return {"Cookie": response.headers["set-cookie"].partition(";")[0]}


def status(client: TestClient, headers: dict[str, str]) -> int:
    return client.get("/api/v1/status", headers=headers).status_code


def test_a_disabled_account(accounts: AccountStore, client: TestClient) -> None:
    account = accounts.local.add("ada", PASSWORD)
    session = log_in(client)
    token = accounts.tokens.create(account.id, "t", scopes=[Scope.ASK]).secret
    bearer = {"Authorization": f"Bearer {token}"}
    assert status(client, session) == status(client, bearer) == 200
    accounts.directory.disable(account.id)
    assert status(client, session) == status(client, bearer) == 401
    form = {"name": "ada", "password": PASSWORD}
    assert client.post("/login", data=form, headers=FORM).status_code == 401
    accounts.directory.enable(account.id)
    assert status(client, session) == 401
    assert status(client, bearer) == 200


@pytest.mark.parametrize(("hours", "code"), [(11, 200), (13, 401)])
def test_an_idle_session(
    accounts: AccountStore, client: TestClient, hours: int, code: int
) -> None:
    accounts.local.add("ada", PASSWORD)
    with time_machine.travel("2026-03-01T08:00Z", tick=True) as clock:
        session = log_in(client)
        clock.shift(hours * 3600)
        assert status(client, session) == code


def test_a_role_holds_at_once(accounts: AccountStore, client: TestClient) -> None:
    account = accounts.local.add("ada", PASSWORD)
    session = log_in(client)
    assert client.get("/metrics", headers=session).status_code == 403
    accounts.directory.set_role(account.id, Role.OPERATOR)
    assert client.get("/metrics", headers=session).status_code == 200
    accounts.directory.set_role(account.id, Role.READER)
    assert client.get("/metrics", headers=session).status_code == 403


def test_sessions_that_a_person_ends(
    accounts: AccountStore, client: TestClient
) -> None:
    accounts.local.add("ada", PASSWORD)
    first, second = log_in(client), log_in(client)
    sent = second | {HEADER: make_token(second["Cookie"].partition("=")[2])}
    path = "/account/sessions/revoke-others"
    ended = client.post(path, headers=sent, follow_redirects=False)
    assert ended.status_code == 303
    assert (status(client, first), status(client, second)) == (401, 200)
    client.post("/logout", headers=sent, follow_redirects=False)
    assert status(client, second) == 401
