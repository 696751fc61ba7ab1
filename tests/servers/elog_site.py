"""A logbook in memory, the settings that crawl it, and the truth to compare with."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import httpx

from dunegpt.config import Settings, SourceTable
from dunegpt.ingest import elog
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.ledger import Ledger
from dunegpt.types import Document
from tests.servers.docdb_site import Killed
from tests.servers.elog import LogModel
from tests.servers.faults import Request

SHIFT = "log:shift"


class LogSite:
    """One log, crawled without a socket."""

    def __init__(self, folder: Path, model: LogModel | None = None) -> None:
        self.model = model or LogModel()
        self.table: dict[str, Any] = {
            "type": "elog",
            "url": "http://log.test/ECL/larch",
            "access": [SHIFT],
            "delay_s": 0,
            "requests_per_hour": 0,
            "list_limit": 10,
            "first_day": date(2024, 1, 1),
        }
        self.settings = Settings(data_dir=folder / "data")
        self.configure()

    def configure(self, **options: Any) -> None:
        """Change settings of the source; None takes one out."""
        self.table = {k: v for k, v in (self.table | options).items() if v is not None}
        sources = {"log": SourceTable(**self.table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def crawl(self, **how: Any) -> CrawlReport:
        """Crawl without a socket."""

        def answered(request: httpx.Request) -> httpx.Response:
            query = dict(httpx.QueryParams(request.url.query.decode()))
            headers = {k.lower(): v for k, v in request.headers.items()}
            reply = self.model.answer(Request(request.url.path, query, headers))
            assert reply is not None and isinstance(reply.body, bytes)
            return httpx.Response(
                reply.status, headers=reply.headers, content=reply.body
            )

        class Client(PoliteClient):
            def __init__(self, *args: Any, **more: Any) -> None:
                quick = {"attempts": 2, "sleep": lambda seconds: None}
                super().__init__(*args, **(more | quick))
                self._http.close()
                self._http = httpx.Client(transport=httpx.MockTransport(answered))

        with patch.object(elog, "PoliteClient", Client):
            return crawl("log", self.settings, **how)

    def crawl_and_die(self, after: int, **how: Any) -> bool:
        """Crawl until so much is written, then die; tell whether it died."""
        with dying(after):
            try:
                self.crawl(**how)
            except Killed:
                return True
        return False

    def age(self, days: int = 1) -> None:
        """Make what earlier runs remember look some days older than it is."""
        catalog = Catalog(self.settings.data / "catalog.db")
        if kept := catalog.recall("log", "rolled"):
            day = date.fromisoformat(kept["day"]) - timedelta(days=days)
            catalog.remember("log", "rolled", {**kept, "day": day.isoformat()})
        catalog.close()

    def documents(self) -> dict[str, Document]:
        """Return what is in the catalog and not hidden, by id."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {d.id: d for d in catalog.documents()}
        catalog.close()
        return found

    def entries(self) -> set[int]:
        """Return the numbers of the entries that are shown."""
        numbers = (name.removeprefix("log:") for name in self.documents())
        return {int(number) for number in numbers if number.isdigit()}

    def failures(self) -> dict[str, str]:
        """Return the ledger: stage and message by id."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {f["id"]: f"{f['stage']}: {f['message']}" for f in catalog.failures()}
        catalog.close()
        return found

    def text(self, name: str, key: str = "entry") -> str:
        """Return the stored text of a file of a document."""
        file = next(f for f in self.documents()[name].files if f.key == key)
        path = self.settings.data / "blobs" / file.sha256[:2] / file.sha256
        return path.read_text(encoding="utf-8")

    def essence(self) -> dict[str, tuple[Any, ...]]:
        """Return all that readers are shown, by id."""
        return {
            name: (d.title, d.date, d.access, d.authors, [f.sha256 for f in d.files])
            for name, d in self.documents().items()
        }

    def assert_true(self) -> None:
        """Compare with the log: every entry, each byte of its files, its readers."""
        assert self.entries() == set(self.model.entries)
        for name, document in self.documents().items():
            assert document.access == {SHIFT}
            assert all(file.access == {SHIFT} for file in document.files)
            if document.kind != "entry":
                continue
            entry = self.model.entries[int(name.removeprefix("log:"))]
            own = {**entry.images, **entry.files}
            got = {f.name: f.sha256 for f in document.files if f.key != "entry"}
            assert got == {n: hashlib.sha256(b).hexdigest() for n, b in own.items()}
            assert entry.text in self.text(name).replace("&#x27;", "'")
            assert document.date == entry.time.date()


@contextmanager
def dying(after: int) -> Iterator[None]:
    """Let the process be gone after so many writes: nothing more is done."""
    count, write = 0, Ledger._change

    @contextmanager
    def counted(catalog: Ledger) -> Iterator[Any]:
        nonlocal count
        count += 1
        if count == after + 1:
            raise Killed
        if count > after:
            yield MagicMock()  # what still runs on the way out writes nothing
            return
        with write(catalog) as db:
            yield db

    with patch.object(Ledger, "_change", counted):
        yield
