"""A reader's view of a snapshot: a row mask, and the same filter for lexical search.

Combines the snapshot's access sets, the revocations of the access overlay, the reader's
principals and the filters of a question. Both searches, and everything that is shown of
a document, go through it.
"""

import copy
from dataclasses import replace
from threading import Lock
from typing import Any, Self

import numpy as np

from dunegpt.access import PUBLIC, Access
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.revocations import Revocations
from dunegpt.index.snapshot.dense import Mask
from dunegpt.index.snapshot.document_store import StoredDocument
from dunegpt.index.snapshot.lexical_filter import LexicalFilter
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.types import Document

_MAX_MASKS = 32
_MASK_BYTES = 128 << 20
"""Limit on the masks in one `MaskCache`; a mask takes one byte per row."""


class MaskCache:
    """The access masks of one snapshot under one set of revocations; thread-safe.

    Each cache belongs to one `Searcher`, so a mask is never applied to another
    snapshot. The oldest masks are dropped first.
    """

    def __init__(self, snapshot: Snapshot, revocations: Revocations) -> None:
        self.snapshot = snapshot
        self.revocations = revocations
        self._masks: dict[Access, tuple[Mask, LexicalFilter]] = {}
        self._document_masks: dict[Access, Mask] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._masks)

    def get(self, principals: Access) -> tuple[Mask, LexicalFilter]:
        """Return the rows that a reader may find, computed once per set of principals.

        The mask is read-only; whoever narrows it makes a new one.
        """
        with self._lock:
            if principals in self._masks:
                return self._masks[principals]
        visible = _compute_visible(self.snapshot, self.revocations, principals)
        limit = max(2, min(_MAX_MASKS, _MASK_BYTES // max(len(visible[0]), 1)))
        with self._lock:
            while len(self._masks) >= limit:
                del self._masks[next(iter(self._masks))]
            self._masks[principals] = visible
        return visible

    def get_documents(self, principals: Access) -> Mask:
        """Return for each document whether a reader may see it, like `get`."""
        with self._lock:
            if principals in self._document_masks:
                return self._document_masks[principals]
        visible = _compute_visible_documents(
            self.snapshot, self.revocations, principals
        )
        limit = max(2, min(_MAX_MASKS, _MASK_BYTES // max(len(visible), 1)))
        with self._lock:
            while len(self._document_masks) >= limit:
                del self._document_masks[next(iter(self._document_masks))]
            self._document_masks[principals] = visible
        return visible


class ReaderView:
    """A snapshot, or a part of it, as one reader may see it.

    `apply_filters` and `restrict_to` narrow the view in place; `copy` it first to keep
    the original.

    Attributes:
        principals: The reader's principals, with ``public``.
        rows: For each row, whether the reader may find it.
        lexical_filter: The same as a filter for lexical search.
    """

    def __init__(self, masks: MaskCache, principals: Access) -> None:
        self._masks = masks
        self._snapshot = masks.snapshot
        self._revocations = masks.revocations
        self.principals = principals | {PUBLIC}
        self.rows, self.lexical_filter = masks.get(self.principals)

    def copy(self) -> Self:
        """Return a view that can be narrowed without changing this one."""
        return copy.copy(self)

    @property
    def visible_documents(self) -> Mask:
        """For each document, whether the reader may see it; filters do not matter."""
        return self._masks.get_documents(self.principals)

    def find_documents_with_rows(self) -> Mask:
        """Return for each document whether any row of it is in the view."""
        inside = np.zeros(len(self._snapshot.documents), bool)
        inside[self._snapshot.row_document[self.rows]] = True
        return inside

    def may_see(self, stored: StoredDocument) -> bool:
        """Return whether the reader may open a document."""
        return self._may_open(
            stored.document.access,
            self._revocations.documents.get(stored.number),
            stored.document.source,
        )

    def may_open(self, stored: StoredDocument, key: str) -> bool:
        """Return whether the reader may open one file of a document."""
        file = next(f for f in stored.document.files if f.key == key)
        narrowed = self._revocations.files.get((stored.number, key))
        opens = self._may_open(file.access, narrowed, stored.document.source)
        return opens and self.may_see(stored)

    def apply_revocations(self, stored: StoredDocument) -> Document:
        """Return a document with its current access and only its readable files."""
        document, revocations = stored.document, self._revocations
        return replace(
            document,
            access=revocations.documents.get(stored.number, document.access),
            files=tuple(
                replace(
                    file,
                    access=revocations.files.get(
                        (stored.number, file.key), file.access
                    ),
                )
                for file in document.files
                if self.may_open(stored, file.key)
            ),
        )

    def restrict_to(self, documents: list[int], among: Mask | None = None) -> Mask:
        """Narrow the view to some of the documents that it has.

        Args:
            documents: Document numbers.
            among: Further restriction, for each document; None for no restriction.

        Returns:
            For each document, whether it is still in the view.
        """
        inside = np.zeros(len(self._snapshot.documents), bool)
        inside[documents] = True
        if among is not None:
            inside &= among
        if self.lexical_filter.documents is not None:
            before = np.zeros_like(inside)
            before[list(self.lexical_filter.documents)] = True
            inside &= before
        self._restrict_rows(inside)
        numbers = tuple(np.flatnonzero(inside).tolist())
        self.lexical_filter = replace(self.lexical_filter, documents=numbers)
        return inside

    def apply_filters(self, filters: Filters) -> list[int] | None:
        """Narrow the view to documents that pass filters; ``documents`` must hold ids.

        Returns the numbers of all documents that pass, hidden ones included, newest
        first; None if there is no filter.
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
        inside = self._restrict_rows(inside)
        self.lexical_filter = replace(
            self.lexical_filter, **_intersect_filters(self.lexical_filter, chosen)
        )
        store = self._snapshot.store
        for name in filters.people:
            inside = self.restrict_to(store.find_by_author(name), inside)
        if filters.documents:
            inside = self.restrict_to(store.find_within(filters.documents), inside)
        passing = np.flatnonzero(inside)
        order = np.argsort(-facts["day"][passing].astype(np.int64), kind="stable")
        return [int(number) for number in passing[order]]

    def _restrict_rows(self, inside: Mask) -> Mask:
        """Keep only the rows of documents inside; return the argument."""
        if len(self.rows):
            self.rows = self.rows & inside[self._snapshot.row_document]
            visible = int(np.count_nonzero(self.rows))
            self.lexical_filter = replace(
                self.lexical_filter, visible=visible, rows=self.rows
            )
        return inside

    def _may_open(self, then: Access, now: Access | None, source: str) -> bool:
        is_stale = self._revocations.is_stale(source)
        return may_open(self.principals, then, now, is_stale=is_stale)


def _intersect_filters(clause: LexicalFilter, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the conditions of a clause narrowed by further filters."""
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


def _compute_visible(
    snapshot: Snapshot, revocations: Revocations, principals: Access
) -> tuple[Mask, LexicalFilter]:
    """Return the rows that a reader may find, and the same as a lexical filter."""
    sets = snapshot.access_sets
    allowed = tuple(n for n, s in enumerate(sets) if s & principals)
    public = tuple(n for n, s in enumerate(sets) if PUBLIC in s)
    rows = np.isin(np.arange(len(sets)), allowed)[snapshot.row_access]
    clause = LexicalFilter(access=allowed, public=public)
    rows, clause = _exclude_stale(snapshot, revocations, rows, clause)
    rows, clause = _exclude_revoked(snapshot, revocations, principals, rows, clause)
    rows.flags.writeable = False
    visible = int(np.count_nonzero(rows))
    return rows, replace(clause, visible=visible, rows=rows)


def _compute_visible_documents(
    snapshot: Snapshot, revocations: Revocations, principals: Access
) -> Mask:
    """Return for each document whether a reader may see it."""
    access, names = snapshot.document_access, snapshot.manifest["sources"]
    by_set = [
        [
            may_open(principals, readers, None, is_stale=is_stale)
            for readers in snapshot.access_sets
        ]
        for is_stale in (False, True)
    ]
    is_stale = np.array([revocations.is_stale(name) for name in names], bool)
    stale = is_stale[snapshot.documents["source"]] if len(access) else access > 0
    visible: Mask = np.array(by_set, bool)[stale.astype(np.int64), access]
    for number, now in revocations.documents.items():
        visible[number] &= may_open(principals, now, None, is_stale=bool(stale[number]))
    visible.flags.writeable = False
    return visible


def _exclude_stale(
    snapshot: Snapshot, revocations: Revocations, rows: Mask, clause: LexicalFilter
) -> tuple[Mask, LexicalFilter]:
    """Keep only public rows of sources whose access information is stale."""
    names, stale = snapshot.manifest["sources"], revocations.stale
    numbers = [n for n, name in enumerate(names) if stale is None or name in stale]
    if not numbers or not len(rows):
        return rows, clause
    is_public = np.isin(np.arange(len(snapshot.access_sets)), clause.public)
    is_stale = np.isin(snapshot.documents["source"], numbers)
    allowed = is_public[snapshot.row_access] | ~is_stale[snapshot.row_document]
    return rows & allowed, replace(clause, stale=tuple(numbers))


def _exclude_revoked(
    snapshot: Snapshot,
    revocations: Revocations,
    principals: Access,
    rows: Mask,
    clause: LexicalFilter,
) -> tuple[Mask, LexicalFilter]:
    """Remove the rows of documents and files that the reader may no longer open."""
    store = snapshot.store
    numbers = {*revocations.documents, *(number for number, _ in revocations.files)}
    closed_documents, closed_rows = [], list[int]()
    for number, stored in store.get_documents(numbers).items():
        document_rows = np.array(store.get_rows(number), np.int64)
        if not rows[document_rows].any():
            continue
        if not may_open(
            principals,
            stored.document.access,
            revocations.documents.get(number),
            is_stale=revocations.is_stale(stored.document.source),
        ):
            closed_documents.append(number)
            rows[document_rows] = False
            continue
        keys = store.get_file_keys(document_rows[rows[document_rows]].tolist())
        access = {file.key: file.access for file in stored.document.files}
        closed = [
            row
            for row, key in keys.items()
            if not may_open(
                principals,
                access[key],
                revocations.files.get((number, key)),
                is_stale=revocations.is_stale(stored.document.source),
            )
        ]
        rows[closed] = False
        closed_rows += closed
    return rows, replace(
        clause, without=tuple(closed_rows), without_documents=tuple(closed_documents)
    )


def may_open(
    principals: Access, then: Access, now: Access | None, *, is_stale: bool
) -> bool:
    """Return whether a reader may open a document or file.

    Args:
        principals: The reader's principals.
        then: Access in the snapshot.
        now: Access in the overlay; None if it is the same.
        is_stale: Whether access was not confirmed recently, so only public items open.
    """
    readers = then if now is None else now
    if PUBLIC in readers:
        return True
    return not is_stale and bool(readers & principals)
