"""Logins by all providers of the settings: from the first redirect to the logout.

All methods that reach a provider or the database block: call them in a thread.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.serve.accounts.login_attempts import LoginAttempt
from dunegpt.serve.accounts.person import Person
from dunegpt.serve.accounts.sessions import NewSession, ProviderSession
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.login.code_flow import (
    ProviderLogin,
    finish_login,
    make_login_url,
    make_logout_url,
    refresh_login,
)
from dunegpt.serve.login.errors import (
    AttemptUnknownError,
    GrantRefusedError,
    ProviderUnavailableError,
    TokenInvalidError,
)
from dunegpt.serve.login.next_path import get_local_path
from dunegpt.serve.login.provider import Provider
from dunegpt.serve.login.tokens import read_logout_token

log = logging.getLogger(__name__)

_TRY_AGAIN = timedelta(minutes=1)
"""Time after which a refresh that failed is tried again."""
_NAMES = ("name", "preferred_username", "email", "sub")


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a login comes from.

    Attributes:
        secret: Value of the cookie that ties a login to the browser.
        address: IP address.
        agent: Its ``User-Agent``.
        session: Value of its session's cookie, which a login replaces.
    """

    secret: str
    address: str = ""
    agent: str = ""
    session: str = ""


class Logins:
    """The providers of the settings, and the sessions that they vouch for."""

    def __init__(self, settings: Settings, accounts: AccountStore) -> None:
        """Prepare the providers; none is asked for anything yet.

        Raises:
            ConfigError: The server has no public address, or a secret cannot be read.
        """
        self._accounts = accounts
        self._server = settings.server
        self._providers: dict[str, Provider] = {}
        for name, table in settings.server.oidc.items():
            if not settings.server.url:
                raise ConfigError(
                    "A login by [server.oidc] needs the public address.",
                    hint="Set [server] url, and register URL/login/NAME/callback.",
                )
            self._providers[name] = Provider(
                name,
                table,
                secret=settings.read_client_secret(name),
                redirect_uri=f"{settings.server.url}/login/{name}/callback",
            )

    @property
    def providers(self) -> Sequence[Provider]:
        """The providers, in the order of the settings."""
        return list(self._providers.values())

    def get(self, name: str) -> Provider | None:
        """Return a provider by its name; None if there is none."""
        return self._providers.get(name)

    def begin(self, provider: Provider, next_path: str, browser: Browser) -> str:
        """Return where a browser is sent to log in.

        Args:
            provider: Chosen by the person.
            next_path: Where to go after the login, as the browser says.
            browser: That begins.

        Raises:
            ProviderUnavailableError: The provider does not answer.
        """
        local = get_local_path(next_path, self._server.base_path)
        attempt = LoginAttempt(provider.name, local)
        url = make_login_url(provider, attempt)
        self._accounts.login_attempts.add(attempt, browser.secret)
        return url

    def finish(
        self, provider: Provider, answer: Mapping[str, str], browser: Browser
    ) -> tuple[NewSession, str]:
        """Return a new session, and where to go from the callback.

        Args:
            provider: Whose callback was called.
            answer: Parameters of the call.
            browser: That came back.

        Raises:
            LoginError: The login failed.
            LoginRefusedError: The account is closed.
        """
        state = answer.get("state", "")
        attempt = self._accounts.login_attempts.take(
            state, browser.secret, provider.name
        )
        if attempt is None:
            raise AttemptUnknownError("This browser has not begun such a login.")
        login = finish_login(provider, attempt, answer)
        account = self._accounts.identities.log_in(
            login.claims,
            name=_get_name(login.claims),
            email=_get_text(login.claims, "email"),
        )
        session = self._accounts.sessions.create(
            account.id,
            address=browser.address,
            agent=browser.agent,
            replaces=browser.session,
            provider=_describe_session(provider, login),
        )
        return session, attempt.next_path

    def refresh(self, person: Person) -> None:
        """Ask the provider again what it says of a person, if no other process does.

        A person for whom it does not vouch any more has no session after that. If it
        does not answer, what it said before counts until that is too old.

        Args:
            person: Of a session whose refresh is due.
        """
        session_id, due = person.session_id, person.refresh_at
        if session_id is None or due is None:
            return
        store = self._accounts.provider_sessions
        stored = store.begin_refresh(session_id, due)
        if stored is None:
            return
        provider = self._find_by_issuer(stored.issuer)
        if provider is None or not stored.refresh_token:
            self._accounts.sessions.revoke(session_id)
            return
        try:
            login = refresh_login(
                provider,
                id_token=stored.id_token,
                refresh_token=stored.refresh_token,
                keep=lambda token: store.keep_refresh_token(session_id, token),
            )
        except GrantRefusedError:
            log.info("%s does not vouch for a session any more", provider.name)
            self._accounts.sessions.revoke(session_id)
        except (ProviderUnavailableError, TokenInvalidError) as error:
            log.warning("a refresh at %s failed: %s", provider.name, error)
            store.postpone_refresh(session_id, _TRY_AGAIN)
        else:
            self._accounts.identities.refresh(
                session_id,
                login.claims,
                refresh_token=login.refresh_token,
                id_token=login.id_token,
                refresh_after=timedelta(minutes=provider.settings.refresh_min),
            )

    def end(self, session_id: str) -> tuple[str, str]:
        """End a session; return the provider's name and where to log out of it, too.

        Both are empty if there is no such place.
        """
        stored = self._accounts.provider_sessions.get_tokens(session_id)
        self._accounts.sessions.revoke(session_id)
        provider = self._find_by_issuer(stored.issuer) if stored else None
        if stored is None or provider is None:
            return "", ""
        return_to = f"{self._server.url}/login"
        url = make_logout_url(provider, stored.id_token, return_to)
        return (provider.label, url) if url else ("", "")

    def end_by_notice(self, provider: Provider, token: object) -> int:
        """End the sessions that a logout token of a provider names.

        Returns:
            The number of sessions.

        Raises:
            TokenInvalidError: The token is not valid, or was used before.
            ProviderUnavailableError: The keys of the provider cannot be fetched.
        """
        notice = read_logout_token(provider, token)
        count = self._accounts.provider_sessions.end_by_notice(
            notice.issuer,
            jti=notice.jti,
            expires_at=datetime.fromtimestamp(notice.expires_at, UTC),
            sid=notice.sid,
            subject=notice.subject,
        )
        if count is None:
            raise TokenInvalidError("The token was used before.")
        log.info("%s ended %d sessions", provider.name, count)
        return count

    def _find_by_issuer(self, issuer: str) -> Provider | None:
        for provider in self._providers.values():
            if provider.settings.issuer == issuer:
                return provider
        return None


def _describe_session(provider: Provider, login: ProviderLogin) -> ProviderSession:
    """Return what a session keeps of a login, and how long it may last."""
    settings = provider.settings
    lifetime, refresh_after = timedelta(hours=settings.max_session_h), None
    if not settings.groups_only_at_login:
        refresh_after = timedelta(minutes=settings.refresh_min)
        if not login.refresh_token:
            log.warning("%s gave no refresh token", provider.name)
            lifetime, refresh_after = min(lifetime, settings.max_claims_age), None
    return ProviderSession(
        sid=login.sid,
        id_token=login.id_token,
        refresh_token="" if settings.groups_only_at_login else login.refresh_token,
        refresh_after=refresh_after,
        lifetime=lifetime,
    )


def _get_name(claims: Mapping[str, Any]) -> str:
    return next((n for key in _NAMES if (n := _get_text(claims, key))), "")


def _get_text(claims: Mapping[str, Any], key: str) -> str:
    value = claims.get(key)
    return value[:200] if isinstance(value, str) else ""
