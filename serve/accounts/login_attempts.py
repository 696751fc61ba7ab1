"""Logins by a provider that browsers have begun, each of which can end once.

Kept in serve.db, so that any process can end what another has begun. Of the values that
a browser has, only hashes are stored.
"""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from dunegpt.serve.accounts.clock import is_in_future, utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.secret_values import hash_secret
from dunegpt.serve.accounts.tables import LoginAttemptRow

LIFETIME = timedelta(minutes=10)
"""Time in which a login has to end, at the provider's pages."""


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A login that a browser has begun.

    Attributes:
        provider: Name of the provider.
        next_path: Local path to go to after the login.
        state: Comes back with the browser, and names the attempt.
        nonce: Comes back in the ID token.
        verifier: Proves to the provider that the code was meant for this server.
    """

    provider: str
    next_path: str = "/"
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)


class LoginAttempts:
    """The logins that have begun. All methods block: call them in a thread."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    def add(self, attempt: LoginAttempt, browser: str) -> None:
        """Store an attempt.

        Args:
            attempt: That begins.
            browser: Secret value of a cookie of the browser.
        """
        row = LoginAttemptRow(
            state_hash=hash_secret(attempt.state),
            browser_hash=hash_secret(browser),
            provider=attempt.provider,
            next_path=attempt.next_path,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            expires_at=utc_now() + LIFETIME,
        )
        with self._database.write() as db:
            db.add(row)

    def take(self, state: str, browser: str, provider: str) -> LoginAttempt | None:
        """Return the attempt of a state, which then is no more; None if there is none.

        An attempt of another browser or provider stays, as that browser may still come.
        """
        now = utc_now()
        delete = (
            sa.delete(LoginAttemptRow)
            .where(
                LoginAttemptRow.state_hash == hash_secret(state),
                LoginAttemptRow.browser_hash == hash_secret(browser),
                LoginAttemptRow.provider == provider,
            )
            .returning(
                LoginAttemptRow.next_path,
                LoginAttemptRow.nonce,
                LoginAttemptRow.verifier,
                LoginAttemptRow.expires_at,
            )
        )
        with self._database.write() as db:
            row = db.execute(delete).first()
        if row is None or row.expires_at <= now:
            return None
        if is_in_future(row.expires_at - LIFETIME, now):
            return None
        return LoginAttempt(provider, row.next_path, state, row.nonce, row.verifier)
