"""The single truth of what exists: documents, files, access, failures and runs.

One SQLite file with one writer at a time. Every change is one transaction, so that a
process killed at any moment leaves whole documents only. Knows no source and no index.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dunegpt.errors import StorageError
from dunegpt.ingest.blobs import storage_errors
from dunegpt.types import Document, Failure, FileRef

SCHEMA = 1
"""Raised with every change of the tables; `Catalog` refuses any other."""

_meta = sa.MetaData()
_documents = sa.Table(
    "documents",
    _meta,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("first_seen", sa.String, nullable=False),
    sa.Column("changed_at", sa.String, nullable=False),
    sa.Column("hidden_at", sa.String),
)
_files = sa.Table(
    "files",
    _meta,
    sa.Column("document_id", sa.ForeignKey("documents.id"), primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
)
_tombstones = sa.Table(
    "tombstones",
    _meta,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("removed_at", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
)
_failures = sa.Table(
    "failures",
    _meta,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("stage", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("error", sa.String, nullable=False),
    sa.Column("message", sa.String, nullable=False),
    sa.Column("first_at", sa.String, nullable=False),
    sa.Column("last_at", sa.String, nullable=False),
)
_runs = sa.Table(
    "runs",
    _meta,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("finished_at", sa.String, nullable=False),
    sa.Column("good", sa.Boolean, nullable=False),
    sa.Column("record", sa.JSON, nullable=False),
)


def now() -> str:
    """Return the time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Catalog:
    """The catalog in one file, made when it is first opened for writing."""

    def __init__(self, path: Path) -> None:
        """Open or make the catalog.

        Raises:
            StorageError: Made by another version of the program, damaged, disk full.
        """
        with storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._engine = sa.create_engine(f"sqlite:///{path}")
        sa.event.listen(self._engine, "connect", _set_up_connection)
        with self._errors():
            self._check_schema()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _check_schema(self) -> None:
        with self._engine.begin() as db:
            found = db.execute(sa.text("pragma user_version")).scalar_one()
            if found not in {0, SCHEMA}:
                raise StorageError(
                    f"{self.path} has format {found}; this program reads {SCHEMA}.",
                    hint="Use the program version that made it, or another data_dir.",
                )
            _meta.create_all(db)
            db.execute(sa.text(f"pragma user_version = {SCHEMA}"))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise StorageError(
                f"The catalog {self.path} cannot be used: {error.orig}.",
                hint="Is the disk full, or the file damaged? A crawl makes a new one"
                " if you move it away.",
            ) from error

    @contextmanager
    def _change(self) -> Iterator[sa.Connection]:
        with self._errors(), self._engine.begin() as db:
            yield db

    @contextmanager
    def _look(self) -> Iterator[sa.Connection]:
        with self._errors(), self._engine.connect() as db:
            yield db

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
                return "unchanged"
            _replace(db, document, digest, is_new=known is None)
        return "changed" if known else "new"

    def ids(self, source: str) -> set[str]:
        """Return the ids of the documents of a source, hidden ones too."""
        with self._look() as db:
            rows = db.execute(
                sa.select(_documents.c.id).where(_documents.c.source == source)
            )
            return {row.id for row in rows}

    def documents(self) -> Iterator[Document]:
        """Yield all documents that are not hidden, in the order of their ids."""
        last, size = "", 500
        while True:
            with self._look() as db:
                rows = db.execute(
                    sa.select(_documents)
                    .where(_documents.c.id > last, _documents.c.hidden_at.is_(None))
                    .order_by(_documents.c.id)
                    .limit(size)
                ).all()
                files = _files_of(db, [row.id for row in rows])
            for row in rows:
                yield _document(row, files)
            if len(rows) < size:
                return
            last = rows[-1].id

    def hide(self, ids: set[str]) -> None:
        """Keep documents from all readers without forgetting them."""
        with self._change() as db:
            for document_id in ids:
                db.execute(
                    _documents.update()
                    .where(_documents.c.id == document_id)
                    .values(hidden_at=now())
                )

    def remove(self, ids: set[str], *, reason: str) -> None:
        """Forget documents that are gone at their source, leaving a tombstone."""
        with self._change() as db:
            for document_id in sorted(ids):
                source = db.execute(
                    sa.select(_documents.c.source).where(_documents.c.id == document_id)
                ).scalar_one()
                _clear_failures(db, document_id)
                db.execute(_files.delete().where(_files.c.document_id == document_id))
                db.execute(_documents.delete().where(_documents.c.id == document_id))
                db.execute(_tombstones.delete().where(_tombstones.c.id == document_id))
                db.execute(
                    _tombstones.insert().values(
                        id=document_id, source=source, removed_at=now(), reason=reason
                    )
                )

    # ── failures and runs ─────────────────────────────────────────────────────────

    def put_failure(self, source: str, failure: Failure) -> None:
        """Enter a failure in the ledger, or renew the one that is there."""
        key = (_failures.c.id == failure.id) & (_failures.c.stage == failure.stage)
        with self._change() as db:
            first = db.execute(sa.select(_failures.c.first_at).where(key)).scalar()
            db.execute(_failures.delete().where(key))
            db.execute(
                _failures.insert().values(
                    source=source,
                    first_at=first or now(),
                    last_at=now(),
                    **asdict(failure),
                )
            )

    def settle(self, source: str, stage: str, failed: set[str]) -> None:
        """Take failures of a stage that did not recur out of the ledger.

        Args:
            source: Whose failures; empty for all sources.
            stage: ``list``, ``fetch`` or ``extract``.
            failed: Ids that failed in the run that just ended; these stay.
        """
        with self._change() as db:
            where = _failures.c.stage == stage
            if source:
                where &= _failures.c.source == source
            known = set(db.execute(sa.select(_failures.c.id).where(where)).scalars())
            for stale in known - failed:
                db.execute(_failures.delete().where(where & (_failures.c.id == stale)))

    def failures(self) -> list[dict[str, str]]:
        """Return the ledger: id, stage, source, error, message, first_at, last_at."""
        with self._look() as db:
            rows = db.execute(
                sa.select(_failures).order_by(_failures.c.source, _failures.c.id)
            )
            return [dict(row._mapping) for row in rows]

    def put_run(self, source: str, started_at: str, record: dict[str, Any]) -> None:
        """Keep the record of a run; its key ``error`` is empty if it was good."""
        with self._change() as db:
            db.execute(
                _runs.insert().values(
                    source=source,
                    started_at=started_at,
                    finished_at=now(),
                    good=not record["error"],
                    record=record,
                )
            )

    def last_run(self, source: str, *, good: bool) -> dict[str, Any] | None:
        """Return the last run, or the last good one: its times and its record."""
        where = _runs.c.source == source
        if good:
            where &= _runs.c.good
        with self._look() as db:
            row = db.execute(
                sa.select(_runs).where(where).order_by(_runs.c.number.desc()).limit(1)
            ).first()
            return dict(row._mapping) if row else None

    def counts(self, source: str) -> dict[str, int]:
        """Return documents, hidden, files, fetched files and bytes of a source."""
        of_source = _documents.c.source == source
        size = sa.cast(_files.c.fields["size_bytes"].as_string(), sa.Integer)
        with self._look() as db:
            documents, hidden = db.execute(
                sa.select(sa.func.count(), sa.func.count(_documents.c.hidden_at)).where(
                    of_source
                )
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
            "files": files,
            "fetched": fetched,
            "bytes": total,
        }

    def sources(self) -> list[str]:
        """Return the names of the sources that have documents, failures or runs."""
        names = [sa.select(table.c.source) for table in (_documents, _failures, _runs)]
        with self._look() as db:
            return sorted(set(db.execute(sa.union(*names)).scalars()))


def _set_up_connection(connection: Any, _record: Any) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma busy_timeout = 10000")


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
        "hash": digest,
        "fields": _document_fields(document),
        "changed_at": now(),
        "hidden_at": None,
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
