"""Small snapshots made in one call, and small catalogs without any source."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from dunegpt.access import Access, make_access_set
from dunegpt.config import Settings
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import make_embedding_text, make_record_texts
from dunegpt.index.shards import ShardEntry
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.writer import SnapshotWriter
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog, now
from dunegpt.types import Document, FileRef, Page, Passage

PUBLIC = frozenset({"public"})
NOBODY_WORDS = ["xyzzy", "plugh", "quuxly"]


def readers(*names: str) -> Access:
    return make_access_set(names or ["public"])


def document(  # noqa: PLR0913 - as many as a document has
    identity: str,
    *,
    access: Access = PUBLIC,
    files: Mapping[str, Access] | None = None,
    title: str = "A note",
    source: str = "notes",
    authors: tuple[str, ...] = (),
    date: dt.date | None = None,
    supersedes: str = "",
    parent: str = "",
    status: str = "",
) -> Document:
    """Return a document; its files are text, with the readers that are given."""
    url = f"https://notes.test/{identity.replace(':', '/')}"
    return Document(
        id=identity,
        source=source,
        kind="note",
        url=url,
        title=title,
        access=access,
        authors=authors,
        date=date,
        files=tuple(
            FileRef(key, key, "text/plain", f"{url}/{key}", own)
            for key, own in (files or {"a.txt": access}).items()
        ),
        supersedes=supersedes,
        parent=parent,
        status=status,
    )


Corpus = Sequence[tuple[Document, Mapping[str, Sequence[str]]]]
"""Documents, each with the texts of the pages of its files, by the files' keys."""


def pack(folder: Path, encoder_folder: Path, corpus: Corpus) -> Snapshot:
    """Return a snapshot in which every page is one passage and one record."""
    encoder = Encoder(encoder_folder)
    packer = SnapshotWriter(folder, encoder_folder, {"model": str(encoder_folder)})
    for doc, texts in sorted(corpus, key=lambda made: made[0].id):
        pages = {
            key: [Page(n, "", text) for n, text in enumerate(own, start=1)]
            for key, own in texts.items()
        }
        passages = tuple(
            Passage(doc.id, key, p.number, p.number, 0, len(p.text), "", p.text, n)
            for key, own in pages.items()
            for n, p in enumerate(own)
        )
        wanted = [
            make_embedding_text(doc.title, p, lambda text: len(text.split()))
            for p in passages
        ]
        entry = ShardEntry(
            key="",
            passages=passages,
            failures=(),
            vectors=encoder.embed_documents(wanted).astype(np.float16),
            record_vectors=encoder.embed_documents(
                make_record_texts(doc.title, passages)
            ).astype(np.float16),
        )
        packer.add(doc, entry, pages)
    return Snapshot(packer.close("inputs", ["onnxruntime-fp32"]))


def fill(settings: Settings, corpus: Corpus) -> None:
    """Put documents with the bytes of their files into the catalog of the settings."""
    blobs = BlobStore(settings.paths.blobs)
    catalog = Catalog(settings.paths.catalog)
    for doc, texts in corpus:
        files = tuple(
            replace(f, sha256=blobs.put(["\n".join(texts[f.key]).encode()])[0])
            for f in doc.files
        )
        catalog.put(replace(doc, files=files))
        catalog.put_run(doc.source, now(), {"error": ""})
    overlay.write_overlay(catalog, settings.data, timedelta(days=1))
    catalog.close()
