"""Runs a source into the catalog: documents, their files, what is gone, what failed.

Knows no particular source. A killed run leaves whole documents behind, and the next
run does the rest: a file whose checksum is known is never fetched again.
"""

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.errors import FetchError, SourceError, StorageError
from dunegpt.ingest import overlay
from dunegpt.ingest.blobs import Blobs, storage_errors
from dunegpt.ingest.catalog import Catalog, now
from dunegpt.ingest.extract.clean import one_line
from dunegpt.ingest.source import Source, open_source
from dunegpt.types import Document, Failure, FileRef

log = logging.getLogger(__name__)

_GUARD_OBJECTS = 20
_GUARD_SHARE = 0.05


@dataclass(slots=True)
class CrawlReport:
    """What one run over one source did.

    Attributes:
        removed: Documents gone at the source and forgotten here.
        hidden: Documents gone at the source in such number that the run only hid
            them from readers.
        error: Why the run ended early; empty if it did not.
    """

    source: str
    seen: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    hidden: int = 0
    failed: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    failures: list[Failure] = field(default_factory=list)


@contextmanager
def only_writer(data: Path) -> Iterator[None]:
    """Hold the data folder's lock; the system frees it when the process ends.

    Raises:
        StorageError: Another crawl or index run holds it.
    """
    with storage_errors(data):
        # Restricted texts lie in it, so nobody else on this host may look.
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data / "lock").open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"Another crawl or index run is at work in {data}.",
                hint="Wait until it ends; it frees the folder even if it is killed.",
            ) from error
        yield


def crawl(
    name: str,
    settings: Settings,
    *,
    accept_loss: bool = False,
    progress: Callable[[CrawlReport], None] = lambda report: None,
) -> CrawlReport:
    """Bring the catalog up to date with one source; return what was done.

    It ends with a new access overlay, so that what was closed is closed at once.
    A source that cannot be listed ends the run with ``error`` set; what it had
    yielded before stays, and nothing is removed.

    Args:
        name: Of the source in the settings.
        settings: Where the data folder is, and what the source needs.
        accept_loss: Forget what is gone even if it is suspiciously much.
        progress: Called after each document with the report so far.

    Raises:
        ConfigError: The source's settings cannot be used.
        StorageError: The disk is full, or another run is at work.
    """
    started, clock = now(), time.monotonic()
    report = CrawlReport(name)
    with only_writer(settings.data):
        catalog = Catalog(settings.data / "catalog.db")
        source = open_source(name, settings)
        try:
            run = _Run(source, catalog, Blobs(settings.data / "blobs"), report)
            run.take_all(progress)
            run.prune(accept_loss=accept_loss)
        except SourceError as error:
            log.info("%s: %s", name, error)
            report.error = f"{type(error).__name__}: {error}"
            report.hint = error.hint
        finally:
            report.seconds = round(time.monotonic() - clock, 2)
            source.close()
        record = asdict(report)
        record["failures"] = [f.id for f in report.failures]
        catalog.put_run(name, started, record)
        overlay.write(catalog, settings.data)
        catalog.close()
    return report


def _is_below(document_id: str, holder: str) -> bool:
    return document_id == holder or document_id.startswith(f"{holder}/")


def _tidy(document: Document) -> Document:
    """Return a document whose names are one line each, without control characters."""
    return replace(
        document,
        title=one_line(document.title) or document.id,
        authors=tuple(filter(None, map(one_line, document.authors))),
        status=one_line(document.status),
        files=tuple(replace(f, name=one_line(f.name)) for f in document.files),
    )


class _Run:
    """One pass over one source."""

    def __init__(
        self, source: Source, catalog: Catalog, blobs: Blobs, report: CrawlReport
    ) -> None:
        self.source = source
        self.catalog = catalog
        self.blobs = blobs
        self.report = report

    def take_all(self, progress: Callable[[CrawlReport], None]) -> None:
        """Take in every document and failure that the source yields."""
        for item in self.source.changes(None):
            if isinstance(item, Failure):
                self._fail(item)
            else:
                self._take(_tidy(item))
            progress(self.report)
        for stage in ("list", "fetch"):
            failed = {f.id for f in self.report.failures if f.stage == stage}
            self.catalog.settle(self.source.name, stage, failed)

    def prune(self, *, accept_loss: bool) -> None:
        """Forget what is gone; only hide it if it is suspiciously much.

        What lies at or below an object that could not be listed is not gone.
        """
        known = self.catalog.ids(self.source.name)
        unsure = [f.id for f in self.report.failures if f.stage == "list"]
        gone = {
            document_id
            for document_id in known - set(self.source.ids())
            if not any(_is_below(document_id, failed) for failed in unsure)
        }
        limit = max(_GUARD_OBJECTS, _GUARD_SHARE * len(known))
        if len(gone) > limit and not accept_loss:
            self.catalog.hide(gone)
            self.report.hidden = len(gone)
            self.report.error = (
                f"{len(gone)} of {len(known)} documents are gone at the source:"
                " hidden from readers, not forgotten."
            )
            self.report.hint = "If this is right, run the crawl with --accept-loss."
        else:
            self.catalog.remove(gone, reason="gone at the source")
            self.report.removed = len(gone)

    def _take(self, document: Document) -> None:
        known = self.catalog.get(document.id)
        files = {file.key: file for file in known.files} if known else {}
        fetched = tuple(
            self._fetched(document.id, file, files.get(file.key))
            for file in document.files
        )
        state = self.catalog.put(replace(document, files=fetched))
        self.report.seen += 1
        setattr(self.report, state, getattr(self.report, state) + 1)

    def _fetched(self, document_id: str, file: FileRef, old: FileRef | None) -> FileRef:
        """Return the file with the sha256 of its bytes, fetched only if need be."""
        if (
            old
            and file.checksum
            and old.checksum == file.checksum
            and old.sha256 in self.blobs
        ):
            return replace(file, sha256=old.sha256, size_bytes=old.size_bytes)
        try:
            if file.body is not None:
                sha256, size = self.blobs.put([file.body])
            else:
                sha256, size = self.blobs.put(
                    self.source.fetch(file),
                    checksum=file.checksum,
                    size_bytes=file.size_bytes,
                )
                self.report.fetched += 1
                self.report.fetched_bytes += size
        except FetchError as error:
            name = type(error).__name__
            self._fail(Failure(f"{document_id}#{file.key}", "fetch", name, str(error)))
            if old and old.sha256 in self.blobs:
                # The text of before, for the readers of now; asked for again next time.
                return replace(
                    file,
                    sha256=old.sha256,
                    checksum=old.checksum,
                    size_bytes=old.size_bytes,
                )
            return file
        return replace(file, sha256=sha256, size_bytes=size)

    def _fail(self, failure: Failure) -> None:
        self.report.failures.append(failure)
        self.report.failed += 1
        self.catalog.put_failure(self.source.name, failure)
