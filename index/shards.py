"""Shards: passages and vectors of a few hundred documents, computed once.

Each document has a key: a hash of everything that its passages and vectors depend on
(title, pages of its files, splitter, settings, encoder). Access is not part of it. A
shard is a folder named after its keys and renamed into place when complete, so a re-run
computes only what is missing, and a killed run loses at most one shard. Its header
holds a hash per file, which is checked whenever the file is read. Does not depend on
the catalog or on snapshots.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from dunegpt.config import ExtractSettings, IndexSettings
from dunegpt.errors import ExtractError, PartlyReadError, TransientExtractError
from dunegpt.files import damaged, hash_file, storage_errors, sync_folder
from dunegpt.index.encoder.onnx import Embedder
from dunegpt.index.passage_text import make_embedding_text, make_record_texts
from dunegpt.ingest import split
from dunegpt.ingest.extract import ExtractResult
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.figure_descriptions import FigureDescriptions, Place
from dunegpt.ingest.page_store import PageStore
from dunegpt.permissions import make_folder, protect_tree
from dunegpt.types import Box, Document, Failure, Passage

log = logging.getLogger(__name__)

FORMAT = 1
_HEADER_KEYS = frozenset({"format", "keys", "backend"})
_LATER_HEADER_KEYS = frozenset({"files", "digest"})
"""Keys that older shards of this format do not have."""
_MAX_NORM_ERROR = 0.02
_READ_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    zstandard.ZstdError,
)


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One document in a shard.

    Attributes:
        key: Key of the document, see `compute_document_key`.
        passages: In order, with the id of the first document that had this key.
        failures: Files that could not be read, or not completely.
        vectors: float16 [len(passages), dimension].
        record_vectors: float16 [records, dimension].
    """

    key: str
    passages: tuple[Passage, ...]
    failures: tuple[Failure, ...]
    vectors: npt.NDArray[np.float16]
    record_vectors: npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """Extracts, splits and embeds documents, and writes them as shards."""

    folder: Path
    pages: PageStore
    splitter: split.Splitter
    embedder: Embedder
    limits: ExtractSettings
    descriptions: FigureDescriptions

    def make(self, documents: Sequence[Document], keys: Sequence[str]) -> None:
        """Write one shard with the given documents and their failures.

        Raises:
            StorageError: The disk is full.
        """
        split_documents = self._split_documents(documents)
        lines, texts, records = [], [], []
        for document, key, (passages, failures) in zip(
            documents, keys, split_documents, strict=True
        ):
            document_records = make_record_texts(document.title, passages)
            count = self.splitter.count_tokens
            texts += [make_embedding_text(document.title, p, count) for p in passages]
            records += document_records
            lines.append(
                {
                    "key": key,
                    "records": len(document_records),
                    "passages": [_pack_passage(p) for p in passages],
                    "failures": [asdict(f) for f in failures],
                }
            )
        self._write(list(keys), lines, texts, records)

    def _split_documents(
        self, documents: Sequence[Document]
    ) -> list[tuple[list[Passage], list[Failure]]]:
        """Return the passages and failures of each document."""
        with Sandbox(self.limits) as sandbox:
            return [self._split_document(document, sandbox) for document in documents]

    def _split_document(
        self, document: Document, sandbox: Sandbox
    ) -> tuple[list[Passage], list[Failure]]:
        passages: list[Passage] = []
        failures: list[Failure] = []
        for file in document.files:
            if file.sha256:
                result = self.pages.extract(file, sandbox)
                failures += list_failures(f"{document.id}#{file.key}", result)
                said = self.descriptions.get(file)
                passages += (
                    replace(passage, description=said.get(_place_of(passage), ""))
                    if passage.figure
                    else passage
                    for passage in self.splitter.split(
                        document.id, file.key, result.pages
                    )
                )
        return passages, failures

    def _write(
        self,
        keys: list[str],
        lines: list[dict[str, object]],
        texts: list[str],
        records: list[str],
    ) -> None:
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        name = _make_name(keys)
        vectors = self.embedder.embed_documents(texts).astype(np.float16)
        record_vectors = self.embedder.embed_documents(records).astype(np.float16)
        with storage_errors(self.folder):
            make_folder(self.folder)
            temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".new-"))
            try:
                np.save(temporary / "vectors.npy", vectors)
                np.save(temporary / "records.npy", record_vectors)
                compressed = zstandard.ZstdCompressor(level=10).compress(
                    content.encode()
                )
                (temporary / "documents.jsonl.zst").write_bytes(compressed)
                header = {
                    "format": FORMAT,
                    "keys": keys,
                    "backend": self.embedder.backend,
                    "files": {p.name: hash_file(p) for p in temporary.iterdir()},
                }
                header["digest"] = _compute_digest(header)
                (temporary / "shard.json").write_text(
                    json.dumps(header), encoding="utf-8"
                )
                protect_tree(temporary)
                sync_folder(temporary)
                if (self.folder / name).exists():
                    shutil.rmtree(self.folder / name)
                os.replace(temporary, self.folder / name)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)


def _place_of(passage: Passage) -> Place:
    """Return the place of the figure that a passage begins."""
    return passage.first_page, passage.start


def list_failures(where: str, found: ExtractResult) -> list[Failure]:
    """Return the failures to record for a file; empty if it was read completely."""
    if found.error:
        kind = TransientExtractError if found.is_transient else ExtractError
        return [Failure(where, "extract", kind.__name__, found.error)]
    if found.remarks:
        message = " ".join(found.remarks)
        return [Failure(where, "extract", PartlyReadError.__name__, message)]
    return []


def compute_document_key(
    document: Document,
    settings: IndexSettings,
    encoder: str,
    pages: PageStore,
    descriptions: FigureDescriptions,
) -> str:
    """Return the hash of everything that a document's passages and vectors depend on.

    It covers the extracted pages, not the extractor version: a new version that
    produces the same pages does not invalidate passages or vectors.
    """
    files = [
        [file.key, pages.get_digest(file) if file.sha256 else ""]
        for file in document.files
    ]
    described = [
        digest for f in document.files if (digest := descriptions.get_digest(f))
    ]
    splitting = [settings.passage_tokens, settings.overlap_tokens]
    inputs = [document.id, document.title, files, splitting, encoder, *described]
    content = json.dumps([FORMAT, split.VERSION, inputs], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


class ShardFolder:
    """The shards in a folder, indexed by document key."""

    def __init__(self, folder: Path) -> None:
        """Read the keys of all shards.

        Raises:
            IndexBrokenError: A shard is damaged.
            HostError: The operating system refused.
        """
        self._folder = folder
        self._cached: tuple[str, list[ShardEntry]] = ("", [])
        self.locations: dict[str, tuple[str, int]] = {}
        self.backends: dict[str, str] = {}
        self._hashes: dict[str, dict[str, str]] = {}
        try:
            paths = sorted(folder.glob("[0-9a-f]*/shard.json"))
        except OSError as error:
            raise damaged(error, f"{folder}: {error}", path=folder) from error
        for path in paths:
            with _translate_errors(path.parent):
                self._read_header(path)

    def _read_header(self, path: Path) -> None:
        """Add the keys of a shard; raises ValueError and others if it is damaged."""
        header = json.loads(path.read_text(encoding="utf-8"))
        if header["format"] != FORMAT:
            return
        name = path.parent.name
        _check_header(header, name)
        self.backends[name] = header["backend"]
        self._hashes[name] = header.get("files", {})
        for position, key in enumerate(header["keys"]):
            self.locations.setdefault(key, (name, position))

    def __contains__(self, key: str) -> bool:
        return key in self.locations

    def read_entries(self, keys: Sequence[str]) -> Iterator[ShardEntry]:
        """Yield the entries of some keys, in that order.

        The last shard read is cached, so keys of the same shard in a row cost one read,
        also over several calls.

        Raises:
            IndexBrokenError: A shard is damaged.
            HostError: The operating system refused.
        """
        for key in keys:
            name, position = self.locations[key]
            if name != self._cached[0]:
                self._cached = name, self._read(name)
            with _translate_errors(self._folder / name):
                entry = self._cached[1][position]
                if entry.key != key:
                    raise ValueError("its keys are in another order")
            yield entry

    def read_document_ids(self, name: str) -> set[str]:
        """Return the ids of the documents whose text is in a shard."""
        entries = self._read(name)
        texts = {p.document_id for entry in entries for p in entry.passages}
        failed = {f.id.partition("#")[0] for entry in entries for f in entry.failures}
        return texts | failed

    def list_names(self) -> list[str]:
        """Return the names of the shards."""
        return sorted(self.backends)

    def remove_unused(self, live: set[str]) -> int:
        """Remove shards without a live key, and temporary folders; return a count."""
        used = {self.locations[key][0] for key in live if key in self.locations}
        unused = [
            path
            for path in self._folder.glob("*")
            if path.is_dir() and path.name not in used
        ]
        for path in unused:
            shutil.rmtree(path)
        return len(unused)

    def _read(self, name: str) -> list[ShardEntry]:
        with _translate_errors(self._folder / name):
            content = self._read_file(name, "documents.jsonl.zst")
            text = zstandard.ZstdDecompressor().decompress(content).decode()
            vectors = self._load_vectors(name, "vectors.npy")
            records = self._load_vectors(name, "records.npy")
            lines = [json.loads(line) for line in text.split("\n")] if text else []
            return _make_entries(lines, vectors, records)

    def _load_vectors(self, name: str, file: str) -> npt.NDArray[np.float16]:
        # Not memory-mapped: a view of a row would keep the file open.
        vectors: npt.NDArray[np.float16] = np.load(BytesIO(self._read_file(name, file)))
        norms = np.linalg.norm(vectors.astype(np.float32), axis=1)
        if len(norms) and not float(np.abs(norms - 1).max()) <= _MAX_NORM_ERROR:
            raise ValueError(f"{file} has vectors that are not of unit length")
        return vectors

    def _read_file(self, name: str, file: str) -> bytes:
        """Return a file of a shard, after checking its hash."""
        content = (self._folder / name / file).read_bytes()
        hashes = self._hashes[name]  # empty for a shard of an older version
        if hashes and hashlib.sha256(content).hexdigest() != hashes[file]:
            raise ValueError(f"{file} does not match its hash")
        return content


def _make_entries(
    lines: list[Any],
    vectors: npt.NDArray[np.float16],
    records: npt.NDArray[np.float16],
) -> list[ShardEntry]:
    entries, row, record = [], 0, 0
    for fields in lines:
        count, record_count = len(fields["passages"]), fields["records"]
        entries.append(
            ShardEntry(
                key=fields["key"],
                passages=tuple(map(_unpack_passage, fields["passages"])),
                failures=tuple(Failure(**f) for f in fields["failures"]),
                vectors=vectors[row : row + count],
                record_vectors=records[record : record + record_count],
            )
        )
        row, record = row + count, record + record_count
    if (row, record) != (len(vectors), len(records)):
        raise ValueError("it has another number of vectors than of passages")
    return entries


@contextmanager
def _translate_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except _READ_ERRORS as error:
        raise damaged(
            error,
            f"The shard {folder} is damaged: {error}.",
            path=folder,
            hint="Run 'dunegpt index --rebuild', which reads and embeds all documents"
            f" again; or remove {folder} and run 'dunegpt index'.",
        ) from error


def _make_name(keys: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:24]


def _compute_digest(header: dict[str, Any]) -> str:
    """Return the hash of a header without its digest."""
    content = json.dumps({k: header[k] for k in sorted(header) if k != "digest"})
    return hashlib.sha256(content.encode()).hexdigest()


def _check_header(header: dict[str, Any], name: str) -> None:
    """Raise ValueError if a header is damaged."""
    keys = header.keys()
    if keys not in (_HEADER_KEYS, _HEADER_KEYS | _LATER_HEADER_KEYS):
        raise ValueError("its header has other keys")
    if "digest" in keys and header["digest"] != _compute_digest(header):
        raise ValueError("its header does not match its digest")
    if _make_name(header["keys"]) != name:
        raise ValueError("it is not named after its keys")


def _pack_passage(passage: Passage) -> list[object]:
    return list(astuple(passage))


def _unpack_passage(fields: list[Any]) -> Passage:
    """Return a passage; those of older shards have no place."""
    passage = Passage(*fields)
    box: Any = passage.box
    return replace(passage, box=Box(*box)) if box else passage
