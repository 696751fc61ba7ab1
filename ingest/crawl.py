"""Crawls one source into the catalog: documents, files, removals and failures.

Does not depend on any particular source. A killed run leaves complete documents behind,
and the next run does the rest: a file with a known checksum is not fetched again. What
is gone is hidden at once and removed later; a mass loss stays hidden until a person
confirms it.
"""

import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from dunegpt.access import intersect_access
from dunegpt.config import Settings
from dunegpt.datadir import DataDir
from dunegpt.errors import SourceError
from dunegpt.ingest import change_notices, reference_table, revoked_now
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog, HiddenState, is_in_subtree, now
from dunegpt.ingest.catalog.source_state import CatalogState
from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.ingest.fetch import FileFetcher
from dunegpt.ingest.items import (
    Alarm,
    CompleteListing,
    Concern,
    CrawlScope,
    Item,
    SourceState,
    Unchanged,
)
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.ingest.opening_guard import ACCEPT_HINT, OpeningGuard
from dunegpt.ingest.registry import open_source
from dunegpt.ingest.source import Source
from dunegpt.types import Document, Failure

log = logging.getLogger(__name__)

_MAX_RETRIES = 100
_MAX_HELD_REREADS = 1000
_MAX_SUSPECT_REREADS = 200
_OVERLAY_INTERVAL_S = 300.0
_REPLACED_REASON = "replaced by another at the source"


@dataclass(slots=True)
class CrawlReport:
    """What one crawl of one source did.

    Attributes:
        mode: ``full``, ``since`` or ``increment``.
        partial: Whether it was stopped by ``--limit``.
        known: Number of documents of the source before the run.
        removed: Documents gone or replaced at the source; hidden now, removed later.
        hidden: Documents gone in a suspicious way; hidden until a person confirms.
        kept: Documents gone in a way that is often reverted; hidden, never removed.
        held: Documents that would open to more readers than before in a suspicious way;
            for the readers that they had, until a person confirms.
        requests: Number of requests to the source.
        error: Why the run ended early, or what is suspicious; empty if it was good.
        warnings: What an operator should look at although the run was good.
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
    held: int = 0
    failed: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
    warnings: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def crawl(  # noqa: PLR0913 - all but two by name
    name: str,
    settings: Settings,
    *,
    full: bool = False,
    since: date | None = None,
    limit: int = 0,
    dry_run: bool = False,
    accept_loss: bool = False,
    accept_opening: bool = False,
    progress: Callable[[CrawlReport], None] = lambda report: None,
    source: Source | None = None,
) -> CrawlReport:
    """Update the catalog from one source; return what was done.

    The run ends with a new access overlay, so that withdrawn access takes effect at
    once; a long run writes it every few minutes. If the source cannot be listed, the
    run ends with ``error`` set; what was yielded before stays, and nothing is removed.

    Args:
        name: Name of the source in the settings.
        settings: Settings with the data folder and the source.
        full: Read everything, whatever was read before.
        since: Read everything dated on or after this day.
        limit: Stop after so many documents; 0 for no limit.
        dry_run: Only report what a run would find; fetch and store nothing.
        accept_loss: Accept a suspicious loss of documents.
        accept_opening: Accept that suspiciously many documents open to more readers.
        progress: Called after each document with the report so far.
        source: Crawled instead of the configured one, and closed at the end.

    Raises:
        ConfigError: The settings of the source are invalid.
        StorageError: The disk is full, or another run holds the data folder.
    """
    started = now()
    report = CrawlReport(name, dry_run=dry_run)
    with _open_workspace(settings.paths, dry_run=dry_run) as paths:
        catalog = Catalog(paths.catalog)
        catalog.apply_forgotten()
        source = source or open_source(name, settings)
        run = _CrawlRun(source, catalog, BlobStore(settings.paths.blobs), report)
        run.publish = partial(_write_overlay, catalog, settings)
        notices = change_notices.list_pending(settings.data, name)
        scope = CrawlScope(
            full, since, accepts_loss=accept_loss, accepts_opening=accept_opening
        )
        run.set_mode(scope)
        try:
            with _report_errors(report):
                scope = run.add_doubts(scope, change_notices.read_ids(notices))
                state = _open_state(catalog, name, settings)
                run.process_all(scope, state, limit=limit, progress=progress)
                run.settle(scope, settings.access.purge_after)
        finally:
            run.close()
        if not dry_run:
            _record_run(catalog, settings, report, started, notices)
        catalog.close()
    return report


@contextmanager
def _report_errors(report: CrawlReport) -> Iterator[None]:
    """Enter the error that ends a run in its report."""
    try:
        yield
    except SourceError as error:
        log.info("%s: %s", report.source, error)
        report.error = f"{type(error).__name__}: {error}"
        report.hint = error.hint
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        log.debug("%s: unexpected error", report.source, exc_info=True)
        report.error = f"Unexpected {type(error).__name__}: {error}"
        report.hint = "Run 'dunegpt --debug crawl' for the traceback, and report it."


@contextmanager
def _open_workspace(paths: DataDir, *, dry_run: bool) -> Iterator[DataDir]:
    """Yield the data folder to work on; for a dry run, one with a copy of the catalog.

    Raises:
        StorageError: Another run holds it.
    """
    if not dry_run:
        with paths.lock():
            yield paths
        return
    lock = paths.lock() if paths.root.is_dir() else nullcontext()
    with lock, tempfile.TemporaryDirectory(prefix="dunegpt-") as folder:
        copy = DataDir(Path(folder))
        if paths.catalog.is_file():
            with (
                closing(sqlite3.connect(paths.catalog)) as db,
                closing(sqlite3.connect(copy.catalog)) as target,
            ):
                db.backup(target)
        if paths.forgotten.is_file():
            shutil.copyfile(paths.forgotten, copy.forgotten)
        yield copy


def _open_state(catalog: Catalog, name: str, settings: Settings) -> CatalogState:
    """Return the state of a source, with the references of the current snapshot."""
    references = settings.paths.current_snapshot / reference_table.FILE
    return CatalogState(catalog, name, now(), references)


def _record_run(
    catalog: Catalog,
    settings: Settings,
    report: CrawlReport,
    started: str,
    notices: list[Path],
) -> None:
    """Store the record of a run, and write the access overlay.

    After a good run, the change notices and withdrawals that it took up are dropped.
    """
    record = asdict(report)
    record["failures"] = [f.id for f in report.failures]
    catalog.put_run(report.source, started, record)
    _write_overlay(catalog, settings)
    if not report.error and not report.partial:
        change_notices.remove_notices(notices)
        revoked_now.remove_superseded(
            settings.data,
            report.source,
            datetime.fromisoformat(started),
            catalog.get_observed_at,
        )


def _write_overlay(catalog: Catalog, settings: Settings) -> None:
    """Write the access overlay, which restricts what snapshots show."""
    overlay.write_overlay(catalog, settings.data, settings.access.max_overlay_age)


def _normalize_names(document: Document) -> Document:
    """Return a document with one-line names, without control characters."""
    return replace(
        document,
        title=to_one_line(document.title) or document.id,
        authors=tuple(filter(None, map(to_one_line, document.authors))),
        status=to_one_line(document.status),
        files=tuple(replace(f, name=to_one_line(f.name)) for f in document.files),
    )


class _CrawlRun:
    """One run over one source."""

    def __init__(
        self, source: Source, catalog: Catalog, blobs: BlobStore, report: CrawlReport
    ) -> None:
        self.source = source
        self.catalog = catalog
        self.report = report
        self.publish: Callable[[], None] = lambda: None
        self._started_at = self._published_at = time.monotonic()
        self.alarms: list[Alarm] = []
        self.files = FileFetcher(source, catalog, blobs, self._record_failure)
        self.files.is_dry_run = report.dry_run
        self.openings = OpeningGuard(catalog, source.name)
        self.forgotten_ids = catalog.forgotten_ids()
        self.new_failures: dict[str, set[str]] = {"list": set(), "fetch": set()}
        self.previous_failures = {
            stage: set(catalog.failed_ids(source.name, stage))
            for stage in self.new_failures
        }
        report.known = len(catalog.ids(source.name))

    def set_mode(self, scope: CrawlScope) -> None:
        """Enter in the report what kind of run this is."""
        is_first = not self.catalog.last_run(self.source.name, good=True)
        since = "since" if scope.since else "increment"
        self.report.mode = "full" if scope.full or is_first else since

    def add_doubts(self, scope: CrawlScope, noticed: Iterable[str]) -> CrawlScope:
        """Return the scope with what earlier runs left open, and change notices."""
        return replace(
            scope,
            priority_ids=(*noticed, *self.retry_ids()),
            recheck=self.is_recheck_due(),
        )

    def retry_ids(self) -> tuple[str, ...]:
        """Return the documents in doubt, then those with failures.

        In doubt are those whose openings are held, and those gone in a suspicious way.
        Of those with failures, the longest untried come first.
        """
        name = self.source.name
        held = [each.document_id for each in self.catalog.list_openings(name)]
        suspects = sorted(self.catalog.hidden_ids(name, HiddenState.SUSPECT))
        failed = (f.partition("#")[0] for f in self.catalog.retry_ids(name))
        failed_ids = tuple(dict.fromkeys(failed))[:_MAX_RETRIES]
        last = self.catalog.last_run(name, good=False)
        turn = last["number"] if last else 0
        doubtful = (
            *_take_turn(held, _MAX_HELD_REREADS, turn),
            *_take_turn(suspects, _MAX_SUSPECT_REREADS, turn),
        )
        return (*doubtful, *failed_ids)

    def is_recheck_due(self) -> bool:
        """Return whether the last run raised an alarm, or something is held back."""
        name = self.source.name
        last = self.catalog.last_run(name, good=False)
        return bool(
            (last and last["record"]["error"])
            or self.catalog.get_state(name, "unconfirmed")
            or self.catalog.hidden_ids(name, HiddenState.SUSPECT)
            or self.catalog.list_openings(name)
        )

    def close(self) -> None:
        """Close the source, and enter in the report what the run took."""
        self.update_counts()
        self.report.seconds = round(time.monotonic() - self._started_at, 2)
        self.report.requests = self.source.requests
        self.source.close()

    def update_counts(self) -> None:
        """Enter in the report what was fetched so far."""
        self.report.fetched = self.files.count
        self.report.fetched_bytes = self.files.size_bytes

    def process_all(
        self,
        scope: CrawlScope,
        memory: SourceState,
        *,
        limit: int,
        progress: Callable[[CrawlReport], None],
    ) -> None:
        """Process what the source yields, up to ``limit`` documents."""
        for item in self.source.changes(scope, memory):
            self._process_item(item)
            progress(self.report)
            if time.monotonic() - self._published_at > _OVERLAY_INTERVAL_S:
                if not self.report.dry_run:
                    self.publish()
                self._published_at = time.monotonic()
            if limit and self.report.seen >= limit:
                self.report.partial = True
                return

    def settle(self, scope: CrawlScope, purge_after: timedelta) -> None:
        """Confirm at the end of the run what is gone, and what opens."""
        self.confirm_removals(accept_loss=scope.accepts_loss, purge_after=purge_after)
        if not self.report.partial:
            self.confirm_openings(accept_opening=scope.accepts_opening)

    def confirm_removals(self, *, accept_loss: bool, purge_after: timedelta) -> None:
        """Confirm removals unless they are suspicious; delete what is gone for long."""
        name = self.source.name
        suspects = self.catalog.hidden_ids(name, HiddenState.SUSPECT)
        settled = [
            self.catalog.hidden_ids(name, s)
            for s in (HiddenState.GONE, HiddenState.KEPT)
        ]
        known = len(self.catalog.ids(name)) - sum(map(len, settled))
        tops, gone_tops = self.catalog.count_top_documents(name, HiddenState.SUSPECT)
        too_many = any(
            is_mass_loss(lost, total)
            for lost, total in ((len(suspects), known), (gone_tops, tops))
        )
        if accept_loss or not (too_many or (self.alarms and suspects)):
            self.report.removed += self.catalog.confirm_hidden(name)
        else:
            self.report.hidden = len(suspects)
            self.report.error = (
                f"{len(suspects)} of {known} documents are gone at the source; they"
                " are hidden from readers until you confirm it."
            )
            self.report.hint = (
                "If they were really deleted, run the crawl with --accept-loss."
            )
        if self.alarms:
            messages = " ".join(alarm.message for alarm in self.alarms)
            self.report.error = f"{messages} {self.report.error}".strip()
            self.report.hint = self.alarms[0].hint or self.report.hint
        before = datetime.now(UTC) - purge_after
        moment = before.isoformat(timespec="seconds")
        self.catalog.remove_gone(name, moment)
        self.catalog.release_closed_files(name, moment)

    def confirm_openings(self, *, accept_opening: bool) -> None:
        """Let documents open to more readers unless that is suspicious."""
        held = self.openings.settle(
            self.alarms,
            self.report.known,
            is_loss_pending=self.report.hidden > 0,
            accept=accept_opening,
        )
        if held.message:
            log.critical("%s: %s", self.source.name, held.message)
            self.report.held = held.count
            self.report.error = f"{self.report.error} {held.message}".strip()
            self.report.hint = f"{self.report.hint} {ACCEPT_HINT}".strip()

    def _process_item(self, item: Item) -> None:
        match item:
            case Document():
                if not any(is_in_subtree(item.id, f) for f in self.forgotten_ids):
                    self._store_document(_normalize_names(self._strip_timetable(item)))
            case Failure():
                self._record_failure(item)
            case CompleteListing():
                self._hide_missing(item)
            case Unchanged(ids):
                count = self.catalog.mark_seen(ids)
                self.report.seen += count
                self.report.unchanged += count
            case Alarm():
                log.warning("%s: %s", self.source.name, item.message)
                if item.is_critical:
                    self.alarms.append(item)
                    self.openings.is_alarmed |= item.concern is Concern.OPENING
                else:
                    self.report.warnings.append(item.message)

    def _strip_timetable(self, document: Document) -> Document:
        """Return a document without a timetable that lists forgotten documents."""
        if not any(is_in_subtree(f, document.id) for f in self.forgotten_ids):
            return document
        files = tuple(f for f in document.files if not f.key.startswith("timetable"))
        return replace(document, files=files)

    def _hide_missing(self, whole: CompleteListing) -> None:
        """Hide the known documents of a place that are no longer there.

        Documents at or below one that could not be listed stay. Documents that were
        replaced do not count as lost.
        """
        gone = {
            document_id
            for document_id in self.catalog.ids(self.source.name, whole.parent_id)
            - whole.ids
            if not any(is_in_subtree(document_id, f) for f in self.new_failures["list"])
        }
        if whole.replaces and gone:
            name = self.source.name
            replaced = gone & self.catalog.superseded_ids(name, whole.ids)
            hidden = self.catalog.hide(
                replaced, why=_REPLACED_REASON, state=HiddenState.GONE
            )
            self.report.removed += hidden
            gone -= replaced
        state = HiddenState.KEPT if whole.keep_hidden else HiddenState.SUSPECT
        count = self.catalog.hide(gone, why=whole.reason, state=state)
        self.report.kept += count if whole.keep_hidden else 0
        self._resolve_failures(whole.parent_id, "list", "fetch")

    def _resolve_failures(self, holder: str, *stages: str) -> None:
        """Remove earlier failures at or below a place from the ledger.

        Failures of this run stay. Most places have none, and need no query.
        """
        for stage in stages:
            healed = self.previous_failures[stage] - self.new_failures[stage]
            if any(not holder or is_in_subtree(f, holder) for f in healed):
                failed = self.new_failures[stage]
                self.catalog.resolve_failures(
                    self.source.name, stage, failed, holder=holder
                )

    def _store_document(self, document: Document) -> None:
        known = self.catalog.get(document.id)
        files = {file.key: file for file in known.files} if known else {}
        if known:
            files = {
                key: replace(file, access=intersect_access(known.access, file.access))
                for key, file in files.items()
            }
        fetched = tuple(
            self.files.fetch_if_needed(document.id, file, files.get(file.key))
            for file in document.files
        )
        self.update_counts()
        stored = self.openings.restrict(replace(document, files=fetched), known)
        state = self.catalog.put(stored)
        for file in fetched:
            self._resolve_failures(f"{document.id}#{file.key}", "fetch")
        self.report.seen += 1
        setattr(self.report, state, getattr(self.report, state) + 1)

    def _record_failure(self, failure: Failure) -> None:
        self.report.failures.append(failure)
        self.report.failed += 1
        self.new_failures.setdefault(failure.stage, set()).add(failure.id)
        self.catalog.put_failure(self.source.name, failure)


def _take_turn(ids: list[str], most: int, turn: int) -> list[str]:
    """Return as many ids as a run may read; others by each run.

    >>> _take_turn(["a", "b", "c"], 2, 0), _take_turn(["a", "b", "c"], 2, 1)
    (['a', 'b'], ['c', 'a'])
    """
    start = most * turn % len(ids) if len(ids) > most else 0
    return [*ids[start:], *ids[:start]][:most]
