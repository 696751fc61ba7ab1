"""Reads one event into the catalog, and finds out what became of one that is missing.

Settles each event once per run. Does not decide which event is due.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from dunegpt.access import NOBODY, PUBLIC, Access
from dunegpt.errors import (
    SourceError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)
from dunegpt.ingest.indico.access import Judgement
from dunegpt.ingest.indico.bare_sessions import has_bare_sessions
from dunegpt.ingest.indico.client import AVAILABLE, CLOSED, DELETED, Json
from dunegpt.ingest.indico.events import (
    MALFORMED,
    EventReader,
    EventResult,
    Looks,
    list_failure,
)
from dunegpt.ingest.indico.facts import EventFacts, now_text
from dunegpt.ingest.indico.times import start_day
from dunegpt.ingest.items import (
    CompleteListing,
    CrawlScope,
    Item,
    SourceState,
    Unchanged,
)
from dunegpt.ingest.sync import FailureStreak
from dunegpt.types import Document, Failure

log = logging.getLogger(__name__)

_MAX_CONSECUTIVE_FAILURES = 3
_MIN_PROGRAMME_TALKS = 3
UNREADABLE = (SourceUnreachableError, SourceFormatError)


class SingleEvents:
    """The events of one run, one at a time.

    Attributes:
        done: Numbers of the events that are settled.
        failed: Numbers of those that could not be listed.
        days: On which day each event that was read begins, UTC.
        failures: Counts failures in a row.
    """

    def __init__(
        self,
        reader: EventReader,
        facts: EventFacts,
        scope: CrawlScope,
        state: SourceState,
    ) -> None:
        self._client, self._parser = reader.client, reader.parser
        self._viewers, self._reader, self._facts = reader.viewers, reader, facts
        self._scope, self._state = scope, state
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.days: dict[str, date] = {}
        self.failures = FailureStreak(_MAX_CONSECUTIVE_FAILURES)

    def is_settled(self, number: str) -> bool:
        """Return whether an event was read, removed or failed in this run."""
        return number in self.done or number in self.failed

    # ── reading ───────────────────────────────────────────────────────────────────

    def read(
        self,
        number: str,
        looks: Looks,
        breaks: Sequence[Json] | None = None,
        roots: Sequence[int] = (),
    ) -> Iterator[Item]:
        """Yield the documents of one event, and that these are all.

        Args:
            number: Of the event.
            looks: What each account is shown of it.
            breaks: Of its timetable; None if they are still to be asked for.
            roots: Categories that list it, if that is known.
        """
        if number in self.done:
            return
        kept = self._facts.get(number)
        try:
            if breaks is None:
                breaks = self._reader.collect_breaks({number: looks}).get(number)
            if breaks is None:
                breaks = kept.get("breaks") or []
            before = kept.get("sessions") or {}
            found = self._reader.read_event(
                number, looks, before, breaks, fresh=self._scope.full
            )
            start = start_day(next(iter(looks.values()))[0])
        except MALFORMED as error:
            yield self.note_failure(number, error)
            return
        except UNREADABLE as error:
            yield self.count_failure(number, error)
            return
        self.done.add(number)
        self.failures.reset()
        if start:
            self.days[number] = start
        # Until all of it is stored, nothing may look as it was.
        self._facts.put(number, kept | {"look": ""})
        self.failed.discard(number)
        yield from self._store(number, found, kept)
        places: dict[str, Any] = {
            "breaks": [*breaks],
            "start": start and start.isoformat(),
            "roots": [*roots],
        }
        if not roots and kept.get("roots"):
            places["roots"] = kept["roots"]
        self._facts.put(number, self._describe(found, kept) | places)

    def _store(
        self, number: str, found: EventResult, kept: Mapping[str, Any]
    ) -> Iterator[Item]:
        """Yield the documents of an event that was read, and that these are all."""
        yield from filter(None, map(self._settle, found.judgements))
        yield from found.failures
        if self._is_half_seen(number):
            # A refused account may be shown more: what is missing may be there.
            return
        ids = frozenset(j.document.id for j in found.judgements)
        unpublished = self._is_unpublished(found, kept)
        reason = "programme withdrawn" if unpublished else "gone at the source"
        yield CompleteListing(
            self._parser.event_id(number), ids, reason, keep_hidden=unpublished
        )

    def _describe(self, found: EventResult, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is to be noted of an event that was read."""
        half = {e.label: v for e in self._viewers.failed if (v := _view(kept, e.label))}
        is_same = kept.get("views") == found.views | half
        top = found.judgements[0].document
        return {
            "look": "" if half else found.digest,
            "views": found.views | half,
            "talks": _count_talks(found),
            "unpublished": self._is_unpublished(found, kept),
            "sessions": found.sessions,
            "blocks": any(_is_session(j.document) for j in found.judgements),
            "public": PUBLIC in top.access,
            "changed": kept.get("changed") if is_same else now_text(),
        }

    def _is_unpublished(self, found: EventResult, kept: Mapping[str, Any]) -> bool:
        """Return whether the programme of an event seems to be withdrawn."""
        had_talks = (
            kept.get("unpublished") or kept.get("talks", 0) > _MIN_PROGRAMME_TALKS
        )
        return not _count_talks(found) and bool(had_talks)

    def _is_half_seen(self, number: str) -> bool:
        """Return whether an account that is refused now saw the event before."""
        labels = [eye.label for eye in self._viewers.failed]
        return bool(labels) and self._facts.was_seen_by(number, labels)

    def _settle(self, judged: Judgement) -> Document | None:
        """Return what may be stored; None if the stored document stays as it is.

        If an account could not look, what only that account can tell stays for a time;
        what is closed to others is closed at once.
        """
        document = judged.document
        kept = self._state.get_document(document.id) if self._viewers.failed else None
        if kept is None:
            return document
        now = _access_by_key(document)
        unseen = self._viewers.undecided(())
        pending = False
        for key, access in _access_by_key(kept).items():
            still = now.get(key, NOBODY)
            maybe = judged.undecided.get(key, NOBODY) if key in now else unseen
            if access - still - maybe and PUBLIC not in still:
                return document
            pending |= bool(access & maybe)
        return None if pending else document

    def check(self, number: str, looks: Looks, roots: Sequence[int]) -> Iterator[Item]:
        """Yield that an event is as it was, or read it."""
        if number not in self.done and self._is_unchanged(number, looks):
            self.done.add(number)
            if set(roots) != set(self._facts.get(number).get("roots") or ()):
                self._facts.put(number, self._facts.get(number) | {"roots": [*roots]})
            yield Unchanged(self._reader.listed_ids(looks))
        yield from self.read(number, looks, None, roots)

    def _is_unchanged(self, number: str, looks: Looks) -> bool:
        """Return whether an event shows what it showed; bare sessions are not shown."""
        kept = self._facts.get(number)
        if not self._facts.is_known(number):
            return False
        try:
            if has_bare_sessions(kept.get("sessions") or {}):
                return False
            return self._reader.digest(looks) == kept.get("look")
        except MALFORMED:
            return False

    # ── what became of it ─────────────────────────────────────────────────────────

    def resolve_hidden(self, number: str) -> Iterator[Item]:
        """Conclude on an event that no account is shown."""
        fate = self.find_availability(number)
        if fate == AVAILABLE and not self._facts.is_known(number):
            return
        if fate == AVAILABLE:
            error = SourceFormatError(
                "The event exists, but is not visible to any of our accounts."
            )
            yield self.note_failure(number, error)
        else:
            yield from self.conclude(number, fate)

    def conclude(self, number: str, fate: str) -> Iterator[Item]:
        """Yield that an event is gone, unless a refused account may still see it."""
        if fate == CLOSED and self.may_be_shown(number):
            return
        reason = "deleted at the source" if fate == DELETED else "closed to us"
        yield self.remove(number, reason)

    def may_be_shown(self, number: str) -> bool:
        """Return whether an event that nobody is shown may still be for a group.

        All accounts of these groups are refused, and nobody else could read it. So it
        is if it is for nobody, and a refused account was shown it.
        """
        if not self._viewers.failed:
            return False
        undecided = self._viewers.undecided(())
        kept = self._state.get_document(self._parser.event_id(number))
        if kept and kept.access:
            return kept.access <= undecided
        labels = [eye.label for eye in self._viewers.failed]
        is_open = bool(undecided) or kept is not None
        return is_open and self._facts.was_seen_by(number, labels)

    def find_availability(self, number: str) -> str:
        """Return what became of an event: closed only if it is to every account."""
        fate = CLOSED
        for eye in self._viewers.accounts:
            try:
                fate = self._client.fetch_availability(number, eye)
            except SourceLoginError as error:
                self._viewers.fail(eye, error)
                continue
            if fate != CLOSED:
                break
        return fate

    def remove(self, number: str, reason: str) -> CompleteListing:
        """Return that an event is gone, after that was noted."""
        self._facts.put(number, None)
        self.done.add(number)
        where = self._parser.event_id(number)
        return CompleteListing(where, frozenset(), reason)

    # ── failures ──────────────────────────────────────────────────────────────────

    def count_failure(self, number: str, error: SourceError) -> Failure:
        """Return the failure of an event that the site cannot show.

        Raises:
            SourceError: The same, if it is one of several in a row: the site is down.
        """
        self.failures.add(error)
        return self.note_failure(number, error)

    def note_failure(self, number: str, error: Exception) -> Failure:
        """Return a failure of the list: nothing at or below it is removed."""
        self.failed.add(number)
        return list_failure(self._parser.event_id(number), error)


def _access_by_key(document: Document) -> dict[str, Access]:
    files = {file.key: file.access for file in document.files}
    return {"": document.access, **files}


def _count_talks(found: EventResult) -> int:
    return sum(j.document.kind == "contribution" for j in found.judgements)


def _is_session(document: Document) -> bool:
    return document.kind == "session"


def _view(kept: Mapping[str, Any], label: str) -> str:
    """Return the hash of what an account saw at an earlier reading, or empty."""
    views = kept.get("views")
    return str((views or {}).get(label) or "")
