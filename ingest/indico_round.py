"""One run over an Indico site: what is asked in which order, and what is concluded.

Lists are cut by date, never paged by offset: Indico filters by access after LIMIT, so
pages come short or empty in the middle. An event that is missing from a list is asked
for by its number before anything is concluded. Does not know what is stored.
"""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dunegpt.errors import SourceError, SourceFormatError, SourceUnreachableError
from dunegpt.ingest import indico_plan as plan
from dunegpt.ingest.indico_access import Audience
from dunegpt.ingest.indico_event import MALFORMED, EventReader, Look, failure_of
from dunegpt.ingest.indico_objects import Reader
from dunegpt.ingest.indico_plan import Slice
from dunegpt.ingest.indico_site import (
    ALIVE,
    ANONYMOUS,
    CLOSED,
    DELETED,
    Eye,
    Json,
    Site,
)
from dunegpt.ingest.items import Alarm, Item, Memory, Scope, Seen, Whole
from dunegpt.types import Failure

log = logging.getLogger(__name__)

_BATCH = 20
_DOWN_AFTER = 3
_NEWEST = (20, 140, 1000)
_SAMPLE = 20
_SAMPLE_SHARE = 0.05
_PROGRAMME = 3
_LONG_PASS = timedelta(hours=1)

_UNREADABLE = (SourceUnreachableError, SourceFormatError)


class Round:
    """One run."""

    def __init__(
        self,
        site: Site,
        reader: Reader,
        audiences: Sequence[Audience],
        scope: Scope,
        memory: Memory,
    ) -> None:
        self._site = site
        self._reader = reader
        self._audiences = audiences
        self._accounts = [eye for audience in audiences for eye in audience.eyes]
        # The anonymous visitor comes last: what was closed meanwhile is not public.
        self._eyes = [*self._accounts, ANONYMOUS]
        self._canaries = [(e, a.canary) for a in audiences if a.canary for e in a.eyes]
        self._firsts = [audience.eyes[0] for audience in audiences] or [ANONYMOUS]
        self._scope = scope
        self._memory = memory
        self._events = EventReader(site, reader, audiences, self._eyes)
        self._known = dict(memory.tops())
        self._done: set[str] = set()
        self._failed: set[str] = set()
        self._days: dict[str, date | None] = {}
        self._in_row = 0

    @property
    def reach(self) -> Mapping[str, Eye]:
        """By whom a file can be fetched that the first eye is not shown."""
        return self._events.reach

    def items(self, expected: int) -> Iterator[Item]:
        """Yield what the scope asks for.

        Args:
            expected: How many events lie below the categories, hidden ones included.
        """
        yield from self._check_canaries()
        yield from self._named()
        now = datetime.now(UTC)
        if self._begin_full(expected):
            begun = self._memory.get("full")
            yield from self._everything(expected)
            if datetime.now(UTC) - datetime.fromisoformat(begun) < _LONG_PASS:
                return
            # What was read first in a long pass is old by now.
            self._done.clear()
            now = datetime.now(UTC)
        for part in self._slices() if self._scope.since else ():
            if part.touches(self._scope.since or date.min, date.max):
                first = max(part.start, str(self._scope.since))
                yield from self._read(replace(part, start=first))
        yield from self._read(plan.near(now.date()))
        yield from self._newest()
        yield from self._due(now)

    # ── which events ──────────────────────────────────────────────────────────────

    def _check_canaries(self) -> Iterator[Item]:
        for eye, canary in self._canaries:
            if not self._site.events([str(canary)], "events", eye):
                yield Alarm(
                    f"The account of {eye.label} is no longer shown the canary, event"
                    f" {canary}.",
                    hint="Does the account still hold its group? What is gone is only"
                    " hidden until it is shown again.",
                )

    def _named(self) -> Iterator[Item]:
        """Look at the events of change notices and of earlier failures."""
        numbers = (self._number(name) for name in self._scope.first)
        for number in dict.fromkeys(filter(str.isdecimal, numbers)):
            try:
                yield from self._examine(number)
            except _UNREADABLE as error:
                # A few broken ones, or the site is down: the lists will tell.
                log.info("not asking for more events by number: %s", error)
                break
        self._in_row = 0

    def _begin_full(self, expected: int) -> bool:
        """Return whether this run reads everything, or goes on with what was killed.

        To begin is to take all slices for unread.
        """
        slices = self._slices()
        if slices and not self._scope.full and not self._memory.get("full"):
            return False
        if not slices:
            today = datetime.now(UTC).date()
            few = expected <= plan.MOST_EVENTS
            slices = plan.whole() if few else plan.cut(today, expected)
            self._save(slices)
        if not self._memory.get("full"):
            self._save([replace(part, read_at="") for part in slices])
            self._memory.put("full", self._memory.started_at())
        return True

    def _everything(self, expected: int) -> Iterator[Item]:
        """Read the slices that a full pass, maybe begun by a killed run, lacks."""
        begun = self._memory.get("full")
        if not self._memory.tops():
            # Nothing was found in what was read, so there is nothing to go on with.
            self._save([replace(part, read_at="") for part in self._slices()])
        while unread := [part for part in self._slices() if not part.read_at]:
            yield from self._read_slice(unread[0])
        yield from self._sweep(begun)
        if expected and not self._done and not self._memory.tops():
            self._memory.put("slices", None)
            self._memory.put("full", None)
            raise SourceFormatError(
                f"The categories hold {expected} events, and none of them could be"
                " listed and read.",
                hint="May this account see any of them? Nothing was removed.",
            )
        self._memory.put("full", None)

    def _sweep(self, begun: str) -> Iterator[Item]:
        """Look for the known events that no list of this full pass had."""
        unseen = [
            self._number(document_id)
            for document_id, known in self._memory.tops().items()
            if known.observed_at <= begun
        ]
        settled = self._done | self._failed
        yield from self._lost([n for n in unseen if n and n not in settled], Slice())

    def _due(self, now: datetime) -> Iterator[Item]:
        """Read or look over the slices that are due."""
        for part in self._slices():
            due = part.due(now)
            if due == plan.READ:
                yield from self._read_slice(part)
            elif due == plan.LOOK:
                yield from self._look_over(part)
                self._replace(part, [replace(part, looked_at=_now())])

    def _newest(self) -> Iterator[Item]:
        """Read the events with the highest numbers until a known one comes.

        Of each group one account is asked; a killed run may have left half an event.
        """
        for eye in self._firsts:
            for limit in _NEWEST:
                order = {"descending": "yes", "limit": str(limit)}
                listed = self._numbers(self._site.below("events", eye, **order))
                new = [n for n in listed if not self._is_known_whole(n)]
                if len(new) < len(listed):
                    break
            yield from self._by_number([n for n in new if n not in self._done])

    def _is_known_whole(self, number: str) -> bool:
        return self._id(number) in self._known and bool(self._kept(number).get("look"))

    def _slices(self) -> list[Slice]:
        return plan.loaded(self._memory.get("slices") or [])

    def _save(self, slices: list[Slice]) -> None:
        self._memory.put("slices", plan.stored(slices))

    def _replace(self, old: Slice, new: list[Slice]) -> None:
        """Put slices in the place of one, all else as it is stored now."""
        self._save([n for s in self._slices() for n in (new if s == old else [s])])

    def _read_slice(self, part: Slice) -> Iterator[Item]:
        count = yield from self._read(part)
        # A clock that is set back must not make it due again in this very pass.
        read_at = max(_now(), self._memory.get("full") or "")
        done = replace(part, read_at=read_at, events=count)
        if count <= plan.MOST_EVENTS:
            self._replace(part, [done])
        elif not (part.start or part.stop):
            parts = plan.cut(datetime.now(UTC).date(), count)
            self._replace(part, [replace(p, read_at=done.read_at) for p in parts])
        else:
            self._replace(part, done.halves())

    def _read(self, part: Slice) -> Generator[Item, None, int]:
        """Read the events of some days; return how many there are.

        A part that the site cannot answer in one piece is halved, down to one day, and
        that is read event by event.
        """
        try:
            shown = self._events.looks(lambda level, eye: self._below(level, eye, part))
        except _UNREADABLE as error:
            halves = part.halves()
            log.info("%s to %s: %s", part.start, part.stop, error)
            if len(halves) > 1:
                count = 0
                for half in halves:
                    count += yield from self._read(half)
                return count
            return (yield from self._one_by_one(part))
        self._in_row = 0
        for number, looks in shown.items():
            yield from self._event(number, looks)
        yield from self._missing(part, set(shown))
        return len(shown)

    def _one_by_one(self, part: Slice) -> Generator[Item, None, int]:
        lists = [self._numbers(self._below("events", e, part)) for e in self._eyes]
        numbers = sorted(set().union(*lists), key=_in_order)
        yield from self._by_number(numbers)
        yield from self._missing(part, set(numbers))
        return len(numbers)

    def _look_over(self, part: Slice) -> Iterator[Item]:
        """See whether some days are as they were; read what is not."""
        try:
            shown = self._events.looks(lambda level, eye: self._below(level, eye, part))
        except _UNREADABLE as error:
            log.info("%s to %s: %s", part.start, part.stop, error)
            yield from self._read(part)
            return
        self._in_row = 0
        for number, looks in shown.items():
            if number not in self._done and self._is_as_it_was(number, looks):
                self._done.add(number)
                yield Seen(self._events.ids(looks))
            yield from self._event(number, looks)
        yield from self._missing(part, set(shown))

    def _is_as_it_was(self, number: str, looks: dict[Eye, Look]) -> bool:
        """Return whether an event shows what it showed; bare sessions are not shown."""
        kept = self._kept(number)
        bare = any(session for _, session, _ in (kept.get("sessions") or {}).values())
        if self._id(number) not in self._known or bare:
            return False
        try:
            return self._events.digest(looks) == kept.get("look")
        except MALFORMED:
            return False

    def _by_number(self, numbers: Sequence[str]) -> Iterator[Item]:
        """Read some events; a batch that fails is halved until the one is found."""
        todo = [list(numbers[i : i + _BATCH]) for i in range(0, len(numbers), _BATCH)]
        while todo:
            batch = todo.pop(0)
            try:
                shown = self._by_numbers(batch)
            except _UNREADABLE as error:
                if len(batch) > 1:
                    half = len(batch) // 2
                    todo[:0] = [batch[:half], batch[half:]]
                    continue
                yield self._unreadable(batch[0], error)
                continue
            self._in_row = 0
            for number in batch:
                if number in shown:
                    yield from self._event(number, shown[number])
                else:
                    yield from self._lost([number], Slice())

    # ── what is missing ───────────────────────────────────────────────────────────

    def _missing(self, part: Slice, listed: set[str]) -> Iterator[Item]:
        """Look for the known events of some days that the list of them lacks."""
        gone = []
        for document_id, known in self._known.items():
            number = self._number(document_id)
            if known.date and part.holds(known.date) and number not in listed:
                gone.append(number)
        settled = self._done | self._failed
        yield from self._lost([n for n in gone if n and n not in settled], part)

    def _lost(self, numbers: list[str], part: Slice) -> Iterator[Item]:
        """Find out what became of events that the list of some days lacks.

        Of very many a sample is asked for: if one of them exists where the list should
        have had it, the list is not to be trusted; else all are taken for gone.

        Raises:
            SourceFormatError: The list lacks events that exist.
        """
        many = len(numbers) > max(_SAMPLE, _SAMPLE_SHARE * len(self._known))
        asked = numbers[:_SAMPLE] if many else numbers
        for number in asked:
            fate = self._fate(number)
            if fate != ALIVE:
                reason = "deleted at the source" if fate == DELETED else "closed to us"
                yield self._gone(number, reason)
                continue
            yield from self._examine(number)
            day = self._days.get(number)
            if many and day and part.holds(day):
                raise SourceFormatError(
                    f"A list lacks {len(numbers)} known events, and event {number}"
                    " of them exists: the list cannot be trusted."
                )
        for number in numbers[len(asked) :]:
            # Not settled: the list of other days may still have it.
            yield self._gone(number, "no longer listed")
            self._done.discard(number)

    def _examine(self, number: str) -> Iterator[Item]:
        """Read one event by its number, wherever it is now."""
        try:
            shown = self._by_numbers([number])
            if number in shown and self._is_inside(number, shown[number]):
                yield from self._event(number, shown[number])
            elif number in shown:
                yield self._gone(number, "moved out of the categories")
            else:
                yield from self._unshown(number)
            self._in_row = 0
        except _UNREADABLE as error:
            yield self._unreadable(number, error)
        except MALFORMED as error:
            yield self._failure(number, error)

    def _unshown(self, number: str) -> Iterator[Item]:
        """Conclude on an event that no eye is shown."""
        fate = self._fate(number)
        if fate == ALIVE and self._id(number) not in self._known:
            return
        if fate == ALIVE:
            error = SourceFormatError("It exists, and is not shown to us.")
            yield self._failure(number, error)
        else:
            reason = "deleted at the source" if fate == DELETED else "closed to us"
            yield self._gone(number, reason)

    def _fate(self, number: str) -> str:
        """Return what became of an event: closed only if it is to every account."""
        fate = CLOSED
        for eye in self._accounts or [ANONYMOUS]:
            fate = self._site.fate(number, eye)
            if fate != CLOSED:
                break
        return fate

    def _is_inside(self, number: str, looks: dict[Eye, Look]) -> bool:
        """Return whether an event lies below the categories: only lists tell."""
        day = next(iter(looks.values()))[0]["startDate"]["date"]
        return any(
            number
            in self._numbers(self._site.below("events", e, **{"from": day, "to": day}))
            for e in looks
        )

    def _gone(self, number: str, reason: str) -> Whole:
        self._memory.put(self._id(number), None)
        self._done.add(number)
        return Whole(self._id(number), frozenset(), reason)

    # ── one event ─────────────────────────────────────────────────────────────────

    def _event(self, number: str, looks: dict[Eye, Look]) -> Iterator[Item]:
        """Yield the documents of one event, and that these are all."""
        if number in self._done:
            return
        kept = self._kept(number)
        before = kept.get("sessions") or {}
        try:
            found = self._events.read(number, looks, before, fresh=self._scope.full)
        except MALFORMED as error:
            yield self._failure(number, error)
            return
        except _UNREADABLE as error:
            yield self._unreadable(number, error)
            return
        self._done.add(number)
        self._in_row = 0
        self._days[number] = found.documents[0].date
        # Until all of it is stored, nothing may look as it was.
        self._memory.put(self._id(number), kept | {"look": ""})
        self._failed.discard(number)
        yield from found.documents
        yield from found.failures
        talks = sum(d.kind == "contribution" for d in found.documents)
        unpublished = not talks and bool(
            kept.get("unpublished") or kept.get("talks", 0) > _PROGRAMME
        )
        ids = frozenset(d.id for d in found.documents)
        reason = "programme withdrawn" if unpublished else "gone at the source"
        yield Whole(self._id(number), ids, reason, keep=unpublished)
        facts = {"look": found.digest, "talks": talks, "unpublished": unpublished}
        self._memory.put(self._id(number), facts | {"sessions": found.sessions})

    def _by_numbers(self, numbers: list[str]) -> dict[str, dict[Eye, Look]]:
        return self._events.looks(
            lambda level, eye: self._site.events(numbers, level, eye)
        )

    # ── names ─────────────────────────────────────────────────────────────────────

    def _below(self, level: str, eye: Eye, part: Slice) -> list[Json]:
        return self._site.below(level, eye, **part.params)

    def _kept(self, number: str) -> dict[str, Any]:
        """Return what earlier runs noted of an event."""
        return self._memory.get(self._id(number)) or {}

    def _id(self, number: str | int) -> str:
        return self._reader.event_id(number)

    def _number(self, document_id: str) -> str:
        """Return the number of the event that an id names or lies in, or empty."""
        prefix = self._reader.event_id("")
        name = document_id.removeprefix(prefix).partition("/")[0]
        return name if name.isalnum() and name.isascii() else ""

    @staticmethod
    def _numbers(events: list[Json]) -> list[str]:
        return [str(event["id"]) for event in events]

    def _unreadable(self, number: str, error: SourceError) -> Failure:
        """Return the failure of an event that the site cannot show.

        Raises:
            SourceError: The same, if it is one of several in a row: the site is down.
        """
        self._in_row += 1
        if self._in_row >= _DOWN_AFTER:
            raise error
        return self._failure(number, error)

    def _failure(self, number: str, error: Exception) -> Failure:
        """Return a failure of the list: nothing at or below it is removed."""
        self._failed.add(number)
        return failure_of(self._id(number), error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _in_order(number: str) -> tuple[int, str]:
    """Return a key that sorts ids by number; ids of old imports have letters."""
    return (int(number), "") if number.isdecimal() else (0, number)
