"""Removes from serve.db what is over or too old, in small steps."""

from datetime import timedelta

import sqlalchemy as sa

from dunegpt.account_settings import AccountSettings
from dunegpt.serve.accounts.clock import MAX_SKEW, utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.local import NETWORK_KNOWN
from dunegpt.serve.accounts.tables import (
    Base,
    EventRow,
    KnownNetworkRow,
    LoginAttemptRow,
    RateLimitRow,
    SessionRow,
    ShownRow,
    TokenRow,
    UsedTokenRow,
)

_BATCH = 1000
_TOKEN_LISTED = timedelta(days=90)
"""How long a token that is over can still be listed."""

_MAX_BATCHES = 1000


def prune(database: Database, settings: AccountSettings) -> int:
    """Remove what is over or too old; return the number of rows.

    Sessions that have ended, tokens that ended long ago, networks that nobody has
    logged in from for long, counters of limits that are full again, and the audit
    beyond its retention.

    Raises:
        StorageError: The database is locked or damaged.
    """
    now = utc_now()
    old_audit = now - settings.audit_kept
    full_again = int((now - MAX_SKEW).timestamp() * 1_000_000)
    which: list[tuple[type[Base], sa.ColumnElement[bool]]] = [
        (SessionRow, SessionRow.expires_at <= now),
        (SessionRow, SessionRow.last_seen_at <= now - settings.session_idle),
        (LoginAttemptRow, LoginAttemptRow.expires_at <= now),
        (UsedTokenRow, UsedTokenRow.expires_at <= now),
        (TokenRow, TokenRow.expires_at <= now - _TOKEN_LISTED),
        (KnownNetworkRow, KnownNetworkRow.last_login_at <= now - NETWORK_KNOWN),
        (RateLimitRow, RateLimitRow.full_at_us <= full_again),
        (ShownRow, ShownRow.at < old_audit),
        (EventRow, EventRow.at < old_audit),
    ]
    return sum(_remove(database, table, condition) for table, condition in which)


def _remove(
    database: Database, table: type[Base], condition: sa.ColumnElement[bool]
) -> int:
    """Remove rows, a thousand in each transaction, so that nobody waits for long."""
    key = sa.inspect(table).primary_key
    chosen = sa.select(*key).where(condition).limit(_BATCH)
    count = 0
    for _ in range(_MAX_BATCHES):
        with database.read() as db:
            if db.execute(chosen.limit(1)).first() is None:
                break
        with database.write() as db:
            rows = sa.tuple_(*key).in_(chosen)
            removed = db.execute(sa.delete(table).where(rows).returning(*key)).all()
        count += len(removed)
    return count
