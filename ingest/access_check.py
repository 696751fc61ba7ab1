"""Asks a source whether a document is still shown to a principal: the shared types.

A source that can be asked this in one short request offers an `AccessChecker`, which
plans the requests and judges the answers. It makes no requests itself and stores
nothing; `dunegpt.ingest.confirm` sends them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from dunegpt.types import Document

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document that is about to be shown to a reader who may read it by our records.

    Attributes:
        document: With its current access, and only the files that the reader may open.
        keys: Keys of the files of which something is shown.
    """

    document: Document
    keys: frozenset[str] = frozenset()


class Shown(StrEnum):
    """What an answer says of a document."""

    YES = "yes"
    NO = "no"
    """It is closed to the account that asked."""
    DELETED = "deleted"
    """It does not exist any more, for anyone."""
    UNKNOWN = "unknown"
    """The answer does not tell: a login page, an error."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one answer, or several together, say of a document.

    Attributes:
        shown: Whether the document is shown.
        files: Keys of the separately protected files that are shown; None if files have
            no protection of their own.
    """

    shown: Shown
    files: frozenset[str] | None = None

    def lists(self, key: str, protected: Callable[[str], bool]) -> bool:
        """Return whether a file is shown along with the document."""
        return self.files is None or not protected(key) or key in self.files


UNKNOWN = Verdict(Shown.UNKNOWN)


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One GET request of one account, and how to judge the answer.

    Attributes:
        url: Absolute URL, with the query.
        headers: Login of the account; empty for an anonymous visitor.
        judge: Returns the verdict on status, headers and body; raises `SourceError` if
            the answer does not tell.
        trust: TLS settings of the connection.
    """

    url: str
    judge: Callable[[int, Mapping[str, str], bytes], Verdict]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    trust: "ssl.SSLContext | bool" = True


Plan: TypeAlias = Sequence[Sequence[AccessRequest]]
"""Ways to confirm access, of which one is enough; each needs all of its requests."""


class AccessChecker(Protocol):
    """Plans how to ask one source whether it still shows a document to a principal.

    Attributes:
        per_hour: At most so many requests per hour, by all processes together.
    """

    per_hour: int

    def plan(self, document_id: str, principal: str) -> Plan:
        """Return the requests; none if this source cannot tell for this principal.

        Raises:
            SourceError: A login cannot be used at present.
        """

    def is_protected(self, key: str) -> bool:
        """Return whether a file may be closed while its document is not, by its key."""

    def preparation(self) -> Sequence[AccessRequest]:
        """Return requests whose answers are needed before `plan` is complete.

        Their ``judge`` stores what it finds. Empty once all is known.
        """

    def load(self, learned: Any) -> None:
        """Take what an earlier process learned by `preparation`."""

    def learned(self) -> Any:
        """Return as JSON what `preparation` found, for later processes."""

    def close(self) -> None:
        """Close connections and files."""
