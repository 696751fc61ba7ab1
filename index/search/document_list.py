"""Lists documents by their typed fields and the words in them, for one reader.

Only documents with a passage that the reader may find are listed and counted, so hidden
documents leave no trace. Of several versions the newest one counts that the reader may
see.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dunegpt.index.definitions import Definition, find_definitions, make_mark
from dunegpt.index.document_names import find_targets
from dunegpt.index.search.hits import find_first_rows
from dunegpt.index.search.lookup import DocumentLookup
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.vectors import Mask
from dunegpt.ingest.references import find_references
from dunegpt.text.analyzer import tokenize
from dunegpt.text.variants import find_alternatives, has_word
from dunegpt.types import FoundBy, Hit

MAX_LISTED = 50
"""Documents that a list names; it counts all."""
MAX_PASSAGES = 400
"""Passages of a document that is read whole."""
_MAX_READ = 2000
"""Documents that are read for their titles or authors."""
_MAX_ROWS = 100_000
_MAX_DEFINING = 40
_MAX_MENTIONING = 40


@dataclass(frozen=True, slots=True)
class DocumentList:
    """Documents that pass all conditions.

    Attributes:
        hits: The first passage of each, the newest document first; at most
            `MAX_LISTED`.
        count: How many documents pass.
        mentioned: How many more have the words of the topic only in their text; 0 if
            these are the ones listed.
        in_title: Whether those listed have the words of the topic in their title.
    """

    hits: tuple[Hit, ...] = ()
    count: int = 0
    mentioned: int = 0
    in_title: bool = False


@dataclass(frozen=True, slots=True)
class DocumentLister:
    """Lists the documents of a view, which filters may have narrowed."""

    snapshot: Snapshot
    view: ReaderView
    lookup: DocumentLookup

    def select(self, topic: str = "", *, all_versions: bool = False) -> DocumentList:
        """Return the documents of the view, of those with a topic the ones titled so.

        Args:
            topic: Words that stand together in title, heading or text; empty for any.
            all_versions: Whether older versions count, too.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        inside = np.zeros(len(self.snapshot.documents), bool)
        rows = self._find_rows(topic) if topic else np.flatnonzero(self.view.rows)
        inside[self.snapshot.row_document[rows]] = True
        if not all_versions:
            inside &= ~self._find_superseded()
        numbers = self._sort(np.flatnonzero(inside).tolist())
        if not topic:
            return DocumentList(self._make_hits(numbers), len(numbers))
        titled = self._select_titled(numbers, topic)
        shown = titled or numbers
        return DocumentList(
            self._make_hits(shown),
            len(shown),
            len(numbers) - len(shown),
            in_title=bool(titled),
        )

    def read_passages(self, document_id: str) -> tuple[Hit, ...]:
        """Return the passages of a document in its order; none if it is not visible."""
        found = self.lookup.lookup_all_versions(document_id)
        numbers = [s.number for s in found if s.document.id == document_id]
        rows = [
            row
            for number in numbers
            for row in self.snapshot.store.get_rows(number)
            if self.view.rows[row]
        ]
        return self.read_rows(rows[:MAX_PASSAGES])

    def find_definitions(self, short: str) -> list[tuple[Hit, Definition]]:
        """Return the passages that define an acronym, each with its definition."""
        lexical, clause = self.snapshot.lexical, self.view.lexical_filter
        rows = lexical.find_word(make_mark(short), clause, _MAX_DEFINING)
        # Snapshots made before there were marks have the words only.
        rows = rows or lexical.search(short, clause, _MAX_DEFINING)[0].tolist()
        return [
            (hit, definition)
            for hit in self.read_rows(rows)
            for definition in find_definitions(hit.passage.text)
            if definition.short.casefold() == short.casefold()
        ]

    def find_mentions(self, name: str) -> tuple[Hit, ...]:
        """Return the passages that mention a document that is missing, newest first."""
        targets = find_targets(name)
        if not targets:
            rows = self.snapshot.lexical.find_word(
                name.casefold(), self.view.lexical_filter, _MAX_MENTIONING
            )
            return self._sort_hits(self.read_rows(rows))
        found = []
        for edge in self.snapshot.references.references_to(sorted(targets)):
            for number, document_id, key in self.snapshot.store.find_owner(edge.file):
                if self.view.visible_documents[number]:
                    found += [
                        hit
                        for hit in self.read_passages(document_id)
                        if hit.passage.file_key == key and _names(hit, targets)
                    ]
            if len(found) >= _MAX_MENTIONING:
                break
        return self._sort_hits({hit.row: hit for hit in found}.values())

    def _sort_hits(self, hits: Iterable[Hit]) -> tuple[Hit, ...]:
        """Return hits of newest versions, those of the newest document first."""
        current = [hit for hit in hits if not hit.superseded_by]
        current.sort(key=lambda hit: str(hit.document.date or ""), reverse=True)
        return tuple(current)

    def count_authors(self) -> Counter[str]:
        """Return how many of the newest documents of the view each author has."""
        inside = self.view.find_documents_with_rows() & ~self._find_superseded()
        numbers = self._sort(np.flatnonzero(inside).tolist())[:_MAX_READ]
        documents = self.lookup.get_documents(numbers)
        return Counter(
            name for s in documents for name in dict.fromkeys(s.document.authors)
        )

    def count_values(self, field: str, names: str) -> Counter[str]:
        """Return how many documents of the view have each value of a field.

        Args:
            field: ``kind``, ``source`` or ``status``.
            names: Name of the list of values in the manifest.
        """
        inside = self.view.find_documents_with_rows() & ~self._find_superseded()
        numbers = self.snapshot.documents[field][inside].tolist()
        values = self.snapshot.manifest[names]
        return Counter(values[number] for number in numbers if values[number])

    def _find_rows(self, topic: str) -> Sequence[int]:
        lexical = self.snapshot.lexical
        return lexical.find_all(topic, self.view.lexical_filter, _MAX_ROWS)

    def _find_superseded(self) -> Mask:
        """Return for each document whether the reader may see a newer version."""
        visible = self.view.visible_documents
        following = dict(self.snapshot.store.list_superseded())
        superseded = np.zeros(len(self.snapshot.documents), bool)
        for number in following:
            step, seen = number, {number}
            while (step := following.get(step, -1)) not in seen and step >= 0:
                seen.add(step)
                if visible[step]:
                    superseded[number] = True
                    break
        return superseded

    def _sort(self, numbers: Iterable[int]) -> list[int]:
        """Return documents with the newest day first; undated ones come last."""
        days = self.snapshot.documents["day"]
        return sorted(numbers, key=lambda number: (-int(days[number]), number))

    def _select_titled(self, numbers: Sequence[int], topic: str) -> list[int]:
        """Return the documents whose title has all words of a topic."""
        wanted, alternatives = tokenize(topic), find_alternatives(topic)
        titled = []
        for stored in self.lookup.get_documents(numbers[:_MAX_READ]):
            present = set(tokenize(stored.document.title))
            if all(has_word(word, present, alternatives) for word in wanted):
                titled.append(stored.number)
        return titled

    def _make_hits(self, numbers: Sequence[int]) -> tuple[Hit, ...]:
        rows = find_first_rows(self.snapshot, self.view, numbers[:MAX_LISTED])
        return self.read_rows(rows)

    def read_rows(self, rows: Sequence[int]) -> tuple[Hit, ...]:
        """Return hits for visible rows, in their order."""
        hits: list[Hit] = []
        for row in rows:
            number, passage = self.snapshot.store.get_passage(row)
            [stored] = self.lookup.get_documents([number])
            newest = self.lookup.find_newest(stored)
            is_old = newest.number != number
            hits.append(
                Hit(
                    row,
                    passage,
                    self.lookup.redact_document(stored),
                    1.0,
                    len(hits) + 1,
                    FoundBy.FILTER,
                    newest.document.id if is_old else "",
                    newest.document.date if is_old else None,
                )
            )
        return tuple(hits)


def _names(hit: Hit, targets: set[str]) -> bool:
    return any(
        r.target.casefold() in targets for r in find_references(hit.passage.text)
    )
