"""The single truth of what exists: documents, their files, and who may read them.

One SQLite file with one writer at a time. Every change is one transaction, so that a
process killed at any moment leaves whole documents only. What is gone at its source is
hidden first and purged later. Knows no source and no index.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from dunegpt.ingest import tables
from dunegpt.ingest.items import Known
from dunegpt.ingest.ledger import Ledger, at_or_below, now
from dunegpt.types import Document, FileRef

__all__ = ["Catalog", "Hidden", "Observed", "now"]

_documents, _files, _tombstones = tables.documents, tables.files, tables.tombstones
_failures, _runs, _memory = tables.failures, tables.runs, tables.memory

FORGOTTEN = "forgotten by the operator"
"""Reason of the tombstones of documents that no crawl may bring back."""


class Hidden(StrEnum):
    """Why a document that is no longer shown is still kept."""

    GONE = "gone"
    """Gone at its source: purged after a while."""
    SUSPECT = "suspect"
    """Gone with suspiciously many others: kept until a person confirms."""
    KEPT = "kept"
    """Gone in a way that is often taken back: kept."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A document with what was observed of it.

    Attributes:
        observed_at: When it was last seen at its source, UTC.
        hidden: Why it is shown to nobody; empty if it is not hidden.
    """

    document: Document
    observed_at: str
    hidden: str


class Catalog(Ledger):
    """The catalog in one file, made when it is first opened for writing."""

    # ── documents ─────────────────────────────────────────────────────────────────

    def get(self, document_id: str) -> Document | None:
        """Return the document as last crawled, hidden or not, or None."""
        with self._look() as db:
            row = db.execute(
                sa.select(_documents).where(_documents.c.id == document_id)
            ).first()
            return _document(row, _files_of(db, [document_id])) if row else None

    def put(self, document: Document) -> str:
        """Store a document in the place of what was known of it.

        Returns:
            ``new``, ``changed`` or ``unchanged``.
        """
        digest = _hash(document)
        with self._change() as db:
            known = db.execute(
                sa.select(_documents.c.hash, _documents.c.hidden_at).where(
                    _documents.c.id == document.id
                )
            ).first()
            if known and known.hash == digest and known.hidden_at is None:
                db.execute(
                    _documents.update()
                    .where(_documents.c.id == document.id)
                    .values(observed_at=now())
                )
                return "unchanged"
            _replace(db, document, digest, is_new=known is None)
        return "changed" if known else "new"

    def touch(self, ids: Iterable[str]) -> int:
        """Note that documents were observed again as they are; count them."""
        count = 0
        with self._change() as db:
            for document_id in sorted(ids):
                done = db.execute(
                    _documents.update()
                    .where(_documents.c.id == document_id)
                    .where(_documents.c.hidden_at.is_(None))
                    .values(observed_at=now())
                )
                count += int(done.rowcount)
        return count

    def ids(self, source: str, holder: str = "") -> set[str]:
        """Return the ids of the documents of a source, hidden ones too.

        Args:
            source: Whose documents.
            holder: Only this document and those that it holds.
        """
        where = _documents.c.source == source
        if holder:
            where &= at_or_below(_documents.c.id, holder)
        with self._look() as db:
            return set(db.execute(sa.select(_documents.c.id).where(where)).scalars())

    def tops(self, source: str) -> dict[str, Known]:
        """Return the documents of a source that no other holds, gone ones left out."""
        day = _documents.c.fields["date"].as_string()
        where = (_documents.c.source == source) & (_documents.c.parent == "")
        where &= _documents.c.hidden_at.is_(None)
        with self._look() as db:
            rows = db.execute(
                sa.select(_documents.c.id, day, _documents.c.observed_at).where(where)
            )
            return {
                number: Known(date.fromisoformat(text) if text else None, seen)
                for number, text, seen in rows
            }

    def documents(self) -> Iterator[Document]:
        """Yield all documents that are not hidden, in the order of their ids."""
        return (each.document for each in self.observed() if not each.hidden)

    def observed(self, document_id: str = "") -> Iterator[Observed]:
        """Yield documents, hidden ones too, in the order of their ids.

        Args:
            document_id: Only this one, its versions, and those that it holds.
        """
        last, size = "", 500
        while True:
            where = _documents.c.id > last
            if document_id:
                where &= at_or_below(_documents.c.id, document_id)
            with self._look() as db:
                rows = db.execute(
                    sa.select(_documents)
                    .where(where)
                    .order_by(_documents.c.id)
                    .limit(size)
                ).all()
                files = _files_of(db, [row.id for row in rows])
            for row in rows:
                why = row.hidden_why or "hidden" if row.hidden_at else ""
                yield Observed(_document(row, files), row.observed_at, why)
            if len(rows) < size:
                return
            last = rows[-1].id

    def with_checksum(self, checksum: str, size_bytes: int | None) -> str:
        """Return the sha256 of a file that was fetched with this checksum, or empty."""
        size = _files.c.fields["size_bytes"].as_integer()
        where = (_files.c.checksum == checksum) & (_files.c.sha256 != "")
        where &= size == size_bytes
        with self._look() as db:
            found = db.execute(sa.select(_files.c.sha256).where(where).limit(1))
            return found.scalar() or ""

    def sha256s(self) -> set[str]:
        """Return the hashes of all bytes that some document still has."""
        with self._look() as db:
            return set(db.execute(sa.select(_files.c.sha256).distinct()).scalars())

    # ── what is gone ──────────────────────────────────────────────────────────────

    def hide(
        self, ids: Iterable[str], *, why: str = "", state: Hidden = Hidden.SUSPECT
    ) -> int:
        """Keep documents from all readers without forgetting them; count the new ones.

        One that is hidden already stays as it is; only what was kept may be gone now.
        """
        count = 0
        open_: sa.ColumnElement[bool] = _documents.c.hidden_at.is_(None)
        if state is not Hidden.KEPT:
            open_ |= _documents.c.hidden_state == Hidden.KEPT.value
        with self._change() as db:
            for document_id in ids:
                done = db.execute(
                    _documents.update()
                    .where(_documents.c.id == document_id)
                    .where(open_)
                    .values(hidden_at=now(), hidden_why=why, hidden_state=state.value)
                )
                count += int(done.rowcount)
        return count

    def superseded(self, source: str, by: Collection[str]) -> set[str]:
        """Return the ids that some documents of a source supersede, hidden ones not.

        Args:
            source: Whose documents.
            by: Only what one of these supersedes.
        """
        older = _documents.c.fields["supersedes"].as_string()
        where = (_documents.c.source == source) & _documents.c.hidden_at.is_(None)
        with self._look() as db:
            rows = db.execute(
                sa.select(_documents.c.id, older).where(where, older != "")
            )
            return {old for new, old in rows if new in by}

    def hidden(self, source: str, state: Hidden) -> set[str]:
        """Return the ids of a source's documents that are hidden for one reason."""
        where = (_documents.c.source == source) & _documents.c.hidden_at.is_not(None)
        where &= _documents.c.hidden_state == state.value
        with self._look() as db:
            return set(db.execute(sa.select(_documents.c.id).where(where)).scalars())

    def confirm_hidden(self, source: str) -> int:
        """Take all suspects of a source for gone; count them."""
        where = (_documents.c.source == source) & _documents.c.hidden_at.is_not(None)
        where &= _documents.c.hidden_state == Hidden.SUSPECT.value
        with self._change() as db:
            done = db.execute(
                _documents.update().where(where).values(hidden_state=Hidden.GONE.value)
            )
            return int(done.rowcount)

    def remove_gone(self, source: str, before: str) -> int:
        """Forget what has been gone since before a time; count the documents."""
        where = (_documents.c.source == source) & (_documents.c.hidden_at <= before)
        where &= _documents.c.hidden_state == Hidden.GONE.value
        with self._look() as db:
            rows = db.execute(
                sa.select(_documents.c.id, _documents.c.hidden_why).where(where)
            ).all()
        for row in rows:
            self.remove({row.id}, reason=row.hidden_why or "gone at the source")
        return len(rows)

    def drop_closed_bytes(self, source: str, before: str) -> None:
        """Let go of the bytes of files that have been closed to all since a time.

        The files stay listed; what no document has any more is an orphan.
        """
        of_source = sa.select(_documents.c.id).where(
            _documents.c.source == source, _documents.c.changed_at <= before
        )
        closed = _files.c.fields["access"].as_string() == "[]"
        with self._change() as db:
            db.execute(
                _files.update()
                .where(_files.c.document_id.in_(of_source), closed)
                .values(sha256="")
            )

    def count_tops(self, source: str, state: Hidden) -> tuple[int, int]:
        """Return how many documents no other holds, and how many of them are hidden so.

        Those hidden for another reason are not counted.
        """
        hidden = _documents.c.hidden_state
        where = (_documents.c.source == source) & (_documents.c.parent == "")
        where &= hidden.in_(["", state.value])
        with self._look() as db:
            total, lost = db.execute(
                sa.select(
                    sa.func.count(), sa.func.count(sa.func.nullif(hidden, ""))
                ).where(where)
            ).one()
            return int(total), int(lost)

    def remove(self, ids: set[str], *, reason: str) -> None:
        """Forget documents, leaving a tombstone of each."""
        with self._change() as db:
            for document_id in sorted(ids):
                source = db.execute(
                    sa.select(_documents.c.source).where(_documents.c.id == document_id)
                ).scalar_one()
                _clear_failures(db, document_id)
                db.execute(_files.delete().where(_files.c.document_id == document_id))
                db.execute(_documents.delete().where(_documents.c.id == document_id))
                _bury(db, document_id, source, reason)

    def bury(self, document_id: str, source: str) -> None:
        """Note that a document, and what it holds, may not be taken in again."""
        with self._change() as db:
            _clear_failures(db, document_id)
            _bury(db, document_id, source, FORGOTTEN)

    def dig_up(self, document_id: str) -> bool:
        """Let crawls take a forgotten document and its parts; tell if it was one."""
        where = at_or_below(_tombstones.c.id, document_id)
        where &= _tombstones.c.reason == FORGOTTEN
        with self._change() as db:
            return bool(db.execute(_tombstones.delete().where(where)).rowcount)

    def forgotten(self) -> set[str]:
        """Return the ids that no crawl may bring back."""
        where = _tombstones.c.reason == FORGOTTEN
        with self._look() as db:
            return set(db.execute(sa.select(_tombstones.c.id).where(where)).scalars())

    # ── counts ────────────────────────────────────────────────────────────────────

    def counts(self, source: str) -> dict[str, int]:
        """Return what is there of a source.

        Returns:
            Documents (all versions), hidden ones, those that nobody may read, files,
            fetched files, and bytes.
        """
        of_source = _documents.c.source == source
        size = sa.cast(_files.c.fields["size_bytes"].as_string(), sa.Integer)
        closed = _documents.c.fields["access"].as_string() == "[]"
        with self._look() as db:
            documents, hidden, nobody = db.execute(
                sa.select(
                    sa.func.count(),
                    sa.func.count(_documents.c.hidden_at),
                    sa.func.coalesce(
                        sa.func.sum(
                            sa.cast(
                                closed & _documents.c.hidden_at.is_(None), sa.Integer
                            )
                        ),
                        0,
                    ),
                ).where(of_source)
            ).one()
            files, fetched, total = db.execute(
                sa.select(
                    sa.func.count(),
                    sa.func.count(sa.func.nullif(_files.c.sha256, "")),
                    sa.func.coalesce(sa.func.sum(size), 0),
                )
                .join(_documents, _files.c.document_id == _documents.c.id)
                .where(of_source)
            ).one()
        return {
            "documents": documents,
            "hidden": hidden,
            "nobody": nobody,
            "files": files,
            "fetched": fetched,
            "bytes": total,
        }

    def sources(self) -> list[str]:
        """Return the names of the sources that have documents, failures or runs."""
        names = [sa.select(table.c.source) for table in (_documents, _failures, _runs)]
        with self._look() as db:
            return sorted(set(db.execute(sa.union(*names)).scalars()))


def _document_fields(document: Document) -> dict[str, Any]:
    fields = asdict(document)
    del fields["files"], fields["id"], fields["source"]
    fields["access"] = sorted(document.access)
    fields["date"] = document.date.isoformat() if document.date else None
    return fields


def _file_fields(file: FileRef) -> dict[str, Any]:
    fields = asdict(file)
    del fields["body"], fields["key"], fields["sha256"]
    fields["access"] = sorted(file.access)
    return fields


def _hash(document: Document) -> str:
    """Return a hash over all that is stored of a document."""
    files = [[f.key, f.sha256, _file_fields(f)] for f in document.files]
    content = [document.source, _document_fields(document), files]
    canonical = json.dumps(content, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _replace(
    db: sa.Connection, document: Document, digest: str, *, is_new: bool
) -> None:
    values = {
        "source": document.source,
        "parent": document.parent,
        "hash": digest,
        "fields": _document_fields(document),
        "changed_at": now(),
        "observed_at": now(),
        "hidden_at": None,
        "hidden_why": "",
        "hidden_state": "",
    }
    if is_new:
        db.execute(
            _documents.insert().values(id=document.id, first_seen=now(), **values)
        )
        db.execute(_tombstones.delete().where(_tombstones.c.id == document.id))
    else:
        db.execute(
            _documents.update().where(_documents.c.id == document.id).values(values)
        )
    db.execute(_files.delete().where(_files.c.document_id == document.id))
    for position, file in enumerate(document.files):
        db.execute(
            _files.insert().values(
                document_id=document.id,
                key=file.key,
                position=position,
                fields=_file_fields(file),
                sha256=file.sha256,
                checksum=file.checksum,
            )
        )


def _bury(db: sa.Connection, document_id: str, source: str, reason: str) -> None:
    db.execute(_tombstones.delete().where(_tombstones.c.id == document_id))
    db.execute(
        _tombstones.insert().values(
            id=document_id, source=source, removed_at=now(), reason=reason
        )
    )


def _clear_failures(db: sa.Connection, document_id: str) -> None:
    """Take a document's failures, and those of its files, out of the ledger."""
    own = _failures.c.id == document_id
    of_files = _failures.c.id.startswith(document_id + "#", autoescape=True)
    db.execute(_failures.delete().where(own | of_files))


def _files_of(db: sa.Connection, ids: list[str]) -> dict[str, list[FileRef]]:
    rows = db.execute(
        sa.select(_files)
        .where(_files.c.document_id.in_(ids))
        .order_by(_files.c.document_id, _files.c.position)
    )
    found: dict[str, list[FileRef]] = {}
    for row in rows:
        fields = {**row.fields, "access": frozenset(row.fields["access"])}
        file = FileRef(key=row.key, sha256=row.sha256, **fields)
        found.setdefault(row.document_id, []).append(file)
    return found


def _document(row: sa.Row[Any], files: dict[str, list[FileRef]]) -> Document:
    fields = dict(row.fields)
    fields["access"] = frozenset(fields["access"])
    fields["authors"] = tuple(fields["authors"])
    fields["date"] = date.fromisoformat(fields["date"]) if fields["date"] else None
    document = Document(id=row.id, source=row.source, **fields)
    return replace(document, files=tuple(files.get(row.id, ())))
