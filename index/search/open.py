"""Opens searchers: a snapshot, the current revocations, the reranker, the confirmer.

The only place that makes a `Searcher` from settings, so that a single question and a
server search in the same way.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dunegpt.config import Settings
from dunegpt.datadir import CURRENT
from dunegpt.index.search.rerank import Reranker
from dunegpt.index.search.revocations import Revocations, read_revocations
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.search.withdrawals import Confirmer, apply_withdrawals
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.revoked_now import RevokedAccess, read_revoked


def open_searcher(settings: Settings, name: str = CURRENT) -> Searcher:
    """Return a searcher on a snapshot, under the current access overlay.

    Closing it closes the connections to sources whose access is confirmed, too.

    Args:
        settings: Settings with the data folder.
        name: Id of the snapshot; by default the current one.

    Raises:
        IndexMissingError: There is no such snapshot.
        IndexBrokenError: The snapshot is damaged.
        IndexMismatchError: The snapshot has another format.
        ConfigError: The settings name a rerank model that cannot be used.
    """
    opener = SearcherOpener.from_settings(settings)
    snapshot = None
    try:
        snapshot = Snapshot(settings.paths.snapshots / name)
        return opener.make_searcher(snapshot, owns_confirmer=True)
    except BaseException:
        if snapshot:
            snapshot.close()
        opener.close()
        raise


@dataclass(frozen=True, slots=True)
class SearcherOpener:
    """Makes searchers that share settings, reranker and confirmer."""

    settings: Settings
    reranker: Reranker | None
    confirmer: Confirmer | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return an opener, with reranker and confirmer if the settings name any.

        Raises:
            ConfigError: The reranker cannot be used, or a source cannot be asked.
        """
        return cls(
            settings, Reranker.from_settings(settings), _open_confirmer(settings)
        )

    def close(self) -> None:
        """Close the connections to sources whose access is confirmed."""
        if self.confirmer:
            self.confirmer.close()

    @property
    def overlay(self) -> Path:
        """The file of the access overlay."""
        return self.settings.paths.overlay

    def make_searcher(
        self,
        snapshot: Snapshot,
        revocations: Revocations | None = None,
        *,
        owns_confirmer: bool = False,
        withdrawn: list[RevokedAccess] | None = None,
    ) -> Searcher:
        """Return a searcher on an open snapshot.

        Args:
            snapshot: The snapshot; the searcher takes ownership of it.
            revocations: Revocations to apply; by default those of the current overlay.
                What was found closed since the last crawl is always added.
            withdrawn: What was found closed since the last crawl; read by default.
            owns_confirmer: Whether closing the searcher closes the confirmer, too.

        Raises:
            IndexBrokenError: The overlay, or the list of withdrawn access, is damaged.
        """
        if revocations is None:
            revocations = read_revocations(
                snapshot.folder,
                snapshot.manifest["sources"],
                self.overlay,
                self.settings.access.max_overlay_age,
            )
        if withdrawn is None:
            withdrawn = read_revoked(self.settings.data)
        revocations = apply_withdrawals(revocations, snapshot.folder, withdrawn)
        return Searcher(
            snapshot,
            revocations,
            self.reranker,
            self.confirmer,
            owns_confirmer=owns_confirmer,
        )


def _open_confirmer(settings: Settings) -> Confirmer | None:
    """Return what asks sources before their documents are shown, or None.

    Raises:
        ConfigError: A source cannot be asked.
    """
    if not any(table.confirm for table in settings.sources.values()):
        return None
    from dunegpt.ingest.confirm import AccessConfirmer  # noqa: PLC0415 - imports httpx

    return AccessConfirmer.from_settings(settings)
