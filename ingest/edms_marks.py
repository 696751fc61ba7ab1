"""What is kept of each document of an EDMS between runs, as JSON.

Knows neither what is asked nor when.
"""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from dunegpt.ingest.edms_proofs import AGAIN, Proof
from dunegpt.types import NOBODY, Access


@dataclass(slots=True)
class VersionMark:
    """What is kept of a version.

    Attributes:
        read: The day on which it was read.
        before: The version before it.
        settled: Its status says that its files are frozen.
        failed: Something in it is in the ledger.
        proofs: What a visitor was given, by the file's key.
    """

    read: str
    before: str | None = None
    settled: bool = False
    failed: bool = False
    proofs: dict[str, Proof] = field(default_factory=dict)

    @classmethod
    def loaded(cls, kept: dict[str, Any]) -> "VersionMark":
        """Return the mark that was stored."""
        proofs = {name: Proof.loaded(each) for name, each in kept["proofs"].items()}
        return cls(**{**kept, "proofs": proofs})


@dataclass(slots=True)
class Mark:
    """What is kept of a document.

    Attributes:
        read: The day on which it was read to its end; empty: never.
        full: The full pass in which it was read.
        readers: Of its part of the tree when it was read.
        missing: The day on which it was first not found; empty if it is there.
        closed: It is there, and not for us.
    """

    read: str = ""
    full: int = 0
    readers: Access = NOBODY
    missing: str = ""
    closed: bool = False
    versions: dict[str, VersionMark] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether the files of all versions are frozen."""
        return all(version.settled for version in self.versions.values())

    @classmethod
    def loaded(cls, kept: dict[str, Any]) -> "Mark":
        """Return the mark that was stored."""
        versions = {v: VersionMark.loaded(m) for v, m in kept["versions"].items()}
        readers = frozenset(kept["readers"])
        return cls(**{**kept, "versions": versions, "readers": readers})

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "readers": sorted(self.readers)}

    def is_looked_at(self, now: datetime) -> bool:
        """Return whether no look as a visitor is due."""
        proofs = (p for v in self.versions.values() for p in v.proofs.values())
        return all(proof.is_younger(AGAIN, now) for proof in proofs)


def today() -> str:
    """Return the day, UTC, ISO 8601."""
    return datetime.now(UTC).date().isoformat()
