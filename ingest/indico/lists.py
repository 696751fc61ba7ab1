"""Reads the events of some days: from all categories, or from each that can be listed.

Lists are divided by date, never paged by offset: Indico filters by access after LIMIT,
so pages are short or empty in the middle. An event that is missing from a list is
requested by its number before anything is concluded. Each category and each range of
days is a unit of failure: what cannot be listed ends the run only if nothing can be.
"""

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from dunegpt.errors import SourceError, SourceFormatError, SourceLoginError
from dunegpt.ingest.indico.client import (
    AVAILABLE,
    Account,
    Json,
)
from dunegpt.ingest.indico.events import (
    MALFORMED,
    EventListing,
    EventReader,
    Looks,
)
from dunegpt.ingest.indico.facts import EventFacts
from dunegpt.ingest.indico.schedule import DateRange
from dunegpt.ingest.indico.single import UNREADABLE, SingleEvents
from dunegpt.ingest.items import Alarm, Item
from dunegpt.ingest.loss_guard import is_mass_loss

log = logging.getLogger(__name__)

_BATCH_SIZE = 20
_LOSS_SAMPLE = 20
_MANY_CHANGES = 20
_EVERYTHING = DateRange()


@dataclass(slots=True)
class _Found:
    """What the lists of some days had.

    Attributes:
        roots_by_number: The categories that listed each event.
        failed: Whether something could not be listed.
    """

    roots_by_number: dict[str, set[int]] = field(default_factory=dict)
    failed: bool = False


class EventLists:
    """The lists of one run.

    Attributes:
        unlisted: Ranges of days that could not be listed, by their category.
        down: Categories of which nothing can be listed.
        listed: How many lists of days were read.
        error: The first error of those that were not.
    """

    def __init__(
        self,
        reader: EventReader,
        facts: EventFacts,
        events: SingleEvents,
        roots: Sequence[int],
    ) -> None:
        self._client, self._viewers = reader.client, reader.viewers
        self._reader, self._facts, self._events = reader, facts, events
        self._roots = roots
        self.unlisted: dict[int, list[DateRange]] = {}
        self.down: set[int] = set()
        self.listed = 0
        self._is_down = False
        self._last_good = ""
        self.error: SourceError | None = None

    @property
    def roots(self) -> list[int]:
        """The categories that can be listed."""
        return [root for root in self._roots if root not in self.down]

    def units(self) -> dict[str, list[str]]:
        """Return what could not be listed, each with the numbers of its events."""
        units: dict[str, list[str]] = {}
        for root in self._roots:
            for part in [None] if root in self.down else self.unlisted.get(root, []):
                units[name_unit(root, part)] = [
                    number
                    for number in self._facts.known_numbers()
                    if self._may_lie_in(number, root, part)
                ]
        return units

    def _may_lie_in(self, number: str, root: int, part: DateRange | None) -> bool:
        if root not in (self._facts.get(number).get("roots") or [root]):
            return False
        day = self._facts.day(number)
        return part is None or day is None or part.overlaps(day, day)

    # ── some days ─────────────────────────────────────────────────────────────────

    def read(
        self, part: DateRange, *, only_changed: bool = False
    ) -> Generator[Item, None, int | None]:
        """Read the events of some days.

        Args:
            part: The days.
            only_changed: Leave those that are as they were.

        Returns:
            How many events there are, or None if some could not be listed.

        Raises:
            SourceError: No category can be listed any more.
        """
        found, listed = _Found(), 0
        for root in self.roots:
            try:
                yield from self._read_root(root, part, found, only_changed)
                self._events.failures.reset()
                # What lies in days that are not to be trusted proves nothing.
                known_bad = self.unlisted.get(root, [])
                listed += not any(part.meets(bad) for bad in known_bad)
            except UNREADABLE as error:
                if self._is_down:
                    raise
                found.failed = True
                yield self._fail([root], part, error)
        try:
            yield from self._check_missing(part, found)
            self.listed += listed
        except UNREADABLE as error:
            if self._is_down:
                raise
            found.failed = True
            yield self._fail(self.roots, part, error)
        return None if found.failed else len(found.roots_by_number)

    def _read_root(
        self, root: int, part: DateRange, found: _Found, only_changed: bool
    ) -> Iterator[Item]:
        """Read the events of some days below one category.

        A part that the site cannot answer in one piece is halved, down to one day, and
        that is read event by event.
        """
        try:
            shown = self._reader.collect_listings(partial(self._fetch, root, part=part))
            breaks = {} if only_changed else self._reader.collect_breaks(shown)
        except UNREADABLE as error:
            halves = part.halve()
            log.info("%s to %s: %s", part.start, part.stop, error)
            if len(halves) > 1:
                for half in halves:
                    yield from self._read_root(root, half, found, only_changed)
                return
            yield from self._read_singly(root, part, found)
            return
        self._events.failures.reset()
        for number, looks in shown.items():
            roots = found.roots_by_number.setdefault(number, set())
            roots.add(root)
            if only_changed:
                yield from self._events.check(number, looks, sorted(roots))
            else:
                own = breaks.get(number, self._facts.get(number).get("breaks") or [])
                yield from self._events.read(number, looks, own, sorted(roots))

    def _read_singly(self, root: int, part: DateRange, found: _Found) -> Iterator[Item]:
        """Read the events of a day by their numbers, as far as any list has them.

        Raises:
            SourceError: No account is given a list.
        """
        numbers: set[str] = set()
        errors: list[SourceError] = []
        for eye in self._viewers.working:
            try:
                numbers |= set(event_numbers(self._fetch(root, "events", eye, part)))
            except SourceLoginError as error:
                self._viewers.fail(eye, error)
            except UNREADABLE as error:
                errors.append(error)
        if errors and len(errors) >= len(self._viewers.working):
            raise errors[0]
        for number in numbers:
            found.roots_by_number.setdefault(number, set()).add(root)
        known = {n for n, day in self._facts.days() if part.contains(day)}
        mine = {n for n in known if root in (self._facts.get(n).get("roots") or [root])}
        wanted = numbers | (mine if errors else set())
        yield from self.read_by_number(sorted(wanted, key=_sort_key), [root])
        if errors:
            # The lists of some accounts only: what is known was asked for by number.
            found.failed = True
            yield self._fail([root], part, errors[0])

    def _fail(self, roots: Sequence[int], part: DateRange, error: SourceError) -> Alarm:
        """Return a warning that some days of categories, or all, cannot be listed.

        Raises:
            SourceError: The error itself: no category can be listed.
        """
        self._events.failures.reset()
        self.error = self.error or error
        for root in roots:
            if self._is_up(root):
                self.unlisted.setdefault(root, []).append(part)
            else:
                self.down.add(root)
        if not self.roots:
            raise error
        down = [root for root in roots if root in self.down]
        units = [name_unit(r, None if r in down else part) for r in roots]
        numbers = ", ".join(map(str, roots))
        return Alarm(
            f"Not listed: {'; '.join(units)}. {error} All else was crawled. What lies"
            " there stays as it was, and is hidden once it is unconfirmed for [access]"
            " max_overlay_age_h. Each run tries again; if it keeps failing, tell the"
            f" site's managers, or take {numbers} out of 'categories'.",
            is_critical=False,
        )

    def _is_up(self, root: int) -> bool:
        """Return whether anything of a category can be listed: one request tells."""
        for eye in self._viewers.accounts:
            try:
                self._client.fetch_category_events(root, "events", eye, limit="1")
                return True
            except SourceLoginError as error:
                self._viewers.fail(eye, error)
            except SourceError:
                return False
        return False

    # ── by number ─────────────────────────────────────────────────────────────────

    def read_by_number(
        self, numbers: Sequence[str], roots: Sequence[int] = ()
    ) -> Iterator[Item]:
        """Read some events; a batch that fails is halved until the one is found."""
        todo = [
            list(numbers[i : i + _BATCH_SIZE])
            for i in range(0, len(numbers), _BATCH_SIZE)
        ]
        while todo:
            batch = [n for n in todo.pop(0) if n not in self._events.done]
            if not batch:
                continue
            try:
                shown = self._fetch_by_number(batch)
            except UNREADABLE as error:
                if len(batch) > 1:
                    half = len(batch) // 2
                    todo[:0] = [batch[:half], batch[half:]]
                    continue
                others = [self._last_good, *(n for rest in todo for n in rest[-1:])]
                yield self._count_failure(batch[0], error, others)
                continue
            self._events.failures.reset()
            self._last_good = batch[0]
            for number in batch:
                if number in shown:
                    yield from self._events.read(number, shown[number], None, roots)
                else:
                    yield from self._resolve_missing([number], _EVERYTHING)

    def _count_failure(
        self, number: str, error: SourceError, others: Sequence[str]
    ) -> Item:
        """Return the failure of an event; several in a row may be the site's.

        Args:
            number: Of the event.
            error: What happened.
            others: Numbers of events that tell whether the site is down.

        Raises:
            SourceError: The site is down.
        """
        try:
            return self._events.count_failure(number, error)
        except UNREADABLE:
            # Several broken events, or the site is down: one more request tells.
            if not self._shows_any(others):
                self._is_down = True
                raise
            self._events.failures.reset()
            return self._events.note_failure(number, error)

    def _shows_any(self, numbers: Sequence[str]) -> bool:
        """Return whether the site answers when it is asked for the first of these."""
        for number in [n for n in numbers if n][:1]:
            try:
                self._client.fetch_events([number], "events", self._viewers.accounts[0])
                return True
            except SourceError:
                return False
        return False

    def resolve(self, number: str) -> Iterator[Item]:
        """Read one event by its number, wherever it is now."""
        try:
            shown = self._fetch_by_number([number])
            roots = self._roots_of(shown[number]) if number in shown else []
            if roots:
                yield from self._events.read(number, shown[number], None, roots)
            elif number in shown and (self.unlisted or self.down):
                log.info("event %s may lie in a category that is not listed", number)
            elif number in shown:
                yield self._events.remove(number, "moved out of the categories")
            else:
                yield from self._events.resolve_hidden(number)
            self._events.failures.reset()
        except UNREADABLE as error:
            yield self._events.count_failure(number, error)
        except MALFORMED as error:
            yield self._events.note_failure(number, error)

    def _roots_of(self, looks: Looks) -> list[int]:
        """Return the categories that an event lies below: only lists tell."""
        event = next(iter(looks.values()))[0]
        number, day = str(event["id"]), event["startDate"]["date"]
        part = DateRange(day, day)
        return [
            root
            for root in self.roots
            if any(number in self._list_numbers(root, eye, part) for eye in looks)
        ]

    def _list_numbers(self, root: int, eye: Account, part: DateRange) -> list[str]:
        """Return what is listed for an account; nothing if it is refused."""
        if eye in self._viewers.failed:
            return []
        try:
            return event_numbers(self._fetch(root, "events", eye, part))
        except SourceLoginError as error:
            self._viewers.fail(eye, error)
            return []

    def _fetch_by_number(
        self, numbers: list[str]
    ) -> dict[str, dict[Account, EventListing]]:
        return self._reader.collect_listings(
            lambda level, eye: self._client.fetch_events(numbers, level, eye)
        )

    # ── what is missing ───────────────────────────────────────────────────────────

    def _check_missing(self, part: DateRange, found: _Found) -> Iterator[Item]:
        """Look for the known events of some days that the lists of them lack."""
        gone = [
            number
            for number, day in self._facts.days()
            if part.contains(day)
            and number not in found.roots_by_number
            and not self.is_unlisted(number, day)
        ]
        yield from self.resolve_missing(gone, part)

    def is_unlisted(self, number: str, day: date | None) -> bool:
        """Return whether an event may stand in a list that could not be had."""
        if self._events.may_be_shown(number):
            return True
        roots = self._facts.get(number).get("roots") or self._roots
        return any(
            root in self.down
            or any(
                day is None or part.overlaps(day, day)
                for part in self.unlisted.get(root, ())
            )
            for root in roots
        )

    def resolve_missing(
        self, numbers: Iterable[str], part: DateRange
    ) -> Iterator[Item]:
        """Find out what became of events that are not settled and not listed."""
        open_numbers = [n for n in numbers if not self._events.is_settled(n)]
        yield from self._resolve_missing(open_numbers, part)

    def _resolve_missing(self, numbers: list[str], part: DateRange) -> Iterator[Item]:
        """Find out what became of events that the list of some days lacks.

        Of very many a sample is asked for: if one of them exists where the list should
        have had it, the list is not to be trusted; else all are taken for gone.

        Raises:
            SourceFormatError: The list lacks events that exist.
        """
        many = is_mass_loss(len(numbers), self._facts.known_count)
        asked = numbers[:_LOSS_SAMPLE] if many else numbers
        for number in asked:
            fate = self._events.find_availability(number)
            if fate != AVAILABLE:
                yield from self._events.conclude(number, fate)
                continue
            yield from self.resolve(number)
            day = self._events.days.get(number)
            if many and day and part.contains(day):
                raise SourceFormatError(
                    f"A list lacks {len(numbers)} known events, and event {number}"
                    " of them exists: the list cannot be trusted."
                )
        for number in numbers[len(asked) :]:
            # Not settled: the list of other days may still have it.
            yield self._events.remove(number, "no longer listed")
            self._events.done.discard(number)

    # ── a quick look ──────────────────────────────────────────────────────────────

    def glance(self, part: DateRange, eyes: Sequence[Account]) -> Iterator[Item]:
        """See whether some accounts are shown of some days what they were shown.

        What differs is read; nothing is concluded from what is alike.

        Raises:
            SourceError: The lists could not be had.
        """
        known = [n for n, day in self._facts.days() if part.contains(day)]
        with_sessions = any(self._facts.get(n).get("blocks", True) for n in known)
        views: dict[str, dict[str, str]] = {}
        for root in self.roots:
            shown = self._reader.collect_listings(
                partial(self._fetch, root, part=part),
                [eye for eye in eyes if eye not in self._viewers.failed],
                with_sessions=with_sessions,
            )
            for number, looks in shown.items():
                views.setdefault(number, {}).update(self._safe_digests(looks))
        labels = {eye.label for eye in eyes if eye not in self._viewers.failed}
        changed = [
            number
            for number in {*known, *views}
            if not self._events.is_settled(number)
            and not self.is_unlisted(number, self._facts.day(number))
            and self._differs(number, views.get(number, {}), labels)
        ]
        if len(changed) > _MANY_CHANGES:
            yield from self.read(part, only_changed=True)
        else:
            yield from self.read_by_number(sorted(changed, key=_sort_key))

    def _safe_digests(self, looks: Looks) -> Mapping[str, str]:
        try:
            return self._reader.view_digests(looks)
        except MALFORMED:
            return dict.fromkeys((eye.label for eye in looks), "malformed")

    def _differs(self, number: str, now: Mapping[str, str], labels: set[str]) -> bool:
        if not self._facts.is_complete(number):
            return True
        before = self._facts.get(number).get("views") or {}
        return {k: v for k, v in before.items() if k in labels} != dict(now)

    # ── requests ──────────────────────────────────────────────────────────────────

    def fetch_newest(self, root: int, eye: Account, limit: int) -> list[str]:
        """Return the highest numbers below a category, the highest first."""
        order = {"descending": "yes", "limit": str(limit)}
        try:
            return event_numbers(
                self._client.fetch_category_events(root, "events", eye, **order)
            )
        except SourceLoginError as error:
            self._viewers.fail(eye, error)
            return []

    def _fetch(
        self, root: int, level: str, eye: Account, part: DateRange
    ) -> list[Json]:
        return self._client.fetch_category_events(root, level, eye, **part.params)


def event_numbers(events: Iterable[Json]) -> list[str]:
    """Return the numbers of listed events."""
    return [str(event["id"]) for event in events]


def name_unit(root: int, part: DateRange | None) -> str:
    """Return what an operator is told of some days of a category; None for all."""
    if part is None:
        return f"category {root}"
    first, last = part.start or "the beginning", part.stop or "the end"
    return f"category {root} from {first} to {last}"


def _sort_key(number: str) -> tuple[int, str]:
    """Return a key that sorts ids by number; ids of old imports have letters."""
    return (int(number), "") if number.isdecimal() else (0, number)
