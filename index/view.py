"""What one reader may find in one snapshot: a mask over rows, and clauses for words.

Joins the snapshot's access, the overlay's narrowing, the reader's principals and the
filters of a question; both searches and all that is shown of a document go through it.
"""

from dataclasses import dataclass, replace
from datetime import date

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
        sets = snapshot.access_sets
        self._allowed = np.array([bool(s & self._principals) for s in sets], bool)
        self._public = np.array([PUBLIC in s for s in sets], bool)
        self.rows: Mask = np.zeros(len(snapshot.row_access), bool)
        if len(self.rows):
            self.rows = self._allowed[snapshot.row_access]
        self.clause = Clause(
            access=tuple(np.flatnonzero(self._allowed).tolist()),
            public=tuple(np.flatnonzero(self._public).tolist()),
        )
        self._hold_back_stale()
        self._hold_back_narrowed()
        self.apply(filters or Filters())

    def apply(self, filters: Filters) -> list[int] | None:
        """Look only in documents that pass filters; its ``documents`` are ids.

        Returns: All that pass, hidden ones too, newest first; None if all do.
        """
        documents = self._snapshot.store.filtered(
            filters.sources,
            filters.since,
            filters.until,
            filters.author,
            fields={"kind": filters.kinds, "status": filters.statuses},
            within=filters.documents,
        )
        if documents is not None:
            self.restrict(documents)
        return documents

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

    def restrict(self, documents: list[int]) -> None:
        """Look in these documents only, and only in those of them that were left."""
        inside = np.zeros(self._snapshot.manifest["counts"]["documents"], bool)
        inside[documents] = True
        if self.clause.documents is not None:
            before = np.zeros_like(inside)
            before[list(self.clause.documents)] = True
            inside &= before
        if len(self.rows):
            self.rows = self.rows & inside[self._snapshot.row_document]
        kept = tuple(np.flatnonzero(inside).tolist())
        self.clause = replace(self.clause, documents=kept)

    def _may_open(self, then: Access, now: Access | None, source: str) -> bool:
        readers = then if now is None else now
        if PUBLIC in readers:
            return True
        stale = self._narrowing.stale
        is_stale = stale is None or source in stale
        return not is_stale and bool(readers & self._principals)

    def _hold_back_stale(self) -> None:
        """Leave only what is public of the sources whose access is not current."""
        names = self._snapshot.manifest["sources"]
        stale = self._narrowing.stale
        numbers = [n for n, name in enumerate(names) if stale is None or name in stale]
        if not numbers or not len(self.rows):
            return
        is_stale = np.isin(self._snapshot.row_source, numbers)
        self.rows = self.rows & (self._public[self._snapshot.row_access] | ~is_stale)
        self.clause = replace(self.clause, stale=tuple(numbers))

    def _hold_back_narrowed(self) -> None:
        """Take out the rows of documents and files that were closed since."""
        narrowing, store = self._narrowing, self._snapshot.store
        numbers = {*narrowing.documents, *(number for number, _ in narrowing.files)}
        if not numbers:
            return
        held: list[int] = []
        for number, stored in store.documents(numbers).items():
            rows = store.rows_of(number)
            passages = store.passages(rows)
            held += [
                row
                for row in rows
                if self.rows[row]
                and not self.may_open(stored, passages[row][1].file_key)
            ]
        self.rows[held] = False
        self.clause = replace(self.clause, without=tuple(held))
