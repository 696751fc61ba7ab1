"""Writes a snapshot: documents, passages and vectors, then the manifest, then a rename.

It begins with the published snapshot, whose parts it links, takes out what is gone and
adds what is new: the cost follows what changed. When too much is dead or unmerged, it
begins with nothing. Its content id is a hash over passages, places, readers, encoder
and settings, so equal catalogs give equal ids, whatever the way there. Does not know
the catalog.
"""

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

from dunegpt import __version__
from dunegpt.config import IndexTable
from dunegpt.errors import IndexBrokenError, IndexMismatchError
from dunegpt.index import lists
from dunegpt.index.encoder import FILES, Encoder
from dunegpt.index.identity import content_id, identity, passage_identity
from dunegpt.index.lexical import Facts, LexicalWriter
from dunegpt.index.merge import join, tail_to_join
from dunegpt.index.names import names
from dunegpt.index.part import PartWriter, Span, Texts
from dunegpt.index.shards import Entry
from dunegpt.index.snapshot import FORMAT, Snapshot, file_hash, read_manifest
from dunegpt.index.store_writer import StoreWriter
from dunegpt.index.synonyms import Synonyms
from dunegpt.index.texts import context
from dunegpt.index.vectors import VectorFile
from dunegpt.index.words import humps, words
from dunegpt.ingest import references
from dunegpt.ingest.blobs import link, storage_errors, sync_folder, write_whole
from dunegpt.ingest.extract.kinds import is_source
from dunegpt.ingest.references import ReferenceWriter
from dunegpt.types import Document, Page, Passage, narrow

_ROWS = ("access", "document", "record")
_DOCUMENTS = np.dtype(
    [("source", "u4"), ("kind", "u4"), ("status", "u4"), ("day", "u4")]
)


class Packer:
    """Writes one snapshot."""

    def __init__(
        self,
        folder: Path,
        encoder: Path,
        settings: dict[str, Any],
        base: Snapshot | None = None,
        table: IndexTable | None = None,
        synonyms: Synonyms | None = None,
    ) -> None:
        """Begin a snapshot.

        Args:
            folder: Of all snapshots.
            encoder: Folder of the exported encoder; its files are hard-linked.
            settings: What else the content depends on; kept in the manifest.
            base: Begin with what this snapshot has; of the same encoder and settings.
            table: From which sizes on it is laid out otherwise.
            synonyms: By which words passages are found beside their own.
        """
        self._synonyms = synonyms or Synonyms([])
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._base = base
        self._table = table or IndexTable()
        self._new = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
        (self._new / "encoder").mkdir()
        for name in FILES:
            link(encoder / name, self._new / "encoder" / name)
        self.encoder = Encoder(self._new / "encoder").info
        self._settings = settings
        self._begin_files(base.folder if base else None)
        self._begin_parts(base)
        self._begin_rows(base)
        self._now = datetime.now(UTC).isoformat(timespec="milliseconds")

    def _begin_files(self, old: Path | None) -> None:
        """Open what is written document by document, as an old snapshot left it."""
        self._store = StoreWriter(
            self._new / "documents.db", old / "documents.db" if old else None
        )
        self._references = ReferenceWriter(
            self._new / references.FILE, old / references.FILE if old else None
        )
        self._lexical = LexicalWriter(
            self._new / "lexical", old / "lexical" if old else None
        )
        self._left = self._store.held()

    def _begin_parts(self, base: Snapshot | None) -> None:
        """Link the parts of the base; what is added begins where they end."""
        (self._new / "parts").mkdir()
        self._spans = list(base.spans) if base else []
        for span in self._spans:
            _link_folder(base, self._new, f"parts/{span.name}")
        if base and (base.folder / "lists.faiss").exists():
            link(base.folder / "lists.faiss", self._new / "lists.faiss")
        end = self._spans[-1] if self._spans else Span(0, 0, 0, 0, 0, 0)
        self._first = Span(
            end.first_row + end.rows,
            0,
            end.first_record + end.records,
            0,
            end.first_file + end.files,
            0,
        )
        self._part: PartWriter | None = None
        self._records = 0

    def _begin_rows(self, base: Snapshot | None) -> None:
        """Take over what filters ask of the base's rows."""
        rows = {name: getattr(base, f"row_{name}") for name in _ROWS} if base else {}
        self._old = {name: np.array(rows.get(name, ()), np.uint32) for name in _ROWS}
        self._rows: dict[str, list[int]] = {name: [] for name in _ROWS}
        self._values = {
            name: list(base.manifest[name]) if base else []
            for name in ("sources", "kinds", "statuses")
        }
        # Where no kind is noted, any may hold code.
        held = base.manifest.get("code_kinds", base.manifest["kinds"]) if base else ()
        self._code_kinds = set(held)

    def keeps(self, document_id: str, stamp: str) -> bool:
        """Return whether the base has a document as it is now; then it stays."""
        held = self._left.get(document_id)
        if held is None or held.stamp != stamp:
            return False
        del self._left[document_id]
        return True

    def add(
        self,
        document: Document,
        entry: Entry,
        pages: dict[str, list[Page]],
        stamp: str = "",
    ) -> None:
        """Add a document with its passages; whom a file excludes, it stays closed to.

        Args:
            document: As in the catalog; one that nobody may read is left out.
            entry: Its passages and vectors.
            pages: Of each file, by the file's key.
            stamp: What it was made from, for `keeps`.
        """
        self._remove(document.id)
        document = as_packed(document)
        if not document.access:
            return
        number = self._store.document(document, sorted(names(document)), stamp)
        digest = hashlib.sha256(identity(document))
        first = self._first.first_row + len(self._rows["access"])
        self._add_passages(number, document, entry, pages, digest)
        count = self._first.first_row + len(self._rows["access"]) - first
        self._store.rows(number, first, count, digest.hexdigest())

    def _add_passages(
        self,
        number: int,
        document: Document,
        entry: Entry,
        pages: dict[str, list[Page]],
        digest: Any,
    ) -> None:
        part = self._writer()
        files: dict[str, tuple[int, int]] = {}
        for file in document.files:
            own = self._store.file(number, file)
            part.pages(own, pages.get(file.key, ()))
            self._references.add(own, pages.get(file.key, ()), document.id)
            files[file.key] = own, self._store.access(file.access)
        facts = Facts(
            document=number,
            access=0,
            source=self._value("sources", document.source),
            kind=self._value("kinds", document.kind),
            status=self._value("statuses", document.status),
            day=document.date.toordinal() if document.date else 0,
        )
        if any(is_source(file.name) for file in document.files):
            self._code_kinds.add(document.kind)
        indexed = self._indexed(document, entry.passages)
        kept, records = [], dict[tuple[str, int], int]()
        for position, passage in enumerate(entry.passages):
            ordinal = records.setdefault(
                (passage.file_key, passage.record), len(records)
            )
            if passage.file_key not in files:
                continue
            row = self._first.first_row + len(self._rows["access"])
            own, access = files[passage.file_key]
            part.passage(row, own, passage)
            self._lexical.add(
                row, indexed[position], with_changes(facts, access=access)
            )
            digest.update(passage_identity(passage))
            self._rows["access"].append(access)
            self._rows["document"].append(number)
            self._rows["record"].append(
                self._first.first_record + self._records + ordinal
            )
            kept.append(position)
        part.vectors(entry.vectors[kept], entry.record_vectors)
        self._records += len(entry.record_vectors)

    def _indexed(
        self, document: Document, passages: Sequence[Passage]
    ) -> list[list[str]]:
        """Return the words by which each passage is found: more than its own.

        The first passage of a file has the file's name, too; a passage of code has the
        parts of its names in camel case.
        """
        names = {file.key: file.name for file in document.files}
        found: list[list[str]] = []
        for key, group in groupby(passages, key=lambda passage: passage.file_key):
            lines = [
                f"{context(document.title, p.heading, p.lead)}\n{p.text}" for p in group
            ]
            own = [words(line) for line in lines]
            more = self._synonyms.added(lines, own)
            if is_source(names.get(key, "")):
                more = [
                    " ".join([m, *dict.fromkeys(humps(line))])
                    for m, line in zip(more, lines, strict=True)
                ]
            more[0] = f"{names.get(key, '')} {more[0]}"
            found += [o + words(m) for o, m in zip(own, more, strict=True)]
        return found

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
            for document_id in list(self._left):
                self._remove(document_id)
            self._close_part()
            self._lexical.close()
            self._join_parts()
            self._make_lists()
            for name in _ROWS:
                values = np.array(self._rows[name], np.uint32)
                every = np.concatenate([self._old[name], values])
                np.save(self._new / f"row_{name}.npy", every)
            np.save(self._new / "documents.npy", self._document_facts())
            digests = self._store.digests()
            identity = content_id(self.encoder.id, self._settings, digests)
            counts = self._store.counts()
            self._store.close()
            self._references.close()
            self._write_manifest(identity, inputs_id, backends, counts)
            for folder in sorted({p.parent for p in self._new.rglob("*")}):
                sync_folder(folder)
            self._new.chmod(0o755)
            target = self._folder / identity
            if target.exists() and not replace and _is_whole(target):
                _note_inputs(target, inputs_id)
            else:
                self._put(target)
        self.discard()
        return target

    def discard(self) -> None:
        """Remove what was written, if it was not finished."""
        self._lexical.discard()
        shutil.rmtree(self._new, ignore_errors=True)

    def _writer(self) -> PartWriter:
        if self._part is None:
            dictionary = b""
            if self._spans:
                first = self._new / "parts" / self._spans[0].name / "texts.db"
                texts = Texts(first)
                dictionary = texts.dictionary
                texts.close()
            self._part = PartWriter(
                self._new / "parts" / ".part",
                self.encoder.dimension,
                dictionary=dictionary,
            )
        return self._part

    def _remove(self, document_id: str) -> None:
        """Take out what the base has of a document; its rows are nobody's then."""
        held = self._left.pop(document_id, None)
        if held is not None:
            self._old["access"][held.first_row : held.first_row + held.rows] = 0
            self._lexical.remove(held.number)
            self._references.remove(self._store.remove(document_id, held, self._now))

    def _close_part(self) -> None:
        if self._part is None:
            return
        first = self._first
        rows = len(self._rows["access"])
        files = self._store.files - first.first_file
        span = with_changes(first, rows=rows, records=self._records, files=files)
        self._part.close(int8_from=self._table.int8_from)
        if not files:  # documents without any file that somebody may read
            shutil.rmtree(self._part.folder)
            return
        os.replace(self._part.folder, self._new / "parts" / span.name)
        self._spans.append(span)

    def _join_parts(self) -> None:
        """Join the last parts where they have become many small ones."""
        count = tail_to_join([span.rows for span in self._spans])
        if count < 2:
            return
        joined = join(
            self._new / "parts",
            self._spans[-count:],
            is_live=self._store.has_file,
            int8_from=self._table.int8_from,
        )
        self._spans[-count:] = [joined]

    def _make_lists(self) -> None:
        """Make the inverted file of a snapshot that begins with nothing, if big."""
        rows = sum(span.rows for span in self._spans)
        if self._base is None and rows >= self._table.exact_up_to:
            parts = [
                VectorFile(self._new / "parts" / span.name / "vectors.faiss")
                for span in self._spans
            ]
            lists.train(parts, self._new / "lists.faiss")

    def _document_facts(self) -> Any:
        """Return what filters ask of each document, by its number."""
        facts = np.zeros(self._store.documents, _DOCUMENTS)
        for number, source, day, packed in self._store.facts():
            fields = json.loads(packed)
            facts[number] = (
                self._value("sources", source),
                self._value("kinds", fields["kind"]),
                self._value("statuses", fields["status"]),
                date.fromisoformat(day).toordinal() if day else 0,
            )
        return facts

    def _value(self, name: str, value: str) -> int:
        values = self._values[name]
        if value not in values:
            values.append(value)
        return values.index(value)

    def _put(self, target: Path) -> None:
        """Rename the new folder into place, an old one of that name out of it."""
        if target.exists():
            old = target.with_name(f".old-{target.name}")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(target, old)
        os.replace(self._new, target)

    def _write_manifest(
        self,
        identity: str,
        inputs_id: str,
        backends: Iterable[str],
        counts: dict[str, int],
    ) -> None:
        every = (p for p in self._new.rglob("*") if p.is_file())
        files = sorted(path for path in every if path.suffix != ".lock")
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
            "counts": counts | {"rows": sum(span.rows for span in self._spans)},
            "parts": [asdict(span) for span in self._spans],
            "files": {
                str(path.relative_to(self._new)): self._facts_of(path) for path in files
            },
        }
        content = json.dumps(manifest, indent=1, sort_keys=True)
        (self._new / "manifest.json").write_text(content + "\n", encoding="utf-8")

    def _facts_of(self, path: Path) -> dict[str, Any]:
        """Return size and hash of a file; those of the base, if it is a link to it."""
        name = str(path.relative_to(self._new))
        if self._base and name in self._base.manifest["files"]:
            same = self._base.folder / name
            if same.exists() and same.samefile(path):
                return dict(self._base.manifest["files"][name])
        return {"bytes": path.stat().st_size, "sha256": file_hash(path)}


def as_packed(document: Document) -> Document:
    """Return a document with the files that somebody may read, and who that is."""
    files = [
        with_changes(file, access=narrow(document.access, file.access))
        for file in document.files
    ]
    return with_changes(document, files=tuple(f for f in files if f.access))


def _link_folder(base: Snapshot | None, new: Path, name: str) -> None:
    assert base is not None
    (new / name).mkdir(parents=True)
    for path in (base.folder / name).iterdir():
        link(path, new / name / path.name)


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
