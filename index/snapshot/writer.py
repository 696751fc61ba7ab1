"""Writes a snapshot: documents, passages and vectors, then the manifest, then a rename.

A snapshot usually extends the current one: its segments are hard-linked, removed
documents are taken out and new ones added, so the cost depends on what changed. A
repack starts from scratch. The content id is a hash of passages, access, encoder and
settings, so equal catalogs give equal ids either way. Does not depend on the catalog.
"""

import filecmp
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from dataclasses import replace as with_changes
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dunegpt.access import intersect_access
from dunegpt.config import IndexSettings
from dunegpt.errors import IndexBrokenError, IndexMismatchError
from dunegpt.files import hash_file, link, storage_errors, sync_folder, write_atomically
from dunegpt.index.definitions import make_marks
from dunegpt.index.document_names import collect_names, find_project_names
from dunegpt.index.encoder.onnx import FILES, Encoder
from dunegpt.index.passage_text import make_lexical_text
from dunegpt.index.shards import ShardEntry
from dunegpt.index.snapshot import integrity, ivf
from dunegpt.index.snapshot.content_id import (
    compute_content_id,
    serialize_document,
    serialize_passage,
)
from dunegpt.index.snapshot.document_writer import DocumentStoreWriter
from dunegpt.index.snapshot.lexical_writer import LexicalWriter, PassageFields
from dunegpt.index.snapshot.manifest import FORMAT, compute_digest, read_manifest
from dunegpt.index.snapshot.merge import count_to_merge, merge_segments
from dunegpt.index.snapshot.segment import SegmentRange, SegmentTexts, SegmentWriter
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.vectors import VectorFile
from dunegpt.index.synonyms import Synonyms
from dunegpt.ingest import reference_table
from dunegpt.ingest.extract.media_type import is_source
from dunegpt.ingest.reference_table import ReferenceWriter
from dunegpt.permissions import make_folder, protect_tree
from dunegpt.text.analyzer import split_camel_case, tokenize
from dunegpt.types import Document, Page, Passage
from dunegpt.version import __version__

_ROWS = ("access", "document", "record")
_DOCUMENTS = np.dtype(
    [("source", "u4"), ("kind", "u4"), ("status", "u4"), ("day", "u4")]
)


class SnapshotWriter:
    """Writes one snapshot."""

    def __init__(
        self,
        folder: Path,
        encoder: Path,
        settings: dict[str, Any],
        base: Snapshot | None = None,
        table: IndexSettings | None = None,
        synonyms: Synonyms | None = None,
    ) -> None:
        """Create a snapshot in a temporary folder.

        Args:
            folder: Folder of all snapshots.
            encoder: Folder of the exported encoder; its files are hard-linked.
            settings: Other settings that the content depends on, kept in the manifest.
            base: Snapshot to extend; must have the same encoder and settings.
            table: Size limits for the inverted file and for 8-bit vectors.
            synonyms: Groups of synonyms for document expansion.
        """
        self._synonyms = synonyms or Synonyms([])
        self._folder = folder
        make_folder(folder)
        self._base = base
        self._table = table or IndexSettings()
        self._staging = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
        (self._staging / "encoder").mkdir()
        for name in FILES:
            _link_encoder(encoder / name, self._staging / "encoder" / name, base)
        self.encoder = Encoder(self._staging / "encoder").info
        self._settings = settings
        self._begin_files(base.folder if base else None)
        self._begin_segments(base)
        self._begin_rows(base)
        self._now = datetime.now(UTC).isoformat(timespec="milliseconds")

    def _begin_files(self, old: Path | None) -> None:
        """Open the stores that are written per document, as copies of the base's."""
        self._store = DocumentStoreWriter(
            self._staging / "documents.db", old / "documents.db" if old else None
        )
        self._references = ReferenceWriter(
            self._staging / reference_table.FILE,
            old / reference_table.FILE if old else None,
        )
        self._lexical = LexicalWriter(
            self._staging / "lexical", old / "lexical" if old else None
        )
        self._remaining = self._store.list_existing()

    def _begin_segments(self, base: Snapshot | None) -> None:
        """Link the segments of the base; new rows are numbered after theirs."""
        (self._staging / "parts").mkdir()
        self._segments = list(base.segments) if base else []
        for span in self._segments:
            _link_folder(base, self._staging, f"parts/{span.name}")
        if base and (base.folder / "lists.faiss").exists():
            link(base.folder / "lists.faiss", self._staging / "lists.faiss")
        end = self._segments[-1] if self._segments else SegmentRange(0, 0, 0, 0, 0, 0)
        self._next_range = SegmentRange(
            end.first_row + end.rows,
            0,
            end.first_record + end.records,
            0,
            end.first_file + end.files,
            0,
        )
        self._segment_writer: SegmentWriter | None = None
        self._records = 0

    def _begin_rows(self, base: Snapshot | None) -> None:
        """Load the per-row arrays and the filter values of the base."""
        rows = {name: getattr(base, f"row_{name}") for name in _ROWS} if base else {}
        self._base_rows = {
            name: np.array(rows.get(name, ()), np.uint32) for name in _ROWS
        }
        self._new_rows: dict[str, list[int]] = {name: [] for name in _ROWS}
        self._values = {
            name: list(base.manifest[name]) if base else []
            for name in ("sources", "kinds", "statuses")
        }
        # Without code_kinds in the manifest, every kind may contain code.
        kinds = base.manifest.get("code_kinds", base.manifest["kinds"]) if base else ()
        self._code_kinds = set(kinds)

    def keep_unchanged(self, document_id: str, stamp: str) -> bool:
        """Keep the base's copy of a document if its stamp is equal; return whether."""
        existing = self._remaining.get(document_id)
        if existing is None or existing.stamp != stamp:
            return False
        del self._remaining[document_id]
        return True

    def add(
        self,
        document: Document,
        entry: ShardEntry,
        pages: dict[str, list[Page]],
        stamp: str = "",
    ) -> None:
        """Add a document with its passages, each with the access set of its file.

        Args:
            document: Document as in the catalog; left out if nobody may read it.
            entry: Its passages and vectors.
            pages: Pages of each file, by file key.
            stamp: Hash of its inputs, for `keep_unchanged`.
        """
        self._remove(document.id)
        document = drop_unreadable_files(document)
        if not document.access:
            return
        names = collect_names(document) | find_project_names(document, pages)
        number = self._store.add_document(document, sorted(names), stamp)
        digest = hashlib.sha256(serialize_document(document))
        first = self._next_range.first_row + len(self._new_rows["access"])
        self._add_passages(number, document, entry, pages, digest)
        count = self._next_range.first_row + len(self._new_rows["access"]) - first
        self._store.set_rows(number, first, count, digest.hexdigest())

    def _add_passages(
        self,
        number: int,
        document: Document,
        entry: ShardEntry,
        pages: dict[str, list[Page]],
        digest: Any,
    ) -> None:
        segment = self._get_segment_writer()
        files: dict[str, tuple[int, int]] = {}
        for file in document.files:
            file_number = self._store.add_file(number, file)
            segment.add_pages(file_number, pages.get(file.key, ()))
            self._references.add(file_number, pages.get(file.key, ()), document.id)
            files[file.key] = file_number, self._store.add_access(file.access)
        fields = PassageFields(
            document=number,
            access=0,
            source=self._intern_value("sources", document.source),
            kind=self._intern_value("kinds", document.kind),
            status=self._intern_value("statuses", document.status),
            day=document.date.toordinal() if document.date else 0,
        )
        if any(is_source(file.name) for file in document.files):
            self._code_kinds.add(document.kind)
        token_lists = self._analyze_passages(document, entry.passages)
        positions, records = [], dict[tuple[str, int], int]()
        for position, passage in enumerate(entry.passages):
            ordinal = records.setdefault(
                (passage.file_key, passage.record), len(records)
            )
            if passage.file_key not in files:
                continue
            row = self._next_range.first_row + len(self._new_rows["access"])
            file_number, access = files[passage.file_key]
            segment.add_passage(row, file_number, passage)
            self._lexical.add(
                row, token_lists[position], with_changes(fields, access=access)
            )
            digest.update(serialize_passage(passage))
            self._new_rows["access"].append(access)
            self._new_rows["document"].append(number)
            self._new_rows["record"].append(
                self._next_range.first_record + self._records + ordinal
            )
            positions.append(position)
        segment.add_vectors(entry.vectors[positions], entry.record_vectors)
        self._records += len(entry.record_vectors)

    def _analyze_passages(
        self, document: Document, passages: Sequence[Passage]
    ) -> list[list[str]]:
        """Return the tokens to index for each passage, including expansions.

        The first passage of a file also gets the file name; a passage of code also gets
        the parts of camel-case names; one that defines acronyms, a mark for each.
        """
        names = {file.key: file.name for file in document.files}
        token_lists: list[list[str]] = []
        for key, group in groupby(passages, key=lambda passage: passage.file_key):
            lines = [make_lexical_text(document.title, passage) for passage in group]
            tokens = [tokenize(line) for line in lines]
            expansions = self._synonyms.find_expansions(lines, tokens)
            if is_source(names.get(key, "")):
                expansions = [
                    " ".join([m, *dict.fromkeys(split_camel_case(line))])
                    for m, line in zip(expansions, lines, strict=True)
                ]
            expansions[0] = f"{names.get(key, '')} {expansions[0]}"
            token_lists += [
                t + tokenize(m) + make_marks(line)
                for t, m, line in zip(tokens, expansions, lines, strict=True)
            ]
        return token_lists

    def close(
        self, inputs_id: str, backends: Iterable[str], *, replace: bool = False
    ) -> Path:
        """Finish the snapshot and return its folder, named after its content id.

        Args:
            inputs_id: Hash of the inputs.
            backends: Backends that computed the vectors.
            replace: Replace an existing snapshot with this id even if it is complete.

        Raises:
            StorageError: The disk is full.
        """
        with storage_errors(self._folder):
            for document_id in list(self._remaining):
                self._remove(document_id)
            self._close_segment()
            self._lexical.close()
            self._merge_segments()
            self._build_ivf()
            for name in _ROWS:
                values = np.array(self._new_rows[name], np.uint32)
                all_values = np.concatenate([self._base_rows[name], values])
                np.save(self._staging / f"row_{name}.npy", all_values)
            np.save(self._staging / "documents.npy", self._build_document_array())
            digests = self._store.list_digests()
            identity = compute_content_id(self.encoder.id, self._settings, digests)
            counts = self._store.count_all()
            self._store.close()
            self._references.close()
            self._write_manifest(identity, inputs_id, backends, counts)
            for folder in sorted({p.parent for p in self._staging.rglob("*")}):
                sync_folder(folder)
            protect_tree(self._staging)
            target = self._folder / identity
            if target.exists() and not replace and _is_complete(target):
                _update_inputs_id(target, inputs_id)
            else:
                self._move_into_place(target)
            integrity.accept_links(target, read_manifest(target)["files"])
        self.discard()
        return target

    def discard(self) -> None:
        """Remove the temporary folder, if the snapshot was not finished."""
        self._lexical.discard()
        if self._segment_writer is not None:
            self._segment_writer.discard()
        shutil.rmtree(self._staging, ignore_errors=True)

    def _get_segment_writer(self) -> SegmentWriter:
        if self._segment_writer is None:
            dictionary = b""
            if self._segments:
                first = self._staging / "parts" / self._segments[0].name / "texts.db"
                texts = SegmentTexts(first)
                dictionary = texts.dictionary
                texts.close()
            self._segment_writer = SegmentWriter(
                self._staging / "parts" / ".part",
                self.encoder.dimension,
                dictionary=dictionary,
            )
        return self._segment_writer

    def _remove(self, document_id: str) -> None:
        """Remove the base's copy of a document; its rows get the empty access set."""
        old = self._remaining.pop(document_id, None)
        if old is not None:
            self._base_rows["access"][old.first_row : old.first_row + old.rows] = 0
            self._lexical.remove(old.number)
            self._references.remove(self._store.remove(document_id, old, self._now))

    def _close_segment(self) -> None:
        if self._segment_writer is None:
            return
        first = self._next_range
        rows = len(self._new_rows["access"])
        files = self._store.files - first.first_file
        span = with_changes(first, rows=rows, records=self._records, files=files)
        self._segment_writer.close(int8_from=self._table.int8_from)
        if not files:  # no document has a file that somebody may read
            shutil.rmtree(self._segment_writer.folder)
            return
        os.replace(self._segment_writer.folder, self._staging / "parts" / span.name)
        self._segments.append(span)

    def _merge_segments(self) -> None:
        """Merge the last segments if there are many small ones."""
        count = count_to_merge([span.rows for span in self._segments])
        if count < 2:
            return
        joined = merge_segments(
            self._staging / "parts",
            self._segments[-count:],
            is_live=self._store.has_file,
            int8_from=self._table.int8_from,
        )
        self._segments[-count:] = [joined]

    def _build_ivf(self) -> None:
        """Train the inverted file if this is a repack of a large snapshot."""
        rows = sum(span.rows for span in self._segments)
        if self._base is None and rows >= self._table.exact_up_to:
            parts = [
                VectorFile(self._staging / "parts" / span.name / "vectors.faiss")
                for span in self._segments
            ]
            ivf.train_ivf(parts, self._staging / "lists.faiss")

    def _build_document_array(self) -> Any:
        """Return the filter values of each document, by document number."""
        values = np.zeros(self._store.documents, _DOCUMENTS)
        for number, source, day, content in self._store.list_facts():
            fields = json.loads(content)
            values[number] = (
                self._intern_value("sources", source),
                self._intern_value("kinds", fields["kind"]),
                self._intern_value("statuses", fields["status"]),
                date.fromisoformat(day).toordinal() if day else 0,
            )
        return values

    def _intern_value(self, name: str, value: str) -> int:
        values = self._values[name]
        if value not in values:
            values.append(value)
        return values.index(value)

    def _move_into_place(self, target: Path) -> None:
        """Rename the new folder into place, after moving an old one aside."""
        if target.exists():
            old = target.with_name(f".old-{target.name}")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(target, old)
        os.replace(self._staging, target)

    def _write_manifest(
        self,
        identity: str,
        inputs_id: str,
        backends: Iterable[str],
        counts: dict[str, int],
    ) -> None:
        paths = (p for p in self._staging.rglob("*") if p.is_file())
        files = sorted(path for path in paths if path.suffix != ".lock")
        manifest = {
            "format": FORMAT,
            "content_id": identity,
            "inputs_id": inputs_id,
            "created_at": self._now,
            "packed_at": self._base.manifest["packed_at"] if self._base else self._now,
            "code_version": __version__,
            "encoder": self.encoder.id,
            "backends": sorted(set(backends)),
            "settings": self._settings,
            **self._values,
            "code_kinds": sorted(self._code_kinds),
            "counts": counts | {"rows": sum(span.rows for span in self._segments)},
            "parts": [asdict(span) for span in self._segments],
            "files": {
                str(path.relative_to(self._staging)): self._describe_file(path)
                for path in files
            },
        }
        manifest["digest"] = compute_digest(manifest)
        content = json.dumps(manifest, indent=1, sort_keys=True)
        (self._staging / "manifest.json").write_text(content + "\n", encoding="utf-8")

    def _describe_file(self, path: Path) -> dict[str, Any]:
        """Return size and hash of a file, taken from the base if it is linked."""
        name = str(path.relative_to(self._staging))
        if self._base and name in self._base.manifest["files"]:
            old = self._base.folder / name
            if old.exists() and old.samefile(path):
                return dict(self._base.manifest["files"][name])
        return {"bytes": path.stat().st_size, "sha256": hash_file(path)}


def drop_unreadable_files(document: Document) -> Document:
    """Return a document with only its readable files, and their effective access."""
    files = [
        with_changes(file, access=intersect_access(document.access, file.access))
        for file in document.files
    ]
    return with_changes(document, files=tuple(f for f in files if f.access))


def _link_encoder(source: Path, target: Path, base: Snapshot | None) -> None:
    """Link a file of the encoder from within the data folder, or else copy it.

    A link to a file of others would change its permissions, too.
    """
    data = target.parents[3].resolve()
    before = base.folder / "encoder" / source.name if base else None
    if source.resolve().is_relative_to(data):
        link(source, target)
    elif before and before.is_file() and filecmp.cmp(before, source, shallow=False):
        link(before, target)
    else:
        shutil.copyfile(source, target)


def _link_folder(base: Snapshot | None, new: Path, name: str) -> None:
    assert base is not None
    (new / name).mkdir(parents=True)
    for path in (base.folder / name).iterdir():
        link(path, new / name / path.name)


def _is_complete(folder: Path) -> bool:
    try:
        Snapshot(folder).close()
    except (IndexBrokenError, IndexMismatchError):
        return False
    return True


def _update_inputs_id(target: Path, inputs_id: str) -> None:
    """Set the hash of the inputs in the manifest of an equal snapshot."""
    manifest = read_manifest(target) | {"inputs_id": inputs_id}
    content = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    write_atomically(target / "manifest.json", content.encode())
