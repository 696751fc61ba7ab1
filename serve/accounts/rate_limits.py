"""Rate limits, counted in serve.db so that several processes share them.

Each counter is one time: when the full limit will be there again. A request moves it
ahead by its share of the period, and is refused if that were more than a period away.

Source: the generic cell rate algorithm, ITU-T I.371.
"""

import hashlib
import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from dunegpt.serve.accounts.clock import MAX_SKEW
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.tables import RateLimitRow

_SECOND_US = 1_000_000
_SKEW_US = int(MAX_SKEW.total_seconds()) * _SECOND_US
_FULL_AT = RateLimitRow.full_at_us


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a limit allows after a request was counted.

    Attributes:
        is_allowed: Whether this request is within the limit.
        limit: Requests per period.
        remaining: Requests that are left now.
        reset_s: Seconds until the full limit is there again.
        retry_after_s: Seconds until the next request is allowed; 0 if one is left.
    """

    is_allowed: bool
    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimits:
    """The counters in serve.db. All methods block: call them in a thread."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    def take(self, kind: str, key: str, *, limit: int, per_s: float) -> RateLimit:
        """Count a request, if the limit allows it. One query; two if it does not.

        Args:
            kind: What is limited, such as ``"ask"``.
            key: Who is limited, such as an account or an address; stored as a hash.
            limit: Requests per period, all of which may come at once.
            per_s: The period.
        """
        now, period = _now_us(), int(per_s * _SECOND_US)
        share = max(1, period // limit)
        name = _make_key(kind, key)
        with self._database.write() as db:
            statement = _make_take(db.get_bind().dialect.name, name, now, period, share)
            taken = db.execute(statement).scalar_one_or_none()
            if taken is not None:
                return _describe(True, taken, now, period, limit)
            full_at = db.execute(_select(name)).scalar_one()
        return _describe(False, full_at, now, period, limit)

    def give_back(self, kind: str, key: str, *, limit: int, per_s: float) -> None:
        """Take back the last request, which shall not count after all."""
        share = max(1, int(per_s * _SECOND_US) // limit)
        with self._database.write() as db:
            db.execute(
                sa.update(RateLimitRow)
                .where(RateLimitRow.key == _make_key(kind, key))
                .values(full_at_us=_FULL_AT - share)
            )

    def clear(self, kind: str, key: str) -> None:
        """Forget all requests of a key."""
        with self._database.write() as db:
            row = RateLimitRow.key == _make_key(kind, key)
            db.execute(sa.delete(RateLimitRow).where(row))


def _make_take(
    dialect: str, name: str, now: int, period: int, share: int
) -> ReturningInsert[int]:
    """Return the statement that counts a request, and returns nothing if it may not.

    A counter that is further ahead than any request can move it is of a clock that was
    wrong, and starts again.
    """
    is_stale = sa.or_(now >= _FULL_AT, now + period + _SKEW_US < _FULL_AT)
    next_full = sa.case((is_stale, now), else_=_FULL_AT) + share
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return (
        make(RateLimitRow)
        .values(key=name, full_at_us=now + share)
        .on_conflict_do_update(
            index_elements=[RateLimitRow.key],
            set_={"full_at_us": next_full},
            where=next_full <= now + period,
        )
        .returning(_FULL_AT)
    )


def _select(name: str) -> sa.Select[int]:
    return sa.select(_FULL_AT).where(RateLimitRow.key == name)


def _describe(
    is_allowed: bool, full_at: int, now: int, period: int, limit: int
) -> RateLimit:
    share = max(1, period // limit)
    left = max(0, now + period - full_at) // share
    wait = max(0, full_at + share - now - period)
    return RateLimit(
        is_allowed,
        limit,
        min(limit, left),
        max(0, full_at - now) / _SECOND_US,
        wait / _SECOND_US,
    )


def _make_key(kind: str, key: str) -> str:
    """Return the stored name of a counter, which does not tell whose it is."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{digest[:32]}"


def _now_us() -> int:
    return time.time_ns() // 1000
