"""The catalog: the single record of what exists, and of who may read it.

One SQLite file with one writer at a time. Every change is one transaction, so a process
that is killed at any moment leaves complete documents only. Does not depend on any
source, nor on the index.
"""

from dataclasses import replace

import sqlalchemy as sa

from dunegpt.ingest.catalog import schema
from dunegpt.ingest.catalog.connection import is_in_subtree, now
from dunegpt.ingest.catalog.documents import ObservedDocument
from dunegpt.ingest.catalog.ledger import Ledger
from dunegpt.ingest.catalog.openings import AccessTable
from dunegpt.ingest.catalog.removals import FORGOTTEN_REASON, HiddenState, RemovalTable
from dunegpt.ingest.catalog.sync_state import SyncStateTable

__all__ = [
    "FORGOTTEN_REASON",
    "Catalog",
    "HiddenState",
    "ObservedDocument",
    "is_in_subtree",
    "list_parent_ids",
    "now",
]


class Catalog(AccessTable, RemovalTable, Ledger, SyncStateTable):
    """The catalog in one file, created when it is first opened."""

    def source_names(self) -> list[str]:
        """Return the names of the sources that have documents, failures or runs."""
        tables = schema.documents, schema.failures, schema.runs
        names = [sa.select(table.c.source) for table in tables]
        with self._read_connection() as db:
            return sorted(set(db.execute(sa.union(*names)).scalars()))

    def forget(self, document_id: str) -> set[str]:
        """Remove a document, its versions and its parts for good; return all its ids.

        Parent documents lose their timetable, because it names the document.

        Raises:
            StorageError: The list of forgotten documents is damaged.
        """
        known = [observed.document for observed in self.iter_observed(document_id)]
        for source in {document.source for document in known}:
            self.add_tombstone(document_id, source)
        self.remove({document.id for document in known}, reason=FORGOTTEN_REASON)
        self.delete_state(document_id)
        for parent in map(self.get, list_parent_ids(document_id)):
            if parent:
                files = [f for f in parent.files if not f.key.startswith("timetable")]
                self.put(replace(parent, files=tuple(files)))
                self.delete_state(parent.id)
        return {document.id for document in known}

    def apply_forgotten(self) -> None:
        """Forget what the list of forgotten documents names, but this catalog has.

        It has such documents if it is an older copy.

        Raises:
            StorageError: The list of forgotten documents is damaged.
        """
        self.save_forgotten()
        for document_id in sorted(self.forgotten_ids()):
            if next(self.iter_observed(document_id), None):
                self.forget(document_id)


def list_parent_ids(document_id: str) -> list[str]:
    """Return the ids of possible parent documents, such as an event or a talk."""
    return [document_id[:end] for end, char in enumerate(document_id) if char == "/"]
