"""Decides which days of an Indico site are due to be read, and how thoroughly.

Indico reports no change times for events, so they are polled by how likely they are to
change. The time axis is divided into ranges of few events. The days around today are
read by each run; other ranges daily, weekly or monthly, by their distance from today,
with a daily look by all accounts for events that were closed, opened or edited, and an
hourly glance by one account per group and the public. Makes no requests.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

MAX_EVENTS = 250
"""A slice with more is cut in two: the server needs 20 ms for each event."""
_FIRST_BUSY_DAY, _YEARS_AHEAD = date(2010, 1, 1), 5
_NEAR_OFFSETS = (timedelta(days=-7), timedelta(days=14))
_INTERVALS = (
    (timedelta(days=60), timedelta(days=180), timedelta(days=1)),
    (timedelta(days=730), timedelta(days=730), timedelta(days=7)),
)
_FAR_INTERVAL = timedelta(days=30)
_LOOK_INTERVAL = timedelta(days=1)
_GLANCE_INTERVAL = timedelta(minutes=45)
"""So that a run each hour finds all due, although the last one took its time."""
READ, LOOK, NOTHING = "read", "look", ""


@dataclass(frozen=True, slots=True)
class DateRange:
    """Some days; both ends may be open.

    Attributes:
        start: First day, ISO 8601; empty: from the beginning.
        stop: Last day; empty: without end.
        read_at: When all of it was read last, UTC, ISO 8601; empty: never.
        looked_at: When it was looked over last.
        events: How many were there.
        glanced_at: When some accounts looked over it last.
    """

    start: str = ""
    stop: str = ""
    read_at: str = ""
    looked_at: str = ""
    events: int = 0
    glanced_at: str = ""

    @property
    def params(self) -> dict[str, str]:
        """The parameters that ask Indico for the events that overlap these days."""
        ends = {"from": self.start, "to": self.stop}
        return {name: day for name, day in ends.items() if day}

    def contains(self, day: date) -> bool:
        """Return whether a day is certainly inside."""
        text = day.isoformat()
        return self.start <= text and (not self.stop or text < self.stop)

    def halve(self) -> list["DateRange"]:
        """Return its two halves; itself if it is one day, or has an open end."""
        if not (self.start and self.stop):
            return [self]
        first, last = date.fromisoformat(self.start), date.fromisoformat(self.stop)
        if last - first <= timedelta(days=1):
            return [self]
        middle = (first + (last - first) / 2).isoformat()
        return [replace(self, stop=middle), replace(self, start=middle)]

    def widen(self) -> "DateRange":
        """Return the days that it may be in any time zone, all of them whole.

        Both ends must be given.
        """
        first, last = date.fromisoformat(self.start), date.fromisoformat(self.stop)
        begin, end = first - timedelta(days=1), last + timedelta(days=2)
        return replace(self, start=begin.isoformat(), stop=end.isoformat())

    def overlaps(self, first: date, last: date) -> bool:
        """Return whether any of its days lies between two days."""
        begins_in_time = not self.start or date.fromisoformat(self.start) <= last
        return begins_in_time and (
            not self.stop or date.fromisoformat(self.stop) >= first
        )

    def meets(self, other: "DateRange") -> bool:
        """Return whether some day lies in both."""
        return (not self.stop or other.start <= self.stop) and (
            not other.stop or self.start <= other.stop
        )

    def due_action(self, now: datetime) -> str:
        """Return what is due: `READ`, `LOOK`, or `NOTHING`."""
        if not self.read_at or now - _parse_time(self.read_at) >= self._max_age(now):
            return READ
        seen = max(self.read_at, self.looked_at)
        return LOOK if now - _parse_time(seen) >= _LOOK_INTERVAL else NOTHING

    def is_glance_due(self, now: datetime) -> bool:
        """Return whether the quick look is due, and nothing that is more thorough."""
        nothing_else = self.due_action(now) == NOTHING
        return nothing_else and self.glance_age(now) >= _GLANCE_INTERVAL

    def glance_age(self, now: datetime) -> timedelta:
        """Return how long ago anybody looked over it."""
        return now - _parse_time(max(self.read_at, self.looked_at, self.glanced_at))

    def _max_age(self, now: datetime) -> timedelta:
        """Return how old its last reading may be.

        Weeks and months are shortened by up to a half, by a hash, so that what was
        read in one go is not due in one go.
        """
        today = now.date()
        share = 0.5 + 0.5 * hashlib.sha256(self.start.encode()).digest()[0] / 255
        for before, after, every in _INTERVALS:
            if self.overlaps(today - before, today + after):
                return every if every <= _LOOK_INTERVAL else every * share
        return _FAR_INTERVAL * share


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def full_range() -> list[DateRange]:
    """Return all days as one slice: enough for a site of few events."""
    return [DateRange()]


def cut(today: date, expected: int) -> list[DateRange]:
    """Return all days, cut so that events spread evenly would half fill a slice.

    From 2010 to the end of next year at most a year each; what lies before and after
    in a few pieces.

    Args:
        today: The year of it counts.
        expected: How many events there are.
    """
    busy = date(today.year + 2, 1, 1) - _FIRST_BUSY_DAY
    share = max(expected // (MAX_EVENTS // 2), 1)
    width = max(min(busy / share, timedelta(days=365)), timedelta(days=1))
    marks = [date(1990, 1, 1), date(2000, 1, 1)]
    marks += [_FIRST_BUSY_DAY + n * width for n in range(-(-busy // width))]
    marks += [_FIRST_BUSY_DAY + busy, date(today.year + _YEARS_AHEAD, 1, 1)]
    days = ["", *(mark.isoformat() for mark in marks), ""]
    return [DateRange(*ends) for ends in pairwise(days)]


def join(slices: Iterable[DateRange]) -> list[list[DateRange]]:
    """Return slices in groups of neighbours that one list can hold.

    A slice with an open end stays alone.
    """
    groups: list[list[DateRange]] = []
    for part in slices:
        last = groups[-1] if groups else []
        is_next = last and last[-1].stop == part.start != "" and last[0].start
        if (
            is_next
            and part.stop
            and sum(p.events for p in last) + part.events <= MAX_EVENTS
        ):
            last.append(part)
        else:
            groups.append([part])
    return groups


def near_range(today: date) -> DateRange:
    """Return the days around today, where slides and minutes appear."""
    first, last = (today + offset for offset in _NEAR_OFFSETS)
    return DateRange(first.isoformat(), last.isoformat())


def to_json(slices: Iterable[DateRange]) -> list[list[str | int]]:
    """Return slices as JSON."""
    return [list(astuple(each)) for each in slices]


def from_json(rows: Iterable[list[str | int]]) -> list[DateRange]:
    """Return slices from what `to_json` made."""
    return [DateRange(*row) for row in rows]  # type: ignore[arg-type]
