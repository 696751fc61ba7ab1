"""Which days of an Indico site are due to be looked at, and how closely.

Indico tells no time of change for events, so they are polled by how likely they are to
change. The time axis is cut into slices of few events. The days around today are read
at each run; a slice is read daily, weekly or monthly by its distance from today, and
looked over daily for what was closed, opened or edited. Asks nothing itself.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

MOST_EVENTS = 250
"""A slice with more is cut in two: the server needs 20 ms for each event."""
_BUSY_FROM, _YEARS_AHEAD = date(2010, 1, 1), 5
_NEAR = (timedelta(days=-7), timedelta(days=14))
_CLASSES = (
    (timedelta(days=60), timedelta(days=180), timedelta(days=1)),
    (timedelta(days=730), timedelta(days=730), timedelta(days=7)),
)
_FAR_EVERY = timedelta(days=30)
_LOOK_EVERY = timedelta(days=1)
READ, LOOK, NOTHING = "read", "look", ""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some days; both ends may be open.

    Attributes:
        start: First day, ISO 8601; empty: from the beginning.
        stop: Last day; empty: without end.
        read_at: When all of it was read last, UTC, ISO 8601; empty: never.
        looked_at: When it was looked over last.
        events: How many were there.
    """

    start: str = ""
    stop: str = ""
    read_at: str = ""
    looked_at: str = ""
    events: int = 0

    @property
    def params(self) -> dict[str, str]:
        """The parameters that ask Indico for the events that overlap these days."""
        ends = {"from": self.start, "to": self.stop}
        return {name: day for name, day in ends.items() if day}

    def holds(self, day: date) -> bool:
        """Return whether a day is certainly inside."""
        text = day.isoformat()
        return self.start <= text and (not self.stop or text < self.stop)

    def halves(self) -> list["Slice"]:
        """Return its two halves; itself if it is one day, or has an open end."""
        if not (self.start and self.stop):
            return [self]
        first, last = date.fromisoformat(self.start), date.fromisoformat(self.stop)
        if last - first <= timedelta(days=1):
            return [self]
        middle = (first + (last - first) / 2).isoformat()
        return [replace(self, stop=middle), replace(self, start=middle)]

    def touches(self, first: date, last: date) -> bool:
        """Return whether any of its days lies between two days."""
        begins_in_time = not self.start or date.fromisoformat(self.start) <= last
        return begins_in_time and (
            not self.stop or date.fromisoformat(self.stop) >= first
        )

    def due(self, now: datetime) -> str:
        """Return what is due: `READ`, `LOOK`, or `NOTHING`."""
        if not self.read_at or now - _time(self.read_at) >= self._interval(now):
            return READ
        seen = max(self.read_at, self.looked_at)
        return LOOK if now - _time(seen) >= _LOOK_EVERY else NOTHING

    def _interval(self, now: datetime) -> timedelta:
        """Return how old its last reading may be.

        Weeks and months are shortened by up to a half, by a hash, so that what was
        read in one go is not due in one go.
        """
        today = now.date()
        share = 0.5 + 0.5 * hashlib.sha256(self.start.encode()).digest()[0] / 255
        for before, after, every in _CLASSES:
            if self.touches(today - before, today + after):
                return every if every <= _LOOK_EVERY else every * share
        return _FAR_EVERY * share


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def whole() -> list[Slice]:
    """Return all days as one slice: enough for a site of few events."""
    return [Slice()]


def cut(today: date, expected: int) -> list[Slice]:
    """Return all days, cut so that events spread evenly would half fill a slice.

    From 2010 to the end of next year at most a year each; what lies before and after
    in a few pieces.

    Args:
        today: The year of it counts.
        expected: How many events there are.
    """
    busy = date(today.year + 2, 1, 1) - _BUSY_FROM
    share = max(expected // (MOST_EVENTS // 2), 1)
    width = max(min(busy / share, timedelta(days=365)), timedelta(days=1))
    marks = [date(1990, 1, 1), date(2000, 1, 1)]
    marks += [_BUSY_FROM + n * width for n in range(-(-busy // width))]
    marks += [_BUSY_FROM + busy, date(today.year + _YEARS_AHEAD, 1, 1)]
    days = ["", *(mark.isoformat() for mark in marks), ""]
    return [Slice(*ends) for ends in pairwise(days)]


def near(today: date) -> Slice:
    """Return the days around today, where slides and minutes appear."""
    first, last = (today + offset for offset in _NEAR)
    return Slice(first.isoformat(), last.isoformat())


def stored(slices: Iterable[Slice]) -> list[list[str | int]]:
    """Return slices as JSON."""
    return [list(astuple(each)) for each in slices]


def loaded(rows: Iterable[list[str | int]]) -> list[Slice]:
    """Return slices from what `stored` made."""
    return [Slice(*row) for row in rows]  # type: ignore[arg-type]
