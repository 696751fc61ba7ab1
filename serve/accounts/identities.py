"""Persons who log in through an OIDC provider, known by its issuer and their subject.

Does not know the protocol: what calls this has verified the claims.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dunegpt.errors import LoginRefusedError
from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.directory import LOCAL, Account, Directory
from dunegpt.serve.accounts.events import Event, add_event
from dunegpt.serve.accounts.names import clean_text, make_name_key
from dunegpt.serve.accounts.person import Role
from dunegpt.serve.accounts.personal_data import hash_identity
from dunegpt.serve.accounts.tables import AccountRow, SessionRow


class Identities:
    """The accounts of providers in serve.db. All methods block: use a thread."""

    def __init__(self, database: Database, directory: Directory) -> None:
        """Use a database."""
        self._database = database
        self._directory = directory

    def log_in(
        self, claims: Mapping[str, Any], *, name: str, email: str = ""
    ) -> Account:
        """Return the account of verified claims, which is made at the first login.

        Args:
            claims: Verified claims; ``iss`` and ``sub`` name the person, and all that
                the rules for principals look at is stored.
            name: Name to show, and for the commands of operators.
            email: Address, if the provider gives one.

        Raises:
            LoginRefusedError: The account is disabled, or was when it was erased.
        """
        issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
        if not issuer or not subject or issuer == LOCAL:
            raise LoginRefusedError("The provider did not name the person.")
        closed = hash_identity(issuer, subject)
        shown = clean_text(name).strip() or "unnamed"
        query = (
            sa.select(AccountRow)
            .where(
                AccountRow.issuer == issuer, AccountRow.subject.in_([subject, closed])
            )
            .with_for_update()
        )
        with self._database.write() as db:
            rows = db.scalars(query).all()
            is_new = not rows and _insert(db, issuer, subject)
            rows = rows or db.scalars(query).all()
            if any(row.disabled_at or row.erased_at for row in rows):
                raise LoginRefusedError("The account is closed.")
            [row] = rows
            row.name, row.name_key = shown, make_name_key(shown)
            row.email, row.claims = clean_text(email), dict(claims)
            row.claims_at = row.last_login_at = utc_now()
            db.flush()
            if is_new:
                add_event(db, row.id, Event.ADDED, row.role)
            add_event(db, row.id, Event.LOGIN, "oidc")
            return self._directory.describe(row)

    def refresh(
        self,
        session_id: str,
        claims: Mapping[str, Any],
        *,
        refresh_token: str = "",
        id_token: str = "",
        refresh_after: timedelta | None = None,
    ) -> bool:
        """Store refreshed claims; return whether the session is still there.

        Args:
            session_id: The session whose refresh token was used.
            claims: Verified claims, which replace the stored ones.
            refresh_token: The new one; empty if the provider gave none, and the old one
                stays.
            id_token: The new one; likewise.
            refresh_after: When the next refresh is due.
        """
        with self._database.write() as db:
            row = db.get(SessionRow, session_id, with_for_update=True)
            if row is None:
                return False
            row.refresh_token = refresh_token or row.refresh_token
            row.id_token = id_token or row.id_token
            row.groups_refreshed_at = now = utc_now()
            row.refresh_at = now + refresh_after if refresh_after else None
            own = AccountRow.id == row.account_id
            values = {"claims": dict(claims), "claims_at": now}
            db.execute(sa.update(AccountRow).where(own).values(values))
            return True


def _insert(db: Session, issuer: str, subject: str) -> bool:
    """Make an account; return False if another process makes it at this moment."""
    is_postgresql = db.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgresql else sqlite.insert
    values = {"issuer": issuer, "subject": subject, "name": "", "name_key": ""}
    values |= {"email": "", "role": Role.READER.value}
    made = db.execute(
        insert(AccountRow)
        .values(**values, principals=[], claims={}, created_at=utc_now())
        .on_conflict_do_nothing()
        .returning(AccountRow.id)
    )
    return made.first() is not None
