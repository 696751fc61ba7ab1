"""Answers from the typed fields of documents: lists, counts, the newest one, values.

Exact: counted is what the reader may find, sorted by date, and each document is cited.
"""

from collections.abc import Iterator, Sequence

from dunegpt.document_status import format_status
from dunegpt.index.search.document_list import DocumentList
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.statements import Statement
from dunegpt.serve.question.catalog_request import CatalogRequest, Shape
from dunegpt.serve.question.filters import combine_filters
from dunegpt.types import Chip, Hit

_MAX_COUNTED = 10
"""Documents that the answer to a question for their number names."""
_MAX_VALUES = 100
_ORDER = "author source status after until"
_KEYS = {"author": "by", "after": "since", "until": "until", "source": "in"}


def answer_request(
    request: CatalogRequest, index: ReaderIndex, filters: Sequence[Filters]
) -> list[Statement]:
    """Return the answer to a request; nothing if no document fits.

    Args:
        request: What is asked for.
        index: Index of the person who asks.
        filters: Filters that were given in addition to the question.

    Raises:
        UsageError: A source is not among those that the reader may see.
        IndexBrokenError: A part of the index cannot be read.
    """
    if request.shape is Shape.VALUES:
        return list(_tell_values(request, index, filters))
    every = [*filters, combine_filters(request.chips)]
    if request.noun == "versions" and request.topic:
        named = [*every, Filters(documents=(request.topic,))]
        if (found := index.list_documents(named)).count:
            return [_tell_newest(request, found)]
    found = index.list_documents(
        every, request.topic, all_versions=request.all_versions
    )
    if not found.count:
        return _tell_none(request, index, filters)
    if request.shape is Shape.NEWEST:
        return [_tell_newest(request, found)]
    most = len(found.hits) if request.shape is Shape.LIST else _MAX_COUNTED
    return list(_tell_list(request, found, most))


def describe_document(hit: Hit) -> str:
    """Return title, id, kind, date, authors and status of a document, as a sentence."""
    document = hit.document
    facts = [
        document.kind,
        str(document.date or "undated"),
        ", ".join(document.authors),
    ]
    if document.status:
        facts.append(format_status(document.status))
    if hit.superseded_by:
        facts.append(f"superseded by {hit.superseded_by}")
    return f"“{document.title}” ({document.id}): {', '.join(filter(None, facts))}."


def introduce_document(hit: Hit) -> str:
    """Return a sentence that introduces a document, from its metadata."""
    document = hit.document
    facts = [
        f"by {', '.join(document.authors)}" if document.authors else "",
        f"dated {document.date}" if document.date else "",
        format_status(document.status) if document.status else "",
        f"superseded by {hit.superseded_by}" if hit.superseded_by else "",
    ]
    about = ", ".join(filter(None, facts))
    return f"{document.id} is “{document.title}”{' ' if about else ''}{about}."


def _tell_list(
    request: CatalogRequest, found: DocumentList, most: int
) -> Iterator[Statement]:
    shown = found.hits[:most]
    more = f"; the newest {len(shown)} are" if found.count > len(shown) else ""
    yield Statement(f"{_describe_count(request, found)}{more}:", ())
    for hit in shown:
        yield Statement(describe_document(hit), ((hit, ""),))
    if found.mentioned:
        word = "document has" if found.mentioned == 1 else "documents have"
        yield Statement(
            f"{found.mentioned} more {word} “{request.topic}” in the text only.", ()
        )


def _tell_none(
    request: CatalogRequest, index: ReaderIndex, filters: Sequence[Filters]
) -> list[Statement]:
    """Return that there is none, if that is sure: a number was asked for, no topic."""
    if request.shape is not Shape.COUNT or request.topic or not request.chips:
        return []
    some = index.list_documents(filters)
    if not some.count:
        return []
    conditions = _describe_conditions(request, some)
    return [Statement(f"No {_get_singular(request.noun)}{conditions} is here.", ())]


def _tell_newest(request: CatalogRequest, found: DocumentList) -> Statement:
    newest, count = found.hits[0], found.count
    conditions = _describe_conditions(request, found)
    if request.noun == "versions":
        begin = "The newest version here is"
    elif count == 1:
        begin = f"The only {_get_singular(request.noun)}{conditions} is"
    else:
        begin = f"The newest of {count} {request.noun}{conditions} is"
    same_day = [
        hit for hit in found.hits[1:] if hit.document.date == newest.document.date
    ]
    text = f"{begin} {describe_document(newest)}"
    sources = [(newest, "")]
    if same_day and newest.document.date and request.noun != "versions":
        others = ", ".join(f"“{h.document.title}” ({h.document.id})" for h in same_day)
        text += f" Of the same day: {others}."
        sources += [(hit, "") for hit in same_day]
    return Statement(text, tuple(sources))


def _tell_values(
    request: CatalogRequest, index: ReaderIndex, filters: Sequence[Filters]
) -> Iterator[Statement]:
    counts = index.count_values(request.field, filters)
    if not counts:
        return
    name = {"status": "statuses"}.get(request.field, f"{request.field}s")
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    listed = ", ".join(f"{value} ({count})" for value, count in ordered[:_MAX_VALUES])
    of = {"kind": " of documents", "source": "", "status": "", "author": ""}
    noun = name if len(counts) != 1 else request.field
    yield Statement(
        f"{len(counts)} {noun}{of[request.field]}, with the number of documents:"
        f" {listed}{', ...' if len(ordered) > _MAX_VALUES else ''}.",
        (),
    )


def _describe_count(request: CatalogRequest, found: DocumentList) -> str:
    noun = request.noun if found.count != 1 else _get_singular(request.noun)
    return f"{found.count} {noun}{_describe_conditions(request, found)}"


def _describe_conditions(request: CatalogRequest, found: DocumentList) -> str:
    """Return the filters and the topic, to stand behind a noun."""
    by_words: dict[str, list[Chip]] = {}
    for chip in sorted(request.chips, key=lambda chip: _ORDER.find(chip.key)):
        if chip.key != "type":
            by_words.setdefault(chip.text, []).append(chip)
    parts = []
    for chips in by_words.values():
        texts = [_describe_chip(chip) for chip in chips]
        parts.append(
            " or ".join(texts) if chips[0].key == "status" else " ".join(texts)
        )
    if request.topic:
        place = "title" if found.in_title else "text"
        parts.append(f"with “{request.topic}” in the {place}")
    return "".join(f" {part}" for part in parts)


def _describe_chip(chip: Chip) -> str:
    if chip.key == "status":
        return f"with the status “{chip.value}”"
    return f"{_KEYS.get(chip.key, chip.key)} {chip.value}"


def _get_singular(noun: str) -> str:
    if noun == "minutes":
        return "minutes"
    if noun.endswith("ies"):
        return f"{noun.removesuffix('ies')}y"
    return noun.removesuffix("s")
