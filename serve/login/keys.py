"""The public keys of a provider, fetched again when it signs with a new one."""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from dunegpt.serve.login.errors import ProviderUnavailableError, TokenInvalidError

log = logging.getLogger(__name__)

PublicKey: TypeAlias = ECKey | RSAKey

_SEARCH_EVERY_S = 30.0
"""Least time between fetches for unknown keys: anybody may send a token with one."""
_RETRY_AFTER_S = 5.0
_MAX_KEYS = 100
_MIN_RSA_BITS = 2048


class ProviderKeys:
    """The keys with which a provider signs; safe to share between threads."""

    def __init__(
        self,
        fetch: Callable[[], dict[str, Any]],
        max_age_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Prepare an empty set.

        Args:
            fetch: Returns the provider's JWK Set as JSON.
            max_age_s: Age from which it is fetched again.
            clock: Monotonic time in seconds.
        """
        self._fetch = fetch
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: list[PublicKey] = []
        self._fetched_at: float | None = None
        self._failed_at: float | None = None
        self._searched_at: float | None = None

    def find(self, kid: str | None, algorithm: str) -> PublicKey:
        """Return the key that a token names; of one without a name, the only key.

        Args:
            kid: Key id in the token's header.
            algorithm: Signature algorithm in the header.

        Raises:
            TokenInvalidError: The provider has no such key.
            ProviderUnavailableError: The keys cannot be fetched.
        """
        with self._lock:
            if not _is_recent(self._fetched_at, self._max_age_s, self._clock()):
                self._load()
            found = self._select(kid, algorithm)
            now = self._clock()
            if found is None and not _is_recent(
                self._searched_at, _SEARCH_EVERY_S, now
            ):
                self._searched_at = now
                self._load()
                found = self._select(kid, algorithm)
        if found is None:
            raise TokenInvalidError("The token is signed with an unknown key.")
        return found

    def _load(self) -> None:
        if _is_recent(self._failed_at, _RETRY_AFTER_S, self._clock()):
            raise ProviderUnavailableError("The provider does not tell its keys.")
        try:
            document = self._fetch()
        except ProviderUnavailableError:
            self._failed_at = self._clock()
            raise
        self._fetched_at, self._failed_at = self._clock(), None
        listed = document.get("keys")
        self._keys = import_keys(listed if isinstance(listed, list) else [])

    def _select(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """Return the key for a signature, if exactly one fits."""
        kind = "EC" if algorithm.startswith("ES") else "RSA"
        fitting = [
            key
            for key in self._keys
            if key.key_type == kind
            and (kid is None or key.get("kid") == kid)
            and key.get("alg") in {None, algorithm}
        ]
        return fitting[0] if len(fitting) == 1 else None


def _is_recent(at: float | None, age_s: float, now: float) -> bool:
    return at is not None and now - at < age_s


def import_keys(listed: list[Any]) -> list[PublicKey]:
    """Return the keys of a JWK Set that can verify signatures; others are left out."""
    keys = (_import_key(data) for data in listed[:_MAX_KEYS])
    return [key for key in keys if key is not None]


def _import_key(data: Any) -> PublicKey | None:
    if not isinstance(data, dict) or data.get("use", "sig") != "sig":
        return None
    try:
        if data.get("kty") == "EC":
            return ECKey.import_key(data)
        # Each character holds six bits; joserfc would only warn of a short key.
        if data.get("kty") == "RSA" and len(data["n"]) * 6 >= _MIN_RSA_BITS:
            return RSAKey.import_key(data)
    except (JoseError, ValueError, TypeError, LookupError) as error:
        log.warning("a key of a provider is left out: %s", type(error).__name__)
    return None
