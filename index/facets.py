"""What the documents that one reader may find are: authors, sources, kinds, statuses.

Only documents of which the reader may find a passage count, so that what is hidden is
as if it were not there. Ranks nothing.
"""

import re

import numpy as np

from dunegpt.index.snapshot import Snapshot
from dunegpt.index.view import View


class Facets:
    """Names that stand in what one reader may find."""

    def __init__(self, snapshot: Snapshot, view: View) -> None:
        self._snapshot = snapshot
        self._inside = np.zeros(len(snapshot.documents), bool)
        self._inside[snapshot.row_document[view.rows]] = True

    @property
    def sources(self) -> list[str]:
        """Names of sources."""
        return self._values("source", "sources")

    @property
    def kinds(self) -> list[str]:
        """What documents are in their home systems."""
        return self._values("kind", "kinds")

    @property
    def statuses(self) -> list[str]:
        """What their home systems say of documents; without the empty one."""
        return [status for status in self._values("status", "statuses") if status]

    def _values(self, field: str, names: str) -> list[str]:
        own = np.unique(self._snapshot.documents[field][self._inside])
        return sorted(self._snapshot.manifest[names][number] for number in own.tolist())

    def has_author(self, name: str) -> bool:
        """Return whether one author has all words of a name; an initial stands for any.

        Raises:
            IndexBrokenError: The store cannot be read.
        """
        parts = _parts(name)
        wanted = {part for part in parts if len(part) > 1}
        initials = [part for part in parts if len(part) == 1]
        store = self._snapshot.store
        if not wanted:
            return False
        found = [n for n in store.by_author(" ".join(wanted)) if self._inside[n]]
        return any(
            _is_called(author, wanted, initials)
            for number in found
            for stored in store.documents([number]).values()
            for author in stored.document.authors
        )


def _is_called(author: str, wanted: set[str], initials: list[str]) -> bool:
    own = _parts(author)
    others = [part for part in own if part not in wanted]
    return wanted <= set(own) and all(
        any(part.startswith(initial) for part in others) for initial in initials
    )


def _parts(name: str) -> list[str]:
    return re.findall(r"[^\W\d_][\w'\u2019-]*", name.casefold())
