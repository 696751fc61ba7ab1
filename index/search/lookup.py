"""Looks up the documents that a question names, as far as the reader may see.

Documents and files that the reader may not open are never compared, so their names get
the same answer as unknown ones, after the same work.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dunegpt.ids import make_version_key, split_id
from dunegpt.index.document_names import (
    NUMBERED_SYSTEMS,
    Mention,
    collect_names,
    find_mentions,
    select_project_targets,
)
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.document_store import DocumentStore, StoredDocument
from dunegpt.text.analyzer import tokenize
from dunegpt.types import Document

_MAX_SAME_NAME = 5
"""A file name that more documents share is ambiguous and names none of them."""
_MAX_CACHED = 2000
"""Documents in the cache of one reader's index."""


@dataclass(frozen=True, slots=True)
class NamedDocuments:
    """The documents that a question names.

    Attributes:
        numbers: Document numbers, in the order of the question.
        unknown: Names that look like identifiers, but name no document that the reader
            may see.
        remaining_text: The rest of the question; empty if it has no word to search.
    """

    numbers: tuple[int, ...]
    unknown: tuple[str, ...]
    remaining_text: str


class DocumentLookup:
    """Looks up documents for one reader; safe to share between threads."""

    def __init__(self, store: DocumentStore, view: ReaderView) -> None:
        self._store = store
        self._view = view
        self._cache: dict[int, StoredDocument] = {}

    def find_named(self, question: str) -> NamedDocuments:
        """Return the documents that a question names.

        A file name counts only if the question has no other words.
        """
        named: list[int] = []
        unknown: list[str] = []
        remaining = question
        for mention in find_mentions(question):
            numbers = self._resolve_mention(mention)
            rest = remaining.replace(mention.text, " ")
            if not numbers and not tokenize(rest):
                numbers = self._find_by_file(mention)
            if numbers:
                named += numbers
                remaining = rest
            elif mention.series and self._is_series(mention):
                unknown.append(mention.text)
        return NamedDocuments(
            tuple(dict.fromkeys(named)),
            tuple(dict.fromkeys(unknown)),
            remaining if tokenize(remaining) else "",
        )

    def lookup(self, name: str) -> list[int]:
        """Return the documents with a name, in the version it gives or the newest."""
        exact = Mention(name, ((name, None),), "")
        for mention in (exact, *find_mentions(name)):
            if mention.text == name and (numbers := self._resolve_mention(mention)):
                return numbers
        return []

    def resolve(self, name: str, version: str | None) -> list[int]:
        """Return the visible documents with a name, in a version or the newest."""
        return self._resolve_mention(Mention(name, ((name.casefold(), version),), ""))

    def lookup_all_versions(self, name: str) -> list[StoredDocument]:
        """Return the documents with a name: all versions if it gives none."""
        documents = self._find_visible(name)
        for mention in find_mentions(name) if not documents else ():
            for alias, version in mention.lookups:
                documents += [
                    stored
                    for stored in self._find_visible(alias)
                    if version is None or is_same_version(_get_version(stored), version)
                ]
        return list({stored.number: stored for stored in documents}.values())

    def get_documents(self, numbers: Iterable[int]) -> Iterator[StoredDocument]:
        """Yield documents by number; recently read ones come from a cache."""
        for number in numbers:
            stored = self._cache.get(number)
            if stored is None:
                stored = self._store.get_document(number)
                if len(self._cache) >= _MAX_CACHED:
                    self._cache.clear()
                self._cache[number] = stored
            yield stored

    def find_newest(self, stored: StoredDocument) -> StoredDocument:
        """Return the newest version of a document that the reader may see."""
        newest, step, seen = stored, stored, {stored.number}
        while step.superseded_by is not None and step.superseded_by not in seen:
            seen.add(step.superseded_by)
            [step] = self.get_documents([step.superseded_by])
            if self._view.may_see(step):
                newest = step
        return newest

    def redact_document(self, stored: StoredDocument) -> Document:
        """Return a document without the files and names that the reader may not see."""

        def visible(name: str) -> str:
            return name if name and self._find_visible(name) else ""

        document = self._view.apply_revocations(stored)
        return replace(
            document,
            supersedes=visible(document.supersedes),
            parent=visible(document.parent),
        )

    def _find_visible(self, name: str) -> list[StoredDocument]:
        """Return the documents with a name that the reader may see.

        A name that no visible document has is looked for in one all the same, so that
        the time does not tell whether a hidden document or file has it.
        """
        name = name.strip().casefold()
        visible, (decoys, decoy_name) = self._view.visible_documents, self._decoys
        candidates = self._store.find_by_name(name, otherwise=decoy_name)
        numbers = [n for n in candidates if visible[n]]
        return [
            stored
            for stored in self.get_documents(numbers or decoys)
            if self._view.may_see(stored) and self._has_name(stored, name)
        ]

    def _has_name(self, stored: StoredDocument, name: str) -> bool:
        """Return whether what the reader may see of a document has a name."""
        if name in collect_names(self._view.apply_revocations(stored)):
            return True
        is_of_project = bool(select_project_targets([name.partition("-v")[0]]))
        return is_of_project and name in self._store.get_names(stored.number)

    @cached_property
    def _decoys(self) -> tuple[list[int], str]:
        """One document that the reader may see, if there is any, and its name."""
        numbers = [int(n) for n in np.flatnonzero(self._view.visible_documents)[:1]]
        names = [s.document.id.casefold() for s in self.get_documents(numbers)]
        return numbers, "".join(names)

    def _resolve_mention(self, mention: Mention) -> list[int]:
        for name, version in mention.lookups:
            if name.startswith("file "):
                continue
            by_base: dict[str, list[StoredDocument]] = {}
            for stored in self._find_visible(name):
                base = stored.document.id.rpartition(":")[0]
                key = base if _get_version(stored) else stored.document.id
                by_base.setdefault(key, []).append(stored)
            numbers = []
            for versions in by_base.values():
                wanted = version or max(
                    map(_get_version, versions), key=make_version_key
                )
                numbers += [
                    s.number
                    for s in versions
                    if is_same_version(_get_version(s), wanted)
                ]
            if numbers:
                return numbers
        return []

    def _find_by_file(self, mention: Mention) -> list[int]:
        """Return the newest versions that have a file; none if there are many."""
        numbers: dict[int, None] = {}
        for name, _ in mention.lookups:
            if name.startswith("file "):
                for stored in self._find_visible(name):
                    numbers[self._find_newest_with(stored, name)] = None
        return list(numbers) if len(numbers) <= _MAX_SAME_NAME else []

    def _find_newest_with(self, stored: StoredDocument, name: str) -> int:
        newest = self.find_newest(stored)
        has_file = name in collect_names(self._view.apply_revocations(newest))
        return newest.number if has_file else stored.number

    def _is_series(self, mention: Mention) -> bool:
        """Return whether the reader may see any document numbered in this way."""
        if mention.series in NUMBERED_SYSTEMS:
            return True
        numbered = self.get_documents(self._store.find_by_prefix(mention.series))
        return any(map(self._view.may_see, numbered))


def _get_version(stored: StoredDocument) -> str:
    """Return the version in a document's id; empty if it has none."""
    return split_id(stored.document.id)[2] or ""


def is_same_version(version: str, asked: str) -> bool:
    """Return whether a version is the one asked for; ``7.0`` is 7, ``ae`` is AE."""
    return version.upper().removesuffix(".0") == asked.upper().removesuffix(".0")
