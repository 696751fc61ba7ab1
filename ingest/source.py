"""The contract that every document system fulfils, and the list of those we know.

A source is one file with one class, and one line in `SOURCES`. It lists and fetches;
it does not know the catalog. What it keeps from run to run goes through `Memory`.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from dunegpt.config import Settings, SourceTable
from dunegpt.errors import ConfigError
from dunegpt.ingest.docdb import DocDBSource
from dunegpt.ingest.edms import EdmsSource
from dunegpt.ingest.elog import ElogSource
from dunegpt.ingest.folder import FolderSource
from dunegpt.ingest.git import GitSource
from dunegpt.ingest.indico import IndicoSource
from dunegpt.ingest.items import Item, Memory, Scope
from dunegpt.types import FileRef


class Source(Protocol):
    """One document system, or one folder.

    A list that looks broken (a login page, a wrong count) raises a `SourceError`; it
    never reads as "everything was deleted". What cannot be listed in part is a
    `Failure` with the stage ``list``: then nothing at or below its id is taken for
    gone in this run.
    """

    name: str

    @property
    def requests(self) -> int:
        """How many requests were made so far."""

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield what changed in a scope, or more, and what is gone.

        Each document comes whole, with its access as observed now and its files. What
        exists in a place comes as `Whole` after the documents of that place.

        Raises:
            SourceError: The list cannot be trusted; nothing may be concluded from it.
        """

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of ``file`` in pieces.

        Raises:
            FetchError: This one file cannot be had, or is not what was promised.
            SourceError: No file can be had at present.
        """

    def close(self) -> None:
        """Release what the source holds open."""


SOURCES: dict[str, Callable[[str, SourceTable, Settings], Source]] = {
    "docdb": DocDBSource,
    "edms": EdmsSource,
    "elog": ElogSource,
    "folder": FolderSource,
    "git": GitSource,
    "indico": IndicoSource,
}


def open_source(name: str, settings: Settings) -> Source:
    """Return the source of ``[sources.NAME]``.

    Raises:
        ConfigError: No such table, an unknown type, or a key that means nothing.
    """
    table = settings.sources.get(name)
    if table is None:
        known = ", ".join(settings.sources) or "none"
        raise ConfigError(f"No source is called {name!r}; configured: {known}.")
    if table.type not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigError(f"[sources.{name}] type {table.type!r}: known are {known}.")
    return SOURCES[table.type](name, table, settings)


def untried(name: str, settings: Settings) -> str:
    """Return what of a source's kind was never tried on a real one; mostly nothing.

    A class says so by a constant, ``UNTRIED``.
    """
    table = settings.sources.get(name)
    kind = SOURCES.get(table.type) if table else None
    return str(getattr(kind, "UNTRIED", ""))
