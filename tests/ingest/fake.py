"""A source whose content the test decides, and what a crawl of it leaves behind."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dunegpt.config import Settings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.items import CompleteListing, CrawlScope, Item, SourceState
from dunegpt.types import Document, FileRef

PUBLIC = frozenset({"public"})


class FakeSource:
    """Lists what the test put into it; a content that is an error is raised."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.contents: dict[str, bytes | Exception] = {}
        self.items: list[Item | Exception] = []
        self.scopes: list[CrawlScope] = []
        self.lists_all = True
        self.requests = 0
        self.fetched: list[str] = []
        self.ids_error: Exception | None = None
        self.closed = 0

    def add(self, number: int | str, content: bytes | Exception = b"text") -> Document:
        """Add a document with one file of a known checksum; replace an older one."""
        identity = f"fake:{number}"
        promised = content if isinstance(content, bytes) else b"promised"
        file = FileRef(
            key="a",
            name="a.txt",
            media_type="text/plain",
            url=f"https://fake.test/{number}",
            access=PUBLIC,
            checksum=f"md5:{hashlib.md5(promised).hexdigest()}",
        )
        document = Document(
            identity, self.name, "note", file.url, f"Note {number}", PUBLIC
        )
        document = replace(document, files=(file,))
        self.contents[file.url] = content
        self.drop(number)
        self.items.append(document)
        return document

    def drop(self, *numbers: int | str) -> None:
        gone = {f"fake:{number}" for number in numbers}
        self.items = [i for i in self.items if getattr(i, "id", "") not in gone]

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        self.scopes.append(scope)
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item
        if self.ids_error:
            raise self.ids_error
        if self.lists_all:
            ids = [item.id for item in self.items if isinstance(item, Document)]
            yield CompleteListing("", frozenset(ids))

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        self.fetched.append(file.url.rpartition("/")[2])
        content = self.contents[file.url]
        if isinstance(content, Exception):
            yield b"the beginning"
            raise content
        yield content

    def close(self) -> None:
        self.closed += 1


def run(settings: Settings, **options: Any) -> CrawlReport:
    return crawl("fake", settings, **options)


def counted(report: CrawlReport) -> dict[str, int]:
    names = "seen new changed unchanged removed hidden failed fetched".split()
    return {n: getattr(report, n) for n in names if getattr(report, n)}


def stored(settings: Settings) -> dict[str, Document]:
    catalog = Catalog(settings.paths.catalog)
    found = {d.id: d for d in catalog.iter_documents()}
    catalog.close()
    return found


def ledger(settings: Settings) -> list[str]:
    catalog = Catalog(settings.paths.catalog)
    found = [f"{f['id']} {f['stage']} {f['error']}" for f in catalog.failures()]
    catalog.close()
    return found


def last_run(settings: Settings) -> dict[str, Any]:
    catalog = Catalog(settings.paths.catalog)
    found = catalog.last_run("fake", good=False)
    catalog.close()
    assert found
    return found
