"""One crawl of a logbook: which days are read, and what is gone.

Each run reads the last days completely; once a day a thirtieth of all older days is
read again, for entries that were added late, edited or deleted. A number that was
skipped is requested once on its own: it may be of an entry that was added late. An
entry that is missing from a list is requested on its own before it is taken for gone:
it may have moved to another day. A failure of one entry does not stop the run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dunegpt.errors import FetchError, SourceBusyError, SourceError, SourceFormatError
from dunegpt.ingest.elog.client import ElogClient
from dunegpt.ingest.elog.documents import ENTRY_KEY, DocumentBuilder
from dunegpt.ingest.elog.entries import Entry
from dunegpt.ingest.items import CompleteListing, CrawlScope, Item, SourceState
from dunegpt.ingest.sync import REREAD_CYCLE_DAYS
from dunegpt.types import Failure, FileRef

_REMOVAL_REASON = "deleted from the log"
_MAX_SINGLE_REQUESTS = 20
_FIRST_SPAN_DAYS, _MAX_SPAN_DAYS = 30, 730
_DAYS_ID = re.compile(r"days-(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class SyncRules:
    """Options of all runs over a source.

    Attributes:
        first_day: The day of the oldest entry, or an earlier one.
        recent_days: Number of days that each run reads.
    """

    first_day: date
    recent_days: int


class ElogSync:
    """One run."""

    def __init__(
        self,
        site: ElogClient,
        maker: DocumentBuilder,
        scope: CrawlScope,
        memory: SourceState,
        rules: SyncRules,
    ) -> None:
        self._client, self._builder = site, maker
        self._scope, self._state, self._rules = scope, memory, rules
        self._reread_all = False
        self._done_numbers: set[int] = set()
        self._today = datetime.fromisoformat(memory.started_at()).astimezone(UTC).date()
        # A log may be ahead of UTC, and an entry dated by hand.
        self._end_day = self._today + timedelta(days=2)
        beginning = f"{maker.prefix}:"
        numbers = (
            (name.removeprefix(beginning), known.date)
            for name, known in memory.top_documents().items()
        )
        self._known_days = {int(n): day for n, day in numbers if n.isdigit() and day}

    def sync(self) -> Iterator[Item]:
        """Yield what is new, changed, and gone.

        Raises:
            SourceError: A list cannot be trusted.
        """
        read = self._state.get("read")
        if self._scope.since:
            yield from self._read_days(self._scope.since, self._end_day)
        elif self._scope.full or not read:
            yield from self._sync_all()
        else:
            yield from self._sync_recent(date.fromisoformat(read))
            yield from self._sync_older()
        # After a list: by then it is known that the log answers, and whom.
        yield from self._sync_priority()
        yield from self._sync_skipped()

    # ── which days ────────────────────────────────────────────────────────────────

    def _sync_all(self) -> Iterator[Item]:
        """Read all days: first those that a killed run had not come to.

        Then the others, too: they may have changed since.
        """
        self._reread_all = True
        kept = self._state.get("full") or {}
        first = self._rules.first_day
        turn = min(date.fromisoformat(kept["to"]), self._end_day) if kept else first
        for begin, end in ((max(turn, first), self._end_day), (first, turn)):
            yield from self._sync_days(begin, end)
        self._state.put("full", None)
        self._save_read_day()
        self._reread_all = False

    def _sync_days(self, first: date, last: date) -> Iterator[Item]:
        """Read the days from one to before another, as many at once as fit a list."""
        days = _FIRST_SPAN_DAYS
        while first < last:
            end = min(first + timedelta(days=days), last)
            count = 0
            for item in self._read_days(first, end):
                count += 1
                yield item
            self._state.put("full", {"to": end.isoformat()})
            first = end
            few = count < self._client.limit // 4
            days = min(days * 2, _MAX_SPAN_DAYS) if few else max(days // 2, 1)

    def _sync_recent(self, read: date) -> Iterator[Item]:
        """Read the last days, and all since the last good run."""
        days = timedelta(days=self._rules.recent_days)
        yield from self._read_days(min(self._today, read) - days, self._end_day)
        self._save_read_day()

    def _sync_older(self) -> Iterator[Item]:
        """Read a thirtieth of the older days again, once a day."""
        kept = self._state.get("rolled") or {"day": "", "to": ""}
        if kept["day"] == self._today.isoformat() or not self._known_days:
            return
        oldest = max(
            self._rules.first_day, min(filter(None, self._known_days.values()))
        )
        last = self._today - timedelta(days=self._rules.recent_days)
        begin = date.fromisoformat(kept["to"]) if kept["to"] else oldest
        if not oldest <= begin < last:
            begin = oldest
        share = (last - oldest).days // REREAD_CYCLE_DAYS + 1
        end = min(begin + timedelta(days=share), last)
        if begin < end:
            self._reread_all = True
            yield from self._read_days(begin, end)
            self._reread_all = False
        done = {"day": self._today.isoformat(), "to": max(begin, end).isoformat()}
        self._state.put("rolled", done)

    def _save_read_day(self) -> None:
        self._state.put("read", self._today.isoformat())

    def _sync_priority(self) -> Iterator[Item]:
        """Look at what notices name, and at what failed the last time."""
        for name in self._scope.priority_ids:
            own = name.removeprefix(f"{self._builder.prefix}:")
            if days := _DAYS_ID.fullmatch(own):
                whole_id = self._builder.entry_id(own)
                yield from self._read_days(*map(date.fromisoformat, days.groups()))
                yield CompleteListing(whole_id, frozenset())
            elif own.isdigit() and int(own) in self._done_numbers:
                yield CompleteListing(
                    self._builder.entry_id(own),
                    frozenset({self._builder.entry_id(own)}),
                )
            elif own.isdigit():
                entry, why = self._fetch_entry(int(own))
                if why:
                    failed = self._builder.entry_id(own)
                    yield Failure(failed, "list", SourceError.__name__, why)
                else:
                    yield from self._sync_entry(int(own), entry)

    def _sync_skipped(self) -> Iterator[Item]:
        """Look at numbers that no list has, below the highest that one has."""
        highest = max(self._known_days, default=0)
        before = self._state.get("highest")
        if before is not None:
            passed = (
                n for n in range(before + 1, highest) if n not in self._known_days
            )
            for number in list(passed)[:_MAX_SINGLE_REQUESTS]:
                entry, _ = self._fetch_entry(number)
                if entry:
                    yield from self._sync_entry(number, entry)
        self._state.put("highest", highest)

    # ── what is there ─────────────────────────────────────────────────────────────

    def _read_days(self, first: date, end: date) -> Iterator[Item]:
        """Read the days from one to before another, in parts if they hold much.

        Raises:
            SourceFormatError: One day has more than a list can hold.
        """
        if first >= end:
            return
        listed = self._client.fetch_days(first, end)
        if listed is None:
            half = first + (end - first) // 2
            if half == first:
                raise SourceFormatError(
                    f"{first} has more entries than one list holds"
                    f" ({self._client.limit}).",
                    hint="Raise list_limit; nothing was removed.",
                )
            yield from self._read_days(first, half)
            yield from self._read_days(half, end)
            return
        for entry in listed.entries:
            yield from self._build_entry(entry)
        for name, why in listed.problems:
            place = name if name.isdigit() else f"days-{first}..{end}"
            failed = self._builder.entry_id(place)
            yield Failure(failed, "list", SourceFormatError.__name__, why)
        if all(name.isdigit() for name, _ in listed.problems):
            there = {entry.number for entry in listed.entries}
            there |= {int(name) for name, _ in listed.problems}
            yield from self._resolve_missing(first, end, there)

    def _resolve_missing(
        self, first: date, end: date, there: set[int]
    ) -> Iterator[Item]:
        """Yield what is known of some days and no longer listed as moved or gone."""
        missing = [
            number
            for number, day in sorted(self._known_days.items())
            if day and first <= day < end and number not in there
        ]
        for number in missing:
            if len(missing) > _MAX_SINGLE_REQUESTS:
                # So many at once are for the crawl to judge.
                yield CompleteListing(
                    self._builder.entry_id(number), frozenset(), _REMOVAL_REASON
                )
            else:
                # The list is believed: an answer can only show where the entry is now.
                entry, _ = self._fetch_entry(number)
                yield from self._sync_entry(number, entry)

    def _fetch_entry(self, number: int) -> tuple[Entry | None, str]:
        """Return an entry that was asked for alone, and why that could not be told.

        Raises:
            SourceBusyError: The log asks to come back later.
        """
        try:
            return self._client.fetch_entry(number), ""
        except SourceBusyError:
            raise
        except SourceError as error:
            return None, f"{error}"

    def _sync_entry(self, number: int, entry: Entry | None) -> Iterator[Item]:
        """Yield an entry that was asked for alone, and that it is or is not there."""
        name = self._builder.entry_id(number)
        if entry is None:
            yield CompleteListing(name, frozenset(), _REMOVAL_REASON)
            self._known_days.pop(number, None)
            return
        yield from self._build_entry(entry, is_alone=True)
        yield CompleteListing(name, frozenset({name}))

    def _build_entry(self, entry: Entry, *, is_alone: bool = False) -> Iterator[Item]:
        """Yield an entry with its attachments; ask for them if they were not listed."""
        files, why = self._fetch_attachments(entry, is_alone=is_alone)
        if why:
            where = f"{self._builder.entry_id(entry.number)}#attachments"
            yield Failure(where, "fetch", FetchError.__name__, why)
        self._known_days[entry.number] = entry.time.date()
        self._done_numbers.add(entry.number)
        yield self._builder.build_document(entry, files)

    def _fetch_attachments(
        self, entry: Entry, *, is_alone: bool
    ) -> tuple[tuple[FileRef, ...], str]:
        """Return the attachments of an entry, and what is missing of them."""
        files = self._builder.build_attachments(entry)
        if entry.attachment_count <= len(entry.attachments):
            return files, ""
        kept, is_same = self._stored_attachments(entry)
        if (
            is_same
            and not (self._reread_all or is_alone)
            and len(kept) == entry.attachment_count
        ):
            return kept, ""
        why = ""
        if not is_alone:
            alone, why = self._fetch_entry(entry.number)
            files = self._builder.build_attachments(alone) if alone else files
        if len(files) >= entry.attachment_count:
            return files, ""
        missing = (
            f"{len(files)} of {entry.attachment_count} attachments have an address."
        )
        return files or kept, why or missing

    def _stored_attachments(self, entry: Entry) -> tuple[tuple[FileRef, ...], bool]:
        """Return the attachments as stored, and whether the text is as it was."""
        stored = self._state.get_document(self._builder.entry_id(entry.number))
        if stored is None:
            return (), False
        own = {f.key: f for f in self._builder.with_access(stored).files}
        text = own.pop(ENTRY_KEY, None)
        is_same = text is not None and text.sha256 == self._builder.hash_entry(entry)
        return tuple(own.values()), is_same
