"""What serve.db knows of one person: given out as JSON, or erased.

The audit stays after an erasure, as it has to answer who was shown what: its entries
keep the number of the account, which then belongs to nobody that is known here.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dunegpt.errors import UsageError
from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.events import Event, add_event
from dunegpt.serve.accounts.person import Role
from dunegpt.serve.accounts.tables import (
    AccountRow,
    Base,
    EventRow,
    KnownNetworkRow,
    SessionRow,
    ShownRow,
    TokenRow,
)

_SECRET = frozenset(
    {"password_hash", "secret_hash", "id_token", "refresh_token", "account_id"}
)
_KINDS: dict[str, type[Base]] = {
    "sessions": SessionRow,
    "tokens": TokenRow,
    "networks": KnownNetworkRow,
    "events": EventRow,
    "shown": ShownRow,
}


def export_person(database: Database, account_id: int) -> dict[str, Any]:
    """Return all that is stored of a person, ready for JSON, but for secrets.

    Raises:
        UsageError: There is no such account.
    """
    with database.write() as db:
        account = _get(db, account_id)
        add_event(db, account_id, Event.EXPORTED)
        found: dict[str, Any] = {"account": _describe(account)}
        for name, table in _KINDS.items():
            columns = sa.inspect(table).columns
            own = columns["account_id"] == account_id
            key = sa.inspect(table).primary_key
            rows = db.scalars(sa.select(table).where(own).order_by(*key))
            found[name] = [_describe(row) for row in rows]
    return found


def erase_person(database: Database, account_id: int) -> None:
    """Erase all that is stored of a person, but for the numbers in the audit.

    What remains is the number of the account, when it was made and erased. Of a
    disabled account of a provider, also a hash of its subject, so that erasing it does
    not open it again; see `hash_identity`.

    Raises:
        UsageError: There is no such account.
        StorageError: Nothing was erased.
    """
    with database.write() as db:
        account = _get(db, account_id)
        for table in (SessionRow, TokenRow, KnownNetworkRow):
            db.execute(sa.delete(table).where(table.account_id == account_id))
        kept = f"erased:{secrets.token_hex(16)}"
        if account.disabled_at is not None:
            kept = hash_identity(account.issuer, account.subject)
        account.subject = kept
        account.name = account.name_key = account.email = ""
        account.role = Role.READER.value
        account.principals, account.claims = [], {}
        account.password_hash = account.last_login_at = account.claims_at = None
        account.erased_at = utc_now()
        add_event(db, account_id, Event.ERASED)
    database.empty_journal()


def hash_identity(issuer: str, subject: str) -> str:
    """Return what is kept of an identity that must not come back."""
    text = f"{issuer}\0{subject}".encode("utf-8", "surrogatepass")
    return f"closed:{hashlib.sha256(text).hexdigest()}"


def _get(db: Session, account_id: int) -> AccountRow:
    account = db.get(AccountRow, account_id, with_for_update=True)
    if account is None or account.erased_at is not None:
        raise UsageError(f"There is no account with the number {account_id}.")
    return account


def _describe(row: Base) -> dict[str, Any]:
    """Return the columns of a row by their names, without secrets."""
    names = [column.key for column in sa.inspect(type(row)).column_attrs]
    values = {name: getattr(row, name) for name in names if name not in _SECRET}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
