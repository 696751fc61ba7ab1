"""What a source and the crawl exchange, besides documents and failures.

A source receives the scope of a run (`CrawlScope`) and may store JSON from run to run
(`SourceState`). It yields `Item`s, and may be stopped after any of them: when the next
item is requested, all items before it are stored. Does not depend on any source, nor on
the catalog.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from dunegpt.types import Document, Failure


@dataclass(frozen=True, slots=True)
class CrawlScope:
    """How much of a source one run reads.

    Attributes:
        full: Everything, whatever was read before.
        since: Everything dated on or after this day, whatever was read before.
        priority_ids: Ids of documents to read first: change notices, what failed in an
            earlier run, and openings that are held back.
        recheck: The last run raised an alarm, or held something back: all lists are
            due, whatever their schedule.
        accepts_loss: The operator confirmed that what is gone is gone.
        accepts_opening: The operator confirmed that what is open is open.
    """

    full: bool = False
    since: datetime.date | None = None
    priority_ids: tuple[str, ...] = ()
    recheck: bool = False
    accepts_loss: bool = False
    accepts_opening: bool = False


class SourceState(Protocol):
    """What is stored for one source between its runs."""

    def get(self, key: str) -> Any:
        """Return the JSON value stored under a key, or None."""

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; all items yielded before are stored already."""

    def items_with_prefix(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield the keys with a prefix, and their values."""

    def get_document(self, document_id: str) -> Document | None:
        """Return a document as stored, hidden or not, or None."""

    def top_documents(self) -> Mapping[str, "KnownDocument"]:
        """Return the documents without a parent, by id; hidden ones are left out."""

    def started_at(self) -> str:
        """Return the start of this run, UTC, ISO 8601."""

    def cited_ids(self, beginning: str) -> frozenset[str]:
        """Return the cited identifiers with a prefix, in texts of all sources.

        They are as of the last index, in canonical form: ``edms:2145137``,
        ``edms:2145137:1``, ``edms:CERN-0000193828``, ``docdb:12345:3``.
        """


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document in the catalog.

    Attributes:
        date: Its date, or None.
        observed_at: When it was last seen at its source, UTC, ISO 8601.
    """

    date: datetime.date | None
    observed_at: str


@dataclass(frozen=True, slots=True)
class CompleteListing:
    """All documents that exist in one place: known others in that place are gone.

    Attributes:
        parent_id: Id of the document at or below which they lie; empty for the whole
            source.
        ids: Ids of all documents that exist there.
        reason: Why the others are gone, for the tombstone.
        keep_hidden: The others may well come back: hide them, and never remove them.
        replaces: Documents that are superseded by one of ``ids`` count as replaced, not
            as lost. For systems that do not keep older versions.
    """

    parent_id: str
    ids: frozenset[str]
    reason: str = "gone at the source"
    keep_hidden: bool = False
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Documents that were seen again, unchanged."""

    ids: frozenset[str]


class Concern(StrEnum):
    """What a critical alarm puts in doubt."""

    LOSS = "loss"
    """That what is not shown to us any more is gone."""
    OPENING = "opening"
    """That what is shown to more readers than before is for them."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an operator must know.

    Attributes:
        is_critical: The run cannot be trusted: what is gone is only hidden, and the run
            does not count as a good one. Otherwise it is a warning.
        concern: What a critical alarm puts in doubt.
    """

    message: str
    hint: str = ""
    is_critical: bool = True
    concern: Concern = Concern.LOSS


Item: TypeAlias = Document | Failure | CompleteListing | Unchanged | Alarm
