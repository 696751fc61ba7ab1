"""What is stored about each EDMS document between runs, as JSON."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dunegpt.access import NOBODY, Access
from dunegpt.ingest.edms.public_check import RECHECK_AFTER, PublicCheck


@dataclass(slots=True)
class VersionState:
    """What is stored about a version.

    Attributes:
        read: The day on which it was read.
        before: The previous version.
        settled: Whether its status means that its files are frozen.
        failed: Whether a failure in it is in the ledger.
        proofs: Results of the public check, by the key of the file.
    """

    read: str
    before: str | None = None
    settled: bool = False
    failed: bool = False
    proofs: dict[str, PublicCheck] = field(default_factory=dict)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "VersionState":
        """Return the stored state."""
        proofs = {
            name: PublicCheck.from_json(each) for name, each in kept["proofs"].items()
        }
        return cls(**{**kept, "proofs": proofs})


@dataclass(slots=True)
class DocumentState:
    """What is stored about a document.

    Attributes:
        read: The day on which it was last read completely; empty if never.
        full: Number of the full pass in which it was read.
        readers: Readers of its part of the tree when it was read.
        missing: The day on which it was first not found; empty if it was found.
        closed: Whether it exists but is not visible to this login.
    """

    read: str = ""
    full: int = 0
    readers: Access = NOBODY
    missing: str = ""
    closed: bool = False
    versions: dict[str, VersionState] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether the files of all versions are frozen."""
        return all(version.settled for version in self.versions.values())

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "DocumentState":
        """Return the stored state."""
        versions = {v: VersionState.from_json(m) for v, m in kept["versions"].items()}
        readers = frozenset(kept["readers"])
        return cls(**{**kept, "versions": versions, "readers": readers})

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {**asdict(self), "readers": sorted(self.readers)}

    def is_check_current(self, now: datetime) -> bool:
        """Return whether no public check is due."""
        proofs = (p for v in self.versions.values() for p in v.proofs.values())
        return all(proof.is_newer_than(RECHECK_AFTER, now) for proof in proofs)
