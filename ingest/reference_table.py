"""The table of references in a snapshot: which file names which document, and where."""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from dunegpt.errors import StorageError
from dunegpt.files import damaged
from dunegpt.ingest.references import find_references
from dunegpt.types import Page

FILE = "references.db"
_SCHEMA = """
create table edges (
  file integer not null, target text not null, version text not null,
  page integer not null, primary key (file, target, version)) without rowid;
create index by_target on edges (target);
"""


@dataclass(frozen=True, slots=True)
class ReferenceEdge:
    """A file names a document.

    Attributes:
        file: Number of the file in the snapshot.
        page: Number of the first page that names it.
    """

    file: int
    target: str
    version: str
    page: int


class ReferenceWriter:
    """Writes the table of a new snapshot: a new one, or a changed copy."""

    def __init__(self, path: Path, base: Path | None = None) -> None:
        """Begin a table, with a copy of ``base`` if there is one."""
        if base is not None:
            shutil.copyfile(base, path)
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            " pragma secure_delete = on;"
        )
        if base is None:
            self._db.executescript(_SCHEMA)

    def add(self, file: int, pages: Iterable[Page], own: str) -> None:
        """Add what the pages of a file name, but for the document that it is of.

        Args:
            file: Its number.
            pages: In order.
            own: Id of its document, whose other versions are not named either.
        """
        rows = [
            (file, each.target, each.version, page.number)
            for page in pages
            for each in find_references(page.text)
            if not _is_self_reference(each.target, own)
        ]
        self._db.executemany("insert or ignore into edges values (?, ?, ?, ?)", rows)

    def remove(self, files: Iterable[int]) -> None:
        """Take out what files name."""
        rows = [(file,) for file in files]
        self._db.executemany("delete from edges where file = ?", rows)

    def close(self) -> None:
        """Write all to the disk."""
        self._db.commit()
        self._db.close()


class ReferenceTable:
    """The table of a snapshot, opened for reading; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Open the table.

        Raises:
            IndexBrokenError: It is missing or damaged.
        """
        self._path = path
        self._lock = Lock()  # of the connection: threads would share its statements
        with self._convert_errors():
            self._db = _open_database(path)
            self._db.execute("select 1 from edges limit 1").fetchone()

    def references_from(self, files: Iterable[int]) -> list[ReferenceEdge]:
        """Return what files name, in the order of the files and pages."""
        with self._convert_errors():
            return [
                ReferenceEdge(*row)
                for file in files
                for row in self._db.execute(
                    "select file, target, version, page from edges where file = ?"
                    " order by page, target, version",
                    (file,),
                )
            ]

    def references_to(self, targets: Iterable[str]) -> list[ReferenceEdge]:
        """Return the edges that lead to targets, in the order of the files."""
        with self._convert_errors():
            return sorted(
                (
                    ReferenceEdge(*row)
                    for target in dict.fromkeys(targets)
                    for row in self._db.execute(
                        "select file, target, version, page from edges"
                        " where target = ?",
                        (target,),
                    )
                ),
                key=lambda edge: (edge.file, edge.page),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, TypeError, ValueError, LookupError) as error:
            message = f"The table of references {self._path}: {error}"
            raise damaged(error, message, path=self._path) from error


def load_cited_ids(path: Path, beginning: str) -> frozenset[str]:
    """Return the identifiers in a table that begin so (``edms:``); none without one.

    Raises:
        StorageError: The table is damaged.
    """
    if not path.is_file():
        return frozenset()
    last = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    try:
        with closing(_open_database(path)) as db:
            rows = db.execute(
                "select distinct target, version from edges"
                " where target >= ? and target < ?",
                (beginning, last),
            )
            return frozenset(f"{t}:{v}" if v else t for t, v in rows)
    except sqlite3.Error as error:
        raise damaged(
            error,
            f"The table of references {path} cannot be read: {error}",
            path=path,
            kind=StorageError,
            hint="Run 'dunegpt index --rebuild'.",
        ) from error


def _open_database(path: Path) -> sqlite3.Connection:
    # The file is never changed once it is published.
    uri = f"{path.resolve().as_uri()}?immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def _is_self_reference(target: str, own: str) -> bool:
    return own == target or own.startswith(f"{target}:")
