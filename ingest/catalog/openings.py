"""Openings: documents for more readers than a trusted run found, until confirmed.

A run stores for each document whose access changes the access that was trusted before
it, and the access that the source shows now. The catalog itself shows readers no more
than both allow, until a run ends without an alarm. Does not decide what is suspicious.
"""

from collections import Counter
from dataclasses import dataclass, replace

import sqlalchemy as sa

from dunegpt.access import NOBODY, PUBLIC, Access, intersect_access
from dunegpt.ingest.catalog import schema
from dunegpt.ingest.catalog.connection import CatalogFile
from dunegpt.ingest.catalog.documents import DocumentTable
from dunegpt.types import Document

_openings, _documents = schema.openings, schema.documents

AccessByKey = dict[str, Access]
"""Access of a document, under the key ``""``, and of its files, under theirs."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A document whose access is not confirmed by a run without an alarm.

    Attributes:
        trusted: Effective access before the run; None for a new document.
        wanted: Access of the document, and each file's own, as the source shows it.
    """

    document_id: str
    trusted: AccessByKey | None
    wanted: AccessByKey

    @property
    def gained(self) -> Access:
        """Principals that may read the document or one of its files only by now."""
        if self.trusted is None:
            return NOBODY
        return frozenset().union(
            *(
                _subtract_access(
                    intersect_access(self.wanted[""], access),
                    self.trusted.get(key, self.trusted[""]),
                )
                for key, access in self.wanted.items()
            )
        )

    @property
    def is_held(self) -> bool:
        """Whether somebody would gain access by it, or it has a new file."""
        return self.trusted is None or bool(self.gained) or bool(self.new_files)

    @property
    def new_files(self) -> list[str]:
        """Keys of the files that somebody may read and that were not there before."""
        return [
            key
            for key, access in self.wanted.items()
            if self.trusted is not None
            and key not in self.trusted
            and intersect_access(self.wanted[""], access)
        ]


def get_effective_access(document: Document) -> AccessByKey:
    """Return who may read a document and each of its files."""
    return {"": document.access} | {
        file.key: intersect_access(document.access, file.access)
        for file in document.files
    }


def restrict_document(document: Document, trusted: AccessByKey) -> Document:
    """Return a document with no more readers than the trusted access names.

    A file that is not in it is new, and has none.
    """
    return replace(
        document,
        access=intersect_access(document.access, trusted[""]),
        files=tuple(
            replace(
                file,
                access=intersect_access(file.access, trusted.get(file.key, NOBODY)),
            )
            for file in document.files
        ),
    )


class OpeningTable(CatalogFile):
    """The table of openings."""

    def get_opening(self, document_id: str) -> Opening | None:
        """Return the opening of a document, or None."""
        where = _openings.c.document_id == document_id
        with self._read_connection() as db:
            row = db.execute(sa.select(_openings).where(where)).first()
        return _build_opening(row) if row else None

    def list_openings(self, source: str) -> list[Opening]:
        """Return the openings of a source's visible documents, ordered by their ids."""
        where = (_openings.c.source == source) & _documents.c.hidden_at.is_(None)
        with self._read_connection() as db:
            rows = db.execute(
                sa.select(_openings)
                .join(_documents, _documents.c.id == _openings.c.document_id)
                .where(where)
                .order_by(_openings.c.document_id)
            ).all()
        return [_build_opening(row) for row in rows]

    def put_opening(self, source: str, opening: Opening) -> None:
        """Store an opening; replace an earlier one of the document."""
        where = _openings.c.document_id == opening.document_id
        values = {
            "trusted": None if opening.trusted is None else _pack(opening.trusted),
            "wanted": _pack(opening.wanted),
        }
        with self._write_transaction() as db:
            db.execute(_openings.delete().where(where))
            db.execute(
                _openings.insert().values(
                    document_id=opening.document_id, source=source, **values
                )
            )

    def delete_opening(self, document_id: str) -> None:
        """Delete the opening of a document, if there is one."""
        with self._write_transaction() as db:
            db.execute(_openings.delete().where(_openings.c.document_id == document_id))

    def delete_openings(self, source: str) -> None:
        """Delete all openings of a source."""
        with self._write_transaction() as db:
            db.execute(_openings.delete().where(_openings.c.source == source))

    def has_reader(self, source: str, principal: str) -> bool:
        """Return whether some document of a source is for a principal for sure.

        Documents with an opening do not count.
        """
        readers = _documents.c.fields["access"].as_string()
        with self._read_connection() as db:
            found = db.execute(
                sa.select(_documents.c.id)
                .outerjoin(_openings, _openings.c.document_id == _documents.c.id)
                .where(_documents.c.source == source)
                .where(_openings.c.document_id.is_(None))
                .where(readers.contains(f'"{principal}"', autoescape=True))
                .limit(1)
            )
            return found.first() is not None


class AccessTable(DocumentTable, OpeningTable):
    """Documents, with the access that is held back."""

    def put_restricted(self, opening: Opening) -> None:
        """Store a document with its trusted access only; a new one for nobody."""
        if document := self._get_visible(opening.document_id):
            trusted = {"": NOBODY} if opening.trusted is None else opening.trusted
            self.put(restrict_document(document, trusted))

    def put_wanted(self, opening: Opening) -> None:
        """Store a document with the access that its source shows."""
        if document := self._get_visible(opening.document_id):
            wanted = opening.wanted
            files = tuple(
                replace(file, access=wanted.get(file.key, file.access))
                for file in document.files
            )
            self.put(replace(document, access=wanted[""], files=files))

    def _get_visible(self, document_id: str) -> Document | None:
        """Return a document, or None if it is hidden: storing it would show it."""
        where = (_documents.c.id == document_id) & _documents.c.hidden_at.is_(None)
        with self._read_connection() as db:
            is_visible = db.execute(sa.select(_documents.c.id).where(where)).first()
        return self.get(document_id) if is_visible else None


def count_gains(openings: list[Opening]) -> Counter[str]:
    """Return for each principal the number of documents that would open to it."""
    return Counter(name for opening in openings for name in opening.gained)


def _subtract_access(access: Access, less: Access) -> Access:
    """Return the principals of an access set that another one does not cover."""
    return NOBODY if PUBLIC in less else access - less


def _pack(access: AccessByKey) -> dict[str, list[str]]:
    return {key: sorted(names) for key, names in access.items()}


def _build_opening(row: sa.Row[tuple[object, ...]]) -> Opening:
    trusted, wanted = (
        None if packed is None else {k: frozenset(v) for k, v in packed.items()}
        for packed in (row.trusted, row.wanted)
    )
    return Opening(row.document_id, trusted, wanted or {"": NOBODY})
