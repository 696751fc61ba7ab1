"""A provider of OpenID Connect: its endpoints, its keys, and requests to it.

What a provider publishes is fetched when it is first needed, and again every hour, so
that neither a start nor another way to log in depends on it.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client

from dunegpt.login_settings import OIDCSettings, is_safe_endpoint
from dunegpt.serve.login.client_auth import encode_client_secret_basic
from dunegpt.serve.login.errors import GrantRefusedError, ProviderUnavailableError
from dunegpt.serve.login.keys import ProviderKeys
from dunegpt.serve.login.transport import LimitedTransport

log = logging.getLogger(__name__)

MAX_AGE_S = 3600.0
"""Age from which what a provider publishes is fetched again."""
_RETRY_AFTER_S = 5.0
"""Time for which a provider that has just failed is not asked again."""
_REFRESH_AGAIN_S = 30.0
"""The same for refreshes, of all persons."""
_WELL_KNOWN = "/.well-known/openid-configuration"
_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")


@cache
def _make_context() -> ssl.SSLContext:
    """Return what TLS connections trust; reading that takes 20 ms."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the discovery document of a provider says.

    Attributes:
        userinfo_endpoint: Empty if there is none; so for ``end_session_endpoint``.
        names_issuer: Whether each response to an authorization request has ``iss``
            (RFC 9207).
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    names_issuer: bool = False


class Provider:
    """A provider, for all threads of a process.

    Attributes:
        name: Its name in the settings, and in the address of its callback.
        redirect_uri: The one address to which it sends people back after a login.
    """

    def __init__(
        self,
        name: str,
        settings: OIDCSettings,
        *,
        secret: str = "",
        redirect_uri: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a provider; nothing is fetched yet.

        Args:
            name: Its name in the settings.
            settings: Its table.
            secret: Of the client; empty for a public client.
            redirect_uri: As registered there.
            clock: Monotonic time in seconds.
        """
        self.name = name
        self.settings = settings
        self.redirect_uri = redirect_uri
        self.keys = ProviderKeys(self._fetch_keys, MAX_AGE_S, clock)
        self._secret = secret
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoints: Endpoints | None = None
        self._fetched_at = 0.0
        self._failed_at: float | None = None
        self._tokens_failed_at: float | None = None

    @property
    def label(self) -> str:
        """Name to show to people."""
        return self.settings.label or self.name

    def get_endpoints(self) -> Endpoints:
        """Return the provider's endpoints, at most an hour old.

        Raises:
            ProviderUnavailableError: It does not tell them.
        """
        with self._lock:
            now = self._clock()
            if self._endpoints and now - self._fetched_at < MAX_AGE_S:
                return self._endpoints
            if self._failed_at is not None and now - self._failed_at < _RETRY_AFTER_S:
                raise ProviderUnavailableError(f"{self.label} does not answer.")
            try:
                url = self.settings.issuer.removesuffix("/") + _WELL_KNOWN
                self._endpoints = self._read_endpoints(self.fetch_json(url))
            except ProviderUnavailableError:
                self._failed_at = self._clock()
                raise
            self._fetched_at, self._failed_at = self._clock(), None
            return self._endpoints

    def fetch_json(self, url: str, *, access_token: str = "") -> dict[str, Any]:
        """Return the JSON object at an address of the provider.

        Raises:
            ProviderUnavailableError: There is none.
        """
        headers = {"Accept": "application/json"}
        if access_token:
            headers["Authorization"] = f"Bearer {access_token}"
        try:
            with self._open_client() as client:
                response = client.get(url, headers=headers, auth=None)
                response.raise_for_status()
                found = response.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise self._make_unavailable(url, error) from error
        if not isinstance(found, dict):
            raise self._make_unavailable(url, TypeError("not a JSON object"))
        return found

    def exchange_code(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Return the tokens for a code that the provider gave at a login.

        Raises:
            GrantRefusedError: The code is not accepted.
            ProviderUnavailableError: The provider does not answer as it should.
        """
        return self._ask_for_tokens(
            lambda client, url: client.fetch_token(
                url,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=self.redirect_uri,
            )
        )

    def exchange_refresh_token(self, refresh_token: str) -> Mapping[str, Any]:
        """Return new tokens for a refresh token, which may be used up by that.

        Nobody waits for a provider that has just failed: a refresh can wait.

        Raises:
            GrantRefusedError: It is not accepted any more.
            ProviderUnavailableError: The provider does not answer as it should.
        """
        failed_at = self._tokens_failed_at
        if failed_at is not None and self._clock() - failed_at < _REFRESH_AGAIN_S:
            raise ProviderUnavailableError(f"{self.label} does not answer.")
        return self._ask_for_tokens(
            lambda client, url: client.refresh_token(url, refresh_token=refresh_token)
        )

    def make_authorization_url(self, **parameters: str) -> str:
        """Return where a browser is sent to log in.

        Raises:
            ProviderUnavailableError: The provider does not tell where.
        """
        endpoint = self.get_endpoints().authorization_endpoint
        with self._open_client() as client:
            url, _ = client.create_authorization_url(
                endpoint,
                redirect_uri=self.redirect_uri,
                scope=" ".join(self.settings.scopes),
                **self.settings.authorize_parameters,
                **parameters,
            )
        return str(url)

    def _ask_for_tokens(
        self, ask: Callable[[OAuth2Client, str], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        url = self.get_endpoints().token_endpoint
        try:
            with self._open_client() as client:
                tokens = ask(client, url)
        except OAuthError as error:
            if error.error != "invalid_grant":  # ours, or the provider's, is at fault
                raise self._make_unavailable(url, error) from error
            raise GrantRefusedError(f"{self.label} refused the login.") from error
        except (httpx2.HTTPError, ValueError, TypeError, KeyError) as error:
            self._tokens_failed_at = self._clock()
            raise self._make_unavailable(url, error) from error
        self._tokens_failed_at = None
        return tokens

    def _open_client(self) -> OAuth2Client:
        """Return a client for one request: it keeps the tokens that it gets."""
        client = OAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self._secret or None,
            token_endpoint_auth_method=(
                self.settings.client_auth if self._secret else "none"
            ),
            code_challenge_method="S256",
            transport=LimitedTransport(_make_context(), self.settings.timeout_s),
            timeout=self.settings.timeout_s,
            follow_redirects=False,
            trust_env=False,
        )
        client.register_client_auth_method(
            ("client_secret_basic", encode_client_secret_basic)
        )
        return client

    def _fetch_keys(self) -> dict[str, Any]:
        return self.fetch_json(self.get_endpoints().jwks_uri)

    def _read_endpoints(self, document: Mapping[str, Any]) -> Endpoints:
        url = self.settings.issuer
        if document.get("issuer") != url:
            raise self._make_unavailable(url, ValueError("it names another issuer"))
        found: dict[str, Any] = {}
        for name in (*_REQUIRED, *_OPTIONAL):
            address = document.get(name)
            if address is None and name in _OPTIONAL:
                continue
            if not isinstance(address, str) or not is_safe_endpoint(address):
                raise self._make_unavailable(url, ValueError(f"no usable {name}"))
            found[name] = address
        key = "authorization_response_iss_parameter_supported"
        return Endpoints(**found, names_issuer=document.get(key) is True)

    def _make_unavailable(self, url: str, error: Exception) -> ProviderUnavailableError:
        log.warning("provider %s: %s: %s", self.name, url, describe(error))
        return ProviderUnavailableError(f"{self.label} does not answer as it should.")


def describe(error: Exception) -> str:
    """Return the kind and text of an error in one short line."""
    if isinstance(error, httpx2.HTTPStatusError):
        return f"HTTP status {error.response.status_code}"
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
