"""Runs a source without a catalog: what it yields, and what it keeps."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dunegpt.ingest.items import CrawlScope, Item, KnownDocument
from dunegpt.ingest.source import Source
from dunegpt.types import Document, Failure


class DictState:
    """A source's state in a dict; what it knows is what the test says."""

    def __init__(self, known: Mapping[str, KnownDocument] | None = None) -> None:
        self.kept: dict[str, Any] = {}
        self.known = dict(known or {})
        self.named: set[str] = set()

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def put(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def items_with_prefix(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return ((k, v) for k, v in sorted(self.kept.items()) if k.startswith(prefix))

    def get_document(self, document_id: str) -> Document | None:
        return None

    def top_documents(self) -> Mapping[str, KnownDocument]:
        return self.known

    def started_at(self) -> str:
        return datetime.now(UTC).isoformat(timespec="seconds")

    def cited_ids(self, beginning: str) -> frozenset[str]:
        return frozenset(name for name in self.named if name.startswith(beginning))


def items(source: Source, scope: CrawlScope | None = None) -> list[Item]:
    return list(source.changes(scope or CrawlScope(), DictState()))


def documents(source: Source) -> dict[str, Document]:
    return {i.id: i for i in items(source) if isinstance(i, Document)}


def failures(source: Source) -> list[Failure]:
    return [i for i in items(source) if isinstance(i, Failure)]
