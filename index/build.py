"""Brings the published snapshot up to date with the catalog.

Catalog to keys, missing keys to shards, all keys to a snapshot, the snapshot to
``current``. Nothing that was made before is made again, and when nothing has changed
nothing is packed either. Knows no query.
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
from dunegpt.index import encoders, words
from dunegpt.index.encoder import Encoder
from dunegpt.index.gauge import check, read_questions
from dunegpt.index.identity import identity
from dunegpt.index.layout import is_due, may_begin_with
from dunegpt.index.orphans import remove_orphans
from dunegpt.index.pack import Packer, as_packed
from dunegpt.index.shards import (
    Entry,
    ShardFolder,
    ShardMaker,
    document_key,
)
from dunegpt.index.snapshot import (
    CURRENT,
    Snapshot,
    collect,
    publish,
    read_manifest,
)
from dunegpt.index.synonyms import Synonyms
from dunegpt.index.texts import CONTEXT_TOKENS
from dunegpt.ingest import references
from dunegpt.ingest.blobs import Blobs
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import only_writer
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.pages import PageStore
from dunegpt.ingest.split import Splitter
from dunegpt.types import Document, Failure, Page

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much it is."""


@dataclass(slots=True)
class IndexReport:
    """What one run of ``dunegpt index`` did.

    Attributes:
        embedded: Documents that were read and embedded in this run.
        published: Whether a new snapshot was published; False if none was needed.
        recall: Recall@10 of the approximate index against looking at every row, by the
            set of rows that may be found; empty if every row is looked at anyway.
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
    progress: Progress = lambda *_: None,
) -> IndexReport:
    """Make and publish the snapshot of the catalog as it is now.

    Args:
        settings: Where the data folder is, the model, sizes and limits.
        rebuild: Read and embed everything again.
        repack: Lay everything out anew, so that nothing is left of what is gone.
        progress: Told how far the run is.

    Raises:
        UsageError: There is no catalog yet, or it is empty and nothing was indexed.
        ConfigError: The model is not here, or its input is too short.
        StorageError: The disk is full, or another run is at work.
    """
    clock = time.monotonic()
    data = settings.data
    if not (data / "catalog.db").is_file():
        raise UsageError(
            f"There is nothing to index in {data}.", hint="Run 'dunegpt crawl' first."
        )
    with only_writer(data):
        catalog = Catalog(data / "catalog.db")
        try:
            run = _Build(settings, catalog, progress)
            report = run.run(rebuild=rebuild, repack=repack)
        finally:
            catalog.close()
    report.seconds = round(time.monotonic() - clock, 2)
    return report


class _Build:
    """One run."""

    def __init__(
        self, settings: Settings, catalog: Catalog, progress: Progress
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.progress = progress
        self.data = settings.data
        self.snapshots = self.data / "snapshots"
        self.blobs = Blobs(self.data / "blobs")
        self.pages = PageStore(self.data / "pages", self.blobs, settings.extract)
        self.lost: dict[str, Failure] = {}
        own = settings.index.synonyms
        self.synonyms = Synonyms.read(settings.path(own) if own else None)
        asked = settings.index.recall_questions
        self.questions = read_questions(settings.path(asked)) if asked else None
        self.encoder = encoders.folder(settings, progress)
        self.encoder_id = Encoder(self.encoder).info.id

    def run(self, *, rebuild: bool, repack: bool) -> IndexReport:
        """Do what is missing, then pack and publish if anything differs."""
        if rebuild:
            for folder in ("shards", "pages"):
                shutil.rmtree(self.data / folder, ignore_errors=True)
        remove_orphans(self.catalog, self.data)
        self._read_files()
        shards = ShardFolder(self.data / "shards")
        keys, inputs_id = self._keys()
        missing = [number for number, key in enumerate(keys) if key not in shards]
        report = IndexReport(documents=len(keys), embedded=len(missing))
        current = self._current()
        manifest = current.manifest if current else {}
        is_same = not missing and manifest.get("inputs_id") == inputs_id
        if is_same and not repack and not is_due(manifest, self.settings.index):
            report.snapshot = manifest["content_id"]
            report.passages = manifest["counts"]["passages"]
            report.failures = [
                Failure(f["id"], f["stage"], f["error"], f["message"])
                for f in self.catalog.failures()
                if f["stage"] == "extract"
            ]
            return report
        if missing:
            self._make_shards(set(missing))
            shards = ShardFolder(self.data / "shards")
        base = None if rebuild or repack or is_same else self._base(current)
        replaces = rebuild or repack or is_same
        target = self._pack(shards, inputs_id, report, base, replaces=replaces)
        if current:
            current.close()
        self.progress("measure", 0, 1)
        least = self.settings.index.least_recall
        report.recall = check(target, least, self.questions)
        self.progress("measure", 1, 1)
        publish(target)
        report.published = True
        collect(self.snapshots, self.settings.index.keep_snapshots)
        shards.collect(set(keys))
        return report

    def _base(self, current: Snapshot | None) -> Snapshot | None:
        """Return the current snapshot if the next one can begin with it."""
        made_by = (self.encoder_id, self._content_settings())
        index = self.settings.index
        return current if current and may_begin_with(current, made_by, index) else None

    def _read_files(self) -> None:
        """Turn into pages what was not, or was by another version of its extractor."""
        files = (
            file
            for stored in self.catalog.documents()
            if stored.access
            for file in stored.files
            if file.sha256 in self.blobs
        )
        self.pages.fill(files, lambda done: self.progress("read", done, done))

    def _keyed(self) -> Iterator[tuple[str, Document]]:
        """Yield the documents that somebody may read, with their keys."""
        for stored in self.catalog.documents():
            if stored.access:
                document = self._with_bytes(stored)
                index = self.settings.index
                key = document_key(document, index, self.encoder_id, self.pages)
                yield key, document

    def _with_bytes(self, document: Document) -> Document:
        """Return a document without the bytes that are lost; a crawl fetches them."""
        files = []
        for file in document.files:
            if file.sha256 and file.sha256 not in self.blobs:
                message = "Its bytes are missing here; the next crawl fetches them."
                where = f"{document.id}#{file.key}"
                self.lost[where] = Failure(where, "extract", "FetchError", message)
                file = replace(file, sha256="")  # noqa: PLW2901
            files.append(file)
        return replace(document, files=tuple(files))

    def _keys(self) -> tuple[list[str], str]:
        """Return all keys, and a hash over all that a snapshot depends on."""
        keys = []
        digest = hashlib.sha256(json.dumps(self._content_settings()).encode())
        for key, document in self._keyed():
            keys.append(key)
            digest.update(_stamp(key, document).encode())
        if not keys and not (self.snapshots / CURRENT).exists():
            raise UsageError(
                "The catalog has no documents that anybody may read.",
                hint="See 'dunegpt status': did the crawl fail, or is access missing?",
            )
        return keys, digest.hexdigest()

    def _content_settings(self) -> dict[str, Any]:
        index = self.settings.index
        return {
            "model": self.settings.embed.model,
            "passage_tokens": index.passage_tokens,
            "overlap_tokens": index.overlap_tokens,
            "words": words.VERSION,
            "references": references.VERSION,
            "synonyms": self.synonyms.id,
        }

    def _make_shards(self, missing: set[int]) -> None:
        """Make the shards of the documents with these positions, a few at a time."""
        maker = self._maker()
        size = self.settings.index.shard_documents
        part: list[tuple[str, Document]] = []
        done = 0
        self.progress("embed", 0, len(missing))
        for position, keyed in enumerate(self._keyed()):
            if position not in missing:
                continue
            part.append(keyed)
            if len(part) == size or done + len(part) == len(missing):
                maker.make([d for _, d in part], [key for key, _ in part])
                done += len(part)
                part = []
                self.progress("embed", done, len(missing))

    def _maker(self) -> ShardMaker:
        embedder = encoders.embedder(self.settings, self.encoder)
        wanted = self.settings.index.passage_tokens + CONTEXT_TOKENS
        if wanted > embedder.info.max_tokens:
            most = embedder.info.max_tokens - CONTEXT_TOKENS
            raise ConfigError(
                f"[index] passage_tokens may be at most {most} with this model.",
            )
        index = self.settings.index
        return ShardMaker(
            folder=self.data / "shards",
            pages=self.pages,
            splitter=Splitter(
                Encoder(self.encoder).count, index.passage_tokens, index.overlap_tokens
            ),
            embedder=embedder,
            limits=self.settings.extract,
        )

    def _pack(
        self,
        shards: ShardFolder,
        inputs_id: str,
        report: IndexReport,
        base: Snapshot | None,
        *,
        replaces: bool,
    ) -> Path:
        packer = Packer(
            self.snapshots,
            self.encoder,
            self._content_settings(),
            base,
            self.settings.index,
            self.synonyms,
        )
        backends = set(shards.backends.values())
        known = [f for f in self.catalog.failures() if f["stage"] == "extract"]
        kept = set[str]()
        try:
            self.progress("pack", 0, report.documents)
            for done, (key, document) in enumerate(self._keyed(), start=1):
                stamp = _stamp(key, document)
                if packer.keeps(document.id, stamp):
                    kept.add(document.id)
                else:
                    entry = next(shards.entries([key]))
                    packer.add(document, entry, self._pages(document), stamp)
                    self._note(document, entry, report)
                self.progress("pack", done, report.documents)
            target = packer.close(inputs_id, backends, replace=replaces)
        finally:
            packer.discard()
        report.failures += [
            Failure(f["id"], f["stage"], f["error"], f["message"])
            for f in known
            if f["id"].partition("#")[0] in kept
        ]
        self.catalog.settle("", "extract", {f.id for f in report.failures})
        report.snapshot = target.name
        report.passages = read_manifest(target)["counts"]["passages"]
        return target

    def _note(self, document: Document, entry: Entry, report: IndexReport) -> None:
        """Put into ledger and report what of a document could not be read."""
        where = document.id + "#"
        lost = [f for f in self.lost.values() if f.id.startswith(where)]
        for failure in (*entry.failures, *lost):
            self.catalog.put_failure(document.source, failure)
            report.failures.append(failure)

    def _pages(self, document: Document) -> dict[str, list[Page]]:
        """Return the pages of the files that could be read; made again if lost."""
        with Sandbox(self.settings.extract) as sandbox:
            return {
                file.key: list(self.pages.make(file, sandbox).pages)
                for file in document.files
                if file.sha256
            }

    def _current(self) -> Snapshot | None:
        """Return the current snapshot; None if it cannot be used."""
        try:
            return Snapshot(self.snapshots / CURRENT)
        except (IndexMissingError, IndexBrokenError, IndexMismatchError) as error:
            log.info("making a new snapshot: %s", error)
            return None


def _stamp(key: str, document: Document) -> str:
    """Return the hash of all that a snapshot says of a document."""
    said = key.encode() + identity(as_packed(document))
    return hashlib.sha256(said).hexdigest()
