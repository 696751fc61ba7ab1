"""The time, and whether a stored one can be trusted after the clock was set back."""

from datetime import UTC, datetime, timedelta

MAX_SKEW = timedelta(minutes=5)
"""How far the clocks of two servers may differ."""


def utc_now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def is_in_future(at: datetime, now: datetime) -> bool:
    """Return whether a stored time lies ahead, so that its age cannot be known."""
    return at > now + MAX_SKEW
