"""One crawl of a DocDB: which documents are due, in which order, and what is gone.

Each run reads what changed since the last good run, by the list of changes. Once an
hour the lists of all groups are fetched: access that was withdrawn is withdrawn here at
once, and documents that no list contains are looked up. Once a day a thirtieth of all
documents is read again, for changes that no list shows, and so is what the lists
contradict. A full pass reads everything, and survives a killed run.
"""

import logging
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dunegpt.access import PUBLIC
from dunegpt.errors import SourceFormatError
from dunegpt.ingest.canary import check_canary
from dunegpt.ingest.docdb.access import (
    AccessConflict,
    AccessJudge,
    Hierarchy,
    VersionRule,
    infer_hierarchy,
)
from dunegpt.ingest.docdb.client import DocDBClient, GroupView, find_public_view
from dunegpt.ingest.docdb.documents import RecordParser
from dunegpt.ingest.docdb.gaps import GapScanner
from dunegpt.ingest.docdb.group_lists import DocumentLists
from dunegpt.ingest.docdb.html_pages import SHOWN
from dunegpt.ingest.docdb.versions import DocumentReader
from dunegpt.ingest.items import (
    Alarm,
    CompleteListing,
    CrawlScope,
    Item,
    SourceState,
    Unchanged,
)
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.ingest.sync import DailyPass, FailureStreak, FullPass

log = logging.getLogger(__name__)

_LOSS_SAMPLE = 10
_LOSS_SAMPLE_SHARE = 0.02
_MAX_CONSECUTIVE_FAILURES = 5
_MAX_EXAMPLES = 10
_BATCH_SIZE = 1000
_MAX_REREADS = 1000
_MAX_STALE_A_DAY = 5
_DOUBTFUL_DAYS = "doubtful_days"


@dataclass(frozen=True, slots=True)
class SyncRules:
    """Options of all runs over a source.

    Attributes:
        prefix: Prefix of ids and principals.
        max_age: How long the last list of a view is used if it cannot be fetched.
        non_viewing_groups: Groups that give nobody the right to view.
        canary: Number of a document that must be visible to some login.
        read_all_below: A DocDB of at most so many documents is read whole by each run.
        lists_every: How often the lists of all groups are fetched.
    """

    prefix: str
    max_age: timedelta
    non_viewing_groups: frozenset[str] = frozenset()
    canary: int | None = None
    read_all_below: int = 0
    lists_every: timedelta = timedelta(hours=1)


class DocDBSync:
    """One run."""

    def __init__(
        self,
        site: DocDBClient,
        reader: RecordParser,
        views: Sequence[GroupView],
        scope: CrawlScope,
        memory: SourceState,
        rules: SyncRules,
    ) -> None:
        self._client, self._parser, self._views = site, reader, views
        self._scope, self._state, self._rules = scope, memory, rules
        self.lists = DocumentLists(site, views, memory, rules.max_age)
        self._full_pass = FullPass(memory, requested=scope.full)
        self._daily_pass = DailyPass(memory)
        self._failures = FailureStreak(_MAX_CONSECUTIVE_FAILURES)
        self.documents = DocumentReader(
            site,
            reader,
            views,
            self.lists,
            memory,
            prefix=rules.prefix,
            full=self._full_pass.number,
            checks_files=scope.full,
        )
        self._done_numbers: set[int] = set()
        self._is_canary_public = False

    def sync(self) -> Iterator[Item]:
        """Yield documents, failures and what is gone.

        Raises:
            SourceError: A list cannot be trusted, or document after document fails.
        """
        few = len(self.lists.document_numbers()) <= self._rules.read_all_below
        is_daily = few or self._is_daily()
        self.documents.judge = self._build_judge(self._load_hierarchy())
        if not self._state.get("since"):
            # The first pass may take days: what changes meanwhile counts.
            self._state.put("since", self._state.started_at())
        yield from self._check_canary_is_closed()
        are_lists_due = is_daily or self.lists.are_older_than(self._rules.lists_every)
        if are_lists_due:
            yield from self._refresh_lists()
        changed = self._fetch_changes(are_fresh=are_lists_due)
        yield from self._report_failed_doors()
        yield from self._read(
            filter(None, map(self._parser.parse_number, self._scope.priority_ids))
        )
        yield from self._read(sorted(changed))
        if is_daily or self._full_pass.is_open:
            yield from self._read(self._unread_numbers())
        if is_daily:
            yield from self._read(self._due_rereads(whole=few))
            yield from self._finish_daily()
        # Documents that failed have no state, or an old one; the ledger lists them.
        self._full_pass.finish()
        self._state.put("since", self._state.started_at())

    # ── what is due ───────────────────────────────────────────────────────────────

    def _is_daily(self) -> bool:
        is_forced = self._scope.full or self._scope.recheck
        is_forced |= self.lists.is_reconfigured
        return is_forced or self._daily_pass.is_due()

    def _fetch_changes(self, *, are_fresh: bool) -> set[int]:
        """Return the documents that changed since the last good run, a day overlapped.

        The day is the server's, and its clock need not be ours.
        """
        since = self._state.get("since")
        ago = datetime.now(UTC) - datetime.fromisoformat(since)
        days = max(2, ago.days + 2)
        if self._scope.since:
            days = max(days, (datetime.now(UTC).date() - self._scope.since).days + 1)
        changed, views = self.lists.fetch_changes(days, are_fresh=are_fresh)
        self.documents.recent_changes, self.documents.changes_by_view = changed, views
        return set(changed)

    def _unread_numbers(self) -> list[int]:
        """Return the listed documents that were not read yet, or are not as listed."""
        marks = dict(self.documents.iter_states())
        due = []
        for number in sorted(self.lists.document_numbers()):
            mark = marks.get(number)
            is_old = self._full_pass.is_open and (
                mark and mark.full_pass != self._full_pass.number
            )
            if not mark or not mark.read_on or is_old:
                due.append(number)
            elif mark.latest_version != self.lists.latest_version(number):
                due.append(number)
        return due

    def _due_rereads(self, *, whole: bool) -> list[int]:
        """Return the documents that were read longest ago, so many as are due today.

        No list tells that a single version was deleted, or an author renamed.
        """
        read_days = [
            (mark.read_on, number) for number, mark in self.documents.iter_states()
        ]
        if whole:
            return [number for _, number in sorted(read_days)]
        if self._full_pass.is_open:
            return []
        # A version may be shown to us again while the latest one is as it was.
        closed = [n for n, mark in self.documents.iter_states() if mark.closed]
        return [*closed[:_MAX_REREADS], *self._daily_pass.due_rereads(read_days)]

    # ── a daily look ──────────────────────────────────────────────────────────────

    def _refresh_lists(self) -> Iterator[Item]:
        """Take all lists, and apply to all that is known what they say.

        Raises:
            SourceFormatError: They say that there is nothing.
        """
        yield from self.lists.refresh(self._scope)
        listed = self.lists.document_numbers()
        canary = self._rules.canary
        if canary is not None:
            problem = check_canary(
                f"document {canary}",
                self._state,
                is_shown=canary in listed,
                is_public=canary in self.lists.by_view.get(PUBLIC, {}),
            )
            if problem and not self._is_canary_public:
                yield problem
        known = set(self._state.top_documents())
        if known and not listed:
            raise SourceFormatError("The lists of all documents are empty.")
        lacking = yield from self._update_access(known, listed)
        numbers = {self._parser.parse_number(own) for own in known}
        numbers |= {number for number, _ in self.documents.iter_states()}
        yield from self._resolve_missing(sorted({n for n in numbers if n} - listed))
        yield from self._read(lacking)

    def _check_canary_is_closed(self) -> Iterator[Alarm]:
        """Ask in each run whether the public is shown the canary: one request.

        A site that lost its rules of access says so long before the next list.
        """
        public, canary = find_public_view(self._client.endpoints), self._rules.canary
        if public is None or canary is None:
            return
        self._is_canary_public = (
            self._client.fetch_availability(public.endpoint, canary) == SHOWN
        )
        if self._is_canary_public:
            problem = check_canary(
                f"document {canary}", self._state, is_shown=True, is_public=True
            )
            if problem:
                yield problem

    def _update_access(
        self, known: set[str], listed: set[int]
    ) -> Generator[Item, None, list[int]]:
        """Yield what is for others now; return what must be read for that."""
        lacking = []
        for number, mark in self.documents.iter_states():
            if number in listed and (
                yield from self.documents.update_access(number, mark, known)
            ):
                lacking.append(number)
        return lacking

    def _finish_daily(self) -> Iterator[Item]:
        """End a daily look: who is whose superior by now, and what contradicts it."""
        listed = self.lists.document_numbers()
        found = infer_hierarchy(self._top_rules(listed), self.lists.by_view)
        self.documents.judge = self._build_judge(found)
        if disputed := self._find_disputed(self._top_rules(listed)):
            # What is stored of them is no longer so: they are read again at once.
            yield from self._reread_disputed(disputed)
            found = infer_hierarchy(self._top_rules(listed), self.lists.by_view)
            self.documents.judge = self._build_judge(found)
        yield from self._read(self._doubtful_numbers())
        lacking = yield from self._update_access(
            set(self._state.top_documents()), listed
        )
        self._done_numbers -= set(lacking)
        yield from self._read(lacking)
        yield from self._report_conflicts(self._top_rules(listed))
        whole = [
            self._parser.version_id(number, version)
            for number, mark in self.documents.iter_states()
            if number in listed - self._done_numbers
            for version in mark.version_rules
        ]
        for start in range(0, len(whole), _BATCH_SIZE):
            yield Unchanged(frozenset(whole[start : start + _BATCH_SIZE]))
        GapScanner(self._client, self.lists, self._state).scan(
            tail=self._full_pass.is_open
        )
        self._save_hierarchy(found)
        self._daily_pass.finish()

    def _resolve_missing(self, numbers: list[int]) -> Iterator[Item]:
        """Find out what became of documents that no list has.

        Of very many a sample is asked for: if one of them is shown, the lists are not
        to be trusted; else all are taken for gone, which the crawl then judges.

        Raises:
            SourceFormatError: The lists lack documents that are shown.
        """
        known = len(self.lists.document_numbers()) + len(numbers)
        is_many = is_mass_loss(
            len(numbers), known, at_least=_LOSS_SAMPLE, share=_LOSS_SAMPLE_SHARE
        )
        asked = numbers[:_LOSS_SAMPLE] if is_many else numbers
        for number in asked:
            if (
                is_many
                and self._client.fetch_availability(self._client.endpoints[0], number)
                == SHOWN
            ):
                raise SourceFormatError(
                    f"The lists lack {len(numbers)} known documents, and document"
                    f" {number} of them is shown: they cannot be trusted."
                )
            yield self.documents.resolve_missing(number, is_listed=False)
        for number in numbers[len(asked) :]:
            # Its mark stays: if it is listed again, it need not be read for that.
            yield CompleteListing(
                self._parser.document_id(number), frozenset(), "no longer listed"
            )

    def _top_rules(self, listed: set[int]) -> dict[int, tuple[int, VersionRule]]:
        """Return the latest version of each listed document, and its rule."""
        return {
            number: (mark.latest_version, mark.version_rules[mark.latest_version])
            for number, mark in self.documents.iter_states()
            if number in listed
            and mark.version_rules
            and mark.latest_version == self.lists.latest_version(number)
        }

    def _find_disputed(self, rules: Mapping[int, tuple[int, VersionRule]]) -> list[int]:
        """Return the documents that lists contradict and this run has not read."""
        conflicts = self._find_conflicts(rules)
        disputed = {conflict.number for conflict in conflicts} - self._done_numbers
        return sorted(disputed)[:_MAX_REREADS]

    def _reread_disputed(self, disputed: list[int]) -> Iterator[Item]:
        """Read documents again that lists contradict.

        Where many records turn out to have changed although no list of changes says so,
        the site was wrong on the day they were read: all that was read on that day is
        in doubt.
        """
        before = {number: self.documents.get_state(number) for number in disputed}
        yield from self._read(disputed)
        stale: Counter[str] = Counter()
        for number, old in before.items():
            new = self.documents.get_state(number)
            if old and new and old.version_rules != new.version_rules:
                stale[old.read_on] += 1
        days = {day for day, count in stale.items() if count > _MAX_STALE_A_DAY}
        if days:
            days |= set(self._state.get(_DOUBTFUL_DAYS) or [])
            self._state.put(_DOUBTFUL_DAYS, sorted(days))

    def _doubtful_numbers(self) -> list[int]:
        """Return documents that were read on a day on which the site was wrong."""
        days = set(self._state.get(_DOUBTFUL_DAYS) or [])
        if not days:
            return []
        doubtful = [
            number
            for number, mark in self.documents.iter_states()
            if mark.read_on in days and number not in self._done_numbers
        ]
        if len(doubtful) <= _MAX_REREADS:
            self._state.put(_DOUBTFUL_DAYS, None)
        return doubtful[:_MAX_REREADS]

    def _find_conflicts(
        self, rules: Mapping[int, tuple[int, VersionRule]]
    ) -> list[AccessConflict]:
        """Return where lists and groups contradict each other."""
        found: list[AccessConflict] = []
        views = frozenset(view.name for view in self._views)
        judge = self.documents.judge
        for number, (top, rule) in rules.items():
            shown = self.lists.latest_by_view(number)
            if any(judge.find_conflicts(number, top, rule, shown, views)):
                shown = self.documents.latest_by_view(
                    number, self.documents.get_state(number)
                )
                found += judge.find_conflicts(number, top, rule, shown, views)
        return found

    def _report_conflicts(
        self, rules: Mapping[int, tuple[int, VersionRule]]
    ) -> Iterator[Alarm]:
        """Yield one alarm on where lists and groups contradict each other."""
        found = self._find_conflicts(rules)
        if found:
            told = "; ".join(map(str, found[:_MAX_EXAMPLES]))
            more = (
                f"; and {len(found) - _MAX_EXAMPLES} more"
                if len(found) > _MAX_EXAMPLES
                else ""
            )
            yield Alarm(
                f"{len(found)} times a group's list and the groups of a version"
                f" differ, and the stricter one counts: {told}{more}.",
                is_critical=False,
            )

    def _report_failed_doors(self) -> Iterator[Alarm]:
        """Yield an alarm for each door that does not work.

        Without any login nothing closed can be confirmed, so the run is none to trust.
        """
        has_login = any(door.group != PUBLIC for door in self._client.endpoints)
        for name, error in self._client.failures.items():
            kind, where = (
                type(error).__name__,
                "" if name in str(error) else f"{name}: ",
            )
            message = f"{kind}: {where}{error}"
            yield Alarm(message, error.hint, is_critical=not has_login)

    # ── documents ─────────────────────────────────────────────────────────────────

    def _read(self, numbers: Iterable[int]) -> Iterator[Item]:
        for number in numbers:
            if number not in self._done_numbers and not self.lists.is_out_of_reach(
                number
            ):
                self._done_numbers.add(number)
                yield from self._failures.guard(
                    self._parser.document_id(number), self.documents.read(number)
                )

    # ── names ─────────────────────────────────────────────────────────────────────

    def _build_judge(self, found: Hierarchy) -> AccessJudge:
        has_public = any(view.name == PUBLIC for view in self._views)
        return AccessJudge(found, self._rules.non_viewing_groups, has_public)

    def _save_hierarchy(self, found: Hierarchy) -> None:
        kept = {
            "proven": sorted(map(list, found.proven)),
            "possible": sorted(map(list, found.possible)),
        }
        self._state.put("hierarchy", kept)

    def _load_hierarchy(self) -> Hierarchy:
        kept = self._state.get("hierarchy") or {"proven": [], "possible": []}
        return Hierarchy(
            *(frozenset((p, c) for p, c in kept[k]) for k in ("proven", "possible"))
        )
