"""One run over a DocDB: what is due, in which order, and what is gone.

Each run reads what changed since the last good one, by the list of changes. Daily, all
lists are taken: whoever lost sight of a document loses it here at once, what no list
has is looked for, and a thirtieth of all is read again, for what no list tells. A full
pass reads all; a killed one is gone on with.
"""

import logging
import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dunegpt.errors import SourceError, SourceFormatError, SourceLoginError
from dunegpt.ingest.docdb_access import Dispute, Hierarchy, Judge, Rule, hierarchy
from dunegpt.ingest.docdb_document import Documents
from dunegpt.ingest.docdb_gaps import Gaps
from dunegpt.ingest.docdb_html import SHOWN
from dunegpt.ingest.docdb_lists import Lists
from dunegpt.ingest.docdb_objects import Reader
from dunegpt.ingest.docdb_site import Site, View
from dunegpt.ingest.items import Alarm, Item, Memory, Scope, Seen, Whole
from dunegpt.types import Failure

log = logging.getLogger(__name__)

_DAY = timedelta(hours=23)
_ROUND_DAYS = 30
_ROUND_LEAST = 50
_SAMPLE = 10
_SAMPLE_SHARE = 0.02
_DOWN_AFTER = 5
_TOLD = 10
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all runs over a source.

    Attributes:
        prefix: Of ids and principals.
        max_age: How long a list holds that cannot be had again.
        powerless: Groups that give nobody the right to view.
        canary: Number of a document that some login must be shown.
        few: A DocDB of so many documents is read whole by each run.
    """

    prefix: str
    max_age: timedelta
    powerless: frozenset[str] = frozenset()
    canary: int | None = None
    few: int = 0


class Round:
    """What one run looks at."""

    def __init__(
        self,
        site: Site,
        reader: Reader,
        views: Sequence[View],
        scope: Scope,
        memory: Memory,
        rules: Rules,
    ) -> None:
        self._site, self._reader, self._views = site, reader, views
        self._scope, self._memory, self._rules = scope, memory, rules
        self.lists = Lists(site, views, memory, rules.max_age)
        self._pass = memory.get("full") or {"number": 0, "open": False}
        if scope.full or not self._pass["number"]:
            if not self._pass["open"]:
                self._pass = {"number": self._pass["number"] + 1, "open": True}
                memory.put("full", self._pass)
        self.documents = Documents(
            site,
            reader,
            views,
            self.lists,
            memory,
            prefix=rules.prefix,
            full=self._pass["number"],
        )
        self._done: set[int] = set()
        self._in_row = 0

    def items(self) -> Iterator[Item]:
        """Yield what is found.

        Raises:
            SourceError: A list cannot be trusted, or document after document fails.
        """
        few = len(self.lists.numbers()) <= self._rules.few
        is_daily = few or self._is_daily()
        self.documents.judge = self._judge(self._kept_hierarchy())
        if not self._memory.get("since"):
            # The first pass may take days: what changes meanwhile counts.
            self._memory.put("since", self._memory.started_at())
        if is_daily:
            yield from self._look_over()
        changed = self._changes(is_daily)
        yield from self._read(filter(None, map(self._reader.number, self._scope.first)))
        yield from self._read(sorted(changed))
        if is_daily or self._pass["open"]:
            yield from self._read(self._unread())
        if is_daily:
            yield from self._read(self._rolling(whole=few))
            yield from self._conclude()
        if self._pass["open"]:
            # What failed has no mark, or an old one, and stands in the ledger.
            self._memory.put("full", self._pass | {"open": False})
        self._memory.put("since", self._memory.started_at())

    # ── what is due ───────────────────────────────────────────────────────────────

    def _is_daily(self) -> bool:
        last = self._memory.get("daily")
        if self._scope.full or self.lists.are_new or not last:
            return True
        return datetime.now(UTC) - datetime.fromisoformat(last) >= _DAY

    def _changes(self, is_daily: bool) -> set[int]:
        """Return the documents that changed since the last good run, a day overlapped.

        The day is the server's, and its clock need not be ours.
        """
        since = self._memory.get("since")
        ago = datetime.now(UTC) - datetime.fromisoformat(since)
        days = max(2, ago.days + 2)
        if self._scope.since:
            days = max(days, (datetime.now(UTC).date() - self._scope.since).days + 1)
        changed, views = self.lists.changes(days, are_fresh=is_daily)
        self.documents.changed, self.documents.changes = changed, views
        return set(changed)

    def _unread(self) -> list[int]:
        """Return the listed documents that were not read yet, or are not as listed."""
        marks = dict(self.documents.marks())
        due = []
        for number in sorted(self.lists.numbers()):
            mark = marks.get(number)
            is_old = self._pass["open"] and (mark and mark.full != self._pass["number"])
            if not mark or not mark.read or is_old:
                due.append(number)
            elif mark.top != self.lists.top(number):
                due.append(number)
        return due

    def _rolling(self, *, whole: bool) -> list[int]:
        """Return the documents that were read longest ago, so many as are due today.

        No list tells that a single version was deleted, or an author renamed.
        """
        marks = sorted((mark.read, number) for number, mark in self.documents.marks())
        if whole:
            return [number for _, number in marks]
        rolled = self._memory.get("rolled")
        if not rolled or self._pass["open"]:
            return []
        days = (date.fromisoformat(_today()) - date.fromisoformat(rolled)).days
        share = max(math.ceil(len(marks) / _ROUND_DAYS), _ROUND_LEAST)
        return [number for _, number in marks[: share * min(days, _ROUND_DAYS)]]

    # ── a daily look ──────────────────────────────────────────────────────────────

    def _look_over(self) -> Iterator[Item]:
        """Take all lists, and apply to all that is known what they say.

        Raises:
            SourceFormatError: They say that there is nothing.
        """
        yield from self.lists.take()
        listed = self.lists.numbers()
        if self._rules.canary is not None and self._rules.canary not in listed:
            yield Alarm(
                f"The canary, document {self._rules.canary}, is not shown to us."
            )
        known = set(self._memory.tops())
        if known and not listed:
            raise SourceFormatError("The lists of all documents are empty.")
        lacking = yield from self._again(known, listed)
        numbers = {self._reader.number(own) for own in known}
        numbers |= {number for number, _ in self.documents.marks()}
        yield from self._lost(sorted({n for n in numbers if n} - listed))
        yield from self._read(lacking)

    def _again(
        self, known: set[str], listed: set[int]
    ) -> Generator[Item, None, list[int]]:
        """Yield what is for others now; return what must be read for that."""
        lacking = []
        for number, mark in self.documents.marks():
            if number in listed and (
                yield from self.documents.again(number, mark, known)
            ):
                lacking.append(number)
        return lacking

    def _conclude(self) -> Iterator[Item]:
        """End a daily look: who is whose superior by now, and what contradicts it."""
        listed = self.lists.numbers()
        rules = {
            number: (mark.top, mark.rules[mark.top])
            for number, mark in self.documents.marks()
            if number in listed and mark.rules and mark.top == self.lists.top(number)
        }
        found = hierarchy(rules, self.lists.views)
        self.documents.judge = self._judge(found)
        lacking = yield from self._again(set(self._memory.tops()), listed)
        self._done -= set(lacking)
        yield from self._read(lacking)
        yield from self._disputed(rules)
        whole = [
            self._reader.id(number, version)
            for number, mark in self.documents.marks()
            if number in listed - self._done
            for version in mark.rules
        ]
        for start in range(0, len(whole), _AT_ONCE):
            yield Seen(frozenset(whole[start : start + _AT_ONCE]))
        Gaps(self._site, self.lists, self._memory).look(tail=self._pass["open"])
        self._keep_hierarchy(found)
        self._memory.put("rolled", _today())
        self._memory.put("daily", self._memory.started_at())

    def _lost(self, numbers: list[int]) -> Iterator[Item]:
        """Find out what became of documents that no list has.

        Of very many a sample is asked for: if one of them is shown, the lists are not
        to be trusted; else all are taken for gone, which the crawl then judges.

        Raises:
            SourceFormatError: The lists lack documents that are shown.
        """
        known = len(self.lists.numbers()) + len(numbers)
        is_many = len(numbers) > max(_SAMPLE, _SAMPLE_SHARE * known)
        asked = numbers[:_SAMPLE] if is_many else numbers
        for number in asked:
            if is_many and self._site.fate(self._site.doors[0], number) == SHOWN:
                raise SourceFormatError(
                    f"The lists lack {len(numbers)} known documents, and document"
                    f" {number} of them is shown: they cannot be trusted."
                )
            yield self.documents.lost(number, is_listed=False)
        for number in numbers[len(asked) :]:
            # Its mark stays: if it is listed again, it need not be read for that.
            yield Whole(self._reader.holder(number), frozenset(), "no longer listed")

    def _disputed(self, rules: Mapping[int, tuple[int, Rule]]) -> Iterator[Alarm]:
        """Yield one alarm on where lists and groups contradict each other."""
        found: list[Dispute] = []
        views = frozenset(view.name for view in self._views)
        judge = self.documents.judge
        for number, (top, rule) in rules.items():
            shown = self.lists.shown(number)
            if any(judge.disputes(number, top, rule, shown, views)):
                shown = self.documents.shown(number, self.documents.mark(number))
                found += judge.disputes(number, top, rule, shown, views)
        if found:
            told = "; ".join(map(str, found[:_TOLD]))
            more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
            yield Alarm(
                f"{len(found)} times a group's list and the groups of a version"
                f" differ, and the stricter one counts: {told}{more}.",
                grave=False,
            )

    # ── documents ─────────────────────────────────────────────────────────────────

    def _read(self, numbers: Iterable[int]) -> Iterator[Item]:
        for number in numbers:
            if number not in self._done:
                self._done.add(number)
                yield from self._tried(number, self.documents.read(number))

    def _tried(self, number: int, items: Iterator[Item]) -> Iterator[Item]:
        """Yield what comes of one document, be it a failure.

        Raises:
            SourceError: The login has lapsed, or several fail in a row: it is down.
        """
        try:
            yield from items
            self._in_row = 0
        except SourceLoginError:
            raise
        except SourceError as error:
            self._in_row += 1
            if self._in_row >= _DOWN_AFTER:
                raise
            where = self._reader.holder(number)
            yield Failure(where, "list", type(error).__name__, str(error))

    # ── names ─────────────────────────────────────────────────────────────────────

    def _judge(self, found: Hierarchy) -> Judge:
        return Judge(found, self._rules.powerless)

    def _keep_hierarchy(self, found: Hierarchy) -> None:
        kept = {
            "proven": sorted(map(list, found.proven)),
            "possible": sorted(map(list, found.possible)),
        }
        self._memory.put("hierarchy", kept)

    def _kept_hierarchy(self) -> Hierarchy:
        kept = self._memory.get("hierarchy") or {"proven": [], "possible": []}
        return Hierarchy(
            *(frozenset((p, c) for p, c in kept[k]) for k in ("proven", "possible"))
        )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
