"""Searches an open snapshot on behalf of readers.

There is no search without a reader: `as_reader` returns the index as they may see it.
"""

from dunegpt.access import Access
from dunegpt.index.search.ranking import Ranker
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.reader_view import MaskCache
from dunegpt.index.search.rerank import Reranker
from dunegpt.index.search.revocations import Revocations
from dunegpt.index.search.withdrawals import Confirmer
from dunegpt.index.snapshot.snapshot import Snapshot


class Searcher:
    """An open snapshot under one set of revocations; safe to share between threads.

    Attributes:
        snapshot: The snapshot that is searched.
        revocations: Access that was revoked since the snapshot was built.
        masks: Cache of the rows that readers may find.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        revocations: Revocations | None = None,
        reranker: Reranker | None = None,
        confirmer: Confirmer | None = None,
        *,
        owns_confirmer: bool = False,
    ) -> None:
        self.snapshot = snapshot
        self._confirmer, self._owns_confirmer = confirmer, owns_confirmer
        self.revocations = revocations or Revocations()
        self.masks = MaskCache(snapshot, self.revocations)
        self._ranker = Ranker(snapshot, reranker)

    @property
    def reranker(self) -> Reranker | None:
        """The cross-encoder that rescores the best passages, or None."""
        return self._ranker.reranker

    def as_reader(self, principals: Access) -> ReaderIndex:
        """Return the index as one reader may see it.

        Args:
            principals: The reader's principals; ``public`` is added.
        """
        confirmer = self._confirmer
        confirmation = confirmer.start(principals) if confirmer else None
        return ReaderIndex(self.masks, self._ranker, principals, confirmation)

    def close(self) -> None:
        """Close the snapshot, and the confirmer if it belongs to this searcher."""
        self.snapshot.close()
        if self._confirmer and self._owns_confirmer:
            self._confirmer.close()
