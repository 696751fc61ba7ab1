"""Facets of the documents that one reader may find: authors, sources, kinds, statuses.

Only documents with at least one passage that the reader may find are counted, so hidden
documents leave no trace.
"""

import numpy as np

from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.snapshot import Snapshot


class Facets:
    """The facet values of the documents that one reader may find."""

    def __init__(self, snapshot: Snapshot, view: ReaderView) -> None:
        self._snapshot = snapshot
        self._visible = view.find_documents_with_rows()

    @property
    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return self._list_values("source", "sources")

    @property
    def kinds(self) -> list[str]:
        """Kinds of documents, as their home systems call them, sorted."""
        return self._list_values("kind", "kinds")

    @property
    def statuses(self) -> list[str]:
        """Statuses given by the home systems, sorted, without the empty one."""
        return [status for status in self._list_values("status", "statuses") if status]

    def _list_values(self, field: str, names: str) -> list[str]:
        numbers = np.unique(self._snapshot.documents[field][self._visible])
        return sorted(self._snapshot.manifest[names][n] for n in numbers.tolist())

    def has_author(self, name: str) -> bool:
        """Return whether an author has all words of a name.

        Raises:
            IndexBrokenError: The store cannot be read.
        """
        return bool(self.find_by_author(name))

    def find_by_author(self, name: str) -> frozenset[int]:
        """Return the documents with one author who has all words of a name.

        Raises:
            IndexBrokenError: The store cannot be read.
        """
        numbers = self._snapshot.store.find_by_author(name)
        return frozenset(number for number in numbers if self._visible[number])
