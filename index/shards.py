"""Shards: a few hundred documents as passages and vectors, made once for all time.

Each document has a key: a hash of all that its passages and vectors depend on (title,
pages of its files, splitter, settings, encoder), and of nothing else; who may read it
is not in it. A shard is a folder named by the keys in it, renamed into place
when it is whole. So a re-run makes only what is missing, and a killed run loses at most
the shard in hand. Does not know the catalog's file, nor what a snapshot is.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import zstandard

from dunegpt.config import ExtractTable, IndexTable
from dunegpt.errors import ExtractError, IndexBrokenError, PartlyReadError
from dunegpt.index.encoder import EncoderInfo, Vectors
from dunegpt.index.texts import embedded, record_texts
from dunegpt.ingest import split
from dunegpt.ingest.blobs import storage_errors, sync_folder
from dunegpt.ingest.extract import Extracted
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.pages import PageStore
from dunegpt.types import Document, Failure, Passage

log = logging.getLogger(__name__)

FORMAT = 1


class Embedder(Protocol):
    """Whatever turns passages into vectors."""

    @property
    def backend(self) -> str:
        """How the vectors are made; they differ in the last bits between backends."""

    @property
    def info(self) -> EncoderInfo:
        """Which model makes them."""

    def documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 [len(texts), dimension], unit length."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document in a shard.

    Attributes:
        key: What it was made from.
        passages: In order; with the id of the first document that had this key.
        failures: Files that could not be read.
        vectors: float16 [len(passages), dimension].
        record_vectors: float16 [records, dimension].
    """

    key: str
    passages: tuple[Passage, ...]
    failures: tuple[Failure, ...]
    vectors: npt.NDArray[np.float16]
    record_vectors: npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """Makes shards: reads files, cuts them, embeds what comes out."""

    folder: Path
    pages: PageStore
    splitter: split.Splitter
    embedder: Embedder
    limits: ExtractTable

    def make(self, documents: Sequence[Document], keys: Sequence[str]) -> None:
        """Write the shard of some documents, failures included.

        Raises:
            StorageError: The disk is full.
        """
        cut = self._cut(documents)
        lines, texts, records = [], [], []
        for document, key, (passages, failures) in zip(
            documents, keys, cut, strict=True
        ):
            own = record_texts(document.title, passages)
            count = self.splitter.count
            texts += [embedded(document.title, p, count) for p in passages]
            records += own
            lines.append(
                {
                    "key": key,
                    "records": len(own),
                    "passages": [_packed(p) for p in passages],
                    "failures": [asdict(f) for f in failures],
                }
            )
        self._write(list(keys), lines, texts, records)

    def _cut(
        self, documents: Sequence[Document]
    ) -> list[tuple[list[Passage], list[Failure]]]:
        """Return passages and failures of each document."""
        with Sandbox(self.limits) as sandbox:
            return [self._cut_one(document, sandbox) for document in documents]

    def _cut_one(
        self, document: Document, sandbox: Sandbox
    ) -> tuple[list[Passage], list[Failure]]:
        passages: list[Passage] = []
        failures: list[Failure] = []
        for file in document.files:
            if file.sha256:
                found = self.pages.make(file, sandbox)
                failures += failures_of(f"{document.id}#{file.key}", found)
                passages += self.splitter.split(document.id, file.key, found.pages)
        return passages, failures

    def _write(
        self,
        keys: list[str],
        lines: list[dict[str, object]],
        texts: list[str],
        records: list[str],
    ) -> None:
        head = {"format": FORMAT, "keys": keys, "backend": self.embedder.backend}
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        name = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:24]
        vectors = self.embedder.documents(texts).astype(np.float16)
        record_vectors = self.embedder.documents(records).astype(np.float16)
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(dir=self.folder, prefix=".new-"))
            try:
                np.save(new / "vectors.npy", vectors)
                np.save(new / "records.npy", record_vectors)
                packed = zstandard.ZstdCompressor(level=10).compress(content.encode())
                (new / "documents.jsonl.zst").write_bytes(packed)
                (new / "shard.json").write_text(json.dumps(head), encoding="utf-8")
                new.chmod(0o755)
                sync_folder(new)
                if (self.folder / name).exists():
                    shutil.rmtree(self.folder / name)
                os.replace(new, self.folder / name)
            finally:
                shutil.rmtree(new, ignore_errors=True)


def failures_of(where: str, found: Extracted) -> list[Failure]:
    """Return what the ledger says of a file: nothing if all of it was read."""
    if found.error:
        return [Failure(where, "extract", ExtractError.__name__, found.error)]
    if found.remarks:
        said = " ".join(found.remarks)
        return [Failure(where, "extract", PartlyReadError.__name__, said)]
    return []


def document_key(
    document: Document, settings: IndexTable, encoder: str, pages: PageStore
) -> str:
    """Return the hash of all that a document's passages and vectors depend on.

    What its files became is in it, not how: an extractor's new version that makes the
    same pages makes nothing else anew.
    """
    files = [
        [file.key, pages.digest(file) if file.sha256 else ""] for file in document.files
    ]
    cut = [settings.passage_tokens, settings.overlap_tokens]
    made_from = [document.id, document.title, files, cut, encoder]
    content = json.dumps([FORMAT, split.VERSION, made_from], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


class ShardFolder:
    """All shards in one folder, by the keys of their documents."""

    def __init__(self, folder: Path) -> None:
        """Read which keys are there.

        Raises:
            IndexBrokenError: A shard is damaged.
        """
        self._folder = folder
        self.place: dict[str, tuple[str, int]] = {}
        self.backends: dict[str, str] = {}
        for path in sorted(folder.glob("[0-9a-f]*/shard.json")):
            try:
                head = json.loads(path.read_text(encoding="utf-8"))
                if head["format"] != FORMAT:
                    continue
                self.backends[path.parent.name] = head["backend"]
                for position, key in enumerate(head["keys"]):
                    self.place.setdefault(key, (path.parent.name, position))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise IndexBrokenError(f"The shard {path.parent}: {error}") from error

    def __contains__(self, key: str) -> bool:
        return key in self.place

    def entries(self, keys: Sequence[str]) -> Iterator[Entry]:
        """Yield the entries of some keys, in that order.

        The shard in hand stays open: keys that are neighbours cost one reading.
        """
        name, shard = "", list[Entry]()
        for key in keys:
            wanted, position = self.place[key]
            if wanted != name:
                name, shard = wanted, self._read(wanted)
            yield shard[position]

    def document_ids(self, name: str) -> set[str]:
        """Return the ids of the documents whose texts a shard holds."""
        entries = self._read(name)
        texts = {p.document_id for entry in entries for p in entry.passages}
        failed = {f.id.partition("#")[0] for entry in entries for f in entry.failures}
        return texts | failed

    def names(self) -> list[str]:
        """Return the names of the shards."""
        return sorted(self.backends)

    def collect(self, live: set[str]) -> int:
        """Remove shards without any live key and what killed runs left; count them."""
        used = {self.place[key][0] for key in live if key in self.place}
        gone = [
            path
            for path in self._folder.glob("*")
            if path.is_dir() and path.name not in used
        ]
        for path in gone:
            shutil.rmtree(path)
        return len(gone)

    def _read(self, name: str) -> list[Entry]:
        folder = self._folder / name
        try:
            packed = (folder / "documents.jsonl.zst").read_bytes()
            content = zstandard.ZstdDecompressor().decompress(packed).decode()
            vectors = np.load(folder / "vectors.npy", mmap_mode="r")
            records = np.load(folder / "records.npy", mmap_mode="r")
        except (OSError, ValueError, zstandard.ZstdError) as error:
            raise IndexBrokenError(
                f"The shard {folder} is damaged: {error}.",
                hint=f"Remove {folder} and run 'dunegpt index' again.",
            ) from error
        entries, row, record = [], 0, 0
        for line in content.split("\n") if content else []:
            fields = json.loads(line)
            count, own = len(fields["passages"]), fields["records"]
            entries.append(
                Entry(
                    key=fields["key"],
                    passages=tuple(Passage(*p) for p in fields["passages"]),
                    failures=tuple(Failure(**f) for f in fields["failures"]),
                    vectors=vectors[row : row + count],
                    record_vectors=records[record : record + own],
                )
            )
            row, record = row + count, record + own
        return entries


def _packed(passage: Passage) -> list[object]:
    return list(asdict(passage).values())
