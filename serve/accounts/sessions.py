"""Sessions of persons who logged in; only a hash of each cookie's value is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dunegpt.serve.accounts.person import Person


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that was just made.

    Attributes:
        secret: Value of the cookie; it is stored nowhere else.
        id: Id by which the session can be listed and revoked.
        expires_at: Its absolute end, UTC.
    """

    secret: str
    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as its person or an operator sees it."""

    id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    network: str
    agent: str


@dataclass(frozen=True, slots=True)
class ProviderSession:
    """What an OIDC provider gave for a session.

    Attributes:
        sid: Session id of the provider, for back-channel logout; often empty.
        id_token: The ID token, sent as a hint at logout.
        refresh_token: For the next refresh of groups; empty if there is none.
    """

    sid: str = ""
    id_token: str = ""
    refresh_token: str = ""


class Sessions:
    """The sessions in serve.db. All methods block: call them in a thread."""

    def create(
        self,
        account_id: int,
        *,
        address: str = "",
        agent: str = "",
        replaces: str = "",
        provider: ProviderSession | None = None,
    ) -> NewSession:
        """Start a session of an account at login.

        Args:
            account_id: Number of the account.
            address: IP address of the client.
            agent: Its ``User-Agent``.
            replaces: Value of the cookie that the browser had before; that session
                ends (rotation at login).
            provider: For a login through an OIDC provider.
        """
        raise NotImplementedError

    def find(self, secret: str) -> Person | None:
        """Return the person of a cookie's value; None if no session has it any more.

        One query; every few minutes a second one, which notes when it was last seen.
        """
        raise NotImplementedError

    def list(self, account_id: int) -> Sequence[SessionRecord]:
        """Return the sessions of an account, latest first."""
        raise NotImplementedError

    def revoke(self, session_id: str, *, account_id: int | None = None) -> bool:
        """End a session; return whether there was one.

        Args:
            session_id: As in `Person.session_id`.
            account_id: End it only if it belongs to this account.
        """
        raise NotImplementedError

    def revoke_account(self, account_id: int, *, but: str = "") -> int:
        """End all sessions of an account but one (a session id); return the number."""
        raise NotImplementedError

    def revoke_by_provider(self, issuer: str, *, sid: str = "", sub: str = "") -> int:
        """End the sessions that a logout of a provider names; return the number."""
        raise NotImplementedError
