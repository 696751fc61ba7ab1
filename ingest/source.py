"""The interface of a source: a document system that can be crawled.

A source is one class in a folder of its own, registered in `dunegpt.ingest.registry`.
It lists documents and fetches files; it does not know the catalog. What it remembers
from run to run goes through `SourceState`.
"""

from collections.abc import Iterator
from typing import Protocol

from dunegpt.ingest.items import CrawlScope, Item, SourceState
from dunegpt.types import FileRef


class Source(Protocol):
    """A document system or a folder.

    A list that looks broken (a login page, a wrong count) raises a `SourceError`; it
    must never be read as "everything was deleted". If only a part cannot be listed, the
    source yields a `Failure` with the stage ``list``: then this run removes nothing at
    or below its id.
    """

    name: str

    @property
    def requests(self) -> int:
        """Number of requests made so far."""

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield what changed within the scope (or more), and what is gone.

        Each document is complete, with its files and its access as observed now. A
        `CompleteListing` follows the documents of the place that it describes.

        Raises:
            SourceError: The list cannot be trusted; nothing may be concluded from it.
        """

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file in chunks.

        Raises:
            FetchError: This file is unavailable, or is not the one that was listed.
            SourceError: No file can be fetched at present.
        """

    def close(self) -> None:
        """Close connections and files."""
