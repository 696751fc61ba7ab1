"""One crawl of an EDMS: which documents are due, in which order, and what vanished.

Unreleased documents are read by each run, since their files change without a new
version; or once a day, where EDMS reports changes. Project nodes are read daily, newly
cited documents at once, public files are checked weekly, and a thirtieth of all
documents is read again each day. A full pass reads everything, and survives a killed
run.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dunegpt.access import Access
from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.canary import check_canary
from dunegpt.ingest.edms.documents import RecordParser
from dunegpt.ingest.edms.nodes import NodeTree
from dunegpt.ingest.edms.public_check import PublicChecker
from dunegpt.ingest.edms.state import DocumentState
from dunegpt.ingest.edms.transport import NotOfferedError, Transport
from dunegpt.ingest.edms.versions import DocumentReader
from dunegpt.ingest.items import Alarm, CompleteListing, CrawlScope, Item, SourceState
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.ingest.sync import DailyPass, FailureStreak, FullPass
from dunegpt.types import Failure

_CHANGE_OVERLAP = timedelta(days=1)
_MAX_CONSECUTIVE_FAILURES = 5
_CITED_PREFIX = "edms:"


@dataclass(frozen=True, slots=True)
class SyncRules:
    """Options of all runs over a source.

    Attributes:
        access_by_node: Readers of the documents below each project node.
        default_access: Readers of documents that are named one by one.
        versions_by_document: Numbers of such documents, with the versions named.
        follow_citations: Whether documents cited in texts of other sources are read.
        canary: Number of a document that must be visible; empty for none.
        max_age: How long documents stay as they were whose node cannot be listed.
    """

    access_by_node: dict[str, Access]
    default_access: Access
    versions_by_document: dict[str, set[str]]
    follow_citations: bool
    canary: str
    max_age: timedelta


class EDMSSync:
    """One run."""

    def __init__(
        self,
        transport: Transport,
        reader: RecordParser,
        proofs: PublicChecker,
        scope: CrawlScope,
        memory: SourceState,
        rules: SyncRules,
    ) -> None:
        self._transport, self._parser = transport, reader
        self._scope, self._state, self._rules = scope, memory, rules
        self._full_pass = FullPass(memory, requested=scope.full)
        self._daily_pass = DailyPass(memory)
        self._failures = FailureStreak(
            0 if transport.is_local else _MAX_CONSECUTIVE_FAILURES
        )
        self.tree = NodeTree(
            transport,
            reader,
            memory,
            rules.access_by_node,
            rules.default_access,
            rules.max_age,
        )
        self.documents = DocumentReader(
            transport, reader, proofs, memory, self.tree, self._full_pass.number
        )
        self._done_numbers: set[str] = set()
        self._lacks_changes = False

    def sync(self) -> Iterator[Item]:
        """Yield documents, failures and what is gone.

        Raises:
            SourceError: A list cannot be trusted, or document after document fails.
        """
        self._transport.open()
        yield from self._report_list_problem()
        nodes = self._collect_cited()
        self.documents.visible_ids = frozenset(self._state.top_documents())
        is_daily = self._is_daily()
        if is_daily:
            yield from self.tree.refresh(nodes)
        else:
            yield from self.tree.refresh_new(nodes)
        listed = self._transport.document_numbers()
        has_own_list = (
            self._transport.is_authoritative and not self._rules.access_by_node
        )
        vouched = listed if has_own_list else frozenset()
        self.tree.set_seeds(vouched | self._rules.versions_by_document.keys())
        changed = yield from self._fetch_changes()
        marks = dict(self.documents.iter_states())
        yield from self._restrict_access(marks)
        named = filter(None, map(self._parser.parse_number, self._scope.priority_ids))
        yield from self._read(named, whole=True)
        yield from self._read(filter(None, [self._rules.canary]), whole=True)
        seeds = self._seed_numbers(listed, nodes)
        yield from self._read(
            self._due_numbers(marks, seeds, changed, is_daily), whole=True
        )
        yield from self._read(
            self._unreleased_numbers(marks, changed, is_daily), whole=False
        )
        yield from self._finish(marks, is_daily)

    # ── what is due ───────────────────────────────────────────────────────────────

    def _is_daily(self) -> bool:
        if self._scope.full or self._scope.recheck or self._transport.is_local:
            return True
        if any(not self.tree.is_known(root) for root in self._rules.access_by_node):
            return True
        return self._daily_pass.is_due()

    def _report_list_problem(self) -> Iterator[Item]:
        """Tell what of the transport's own list cannot be used."""
        where = self._parser.parent_id("list")
        if self._transport.problem:
            told = self._transport.problem
            yield Failure(where, "list", "SourceFormatError", told)
        else:
            yield CompleteListing(where, frozenset())

    def _collect_cited(self) -> frozenset[str]:
        """Take what texts name; return the project nodes among it."""
        nodes = set()
        versions = {n: set(v) for n, v in self._rules.versions_by_document.items()}
        names = (
            self._state.cited_ids(_CITED_PREFIX) if self._rules.follow_citations else ()
        )
        for name in names:
            number, _, version = name.removeprefix(_CITED_PREFIX).partition(":")
            if number.isascii() and number.isdecimal():
                versions.setdefault(number, set()).update({version} - {""})
            elif number and not version:
                nodes.add(number)
        self.documents.cited_versions = versions
        return frozenset(nodes)

    def _seed_numbers(
        self, listed: frozenset[str], nodes: frozenset[str]
    ) -> frozenset[str]:
        """Return all documents that are named anywhere."""
        below = self.tree.document_numbers() | self.tree.cited_documents(nodes)
        return listed | below | self.documents.cited_versions.keys()

    def _fetch_changes(self) -> Generator[Item, None, frozenset[str] | None]:
        """Return what changed since the last good run; None if nobody tells.

        A list that cannot be had ends nothing: then what is not released is read.
        """
        since = self._state.get("since")
        if not since:
            # The first pass may take days: what changes meanwhile counts.
            self._state.put("since", self._state.started_at())
        if not since or self._transport.is_local:
            return None
        try:
            moment = datetime.fromisoformat(since) - _CHANGE_OVERLAP
            return self._transport.changed_since(moment)
        except NotOfferedError:
            return None
        except SourceLoginError:
            raise
        except SourceError as error:
            self._lacks_changes = True
            yield Alarm(
                f"What changed could not be listed: {error} Documents that are not"
                " released are read instead, and the list is asked for again by the"
                " next run.",
                is_critical=False,
            )
            return None

    def _due_numbers(
        self,
        marks: dict[str, DocumentState],
        seeds: frozenset[str],
        changed: frozenset[str] | None,
        is_daily: bool,
    ) -> list[str]:
        """Return the documents that are to be read whole, in order."""
        tops = self._state.top_documents()
        known = frozenset(map(self._parser.parse_number, tops)) - {""} | marks.keys()
        if self._transport.is_local:
            return _sort_numbers(seeds | known)
        now = datetime.now(UTC)
        due = {n for n in seeds | known if n not in marks or not marks[n].read}
        due |= (changed or frozenset()) & (seeds | known)
        if self._full_pass.is_open:
            due |= {
                n for n, mark in marks.items() if mark.full != self._full_pass.number
            }
        for number, mark in marks.items():
            is_moved = mark.readers != self.tree.access_of(number) and mark.versions
            was_there = mark.versions and (mark.missing or (mark.closed and is_daily))
            if is_moved or was_there or not mark.is_check_current(now):
                due.add(number)
        if since := self._scope.since:
            dated = (n for n, own in tops.items() if own.date and own.date >= since)
            due |= set(filter(None, map(self._parser.parse_number, dated)))
        return [*_sort_numbers(due), *(self._due_rereads(marks) if is_daily else ())]

    def _unreleased_numbers(
        self,
        marks: dict[str, DocumentState],
        changed: frozenset[str] | None,
        is_daily: bool,
    ) -> list[str]:
        """Return the documents that are not released: they change as they are."""
        if changed is not None and not is_daily:
            return []
        return _sort_numbers(
            n for n, m in marks.items() if m.versions and not m.is_settled
        )

    def _due_rereads(self, marks: dict[str, DocumentState]) -> list[str]:
        """Return the documents that were read longest ago, so many as are due today."""
        if self._full_pass.is_open:
            return []
        return self._daily_pass.due_rereads(
            (mark.read, number) for number, mark in marks.items()
        )

    # ── documents ─────────────────────────────────────────────────────────────────

    def _restrict_access(self, marks: dict[str, DocumentState]) -> Iterator[Item]:
        """Close what the tree no longer vouches for, before anything is asked."""
        for number, mark in marks.items():
            if mark.readers - self.tree.access_of(number):
                yield from self.documents.restrict_access(number, mark)

    def _read(self, numbers: Iterable[str], *, whole: bool) -> Iterator[Item]:
        for number in numbers:
            if number not in self._done_numbers:
                self._done_numbers.add(number)
                items = self.documents.read(number, whole=whole)
                yield from self._failures.guard(self._parser.parent_id(number), items)

    def _finish(
        self, before: dict[str, DocumentState], is_daily: bool
    ) -> Iterator[Item]:
        """Tell what vanished, and note how far this run came."""
        known = sum(bool(m.versions) and not m.missing for m in before.values())
        vanished = self.documents.vanished_count
        if is_mass_loss(vanished, known):
            yield Alarm(
                f"{vanished} of {known} documents are suddenly not found; they are"
                " hidden."
            )
        if canary := self._rules.canary:
            mark = self.documents.get_state(canary)
            is_shown = bool(mark and not mark.missing and not mark.closed)
            proofs = (
                [p for v in mark.versions.values() for p in v.proofs.values()]
                if (mark)
                else []
            )
            if problem := check_canary(
                f"document {canary}",
                self._state,
                is_shown=is_shown,
                is_public=any(proof.sha256 for proof in proofs),
            ):
                yield problem
        marks = [mark for _, mark in self.documents.iter_states()]
        withheld = {
            "documents closed to us": sum(mark.closed for mark in marks),
            "documents named and not found": sum(
                bool(mark.missing) and not mark.versions for mark in marks
            ),
        }
        self._state.put("withheld", withheld)
        self._full_pass.finish()
        if is_daily:
            self._daily_pass.finish()
        if not self._lacks_changes:
            self._state.put("since", self._state.started_at())


def _sort_numbers(numbers: Iterable[str]) -> list[str]:
    return sorted(numbers, key=lambda number: (len(number), number))
