"""What earlier runs noted of each event, and which events are known.

State keys: an event's id, with what it looked like to each account (`views`), to all
together (`look`), on which day it begins (UTC), below which categories it was listed,
and what of it was asked for once. Decides nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from dunegpt.ingest.items import SourceState


class EventFacts:
    """The notes of all events, by number."""

    def __init__(self, state: SourceState, event_id: Callable[[str], str]) -> None:
        """Load the notes.

        Args:
            state: Where they are stored.
            event_id: Returns the document id of an event by its number.
        """
        self._state, self._event_id = state, event_id
        prefix = event_id("")
        self._facts: dict[str, dict[str, Any]] = {
            key.removeprefix(prefix): value
            for key, value in state.items_with_prefix(prefix)
            if isinstance(value, dict)
        }
        self._known = {
            key.removeprefix(prefix): known.date
            for key, known in state.top_documents().items()
            if key.startswith(prefix)
        }

    def get(self, number: str) -> dict[str, Any]:
        """Return what was noted of an event."""
        return self._facts.get(number) or {}

    def put(self, number: str, facts: dict[str, Any] | None) -> None:
        """Note something of an event, or forget it."""
        self._state.put(self._event_id(number), facts)
        if facts is None:
            self._facts.pop(number, None)
        else:
            self._facts[number] = facts

    def is_known(self, number: str) -> bool:
        """Return whether an event was in the catalog before this run."""
        return number in self._known

    @property
    def known_count(self) -> int:
        """Number of events that were in the catalog before this run."""
        return len(self._known)

    def known_numbers(self) -> Iterable[str]:
        """Return the numbers of those events."""
        return self._known.keys()

    def days(self) -> Iterator[tuple[str, date]]:
        """Yield the known events with the day on which they begin, UTC.

        Earlier versions stored dates in UTC, and noted no day.
        """
        for number in self._known:
            if day := self.day(number):
                yield number, day

    def day(self, number: str) -> date | None:
        """Return the day on which an event begins, UTC."""
        start = self.get(number).get("start")
        return date.fromisoformat(start) if start else self._known.get(number)

    def is_complete(self, number: str) -> bool:
        """Return whether all of an event was stored."""
        return self.is_known(number) and bool(self.get(number).get("look"))

    def was_seen_by(self, number: str, labels: Iterable[str]) -> bool:
        """Return whether one of some accounts was shown an event; True if unknown."""
        views = self.get(number).get("views")
        return views is None or any(label in views for label in labels)

    def risk(self, number: str, now: datetime) -> int:
        """Return how much it matters that an event is looked at: 0 to 2.

        What changed in the last week, and what is public, comes first.
        """
        facts = self.get(number)
        changed = facts.get("changed")
        age = now - datetime.fromisoformat(changed) if changed else None
        return int(bool(facts.get("public"))) + int(age is not None and age.days < 7)


def now_text() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
