"""What sessions keep of an OIDC provider: tokens for refresh and logout.

Does not know the protocol: what calls this has verified the tokens.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.tables import AccountRow, SessionRow, UsedTokenRow

_LEASE = timedelta(seconds=45)
"""Time in which a refresh ends; after that, another process may try."""


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """The tokens of a session.

    Attributes:
        issuer: Of the provider.
        id_token: The last ID token.
        refresh_token: The last refresh token; often empty.
    """

    issuer: str
    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class ProviderSessions:
    """The sessions of providers. All methods block: call them in a thread."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    def get_tokens(self, session_id: str) -> StoredTokens | None:
        """Return the tokens of a session; None if it has none, or is over."""
        query = (
            sa.select(AccountRow.issuer, SessionRow.id_token, SessionRow.refresh_token)
            .join(SessionRow.account)
            .where(SessionRow.id == session_id, SessionRow.id_token.is_not(None))
        )
        with self._database.read() as db:
            row = db.execute(query).first()
        return StoredTokens(row[0], row[1] or "", row[2] or "") if row else None

    def begin_refresh(self, session_id: str, due: datetime) -> StoredTokens | None:
        """Return the tokens for a refresh that is due; None if another one has begun.

        A refresh token may be used once, so that only one process may use it.

        Args:
            session_id: The session.
            due: As it was read with the session.
        """
        claim = (
            sa.update(SessionRow)
            .where(SessionRow.id == session_id, SessionRow.refresh_at == due)
            .values(refresh_at=utc_now() + _LEASE)
            .returning(SessionRow.id)
        )
        with self._database.write() as db:
            is_ours = db.execute(claim).first() is not None
        return self.get_tokens(session_id) if is_ours else None

    def keep_refresh_token(self, session_id: str, refresh_token: str) -> None:
        """Store a new refresh token; the one before may be used up."""
        self._update(session_id, refresh_token=refresh_token)

    def postpone_refresh(self, session_id: str, delay: timedelta) -> None:
        """Let the next refresh be due after a time."""
        self._update(session_id, refresh_at=utc_now() + delay)

    def end_by_notice(
        self, issuer: str, *, jti: str, expires_at: datetime, sid: str, subject: str
    ) -> int | None:
        """End the sessions that a logout token names, once for each token.

        Those of the provider's session; of the person, if the token names none, or if
        the provider did not name its session at the login.

        Args:
            issuer: Of the provider.
            jti: Id of the token.
            expires_at: When the token is too old by itself.
            sid: Session of the provider; may be empty.
            subject: The person; may be empty if ``sid`` is not.

        Returns:
            The number of sessions; None if the token was used before.
        """
        accounts = sa.select(AccountRow.id).where(AccountRow.issuer == issuer)
        if subject:
            accounts = accounts.where(AccountRow.subject == subject)
        conditions: list[sa.ColumnElement[bool]] = [SessionRow.account_id.in_(accounts)]
        if sid and subject:
            conditions.append(sa.or_(SessionRow.sid == sid, SessionRow.sid.is_(None)))
        elif sid:
            conditions.append(SessionRow.sid == sid)
        with self._database.write() as db:
            if not _use(db, issuer, jti, expires_at):
                return None
            ended = sa.delete(SessionRow).where(*conditions)
            return len(db.execute(ended.returning(SessionRow.id)).all())

    def _update(self, session_id: str, **values: object) -> None:
        own = SessionRow.id == session_id
        with self._database.write() as db:
            db.execute(sa.update(SessionRow).where(own).values(**values))


def _use(db: Session, issuer: str, jti: str, expires_at: datetime) -> bool:
    """Note the use of a token; return False if it was used before."""
    is_postgresql = db.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgresql else sqlite.insert
    made = db.execute(
        insert(UsedTokenRow)
        .values(issuer=issuer, jti=jti, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(UsedTokenRow.jti)
    )
    return made.first() is not None
