"""The documents of the catalog and their files: stored, observed again, counted."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from dunegpt.ingest.catalog import connection, schema
from dunegpt.ingest.catalog.connection import CatalogFile, subtree_condition
from dunegpt.ingest.items import KnownDocument
from dunegpt.types import Document, FileRef

_documents, _files = schema.documents, schema.files


@dataclass(frozen=True, slots=True)
class ObservedDocument:
    """A document with the result of the last crawl.

    Attributes:
        observed_at: When it was last seen at its source, UTC.
        hidden: Why it is hidden from all readers; empty if it is not.
    """

    document: Document
    observed_at: str
    hidden: str


class DocumentTable(CatalogFile):
    """The tables of documents and files."""

    def get(self, document_id: str) -> Document | None:
        """Return the document as last crawled, hidden or not, or None."""
        with self._read_connection() as db:
            row = db.execute(
                sa.select(_documents).where(_documents.c.id == document_id)
            ).first()
            return _build_document(row, _load_files(db, [document_id])) if row else None

    def put(self, document: Document) -> str:
        """Store a document; replace its earlier state.

        Returns:
            ``new``, ``changed`` or ``unchanged``.
        """
        digest = _hash_document(document)
        with self._write_transaction() as db:
            known = db.execute(
                sa.select(_documents.c.hash, _documents.c.hidden_at).where(
                    _documents.c.id == document.id
                )
            ).first()
            if known and known.hash == digest and known.hidden_at is None:
                db.execute(
                    _documents.update()
                    .where(_documents.c.id == document.id)
                    .values(observed_at=connection.now())
                )
                return "unchanged"
            _replace_document(db, document, digest, is_new=known is None)
        return "changed" if known else "new"

    def get_observed_at(self, document_id: str) -> datetime | None:
        """Return when a document was last seen; None if it is hidden or unknown."""
        where = (_documents.c.id == document_id) & _documents.c.hidden_at.is_(None)
        with self._read_connection() as db:
            seen = db.execute(sa.select(_documents.c.observed_at).where(where)).scalar()
        return datetime.fromisoformat(seen) if seen else None

    def mark_seen(self, ids: Iterable[str]) -> int:
        """Record that documents were seen again unchanged; return their number."""
        count = 0
        with self._write_transaction() as db:
            for document_id in sorted(ids):
                done = db.execute(
                    _documents.update()
                    .where(_documents.c.id == document_id)
                    .where(_documents.c.hidden_at.is_(None))
                    .values(observed_at=connection.now())
                )
                count += int(done.rowcount)
        return count

    def ids(self, source: str, holder: str = "") -> set[str]:
        """Return the ids of the documents of a source, including hidden ones.

        Args:
            source: Name of the source.
            holder: Only this document and those below it.
        """
        where = _documents.c.source == source
        if holder:
            where &= subtree_condition(_documents.c.id, holder)
        with self._read_connection() as db:
            return set(db.execute(sa.select(_documents.c.id).where(where)).scalars())

    def top_documents(self, source: str) -> dict[str, KnownDocument]:
        """Return the documents of a source without a parent, except hidden ones."""
        day = _documents.c.fields["date"].as_string()
        where = (_documents.c.source == source) & (_documents.c.parent == "")
        where &= _documents.c.hidden_at.is_(None)
        with self._read_connection() as db:
            rows = db.execute(
                sa.select(_documents.c.id, day, _documents.c.observed_at).where(where)
            )
            return {
                number: KnownDocument(date.fromisoformat(text) if text else None, seen)
                for number, text, seen in rows
            }

    def iter_documents(self) -> Iterator[Document]:
        """Yield all documents that are not hidden, in the order of their ids."""
        return (each.document for each in self.iter_observed() if not each.hidden)

    def iter_observed(self, document_id: str = "") -> Iterator[ObservedDocument]:
        """Yield documents in the order of their ids, including hidden ones.

        Args:
            document_id: Only this one and those below it.
        """
        last, size = "", 500
        while True:
            where = _documents.c.id > last
            if document_id:
                where &= subtree_condition(_documents.c.id, document_id)
            with self._read_connection() as db:
                rows = db.execute(
                    sa.select(_documents)
                    .where(where)
                    .order_by(_documents.c.id)
                    .limit(size)
                ).all()
                files = _load_files(db, [row.id for row in rows])
            with self._convert_errors():
                page = [_build_observed(row, files) for row in rows]
            yield from page
            if len(rows) < size:
                return
            last = rows[-1].id

    def find_sha256(self, checksum: str, size_bytes: int | None) -> str:
        """Return the sha256 of a file that was fetched with this checksum, or empty."""
        size = _files.c.fields["size_bytes"].as_integer()
        where = (_files.c.checksum == checksum) & (_files.c.sha256 != "")
        where &= size == size_bytes
        with self._read_connection() as db:
            found = db.execute(sa.select(_files.c.sha256).where(where).limit(1))
            return found.scalar() or ""

    def get_statistics(self, source: str) -> dict[str, int]:
        """Return the counts of a source.

        Returns:
            Documents (all versions), hidden ones, those that nobody may read, files,
            fetched files, and bytes.
        """
        of_source = _documents.c.source == source
        size = sa.cast(_files.c.fields["size_bytes"].as_string(), sa.Integer)
        closed = _documents.c.fields["access"].as_string() == "[]"
        with self._read_connection() as db:
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


def _serialize_document(document: Document) -> dict[str, Any]:
    fields = asdict(document)
    del fields["files"], fields["id"], fields["source"]
    fields["access"] = sorted(document.access)
    fields["date"] = document.date.isoformat() if document.date else None
    return fields


def _serialize_file(file: FileRef) -> dict[str, Any]:
    fields = asdict(file)
    del fields["body"], fields["key"], fields["sha256"]
    fields["access"] = sorted(file.access)
    return fields


def _hash_document(document: Document) -> str:
    """Return a hash over all that is stored of a document."""
    files = [[f.key, f.sha256, _serialize_file(f)] for f in document.files]
    content = [document.source, _serialize_document(document), files]
    canonical = json.dumps(content, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _replace_document(
    db: sa.Connection, document: Document, digest: str, *, is_new: bool
) -> None:
    values = {
        "source": document.source,
        "parent": document.parent,
        "hash": digest,
        "fields": _serialize_document(document),
        "changed_at": connection.now(),
        "observed_at": connection.now(),
        "hidden_at": None,
        "hidden_why": "",
        "hidden_state": "",
    }
    if is_new:
        db.execute(
            _documents.insert().values(
                id=document.id, first_seen=connection.now(), **values
            )
        )
        db.execute(
            schema.tombstones.delete().where(schema.tombstones.c.id == document.id)
        )
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
                fields=_serialize_file(file),
                sha256=file.sha256,
                checksum=file.checksum,
            )
        )


def _load_files(db: sa.Connection, ids: list[str]) -> dict[str, list[FileRef]]:
    rows = db.execute(
        sa.select(_files)
        .where(_files.c.document_id.in_(ids))
        .order_by(_files.c.document_id, _files.c.position)
    )
    found: dict[str, list[FileRef]] = {}
    for row in rows:
        with _damage_as_value_error(row.document_id):
            fields = {**row.fields, "access": frozenset(row.fields["access"])}
            file = FileRef(key=row.key, sha256=row.sha256, **fields)
        found.setdefault(row.document_id, []).append(file)
    return found


def _build_observed(
    row: sa.Row[Any], files: dict[str, list[FileRef]]
) -> ObservedDocument:
    why = row.hidden_why or "hidden" if row.hidden_at else ""
    return ObservedDocument(_build_document(row, files), row.observed_at, why)


def _build_document(row: sa.Row[Any], files: dict[str, list[FileRef]]) -> Document:
    with _damage_as_value_error(row.id):
        fields = dict(row.fields)
        fields["access"] = frozenset(fields["access"])
        fields["authors"] = tuple(fields["authors"])
        fields["date"] = date.fromisoformat(fields["date"]) if fields["date"] else None
        document = Document(id=row.id, source=row.source, **fields)
        return replace(document, files=tuple(files.get(row.id, ())))


@contextmanager
def _damage_as_value_error(document_id: str) -> Iterator[None]:
    """Raise a ValueError for whatever a damaged record leads to."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"the record of {document_id} is damaged: {error}") from error
