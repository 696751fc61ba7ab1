"""Runs a source into the catalog: documents, their files, what is gone, what failed.

Knows no particular source. A killed run leaves whole documents behind, and the next
run does the rest: a file whose checksum is known is never fetched again. What is gone
is hidden at once, and purged later; much at once is kept until a person confirms.
"""

import fcntl
import hashlib
import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import FetchError, SourceError, StorageError
from dunegpt.ingest import notices, overlay, references
from dunegpt.ingest.blobs import Blobs, storage_errors
from dunegpt.ingest.catalog import Catalog, Hidden, now
from dunegpt.ingest.extract.clean import one_line
from dunegpt.ingest.items import Alarm, Item, Known, Memory, Scope, Seen, Whole
from dunegpt.ingest.ledger import is_at_or_below
from dunegpt.ingest.source import Source, open_source
from dunegpt.types import Document, Failure, FileRef, narrow

log = logging.getLogger(__name__)

_GUARD_OBJECTS = 20
_GUARD_SHARE = 0.05
_RETRIES = 100
_PUBLISH_EVERY_S = 300.0
_REPLACED = "replaced by another at the source"


@dataclass(slots=True)
class CrawlReport:
    """What one run over one source did.

    Attributes:
        mode: ``full``, ``since`` or ``increment``.
        partial: Whether it was stopped by ``--limit``.
        known: Documents of the source before the run.
        removed: Documents gone or replaced at the source; hidden now, purged later.
        hidden: Documents gone at the source in a way that is suspicious: hidden from
            readers, kept until a person confirms.
        kept: Documents gone in a way that is often taken back: hidden, kept.
        requests: Made to the source.
        error: Why the run ended early, or what is suspicious; empty if nothing is.
        warnings: What an operator must look at, though the run was a good one.
    """

    source: str
    mode: str = "increment"
    dry_run: bool = False
    partial: bool = False
    known: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    hidden: int = 0
    kept: int = 0
    failed: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    warnings: list[str] = field(default_factory=list)
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
    full: bool = False,
    since: date | None = None,
    limit: int = 0,
    dry_run: bool = False,
    accept_loss: bool = False,
    progress: Callable[[CrawlReport], None] = lambda report: None,
) -> CrawlReport:
    """Bring the catalog up to date with one source; return what was done.

    It ends with a new access overlay, so that what was closed is closed at once; a run
    that takes long writes it every few minutes.
    A source that cannot be listed ends the run with ``error`` set; what it had
    yielded before stays, and nothing is removed.

    Args:
        name: Of the source in the settings.
        settings: Where the data folder is, and what the source needs.
        full: Look at all that exists, whatever was seen before.
        since: Look at all that is dated from this day on.
        limit: Stop after so many documents; 0: never.
        dry_run: Only tell what a run would find; fetch no file, keep nothing.
        accept_loss: Take for gone what is gone, even if it is suspiciously much.
        progress: Called after each document with the report so far.

    Raises:
        ConfigError: The source's settings cannot be used.
        StorageError: The disk is full, or another run is at work.
    """
    started, clock = now(), time.monotonic()
    report = CrawlReport(name, dry_run=dry_run)
    with _workplace(settings.data, dry_run=dry_run) as data:
        catalog = Catalog(data / "catalog.db")
        source = open_source(name, settings)
        run = _Run(source, catalog, Blobs(settings.data / "blobs"), report)
        if not dry_run:
            run.publish = partial(_publish, catalog, settings)
        left = notices.waiting(settings.data, name)
        first = full or not catalog.last_run(name, good=True)
        report.mode = "full" if first else "since" if since else "increment"
        try:
            with _told(report):
                named = (*notices.ids(left), *run.to_retry())
                scope = Scope(full, since, named)
                table = settings.data / "snapshots" / "current" / references.FILE
                memory = _Memory(catalog, name, now(), table)
                run.take_all(scope, memory, limit=limit, progress=progress)
                purge = timedelta(days=settings.access.purge_after_days)
                run.judge_losses(accept_loss=accept_loss, purge_after=purge)
        finally:
            report.seconds = round(time.monotonic() - clock, 2)
            report.requests = source.requests
            source.close()
        if not dry_run:
            _conclude(catalog, settings, report, started)
            if not report.error and not report.partial:
                notices.done(left)
        catalog.close()
    return report


@contextmanager
def _told(report: CrawlReport) -> Iterator[None]:
    """Let a source that fails end its run, with the reason in the report."""
    try:
        yield
    except SourceError as error:
        log.info("%s: %s", report.source, error)
        report.error = f"{type(error).__name__}: {error}"
        report.hint = error.hint
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        log.debug("%s gave what nobody foresaw", report.source, exc_info=True)
        report.error = f"Unforeseen {type(error).__name__}: {error}"
        report.hint = "Run again with --debug before the command, and report it."


@contextmanager
def _workplace(data: Path, *, dry_run: bool) -> Iterator[Path]:
    """Give the folder of the catalog to work on: a copy, for a run that keeps nothing.

    Raises:
        StorageError: Another run holds it.
    """
    if not dry_run:
        with only_writer(data):
            yield data
        return
    lock = only_writer(data) if data.is_dir() else nullcontext()
    with lock, tempfile.TemporaryDirectory(prefix="dunegpt-") as folder:
        if (data / "catalog.db").is_file():
            with (
                closing(sqlite3.connect(data / "catalog.db")) as db,
                closing(sqlite3.connect(Path(folder, "catalog.db"))) as copy,
            ):
                db.backup(copy)
        yield Path(folder)


def _conclude(
    catalog: Catalog, settings: Settings, report: CrawlReport, started: str
) -> None:
    """Keep the record of a run, and write the overlay."""
    record = asdict(report)
    record["failures"] = [f.id for f in report.failures]
    catalog.put_run(report.source, started, record)
    _publish(catalog, settings)


def _publish(catalog: Catalog, settings: Settings) -> None:
    """Write who may read what now; what the snapshots say is narrowed by it."""
    overlay.write(catalog, settings.data, settings.access.max_overlay_age)


def _tidy(document: Document) -> Document:
    """Return a document whose names are one line each, without control characters."""
    return replace(
        document,
        title=one_line(document.title) or document.id,
        authors=tuple(filter(None, map(one_line, document.authors))),
        status=one_line(document.status),
        files=tuple(replace(f, name=one_line(f.name)) for f in document.files),
    )


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a source keeps between runs, in the catalog."""

    catalog: Catalog
    source: str
    started: str
    references: Path

    def get(self, key: str) -> Any:
        return self.catalog.recall(self.source, key)

    def put(self, key: str, value: Any) -> None:
        self.catalog.remember(self.source, key, value)

    def below(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return self.catalog.recall_below(self.source, prefix)

    def document(self, document_id: str) -> Document | None:
        return self.catalog.get(document_id)

    def tops(self) -> Mapping[str, Known]:
        return self.catalog.tops(self.source)

    def started_at(self) -> str:
        return self.started

    def cited(self, beginning: str) -> frozenset[str]:
        return references.cited(self.references, beginning)


class _Run:
    """One pass over one source."""

    def __init__(
        self, source: Source, catalog: Catalog, blobs: Blobs, report: CrawlReport
    ) -> None:
        self.source = source
        self.catalog = catalog
        self.blobs = blobs
        self.report = report
        self.publish: Callable[[], None] = lambda: None
        self._published = time.monotonic()
        self.alarms: list[Alarm] = []
        self.forgotten = catalog.forgotten()
        self.failed: dict[str, set[str]] = {"list": set(), "fetch": set()}
        self.before = {
            stage: set(catalog.failed(source.name, stage)) for stage in self.failed
        }
        report.known = len(catalog.ids(source.name))

    def to_retry(self) -> tuple[str, ...]:
        """Return the documents of failures, the longest untried first."""
        name = self.source.name
        failed = self.catalog.due_failures(name)
        return tuple(dict.fromkeys(f.partition("#")[0] for f in failed))[:_RETRIES]

    def take_all(
        self,
        scope: Scope,
        memory: Memory,
        *,
        limit: int,
        progress: Callable[[CrawlReport], None],
    ) -> None:
        """Take in what the source yields, up to ``limit`` documents."""
        for item in self.source.changes(scope, memory):
            self._take_in(item)
            progress(self.report)
            if time.monotonic() - self._published > _PUBLISH_EVERY_S:
                self.publish()
                self._published = time.monotonic()
            if limit and self.report.seen >= limit:
                self.report.partial = True
                return

    def judge_losses(self, *, accept_loss: bool, purge_after: timedelta) -> None:
        """Confirm what is gone, unless it is suspicious; forget what was long ago."""
        name = self.source.name
        suspects = self.catalog.hidden(name, Hidden.SUSPECT)
        settled = [self.catalog.hidden(name, s) for s in (Hidden.GONE, Hidden.KEPT)]
        known = len(self.catalog.ids(name)) - sum(map(len, settled))
        tops, gone_tops = self.catalog.count_tops(name, Hidden.SUSPECT)
        too_many = any(
            lost > max(_GUARD_OBJECTS, _GUARD_SHARE * of)
            for lost, of in ((len(suspects), known), (gone_tops, tops))
        )
        if accept_loss or not (too_many or (self.alarms and suspects)):
            self.report.removed += self.catalog.confirm_hidden(name)
        else:
            self.report.hidden = len(suspects)
            self.report.error = (
                f"{len(suspects)} of {known} documents are gone at the source:"
                " hidden from readers, not forgotten."
            )
            self.report.hint = "If this is right, run the crawl with --accept-loss."
        if self.alarms:
            told = " ".join(alarm.message for alarm in self.alarms)
            self.report.error = f"{told} {self.report.error}".strip()
            self.report.hint = self.alarms[0].hint or self.report.hint
        before = datetime.now(UTC) - purge_after
        moment = before.isoformat(timespec="seconds")
        self.catalog.remove_gone(name, moment)
        self.catalog.drop_closed_bytes(name, moment)

    def _take_in(self, item: Item) -> None:
        match item:
            case Document():
                if not any(is_at_or_below(item.id, f) for f in self.forgotten):
                    self._take(_tidy(self._without_forgotten(item)))
            case Failure():
                self._fail(item)
            case Whole():
                self._lose_others(item)
            case Seen(ids):
                count = self.catalog.touch(ids)
                self.report.seen += count
                self.report.unchanged += count
            case Alarm():
                log.warning("%s: %s", self.source.name, item.message)
                if item.grave:
                    self.alarms.append(item)
                else:
                    self.report.warnings.append(item.message)

    def _without_forgotten(self, document: Document) -> Document:
        """Return a document without its timetable, if that names what is forgotten."""
        if not any(is_at_or_below(f, document.id) for f in self.forgotten):
            return document
        files = tuple(f for f in document.files if not f.key.startswith("timetable"))
        return replace(document, files=files)

    def _lose_others(self, whole: Whole) -> None:
        """Hide what is known in a place and no longer there.

        What lies at or below an object that could not be listed is not gone. What was
        replaced is no loss: the guard does not count it.
        """
        gone = {
            document_id
            for document_id in self.catalog.ids(self.source.name, whole.holder)
            - whole.ids
            if not any(is_at_or_below(document_id, f) for f in self.failed["list"])
        }
        if whole.replaces and gone:
            name = self.source.name
            replaced = gone & self.catalog.superseded(name, whole.ids)
            hidden = self.catalog.hide(replaced, why=_REPLACED, state=Hidden.GONE)
            self.report.removed += hidden
            gone -= replaced
        state = Hidden.KEPT if whole.keep else Hidden.SUSPECT
        count = self.catalog.hide(gone, why=whole.reason, state=state)
        self.report.kept += count if whole.keep else 0
        self._settle(whole.holder, "list", "fetch")

    def _settle(self, holder: str, *stages: str) -> None:
        """Take earlier failures at or below a place out of the ledger.

        Those of this run stay. Most places never had any, and cost no look.
        """
        for stage in stages:
            healed = self.before[stage] - self.failed[stage]
            if any(not holder or is_at_or_below(f, holder) for f in healed):
                failed = self.failed[stage]
                self.catalog.settle(self.source.name, stage, failed, holder=holder)

    def _take(self, document: Document) -> None:
        known = self.catalog.get(document.id)
        files = {file.key: file for file in known.files} if known else {}
        if known:
            files = {
                key: replace(file, access=narrow(known.access, file.access))
                for key, file in files.items()
            }
        fetched = tuple(
            self._fetched(document.id, file, files.get(file.key))
            for file in document.files
        )
        state = self.catalog.put(replace(document, files=fetched))
        for file in fetched:
            self._settle(f"{document.id}#{file.key}", "fetch")
        self.report.seen += 1
        setattr(self.report, state, getattr(self.report, state) + 1)

    def _fetched(self, document_id: str, file: FileRef, old: FileRef | None) -> FileRef:
        """Return the file with the sha256 of its bytes, fetched only if need be."""
        if not file.access:
            # Nobody may read it: not fetched; what is here is purged later.
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
        if self.report.dry_run:
            return _imagined(file, old)
        if known := self._known_content(file):
            return replace(file, sha256=known)
        try:
            return self._stored(file)
        except FetchError as error:
            name = type(error).__name__
            self._fail(Failure(f"{document_id}#{file.key}", "fetch", name, str(error)))
        if old and old.sha256 in self.blobs:
            # The text of before, for whom it was and still is; asked for again.
            return replace(
                file,
                access=narrow(file.access, old.access),
                sha256=old.sha256,
                checksum=old.checksum,
                size_bytes=old.size_bytes,
            )
        return file

    def _known_content(self, file: FileRef) -> str:
        """Return the sha256 of a file that another document has too, or empty."""
        if not file.checksum.startswith("md5:") or file.size_bytes is None:
            return ""
        sha256 = self.catalog.with_checksum(file.checksum, file.size_bytes)
        return sha256 if sha256 in self.blobs else ""

    def _stored(self, file: FileRef) -> FileRef:
        """Return the file after its bytes were fetched and stored.

        Raises:
            FetchError: They cannot be had, or are not what was promised.
        """
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
        return replace(file, sha256=sha256, size_bytes=size)

    def _fail(self, failure: Failure) -> None:
        self.report.failures.append(failure)
        self.report.failed += 1
        self.failed.setdefault(failure.stage, set()).add(failure.id)
        self.catalog.put_failure(self.source.name, failure)


def _imagined(file: FileRef, old: FileRef | None) -> FileRef:
    """Return the file as far as it can be known without fetching it."""
    if file.body is not None:
        sha256 = hashlib.sha256(file.body).hexdigest()
        return replace(file, sha256=sha256, size_bytes=len(file.body))
    if old and not file.checksum:
        return replace(file, sha256=old.sha256, size_bytes=old.size_bytes)
    return file
