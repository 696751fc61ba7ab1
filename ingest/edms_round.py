"""One run over an EDMS: what is due, in which order, and what has vanished.

What is not released is read by each run, since its files change without a new version;
or daily, where EDMS tells of changes. Nodes are looked at daily, what is newly cited at
once, what a visitor was given weekly, and a thirtieth of all daily. A full pass reads
all; a killed one is gone on with.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.edms_documents import Documents
from dunegpt.ingest.edms_marks import Mark, today
from dunegpt.ingest.edms_objects import Reader
from dunegpt.ingest.edms_proofs import Proofs
from dunegpt.ingest.edms_tree import Tree
from dunegpt.ingest.edms_types import NotOfferedError, Transport
from dunegpt.ingest.items import Alarm, Item, Memory, Scope, Whole
from dunegpt.types import Access, Failure

_DAY = timedelta(hours=23)
_OVERLAP = timedelta(days=1)
_ROUND_DAYS = 30
_ROUND_LEAST = 50
_DOWN_AFTER = 5
_GUARD_OBJECTS = 20
_GUARD_SHARE = 0.05
_CITED = "edms:"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all runs over a source.

    Attributes:
        roots: Readers of what is below each project node.
        default: Readers of documents named one by one.
        documents: Numbers of such documents, each with the versions named.
        follows: Whether documents that texts of other sources name are looked up.
        canary: Number of a document that must be shown; empty: none.
    """

    roots: dict[str, Access]
    default: Access
    documents: dict[str, set[str]]
    follows: bool
    canary: str


class Round:
    """What one run looks at."""

    def __init__(
        self,
        transport: Transport,
        reader: Reader,
        proofs: Proofs,
        scope: Scope,
        memory: Memory,
        rules: Rules,
    ) -> None:
        self._transport, self._reader = transport, reader
        self._scope, self._memory, self._rules = scope, memory, rules
        self._pass = memory.get("full") or {"number": 0, "open": False}
        if (scope.full or not self._pass["number"]) and not self._pass["open"]:
            self._pass = {"number": self._pass["number"] + 1, "open": True}
            memory.put("full", self._pass)
        self.tree = Tree(transport, reader, memory, rules.roots, rules.default)
        self.documents = Documents(
            transport, reader, proofs, memory, self.tree, self._pass["number"]
        )
        self._done: set[str] = set()
        self._in_row = 0

    def items(self) -> Iterator[Item]:
        """Yield what is found.

        Raises:
            SourceError: A list cannot be trusted, or document after document fails.
        """
        self._transport.open()
        yield from self._open_problem()
        nodes = self._take_cited()
        self.documents.visible = frozenset(self._memory.tops())
        is_daily = self._is_daily()
        if is_daily:
            yield from self.tree.look(nodes)
        else:
            yield from self.tree.look_at_new(nodes)
        listed = self._transport.listed()
        has_own_list = self._transport.vouches and not self._rules.roots
        vouched = listed if has_own_list else frozenset()
        self.tree.seed(vouched | self._rules.documents.keys())
        changed = self._changes()
        marks = dict(self.documents.marks())
        yield from self._narrow(marks)
        named = filter(None, map(self._reader.number, self._scope.first))
        yield from self._read(named, whole=True)
        yield from self._read(filter(None, [self._rules.canary]), whole=True)
        seeds = self._seeds(listed, nodes)
        yield from self._read(self._due(marks, seeds, changed, is_daily), whole=True)
        yield from self._read(self._open_work(marks, changed, is_daily), whole=False)
        yield from self._conclude(marks, is_daily)

    # ── what is due ───────────────────────────────────────────────────────────────

    def _is_daily(self) -> bool:
        last = self._memory.get("daily")
        if self._scope.full or self._transport.is_local or not last:
            return True
        if any(not self.tree.is_known(root) for root in self._rules.roots):
            return True
        return datetime.now(UTC) - datetime.fromisoformat(last) >= _DAY

    def _open_problem(self) -> Iterator[Item]:
        """Tell what of the transport's own list cannot be used."""
        where = self._reader.holder("list")
        if self._transport.problem:
            told = self._transport.problem
            yield Failure(where, "list", "SourceFormatError", told)
        else:
            yield Whole(where, frozenset())

    def _take_cited(self) -> frozenset[str]:
        """Take what texts name; return the project nodes among it."""
        nodes = set()
        versions = {n: set(v) for n, v in self._rules.documents.items()}
        names = self._memory.cited(_CITED) if self._rules.follows else ()
        for name in names:
            number, _, version = name.removeprefix(_CITED).partition(":")
            if number.isascii() and number.isdecimal():
                versions.setdefault(number, set()).update({version} - {""})
            elif number and not version:
                nodes.add(number)
        self.documents.cited = versions
        return frozenset(nodes)

    def _seeds(self, listed: frozenset[str], nodes: frozenset[str]) -> frozenset[str]:
        """Return all documents that are named anywhere."""
        below = self.tree.numbers() | self.tree.cited_documents(nodes)
        return listed | below | self.documents.cited.keys()

    def _changes(self) -> frozenset[str] | None:
        """Return what changed since the last good run; None if nobody tells."""
        since = self._memory.get("since")
        if not since:
            # The first pass may take days: what changes meanwhile counts.
            self._memory.put("since", self._memory.started_at())
        if not since or self._transport.is_local:
            return None
        try:
            moment = datetime.fromisoformat(since) - _OVERLAP
            return self._transport.changed_since(moment)
        except NotOfferedError:
            return None

    def _due(
        self,
        marks: dict[str, Mark],
        seeds: frozenset[str],
        changed: frozenset[str] | None,
        is_daily: bool,
    ) -> list[str]:
        """Return the documents that are to be read whole, in order."""
        tops = self._memory.tops()
        known = frozenset(map(self._reader.number, tops)) - {""} | marks.keys()
        if self._transport.is_local:
            return _sorted(seeds | known)
        now = datetime.now(UTC)
        due = {n for n in seeds | known if n not in marks or not marks[n].read}
        due |= (changed or frozenset()) & (seeds | known)
        if self._pass["open"]:
            due |= {n for n, mark in marks.items() if mark.full != self._pass["number"]}
        for number, mark in marks.items():
            is_moved = mark.readers != self.tree.readers(number) and mark.versions
            was_there = mark.versions and (mark.missing or (mark.closed and is_daily))
            if is_moved or was_there or not mark.is_looked_at(now):
                due.add(number)
        if since := self._scope.since:
            dated = (n for n, own in tops.items() if own.date and own.date >= since)
            due |= set(filter(None, map(self._reader.number, dated)))
        return [*_sorted(due), *(self._rolling(marks) if is_daily else ())]

    def _open_work(
        self, marks: dict[str, Mark], changed: frozenset[str] | None, is_daily: bool
    ) -> list[str]:
        """Return the documents that are not released: they change as they are."""
        if changed is not None and not is_daily:
            return []
        return _sorted(n for n, m in marks.items() if m.versions and not m.is_settled)

    def _rolling(self, marks: dict[str, Mark]) -> list[str]:
        """Return the documents that were read longest ago, so many as are due today."""
        rolled = self._memory.get("rolled")
        if not rolled or self._pass["open"]:
            return []
        days = (date.fromisoformat(today()) - date.fromisoformat(rolled)).days
        share = max(math.ceil(len(marks) / _ROUND_DAYS), _ROUND_LEAST)
        oldest = sorted((mark.read, number) for number, mark in marks.items())
        return [number for _, number in oldest[: share * min(days, _ROUND_DAYS)]]

    # ── documents ─────────────────────────────────────────────────────────────────

    def _narrow(self, marks: dict[str, Mark]) -> Iterator[Item]:
        """Close what the tree no longer vouches for, before anything is asked."""
        for number, mark in marks.items():
            if mark.readers - self.tree.readers(number):
                yield from self.documents.narrowed(number, mark)

    def _read(self, numbers: Iterable[str], *, whole: bool) -> Iterator[Item]:
        for number in numbers:
            if number not in self._done:
                self._done.add(number)
                items = self.documents.read(number, whole=whole)
                yield from self._tried(number, items)

    def _tried(self, number: str, items: Iterator[Item]) -> Iterator[Item]:
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
            self._in_row += not self._transport.is_local
            if self._in_row >= _DOWN_AFTER:
                raise
            where = self._reader.holder(number)
            yield Failure(where, "list", type(error).__name__, str(error))

    def _conclude(self, before: dict[str, Mark], is_daily: bool) -> Iterator[Item]:
        """Tell what vanished, and note how far this run came."""
        known = sum(bool(m.versions) and not m.missing for m in before.values())
        vanished = self.documents.vanished
        if vanished > max(_GUARD_OBJECTS, _GUARD_SHARE * known):
            yield Alarm(
                f"{vanished} of {known} documents are not found, all of a sudden: they"
                " are hidden."
            )
        if canary := self._rules.canary:
            mark = self.documents.mark(canary)
            if not mark or mark.missing or mark.closed:
                yield Alarm(f"The canary, document {canary}, is not shown to us.")
        marks = [mark for _, mark in self.documents.marks()]
        withheld = {
            "documents closed to us": sum(mark.closed for mark in marks),
            "documents named and not found": sum(
                bool(mark.missing) and not mark.versions for mark in marks
            ),
        }
        self._memory.put("withheld", withheld)
        if self._pass["open"]:
            self._memory.put("full", self._pass | {"open": False})
        if is_daily:
            self._memory.put("rolled", today())
            self._memory.put("daily", self._memory.started_at())
        self._memory.put("since", self._memory.started_at())


def _sorted(numbers: Iterable[str]) -> list[str]:
    return sorted(numbers, key=lambda number: (len(number), number))
