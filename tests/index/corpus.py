"""Small snapshots made in one call, and small catalogs without any source."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from dunegpt.config import Settings
from dunegpt.index.encoder import Encoder
from dunegpt.index.pack import Packer
from dunegpt.index.shards import Entry
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.texts import embedded, record_texts
from dunegpt.ingest import overlay
from dunegpt.ingest.blobs import Blobs
from dunegpt.ingest.catalog import Catalog, now
from dunegpt.types import Access, Document, FileRef, Page, Passage, access_set

PUBLIC = frozenset({"public"})
NOBODY_WORDS = ["xyzzy", "plugh", "quuxly"]


def readers(*names: str) -> Access:
    return access_set(names or ["public"])


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
    packer = Packer(folder, encoder_folder, {"model": str(encoder_folder)})
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
            embedded(doc.title, p, lambda text: len(text.split())) for p in passages
        ]
        entry = Entry(
            key="",
            passages=passages,
            failures=(),
            vectors=encoder.documents(wanted).astype(np.float16),
            record_vectors=encoder.documents(record_texts(doc.title, passages)).astype(
                np.float16
            ),
        )
        packer.add(doc, entry, pages)
    return Snapshot(packer.close("inputs", ["onnxruntime-fp32"]))


def fill(settings: Settings, corpus: Corpus) -> None:
    """Put documents with the bytes of their files into the catalog of the settings."""
    blobs = Blobs(settings.data / "blobs")
    catalog = Catalog(settings.data / "catalog.db")
    for doc, texts in corpus:
        files = tuple(
            replace(f, sha256=blobs.put(["\n".join(texts[f.key]).encode()])[0])
            for f in doc.files
        )
        catalog.put(replace(doc, files=files))
        catalog.put_run(doc.source, now(), {"error": ""})
    overlay.write(catalog, settings.data, timedelta(days=1))
    catalog.close()
