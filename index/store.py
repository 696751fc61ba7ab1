"""What a snapshot knows of its documents and passages: names, files, places, readers.

One SQLite file for the documents, and the texts of the parts; opened read-only by any
number of readers. Knows no scores.
"""

import bisect
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dunegpt.errors import IndexBrokenError
from dunegpt.index.part import Span, Texts
from dunegpt.types import Access, Document, FileRef, Page, Passage


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


_DOCUMENT = """
select d.number, d.id, d.source, d.day, d.access, d.fields,
  (select min(n.number) from documents n where n.supersedes = d.id and d.id != '')
  from documents d where d.number = ?
"""


class Store:
    """The store of a snapshot, opened for reading by one thread at a time."""

    def __init__(self, path: Path, parts: Sequence[tuple[Span, Path]] = ()) -> None:
        """Open the store.

        Args:
            path: Of the documents.
            parts: Span and folder of each part, in order.

        Raises:
            IndexBrokenError: A file is missing or damaged.
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
        self._texts = [Texts(folder / "texts.db") for _, folder in parts]
        self._first_rows = [span.first_row for span, _ in parts]
        self._first_files = [span.first_file for span, _ in parts]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise IndexBrokenError(f"The store {self._path}: {error}") from error

    def close(self) -> None:
        """Close the files."""
        self._db.close()
        for texts in self._texts:
            texts.close()

    def documents(self, numbers: Iterable[int]) -> dict[int, Stored]:
        """Return documents by their numbers, with all their files."""
        with self._errors():
            return {
                row[0]: self._stored(row)
                for number in dict.fromkeys(numbers)
                for row in self._db.execute(_DOCUMENT, (int(number),))
            }

    def passages(self, rows: Sequence[int]) -> dict[int, tuple[int, Passage]]:
        """Return document number and passage of each row that a document has."""
        found = {}
        for row in rows:
            for file, place, text in self._texts_of(row, self._first_rows):
                for document, identity, key in self.owner(file):
                    found[row] = document, _passage(identity, key, place, text)
        return found

    def files_of(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the key of the file that each row is of."""
        keys = {}
        for row in rows:
            for texts in self._part(row, self._first_rows):
                for file in texts.files_of([row]).values():
                    keys[row] = self.owner(file)[0][2]
        return keys

    def _texts_of(
        self, row: int, firsts: Sequence[int]
    ) -> Iterator[tuple[int, tuple[Any, ...], str]]:
        for texts in self._part(row, firsts):
            yield from texts.passages([row]).values()

    def _part(self, number: int, firsts: Sequence[int]) -> list[Texts]:
        """Return the part that holds a row or a file; none if there is none."""
        place = bisect.bisect_right(firsts, number) - 1
        return self._texts[place : place + 1] if place >= 0 else []

    def owner(self, file: int) -> list[tuple[int, str, str]]:
        """Return number and id of the document that has a file, and the file's key."""
        with self._errors():
            return self._db.execute(
                "select d.number, d.id, f.key from files f"
                " join documents d on d.number = f.document where f.number = ?",
                (file,),
            ).fetchall()

    def file_numbers(self, document: int) -> dict[str, int]:
        """Return the numbers of the files of a document, by their keys."""
        with self._errors():
            return dict(
                self._db.execute(
                    "select key, number from files where document = ?", (document,)
                )
            )

    def rows_of(self, document: int) -> list[int]:
        """Return the rows of a document, in order."""
        with self._errors():
            found = self._db.execute(
                "select first_row, rows from documents where number = ?", (document,)
            )
            return [row for first, rows in found for row in range(first, first + rows)]

    def digests(self) -> Iterator[tuple[int, str]]:
        """Yield number and hash of each document, in the order of their ids."""
        with self._errors():
            yield from self._db.execute(
                "select number, digest from documents order by id"
            )

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

    def by_author(self, author: str) -> list[int]:
        """Return the documents of authors in whose name each word of a text stands."""
        where = " and ".join(
            "exists (select 1 from authors a where a.document = d.number"
            " and instr(a.name, ?) > 0)"
            for _ in author.split()
        )
        with self._errors():
            found = self._db.execute(
                f"select d.number from documents d where {where or 'true'}",
                author.casefold().split(),
            )
            return [number for (number,) in found]

    def within(self, ids: Sequence[str]) -> list[int]:
        """Return the documents that have one of some ids, or are parts of such."""
        with self._errors():
            return [
                number
                for own in ids
                for (number,) in self._db.execute(
                    "select number from documents where id = ? or id > ? and id < ?",
                    (own, f"{own}/", f"{own}0"),  # "0" comes right after "/"
                )
            ]

    def pages(self, document_id: str, key: str) -> list[Page]:
        """Return the pages of one file of a document."""
        with self._errors():
            found = self._db.execute(
                "select f.number from files f join documents d"
                " on d.number = f.document where d.id = ? and f.key = ?",
                (document_id, key),
            ).fetchall()
        return [
            page
            for (file,) in found
            for texts in self._part(file, self._first_files)
            for page in texts.pages(file)
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


def _passage(identity: str, key: str, place: tuple[Any, ...], text: str) -> Passage:
    first, last, start, end, heading, record = place
    return Passage(identity, key, first, last, start, end, heading, text, record)
