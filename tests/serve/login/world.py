"""Providers and their persons, for tests of the login."""

from typing import Any

from dunegpt.login_settings import OIDCSettings
from dunegpt.serve.accounts.login_attempts import LoginAttempt
from dunegpt.serve.login.code_flow import ProviderLogin, finish_login, make_login_url
from dunegpt.serve.login.provider import Provider
from simulators.oidc.issuer import Issuer

PERSONS: dict[str, dict[str, Any]] = {
    "ann": {
        "name": "Ann Li",
        "email": "ann@example.org",
        "email_verified": True,
        "groups": ["larch-members"],
    },
    "bo": {"name": "Bo Ek", "email": "bo@example.org", "groups": []},
}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_provider(issuer: Issuer, clock: Clock | None = None, **more: Any) -> Provider:
    """Return a provider as the settings name it."""
    secret = more.pop("secret", "client-secret")
    settings = OIDCSettings(**({"issuer": issuer.url, "client_id": "gpt"} | more))
    return Provider(
        "lab",
        settings,
        secret=secret,
        redirect_uri="https://gpt.example.org/login/lab/callback",
        **({"clock": clock} if clock else {}),
    )


def log_in(provider: Provider, issuer: Issuer, who: str = "ann") -> ProviderLogin:
    """Return what a whole login gives."""
    attempt = LoginAttempt(provider.name)
    answer = issuer.authorize(make_login_url(provider, attempt), who)
    return finish_login(provider, attempt, answer)
