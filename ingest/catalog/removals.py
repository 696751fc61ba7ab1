"""Documents that are gone: hidden first, removed later, or forgotten for good."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from dunegpt.datadir import DataDir
from dunegpt.ingest.catalog import connection, schema
from dunegpt.ingest.catalog.connection import (
    CatalogFile,
    is_in_subtree,
    subtree_condition,
)
from dunegpt.ingest.catalog.forgotten import (
    ForgottenDocument,
    add_forgotten,
    read_forgotten,
    remove_forgotten,
)

_documents, _files = schema.documents, schema.files
_tombstones, _failures = schema.tombstones, schema.failures

FORGOTTEN_REASON = "forgotten by the operator"
"""Reason of the tombstones of documents that no crawl may bring back."""


class HiddenState(StrEnum):
    """Why a document that is no longer shown is still kept."""

    GONE = "gone"
    """Gone at its source: purged after a while."""
    SUSPECT = "suspect"
    """Gone with suspiciously many others: kept until a person confirms."""
    KEPT = "kept"
    """Gone in a way that is often taken back: kept."""


class RemovalTable(CatalogFile):
    """The hidden documents, and the tombstones of the removed ones."""

    def hide(
        self,
        ids: Iterable[str],
        *,
        why: str = "",
        state: HiddenState = HiddenState.SUSPECT,
    ) -> int:
        """Hide documents from all readers without removing them; count the new ones.

        One that is already hidden stays as it is, except that a kept one may become
        gone or suspect.
        """
        count = 0
        open_: sa.ColumnElement[bool] = _documents.c.hidden_at.is_(None)
        if state is not HiddenState.KEPT:
            open_ |= _documents.c.hidden_state == HiddenState.KEPT.value
        with self._write_transaction() as db:
            for document_id in ids:
                done = db.execute(
                    _documents.update()
                    .where(_documents.c.id == document_id)
                    .where(open_)
                    .values(
                        hidden_at=connection.now(),
                        hidden_why=why,
                        hidden_state=state.value,
                    )
                )
                count += int(done.rowcount)
        return count

    def superseded_ids(self, source: str, by: Collection[str]) -> set[str]:
        """Return the ids that visible documents of a source supersede.

        Args:
            source: Name of the source.
            by: Only ids that one of these documents supersedes.
        """
        older = _documents.c.fields["supersedes"].as_string()
        where = (_documents.c.source == source) & _documents.c.hidden_at.is_(None)
        with self._read_connection() as db:
            rows = db.execute(
                sa.select(_documents.c.id, older).where(where, older != "")
            )
            return {old for new, old in rows if new in by}

    def hidden_ids(self, source: str, state: HiddenState) -> set[str]:
        """Return the ids of a source's documents that are hidden for one reason."""
        where = (_documents.c.source == source) & _documents.c.hidden_at.is_not(None)
        where &= _documents.c.hidden_state == state.value
        with self._read_connection() as db:
            return set(db.execute(sa.select(_documents.c.id).where(where)).scalars())

    def confirm_hidden(self, source: str) -> int:
        """Mark all suspect documents of a source as gone; count them."""
        where = (_documents.c.source == source) & _documents.c.hidden_at.is_not(None)
        where &= _documents.c.hidden_state == HiddenState.SUSPECT.value
        with self._write_transaction() as db:
            done = db.execute(
                _documents.update()
                .where(where)
                .values(hidden_state=HiddenState.GONE.value)
            )
            return int(done.rowcount)

    def remove_gone(self, source: str, before: str) -> int:
        """Remove documents that were hidden as gone before a time; count them."""
        where = (_documents.c.source == source) & (_documents.c.hidden_at <= before)
        where &= _documents.c.hidden_state == HiddenState.GONE.value
        with self._read_connection() as db:
            rows = db.execute(
                sa.select(_documents.c.id, _documents.c.hidden_why).where(where)
            ).all()
        for row in rows:
            self.remove({row.id}, reason=row.hidden_why or "gone at the source")
        return len(rows)

    def release_closed_files(self, source: str, before: str) -> None:
        """Release the bytes of files that nobody has been able to read since a time.

        The files stay listed; bytes that no document uses any more are orphans.
        """
        of_source = sa.select(_documents.c.id).where(
            _documents.c.source == source, _documents.c.changed_at <= before
        )
        closed = _files.c.fields["access"].as_string() == "[]"
        with self._write_transaction() as db:
            db.execute(
                _files.update()
                .where(_files.c.document_id.in_(of_source), closed)
                .values(sha256="")
            )

    def count_top_documents(self, source: str, state: HiddenState) -> tuple[int, int]:
        """Count the documents without a parent, and those of them in a hidden state.

        Documents in another hidden state are not counted.
        """
        hidden = _documents.c.hidden_state
        where = (_documents.c.source == source) & (_documents.c.parent == "")
        where &= hidden.in_(["", state.value])
        with self._read_connection() as db:
            total, lost = db.execute(
                sa.select(
                    sa.func.count(), sa.func.count(sa.func.nullif(hidden, ""))
                ).where(where)
            ).one()
            return int(total), int(lost)

    def remove(self, ids: set[str], *, reason: str) -> None:
        """Remove documents, leaving a tombstone for each."""
        with self._write_transaction() as db:
            for document_id in sorted(ids):
                source = db.execute(
                    sa.select(_documents.c.source).where(_documents.c.id == document_id)
                ).scalar_one()
                _clear_records(db, document_id)
                db.execute(_files.delete().where(_files.c.document_id == document_id))
                db.execute(_documents.delete().where(_documents.c.id == document_id))
                _insert_tombstone(db, document_id, source, reason)

    def add_tombstone(self, document_id: str, source: str) -> None:
        """Record that a document, and all below it, must not be stored again.

        Raises:
            StorageError: The list of forgotten documents is damaged.
        """
        forgotten = ForgottenDocument(document_id, source, connection.now())
        add_forgotten(self._forgotten_list, [forgotten])
        with self._write_transaction() as db:
            _clear_records(db, document_id)
            _insert_tombstone(db, document_id, source, FORGOTTEN_REASON)

    def remove_tombstone(self, document_id: str) -> bool:
        """Allow a forgotten document again; return whether it was forgotten.

        Raises:
            StorageError: The list of forgotten documents is damaged.
        """
        where = subtree_condition(_tombstones.c.id, document_id)
        where &= _tombstones.c.reason == FORGOTTEN_REASON
        listed = [
            i
            for i in read_forgotten(self._forgotten_list)
            if is_in_subtree(i, document_id)
        ]
        with self._write_transaction() as db:
            in_catalog = db.execute(_tombstones.delete().where(where)).rowcount
        return remove_forgotten(self._forgotten_list, listed) or bool(in_catalog)

    def forgotten_ids(self) -> set[str]:
        """Return the ids that no crawl may store again.

        Raises:
            StorageError: The list of forgotten documents is damaged.
        """
        return {each.id for each in self._read_own_forgotten()} | set(
            read_forgotten(self._forgotten_list)
        )

    def save_forgotten(self) -> None:
        """Add to the list what only this catalog knows to be forgotten.

        Catalogs of older program versions have no list beside them.

        Raises:
            StorageError: The list of forgotten documents is damaged.
        """
        add_forgotten(self._forgotten_list, self._read_own_forgotten())

    @property
    def _forgotten_list(self) -> Path:
        return DataDir(self.path.parent).forgotten

    def _read_own_forgotten(self) -> list[ForgottenDocument]:
        """Return the forgotten documents that this catalog knows."""
        where = _tombstones.c.reason == FORGOTTEN_REASON
        columns = _tombstones.c.id, _tombstones.c.source, _tombstones.c.removed_at
        with self._read_connection() as db:
            rows = db.execute(sa.select(*columns).where(where)).all()
        return [ForgottenDocument(*row) for row in rows]


def _insert_tombstone(
    db: sa.Connection, document_id: str, source: str, reason: str
) -> None:
    db.execute(_tombstones.delete().where(_tombstones.c.id == document_id))
    db.execute(
        _tombstones.insert().values(
            id=document_id, source=source, removed_at=connection.now(), reason=reason
        )
    )


def _clear_records(db: sa.Connection, document_id: str) -> None:
    """Delete a document's opening, and the failures of it and its files."""
    opening = schema.openings.c.document_id == document_id
    db.execute(schema.openings.delete().where(opening))
    own = _failures.c.id == document_id
    of_files = _failures.c.id.startswith(document_id + "#", autoescape=True)
    db.execute(_failures.delete().where(own | of_files))
