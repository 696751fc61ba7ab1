"""Reads the documents and passages of a snapshot: metadata, files, text and access.

The documents are in one SQLite file, the texts in the segments. Opened read-only by any
number of processes and threads. Does not depend on search.
"""

import bisect
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from dunegpt.access import Access
from dunegpt.errors import IndexBrokenError
from dunegpt.files import damaged
from dunegpt.index.snapshot.read_only_database import READ_ERRORS, ReadOnlyDatabase
from dunegpt.index.snapshot.segment import SegmentRange, SegmentTexts
from dunegpt.text.names import has_person
from dunegpt.types import Box, Document, FileRef, Page, Passage

_NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as stored in a snapshot.

    Attributes:
        number: Number of the document in the snapshot.
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


class DocumentStore:
    """The document store of a snapshot, opened for reading; thread-safe."""

    def __init__(
        self, path: Path, parts: Sequence[tuple[SegmentRange, Path]] = ()
    ) -> None:
        """Open the store.

        Args:
            path: Database of the documents.
            parts: Range and folder of each segment, in order.

        Raises:
            IndexBrokenError: A file is missing or damaged.
        """
        self._path = path
        with self._translate_errors():
            self._db = ReadOnlyDatabase(path)
            self.access_sets: list[Access] = [
                frozenset(json.loads(principals))
                for (principals,) in self._db.query(
                    "select principals from access order by number"
                )
            ]
        self._texts: list[SegmentTexts] = []
        try:
            for _, folder in parts:
                self._texts.append(SegmentTexts(folder / "texts.db"))
        except BaseException:
            self.close()
            raise
        self._first_rows = [span.first_row for span, _ in parts]
        self._first_files = [span.first_file for span, _ in parts]

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except READ_ERRORS as error:
            message = f"The document store {self._path}: {error}"
            raise damaged(error, message, path=self._path) from error

    def close(self) -> None:
        """Close the files."""
        self._db.close()
        for texts in self._texts:
            texts.close()

    def get_documents(self, numbers: Iterable[int]) -> dict[int, StoredDocument]:
        """Return the documents with the given numbers, by number, with all files."""
        with self._translate_errors():
            return {
                row[0]: self._make_document(row)
                for number in dict.fromkeys(numbers)
                for row in self._db.query(_DOCUMENT, (int(number),))
            }

    def get_passages(self, rows: Sequence[int]) -> dict[int, tuple[int, Passage]]:
        """Return document number and passage by row; dead rows are left out."""
        passages = {}
        for row in rows:
            for file, place, text in self._read_texts(row, self._first_rows):
                for document, identity, key in self.find_owner(file):
                    passages[row] = document, _make_passage(identity, key, place, text)
        return passages

    def get_passage(self, row: int) -> tuple[int, Passage]:
        """Return document number and passage of a live row.

        Raises:
            IndexBrokenError: There is none, or the files are damaged.
        """
        found = self.get_passages([row]).get(row)
        if found is None:
            raise IndexBrokenError(f"The document store {self._path} has no row {row}.")
        return found

    def get_document(self, number: int) -> StoredDocument:
        """Return the document with a number.

        Raises:
            IndexBrokenError: There is none, or the file is damaged.
        """
        found = self.get_documents([number]).get(number)
        if found is None:
            raise IndexBrokenError(
                f"The document store {self._path} has no document {number}."
            )
        return found

    def get_file_keys(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the key of the file that each row belongs to."""
        keys = {}
        for row in rows:
            for texts in self._find_segment(row, self._first_rows):
                for file in texts.read_file_numbers([row]).values():
                    for _, _, key in self.find_owner(file):
                        keys[row] = key
        return keys

    def _read_texts(
        self, row: int, firsts: Sequence[int]
    ) -> Iterator[tuple[int, tuple[Any, ...], str]]:
        for texts in self._find_segment(row, firsts):
            yield from texts.read_passages([row]).values()

    def _find_segment(self, number: int, firsts: Sequence[int]) -> list[SegmentTexts]:
        """Return the segment that holds a row or file, as a list of at most one."""
        position = bisect.bisect_right(firsts, number) - 1
        return self._texts[position : position + 1] if position >= 0 else []

    def find_owner(self, file: int) -> list[tuple[int, str, str]]:
        """Return document number, document id and file key of a file, at most one."""
        with self._translate_errors():
            return self._db.query(
                "select d.number, d.id, f.key from files f"
                " join documents d on d.number = f.document where f.number = ?",
                (file,),
            )

    def get_file_numbers(self, document: int) -> dict[str, int]:
        """Return the file numbers of a document, by file key."""
        with self._translate_errors():
            return dict(
                self._db.query(
                    "select key, number from files where document = ?", (document,)
                )
            )

    def list_access(self) -> list[tuple[int, int]]:
        """Return number and access set of each document."""
        with self._translate_errors():
            return self._db.query("select number, access from documents")

    def count_readable_files(self) -> int:
        """Return the number of files of documents that have a passage."""
        with self._translate_errors():
            live = {number for (number,) in self._db.query("select number from files")}
        return sum(len(live & texts.list_files()) for texts in self._texts)

    def get_rows(self, document: int) -> list[int]:
        """Return the rows of a document, in order."""
        with self._translate_errors():
            ranges = self._db.query(
                "select first_row, rows from documents where number = ?", (document,)
            )
            return [row for first, rows in ranges for row in range(first, first + rows)]

    def iterate_digests(self) -> Iterator[tuple[int, str]]:
        """Yield number and hash of each document, ordered by document id."""
        with self._translate_errors():
            yield from self._db.iterate(
                "select number, digest from documents order by id"
            )

    def list_superseded(self) -> list[tuple[int, int]]:
        """Return each document that has a next version, with that version."""
        with self._translate_errors():
            return self._superseded

    @cached_property
    def _superseded(self) -> list[tuple[int, int]]:
        return self._db.query(
            "select d.number, min(n.number) from documents n join documents d"
            " on d.id = n.supersedes where d.id != '' group by d.number"
        )

    def find_by_name(self, name: str, otherwise: str = "") -> list[int]:
        """Return the numbers of the documents with a name, ignoring case.

        Args:
            name: The name.
            otherwise: Name to look for if there is none, which takes the same time.
        """
        with self._translate_errors():
            rows = self._db.query(
                "select document from identifiers where name = coalesce("
                "(select name from identifiers where name = ? limit 1), ?)"
                " order by document",
                (name.casefold(), otherwise),
            )
            return [number for (number,) in rows]

    def get_names(self, document: int) -> list[str]:
        """Return the names of a document, in lower case."""
        with self._translate_errors():
            rows = self._db.query(
                "select name from identifiers where document = ? order by name",
                (document,),
            )
            return [name for (name,) in rows]

    def find_by_prefix(self, beginning: str) -> list[int]:
        """Return documents with a name that is the given prefix and then a digit.

        At most one per access set, enough to tell whether a reader may see any.
        """
        pattern = "".join(f"[{c}]" if c in "*?[" else c for c in beginning) + "[0-9]*"
        with self._translate_errors():
            rows = self._db.query(
                "select min(d.number) from identifiers i join documents d"
                " on d.number = i.document where i.name glob ? group by d.access",
                (pattern,),
            )
            return [number for (number,) in rows]

    def find_by_author(self, author: str) -> list[int]:
        """Return the documents with one author who has all words of a name.

        Args:
            author: The name, see `dunegpt.text.names.has_person`.
        """
        with self._translate_errors():
            names = [name for name in self._authors if has_person([name], author)]
            # A name that would be two people by itself is one of several authors.
            whole = [
                name
                for name in self._authors
                if name not in names and has_person([name.replace(",", " ")], author)
            ]
            numbers = self._find_with_names(names)
            several = " and (select count(*) from authors o where o.document ="
            several += " a.document) > 1"
            return sorted({*numbers, *self._find_with_names(whole, several)})

    @cached_property
    def _authors(self) -> list[str]:
        """The distinct names of authors, in lower case."""
        rows = self._db.query("select distinct name from authors order by name")
        return [name for (name,) in rows]

    def _find_with_names(self, names: list[str], condition: str = "") -> list[int]:
        """Return the documents with an author entry among the given ones."""
        numbers: list[int] = []
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = names[start : start + _NAMES_AT_ONCE]
            marks = ", ".join("?" * len(some))
            sql = f"select a.document from authors a where a.name in ({marks})"
            rows = self._db.query(f"{sql}{condition}", some)
            numbers += [number for (number,) in rows]
        return numbers

    def find_within(self, ids: Sequence[str]) -> list[int]:
        """Return the documents with one of the given ids, and those below them."""
        with self._translate_errors():
            return [
                number
                for id_ in ids
                for (number,) in self._db.query(
                    "select number from documents where id = ? or id > ? and id < ?",
                    (id_, f"{id_}/", f"{id_}0"),  # "0" comes right after "/"
                )
            ]

    def get_pages(self, document_id: str, key: str) -> list[Page]:
        """Return the pages of one file of a document."""
        with self._translate_errors():
            rows = self._db.query(
                "select f.number from files f join documents d"
                " on d.number = f.document where d.id = ? and f.key = ?",
                (document_id, key),
            )
        return [
            page
            for (file,) in rows
            for texts in self._find_segment(file, self._first_files)
            for page in texts.read_pages(file)
        ]

    def _get_access(self, number: int) -> Access:
        if number < 0:  # would count from the end
            raise ValueError(f"there is no access set {number}")
        return self.access_sets[number]

    def _make_document(self, row: tuple[Any, ...]) -> StoredDocument:
        number, document_id, source, day, access, content, superseded_by = row
        fields = json.loads(content)
        fields["authors"] = tuple(fields["authors"])
        files = self._db.query(
            "select key, access, fields from files where document = ? order by number",
            (number,),
        )
        document = Document(
            id=document_id,
            source=source,
            access=self._get_access(access),
            date=date.fromisoformat(day) if day else None,
            files=tuple(
                FileRef(key=key, access=self._get_access(n), **json.loads(text))
                for key, n, text in files
            ),
            **fields,
        )
        return StoredDocument(number, document, access, superseded_by)


def _make_passage(
    identity: str, key: str, place: tuple[Any, ...], text: str
) -> Passage:
    first, last, start, end, heading, record, *rest = place
    figure, box, description = rest or ("", None, "")
    return Passage(
        identity, key, first, last, start, end, heading, text, record,
        figure=figure, box=Box(*box) if box else None, description=description,
    )  # fmt: skip
