"""Fetches the files of documents during a crawl, unless their bytes are known.

What cannot be fetched is recorded as a failure, and the earlier bytes stay. Does not
depend on any particular source.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from dunegpt.access import intersect_access
from dunegpt.errors import FetchError
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.source import Source
from dunegpt.types import Failure, FileRef


class FileFetcher:
    """Fetches files of one source.

    Attributes:
        count: Number of files fetched so far.
        size_bytes: Their size in all.
        is_dry_run: Only predict what would be fetched.
    """

    def __init__(
        self,
        source: Source,
        catalog: Catalog,
        blobs: BlobStore,
        record_failure: Callable[[Failure], None],
    ) -> None:
        self.source, self.catalog, self.blobs = source, catalog, blobs
        self._record_failure = record_failure
        self.count = self.size_bytes = 0
        self.is_dry_run = False

    def fetch_if_needed(
        self, document_id: str, file: FileRef, old: FileRef | None
    ) -> FileRef:
        """Return the file with the sha256 of its bytes; fetch it only if necessary."""
        if not file.access:
            # Nobody may read it: do not fetch; a stored copy is removed later.
            kept = (old.sha256, old.checksum, old.size_bytes) if old else ("", "", None)
            sha256, checksum, size = kept
            return replace(
                file, body=None, sha256=sha256, checksum=checksum, size_bytes=size
            )
        if (
            old
            and file.checksum
            and old.checksum == file.checksum
            and old.sha256 in self.blobs
        ):
            return replace(file, sha256=old.sha256, size_bytes=old.size_bytes)
        if self.is_dry_run:
            return _predict_file(file, old)
        if known := self._find_known_sha256(file):
            return replace(file, sha256=known)
        try:
            return self._fetch_and_store(file)
        except FetchError as error:
            name = type(error).__name__
            self._record_failure(
                Failure(f"{document_id}#{file.key}", "fetch", name, str(error))
            )
        if old and old.sha256 in self.blobs:
            # Keep the previous bytes for those who still may read them; retry later.
            return replace(
                file,
                access=intersect_access(file.access, old.access),
                sha256=old.sha256,
                checksum=old.checksum,
                size_bytes=old.size_bytes,
            )
        return file

    def _find_known_sha256(self, file: FileRef) -> str:
        """Return the sha256 of the same file in another document, or empty."""
        if not file.checksum.startswith("md5:") or file.size_bytes is None:
            return ""
        sha256 = self.catalog.find_sha256(file.checksum, file.size_bytes)
        return sha256 if sha256 in self.blobs else ""

    def _fetch_and_store(self, file: FileRef) -> FileRef:
        """Return the file after its bytes were fetched and stored.

        Raises:
            FetchError: They are unavailable, or not what was listed.
        """
        if file.body is not None:
            sha256, size = self.blobs.put([file.body])
        else:
            sha256, size = self.blobs.put(
                self.source.fetch(file),
                checksum=file.checksum,
                size_bytes=file.size_bytes,
            )
            self.count += 1
            self.size_bytes += size
        return replace(file, sha256=sha256, size_bytes=size)


def _predict_file(file: FileRef, old: FileRef | None) -> FileRef:
    """Return the file as far as it is known without fetching it."""
    if file.body is not None:
        sha256 = hashlib.sha256(file.body).hexdigest()
        return replace(file, sha256=sha256, size_bytes=len(file.body))
    if old and not file.checksum:
        return replace(file, sha256=old.sha256, size_bytes=old.size_bytes)
    return file
