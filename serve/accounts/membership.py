"""From what is known of a person to principals: the settings' rules, DocDB's members.

The claims of a login are stored; what they grant is worked out at each request, so that
a member who has left a DocDB group loses it with the next crawl, without a new login.
Does not know how claims are obtained.
"""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from dunegpt.access import PUBLIC, Access
from dunegpt.config import PrincipalRule, Settings
from dunegpt.ingest.catalog.overlay import load_people_rules
from dunegpt.principals import find_matching_rules
from dunegpt.serve.accounts.clock import is_in_future, utc_now

_CHECK_EVERY_S = 5.0
_MAX_CACHED = 4096
_MAX_AGE = timedelta(hours=24)
"""Of claims of a provider that is not in the settings any more."""


class Membership:
    """Gives persons their principals; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        """Use the rules of the settings, and the overlay of their data folder."""
        self._settings = settings
        self._max_ages = {
            provider.issuer: provider.max_claims_age
            for provider in settings.server.oidc.values()
        }
        self._lock = threading.Lock()
        self._checked_at = float("-inf")
        self._rules: list[PrincipalRule] = []
        self._cache: dict[str, Access] = {}

    def resolve(
        self,
        claims: Mapping[str, Any],
        granted: Iterable[str],
        told_at: datetime | None = None,
    ) -> Access:
        """Return what a person may read, with ``public``.

        Args:
            claims: Claims of the last login or refresh; empty for a local account.
            granted: Principals that an operator has granted.
            told_at: When the provider told the claims; they give nothing any more once
                they are older than the settings of the provider allow.

        Raises:
            StorageError: The overlay is damaged.
        """
        always = frozenset(granted) | {PUBLIC}
        if not claims or self._is_too_old(str(claims.get("iss", "")), told_at):
            return always
        with self._lock:
            self._refresh()
            key = json.dumps(claims, sort_keys=True)
            found = self._cache.get(key)
            if found is None:
                rules = find_matching_rules(claims, self._rules)
                found = frozenset(p for rule in rules for p in rule.principals)
                if len(self._cache) >= _MAX_CACHED:
                    self._cache.clear()
                self._cache[key] = found
        return always | found

    def _is_too_old(self, issuer: str, told_at: datetime | None) -> bool:
        """Return whether claims are too old, or of the future."""
        max_age = self._max_ages.get(issuer, _MAX_AGE)
        if told_at is None:
            return False
        now = utc_now()
        return now - told_at >= max_age or is_in_future(told_at, now)

    def _refresh(self) -> None:
        """Read the members again, a few seconds after they were read last."""
        if time.monotonic() - self._checked_at < _CHECK_EVERY_S:
            return
        settings = self._settings
        members = load_people_rules(settings.data, settings.access.max_overlay_age)
        rules = [*settings.access.people, *members]
        if rules != self._rules:
            self._rules = rules
            self._cache.clear()
        self._checked_at = time.monotonic()
