"""Converts the moments of Indico's answers to the time zone of their event.

The answers are in UTC, since that is what is asked for; people speak of an event's days
in its own zone, which Indico gives as ``timezone``.
"""

import logging
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

log = logging.getLogger(__name__)

Moment = dict[str, str]
"""As answered: ``{"date": "2026-03-04", "time": "18:00:00", "tz": "UTC"}``."""


def localize(moment: Moment | None, event: dict[str, Any]) -> datetime | None:
    """Return a moment in the time zone of its event, or None.

    Raises:
        KeyError, TypeError, ValueError: It is no moment.
    """
    if not moment:
        return None
    told = datetime.fromisoformat(f"{moment['date']}T{moment['time']}")
    own = _load_zone(moment["tz"])
    if own is None:
        raise ValueError(f"unknown time zone {moment['tz']!r}")
    return told.replace(tzinfo=own).astimezone(_load_zone(event.get("timezone")) or own)


def local_date(moment: Moment | None, event: dict[str, Any]) -> date | None:
    """Return the day of a moment where its event takes place, or None."""
    found = localize(moment, event)
    return found.date() if found else None


def start_day(event: dict[str, Any]) -> date | None:
    """Return the day on which an event begins, UTC: by it the lists are divided."""
    found = localize(event.get("startDate"), {})
    return found.astimezone(UTC).date() if found else None


def format_span(start: Moment | None, end: Moment | None, event: dict[str, Any]) -> str:
    """Return from when to when something is, with the time zone; empty if unknown.

    For example ``2026-03-04 18:00 to 19:30 America/Chicago``.
    """
    first, last = localize(start, event), localize(end, event)
    if first is None:
        return ""
    text = f"{first:%Y-%m-%d %H:%M}"
    if last and last > first:
        same_day = last.date() == first.date()
        text += f" to {last:%H:%M}" if same_day else f" to {last:%Y-%m-%d %H:%M}"
    return f"{text} {first.tzinfo}"


@lru_cache(maxsize=1000)
def _load_zone(name: str | None) -> tzinfo | None:
    """Return a time zone, or None if this machine does not know it."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        log.warning("unknown time zone %r: its times are given in UTC", name)
        return None
