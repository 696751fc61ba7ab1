"""The filter of a lexical search: access, typed fields and days, as tantivy queries.

A search that is given one finds no passage that does not pass it. Does not depend on
what is searched for.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import tantivy

from dunegpt.index.snapshot.lexical_writer import build_schema

_LAST_DAY = 4_000_000


@dataclass(frozen=True, slots=True)
class LexicalFilter:
    """The filter that a passage must pass to be found; numbers, not names.

    Attributes:
        access: Access sets that the reader may read.
        documents: Documents to search in; None for all.
        public: Access sets that are public.
        stale: Sources whose access data is too old; only their public passages pass.
        without: Rows to exclude.
        without_documents: Documents to exclude.
        sources: Sources to search in; None for all. Likewise ``kinds`` and
            ``statuses``.
        since: First day, as an ordinal; ``until`` likewise the last day. Undated
            documents pass neither.
        visible: Number of rows that pass the filter.
        rows: The same filter as a mask over rows; None if it was not computed.
    """

    access: tuple[int, ...]
    documents: tuple[int, ...] | None = None
    public: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    without: tuple[int, ...] = ()
    without_documents: tuple[int, ...] = ()
    sources: tuple[int, ...] | None = None
    kinds: tuple[int, ...] | None = None
    statuses: tuple[int, ...] | None = None
    since: int | None = None
    until: int | None = None
    visible: int = 0
    rows: npt.NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)


def build_filter_queries(clause: LexicalFilter) -> list[tantivy.Query]:
    """Return queries that a passage has to match, all of them, to pass a filter."""
    must = [_match_any("access", clause.access)]
    for name, values in (
        ("document", clause.documents),
        ("source", clause.sources),
        ("kind", clause.kinds),
        ("status", clause.statuses),
    ):
        if values is not None:
            must.append(_match_any(name, values))
    if clause.since is not None or clause.until is not None:
        kind = tantivy.FieldType.Unsigned
        first, last = clause.since or 1, clause.until or _LAST_DAY
        days = tantivy.Query.range_query(build_schema(), "day", kind, first, last)
        must.append(days)
    if clause.stale:
        current = _exclude(_match_any("source", clause.stale))
        public = _match_any("access", clause.public)
        should = [(tantivy.Occur.Should, query) for query in (public, current)]
        must.append(tantivy.Query.boolean_query(should))
    if clause.without:
        must.append(_exclude(_match_any("row", clause.without)))
    if clause.without_documents:
        excluded = _match_any("document", clause.without_documents)
        must.append(_exclude(excluded))
    return must


def _match_any(field: str, values: tuple[int, ...]) -> tantivy.Query:
    return tantivy.Query.term_set_query(build_schema(), field, list(values))


def _exclude(query: tantivy.Query) -> tantivy.Query:
    everything = tantivy.Query.all_query()
    return tantivy.Query.boolean_query(
        [(tantivy.Occur.Must, everything), (tantivy.Occur.MustNot, query)]
    )
