"""Withdraws from an answer what is closed at its source while the answer is written.

What was closed before has no part in the answer: the search leaves it out. Here each
event is checked again before it is yielded, against what is known by then; the check
asks no source. If nothing is left of an answer, its outcome says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.types import (
    AnswerEvent,
    Citation,
    Difference,
    Finished,
    Hit,
    Notice,
    Outcome,
    References,
    Sentence,
    Withdrawn,
)

_NOTICE = (
    "A document was closed at its source while this answer was written, so what rested"
    " on it is withdrawn."
)


def withdraw_closed(
    events: Iterator[AnswerEvent], index: ReaderIndex, trace: AnswerTrace
) -> Iterator[AnswerEvent]:
    """Yield the events of an answer without what is closed by then.

    Args:
        events: Events from the references on.
        index: Index of the person who asks.
        trace: Trace of the answer; receives what was not confirmed.
    """
    if not index.confirms:
        yield from events
        return
    guard = _Guard(index)
    for event in events:
        if new := guard.find_withdrawn(event):
            yield Withdrawn(new)
            yield Notice(_NOTICE)
        if isinstance(event, Finished):
            trace.add_notes(index.describe_confirmation())
        shown = guard.remove_closed(event)
        if shown is not None:
            yield shown


class _Guard:
    """What an answer has shown so far, and which of it was closed meanwhile."""

    def __init__(self, index: ReaderIndex) -> None:
        self._index = index
        self._hits: dict[int, Hit] = {}
        self._closed: frozenset[int] = frozenset()
        self._supported: list[Sentence] = []

    def find_withdrawn(self, event: AnswerEvent) -> frozenset[int]:
        """Return the numbers of shown references that are closed since the last event.

        Those that this very event would show first are only left out.
        """
        before = self._closed
        shown = frozenset(self._hits)
        if isinstance(event, References | Finished):
            self._hits |= {c.number: c.hit for c in _list_citations(event)}
        numbers = [number for number in self._hits if number not in before]
        closed = self._index.find_closed([self._hits[number] for number in numbers])
        self._closed = before.union(numbers[place] for place in closed)
        return (self._closed - before) & shown

    def remove_closed(self, event: AnswerEvent) -> AnswerEvent | None:
        """Return an event without what is closed; None if nothing is left of it."""
        match event:
            case References():
                return References(self._remove(event.citations))
            case Sentence():
                if not self._closed.isdisjoint(event.citations):
                    return None
                if event.supported:
                    self._supported.append(event)
            case Difference():
                numbers = (event.newer.citation, event.older.citation)
                return event if self._closed.isdisjoint(numbers) else None
            case Finished():
                return self._finish(event)
        return event

    def _finish(self, event: Finished) -> Finished:
        references = self._remove(event.references)
        is_left = any(self._closed.isdisjoint(s.citations) for s in self._supported)
        outcome = event.outcome
        if outcome is Outcome.ANSWERED and self._closed and not is_left:
            outcome = Outcome.NOT_IN_DOCUMENTS
        return replace(event, references=references, outcome=outcome)

    def _remove(self, citations: Sequence[Citation]) -> tuple[Citation, ...]:
        return tuple(c for c in citations if c.number not in self._closed)


def _list_citations(event: References | Finished) -> Sequence[Citation]:
    return event.citations if isinstance(event, References) else event.references
