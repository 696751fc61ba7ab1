"""Sessions of a provider: refreshed groups, and the ways that they end."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import time_machine

from dunegpt.config import Settings
from simulators.oidc.issuer import Issuer
from tests.serve.login.served import MEMBER, SESSION, Served, make_settings, serving

DISCOVERY = "/.well-known/openid-configuration"


@contextmanager
def later(minutes: float) -> Iterator[None]:
    """Let it be some minutes later."""
    with time_machine.travel(time.time() + 60 * minutes, tick=True):
        yield


def test_a_removed_group_is_gone_at_the_next_refresh(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    issuer.persons["ann"]["groups"] = []
    with later(14):
        assert browser.principals() == {"public", MEMBER}
    assert issuer.count("/token") == 1
    with later(16):
        assert browser.principals() == {"public"}
        assert browser.principals() == {"public"}
        assert issuer.count("/token") == 2
        issuer.persons["ann"]["groups"] = ["larch-members"]
    with later(32):
        assert browser.principals() == {"public", MEMBER}


def test_many_requests_at_once_refresh_once(served: Served, issuer: Issuer) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    with later(16), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: browser.principals(), range(8)))
    assert found == [{"public", MEMBER}] * 8
    assert issuer.count("/token") == 2


def test_what_could_not_be_refreshed_is_narrowed_after_its_time(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    issuer.faults["/token"] = 503
    with later(16):
        assert browser.principals() == {"public", MEMBER}
        assert browser.principals() == {"public", MEMBER}
        assert issuer.count("/token") == 2  # tried once, and then not every time
    with later(61):
        assert browser.principals() == {"public"}
    issuer.faults.clear()
    with later(63):
        assert browser.principals() == {"public", MEMBER}


def test_nobody_waits_for_a_provider_that_has_just_failed(
    served: Served, issuer: Issuer
) -> None:
    browsers = [served.open_browser() for _ in range(3)]
    for browser in browsers:
        browser.sign_in(issuer)
    issuer.faults["/token"] = "drop"
    with later(16):
        for browser in browsers:
            assert browser.principals() == {"public", MEMBER}
    assert issuer.count("/token") == 4


def test_a_provider_that_lies_at_a_refresh_gives_nothing(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    issuer.persons["ann"]["groups"] = ["larch-members", "operators"]
    issuer.change = lambda header, claims: claims.update(sub="bo")
    with later(61):
        assert browser.principals() == {"public"}


def test_a_person_whom_the_provider_knows_no_more_has_no_session(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    del issuer.persons["ann"]
    with later(16):
        assert browser.describe() is None


def test_a_client_that_is_refused_ends_nobodys_session(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    issuer.clients["gpt"] = "another-secret"
    with later(16):
        assert browser.principals() == {"public", MEMBER}


def test_without_a_refresh_token_a_session_ends_with_its_claims(
    served: Served, issuer: Issuer
) -> None:
    issuer.tokens = {"refresh_token": None}
    browser = served.open_browser()
    browser.sign_in(issuer)
    with later(59):
        assert browser.principals() == {"public", MEMBER}
    with later(61):
        assert browser.describe() is None


def test_groups_of_a_login_last_for_the_absolute_age_of_a_session(
    base_settings: Settings, issuer: Issuer
) -> None:
    settings = make_settings(
        base_settings, issuer, groups_only_at_login=True, max_session_h=10
    )
    with serving(settings) as served:
        browser = served.open_browser()
        browser.sign_in(issuer)
        issuer.persons["ann"]["groups"] = []
        for hours in (3, 9.9):
            with later(60 * hours):
                assert browser.principals() == {"public", MEMBER}
        with later(60 * 10.1):
            assert browser.describe() is None
    assert issuer.count("/token") == 1


def sid_of(served: Served, issuer: Issuer) -> str:
    return list(issuer.access_tokens.values())[-1].sid


def test_a_notice_by_session_ends_that_session_alone(
    served: Served, issuer: Issuer
) -> None:
    first, second, bo = (served.open_browser() for _ in range(3))
    first.sign_in(issuer)
    sid = sid_of(served, issuer)
    second.sign_in(issuer)
    bo.sign_in(issuer, "bo")
    assert served.notify(issuer.make_logout_token(sid=sid, sub="bo")) == 200
    assert first.describe()  # the session is not of that person
    assert served.notify(issuer.make_logout_token(sid=sid)) == 200
    assert first.describe() is None and second.describe() and bo.describe()


def test_a_notice_by_person_ends_all_sessions_of_the_person(
    served: Served, issuer: Issuer
) -> None:
    first, second, bo = (served.open_browser() for _ in range(3))
    for browser in (first, second):
        browser.sign_in(issuer)
    bo.sign_in(issuer, "bo")
    assert served.notify(issuer.make_logout_token(sub="ann")) == 200
    assert first.describe() is None and second.describe() is None and bo.describe()


def test_a_notice_by_session_reaches_logins_that_named_none(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    issuer.change = lambda header, claims: claims.pop("sid", None)
    browser.sign_in(issuer)
    issuer.change = None
    assert served.notify(issuer.make_logout_token(sid="any")) == 200
    assert browser.describe()
    assert served.notify(issuer.make_logout_token(sid="any", sub="ann")) == 200
    assert browser.describe() is None


def test_a_notice_counts_once(served: Served, issuer: Issuer) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    token = issuer.make_logout_token(sub="ann")
    assert served.notify(token) == 200
    browser.sign_in(issuer)
    assert served.notify(token) == 400
    assert browser.describe()
    with later(15):
        served.accounts.prune()
        assert served.notify(token) == 400  # by its age


@pytest.mark.parametrize("token", [None, "", "a.b.c", "x" * 200])
def test_a_notice_without_a_valid_token_is_refused(
    served: Served, token: str | None
) -> None:
    assert served.notify(token) in {400, 415}


def test_a_notice_is_tried_again_if_the_keys_cannot_be_had(
    served: Served, issuer: Issuer
) -> None:
    issuer.faults["/keys"] = 500
    assert served.notify(issuer.make_logout_token(sub="ann")) == 503


def test_signing_out_leads_on_to_the_provider(served: Served, issuer: Issuer) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    with later(16):
        browser.principals()  # with a new ID token
        page = browser.sign_out()
    assert page.status_code == 200
    refresh = page.headers["refresh"]
    assert refresh.startswith(f"0; url={issuer.url}/end-session?id_token_hint=ey")
    assert "post_logout_redirect_uri=https%3A%2F%2Fgpt.example.org%2Fapp%2Flogin" in (
        refresh
    )
    assert "Sign out of The Lab" in page.text
    assert SESSION not in browser.client.cookies
    assert browser.describe() is None


def test_signing_out_works_while_the_provider_is_down(
    served: Served, issuer: Issuer
) -> None:
    browser = served.open_browser()
    browser.sign_in(issuer)
    issuer.metadata["end_session_endpoint"] = None
    served.app.state.services.logins.get("lab")._endpoints = None
    assert browser.sign_out().status_code == 303
    browser.sign_in(issuer)
    issuer.faults[DISCOVERY] = "drop"
    served.app.state.services.logins.get("lab")._endpoints = None
    assert browser.sign_out().status_code == 303
    assert browser.describe() is None
