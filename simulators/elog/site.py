"""A simulated logbook with crawl settings and the expected results."""

import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.types import Document
from simulators.elog.model import LogModel
from simulators.http_server import Request
from simulators.killed import run_until_killed

SHIFT = "log:shift"


class LogSite:
    """A logbook, crawled without a socket."""

    def __init__(self, folder: Path, model: LogModel | None = None) -> None:
        self.model = model or LogModel()
        self.table: dict[str, Any] = {
            "type": "elog",
            "url": "https://log.test/ECL/larch",
            "access": [SHIFT],
            "delay_s": 0,
            "requests_per_hour": 0,
            "list_limit": 10,
            "first_day": date(2024, 1, 1),
        }
        self.settings = Settings(data_dir=folder / "data")
        self.configure()

    def configure(self, **options: Any) -> None:
        """Change options of the source; None removes one."""
        self.table = {k: v for k, v in (self.table | options).items() if v is not None}
        sources = {"log": SourceSettings(**self.table)}
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

        with patch("dunegpt.ingest.sync.PoliteClient", Client):
            return crawl("log", self.settings, **how)

    def crawl_and_die(self, after: int, **how: Any) -> bool:
        """Crawl and be killed after some writes; return whether it was, or finished."""
        return run_until_killed(lambda: self.crawl(**how), after)

    def age(self, days: int = 1) -> None:
        """Make the stored crawl state look this many days older."""
        catalog = Catalog(self.settings.paths.catalog)
        if state := catalog.get_state("log", "rolled"):
            day = date.fromisoformat(state["day"]) - timedelta(days=days)
            catalog.put_state("log", "rolled", {**state, "day": day.isoformat()})
        catalog.close()

    def documents(self) -> dict[str, Document]:
        """Return the documents of the catalog that are not hidden, by id."""
        catalog = Catalog(self.settings.paths.catalog)
        documents = {d.id: d for d in catalog.iter_documents()}
        catalog.close()
        return documents

    def entries(self) -> set[int]:
        """Return the numbers of the visible entries."""
        numbers = (name.removeprefix("log:") for name in self.documents())
        return {int(number) for number in numbers if number.isdigit()}

    def failures(self) -> dict[str, str]:
        """Return the failures of the ledger as ``stage: message``, by id."""
        catalog = Catalog(self.settings.paths.catalog)
        failures = {
            f["id"]: f"{f['stage']}: {f['message']}" for f in catalog.failures()
        }
        catalog.close()
        return failures

    def text(self, name: str, key: str = "entry") -> str:
        """Return the stored text of a file of a document."""
        file = next(f for f in self.documents()[name].files if f.key == key)
        path = self.settings.paths.blobs / file.sha256[:2] / file.sha256
        return path.read_text(encoding="utf-8")

    def essence(self) -> dict[str, tuple[Any, ...]]:
        """Return everything visible to readers, by id."""
        return {
            name: (d.title, d.date, d.access, d.authors, [f.sha256 for f in d.files])
            for name, d in self.documents().items()
        }

    def assert_true(self) -> None:
        """Assert that entries, file contents and access sets match the logbook."""
        assert self.entries() == set(self.model.entries)
        for name, document in self.documents().items():
            assert document.access == {SHIFT}
            assert all(file.access == {SHIFT} for file in document.files)
            if document.kind != "entry":
                continue
            entry = self.model.entries[int(name.removeprefix("log:"))]
            attachments = {**entry.images, **entry.files}
            hashes = {f.name: f.sha256 for f in document.files if f.key != "entry"}
            assert hashes == {
                n: hashlib.sha256(b).hexdigest() for n, b in attachments.items()
            }
            assert entry.text in self.text(name).replace("&#x27;", "'")
            assert document.date == entry.time.date()
