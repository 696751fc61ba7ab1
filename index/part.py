"""A part of a snapshot: an unbroken run of rows, with their texts and vectors.

A part is a folder that never changes, so that snapshots share parts by hard links:
``texts.db`` (passages, and the pages of their files, packed with a dictionary made from
the first of them), ``vectors.faiss`` (the vectors as they are scored exactly) and
``records.npy``. Knows neither documents nor readers.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from dunegpt.errors import IndexBrokenError
from dunegpt.index.vectors import VectorsWriter
from dunegpt.types import Page, Passage

_TABLES = """
create table dictionary (bytes blob not null);
create table passages (
  row integer primary key, file integer not null, place text not null,
  text blob not null);
create table pages (
  file integer not null, number integer not null, heading text not null,
  text blob not null, label text not null, line integer not null,
  primary key (file, number)) without rowid;
"""
_DICTIONARY_BYTES = 64 << 10
_SAMPLE_BYTES = 4 << 20
_FEWEST_SAMPLES = 500
_LEVEL = 3

Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows, records and files a part holds, counted through the snapshot.

    Attributes:
        first_row: Its rows are ``first_row`` to ``first_row + rows - 1``; likewise
            records and files.
    """

    first_row: int
    rows: int
    first_record: int
    records: int
    first_file: int
    files: int

    @property
    def name(self) -> str:
        """Name of its folder: no other part has it, since each has files."""
        return f"{self.first_row:09d}-{self.rows}-{self.first_file}"

    def joined(self, after: "Span") -> "Span":
        """Return the span of this part and the one that comes right after it."""
        return Span(
            self.first_row,
            self.rows + after.rows,
            self.first_record,
            self.records + after.records,
            self.first_file,
            self.files + after.files,
        )


class PartWriter:
    """Writes a part; rows, records and files are added in order."""

    def __init__(
        self, folder: Path, dimension: int, *, dictionary: bytes = b""
    ) -> None:
        """Begin a part.

        Args:
            folder: To write into; made if need be.
            dimension: Of the vectors.
            dictionary: Of an earlier part; without one, its own texts make one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._texts = _TextWriter(folder / "texts.db", dictionary)
        self._vectors = VectorsWriter(folder / "vectors.faiss", dimension)
        self._records: list[Halves] = [np.empty((0, dimension), np.float16)]

    def passage(self, row: int, file: int, passage: Passage) -> None:
        """Add a passage of a file as a row."""
        place = [
            passage.first_page,
            passage.last_page,
            passage.start,
            passage.end,
            passage.heading,
            passage.record,
        ]
        packed = json.dumps(place, ensure_ascii=False)
        self._texts.put(
            "passages", passage.text, lambda text: (row, file, packed, text)
        )

    def pages(self, file: int, pages: Iterable[Page]) -> None:
        """Add the pages of a file."""
        for page in pages:
            self._texts.put(
                "pages",
                page.text,
                lambda text, p=page: (  # type: ignore[misc]
                    *(file, p.number, p.heading, text, p.label, p.line),
                ),
            )

    def vectors(self, passages: Halves, records: Halves) -> None:
        """Add vectors of rows and of records, [n, dimension] each, in order."""
        self._vectors.add(passages)
        self._records.append(np.asarray(records))

    def close(self, *, int8_from: int) -> None:
        """Write all to the disk.

        Args:
            int8_from: With so many rows vectors are kept as bytes, not as halves.
        """
        self._texts.close()
        self._vectors.close(int8_from=int8_from)
        np.save(self.folder / "records.npy", np.concatenate(self._records))


class _TextWriter:
    """Packs texts into SQLite, once enough of them are there to make a dictionary."""

    def __init__(self, path: Path, dictionary: bytes) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript("pragma journal_mode = off; pragma synchronous = off;")
        self._db.executescript(_TABLES)
        self._waiting: list[tuple[str, bytes, Callable[[bytes], tuple[Any, ...]]]] = []
        self._bytes = 0
        self._pack: zstandard.ZstdCompressor | None = None
        if dictionary:
            self._use(dictionary)

    def put(
        self, table: str, text: str, row: Callable[[bytes], tuple[Any, ...]]
    ) -> None:
        """Insert a row that holds a text, packed."""
        content = text.encode()
        if self._pack:
            self._insert(table, row(self._pack.compress(content)))
            return
        self._waiting.append((table, content, row))
        self._bytes += len(content)
        if self._bytes >= _SAMPLE_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what waits, and all to the disk."""
        self._flush()
        self._db.commit()
        self._db.close()

    def _use(self, dictionary: bytes) -> None:
        self._db.execute("insert into dictionary values (?)", (dictionary,))
        found = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        if found:
            found.precompute_compress(level=_LEVEL)  # not again for every text
        self._pack = zstandard.ZstdCompressor(level=_LEVEL, dict_data=found)

    def _flush(self) -> None:
        if self._pack is None:
            samples: list[Any] = [each[1] for each in self._waiting if each[1]]
            dictionary = b""
            if len(samples) >= _FEWEST_SAMPLES:
                made = zstandard.train_dictionary(_DICTIONARY_BYTES, samples)
                dictionary = made.as_bytes()
            self._use(dictionary)
        assert self._pack is not None
        for table, content, row in self._waiting:
            self._insert(table, row(self._pack.compress(content)))
        self._waiting = []

    def _insert(self, table: str, values: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * len(values))
        self._db.execute(f"insert into {table} values ({marks})", values)


class Texts:
    """The texts of a part, opened for reading; safe for threads that share it."""

    def __init__(self, path: Path) -> None:
        """Open the texts.

        Raises:
            IndexBrokenError: They are missing or damaged.
        """
        self._path = path
        with self._errors():
            # The file is never changed once it is published.
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?immutable=1",
                uri=True,
                check_same_thread=False,
            )
            ((dictionary,),) = self._db.execute("select bytes from dictionary")
        self.dictionary = bytes(dictionary)
        self._dict = (
            zstandard.ZstdCompressionDict(self.dictionary) if self.dictionary else None
        )

    def passages(
        self, rows: Sequence[int]
    ) -> dict[int, tuple[int, tuple[Any, ...], str]]:
        """Return file number, place and text of each row."""
        unpack = zstandard.ZstdDecompressor(dict_data=self._dict)
        with self._errors():
            return {
                row: (file, tuple(json.loads(place)), unpack.decompress(text).decode())
                for wanted in rows
                for row, file, place, text in self._db.execute(
                    "select * from passages where row = ?", (int(wanted),)
                )
            }

    def files_of(self, rows: Sequence[int]) -> dict[int, int]:
        """Return the file number of each row."""
        with self._errors():
            return {
                row: file
                for wanted in rows
                for row, file in self._db.execute(
                    "select row, file from passages where row = ?", (int(wanted),)
                )
            }

    def pages(self, file: int) -> list[Page]:
        """Return the pages of a file."""
        unpack = zstandard.ZstdDecompressor(dict_data=self._dict)
        with self._errors():
            found = self._db.execute(
                "select number, heading, text, label, line from pages"
                " where file = ? order by number",
                (file,),
            )
            return [
                Page(number, heading, unpack.decompress(text).decode(), label, line)
                for number, heading, text, label, line in found
            ]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError, zstandard.ZstdError) as error:
            raise IndexBrokenError(f"The texts {self._path}: {error}") from error


def join_texts(
    paths: Sequence[Path], target: Path, *, is_live: Callable[[int], bool]
) -> None:
    """Write the texts of several parts into one, those of dead rows left out.

    Args:
        paths: Of the texts, in the order of their rows.
        target: To write.
        is_live: Tells of a file number whether any document has it still.
    """
    first = Texts(paths[0])
    writer = _TextWriter(target, first.dictionary)
    first.close()
    for path in paths:
        texts = Texts(path)
        unpack = zstandard.ZstdDecompressor(dict_data=texts._dict)
        for table, number, column in (("passages", 1, 3), ("pages", 0, 3)):
            for values in texts._db.execute(f"select * from {table}"):
                if is_live(values[number]):
                    text = unpack.decompress(values[column]).decode()
                    writer.put(
                        table,
                        text,
                        lambda packed, v=values, c=column: (  # type: ignore[misc]
                            *v[:c],
                            packed,
                            *v[c + 1 :],
                        ),
                    )
        texts.close()
    writer.close()
