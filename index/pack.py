"""Writes a snapshot: documents, passages and vectors, then the manifest, then a rename.

Its content id is a hash over passages, places, readers, encoder and settings, so equal
catalogs give equal ids, on any number of workers and after any interruption. Does not
know the catalog.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace as with_changes
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dunegpt import __version__
from dunegpt.errors import IndexBrokenError, IndexMismatchError
from dunegpt.index.dense import DenseWriter
from dunegpt.index.encoder import FILES, Encoder
from dunegpt.index.lexical import LexicalWriter
from dunegpt.index.names import names
from dunegpt.index.shards import Entry
from dunegpt.index.snapshot import FORMAT, Snapshot, file_hash, read_manifest
from dunegpt.index.store import StoreWriter
from dunegpt.index.texts import context
from dunegpt.ingest.blobs import storage_errors, sync_folder, write_whole
from dunegpt.types import Document, FileRef, Page, narrow


class Packer:
    """Writes one snapshot, document by document in the order of their ids."""

    def __init__(self, folder: Path, encoder: Path, settings: dict[str, Any]) -> None:
        """Begin a snapshot.

        Args:
            folder: Of all snapshots.
            encoder: Folder of the exported encoder; its files are hard-linked.
            settings: What else the content depends on; kept in the manifest.
        """
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._new = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
        (self._new / "encoder").mkdir()
        for name in FILES:
            _link(encoder / name, self._new / "encoder" / name)
        self.encoder = Encoder(self._new / "encoder").info
        self._settings = settings
        self._digest = hashlib.sha256(_canonical([self.encoder.id, settings]))
        self._store = StoreWriter(self._new / "passages.db")
        self._lexical = LexicalWriter(self._new / "lexical")
        self._dense = DenseWriter(self._new / "dense.faiss", self.encoder.dimension)
        self._access: list[int] = []
        self._document: list[int] = []
        self._record: list[int] = []
        self._source: list[int] = []
        self._sources: dict[str, int] = {}
        self._records: list[npt.NDArray[np.float16]] = []
        self._count = {"documents": 0, "passages": 0, "records": 0, "files": 0}

    def add(
        self, document: Document, entry: Entry, pages: dict[str, list[Page]]
    ) -> None:
        """Add a document with its passages; whom a file excludes, it stays closed to.

        Args:
            document: As in the catalog; one that nobody may read is left out.
            entry: Its passages and vectors.
            pages: Of each file, by the file's key.
        """
        if not document.access:
            return
        files = [
            with_changes(file, access=narrow(document.access, file.access))
            for file in document.files
        ]
        document = with_changes(document, files=tuple(files))
        number = self._count["documents"]
        self._digest.update(identity(document))
        self._store.document(number, document, sorted(names(document)))
        self._count["documents"] += 1
        self._add_passages(number, document, entry, pages)

    def _add_passages(
        self,
        number: int,
        document: Document,
        entry: Entry,
        pages: dict[str, list[Page]],
    ) -> None:
        files: dict[str, tuple[int, int]] = {}
        for file in document.files:
            if file.access:
                own = self._store.file(number, file, pages.get(file.key, ()))
                files[file.key] = own, self._store.access(file.access)
        self._count["files"] += len(files)
        kept, records = [], dict[tuple[str, int], int]()
        for position, passage in enumerate(entry.passages):
            ordinal = records.setdefault(
                (passage.file_key, passage.record), len(records)
            )
            if passage.file_key not in files:
                continue
            row = self._count["passages"]
            own, access = files[passage.file_key]
            heading = context(document.title, passage.heading, passage.lead)
            self._store.passage(row, number, own, passage)
            text = f"{heading}\n{passage.text}"
            source = self._sources.setdefault(document.source, len(self._sources))
            self._lexical.add(row, text, document=number, access=access, source=source)
            self._source.append(source)
            self._digest.update(_canonical([passage.file_key, *_place(passage)]))
            self._access.append(access)
            self._document.append(number)
            self._record.append(self._count["records"] + ordinal)
            self._count["passages"] += 1
            kept.append(position)
        self._dense.add(entry.vectors[kept])
        self._records.append(np.asarray(entry.record_vectors))
        self._count["records"] += len(entry.record_vectors)

    def close(
        self, inputs_id: str, backends: Iterable[str], *, replace: bool = False
    ) -> Path:
        """Finish the snapshot; return its folder, named by its content id.

        Args:
            inputs_id: Hash of what it was made from.
            backends: How its vectors were made.
            replace: Put it in the place of an equal one, even if that is whole.

        Raises:
            StorageError: The disk is full.
        """
        with storage_errors(self._folder):
            self._store.close()
            self._lexical.close()
            self._dense.close()
            for name, values in {
                "access": self._access,
                "document": self._document,
                "record": self._record,
                "source": self._source,
            }.items():
                np.save(self._new / f"row_{name}.npy", np.array(values, np.uint32))
            empty = np.empty((0, self.encoder.dimension), np.float16)
            np.save(self._new / "records.npy", np.concatenate([empty, *self._records]))
            content_id = self._digest.hexdigest()[:24]
            self._write_manifest(content_id, inputs_id, backends)
            for folder in (self._new / "lexical", self._new / "encoder", self._new):
                sync_folder(folder)
            self._new.chmod(0o755)
            target = self._folder / content_id
            if target.exists() and not replace and _is_whole(target):
                _note_inputs(target, inputs_id)
            else:
                self._put(target)
        self.discard()
        return target

    def _put(self, target: Path) -> None:
        """Rename the new folder into place, an old one of that name out of it."""
        if target.exists():
            old = target.with_name(f".old-{target.name}")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(target, old)
        os.replace(self._new, target)

    def discard(self) -> None:
        """Remove what was written, if it was not finished."""
        shutil.rmtree(self._new, ignore_errors=True)

    def _write_manifest(
        self, content_id: str, inputs_id: str, backends: Iterable[str]
    ) -> None:
        files = sorted(p for p in self._new.rglob("*") if p.is_file())
        manifest = {
            "format": FORMAT,
            "content_id": content_id,
            "inputs_id": inputs_id,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "code_version": __version__,
            "encoder": self.encoder.id,
            "backends": sorted(set(backends)),
            "settings": self._settings,
            "sources": list(self._sources),
            "counts": self._count,
            "files": {
                str(path.relative_to(self._new)): {
                    "bytes": path.stat().st_size,
                    "sha256": file_hash(path),
                }
                for path in files
            },
        }
        content = json.dumps(manifest, indent=1, sort_keys=True)
        (self._new / "manifest.json").write_text(content + "\n", encoding="utf-8")


def _is_whole(folder: Path) -> bool:
    try:
        Snapshot(folder).close()
    except (IndexBrokenError, IndexMismatchError):
        return False
    return True


def _note_inputs(target: Path, inputs_id: str) -> None:
    """Write into an equal snapshot's manifest what it has just been made from again."""
    manifest = read_manifest(target) | {"inputs_id": inputs_id}
    content = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    write_whole(target / "manifest.json", content.encode())


def _link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def identity(document: Document) -> bytes:
    """Return what a snapshot says of a document, in one form."""
    files = [_file_identity(file) for file in document.files]
    return _canonical(
        [
            document.id,
            document.source,
            document.kind,
            document.url,
            document.title,
            list(document.authors),
            document.date.isoformat() if document.date else "",
            document.status,
            sorted(document.access),
            document.supersedes,
            document.parent,
            files,
        ]
    )


def _file_identity(file: FileRef) -> list[Any]:
    return [file.key, file.name, file.url, file.media_type, sorted(file.access)]


def _place(passage: Any) -> list[Any]:
    where = [passage.first_page, passage.last_page, passage.start, passage.end]
    return [*where, passage.heading, passage.record, passage.text]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n"
