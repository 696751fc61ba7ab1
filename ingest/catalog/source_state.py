"""What a source sees of the catalog during a crawl: its state and its documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dunegpt.ingest import reference_table
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.items import KnownDocument
from dunegpt.types import Document


@dataclass(frozen=True, slots=True)
class CatalogState:
    """The state of one source; a `SourceState`.

    Attributes:
        references: File of the references as of the last index.
    """

    catalog: Catalog
    source: str
    started: str
    references: Path

    def get(self, key: str) -> Any:
        """Return the JSON value stored under a key, or None."""
        return self.catalog.get_state(self.source, key)

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; None deletes it."""
        self.catalog.put_state(self.source, key, value)

    def items_with_prefix(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield the keys with a prefix, and their values."""
        return self.catalog.iter_state(self.source, prefix)

    def get_document(self, document_id: str) -> Document | None:
        """Return a document as stored, hidden or not, or None."""
        return self.catalog.get(document_id)

    def top_documents(self) -> Mapping[str, KnownDocument]:
        """Return the visible documents without a parent, by id."""
        return self.catalog.top_documents(self.source)

    def started_at(self) -> str:
        """Return the start of this run, UTC, ISO 8601."""
        return self.started

    def cited_ids(self, beginning: str) -> frozenset[str]:
        """Return the cited identifiers with a prefix, as of the last index."""
        return reference_table.load_cited_ids(self.references, beginning)
