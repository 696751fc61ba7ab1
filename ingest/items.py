"""What passes between a source and the crawl, beside documents and failures.

A source is told how much to look at (`Scope`) and may keep marks from run to run
(`Memory`); it yields `Item`s in an order that may be broken off anywhere: when an item
was asked for, all items before it are safely stored. Knows no source and no catalog.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from dunegpt.types import Document, Failure


@dataclass(frozen=True, slots=True)
class Scope:
    """How much of a source one run looks at.

    Attributes:
        full: All that exists, whatever was seen before.
        since: All that is dated from this day on, whatever was seen before.
        first: Ids of documents to look at before all else: change notices, and what
            could not be listed the last time.
    """

    full: bool = False
    since: datetime.date | None = None
    first: tuple[str, ...] = ()


class Memory(Protocol):
    """What is kept for one source between its runs."""

    def get(self, key: str) -> Any:
        """Return the JSON value that was put under a key, or None."""

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON value; all items yielded before are stored already."""

    def below(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield keys that begin so, with their values."""

    def document(self, document_id: str) -> Document | None:
        """Return a document as it is stored, hidden or not, or None."""

    def tops(self) -> Mapping[str, "Known"]:
        """Return the documents that no other one holds, by id, gone ones left out."""

    def started_at(self) -> str:
        """Return when this run began, UTC, ISO 8601."""

    def cited(self, beginning: str) -> frozenset[str]:
        """Return what texts of any source name, by the last index, that begins so.

        Identifiers are canonical: ``edms:2145137``, ``edms:2145137:1``,
        ``edms:CERN-0000193828``, ``docdb:12345:3``.
        """


@dataclass(frozen=True, slots=True)
class Known:
    """A document that the catalog has.

    Attributes:
        date: Its day, or None.
        observed_at: When it was last seen at its source, UTC, ISO 8601.
    """

    date: datetime.date | None
    observed_at: str


@dataclass(frozen=True, slots=True)
class Whole:
    """All that exists in one place: what is known there, and not among them, is gone.

    Attributes:
        holder: Id of the document that holds them, itself included; empty for all of
            the source.
        ids: Of every document that exists there.
        reason: Why the others are gone, for the tombstone.
        keep: What is gone may well come back: hide it, and never purge it.
        replaces: What another document there supersedes was replaced by it: that is no
            loss. For places that keep no older versions.
    """

    holder: str
    ids: frozenset[str]
    reason: str = "gone at the source"
    keep: bool = False
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """Documents that were observed again, unchanged."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an operator must know.

    Attributes:
        grave: It speaks against this run: what is gone in it is hidden, not purged, and
            the run is no good one. Otherwise it is told, and the run goes its way.
    """

    message: str
    hint: str = ""
    grave: bool = True


Item: TypeAlias = Document | Failure | Whole | Seen | Alarm
