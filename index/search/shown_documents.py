"""Lists the documents that a result shows, whole or by their id alone.

These are what a source is asked about before a reader sees the result. Asks nothing.
"""

from collections.abc import Iterable, Sequence

from dunegpt.index.search.lookup import DocumentLookup
from dunegpt.ingest.access_check import ShownDocument
from dunegpt.types import Document, Hit


def list_of_hits(hits: Sequence[Hit], lookup: DocumentLookup) -> list[ShownDocument]:
    """Return the documents that hits show: their own, then those they name."""
    shown: dict[str, ShownDocument] = {}
    for hit in hits:
        name, key = hit.document.id, hit.passage.file_key
        keys = shown[name].keys if name in shown else frozenset()
        shown[name] = ShownDocument(hit.document, keys | {key})
    named = [
        name
        for hit in hits
        for name in (
            hit.superseded_by,
            hit.document.supersedes,
            hit.document.parent,
            *hit.also_in,
        )
        if name not in shown
    ]
    return [*shown.values(), *list_named(named, lookup)]


def list_of_documents(
    found: Sequence[tuple[Document, str]], lookup: DocumentLookup
) -> list[ShownDocument]:
    """Return whole documents, then those they name.

    Args:
        found: Documents, each with the id of its newest version.
        lookup: Of the reader.
    """
    whole = [
        ShownDocument(document, frozenset(file.key for file in document.files))
        for document, _ in found
    ]
    newest = [name for _, name in found]
    named = [name for d, _ in found for name in (d.supersedes, d.parent)]
    return [*whole, *list_named([*newest, *named], lookup)]


def list_named(ids: Iterable[str], lookup: DocumentLookup) -> list[ShownDocument]:
    """Return documents of which only the id is shown; empty ids are left out."""
    return [
        ShownDocument(lookup.redact_document(stored))
        for name in dict.fromkeys(filter(None, ids))
        for stored in lookup.lookup_all_versions(name)
        if stored.document.id == name
    ]
