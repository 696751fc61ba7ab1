"""Writes the document store of a snapshot, from scratch or as a changed copy.

Numbers are never reused: a changed document gets a new number, and its old rows stay in
place as dead rows with an empty access set. Does not depend on texts.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dunegpt.access import NOBODY, Access
from dunegpt.types import Document, FileRef

_TABLES = """
create table access (number integer primary key, principals text not null);
create table documents (
  number integer primary key, id text not null unique, source text not null,
  day text, access integer not null, fields text not null,
  supersedes text not null, stamp text not null, digest text not null,
  first_row integer not null, rows integer not null);
create table dead (
  id text not null, first_row integer not null, rows integer not null,
  since text not null);
create table authors (name text not null, document integer not null);
create table identifiers (name text not null, document integer not null);
create table files (
  number integer primary key, document integer not null, key text not null,
  access integer not null, fields text not null);
create table counters (name text primary key, value integer not null);
create index by_identifier on identifiers (name);
create index by_file on files (document);
create index by_author on authors (document);
create index by_named on identifiers (document);
create index by_older on documents (supersedes);
"""
_OMITTED_FIELDS = ("body", "access", "key", "sha256", "evidence")


@dataclass(frozen=True, slots=True)
class ExistingDocument:
    """A document that is already in a store.

    Attributes:
        stamp: Hash of the inputs that it was written from.
    """

    number: int
    stamp: str
    first_row: int
    rows: int


class DocumentStoreWriter:
    """Writes the document store of a new snapshot."""

    def __init__(self, path: Path, base: Path | None = None) -> None:
        """Create the store.

        Args:
            path: File to write.
            base: Existing store to start from, as a copy.
        """
        if base is not None:
            shutil.copyfile(base, path)
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            " pragma secure_delete = on;"
        )
        if base is None:
            self._db.executescript(_TABLES)
        self._access: dict[Access, int] = {
            frozenset(json.loads(principals)): number
            for number, principals in self._db.execute("select * from access")
        }
        self.add_access(NOBODY)
        counters = dict(self._db.execute("select name, value from counters"))
        self.documents = int(counters.get("documents", 0))
        self.files = int(counters.get("files", 0))

    def add_access(self, access: Access) -> int:
        """Return the number of an access set, adding it if new; 0 is the empty set."""
        if access not in self._access:
            self._access[access] = len(self._access)
            row = (self._access[access], json.dumps(sorted(access)))
            self._db.execute("insert into access values (?, ?)", row)
        return self._access[access]

    def list_existing(self) -> dict[str, ExistingDocument]:
        """Return the documents in the store, by document id."""
        rows = self._db.execute(
            "select id, number, stamp, first_row, rows from documents"
        )
        return {key: ExistingDocument(*rest) for key, *rest in rows}

    def add_document(self, document: Document, names: Iterable[str], stamp: str) -> int:
        """Add a document and its lookup names; return its number."""
        number, self.documents = self.documents, self.documents + 1
        fields = asdict(document)
        for name in ("id", "source", "access", "files", "date", "evidence"):
            del fields[name]
        day = document.date.isoformat() if document.date else None
        self._db.execute(
            "insert into documents values (?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0)",
            (
                number,
                document.id,
                document.source,
                day,
                self.add_access(document.access),
                json.dumps(fields, ensure_ascii=False),
                document.supersedes,
                stamp,
            ),
        )
        self._db.executemany(
            "insert into identifiers values (?, ?)", [(name, number) for name in names]
        )
        self._db.executemany(
            "insert into authors values (?, ?)",
            [(author.casefold(), number) for author in document.authors],
        )
        return number

    def add_file(self, document: int, file: FileRef) -> int:
        """Add a file of a document; return the number of the file."""
        fields = asdict(file)
        for name in _OMITTED_FIELDS:
            del fields[name]
        number, self.files = self.files, self.files + 1
        content = json.dumps(fields, ensure_ascii=False)
        row = (number, document, file.key, self.add_access(file.access), content)
        self._db.execute("insert into files values (?, ?, ?, ?, ?)", row)
        return number

    def set_rows(self, document: int, first_row: int, rows: int, digest: str) -> None:
        """Set the rows of a document, and the hash of its content."""
        self._db.execute(
            "update documents set first_row = ?, rows = ?, digest = ? where number = ?",
            (first_row, rows, digest, document),
        )

    def remove(
        self, document_id: str, existing: ExistingDocument, since: str
    ) -> list[int]:
        """Remove a document, and record its rows as dead since the given time.

        Returns:
            The numbers of its files.
        """
        number = (existing.number,)
        files = self._db.execute("select number from files where document = ?", number)
        file_numbers = [file for (file,) in files]
        for table in ("authors", "identifiers", "files"):
            self._db.execute(f"delete from {table} where document = ?", number)
        self._db.execute("delete from documents where number = ?", number)
        if existing.rows:
            self._db.execute(
                "insert into dead values (?, ?, ?, ?)",
                (document_id, existing.first_row, existing.rows, since),
            )
        return file_numbers

    def has_file(self, number: int) -> bool:
        """Return whether a file still belongs to a document."""
        cursor = self._db.execute("select 1 from files where number = ?", (number,))
        return cursor.fetchone() is not None

    def list_digests(self) -> list[str]:
        """Return the hash of each document, ordered by document id."""
        cursor = self._db.execute("select digest from documents order by id")
        return [digest for (digest,) in cursor]

    def count_all(self) -> dict[str, int]:
        """Return the number of documents, live passages and files."""
        documents, passages = self._db.execute(
            "select count(*), coalesce(sum(rows), 0) from documents"
        ).fetchone()
        (files,) = self._db.execute("select count(*) from files").fetchone()
        return {"documents": documents, "passages": passages, "files": files}

    def list_facts(self) -> list[tuple[int, str, str | None, str]]:
        """Return number, source, day and JSON of the other fields of each document."""
        return self._db.execute(
            "select number, source, day, fields from documents"
        ).fetchall()

    def close(self) -> None:
        """Commit and close the file."""
        self._db.executemany(
            "insert or replace into counters values (?, ?)",
            [("documents", self.documents), ("files", self.files)],
        )
        self._db.commit()
        self._db.close()
