"""What one reader may find in one snapshot: a mask over rows, and clauses for words.

Joins the snapshot's access, the overlay's narrowing, the reader's principals and the
filters of a question; both searches and all that is shown of a document go through it.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from dunegpt.index.dense import Mask
from dunegpt.index.lexical import Clause
from dunegpt.index.narrowing import Narrowing
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.store import Stored
from dunegpt.types import PUBLIC, Access, Document


@dataclass(frozen=True, slots=True)
class Filters:
    """Which documents to look in; all that is given must hold.

    Attributes:
        sources: Names; any of them, as for kinds, statuses and documents.
        since: First day; until is the last one. An undated document passes neither.
        author: Words that the authors' names have, in any order and case.
        kinds: What a document is in its home system (``contribution``), any case.
        statuses: As the home system says (``approved``), any case.
        documents: Each with its parts: names in a question, ids where they are applied.
    """

    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    author: str = ""
    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


_VIEW_BYTES = 128 << 20
"""For masks that are worked out once: one byte a row and view, but 32 at most."""


class View:
    """A snapshot as one reader may see it, or a part of that."""

    def __init__(
        self,
        snapshot: Snapshot,
        narrowing: Narrowing,
        reader: Access,
        filters: Filters | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._narrowing = narrowing
        self._principals = reader | {PUBLIC}
        self.rows, self.clause = _seen_by(snapshot, narrowing, self._principals)
        self.apply(filters or Filters())

    def may_see(self, stored: Stored) -> bool:
        """Return whether the reader may open a document."""
        return self._may_open(
            stored.document.access,
            self._narrowing.documents.get(stored.number),
            stored.document.source,
        )

    def may_open(self, stored: Stored, key: str) -> bool:
        """Return whether the reader may open one file of a document."""
        file = next(f for f in stored.document.files if f.key == key)
        narrowed = self._narrowing.files.get((stored.number, key))
        opens = self._may_open(file.access, narrowed, stored.document.source)
        return opens and self.may_see(stored)

    def as_narrowed(self, stored: Stored) -> Document:
        """Return a document with its readers as of now, and its open files only."""
        document, narrowing = stored.document, self._narrowing
        return replace(
            document,
            access=narrowing.documents.get(stored.number, document.access),
            files=tuple(
                replace(
                    file,
                    access=narrowing.files.get((stored.number, file.key), file.access),
                )
                for file in document.files
                if self.may_open(stored, file.key)
            ),
        )

    def restrict(self, documents: list[int], among: Mask | None = None) -> Mask:
        """Look in these documents only, and only in those of them that were left.

        Args:
            documents: Their numbers.
            among: Documents that were left, if not all.

        Returns:
            For each document, whether it is left now.
        """
        inside = np.zeros(len(self._snapshot.documents), bool)
        inside[documents] = True
        if among is not None:
            inside &= among
        if self.clause.documents is not None:
            before = np.zeros_like(inside)
            before[list(self.clause.documents)] = True
            inside &= before
        self._keep(inside)
        kept = tuple(np.flatnonzero(inside).tolist())
        self.clause = replace(self.clause, documents=kept)
        return inside

    def apply(self, filters: Filters) -> list[int] | None:
        """Look only in documents that pass filters; its ``documents`` are ids.

        Returns: All that pass, hidden ones too, newest first; None if all do.
        """
        if filters == Filters():
            return None
        facts, manifest = self._snapshot.documents, self._snapshot.manifest
        inside = np.ones(len(facts), bool)
        chosen: dict[str, Any] = {}
        for field, clause, wanted in (
            ("source", "sources", filters.sources),
            ("kind", "kinds", filters.kinds),
            ("status", "statuses", filters.statuses),
        ):
            if wanted:
                folded = {value.casefold() for value in wanted}
                values = enumerate(manifest[clause])
                numbers = [n for n, value in values if value.casefold() in folded]
                inside &= np.isin(facts[field], numbers)
                chosen[clause] = tuple(numbers)
        if filters.since:
            chosen["since"] = filters.since.toordinal()
            inside &= facts["day"] >= chosen["since"]
        if filters.until:
            chosen["until"] = filters.until.toordinal()
            inside &= (facts["day"] <= chosen["until"]) & (facts["day"] > 0)
        inside = self._keep(inside)
        self.clause = replace(self.clause, **_both(self.clause, chosen))
        store = self._snapshot.store
        if filters.author:
            inside = self.restrict(store.by_author(filters.author), inside)
        if filters.documents:
            inside = self.restrict(store.within(filters.documents), inside)
        passing = np.flatnonzero(inside)
        order = np.argsort(-facts["day"][passing].astype(np.int64), kind="stable")
        return [int(number) for number in passing[order]]

    def _keep(self, inside: Mask) -> Mask:
        """Take out the rows of all documents but some; return which."""
        if len(self.rows):
            self.rows = self.rows & inside[self._snapshot.row_document]
            visible = int(np.count_nonzero(self.rows))
            self.clause = replace(self.clause, visible=visible, rows=self.rows)
        return inside

    def _may_open(self, then: Access, now: Access | None, source: str) -> bool:
        is_stale = self._narrowing.is_stale(source)
        return may_open(self._principals, then, now, is_stale=is_stale)


def _both(clause: Clause, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what must hold when a clause is narrowed by further filters."""
    both = dict(chosen)
    for name, value in chosen.items():
        before = getattr(clause, name)
        if before is None:
            continue
        if name == "since":
            both[name] = max(before, value)
        elif name == "until":
            both[name] = min(before, value)
        else:
            both[name] = tuple(n for n in value if n in before)
    return both


def _seen_by(
    snapshot: Snapshot, narrowing: Narrowing, principals: Access
) -> tuple[Mask, Clause]:
    """Return what somebody may find, worked out once for the same principals.

    Neither mask nor clause changes: who narrows them further makes others.
    """
    key = (id(snapshot), principals)
    with narrowing.lock:
        if key in narrowing.views:
            rows, clause = narrowing.views[key]
            return rows, clause
    sets = snapshot.access_sets
    allowed = tuple(n for n, s in enumerate(sets) if s & principals)
    public = tuple(n for n, s in enumerate(sets) if PUBLIC in s)
    rows = np.isin(np.arange(len(sets)), allowed)[snapshot.row_access]
    clause = Clause(access=allowed, public=public)
    rows, clause = _without_stale(snapshot, narrowing, rows, clause)
    rows, clause = _without_narrowed(snapshot, narrowing, principals, rows, clause)
    rows.flags.writeable = False
    clause = replace(clause, visible=int(np.count_nonzero(rows)), rows=rows)
    with narrowing.lock:
        while len(narrowing.views) >= max(2, min(32, _VIEW_BYTES // max(len(rows), 1))):
            del narrowing.views[next(iter(narrowing.views))]
        narrowing.views[key] = rows, clause
    return rows, clause


def _without_stale(
    snapshot: Snapshot, narrowing: Narrowing, rows: Mask, clause: Clause
) -> tuple[Mask, Clause]:
    """Leave only what is public of the sources whose access is not current."""
    names, stale = snapshot.manifest["sources"], narrowing.stale
    numbers = [n for n, name in enumerate(names) if stale is None or name in stale]
    if not numbers or not len(rows):
        return rows, clause
    is_public = np.isin(np.arange(len(snapshot.access_sets)), clause.public)
    of_stale = np.isin(snapshot.documents["source"], numbers)
    kept = is_public[snapshot.row_access] | ~of_stale[snapshot.row_document]
    return rows & kept, replace(clause, stale=tuple(numbers))


def _without_narrowed(
    snapshot: Snapshot,
    narrowing: Narrowing,
    principals: Access,
    rows: Mask,
    clause: Clause,
) -> tuple[Mask, Clause]:
    """Take out the rows of documents and files that were closed since."""
    store = snapshot.store
    numbers = {*narrowing.documents, *(number for number, _ in narrowing.files)}
    documents, held = [], list[int]()
    for number, stored in store.documents(numbers).items():
        own = np.array(store.rows_of(number), np.int64)
        if not rows[own].any():
            continue
        if not may_open(
            principals,
            stored.document.access,
            narrowing.documents.get(number),
            is_stale=narrowing.is_stale(stored.document.source),
        ):
            documents.append(number)
            rows[own] = False
            continue
        keys = store.files_of(own[rows[own]].tolist())
        access = {file.key: file.access for file in stored.document.files}
        closed = [
            row
            for row, key in keys.items()
            if not may_open(
                principals,
                access[key],
                narrowing.files.get((number, key)),
                is_stale=narrowing.is_stale(stored.document.source),
            )
        ]
        rows[closed] = False
        held += closed
    return rows, replace(
        clause, without=tuple(held), without_documents=tuple(documents)
    )


def may_open(
    principals: Access, then: Access, now: Access | None, *, is_stale: bool
) -> bool:
    """Return whether somebody may open what had certain readers when it was indexed.

    Args:
        principals: Of the reader.
        then: Its readers in the snapshot.
        now: Its readers by the overlay; None if they are the same.
        is_stale: Access was not confirmed lately, so only what is public opens.
    """
    readers = then if now is None else now
    if PUBLIC in readers:
        return True
    return not is_stale and bool(readers & principals)
