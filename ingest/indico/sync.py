"""One crawl of an Indico site: which events are read, and in which order.

First what was reported as changed, then the days around today and the newest events,
then a quick look at all other days by one account per group, then what is due of them
(`indico.schedule`). After an alarm all lists are taken again. What could not be listed,
and what rests on an account that is refused, is noted as unconfirmed.
"""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from dunegpt.errors import SourceFormatError, SourceLoginError
from dunegpt.ingest.canary import check_canary
from dunegpt.ingest.indico import schedule as plan
from dunegpt.ingest.indico.client import ANONYMOUS, Account
from dunegpt.ingest.indico.events import EventReader
from dunegpt.ingest.indico.facts import EventFacts
from dunegpt.ingest.indico.lists import EventLists
from dunegpt.ingest.indico.network import NetworkCheck
from dunegpt.ingest.indico.schedule import DateRange
from dunegpt.ingest.indico.single import UNREADABLE, SingleEvents
from dunegpt.ingest.indico.survey import Survey
from dunegpt.ingest.items import CrawlScope, Item, SourceState
from dunegpt.ingest.sync import UnitFailures

log = logging.getLogger(__name__)

_NEWEST_LIMITS = (20, 140, 1000)
_LONG_PASS = timedelta(hours=1)
_CLOSED_KEY = "closed categories"


class IndicoSync:
    """One run."""

    def __init__(
        self,
        reader: EventReader,
        roots: Sequence[int],
        scope: CrawlScope,
        state: SourceState,
        *,
        network: NetworkCheck,
        max_glances: int = 0,
    ) -> None:
        """Take what the run works with.

        Args:
            reader: Reads events, with several accounts.
            roots: Numbers of the categories.
            scope: What is to be read.
            state: What earlier runs noted.
            network: What the reader found out of our network.
            max_glances: Limit on the requests of the quick look; 0 for none.
        """
        self._client, self._parser = reader.client, reader.parser
        self._viewers, self._reader, self._network = reader.viewers, reader, network
        self._scope, self._state = scope, state
        self._max_glances = max_glances
        self._facts = EventFacts(state, reader.parser.event_id)
        self._events = SingleEvents(reader, self._facts, scope, state)
        self._lists = EventLists(reader, self._facts, self._events, roots)
        self._tried: list[DateRange] = []
        self._units = UnitFailures(state)
        self._recheck = scope.recheck

    @property
    def account_by_url(self) -> Mapping[str, Account]:
        """By whom a file of the current event can be fetched."""
        return self._reader.account_by_url

    def sync(self, survey: Survey) -> Iterator[Item]:
        """Yield what the scope asks for.

        Args:
            survey: What was found out before.

        Raises:
            SourceError: Nothing could be listed, or nobody may look.
        """
        yield from self._check_canaries()
        self._note_closed(survey.closed)
        yield from self._sync_lists(survey.expected)
        if self._lists.error and not self._lists.listed:
            raise self._lists.error
        yield from self._viewers.report()
        yield from self._network.report()
        yield from self._reader.report()
        self._note_units()

    def _sync_lists(self, expected: int) -> Iterator[Item]:
        yield from self._sync_priority()
        now = datetime.now(UTC)
        if self._begin_full(expected):
            begun = self._state.get("full")
            is_done = yield from self._sync_all(expected)
            if is_done and _age(begun) < _LONG_PASS:
                return
            # What was read first in a long pass is old by now.
            self._events.done.clear()
            now = datetime.now(UTC)
        for part in self._load_ranges() if self._scope.since else ():
            if part.overlaps(self._scope.since or date.min, date.max):
                first = max(part.start, str(self._scope.since))
                yield from self._lists.read(replace(part, start=first))
        yield from self._lists.read(plan.near_range(now.date()).widen())
        yield from self._sync_newest()
        yield from self._glance(now)
        yield from self._sync_due(now)

    # ── units of failure ──────────────────────────────────────────────────────────

    def _note_closed(self, closed: Mapping[int, Sequence[str]]) -> None:
        """Take all lists again if a category was closed or opened to an account."""
        told = {str(root): sorted(labels) for root, labels in closed.items() if labels}
        if told != (self._state.get(_CLOSED_KEY) or {}):
            self._recheck = True
            self._state.put(_CLOSED_KEY, told or None)

    def _note_units(self) -> None:
        """Note what could not be confirmed by this run, and that all else was."""
        units = self._lists.units()
        for name, eye in self._viewers.units().items():
            units[name] = [
                number
                for number in self._facts.known_numbers()
                if self._facts.was_seen_by(number, [eye.label])
            ]
        for name, numbers in units.items():
            self._units.fail(name, map(self._parser.event_id, numbers))
        self._units.keep_only(units)

    def _check_canaries(self) -> Iterator[Item]:
        """Yield an alarm for each canary that an account lost, or that is public.

        Raises:
            ConfigError: A canary was never shown to its account.
        """
        for audience in self._viewers.audiences:
            if not audience.canary:
                continue
            is_public = self._is_public(audience.canary)
            for eye in audience.accounts:
                problem = check_canary(
                    f"event {audience.canary}",
                    self._state,
                    is_shown=self._sees_canary(audience.canary, eye),
                    is_public=is_public,
                    account=f"the account of {eye.label}",
                )
                if problem:
                    yield problem
                if is_public:
                    break

    def _is_public(self, canary: int) -> bool:
        """Return whether an anonymous visitor sees a canary, wherever he comes from."""
        found = self._client.fetch_events([str(canary)], "events", ANONYMOUS)
        return any(not event.get("hasAnyProtection") for event in found)

    def _sees_canary(self, canary: int, eye: Account) -> bool:
        """Return whether an account sees its canary; True if it is refused."""
        if eye in self._viewers.failed:
            return True
        try:
            return bool(self._client.fetch_events([str(canary)], "events", eye))
        except SourceLoginError as error:
            self._viewers.fail(eye, error)
            return True

    # ── which events ──────────────────────────────────────────────────────────────

    def _sync_priority(self) -> Iterator[Item]:
        """Look at the events of change notices and of earlier failures."""
        numbers = (self._event_number(name) for name in self._scope.priority_ids)
        for number in dict.fromkeys(filter(str.isdecimal, numbers)):
            try:
                yield from self._lists.resolve(number)
            except UNREADABLE as error:
                # A few broken ones, or the site is down: the lists will tell.
                log.info("not asking for more events by number: %s", error)
                break
        self._events.failures.reset()

    def _begin_full(self, expected: int) -> bool:
        """Return whether this run reads everything, or goes on with what was killed.

        To begin is to take all slices for unread.
        """
        slices = self._load_ranges()
        if slices and not self._scope.full and not self._state.get("full"):
            return False
        if not slices:
            today = datetime.now(UTC).date()
            few = expected <= plan.MAX_EVENTS
            slices = plan.full_range() if few else plan.cut(today, expected)
            self._save_ranges(slices)
        if not self._state.get("full"):
            self._save_ranges([replace(part, read_at="") for part in slices])
            self._state.put("full", self._state.started_at())
        return True

    def _sync_all(self, expected: int) -> Generator[Item, None, bool]:
        """Read the slices that a full pass, maybe begun by a killed run, lacks.

        Returns:
            Whether all of them were read.
        """
        begun = self._state.get("full")
        if not self._state.top_documents():
            # Nothing was found in what was read, so there is nothing to go on with.
            self._save_ranges(
                [replace(part, read_at="") for part in self._load_ranges()]
            )
        while unread := [
            p for p in self._load_ranges() if not p.read_at and p not in self._tried
        ]:
            self._tried.append(unread[0])
            yield from self._read_range(unread[0])
        is_done = all(part.read_at for part in self._load_ranges())
        if not is_done:
            return False
        yield from self._check_unlisted(begun)
        found = self._events.done or self._state.top_documents()
        if expected and not found and not self._viewers.failed:
            self._state.put("slices", None)
            self._state.put("full", None)
            raise SourceFormatError(
                f"The categories hold {expected} events, and none of them could be"
                " listed and read.",
                hint="Is this account allowed to see any of them? Nothing was removed.",
            )
        self._state.put("full", None)
        return True

    def _check_unlisted(self, begun: str) -> Iterator[Item]:
        """Look for the known events that no list of this full pass had."""
        unseen = [
            self._event_number(document_id)
            for document_id, known in self._state.top_documents().items()
            if known.observed_at <= begun
        ]
        yield from self._lists.resolve_missing(
            [n for n in unseen if n and not self._lists.is_unlisted(n, None)],
            DateRange(),
        )

    def _glance(self, now: datetime) -> Iterator[Item]:
        """Look over the slices that are due for it, the longest unseen first.

        Of those that wait equally long, the ones where more is public, or changed of
        late, come first.
        """
        due = [p for p in self._load_ranges() if p.is_glance_due(now)]
        if self._recheck or not due:
            return
        risks = {p: 0 for p in due}
        for number, day in self._facts.days():
            for part in due:
                if part.contains(day):
                    risks[part] += self._facts.risk(number, now)
        groups = sorted(
            plan.join(due),
            key=lambda g: (
                -max(p.glance_age(now) // timedelta(hours=1) for p in g),
                -sum(risks[p] for p in g),
            ),
        )
        first = self._client.http_client.requests
        eyes = self._viewers.one_per_group()
        for group in groups:
            spent = self._client.http_client.requests - first
            if self._max_glances and spent >= self._max_glances:
                log.info("the rest of the quick look is left to the next run")
                break
            part = DateRange(group[0].start, group[-1].stop)
            try:
                yield from self._lists.glance(part, eyes)
            except UNREADABLE as error:
                log.info("%s to %s: %s", part.start, part.stop, error)
                if (yield from self._lists.read(part, only_changed=True)) is None:
                    continue
            for each in group:
                self._replace_range(each, [replace(each, glanced_at=_now())])

    def _sync_due(self, now: datetime) -> Iterator[Item]:
        """Read or look over the slices that are due, or all after an alarm."""
        for part in self._load_ranges():
            due = part.due_action(now)
            if part in self._tried:
                continue
            if due == plan.READ:
                yield from self._read_range(part)
            elif due == plan.LOOK or self._recheck:
                count = yield from self._lists.read(part, only_changed=True)
                if count is not None:
                    self._replace_range(part, [replace(part, looked_at=_now())])

    def _sync_newest(self) -> Iterator[Item]:
        """Read the events with the highest numbers until a known one comes.

        Of each group one account is asked; a killed run may have left half an event.
        """
        eyes = [e for e in self._viewers.one_per_group() if e != ANONYMOUS]
        for eye in eyes or [ANONYMOUS]:
            for root in self._lists.roots:
                try:
                    new = self._find_newest(root, eye)
                except UNREADABLE as error:
                    # The lists of days tell whether the category is down.
                    log.info("category %s: no newest events: %s", root, error)
                    continue
                yield from self._lists.read_by_number(new, [root])

    def _find_newest(self, root: int, eye: Account) -> list[str]:
        """Return the events with the highest numbers that are not known."""
        new: list[str] = []
        for limit in _NEWEST_LIMITS:
            listed = self._lists.fetch_newest(root, eye, limit)
            new = [n for n in listed if not self._facts.is_complete(n)]
            if len(new) < len(listed):
                break
        return [n for n in new if n not in self._events.done]

    # ── slices ────────────────────────────────────────────────────────────────────

    def _load_ranges(self) -> list[DateRange]:
        return plan.from_json(self._state.get("slices") or [])

    def _save_ranges(self, slices: list[DateRange]) -> None:
        self._state.put("slices", plan.to_json(slices))

    def _replace_range(self, old: DateRange, new: list[DateRange]) -> None:
        """Put slices in the place of one, all else as it is stored now."""
        self._save_ranges(
            [n for s in self._load_ranges() for n in (new if s == old else [s])]
        )

    def _read_range(self, part: DateRange) -> Iterator[Item]:
        count = yield from self._lists.read(part)
        if count is None:
            return
        # A clock that is set back must not make it due again in this very pass.
        read_at = max(_now(), self._state.get("full") or "")
        done = replace(part, read_at=read_at, events=count)
        if count <= plan.MAX_EVENTS:
            self._replace_range(part, [done])
        elif not (part.start or part.stop):
            parts = plan.cut(datetime.now(UTC).date(), count)
            self._replace_range(part, [replace(p, read_at=done.read_at) for p in parts])
        else:
            self._replace_range(part, done.halve())

    # ── names ─────────────────────────────────────────────────────────────────────

    def _event_number(self, document_id: str) -> str:
        """Return the number of the event that an id names or lies in, or empty."""
        prefix = self._parser.event_id("")
        name = document_id.removeprefix(prefix).partition("/")[0]
        return name if name.isalnum() and name.isascii() else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _age(moment: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(moment)
