"""Checks whether an anonymous visitor can download exactly the bytes that are stored.

Only that makes a file public. The result is stored per file, and checked again after a
week or when the file changes. A file may change between the check and the download, so
the stored bytes must have the hash that was checked. Does not decide which documents
are due.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dunegpt.errors import FetchError
from dunegpt.ingest.edms.public_files import (
    AnonymousClient,
    DownloadedFile,
    NotPublicError,
    download,
)
from dunegpt.ingest.edms.transport import Transport, VersionFile
from dunegpt.types import FileRef

RECHECK_AFTER = dt.timedelta(days=7, hours=-1)
_VALID_FOR = dt.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class PublicCheck:
    """The result of one check.

    Attributes:
        sha256: Hash of the bytes, if a visitor gets the same as we do; empty if the
            file is not public.
        at: When it was checked, UTC, ISO 8601.
        stamp: Stamp of the file at that time.
        told: What was observed, as evidence.
    """

    sha256: str
    at: str
    stamp: str
    told: str

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "PublicCheck":
        """Return what was stored."""
        return cls(kept["sha256"], kept["at"], kept["stamp"], kept["told"])

    def to_json(self) -> dict[str, str]:
        """Return it as JSON."""
        own = {"sha256": self.sha256, "at": self.at}
        return own | {"stamp": self.stamp, "told": self.told}

    def is_newer_than(self, age: dt.timedelta, now: dt.datetime) -> bool:
        """Return whether the check is more recent than that."""
        return now - dt.datetime.fromisoformat(self.at) < age


@dataclass(slots=True)
class PublicChecker:
    """Downloads files anonymously, and compares them.

    Attributes:
        anonymous_client: None if no public URL is known: then nothing is public.
        max_bytes: Size limit of a file.
        recheck_all: Check every file again.
        downloads: Own copies of checked files, by number, version and name.
    """

    transport: Transport
    anonymous_client: AnonymousClient | None
    max_bytes: int
    recheck_all: bool = False
    downloads: dict[tuple[str, str, str], DownloadedFile] = field(default_factory=dict)

    def discard_downloads(self) -> None:
        """Discard the own copies of files checked so far."""
        for each in self.downloads.values():
            each.content.close()
        self.downloads.clear()

    def check(
        self,
        place: tuple[str, str],
        file: VersionFile,
        kept: PublicCheck | None,
        stored: FileRef | None,
    ) -> tuple[PublicCheck | None, str]:
        """Return the current result for a file, and what went wrong with the check.

        Args:
            place: Number and version.
            file: The file as listed.
            kept: Result of an earlier check.
            stored: The file as stored here.

        Raises:
            SourceError: No file can be had at present, or not by a visitor.
        """
        if self.anonymous_client is None:
            return None, ""
        now = dt.datetime.now(dt.UTC)
        is_same = bool(kept and file.stamp and kept.stamp == file.stamp)
        # A file of which no change is told may be another one at any time.
        holds = is_same or bool(kept and not kept.sha256 and not file.stamp)
        if (
            kept
            and holds
            and not self.recheck_all
            and kept.is_newer_than(RECHECK_AFTER, now)
        ):
            return kept, ""
        try:
            shown = download(
                self.anonymous_client.fetch_file(*place, file.name, self.max_bytes)
            )
        except NotPublicError as error:
            told = f"not public: {str(error).rstrip('.')}"
            return self._build_result(now, file, "", told), ""
        except FetchError as error:
            if kept and is_same and kept.is_newer_than(_VALID_FOR, now):
                return kept, str(error)
            return None, str(error)
        try:
            own = self._hash_own_copy(place, file, shown, stored if is_same else None)
        except FetchError as error:
            shown.content.close()
            return None, f"a visitor is given it, and we are not: {error}"
        if own != shown.sha256:
            shown.content.close()
            told = "not public: a visitor is given other bytes than we are"
            return self._build_result(now, file, "", told), ""
        told = f"a visitor was given these bytes on {now.date().isoformat()}"
        return self._build_result(now, file, own, told), ""

    def _hash_own_copy(
        self,
        place: tuple[str, str],
        file: VersionFile,
        shown: DownloadedFile,
        stored: FileRef | None,
    ) -> str:
        """Return the hash of our own bytes: of those that we hold, or fetched now.

        Raises:
            FetchError: They cannot be had.
        """
        key = (*place, file.name)
        if self.transport.is_anonymous:
            self.downloads[key] = shown
            return shown.sha256
        if stored and stored.sha256 == shown.sha256:
            shown.content.close()
            return shown.sha256
        own = download(self.transport.fetch_file(*key, self.max_bytes))
        self.downloads[key] = own
        if own.sha256 == shown.sha256:
            shown.content.close()
        return own.sha256

    @staticmethod
    def _build_result(
        now: dt.datetime, file: VersionFile, sha256: str, told: str
    ) -> PublicCheck:
        return PublicCheck(sha256, now.isoformat(timespec="seconds"), file.stamp, told)


def build_checksum(
    file: VersionFile, proof: PublicCheck | None, stored: FileRef | None
) -> str:
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
