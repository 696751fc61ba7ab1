"""The pages, as a browser without JavaScript sees them."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from dunegpt.config import EmbedSettings, Settings
from dunegpt.serve.api.csrf import FIELD
from tests.serve.api.world import (
    FACT,
    HIDDEN,
    OPEN,
    QUESTION,
    World,
    make_index,
    serving,
)

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> Iterator[World]:
    """Give a running app with pages."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("pages") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    make_index(settings)
    with serving(settings) as world:
        yield world


def token_of(page: str) -> str:
    found = re.search(rf'name="{FIELD}" value="(\w+)"', page)
    assert found
    return found[1]


def test_from_login_to_an_answer_and_out(web: World) -> None:
    """Follow the forms of the pages, with the cookies that they set."""
    browser = web.client
    browser.cookies.clear()
    start = browser.get("/view/n:FLD-1:1?page=1", headers=HTML)
    assert start.url.path == "/login"
    form = {FIELD: token_of(start.text), "next": "/view/n:FLD-1:1?page=1"}
    wrong = browser.post("/login", data={**form, "name": "ada", "password": "no"})
    assert wrong.status_code == 401
    assert "Name or password are wrong." in wrong.text
    shown = browser.post(
        "/login", data={**form, "name": "ada", "password": web.password}
    )
    assert (shown.status_code, shown.url.path) == (200, "/view/n:FLD-1:1")
    assert FACT in shown.text
    ask = browser.get("/")
    asked = browser.post("/", data={FIELD: token_of(ask.text), "question": QUESTION})
    assert FACT in asked.text
    assert 'href="#reference-1"' in asked.text
    assert f"https://notes.test/{OPEN.replace(':', '/')}" in asked.text
    out = browser.post("/logout", data={FIELD: token_of(asked.text)})
    assert "You have signed out." in out.text
    assert out.history[0].headers["clear-site-data"] == '"cache", "storage"'
    assert browser.get("/", headers=HTML).url.path == "/login"
    browser.cookies.clear()


def test_the_session_changes_at_a_login(web: World) -> None:
    cookie = web.headers["reader"]["Cookie"]
    headers = {
        "Cookie": f"dunegpt-form=abc; {cookie}",
        "X-CSRF-Token": web.form_headers()["X-CSRF-Token"],
    }
    form = {"name": "ada", "password": web.password}
    new = web.call("POST", "/login", "nobody", data=form, headers=headers)
    assert cookie not in new.headers["set-cookie"]
    assert web.call("GET", "/api/v1/status", "reader").status_code == 401
    web.renew()


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test/",
        "\\\\evil.test",
        "/\t/evil.test/",
        "javascript:alert(1)",
        "evil",
        "",
        " /account",
        "/view/../../other",
        "/view/%2e%2e/%2e%2e/other",
        "/" + "x" * 5000,
    ],
)
def test_a_login_leads_nowhere_else(web: World, wanted: str) -> None:
    form = {"name": "ada", "password": web.password, "next": wanted}
    headers = web.form_headers()
    response = web.call("POST", "/login", "nobody", data=form, headers=headers)
    assert (response.status_code, response.headers["location"]) == (303, "/")


@pytest.mark.parametrize("path", ["/view/n:a%20%C3%A9.pdf?page=1", "/view/n:a%3Fb"])
def test_a_login_leads_back_to_any_document(web: World, path: str) -> None:
    web.client.cookies.clear()
    asked = web.call("GET", path, "nobody", headers=HTML)
    login = web.call("GET", asked.headers["location"], "nobody")
    form = {
        "name": "ada",
        "password": web.password,
        "next": unescape(login.text.partition('name="next" value="')[2].split('"')[0]),
    }
    headers = web.form_headers()
    response = web.call("POST", "/login", "nobody", data=form, headers=headers)
    assert response.headers["location"] == path


def test_a_login_can_be_refused_for_a_while(web: World) -> None:
    form = {"name": "throttled", "password": "x"}
    headers = web.form_headers()
    response = web.call("POST", "/login", "nobody", data=form, headers=headers)
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


def test_what_people_type_is_escaped(web: World) -> None:
    evil = '"><script>alert(1)</script>'
    headers = HTML | web.csrf("reader")
    pages = [
        web.call("POST", "/", data={"question": evil}, headers=headers),
        web.call("GET", f"/login?next={evil}", "nobody"),
        web.call("GET", f"/view/{evil}", headers=HTML),
    ]
    for page in pages:
        assert "<script" not in page.text


def test_a_question_that_cannot_be_asked(web: World) -> None:
    headers = web.csrf("reader")
    page = web.call("POST", "/", data={"question": " "}, headers=headers)
    assert page.status_code == 422
    assert 'role="alert"' in page.text


def test_who_need_not_sign_in_still_can(web: World) -> None:
    with serving(web.app.state.services.settings, anonymous=True) as world:
        page = world.call("GET", "/", "nobody")
        assert '<a href="/login">Sign in</a>' in page.text
        assert "Sign in</a>" not in world.call("GET", "/").text


def test_not_in_the_documents(web: World) -> None:
    headers = web.csrf("operator")
    question = "What pressure does the quokka valve hold?"
    page = web.call(
        "POST", "/", "operator", data={"question": question}, headers=headers
    )
    assert "Not in the documents" in page.text


def test_the_account_ends_other_sessions_only(web: World) -> None:
    web.renew()
    other = web.accounts.add_session("ada")
    own = web.csrf("reader")
    page = web.call("GET", "/account")
    assert "notes:team" in page.text
    [path] = set(re.findall(r'action="(/account/sessions/\w+/revoke)"', page.text))
    foreign = web.call("POST", path, "operator", headers=web.csrf("operator"))
    assert foreign.status_code == 404
    assert web.call("POST", path, headers=own).status_code == 303
    assert other not in web.accounts.persons
    web.accounts.add_session("ada")
    ended = web.call("POST", "/account/sessions/revoke-others", headers=own)
    assert ended.status_code == 303
    assert "/revoke" not in web.call("GET", "/account").text.replace(
        "revoke-others", ""
    )


def test_a_document_that_is_hidden(web: World) -> None:
    page = web.call("GET", f"/view/{HIDDEN}", "operator", headers=HTML)
    assert page.status_code == 404
    assert "not_found" in page.text
    assert web.call("GET", f"/view/{HIDDEN}", headers=HTML).status_code == 200
