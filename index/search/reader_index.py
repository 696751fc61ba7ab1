"""The index as one reader may see it: search, lookup by name, facets and runs.

The reader's access and all filters are applied inside both searches; nothing that the
reader may not open is counted, compared or named. Hidden ids and sources get the same
answer as unknown ones. A broken index raises an error; it is never reported as "no
hits". Where sources are asked before their documents are shown, what one has closed is
searched for again without it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from dunegpt.access import Access
from dunegpt.index.definitions import Definition
from dunegpt.index.passage_text import make_context_line
from dunegpt.index.search.citation_links import CitationLinks
from dunegpt.index.search.document_list import DocumentList, DocumentLister
from dunegpt.index.search.facets import Facets
from dunegpt.index.search.filter_names import resolve_filters
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.hits import (
    HitBuilder,
    RankedRows,
    SearchResult,
    find_first_rows,
)
from dunegpt.index.search.lookup import DocumentLookup, NamedDocuments
from dunegpt.index.search.query import parse_question
from dunegpt.index.search.ranking import CANDIDATES, Ranker, Ranking
from dunegpt.index.search.reader_view import MaskCache, ReaderView
from dunegpt.index.search.run_table import RunTable
from dunegpt.index.search.shown_documents import list_of_documents, list_of_hits
from dunegpt.index.search.spelling import Correction, find_corrections
from dunegpt.index.search.withdrawals import Confirmation, apply_withdrawals
from dunegpt.ingest.access_check import ShownDocument
from dunegpt.ingest.revoked_now import RevokedAccess
from dunegpt.text.analyzer import tokenize
from dunegpt.types import (
    Document,
    FoundBy,
    Hit,
    IncomingCitation,
    OutgoingCitation,
    Page,
)

_MAX_CONFIRM_ROUNDS = 4
"""Searches, each without what the ones before found closed at its source."""

ResultT = TypeVar("ResultT")


class ReaderIndex:
    """One snapshot for one reader, made by `Searcher.as_reader`.

    Safe to share between threads. It must not outlive its searcher.

    Attributes:
        snapshot: The snapshot that is searched.
        revocations: Access that was revoked since the snapshot was built.
    """

    def __init__(
        self,
        masks: MaskCache,
        ranker: Ranker,
        principals: Access,
        confirmation: Confirmation | None = None,
    ) -> None:
        self.snapshot = masks.snapshot
        self.revocations = masks.revocations
        self._ranker = ranker
        self._confirmation = confirmation
        self._withdrawn: set[RevokedAccess] = set()
        self._view = ReaderView(masks, principals)  # only copies are narrowed
        self._lookup = DocumentLookup(self.snapshot.store, self._view)

    @property
    def principals(self) -> Access:
        """The reader's principals, with ``public``."""
        return self._view.principals

    @cached_property
    def facets(self) -> Facets:
        """The authors, sources, kinds and statuses that the reader may find."""
        return Facets(self.snapshot, self._view)

    @cached_property
    def runs(self) -> RunTable:
        """The detector runs that the reader may see.

        Raises:
            IndexBrokenError: The store cannot be read.
        """
        return RunTable(self.snapshot, self._view, self._lookup)

    def search(
        self,
        question: str,
        filters: Filters | Sequence[Filters] | None = None,
        k: int = 8,
        ranking: Ranking = Ranking.FUSED,
    ) -> SearchResult:
        """Return the best passages that the reader may open.

        Args:
            question: A question or the name of a document, with typed filters if any.
                If it has only filters, the first passage of each of the newest
                matching documents is returned.
            filters: Filters in addition to the typed ones; all must match.
            k: Maximum number of hits.
            ranking: The search that ranks.

        Raises:
            UsageError: The question is empty or too long, or a filter is invalid.
            IndexBrokenError: A part of the index cannot be read.
            ConfigError: A source that is asked before its documents are shown has
                invalid settings.
        """
        return self._show_confirmed(
            lambda: self._search(question, filters, k, ranking),
            lambda result: self._list_shown(result.hits),
        )

    def find_closed(self, hits: Sequence[Hit]) -> list[int]:
        """Return which of some hits were found closed since, as places in the sequence.

        Asks no source; the answer to another question may have done so.
        """
        if self._confirmation is None or not self._confirmation.knows_closed():
            return []
        known = self._confirmation.find_known_closed(self._list_shown(hits))
        closed = [entry for entry in known if entry not in self._withdrawn]
        if not closed:
            return []
        self._withdraw(closed)
        return [place for place, hit in enumerate(hits) if not self._may_show(hit)]

    def describe_confirmation(self) -> Sequence[str]:
        """Return notes on what was shown although its source did not confirm it."""
        return self._confirmation.describe() if self._confirmation else ()

    @property
    def confirms(self) -> bool:
        """Whether sources are asked before their documents are shown."""
        return self._confirmation is not None

    def _search(
        self,
        question: str,
        filters: Filters | Sequence[Filters] | None,
        k: int,
        ranking: Ranking,
    ) -> SearchResult:
        query = parse_question(question)
        view, lookup = self._view.copy(), self._lookup
        every = [filters] if isinstance(filters, Filters) else list(filters or ())
        every.append(query.filters)
        resolved = [resolve_filters(one, self.snapshot, view, lookup) for one in every]
        unknown = tuple(name for _, names in resolved for name in names)
        if unknown:
            return SearchResult(unknown=unknown, asked=query.text, question=query.text)
        passing = [view.apply_filters(one) for one, _ in resolved]
        builder = HitBuilder(self.snapshot, view, lookup)
        if not query.text:
            found = self._list_newest(passing[-1] or [], view, max(k, CANDIDATES))
            return SearchResult(builder.build(found, k))
        named = lookup.find_named(query.text)
        result = SearchResult(
            unknown=named.unknown, asked=named.remaining_text, question=query.text
        )
        if named.numbers:
            ids = [s.document.id for s in lookup.get_documents(named.numbers)]
            found = self._ranker.rank_named(query.text, named, view, ranking)
            return replace(result, hits=builder.build(found, k), named=tuple(ids))
        if named.unknown:
            return result
        found = self._ranker.rank(query.text, view, ranking, max(k, CANDIDATES))
        notes: tuple[str, ...] = ()
        if ranking is Ranking.FUSED:
            found, notes = self._ranker.arrange(query.text, found, lookup)
        return replace(result, hits=builder.build(found, k), notes=notes)

    def get_word_weights(self, text: str) -> dict[str, float]:
        """Return the weight of each word of a text among the reader's passages."""
        return self.snapshot.lexical.get_word_weights(text, self._view.lexical_filter)

    def names_documents(self, question: str) -> bool:
        """Return whether a question names documents, known or unknown.

        Raises:
            UsageError: The question is empty or too long, or a filter is invalid.
        """
        named = self._find_named(question)
        return bool(named.numbers or named.unknown)

    def has_matches(self, *filters: Filters) -> bool:
        """Return whether the reader may find any passage that passes all filters.

        Raises:
            UsageError: A source is not among those that the reader may see.
        """
        view = self._narrow_view(filters)
        return view is not None and bool(view.rows.any())

    def find_newest(self, text: str, kind: str) -> Hit | None:
        """Return the newest passage in documents of one kind that has all words.

        Among documents of one day, the last by title, which may end with a time, and
        then by id is chosen. Returns None if no passage has all words; synonyms do not
        count.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        view = self._view.copy()
        view.apply_filters(Filters(kinds=(kind,)))
        wanted = set(tokenize(text))
        if not wanted or not view.rows.any():
            return None
        rows = self.snapshot.lexical.find_newest(text, view.lexical_filter, CANDIDATES)
        best: tuple[str, Hit] | None = None
        for row in rows:
            number, passage = self.snapshot.store.get_passage(row)
            [stored] = self._lookup.get_documents([number])
            document = self._lookup.redact_document(stored)
            day = str(document.date or "")
            if best and day < best[0][: len(day)]:
                break
            line = make_context_line(document.title, passage.heading)
            words = set(tokenize(f"{line}\n{passage.text}"))
            if not view.rows[row] or not wanted <= words:
                continue
            key = f"{day} {document.title[-18:]} {document.id:>40}"
            if best is None or key > best[0]:
                hit = Hit(row, passage, document, 1.0, 1, FoundBy.LEXICAL)
                best = key, hit
        return best[1] if best else None

    def find_documents(self, name: str) -> list[tuple[Document, str]]:
        """Return the documents with a name, each with the id of its newest version.

        All versions are returned if the name gives none. Documents, files, versions and
        parents that the reader may not open are left out.
        """

        def find() -> list[tuple[Document, str]]:
            lookup = self._lookup
            return [
                (lookup.redact_document(stored), lookup.find_newest(stored).document.id)
                for stored in lookup.lookup_all_versions(name)
            ]

        return self._show_confirmed(
            find, lambda found: list_of_documents(found, self._lookup)
        )

    def find_related(
        self, document_id: str
    ) -> tuple[list[OutgoingCitation], list[IncomingCitation]]:
        """Return the outgoing and incoming citations that the reader may see.

        Both are empty for a document that the reader may not open.
        """

        def find() -> tuple[list[OutgoingCitation], list[IncomingCitation]]:
            links = CitationLinks(self.snapshot, self._view, self._lookup)
            for stored in self._lookup.lookup_all_versions(document_id):
                if stored.document.id == document_id:
                    return links.find_cited(stored), links.find_citing(stored)
            return [], []

        def list_shown(
            found: tuple[list[OutgoingCitation], list[IncomingCitation]],
        ) -> list[ShownDocument]:
            cited = [each.document for each in found[0] if each.document]
            citing = [ShownDocument(c.document, frozenset({c.file})) for c in found[1]]
            return [*map(ShownDocument, cited), *citing]

        return self._show_confirmed(find, list_shown)

    def list_documents(
        self,
        filters: Sequence[Filters] = (),
        topic: str = "",
        *,
        all_versions: bool = False,
    ) -> DocumentList:
        """Return the documents that pass all filters and are about a topic.

        Args:
            filters: Conditions on the typed fields.
            topic: Words in the title, or in one passage; empty for any.
            all_versions: Whether superseded versions count, too.

        Raises:
            UsageError: A source is not among those that the reader may see.
            IndexBrokenError: A part of the index cannot be read.
        """

        def find() -> DocumentList:
            lister = self._make_lister(filters)
            if lister is None:
                return DocumentList()
            return lister.select(topic, all_versions=all_versions)

        return self._show_confirmed(find, lambda found: self._list_shown(found.hits))

    def read_passages(self, document_id: str) -> tuple[Hit, ...]:
        """Return the passages of a document in its order, as far as they are visible.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        return self._show_confirmed(
            lambda: self._lister.read_passages(document_id), self._list_shown
        )

    def find_named_documents(self, question: str) -> tuple[str, ...]:
        """Return the ids of the documents that a question names.

        Raises:
            UsageError: The question is empty or too long, or a filter is invalid.
        """
        named = self._find_named(question)
        return tuple(s.document.id for s in self._lookup.get_documents(named.numbers))

    def find_unknown_names(self, question: str) -> tuple[str, ...]:
        """Return the names in a question that name no document the reader may open.

        None if it names any document that is here.

        Raises:
            UsageError: The question is empty or too long, or a filter is invalid.
        """
        named = self._find_named(question)
        return () if named.numbers else named.unknown

    def find_mentions(self, name: str) -> tuple[Hit, ...]:
        """Return the passages that mention a document which is not here, newest first.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        return self._show_confirmed(
            lambda: self._lister.find_mentions(name), self._list_shown
        )

    def correct_words(self, text: str) -> tuple[str, list[Correction]]:
        """Return a text with the typing errors of its rare words mended, and these.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        found = list(find_corrections(text, self.snapshot, self._view))
        for each in reversed(found):
            end = each.start + len(each.word)
            text = f"{text[: each.start]}{each.read_as}{text[end:]}"
        return text, found

    def find_definitions(self, short: str) -> list[tuple[Hit, Definition]]:
        """Return the passages that define an acronym, best first.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        return self._show_confirmed(
            lambda: self._lister.find_definitions(short),
            lambda found: self._list_shown([hit for hit, _ in found]),
        )

    def count_values(self, field: str, filters: Sequence[Filters] = ()) -> Counter[str]:
        """Return how many documents have each value of a field, as the reader sees it.

        Args:
            field: ``author``, ``kind``, ``source`` or ``status``.
            filters: Conditions on the typed fields.

        Raises:
            UsageError: A source is not among those that the reader may see.
            IndexBrokenError: A part of the index cannot be read.
        """
        lister = self._make_lister(filters)
        if lister is None:
            return Counter()
        if field == "author":
            return lister.count_authors()
        names = {"kind": "kinds", "source": "sources", "status": "statuses"}
        return lister.count_values(field, names[field])

    def get_pages(self, document: Document, key: str) -> list[Page]:
        """Return the pages of a file; none if it is not among the document's files.

        Args:
            document: A document from this index, with the files that are readable.
            key: Key of the file.
        """
        if all(file.key != key for file in document.files):
            return []
        return self.snapshot.store.get_pages(document.id, key)

    # ── asking sources before their documents are shown ───────────────────────────

    def _show_confirmed(
        self,
        find: Callable[[], ResultT],
        list_shown: Callable[[ResultT], list[ShownDocument]],
    ) -> ResultT:
        """Return what is found once no document in it was found closed at its source.

        Args:
            find: Finds what the reader may see by the present view.
            list_shown: Returns the documents that a result shows.
        """
        if self._confirmation is None:
            return find()
        for _ in range(_MAX_CONFIRM_ROUNDS):
            result = find()
            closed = self._confirmation.find_closed(list_shown(result))
            if not closed:
                return result
            self._withdraw(closed)
        return find()

    def _withdraw(self, closed: Sequence[RevokedAccess]) -> None:
        """Narrow the view by what was found closed at its source."""
        folder = self.snapshot.folder
        self.revocations = apply_withdrawals(self.revocations, folder, closed)
        self._withdrawn.update(closed)
        masks = MaskCache(self.snapshot, self.revocations)
        self._view = ReaderView(masks, self._view.principals)
        self._lookup = DocumentLookup(self.snapshot.store, self._view)
        for name in ("facets", "runs"):
            self.__dict__.pop(name, None)

    def _list_shown(self, hits: Sequence[Hit]) -> list[ShownDocument]:
        return list_of_hits(hits, self._lookup)

    def _may_show(self, hit: Hit) -> bool:
        """Return whether the reader may still open the file of a hit."""
        for stored in self._lookup.lookup_all_versions(hit.document.id):
            if stored.document.id == hit.document.id:
                return self._view.may_open(stored, hit.passage.file_key)
        return False

    @property
    def _lister(self) -> DocumentLister:
        """A lister of all that the reader may find, by the present view."""
        return DocumentLister(self.snapshot, self._view, self._lookup)

    def _make_lister(self, filters: Sequence[Filters]) -> DocumentLister | None:
        """Return a lister of what passes filters; None if a document is unknown."""
        view = self._narrow_view(filters)
        return DocumentLister(self.snapshot, view, self._lookup) if view else None

    def _narrow_view(self, filters: Sequence[Filters]) -> ReaderView | None:
        """Return the view of what passes filters; None if a document is unknown.

        Raises:
            UsageError: A source is not among those that the reader may see.
        """
        view = self._view.copy()
        for one in filters:
            resolved, unknown = resolve_filters(one, self.snapshot, view, self._lookup)
            if unknown:
                return None
            view.apply_filters(resolved)
        return view

    def _find_named(self, question: str) -> NamedDocuments:
        """Return the documents that a question names.

        Raises:
            UsageError: The question is empty or too long, or a filter is invalid.
        """
        return self._lookup.find_named(parse_question(question).text)

    def _list_newest(
        self, documents: list[int], view: ReaderView, most: int
    ) -> RankedRows:
        """Return the first visible row of up to ``most`` documents, in order."""
        inside = view.find_documents_with_rows()
        numbers = [number for number in documents if inside[number]]
        rows = np.array(find_first_rows(self.snapshot, view, numbers[:most]), np.int64)
        return RankedRows(rows, np.zeros(len(rows), np.float32), FoundBy.FILTER)
