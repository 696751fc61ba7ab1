"""Resolves the names in filters: sources, and documents to search in.

Only what the reader may see is known; a hidden name gets the same answer as one that
does not exist.
"""

from dataclasses import replace

import numpy as np

from dunegpt.errors import UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.lookup import DocumentLookup
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.snapshot import Snapshot


def resolve_filters(
    filters: Filters, snapshot: Snapshot, view: ReaderView, lookup: DocumentLookup
) -> tuple[Filters, list[str]]:
    """Return filters with full source names and ids, and unknown document names.

    Raises:
        UsageError: A source is not among those that the reader may see.
    """
    sources = (
        _resolve_sources(filters.sources, snapshot, view) if filters.sources else ()
    )
    ids: list[str] = []
    unknown = []
    for name in filters.documents:
        numbers = lookup.lookup(name)
        ids += [stored.document.id for stored in lookup.get_documents(numbers)]
        unknown += [] if numbers else [name]
    return replace(filters, sources=tuple(sources), documents=tuple(ids)), unknown


def _resolve_sources(
    names: tuple[str, ...], snapshot: Snapshot, view: ReaderView
) -> list[str]:
    """Return the full names of sources that the reader may see.

    The first parts of a dotted name are enough: ``indico``.
    """
    numbers = np.unique(snapshot.documents["source"][view.find_documents_with_rows()])
    known = sorted(snapshot.manifest["sources"][number] for number in numbers.tolist())
    resolved: list[str] = []
    for name in names:
        fold = name.casefold()
        equal = [s for s in known if s.casefold() == fold]
        matches = equal or [s for s in known if s.casefold().startswith(f"{fold}.")]
        if not matches:
            there = f"there are: {', '.join(known)}" if known else "there is none"
            raise UsageError(f"No source is called {name!r}; {there}.")
        resolved += matches
    return resolved
