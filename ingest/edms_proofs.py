"""Whether somebody without a login is given the very bytes that are kept here.

That alone makes a file public. What was found is kept by file, good news and bad, and
looked at again after a week, or when the file is another. Between the look and the
fetch a file may change: so what is stored must have the hash that was proven. Does not
know which documents are due.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dunegpt.errors import FetchError
from dunegpt.ingest.edms_files import RefusedError, Taken, Visitor, take
from dunegpt.ingest.edms_types import File, Transport
from dunegpt.types import FileRef

AGAIN = dt.timedelta(days=7, hours=-1)
_HOLDS = dt.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one file.

    Attributes:
        sha256: Of the bytes that a visitor was given and that are ours; empty: not
            public.
        at: When that was looked at, UTC, ISO 8601.
        stamp: Of the file then.
        told: What was observed.
    """

    sha256: str
    at: str
    stamp: str
    told: str

    @classmethod
    def loaded(cls, kept: Mapping[str, Any]) -> "Proof":
        """Return what was stored."""
        return cls(kept["sha256"], kept["at"], kept["stamp"], kept["told"])

    def stored(self) -> dict[str, str]:
        """Return it as JSON."""
        own = {"sha256": self.sha256, "at": self.at}
        return own | {"stamp": self.stamp, "told": self.told}

    def is_younger(self, age: dt.timedelta, now: dt.datetime) -> bool:
        """Return whether the look was less than so long ago."""
        return now - dt.datetime.fromisoformat(self.at) < age


@dataclass(slots=True)
class Proofs:
    """Looks at files as a visitor.

    Attributes:
        visitor: None where no public address is known: then nothing is public.
        max_bytes: Of a file.
        is_full: Everything is looked at again.
        taken: Our own bytes of files looked at, by number, version and name.
    """

    transport: Transport
    visitor: Visitor | None
    max_bytes: int
    is_full: bool = False
    taken: dict[tuple[str, str, str], Taken] = field(default_factory=dict)

    def let_go(self) -> None:
        """Forget the bytes of files looked at so far."""
        for each in self.taken.values():
            each.content.close()
        self.taken.clear()

    def look(
        self,
        place: tuple[str, str],
        file: File,
        kept: Proof | None,
        stored: FileRef | None,
    ) -> tuple[Proof | None, str]:
        """Return what is known of a file by now, and what went wrong with the look.

        Args:
            place: Number and version.
            file: As it was told.
            kept: What is known of it since an earlier look.
            stored: The file as it is here.

        Raises:
            SourceError: No file can be had at present, or not by a visitor.
        """
        if self.visitor is None:
            return None, ""
        now = dt.datetime.now(dt.UTC)
        is_same = bool(kept and file.stamp and kept.stamp == file.stamp)
        # A file of which no change is told may be another one at any time.
        holds = is_same or bool(kept and not kept.sha256 and not file.stamp)
        if kept and holds and not self.is_full and kept.is_younger(AGAIN, now):
            return kept, ""
        try:
            shown = take(self.visitor.file(*place, file.name, self.max_bytes))
        except RefusedError as error:
            told = f"not public: {str(error).rstrip('.')}"
            return self._found(now, file, "", told), ""
        except FetchError as error:
            if kept and is_same and kept.is_younger(_HOLDS, now):
                return kept, str(error)
            return None, str(error)
        try:
            own = self._own(place, file, shown, stored if is_same else None)
        except FetchError as error:
            shown.content.close()
            return None, f"a visitor is given it, and we are not: {error}"
        if own != shown.sha256:
            shown.content.close()
            told = "not public: a visitor is given other bytes than we are"
            return self._found(now, file, "", told), ""
        told = f"a visitor was given these bytes on {now.date().isoformat()}"
        return self._found(now, file, own, told), ""

    def _own(
        self,
        place: tuple[str, str],
        file: File,
        shown: Taken,
        stored: FileRef | None,
    ) -> str:
        """Return the hash of our own bytes: of those that we hold, or fetched now.

        Raises:
            FetchError: They cannot be had.
        """
        key = (*place, file.name)
        if self.transport.is_anonymous:
            self.taken[key] = shown
            return shown.sha256
        if stored and stored.sha256 == shown.sha256:
            shown.content.close()
            return shown.sha256
        own = take(self.transport.file(*key, self.max_bytes))
        self.taken[key] = own
        if own.sha256 == shown.sha256:
            shown.content.close()
        return own.sha256

    @staticmethod
    def _found(now: dt.datetime, file: File, sha256: str, told: str) -> Proof:
        return Proof(sha256, now.isoformat(timespec="seconds"), file.stamp, told)


def checksum_of(file: File, proof: Proof | None, stored: FileRef | None) -> str:
    """Return what tells the crawl whether a file must be fetched (again).

    Empty where nothing tells that it is the same.
    """
    sha256 = proof.sha256 if proof else ""
    base = f"edms:{file.stamp.replace('#', '')}" if file.stamp else ""
    is_same = bool(stored and base and stored.checksum.split("#")[0] == base)
    if sha256:
        if stored and is_same and stored.sha256 == sha256:
            return stored.checksum
        return f"{base or 'edms:'}#{sha256[:32]}"
    return stored.checksum if stored and is_same else base
