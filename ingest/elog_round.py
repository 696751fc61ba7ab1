"""One run over a logbook behind an address: which days are read, and what is gone.

Each run reads the last days whole; once a day a thirtieth of all older days is read
again, for entries that came late, were edited or deleted there. A number that was
passed over is asked for alone, once: it may be of an entry that came late. What a list
no longer has is asked for alone, too, before it is taken for gone: it may have moved to
another day. Whatever goes wrong with one entry alone stops no run. Does not know how
the log is asked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dunegpt.errors import FetchError, SourceBusyError, SourceError, SourceFormatError
from dunegpt.ingest.elog_entries import Entry
from dunegpt.ingest.elog_objects import ENTRY_FILE, Maker
from dunegpt.ingest.elog_site import Site
from dunegpt.ingest.items import Item, Memory, Scope, Whole
from dunegpt.types import Failure, FileRef

_GONE = "deleted from the log"
_ASKED_ALONE = 20
_FIRST_SPAN, _LONGEST_SPAN = 30, 730
_ROUND_DAYS = 30
_DAYS = re.compile(r"days-(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say of when to read.

    Attributes:
        first_day: No entry is older.
        recent_days: So many are read by each run.
    """

    first_day: date
    recent_days: int


class Round:
    """One run."""

    def __init__(
        self, site: Site, maker: Maker, scope: Scope, memory: Memory, rules: Rules
    ) -> None:
        self._site, self._maker = site, maker
        self._scope, self._memory, self._rules = scope, memory, rules
        self._anew = False
        self._done_with: set[int] = set()
        self._today = datetime.fromisoformat(memory.started_at()).astimezone(UTC).date()
        # A log may be ahead of UTC, and an entry dated by hand.
        self._end = self._today + timedelta(days=2)
        beginning = f"{maker.prefix}:"
        numbers = (
            (name.removeprefix(beginning), known.date)
            for name, known in memory.tops().items()
        )
        self._known = {int(n): day for n, day in numbers if n.isdigit() and day}

    def items(self) -> Iterator[Item]:
        """Yield what is new, changed, and gone.

        Raises:
            SourceError: A list cannot be trusted.
        """
        read = self._memory.get("read")
        if self._scope.since:
            yield from self._span(self._scope.since, self._end)
        elif self._scope.full or not read:
            yield from self._all()
        else:
            yield from self._recent(date.fromisoformat(read))
            yield from self._older()
        # After a list: by then it is known that the log answers, and whom.
        yield from self._named()
        yield from self._passed_over()

    # ── which days ────────────────────────────────────────────────────────────────

    def _all(self) -> Iterator[Item]:
        """Read all days; a run that was killed is gone on with for a day."""
        self._anew = True
        kept = self._memory.get("full") or {}
        begun = kept.get("at", self._memory.started_at())
        first = self._rules.first_day
        if _age(begun, self._memory.started_at()) < timedelta(days=1) and kept:
            first = date.fromisoformat(kept["to"])
        else:
            begun = self._memory.started_at()
        days = _FIRST_SPAN
        while first < self._end:
            end = min(first + timedelta(days=days), self._end)
            count = 0
            for item in self._span(first, end):
                count += 1
                yield item
            self._memory.put("full", {"at": begun, "to": end.isoformat()})
            first = end
            few = count < self._site.limit // 4
            days = min(days * 2, _LONGEST_SPAN) if few else max(days // 2, 1)
        self._memory.put("full", None)
        self._note_read()
        self._anew = False

    def _recent(self, read: date) -> Iterator[Item]:
        """Read the last days, and all since the last good run."""
        days = timedelta(days=self._rules.recent_days)
        yield from self._span(min(self._today, read) - days, self._end)
        self._note_read()

    def _older(self) -> Iterator[Item]:
        """Read a thirtieth of the older days again, once a day."""
        kept = self._memory.get("rolled") or {"day": "", "to": ""}
        if kept["day"] == self._today.isoformat() or not self._known:
            return
        oldest = max(self._rules.first_day, min(filter(None, self._known.values())))
        last = self._today - timedelta(days=self._rules.recent_days)
        begin = date.fromisoformat(kept["to"]) if kept["to"] else oldest
        if not oldest <= begin < last:
            begin = oldest
        share = (last - oldest).days // _ROUND_DAYS + 1
        end = min(begin + timedelta(days=share), last)
        if begin < end:
            self._anew = True
            yield from self._span(begin, end)
            self._anew = False
        done = {"day": self._today.isoformat(), "to": max(begin, end).isoformat()}
        self._memory.put("rolled", done)

    def _note_read(self) -> None:
        self._memory.put("read", self._today.isoformat())

    def _named(self) -> Iterator[Item]:
        """Look at what notices name, and at what failed the last time."""
        for name in self._scope.first:
            own = name.removeprefix(f"{self._maker.prefix}:")
            if days := _DAYS.fullmatch(own):
                whole_id = self._maker.id(own)
                yield from self._span(*map(date.fromisoformat, days.groups()))
                yield Whole(whole_id, frozenset())
            elif own.isdigit() and int(own) in self._done_with:
                yield Whole(self._maker.id(own), frozenset({self._maker.id(own)}))
            elif own.isdigit():
                entry, why = self._asked(int(own))
                if why:
                    failed = self._maker.id(own)
                    yield Failure(failed, "list", SourceError.__name__, why)
                else:
                    yield from self._one(int(own), entry)

    def _passed_over(self) -> Iterator[Item]:
        """Look at numbers that no list has, below the highest that one has."""
        highest = max(self._known, default=0)
        before = self._memory.get("highest")
        if before is not None:
            passed = (n for n in range(before + 1, highest) if n not in self._known)
            for number in list(passed)[:_ASKED_ALONE]:
                entry, _ = self._asked(number)
                if entry:
                    yield from self._one(number, entry)
        self._memory.put("highest", highest)

    # ── what is there ─────────────────────────────────────────────────────────────

    def _span(self, first: date, end: date) -> Iterator[Item]:
        """Read the days from one to before another, in parts if they hold much.

        Raises:
            SourceFormatError: One day has more than a list can hold.
        """
        if first >= end:
            return
        listed = self._site.between(first, end)
        if listed is None:
            half = first + (end - first) // 2
            if half == first:
                raise SourceFormatError(
                    f"{first} has more entries than one list holds"
                    f" ({self._site.limit}).",
                    hint="Raise list_limit; nothing was removed.",
                )
            yield from self._span(first, half)
            yield from self._span(half, end)
            return
        for entry in listed.entries:
            yield from self._taken(entry)
        for name, why in listed.problems:
            place = name if name.isdigit() else f"days-{first}..{end}"
            failed = self._maker.id(place)
            yield Failure(failed, "list", SourceFormatError.__name__, why)
        if all(name.isdigit() for name, _ in listed.problems):
            there = {entry.number for entry in listed.entries}
            there |= {int(name) for name, _ in listed.problems}
            yield from self._missing(first, end, there)

    def _missing(self, first: date, end: date, there: set[int]) -> Iterator[Item]:
        """Yield what is known of some days and no longer listed as moved or gone."""
        missing = [
            number
            for number, day in sorted(self._known.items())
            if day and first <= day < end and number not in there
        ]
        for number in missing:
            if len(missing) > _ASKED_ALONE:
                # So many at once are for the crawl to judge.
                yield Whole(self._maker.id(number), frozenset(), _GONE)
            else:
                # The list is believed: an answer can only show where the entry is now.
                entry, _ = self._asked(number)
                yield from self._one(number, entry)

    def _asked(self, number: int) -> tuple[Entry | None, str]:
        """Return an entry that was asked for alone, and why that could not be told.

        Raises:
            SourceBusyError: The log asks to come back later.
        """
        try:
            return self._site.entry(number), ""
        except SourceBusyError:
            raise
        except SourceError as error:
            return None, f"{error}"

    def _one(self, number: int, entry: Entry | None) -> Iterator[Item]:
        """Yield an entry that was asked for alone, and that it is or is not there."""
        name = self._maker.id(number)
        if entry is None:
            yield Whole(name, frozenset(), _GONE)
            self._known.pop(number, None)
            return
        yield from self._taken(entry, is_alone=True)
        yield Whole(name, frozenset({name}))

    def _taken(self, entry: Entry, *, is_alone: bool = False) -> Iterator[Item]:
        """Yield an entry with its attachments; ask for them if they were not listed."""
        files, why = self._files(entry, is_alone=is_alone)
        if why:
            where = f"{self._maker.id(entry.number)}#attachments"
            yield Failure(where, "fetch", FetchError.__name__, why)
        self._known[entry.number] = entry.time.date()
        self._done_with.add(entry.number)
        yield self._maker.document(entry, files)

    def _files(
        self, entry: Entry, *, is_alone: bool
    ) -> tuple[tuple[FileRef, ...], str]:
        """Return the attachments of an entry, and what is missing of them."""
        files = self._maker.attachments(entry)
        if entry.promised <= len(entry.attachments):
            return files, ""
        kept, is_same = self._kept(entry)
        if is_same and not (self._anew or is_alone) and len(kept) == entry.promised:
            return kept, ""
        why = ""
        if not is_alone:
            alone, why = self._asked(entry.number)
            files = self._maker.attachments(alone) if alone else files
        if len(files) >= entry.promised:
            return files, ""
        missing = f"{len(files)} of {entry.promised} attachments have an address."
        return files or kept, why or missing

    def _kept(self, entry: Entry) -> tuple[tuple[FileRef, ...], bool]:
        """Return the attachments as stored, and whether the text is as it was."""
        stored = self._memory.document(self._maker.id(entry.number))
        if stored is None:
            return (), False
        own = {f.key: f for f in self._maker.for_readers(stored).files}
        text = own.pop(ENTRY_FILE, None)
        is_same = text is not None and text.sha256 == self._maker.digest(entry)
        return tuple(own.values()), is_same


def _age(begun: str, now: str) -> timedelta:
    return datetime.fromisoformat(now) - datetime.fromisoformat(begun)
