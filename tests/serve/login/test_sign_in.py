"""Signing in through a provider, at the routes of the server."""

import pytest

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.serve.login.next_path import get_local_path
from simulators.oidc.issuer import Issuer
from tests.serve.accounts.opened import PASSWORD
from tests.serve.login.served import (
    ATTEMPT,
    MEMBER,
    PAGE,
    SESSION,
    Served,
    make_settings,
    serving,
)
from tests.serve.login.world import PERSONS

DISCOVERY = "/.well-known/openid-configuration"


def test_a_login_starts_a_session_of_who_the_provider_vouches_for(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    assert browser.describe() is None
    page = browser.get("/login", params={"next": "/app/view/n:1"}, headers=PAGE)
    assert "Sign in with The Lab" in page.text
    assert 'href="/app/login/lab?next=%2Fapp%2Fview%2Fn%3A1"' in page.text
    done = browser.sign_in(issuer, next="/app/view/n:1")
    assert (done.status_code, done.headers["location"]) == (303, "/app/view/n:1")
    cookie = done.headers["set-cookie"]
    assert cookie.startswith(SESSION) and "HttpOnly" in cookie and "Secure" in cookie
    person = browser.describe()
    assert person and person["name"] == "Ann Li" and person["kind"] == "oidc"
    assert set(person["principals"]) == {"public", MEMBER}


def test_who_is_in_no_group_reads_what_is_public(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer, "bo")
    assert browser.principals() == {"public"}


def test_the_session_from_before_a_login_is_worth_nothing(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer, "bo")
    old = browser.client.cookies[SESSION]
    browser.sign_in(issuer, "ann")
    assert browser.client.cookies[SESSION] != old
    other = served.open_browser()
    other.client.cookies.set(SESSION, old)
    assert other.describe() is None


def test_an_answer_counts_only_in_the_browser_that_asked(
    served: Served, issuer: Issuer
) -> None:
    mine, theirs = served.open_browser(), served.open_browser()
    answer = issuer.authorize(mine.begin().headers["location"], "ann")
    theirs.begin()
    for browser in (theirs, served.open_browser()):
        refused = browser.come_back(answer)
        assert refused.status_code == 400 and SESSION not in browser.client.cookies
    assert mine.come_back(answer).status_code == 303
    assert mine.come_back(answer).status_code == 400  # replayed


def test_logins_in_two_tabs_do_not_disturb_each_other(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    urls = [browser.begin().headers["location"] for _ in range(2)]
    for url in urls:
        assert browser.come_back(issuer.authorize(url, "ann")).status_code == 303


@pytest.mark.parametrize(
    "change",
    [
        {"state": "unknown"},
        {"state": ""},
        {"code": "unknown"},
        {"code": ""},
        {"iss": "https://other.example.org"},
        {"error": "access_denied"},
    ],
)
def test_an_answer_that_is_not_right_starts_no_session(
    served: Served, issuer: Issuer, change: dict[str, str]
) -> None:
    browser = served.open_browser()
    answer = issuer.authorize(browser.begin().headers["location"], "ann")
    refused = browser.come_back(answer | change)
    assert refused.status_code == 400
    assert "The login did not succeed" in refused.text
    assert browser.describe() is None
    twice = f"/login/lab/callback?state={answer['state']}&code=a&code=b"
    assert browser.get(twice).status_code == 400


def test_an_attempt_ends_after_ten_minutes(served: Served, issuer: Issuer) -> None:
    time_machine = pytest.importorskip("time_machine")
    browser = served.open_browser()
    answer = issuer.authorize(browser.begin().headers["location"], "ann")
    with time_machine.travel(_minutes_ahead(11), tick=True):
        assert browser.come_back(answer).status_code == 400


def _minutes_ahead(minutes: float) -> float:
    import time  # noqa: PLC0415

    return time.time() + 60 * minutes


NOT_LOCAL = [
    "https://evil.example.org/",
    "//evil.example.org/",
    "/\\evil.example.org/",
    "\\/evil.example.org",
    "/app//evil\\..",
    "/\t/evil.example.org",
    "/app/\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "/other/",
    "/application",
    "/app/../other",
    "/app/%2e%2E/other",
    "/app/.%2e",
    "/app@evil.example.org",
    "app/",
    "/app/é",
    "/app/" + "x" * 2000,
    "",
]


@pytest.mark.parametrize("path", NOT_LOCAL)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert get_local_path(path, "/app") == "/app/"


def test_a_login_leads_to_pages_of_this_server(served: Served, issuer: Issuer) -> None:
    for path in ("/app/", "/app/view/n:1?page=2#p", "/app?x=https://a.example"):
        assert get_local_path(path, "/app") == path
    assert get_local_path("/view/a", "") == "/view/a"
    assert get_local_path("//a.example", "") == "/"
    done = served.open_browser().sign_in(issuer, next=NOT_LOCAL[0])
    assert done.headers["location"] == "/app/"


def test_the_address_to_return_to_comes_from_the_settings(served: Served) -> None:
    url = served.open_browser().begin().headers["location"]
    assert "redirect_uri=https%3A%2F%2Fgpt.example.org%2Fapp%2Flogin%2Flab" in url


def test_unknown_providers_and_closed_accounts_are_refused(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    for path in ("/login/other", "/login/other/callback", "/login/Lab"):
        assert browser.get(path).status_code == 404
    browser.sign_in(issuer)
    [account] = served.accounts.directory.list()
    served.accounts.directory.disable(account.id)
    assert browser.describe() is None
    assert browser.sign_in(issuer).status_code == 403
    assert browser.describe() is None


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/keys"])
def test_a_provider_that_is_down_stops_no_other_login(
    served: Served, issuer: Issuer, path: str
) -> None:
    served.accounts.local.add("Cleo", PASSWORD)
    issuer.faults[path] = "drop"
    browser = served.open_browser()
    response = browser.begin()
    if path != DISCOVERY:
        answer = issuer.authorize(response.headers["location"], "ann")
        response = browser.come_back(answer)
    assert response.status_code == 503
    assert "does not answer" in response.text
    assert browser.get("/login", headers=PAGE).status_code == 200
    account = served.accounts.local.log_in("Cleo", PASSWORD, address="192.0.2.9")
    assert account.name == "Cleo"


def test_two_providers_know_two_persons_even_by_the_same_names(
    base_settings: Settings, issuer: Issuer
) -> None:
    with Issuer({"ann": PERSONS["ann"]}) as other:
        settings = make_settings(base_settings, issuer, others={"site": other})
        with serving(settings) as served:
            at_lab, at_site = served.open_browser(), served.open_browser()
            at_lab.sign_in(issuer)
            at_site.sign_in(other, provider="site")
            assert len(served.accounts.directory.list()) == 2
            assert at_lab.principals() == {"public", MEMBER}
            assert at_site.principals() == {"public"}  # the rule names an issuer
            # An answer of one is none of the other.
            mixed = issuer.authorize(at_lab.begin().headers["location"], "ann")
            assert at_lab.come_back(mixed, "site").status_code == 400
            assert served.notify(issuer.make_logout_token(sub="ann"), "site") == 400
            other.faults[DISCOVERY] = "drop"
            assert at_lab.sign_in(issuer).status_code == 303


def test_an_address_links_no_accounts(served: Served, issuer: Issuer) -> None:
    issuer.persons["bo"] = PERSONS["ann"]
    ann, bo = served.open_browser(), served.open_browser()
    ann.sign_in(issuer)
    bo.sign_in(issuer, "bo")
    served.accounts.local.add("ann@example.org", PASSWORD)
    assert len(served.accounts.directory.list()) == 3


def test_few_logins_can_be_begun_from_an_address(served: Served) -> None:
    browser = served.open_browser()
    found = [browser.begin().status_code for _ in range(61)]
    assert found[:60] == [303] * 60 and found[60] == 429


def test_the_cookie_of_an_attempt_is_of_this_host_only(served: Served) -> None:
    cookie = served.open_browser().begin().headers["set-cookie"]
    assert cookie.startswith(f"{ATTEMPT}=")
    assert "HttpOnly" in cookie and "Secure" in cookie and "Path=/" in cookie


def test_a_login_needs_the_public_address(
    base_settings: Settings, issuer: Issuer
) -> None:
    settings = make_settings(base_settings, issuer)
    server = settings.server.model_copy(update={"url": ""})
    settings = settings.model_copy(update={"server": server})
    with pytest.raises(ConfigError, match="public address"), serving(settings):
        pass
