"""Writes the lexical index of a snapshot, and knows its fields.

One scored field holds the tokens of context line and passage, as split by
`dunegpt.text.analyzer`; access set, source, kind, status, day, document and row are
filter fields. Does not depend on what is searched for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tantivy

from dunegpt.files import link

_WRITER_BYTES = 64 << 20
_FIELDS = ("document", "access", "source", "kind", "status", "day")


@dataclass(frozen=True, slots=True)
class PassageFields:
    """The values of the filter fields of a passage, as numbers.

    Attributes:
        day: Ordinal of the document's date; 0 if it has none.
    """

    document: int
    access: int
    source: int = 0
    kind: int = 0
    status: int = 0
    day: int = 0


class LexicalWriter:
    """Writes the lexical index of a new snapshot; rows are added in order."""

    def __init__(self, folder: Path, base: Path | None = None) -> None:
        """Create the index.

        Args:
            folder: Folder to write; must not exist.
            base: Existing index to start from. Its files never change, so they are
                hard-linked.
        """
        folder.mkdir(parents=True)
        if base is None:
            index = tantivy.Index(build_schema(), path=str(folder))
        else:
            for path in base.iterdir():
                if path.suffix != ".lock":
                    link(path, folder / path.name)
            index = tantivy.Index.open(str(folder))
        register_tokenizer(index)
        # One thread, so that equal input gives equal index files.
        self._writer = index.writer(_WRITER_BYTES, 1)
        self._is_closed = False

    def add(self, row: int, tokens: Iterable[str], fields: PassageFields) -> None:
        """Add a passage: the tokens to index and the values of the filter fields."""
        entry = tantivy.Document()
        entry.add_unsigned("row", row)
        for name in _FIELDS:
            entry.add_unsigned(name, getattr(fields, name))
        entry.add_text("body", " ".join(tokens))
        self._writer.add_document(entry)

    def remove(self, document: int) -> None:
        """Remove the passages of a document."""
        query = tantivy.Query.term_set_query(build_schema(), "document", [document])
        self._writer.delete_documents_by_query(query)

    def close(self) -> None:
        """Commit the changes, and wait until they are on disk."""
        self._writer.commit()
        self._writer.wait_merging_threads()
        self._is_closed = True

    def discard(self) -> None:
        """Stop writing, so that the folder can be removed."""
        if not self._is_closed:
            self._writer.rollback()
            self._writer.wait_merging_threads()
            self._is_closed = True


@cache
def build_schema() -> tantivy.Schema:
    """Return the fields of the index."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    for name in _FIELDS:
        builder.add_unsigned_field(name, indexed=True, fast=name == "day")
    builder.add_text_field("body", tokenizer_name="words", index_option="freq")
    return builder.build()


def register_tokenizer(index: tantivy.Index) -> None:
    """Register a tokenizer that splits at white space, after `tokenize`."""
    plain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("words", plain)
