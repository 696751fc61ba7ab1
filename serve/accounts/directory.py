"""The accounts: listing, finding, roles, disabling. Local and OIDC accounts are alike.

Passwords are in `local`, what logs in through a provider in `identities`.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dunegpt.access import PUBLIC, Access, make_reader
from dunegpt.errors import UsageError
from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.events import Event, add_event
from dunegpt.serve.accounts.membership import Membership
from dunegpt.serve.accounts.names import make_name_key
from dunegpt.serve.accounts.person import Role
from dunegpt.serve.accounts.tables import MAX_NUMBER, AccountRow, SessionRow, TokenRow

LOCAL = "local"
"""Issuer of local accounts."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, local or of an OIDC provider.

    Attributes:
        issuer: ``local``, or the address of the provider.
        principals: What the person may read now.
        granted: Those of them that an operator has granted.
    """

    id: int
    name: str
    issuer: str
    role: Role
    principals: Access
    granted: Access
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None

    @property
    def is_local(self) -> bool:
        """Whether it has a password here."""
        return self.issuer == LOCAL


class Directory:
    """The accounts in serve.db. All methods block: call them in a thread."""

    def __init__(self, database: Database, membership: Membership) -> None:
        """Use a database."""
        self._database = database
        self._membership = membership

    def list(self) -> list[Account]:
        """Return all accounts that are not erased, by name."""
        query = _select_accounts().order_by(AccountRow.name_key, AccountRow.id)
        with self._database.read() as db:
            return [self.describe(row) for row in db.scalars(query)]

    def get(self, account_id: int) -> Account | None:
        """Return an account by its number; None if there is none, or it is erased."""
        if not 0 < account_id <= MAX_NUMBER:
            return None
        with self._database.read() as db:
            row = db.scalar(_select_accounts().where(AccountRow.id == account_id))
            return self.describe(row) if row else None

    def find(self, name: str) -> Account:
        """Return the account of a name in any spelling, or of a number.

        Raises:
            UsageError: There is none, or several have this name.
        """
        number = name.removeprefix("#")
        query = _select_accounts().where(AccountRow.name_key == make_name_key(name))
        if number.isascii() and number.isdecimal() and len(number) < 10:
            query = _select_accounts().where(AccountRow.id == int(number))
        with self._database.read() as db:
            found = [self.describe(row) for row in db.scalars(query)]
        if not found:
            raise UsageError(
                f"There is no account {name!r}.",
                hint="'dunegpt user list' shows all of them.",
            )
        if len(found) > 1:
            numbers = ", ".join(f"{each.id} ({each.issuer})" for each in found)
            raise UsageError(f"Several accounts are called {name!r}: {numbers}.")
        return found[0]

    def set_role(self, account_id: int, role: Role) -> None:
        """Give an account a role; it holds for its sessions from now on."""
        self._update(account_id, Event.ROLE, role.value, role=role.value)

    def grant(self, account_id: int, principals: Access) -> None:
        """Replace the principals that an operator has granted.

        Raises:
            UsageError: One of them is no principal.
        """
        names = sorted(make_reader(principals) - {PUBLIC})
        self._update(account_id, Event.PRINCIPALS, " ".join(names), principals=names)

    def disable(self, account_id: int) -> None:
        """Close an account: its sessions end now, and its tokens open nothing."""
        with self._database.write() as db:
            _change(db, account_id, disabled_at=utc_now())
            db.execute(sa.delete(SessionRow).where(SessionRow.account_id == account_id))
            add_event(db, account_id, Event.DISABLED)

    def enable(self, account_id: int) -> None:
        """Open a disabled account again; its tokens are valid again."""
        self._update(account_id, Event.ENABLED, disabled_at=None)

    def revoke_all(self, account_id: int) -> tuple[int, int]:
        """End all sessions and tokens; return the numbers of both."""
        with self._database.write() as db:
            sessions = db.execute(
                sa.delete(SessionRow)
                .where(SessionRow.account_id == account_id)
                .returning(SessionRow.id)
            ).all()
            tokens = db.execute(
                sa.update(TokenRow)
                .where(TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None))
                .values(revoked_at=utc_now())
                .returning(TokenRow.id)
            ).all()
            add_event(db, account_id, Event.REVOKED, "all")
        return len(sessions), len(tokens)

    def describe(self, row: AccountRow) -> Account:
        """Return an account of the database."""
        return Account(
            row.id,
            row.name,
            row.issuer,
            Role(row.role),
            self._membership.resolve(row.claims, row.principals, row.claims_at),
            frozenset(row.principals),
            row.created_at,
            row.last_login_at,
            row.disabled_at,
        )

    def _update(
        self, account_id: int, event: Event, detail: str = "", **values: object
    ) -> None:
        with self._database.write() as db:
            _change(db, account_id, **values)
            add_event(db, account_id, event, detail)


def _select_accounts() -> sa.Select[AccountRow]:
    return sa.select(AccountRow).where(AccountRow.erased_at.is_(None))


def _change(db: Session, account_id: int, **values: object) -> None:
    """Change an account that is not erased.

    Raises:
        UsageError: There is none of this number.
    """
    changed = db.execute(
        sa.update(AccountRow)
        .where(AccountRow.id == account_id, AccountRow.erased_at.is_(None))
        .values(**values)
        .returning(AccountRow.id)
    ).first()
    if changed is None:
        raise UsageError(f"There is no account with the number {account_id}.")
