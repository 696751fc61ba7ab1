"""A bounded queue for a model server that serves people in fair turns.

Knows neither servers nor questions.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dunegpt.errors import ModelError, ModelFault


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    person: str
    number: int


class FairQueue:
    """Lets so many in at once; the others wait, and not too many of them."""

    def __init__(
        self, at_once: int, *, waiting: int, each: int, wait_s: float = 30
    ) -> None:
        """Make an empty queue.

        Args:
            at_once: So many are let in.
            waiting: So many may wait; the next one is refused.
            each: So many of one person may wait.
            wait_s: So long one waits at most.
        """
        self._at_once, self._max_waiting, self._max_per_person = at_once, waiting, each
        self._wait_s = wait_s
        self._changed = threading.Condition()
        self._active: Counter[str] = Counter()
        self._last_turns: dict[str, int] = {}
        self._waiting: list[_Ticket] = []
        self._count = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def turn(self, person: str) -> Iterator[None]:
        """Wait for a turn, and have it while the context lasts.

        First comes who has fewest turns at the moment, then whose last turn is longest
        ago, then who came first: somebody with many questions delays their own.

        Raises:
            ModelError: Too many wait already, or it took too long.
        """
        self._enter(person)
        try:
            yield
        finally:
            with self._changed:
                self._active[person] -= 1
                if not self._active[person]:
                    del self._active[person]
                if not self._active and not self._waiting:
                    self._last_turns.clear()
                self._changed.notify_all()

    def _enter(self, person: str) -> None:
        with self._changed:
            self._count += 1
            place = _Ticket(person, self._count)
            own = sum(other.person == person for other in self._waiting)
            if self._is_full() and len(self._waiting) >= self._max_waiting:
                raise _make_overloaded_error("too many people wait for it")
            if self._is_full() and own >= self._max_per_person:
                raise _make_overloaded_error("too many questions of yours wait for it")
            self._waiting.append(place)
            try:
                if not self._changed.wait_for(
                    lambda: self._is_next(place), self._wait_s
                ):
                    raise _make_overloaded_error(
                        f"no turn came within {self._wait_s:g} s"
                    )
                self._active[person] += 1
                self._last_turns[person] = self._count
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()

    def _is_full(self) -> bool:
        return self._active.total() >= self._at_once

    def _is_next(self, place: _Ticket) -> bool:
        return not self._is_full() and place is min(self._waiting, key=self._rank)

    def _rank(self, place: _Ticket) -> tuple[int, int, int]:
        person = place.person
        return self._active[person], self._last_turns.get(person, 0), place.number


def _make_overloaded_error(why: str) -> ModelError:
    return ModelError(f"is overloaded: {why}", fault=ModelFault.OVERLOADED)
