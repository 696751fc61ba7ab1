"""A segment of a snapshot: consecutive rows with their texts and vectors.

A segment is an immutable folder under ``parts/``, shared between snapshots by hard
links: ``texts.db`` (passages and pages, compressed with a dictionary trained on the
first of them), ``vectors.faiss`` (vectors for exact scores) and ``records.npy``. Does
not depend on documents or access.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from dunegpt.files import damaged
from dunegpt.index.snapshot.read_only_database import READ_ERRORS, ReadOnlyDatabase
from dunegpt.index.snapshot.vectors import ArrayWriter, VectorsWriter
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
_MIN_SAMPLES = 500
_LEVEL = 3
_MAX_TEXT_BYTES = 1 << 28

Float16Array = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class SegmentRange:
    """The rows, records and files of a segment, numbered through the snapshot.

    Attributes:
        first_row: The rows are ``first_row`` to ``first_row + rows - 1``; records and
            files likewise.
    """

    first_row: int
    rows: int
    first_record: int
    records: int
    first_file: int
    files: int

    @property
    def name(self) -> str:
        """Name of the folder, unique because every segment has files."""
        return f"{self.first_row:09d}-{self.rows}-{self.first_file}"

    def merge(self, after: "SegmentRange") -> "SegmentRange":
        """Return the range of this segment and the one right after it."""
        return SegmentRange(
            self.first_row,
            self.rows + after.rows,
            self.first_record,
            self.records + after.records,
            self.first_file,
            self.files + after.files,
        )


class SegmentWriter:
    """Writes a segment; rows, records and files are added in order."""

    def __init__(
        self, folder: Path, dimension: int, *, dictionary: bytes = b""
    ) -> None:
        """Create the segment.

        Args:
            folder: Folder to write into, created if missing.
            dimension: Dimension of the vectors.
            dictionary: Compression dictionary of an earlier segment; without one, it
                is trained on the first texts of this one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._texts = _TextWriter(folder / "texts.db", dictionary)
        self._vectors = VectorsWriter(folder / "vectors.faiss", dimension)
        self._records = ArrayWriter(folder / "records.npy", dimension)

    def add_passage(self, row: int, file: int, passage: Passage) -> None:
        """Add a passage of a file as the given row."""
        place: list[Any] = [
            passage.first_page,
            passage.last_page,
            passage.start,
            passage.end,
            passage.heading,
            passage.record,
        ]
        if passage.figure:
            box = passage.box and astuple(passage.box)
            place += [passage.figure, box, passage.description]
        packed = json.dumps(place, ensure_ascii=False)
        self._texts.put(
            "passages", passage.text, lambda text: (row, file, packed, text)
        )

    def add_pages(self, file: int, pages: Iterable[Page]) -> None:
        """Add the pages of a file."""
        for page in pages:
            self._texts.put(
                "pages",
                page.text,
                lambda text, p=page: (  # type: ignore[misc]
                    *(file, p.number, p.heading, text, p.label, p.line),
                ),
            )

    def add_vectors(self, passages: Float16Array, records: Float16Array) -> None:
        """Add vectors of rows and records in order, float16 [n, dimension] each."""
        self._vectors.add(passages)
        self._records.add(records)

    def close(self, *, int8_from: int) -> None:
        """Finish all files of the segment.

        Args:
            int8_from: Number of rows from which vectors are stored as 8-bit integers.
        """
        self._texts.close()
        self._vectors.close(int8_from=int8_from)
        self._records.close()

    def discard(self) -> None:
        """Close the files without finishing them."""
        self._texts.discard()
        self._vectors.discard()
        self._records.discard()


class _TextWriter:
    """Writes compressed texts to SQLite; trains a dictionary on the first ones."""

    def __init__(self, path: Path, dictionary: bytes) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript("pragma journal_mode = off; pragma synchronous = off;")
        self._db.executescript(_TABLES)
        self._pending: list[tuple[str, bytes, Callable[[bytes], tuple[Any, ...]]]] = []
        self._bytes = 0
        self._compressor: zstandard.ZstdCompressor | None = None
        if dictionary:
            self._set_dictionary(dictionary)

    def put(
        self, table: str, text: str, row: Callable[[bytes], tuple[Any, ...]]
    ) -> None:
        """Insert a row with a text; ``row`` builds it from the compressed text."""
        content = text.encode()
        if self._compressor:
            self._insert_row(table, row(self._compressor.compress(content)))
            return
        self._pending.append((table, content, row))
        self._bytes += len(content)
        if self._bytes >= _SAMPLE_BYTES:
            self._flush()

    def close(self) -> None:
        """Write pending texts, commit and close the file."""
        self._flush()
        self._db.commit()
        self._db.close()

    def discard(self) -> None:
        """Close the file without finishing it."""
        self._db.close()

    def _set_dictionary(self, dictionary: bytes) -> None:
        self._db.execute("insert into dictionary values (?)", (dictionary,))
        trained = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        if trained:
            trained.precompute_compress(level=_LEVEL)  # once, not for every text
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=trained)

    def _flush(self) -> None:
        if self._compressor is None:
            samples: list[Any] = [text for _, text, _ in self._pending if text]
            dictionary = b""
            if len(samples) >= _MIN_SAMPLES:
                trained = zstandard.train_dictionary(_DICTIONARY_BYTES, samples)
                dictionary = trained.as_bytes()
            self._set_dictionary(dictionary)
        assert self._compressor is not None
        for table, content, row in self._pending:
            self._insert_row(table, row(self._compressor.compress(content)))
        self._pending = []

    def _insert_row(self, table: str, values: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * len(values))
        self._db.execute(f"insert into {table} values ({marks})", values)


class SegmentTexts:
    """The texts of a segment, opened for reading; thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the texts.

        Raises:
            IndexBrokenError: The file is missing or damaged.
        """
        self._path = path
        with self._translate_errors():
            self._db = ReadOnlyDatabase(path)
            ((dictionary,),) = self._db.query("select bytes from dictionary")
            self.dictionary = bytes(dictionary)
            self._dict = (
                zstandard.ZstdCompressionDict(self.dictionary)
                if self.dictionary
                else None
            )

    def read_passages(
        self, rows: Sequence[int]
    ) -> dict[int, tuple[int, tuple[Any, ...], str]]:
        """Return file number, location fields and text by row."""
        decompressor = zstandard.ZstdDecompressor(dict_data=self._dict)
        with self._translate_errors():
            return {
                row: (
                    file,
                    tuple(json.loads(place)),
                    _decompress(decompressor, text),
                )
                for number in rows
                for row, file, place, text in self._db.query(
                    "select * from passages where row = ?", (int(number),)
                )
            }

    def read_file_numbers(self, rows: Sequence[int]) -> dict[int, int]:
        """Return the file number by row."""
        with self._translate_errors():
            return {
                row: file
                for number in rows
                for row, file in self._db.query(
                    "select row, file from passages where row = ?", (int(number),)
                )
            }

    def read_pages(self, file: int) -> list[Page]:
        """Return the pages of a file, in order."""
        decompressor = zstandard.ZstdDecompressor(dict_data=self._dict)
        with self._translate_errors():
            rows = self._db.query(
                "select number, heading, text, label, line from pages"
                " where file = ? order by number",
                (file,),
            )
            return [
                Page(number, heading, _decompress(decompressor, text), label, line)
                for number, heading, text, label, line in rows
            ]

    def list_files(self) -> set[int]:
        """Return the numbers of the files that have a passage."""
        with self._translate_errors():
            rows = self._db.query("select distinct file from passages")
            return {file for (file,) in rows}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (*READ_ERRORS, zstandard.ZstdError) as error:
            message = f"The texts {self._path}: {error}"
            raise damaged(error, message, path=self._path) from error


def _decompress(decompressor: zstandard.ZstdDecompressor, content: bytes) -> str:
    """Return a text.

    Raises:
        ValueError: It claims a size that no text has, or is not UTF-8.
    """
    size = zstandard.frame_content_size(content)
    if size > _MAX_TEXT_BYTES:
        raise ValueError(f"a text of {size:,} bytes")
    return decompressor.decompress(content).decode()


def merge_texts(
    paths: Sequence[Path], target: Path, *, is_live: Callable[[int], bool]
) -> None:
    """Write the live texts of several segments into one file.

    Args:
        paths: Text files of the segments, in order of rows.
        target: File to write.
        is_live: Returns whether a file number still belongs to a document.
    """
    first = SegmentTexts(paths[0])
    writer = _TextWriter(target, first.dictionary)
    first.close()
    for path in paths:
        texts = SegmentTexts(path)
        decompressor = zstandard.ZstdDecompressor(dict_data=texts._dict)
        for table, number, column in (("passages", 1, 3), ("pages", 0, 3)):
            for values in texts._db.iterate(f"select * from {table}"):
                if is_live(values[number]):
                    text = decompressor.decompress(values[column]).decode()
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
