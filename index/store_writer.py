"""Writes what a snapshot knows of its documents: a new file, or a changed copy of one.

Numbers are never given twice: a document that changed gets a new one, and its old rows
stay where they were, with nobody as their readers. Knows no texts.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dunegpt.types import NOBODY, Access, Document, FileRef

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
_HIDDEN_FIELDS = ("body", "access", "key", "sha256", "evidence")


@dataclass(frozen=True, slots=True)
class Held:
    """A document that a store has.

    Attributes:
        stamp: What it was made from.
    """

    number: int
    stamp: str
    first_row: int
    rows: int


class StoreWriter:
    """Writes the store of a new snapshot."""

    def __init__(self, path: Path, base: Path | None = None) -> None:
        """Begin a store.

        Args:
            path: To write.
            base: Begin with a copy of this one.
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
        self.access(NOBODY)
        counters = dict(self._db.execute("select name, value from counters"))
        self.documents = int(counters.get("documents", 0))
        self.files = int(counters.get("files", 0))

    def access(self, access: Access) -> int:
        """Return the number of an access set, a new one where it is new; 0: nobody."""
        if access not in self._access:
            self._access[access] = len(self._access)
            row = (self._access[access], json.dumps(sorted(access)))
            self._db.execute("insert into access values (?, ?)", row)
        return self._access[access]

    def held(self) -> dict[str, Held]:
        """Return what the store has, by id."""
        found = self._db.execute(
            "select id, number, stamp, first_row, rows from documents"
        )
        return {key: Held(*rest) for key, *rest in found}

    def document(self, document: Document, names: Iterable[str], stamp: str) -> int:
        """Add a document with the names that it goes by; return its number."""
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
                self.access(document.access),
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

    def file(self, document: int, file: FileRef) -> int:
        """Add a file of a document; return the file's number."""
        fields = asdict(file)
        for name in _HIDDEN_FIELDS:
            del fields[name]
        number, self.files = self.files, self.files + 1
        content = json.dumps(fields, ensure_ascii=False)
        row = (number, document, file.key, self.access(file.access), content)
        self._db.execute("insert into files values (?, ?, ?, ?, ?)", row)
        return number

    def rows(self, document: int, first_row: int, rows: int, digest: str) -> None:
        """Say which rows a document has, and the hash of what is said of it."""
        self._db.execute(
            "update documents set first_row = ?, rows = ?, digest = ? where number = ?",
            (first_row, rows, digest, document),
        )

    def remove(self, document_id: str, held: Held, since: str) -> list[int]:
        """Take a document out; remember which rows are dead with it, and since when.

        Returns:
            The numbers of its files.
        """
        number = (held.number,)
        files = self._db.execute("select number from files where document = ?", number)
        gone = [own for (own,) in files]
        for table in ("authors", "identifiers", "files"):
            self._db.execute(f"delete from {table} where document = ?", number)
        self._db.execute("delete from documents where number = ?", number)
        if held.rows:
            self._db.execute(
                "insert into dead values (?, ?, ?, ?)",
                (document_id, held.first_row, held.rows, since),
            )
        return gone

    def has_file(self, number: int) -> bool:
        """Return whether any document has a file."""
        found = self._db.execute("select 1 from files where number = ?", (number,))
        return found.fetchone() is not None

    def digests(self) -> list[str]:
        """Return the hash of each document, in the order of their ids."""
        found = self._db.execute("select digest from documents order by id")
        return [digest for (digest,) in found]

    def counts(self) -> dict[str, int]:
        """Return how many documents, files and live passages there are."""
        documents, passages = self._db.execute(
            "select count(*), coalesce(sum(rows), 0) from documents"
        ).fetchone()
        (files,) = self._db.execute("select count(*) from files").fetchone()
        return {"documents": documents, "passages": passages, "files": files}

    def sources(self) -> list[str]:
        """Return the sources that have documents."""
        found = self._db.execute("select distinct source from documents order by 1")
        return [source for (source,) in found]

    def facts(self) -> list[tuple[int, str, str | None, str]]:
        """Return number, source, day and the other fields of each document."""
        return self._db.execute(
            "select number, source, day, fields from documents"
        ).fetchall()

    def close(self) -> None:
        """Write all to the disk."""
        self._db.executemany(
            "insert or replace into counters values (?, ?)",
            [("documents", self.documents), ("files", self.files)],
        )
        self._db.commit()
        self._db.close()
