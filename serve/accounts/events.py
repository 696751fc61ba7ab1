"""What was done to accounts, and what they did: logins, roles, revocations."""

from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.tables import EventRow


class Event(StrEnum):
    """Kinds of events."""

    ADDED = "added"
    LOGIN = "login"
    PASSWORD = "password"
    ROLE = "role"
    PRINCIPALS = "principals"
    DISABLED = "disabled"
    ENABLED = "enabled"
    REVOKED = "revoked"
    TOKEN = "token"
    EXPORTED = "exported"
    ERASED = "erased"


def add_event(db: Session, account_id: int, kind: Event, detail: str = "") -> None:
    """Record an event in the transaction that brings it about."""
    row = {"at": utc_now(), "account_id": account_id, "kind": kind, "detail": detail}
    db.execute(sa.insert(EventRow).values(row))
