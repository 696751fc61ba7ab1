"""Sessions of persons who logged in; only a hash of each cookie's value is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from dunegpt.account_settings import AccountSettings
from dunegpt.errors import LoginRefusedError
from dunegpt.serve.accounts.clock import is_in_future, utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.membership import Membership
from dunegpt.serve.accounts.names import clean_text, find_network
from dunegpt.serve.accounts.person import Person
from dunegpt.serve.accounts.recognized import make_session_person
from dunegpt.serve.accounts.secret_values import (
    hash_secret,
    make_public_id,
    make_secret,
)
from dunegpt.serve.accounts.tables import AccountRow, SessionRow

SEEN_EVERY = timedelta(minutes=5)
"""How exact it is noted when a session was last seen."""


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
        refresh_after: When that is due.
        lifetime: How long the session lasts, if less than others.
    """

    sid: str = ""
    id_token: str = ""
    refresh_token: str = ""
    refresh_after: timedelta | None = None
    lifetime: timedelta = timedelta.max


class Sessions:
    """The sessions in serve.db. All methods block: call them in a thread."""

    def __init__(
        self, database: Database, membership: Membership, settings: AccountSettings
    ) -> None:
        """Use a database."""
        self._database = database
        self._membership = membership
        self._settings = settings

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

        Raises:
            LoginRefusedError: The account was disabled or erased meanwhile.
        """
        now, secret, session_id = utc_now(), make_secret(), make_public_id()
        lifetime = provider.lifetime if provider else timedelta.max
        delay = provider.refresh_after if provider else None
        row = SessionRow(
            id=session_id,
            secret_hash=hash_secret(secret),
            account_id=account_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + min(self._settings.session_max, lifetime),
            network=find_network(address),
            agent=clean_text(agent),
            sid=provider.sid or None if provider else None,
            id_token=provider.id_token or None if provider else None,
            refresh_token=provider.refresh_token or None if provider else None,
            groups_refreshed_at=now if provider else None,
            refresh_at=now + delay if delay else None,
        )
        with self._database.write() as db:
            if not db.scalar(
                sa.select(AccountRow.id)
                .where(AccountRow.id == account_id, AccountRow.disabled_at.is_(None))
                .where(AccountRow.erased_at.is_(None))
                .with_for_update()
            ):
                raise LoginRefusedError("The account is closed.")
            if replaces:
                db.execute(_delete(SessionRow.secret_hash == hash_secret(replaces)))
            db.add(row)
        return NewSession(secret, session_id, row.expires_at)

    def find(self, secret: str) -> Person | None:
        """Return the person of a cookie's value; None if no session has it any more.

        One query; every few minutes a second one, which notes when it was last seen.
        """
        now = utc_now()
        query = (
            sa.select(SessionRow)
            .join(SessionRow.account)
            .options(contains_eager(SessionRow.account))
            .where(SessionRow.secret_hash == hash_secret(secret))
        )
        with self._database.read() as db:
            row = db.scalar(query)
        if row is None or not self._is_valid(row, now):
            return None
        if now - row.last_seen_at >= SEEN_EVERY:
            with self._database.write() as db:
                own = SessionRow.id == row.id
                db.execute(sa.update(SessionRow).where(own).values(last_seen_at=now))
        return make_session_person(row, self._membership)

    def list(self, account_id: int) -> Sequence[SessionRecord]:
        """Return the sessions of an account that are not over, latest first."""
        now = utc_now()
        query = (
            sa.select(SessionRow)
            .join(SessionRow.account)
            .options(contains_eager(SessionRow.account))
            .where(SessionRow.account_id == account_id)
            .order_by(SessionRow.created_at.desc(), SessionRow.id)
        )
        with self._database.read() as db:
            return [
                SessionRecord(
                    row.id,
                    row.created_at,
                    row.last_seen_at,
                    row.expires_at,
                    row.network,
                    row.agent,
                )
                for row in db.scalars(query)
                if self._is_valid(row, now)
            ]

    def count_by_account(self) -> dict[int, int]:
        """Return how many sessions each account has that are not over."""
        now = utc_now()
        query = (
            sa.select(SessionRow.account_id, sa.func.count())
            .where(SessionRow.expires_at > now)
            .where(SessionRow.last_seen_at > now - self._settings.session_idle)
            .group_by(SessionRow.account_id)
        )
        with self._database.read() as db:
            return {account: count for account, count in db.execute(query)}

    def revoke(self, session_id: str, *, account_id: int | None = None) -> bool:
        """End a session; return whether there was one.

        Args:
            session_id: As in `Person.session_id`.
            account_id: End it only if it belongs to this account.
        """
        whose = () if account_id is None else (SessionRow.account_id == account_id,)
        return self._revoke(SessionRow.id == clean_text(session_id), *whose) > 0

    def revoke_account(self, account_id: int, *, but: str = "") -> int:
        """End all sessions of an account but one (a session id); return the number."""
        return self._revoke(SessionRow.account_id == account_id, SessionRow.id != but)

    def _is_valid(self, row: SessionRow, now: datetime) -> bool:
        """Return whether a session is not over; one of the future is."""
        is_open = row.account.disabled_at is None and row.account.erased_at is None
        is_dated_ahead = is_in_future(row.created_at, now) or is_in_future(
            row.last_seen_at, now
        )
        oldest = now - self._settings.session_max
        return (
            is_open
            and not is_dated_ahead
            and now < row.expires_at
            and row.created_at > oldest
            and now - row.last_seen_at < self._settings.session_idle
        )

    def _revoke(self, *conditions: sa.ColumnElement[bool]) -> int:
        with self._database.write() as db:
            return len(db.execute(_delete(*conditions).returning(SessionRow.id)).all())


def _delete(*conditions: sa.ColumnElement[bool]) -> sa.Delete:
    return sa.delete(SessionRow).where(*conditions)
