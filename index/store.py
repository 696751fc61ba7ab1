"""What a snapshot knows of its passages: text, place, document, page and readers.

One SQLite file, written once and then opened read-only by any number of readers.
Knows no scores.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import zstandard

from dunegpt.errors import IndexBrokenError
from dunegpt.types import Access, Document, FileRef, Page, Passage

_TABLES = """
create table access (number integer primary key, principals text not null);
create table documents (
  number integer primary key, id text not null unique, source text not null,
  day text, access integer not null, fields text not null, superseded_by integer);
create table authors (name text not null, document integer not null);
create table identifiers (name text not null, document integer not null);
create table files (
  number integer primary key, document integer not null, key text not null,
  access integer not null, fields text not null);
create table pages (
  file integer not null, number integer not null, heading text not null,
  text blob not null, label text not null, line integer not null,
  primary key (file, number)) without rowid;
create table passages (
  row integer primary key, document integer not null, file integer not null,
  place text not null, text text not null);
create index by_identifier on identifiers (name);
create index by_file on files (document);
create index by_passage on passages (document);
"""
_HIDDEN_FIELDS = ("body", "access", "key", "sha256", "evidence")


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as a snapshot has it.

    Attributes:
        access: Number of its access set.
        superseded_by: Number of the document that is its next version, or None.
    """

    number: int
    document: Document
    access: int
    superseded_by: int | None


class StoreWriter:
    """Writes the store of a new snapshot."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript("pragma journal_mode = off; pragma synchronous = off;")
        self._db.executescript(_TABLES)
        self._access: dict[Access, int] = {}
        self._files = 0
        self._zstd = zstandard.ZstdCompressor(level=10)

    def access(self, access: Access) -> int:
        """Return the number of an access set, a new one where it is new."""
        if access not in self._access:
            self._access[access] = len(self._access)
            row = (self._access[access], json.dumps(sorted(access)))
            self._db.execute("insert into access values (?, ?)", row)
        return self._access[access]

    def document(self, number: int, document: Document, names: Iterable[str]) -> None:
        """Add a document under a number, with the names that it goes by."""
        fields = asdict(document)
        for name in ("id", "source", "access", "files", "date", "evidence"):
            del fields[name]
        day = document.date.isoformat() if document.date else None
        self._db.execute(
            "insert into documents values (?, ?, ?, ?, ?, ?, null)",
            (
                number,
                document.id,
                document.source,
                day,
                self.access(document.access),
                json.dumps(fields, ensure_ascii=False),
            ),
        )
        self._db.executemany(
            "insert into identifiers values (?, ?)", [(name, number) for name in names]
        )
        self._db.executemany(
            "insert into authors values (?, ?)",
            [(author.casefold(), number) for author in document.authors],
        )

    def file(self, document: int, file: FileRef, pages: Iterable[Page]) -> int:
        """Add a file of a document with its pages; return the file's number."""
        fields = asdict(file)
        for name in _HIDDEN_FIELDS:
            del fields[name]
        number, self._files = self._files, self._files + 1
        content = json.dumps(fields, ensure_ascii=False)
        row = (number, document, file.key, self.access(file.access), content)
        self._db.execute("insert into files values (?, ?, ?, ?, ?)", row)
        self._db.executemany(
            "insert into pages values (?, ?, ?, ?, ?, ?)",
            [
                (
                    number,
                    p.number,
                    p.heading,
                    self._zstd.compress(p.text.encode()),
                    p.label,
                    p.line,
                )
                for p in pages
            ],
        )
        return number

    def passage(self, row: int, document: int, file: int, passage: Passage) -> None:
        """Add a passage of a file as the given row."""
        place = [
            passage.first_page,
            passage.last_page,
            passage.start,
            passage.end,
            passage.heading,
            passage.record,
        ]
        text = json.dumps(place, ensure_ascii=False)
        self._db.execute(
            "insert into passages values (?, ?, ?, ?, ?)",
            (row, document, file, text, passage.text),
        )

    def close(self) -> None:
        """Join the versions of each document, and write all to the disk."""
        numbers = dict(self._db.execute("select id, number from documents"))
        rows = self._db.execute("select number, fields from documents").fetchall()
        for number, fields in rows:
            older = numbers.get(json.loads(fields)["supersedes"])
            if older is not None:
                self._db.execute(
                    "update documents set superseded_by = ? where number = ?",
                    (number, older),
                )
        self._db.commit()
        self._db.close()


class Store:
    """The store of a snapshot, opened for reading by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the store.

        Raises:
            IndexBrokenError: It is missing or damaged.
        """
        self._path = path
        with self._errors():
            # The file is never changed once it is published.
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?immutable=1",
                uri=True,
                check_same_thread=False,
            )
            self.access_sets: list[Access] = [
                frozenset(json.loads(principals))
                for (principals,) in self._db.execute(
                    "select principals from access order by number"
                )
            ]
        self._zstd = zstandard.ZstdDecompressor()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError, zstandard.ZstdError) as error:
            raise IndexBrokenError(f"The store {self._path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def documents(self, numbers: Iterable[int]) -> dict[int, Stored]:
        """Return documents by their numbers, with all their files."""
        with self._errors():
            return {
                row[0]: self._stored(row)
                for number in dict.fromkeys(numbers)
                for row in self._db.execute(
                    "select * from documents where number = ?", (number,)
                )
            }

    def passages(self, rows: Sequence[int]) -> dict[int, tuple[int, Passage]]:
        """Return document number and passage of each row."""
        with self._errors():
            return {
                row: (found[0], _passage(found))
                for row in rows
                for found in self._db.execute(
                    "select p.document, d.id, f.key, p.place, p.text from passages p"
                    " join documents d on d.number = p.document"
                    " join files f on f.number = p.file where p.row = ?",
                    (int(row),),
                )
            }

    def rows_of(self, document: int) -> list[int]:
        """Return the rows of a document, in order."""
        with self._errors():
            found = self._db.execute(
                "select row from passages where document = ? order by row", (document,)
            )
            return [row for (row,) in found]

    def named(self, name: str) -> list[int]:
        """Return the numbers of the documents that go by a name, lower-cased."""
        with self._errors():
            found = self._db.execute(
                "select document from identifiers where name = ? order by document",
                (name.casefold(),),
            )
            return [number for (number,) in found]

    def series(self, beginning: str) -> list[int]:
        """Return documents with a name that goes on with a digit after a beginning.

        One for each way of access is enough to know whether a reader may know of it.
        """
        pattern = "".join(f"[{c}]" if c in "*?[" else c for c in beginning) + "[0-9]*"
        with self._errors():
            found = self._db.execute(
                "select min(d.number) from identifiers i join documents d"
                " on d.number = i.document where i.name glob ? group by d.access",
                (pattern,),
            )
            return [number for (number,) in found]

    def filtered(
        self,
        sources: Sequence[str],
        since: date | None,
        until: date | None,
        author: str,
        *,
        fields: Mapping[str, Sequence[str]] | None = None,
        within: Sequence[str] = (),
    ) -> list[int] | None:
        """Return the documents that pass, newest first; None if nothing is asked.

        An undated document passes no date filter. ``fields`` names others that must
        have one of the given values, in any case; ``within`` are ids of documents of
        which one must be it, or hold it.
        """
        where, values = [], list[Any]()
        if sources:
            where.append(f"d.source in ({', '.join('?' * len(sources))})")
            values += sources
        if since:
            where.append("d.day >= ?")
            values.append(since.isoformat())
        if until:
            where.append("d.day <= ?")
            values.append(until.isoformat())
        for word in author.casefold().split():
            where.append(
                "exists (select 1 from authors a where a.document = d.number"
                " and instr(a.name, ?) > 0)"
            )
            values.append(word)
        for name, wanted in (fields or {}).items():
            if wanted:
                marks = ", ".join("?" * len(wanted))
                where.append(f"lower(json_extract(d.fields, ?)) in ({marks})")
                values += [f"$.{name}", *(value.lower() for value in wanted)]
        if within:
            one = "d.id = ? or (d.id > ? and d.id < ?)"
            where.append(f"({' or '.join([one] * len(within))})")
            values += [value for own in within for value in (own, own + "/", own + "0")]
        if not where:
            return None
        with self._errors():
            found = self._db.execute(
                f"select d.number from documents d where {' and '.join(where)}"
                " order by d.day desc, d.number",
                values,
            )
            return [number for (number,) in found]

    def sources(self) -> list[str]:
        """Return the names of the sources that have documents here."""
        with self._errors():
            found = self._db.execute("select distinct source from documents order by 1")
            return [name for (name,) in found]

    def pages(self, document_id: str, key: str) -> list[Page]:
        """Return the pages of one file of a document."""
        with self._errors():
            found = self._db.execute(
                "select p.number, p.heading, p.text, p.label, p.line"
                " from pages p join files f"
                " on f.number = p.file join documents d on d.number = f.document"
                " where d.id = ? and f.key = ? order by p.number",
                (document_id, key),
            )
            return [
                Page(number, heading, self._zstd.decompress(text).decode(), label, line)
                for number, heading, text, label, line in found
            ]

    def _stored(self, row: tuple[Any, ...]) -> Stored:
        number, document_id, source, day, access, content, superseded_by = row
        fields = json.loads(content)
        fields["authors"] = tuple(fields["authors"])
        files = self._db.execute(
            "select key, access, fields from files where document = ? order by number",
            (number,),
        )
        document = Document(
            id=document_id,
            source=source,
            access=self.access_sets[access],
            date=date.fromisoformat(day) if day else None,
            files=tuple(
                FileRef(key=key, access=self.access_sets[own], **json.loads(text))
                for key, own, text in files
            ),
            **fields,
        )
        return Stored(number, document, access, superseded_by)


def _passage(found: tuple[Any, ...]) -> Passage:
    _, document_id, key, place, text = found
    first, last, start, end, heading, record = json.loads(place)
    return Passage(document_id, key, first, last, start, end, heading, text, record)
