"""The code flow against a provider that does as it should, or not."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dunegpt.serve.accounts.login_attempts import LoginAttempt
from dunegpt.serve.login.code_flow import (
    finish_login,
    make_login_url,
    make_logout_url,
    refresh_login,
)
from dunegpt.serve.login.errors import (
    GrantRefusedError,
    LoginDeclinedError,
    LoginError,
    ProviderUnavailableError,
    TokenInvalidError,
)
from simulators.oidc.issuer import Issuer
from tests.serve.login.world import Clock, log_in, make_provider

DISCOVERY = "/.well-known/openid-configuration"


def test_a_login_gives_person_claims_and_tokens(issuer: Issuer) -> None:
    login = log_in(make_provider(issuer), issuer)
    assert (login.issuer, login.subject) == (issuer.url, "ann")
    assert login.claims["groups"] == ["larch-members"]
    assert login.claims["iss"] == issuer.url
    assert "nonce" not in login.claims
    assert login.sid and login.id_token and login.refresh_token


def test_nothing_secret_is_in_the_address_or_in_the_text_of_a_login(
    issuer: Issuer,
) -> None:
    attempt = LoginAttempt("lab")
    url = make_login_url(make_provider(issuer), attempt)
    query = parse_qs(urlsplit(url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == ["https://gpt.example.org/login/lab/callback"]
    assert attempt.verifier not in url and "client-secret" not in url
    assert attempt.verifier not in repr(attempt)
    assert "id_token" not in repr(log_in(make_provider(issuer), issuer))


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", ""])
def test_clients_prove_themselves_as_registered(issuer: Issuer, auth: str) -> None:
    name = "cilogon:/client_id/a b+c%"
    issuer.clients = {name: "p:w d%+" if auth else ""}
    more: dict[str, Any] = {"client_auth": auth} if auth else {}
    provider = make_provider(
        issuer, client_id=name, secret=issuer.clients[name], **more
    )
    assert log_in(provider, issuer).subject == "ann"


def test_a_code_counts_once(issuer: Issuer) -> None:
    provider, attempt = make_provider(issuer), LoginAttempt("lab")
    answer = issuer.authorize(make_login_url(provider, attempt), "ann")
    finish_login(provider, attempt, answer)
    with pytest.raises(GrantRefusedError):
        finish_login(provider, attempt, answer)


def test_a_code_of_another_login_is_refused(issuer: Issuer) -> None:
    provider, mine, theirs = make_provider(issuer), *map(LoginAttempt, ["lab"] * 2)
    stolen = issuer.authorize(make_login_url(provider, theirs), "bo")
    with pytest.raises(GrantRefusedError):  # PKCE
        finish_login(provider, mine, stolen | {"state": mine.state})
    with pytest.raises(TokenInvalidError, match="another login"):
        finish_login(provider, mine, stolen)


def test_the_nonce_ties_the_token_to_the_login(issuer: Issuer) -> None:
    def swap(header: dict[str, Any], claims: dict[str, Any]) -> None:
        claims["nonce"] = "of-another-login"

    issuer.change = swap
    with pytest.raises(TokenInvalidError):
        log_in(make_provider(issuer), issuer)
    issuer.change = lambda header, claims: claims.pop("nonce")
    with pytest.raises(TokenInvalidError):
        log_in(make_provider(issuer), issuer)


@pytest.mark.parametrize("told", [None, "https://other.example.org", ""])
def test_an_answer_of_another_provider_is_refused(
    issuer: Issuer, told: str | None
) -> None:
    provider, attempt = make_provider(issuer), LoginAttempt("lab")
    answer = issuer.authorize(make_login_url(provider, attempt), "ann")
    answer.pop("iss")
    if told is not None:
        answer["iss"] = told
    with pytest.raises(TokenInvalidError):
        finish_login(provider, attempt, answer)


def test_a_provider_need_not_name_itself_if_it_never_does(issuer: Issuer) -> None:
    issuer.metadata["authorization_response_iss_parameter_supported"] = False
    provider, attempt = make_provider(issuer), LoginAttempt("lab")
    answer = issuer.authorize(make_login_url(provider, attempt), "ann")
    answer.pop("iss")
    assert finish_login(provider, attempt, answer).subject == "ann"


def test_a_person_may_decline(issuer: Issuer) -> None:
    provider, attempt = make_provider(issuer), LoginAttempt("lab")
    answer = {"error": "access_denied", "state": attempt.state, "iss": issuer.url}
    with pytest.raises(LoginDeclinedError):
        finish_login(provider, attempt, answer)


@pytest.mark.parametrize("path", [DISCOVERY, "/keys", "/token", "/userinfo"])
@pytest.mark.parametrize("fault", [500, 429, "drop", "html", "away", "partial"])
def test_a_provider_that_fails_is_unavailable(
    issuer: Issuer, path: str, fault: int | str
) -> None:
    issuer.faults[path] = fault
    with pytest.raises(ProviderUnavailableError):
        log_in(make_provider(issuer), issuer)


@pytest.mark.parametrize("fault", ["endless", "drip", "slow"])
def test_a_provider_that_never_ends_costs_its_time_limit(
    issuer: Issuer, fault: str
) -> None:
    issuer.faults[DISCOVERY] = fault
    with pytest.raises(ProviderUnavailableError):
        log_in(make_provider(issuer, timeout_s=0.1), issuer)


def test_a_provider_that_is_down_is_not_asked_by_everybody(issuer: Issuer) -> None:
    clock = Clock()
    provider = make_provider(issuer, clock)
    issuer.faults[DISCOVERY] = 503
    for _ in range(5):
        with pytest.raises(ProviderUnavailableError):
            provider.get_endpoints()
    assert issuer.count(DISCOVERY) == 1
    issuer.faults.clear()
    clock.now += 6
    assert log_in(provider, issuer).subject == "ann"
    assert log_in(provider, issuer, "bo").subject == "bo"
    assert issuer.count(DISCOVERY) == 2


@pytest.mark.parametrize(
    "entry",
    [
        {"issuer": "https://other.example.org"},
        {"token_endpoint": "http://gpt.example.org/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"userinfo_endpoint": ["https://lab.example.org"]},
        {"end_session_endpoint": "https://lab.example.org/\r\nSet-Cookie: a=b"},
        {"end_session_endpoint": "https://user:word@lab.example.org/"},
    ],
)
def test_a_description_that_cannot_be_trusted_is_not_used(
    issuer: Issuer, entry: dict[str, Any]
) -> None:
    issuer.metadata.update(entry)
    with pytest.raises(ProviderUnavailableError):
        make_provider(issuer).get_endpoints()


def test_a_refresh_tells_what_is_true_now(issuer: Issuer) -> None:
    provider, kept = make_provider(issuer), list[str]()
    login = log_in(provider, issuer)
    issuer.persons["ann"]["groups"] = []
    after = refresh_login(
        provider,
        id_token=login.id_token,
        refresh_token=login.refresh_token,
        keep=kept.append,
    )
    assert after.claims["groups"] == []
    assert kept == [after.refresh_token] != [login.refresh_token]
    assert after.id_token != login.id_token
    with pytest.raises(GrantRefusedError):  # it was used up
        refresh_login(
            provider,
            id_token=login.id_token,
            refresh_token=login.refresh_token,
            keep=kept.append,
        )


def test_the_id_token_is_kept_if_a_refresh_gives_none(issuer: Issuer) -> None:
    provider = make_provider(issuer)
    login = log_in(provider, issuer)
    issuer.tokens = {"id_token": None, "refresh_token": None}
    again = refresh_login(
        provider,
        id_token=login.id_token,
        refresh_token=login.refresh_token,
        keep=lambda token: None,
    )
    assert (again.id_token, again.sid) == (login.id_token, login.sid)
    assert again.refresh_token == login.refresh_token
    assert again.claims["groups"] == ["larch-members"]  # of the userinfo endpoint


def test_a_refresh_that_tells_nothing_is_none(issuer: Issuer) -> None:
    provider = make_provider(issuer, userinfo=False)
    login = log_in(provider, issuer)
    issuer.tokens = {"id_token": None}
    with pytest.raises(TokenInvalidError, match="no claims"):
        refresh_login(
            provider,
            id_token=login.id_token,
            refresh_token=login.refresh_token,
            keep=lambda token: None,
        )


@pytest.mark.parametrize("name", ["sub", "auth_time", "nonce"])
def test_a_refresh_for_another_login_is_refused(issuer: Issuer, name: str) -> None:
    provider = make_provider(issuer)
    login = log_in(provider, issuer)

    def change(header: dict[str, Any], claims: dict[str, Any]) -> None:
        claims[name] = 5 if name == "auth_time" else "other"

    issuer.change = change
    with pytest.raises(LoginError):
        refresh_login(
            provider,
            id_token=login.id_token,
            refresh_token=login.refresh_token,
            keep=lambda token: None,
        )


def test_a_new_refresh_token_is_kept_though_the_rest_fails(issuer: Issuer) -> None:
    provider, kept = make_provider(issuer), list[str]()
    login = log_in(provider, issuer)
    issuer.faults["/userinfo"] = 500
    with pytest.raises(ProviderUnavailableError):
        refresh_login(
            provider,
            id_token=login.id_token,
            refresh_token=login.refresh_token,
            keep=kept.append,
        )
    assert kept[0] in issuer.refresh_tokens


def test_an_address_is_verified_only_by_who_names_it(issuer: Issuer) -> None:
    issuer.groups_in = "userinfo"
    issuer.persons["ann"] = {"email": "chief@example.org"}

    def add(header: dict[str, Any], claims: dict[str, Any]) -> None:
        claims |= {"email": "ann@example.org", "email_verified": True}

    issuer.change = add
    claims = log_in(make_provider(issuer), issuer).claims
    assert claims["email"] == "chief@example.org"
    assert "email_verified" not in claims


def test_the_userinfo_of_another_person_is_refused(issuer: Issuer) -> None:
    issuer.persons["ann"] = {"sub": "bo"}
    issuer.groups_in = "userinfo"
    with pytest.raises(TokenInvalidError, match="another person"):
        log_in(make_provider(issuer), issuer)


def test_the_logout_leads_to_the_provider_with_a_hint(issuer: Issuer) -> None:
    provider = make_provider(issuer)
    url = make_logout_url(provider, "token", "https://gpt.example.org/login")
    assert parse_qs(urlsplit(url).query) == {
        "id_token_hint": ["token"],
        "client_id": ["gpt"],
        "post_logout_redirect_uri": ["https://gpt.example.org/login"],
    }
    issuer.faults[DISCOVERY] = 500
    assert make_logout_url(make_provider(issuer), "token", "https://a.example") == ""
