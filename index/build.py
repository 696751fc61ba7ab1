"""Brings the published snapshot up to date with the catalog.

Computes a key for each document of the catalog, embeds the documents whose keys have
no shard yet, packs all of them into a snapshot and publishes it. Existing shards are
reused, and if nothing has changed no snapshot is written. Does not depend on queries.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import (
    ConfigError,
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    UsageError,
)
from dunegpt.index import encoder_choice
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.garbage import remove_orphans
from dunegpt.index.loss_check import LossCheck
from dunegpt.index.passage_text import CONTEXT_TOKENS
from dunegpt.index.recall_check import check_recall, read_questions
from dunegpt.index.retries import record_retries
from dunegpt.index.shards import (
    ShardEntry,
    ShardFolder,
    ShardWriter,
    compute_document_key,
)
from dunegpt.index.snapshot import integrity
from dunegpt.index.snapshot.content_id import serialize_document
from dunegpt.index.snapshot.manifest import read_manifest
from dunegpt.index.snapshot.publish import publish, remove_old_snapshots
from dunegpt.index.snapshot.repack_policy import can_extend, is_repack_due
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.writer import SnapshotWriter, drop_unreadable_files
from dunegpt.index.synonyms import Synonyms
from dunegpt.ingest import references
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.figure_descriptions import (
    STAGE,
    FigureDescriber,
    FigureDescriptions,
)
from dunegpt.ingest.page_store import PageStore
from dunegpt.ingest.split import Splitter
from dunegpt.text import analyzer
from dunegpt.types import Document, Failure, Page

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, the items done, and the total."""


@dataclass(slots=True)
class IndexReport:
    """Result of one run of ``dunegpt index``.

    Attributes:
        snapshot: Id of the snapshot that is now current.
        embedded: Documents that were read and embedded in this run.
        published: Whether a new snapshot was published; False if none was needed.
        recall: Recall@10 of the approximate search against exact search, by the name
            of the set of allowed rows; empty if the search is exact anyway.
    """

    snapshot: str = ""
    documents: int = 0
    passages: int = 0
    embedded: int = 0
    published: bool = False
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    recall: dict[str, float] = field(default_factory=dict)


def build(
    settings: Settings,
    *,
    rebuild: bool = False,
    repack: bool = False,
    accept_loss: bool = False,
    progress: Progress = lambda *_: None,
    describer: FigureDescriber | None = None,
) -> IndexReport:
    """Build and publish a snapshot of the current catalog.

    Args:
        settings: Location of the data folder, the model, sizes and limits.
        rebuild: Read and embed every document again.
        repack: Write the snapshot from scratch, without rows of removed documents.
        accept_loss: Publish even if many files cannot be read any more.
        progress: Called with the progress of each stage.
        describer: Describes the pictures of figures; None for no descriptions.

    Raises:
        UsageError: There is no catalog, or it is empty and nothing was indexed before.
        ConfigError: The model is not installed, or its input is too short.
        StorageError: The disk is full, or another run holds the lock.
        UnreadableFilesError: Many files of the current snapshot cannot be read any
            more; nothing is published.
    """
    clock = time.monotonic()
    paths = settings.paths
    if not paths.catalog.is_file():
        raise UsageError(
            f"There is nothing to index in {paths.root}.",
            hint="Run 'dunegpt crawl' first.",
        )
    with paths.lock():
        catalog = Catalog(paths.catalog)
        try:
            catalog.apply_forgotten()
            run = _IndexBuild(settings, catalog, progress, describer)
            report = run.run(rebuild=rebuild, repack=repack, accept_loss=accept_loss)
        finally:
            catalog.close()
    report.seconds = round(time.monotonic() - clock, 2)
    return report


class _IndexBuild:
    """One run of `build`."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        progress: Progress,
        describer: FigureDescriber | None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.progress = progress
        self.paths = settings.paths
        self.blobs = BlobStore(self.paths.blobs)
        self.pages = PageStore(self.paths.pages, self.blobs, settings.extract)
        self.descriptions = FigureDescriptions(self.pages, self.blobs, describer)
        self._lost_files: dict[str, Failure] = {}
        file = settings.index.synonyms
        self.synonyms = Synonyms.read(settings.resolve_path(file) if file else None)
        file = settings.index.recall_questions
        self.questions = read_questions(settings.resolve_path(file)) if file else None
        self.encoder = encoder_choice.find_encoder_folder(settings, progress)
        self.encoder_id = Encoder(self.encoder).info.id

    def run(self, *, rebuild: bool, repack: bool, accept_loss: bool) -> IndexReport:
        """Embed missing documents, then write and publish a snapshot if needed."""
        if rebuild:
            for folder in (self.paths.shards, self.paths.pages):
                shutil.rmtree(folder, ignore_errors=True)
        remove_orphans(self.catalog, self.paths)
        self._read_files()
        self._describe_figures()
        shards = ShardFolder(self.paths.shards)
        keys, inputs_id = self._collect_keys()
        missing = [number for number, key in enumerate(keys) if key not in shards]
        report = IndexReport(documents=len(keys), embedded=len(missing))
        current = self._open_current()
        manifest = current.manifest if current else {}
        is_same = not missing and manifest.get("inputs_id") == inputs_id
        if is_same and not repack and not is_repack_due(manifest, self.settings.index):
            report.snapshot = manifest["content_id"]
            report.passages = manifest["counts"]["passages"]
            report.failures = [
                Failure(f["id"], f["stage"], f["error"], f["message"])
                for f in self.catalog.failures()
                if f["stage"] == "extract"
            ]
            report.failures = record_retries(self.catalog, self.pages, report.failures)
            return report
        if missing:
            self._make_shards(set(missing))
            shards = ShardFolder(self.paths.shards)
        base = None if rebuild or repack or is_same else self._select_base(current)
        replaces = rebuild or repack or is_same
        losses = LossCheck(None if accept_loss else current)
        target = self._pack(shards, inputs_id, report, base, losses, replaces=replaces)
        if current:
            current.close()
        self.progress("measure", 0, 1)
        threshold = self.settings.index.least_recall
        report.recall = check_recall(target, threshold, self.questions)
        self.progress("measure", 1, 1)
        publish(target)
        report.published = True
        remove_old_snapshots(self.paths.snapshots, self.settings.index.keep_snapshots)
        integrity.accept_links(target, read_manifest(target)["files"])
        shards.remove_unused(set(keys))
        return report

    def _select_base(self, current: Snapshot | None) -> Snapshot | None:
        """Return the current snapshot if the new one can extend it, else None."""
        made_by = (self.encoder_id, self._collect_content_settings())
        index = self.settings.index
        return current if current and can_extend(current, made_by, index) else None

    def _read_files(self) -> None:
        """Extract files that have no pages from the current extractor version."""
        files = (
            file
            for stored in self.catalog.iter_documents()
            if stored.access
            for file in stored.files
            if file.sha256 in self.blobs
        )
        self.pages.extract_missing(
            files, lambda done: self.progress("read", done, done)
        )

    def _describe_figures(self) -> None:
        """Describe new figures, and enter in the ledger what failed."""
        readable = (stored for stored in self.catalog.iter_documents() if stored.access)
        failed = set[str]()
        sources = dict[str, str]()

        def note_sources() -> Iterator[Document]:
            for document in readable:
                sources[document.id] = document.source
                yield document

        for failure in self.descriptions.describe_missing(note_sources()):
            source = sources[failure.id.partition("#")[0]]
            self.catalog.put_failure(source, failure)
            failed.add(failure.id)
        self.catalog.resolve_failures("", STAGE, failed)

    def _iterate_documents(self) -> Iterator[tuple[str, Document]]:
        """Yield key and document for each document with a non-empty access set."""
        for stored in self.catalog.iter_documents():
            if stored.access:
                document = self._drop_lost_files(stored)
                index = self.settings.index
                key = compute_document_key(
                    document, index, self.encoder_id, self.pages, self.descriptions
                )
                yield key, document

    def _drop_lost_files(self, document: Document) -> Document:
        """Return a document without files whose content is missing from the store."""
        files = []
        for file in document.files:
            if file.sha256 and file.sha256 not in self.blobs:
                message = (
                    "Its content is missing from the store; the next crawl fetches it."
                )
                file_id = f"{document.id}#{file.key}"
                self._lost_files[file_id] = Failure(
                    file_id, "extract", "FetchError", message
                )
                file = replace(file, sha256="")  # noqa: PLW2901
            files.append(file)
        return replace(document, files=tuple(files))

    def _collect_keys(self) -> tuple[list[str], str]:
        """Return all document keys, and a hash of every input of the snapshot."""
        keys = []
        digest = hashlib.sha256(json.dumps(self._collect_content_settings()).encode())
        for key, document in self._iterate_documents():
            keys.append(key)
            digest.update(_hash_document(key, document).encode())
        if not keys and not self.paths.current_snapshot.exists():
            raise UsageError(
                "The catalog has no documents that anybody may read.",
                hint="See 'dunegpt status': did the crawl fail, or is access missing?",
            )
        return keys, digest.hexdigest()

    def _collect_content_settings(self) -> dict[str, Any]:
        index = self.settings.index
        return {
            "model": self.settings.embed.model,
            "passage_tokens": index.passage_tokens,
            "overlap_tokens": index.overlap_tokens,
            "words": analyzer.VERSION,
            "references": references.VERSION,
            "synonyms": self.synonyms.id,
        }

    def _make_shards(self, missing: set[int]) -> None:
        """Write shards for the documents at the given positions."""
        writer = self._make_shard_writer()
        size = self.settings.index.shard_documents
        batch: list[tuple[str, Document]] = []
        done = 0
        self.progress("embed", 0, len(missing))
        for position, entry in enumerate(self._iterate_documents()):
            if position not in missing:
                continue
            batch.append(entry)
            if len(batch) == size or done + len(batch) == len(missing):
                writer.make([d for _, d in batch], [key for key, _ in batch])
                done += len(batch)
                batch = []
                self.progress("embed", done, len(missing))

    def _make_shard_writer(self) -> ShardWriter:
        embedder = encoder_choice.make_embedder(self.settings, self.encoder)
        needed = self.settings.index.passage_tokens + CONTEXT_TOKENS
        if needed > embedder.info.max_tokens:
            limit = embedder.info.max_tokens - CONTEXT_TOKENS
            raise ConfigError(
                f"[index] passage_tokens may be at most {limit} with this model.",
            )
        index = self.settings.index
        return ShardWriter(
            folder=self.paths.shards,
            pages=self.pages,
            splitter=Splitter(
                Encoder(self.encoder).count_tokens,
                index.passage_tokens,
                index.overlap_tokens,
            ),
            embedder=embedder,
            limits=self.settings.extract,
            descriptions=self.descriptions,
        )

    def _pack(
        self,
        shards: ShardFolder,
        inputs_id: str,
        report: IndexReport,
        base: Snapshot | None,
        losses: LossCheck,
        *,
        replaces: bool,
    ) -> Path:
        writer = SnapshotWriter(
            self.paths.snapshots,
            self.encoder,
            self._collect_content_settings(),
            base,
            self.settings.index,
            self.synonyms,
        )
        backends = set(shards.backends.values())
        known_failures = [f for f in self.catalog.failures() if f["stage"] == "extract"]
        unchanged = set[str]()
        try:
            self.progress("pack", 0, report.documents)
            for done, (key, document) in enumerate(self._iterate_documents(), start=1):
                stamp = _hash_document(key, document)
                if writer.keep_unchanged(document.id, stamp):
                    unchanged.add(document.id)
                else:
                    entry = next(shards.read_entries([key]))
                    writer.add(document, entry, self._read_pages(document), stamp)
                    failures = self._record_failures(document, entry, report)
                    losses.observe(document, entry, failures)
                self.progress("pack", done, report.documents)
            losses.raise_on_mass_loss()
            target = writer.close(inputs_id, backends, replace=replaces)
        finally:
            writer.discard()
        report.failures += [
            Failure(f["id"], f["stage"], f["error"], f["message"])
            for f in known_failures
            if f["id"].partition("#")[0] in unchanged
        ]
        report.failures = record_retries(self.catalog, self.pages, report.failures)
        self.catalog.resolve_failures("", "extract", {f.id for f in report.failures})
        report.snapshot = target.name
        report.passages = read_manifest(target)["counts"]["passages"]
        return target

    def _record_failures(
        self, document: Document, entry: ShardEntry, report: IndexReport
    ) -> list[Failure]:
        """Add extraction failures to the ledger and the report, and return them."""
        prefix = document.id + "#"
        missing = [f for f in self._lost_files.values() if f.id.startswith(prefix)]
        failures = [*entry.failures, *missing]
        for failure in failures:
            self.catalog.put_failure(document.source, failure)
        report.failures += failures
        return failures

    def _read_pages(self, document: Document) -> dict[str, list[Page]]:
        """Return the pages of each file by its key, extracted again if missing."""
        with Sandbox(self.settings.extract) as sandbox:
            return {
                file.key: list(self.pages.extract(file, sandbox).pages)
                for file in document.files
                if file.sha256
            }

    def _open_current(self) -> Snapshot | None:
        """Return the current snapshot, or None if it cannot be used."""
        try:
            path = self.paths.current_snapshot
            return Snapshot(path, max_check_age=integrity.MAX_AGE)
        except IndexBrokenError as error:
            log.warning("The current index is damaged; it is written again. %s", error)
            return None
        except (IndexMissingError, IndexMismatchError) as error:
            log.info("building a new snapshot: %s", error)
            return None


def _hash_document(key: str, document: Document) -> str:
    """Return the hash of a document's key and of its metadata in a snapshot."""
    content = key.encode() + serialize_document(drop_unreadable_files(document))
    return hashlib.sha256(content).hexdigest()
