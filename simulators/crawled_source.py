"""A simulated source with crawl settings: crawls it, ages its state, reads the catalog.

What each system knows of its own documents and readers is in its own folder.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.types import Document
from simulators.killed import run_until_killed


@contextmanager
def folder() -> Iterator[Path]:
    """Create a temporary folder, in memory if possible: crawls write a lot."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="dunegpt-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path)


class CrawledSource:
    """A source of one name, crawled without a socket.

    Attributes:
        name: Name and type of the source.
        table: Its table in the settings.
    """

    name: str
    table: dict[str, Any]
    settings: Settings

    def transport(self) -> httpx.BaseTransport:
        """Return what answers the requests of a crawl."""
        raise NotImplementedError

    def configure(self, **options: Any) -> None:
        """Change options of the source; None removes one."""
        self.table |= options
        table = {k: v for k, v in self.table.items() if v is not None}
        sources = {self.name: SourceSettings(**table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def crawl(self, **how: Any) -> CrawlReport:
        """Crawl, asking twice at most, without a pause."""
        transport = self.transport

        class Client(PoliteClient):
            def __init__(self, *args: Any, **more: Any) -> None:
                quick = {"attempts": 2, "sleep": lambda seconds: None, "trust": False}
                super().__init__(*args, **(more | quick))
                self._http.close()
                self._http = httpx.Client(transport=transport())

        with patch("dunegpt.ingest.sync.PoliteClient", Client):
            return crawl(self.name, self.settings, **how)

    def next_day(self, days: int = 1, **how: Any) -> CrawlReport:
        """Crawl as if the last run was some days ago."""
        self.age(days)
        return self.crawl(**how)

    def age(self, days: int = 1) -> None:
        """Make the stored crawl state look this many days older."""
        if not self.settings.paths.catalog.is_file():
            return
        catalog = Catalog(self.settings.paths.catalog)
        delta = timedelta(days=days)
        for key in ("daily", "since"):
            if state := catalog.get_state(self.name, key):
                moment = datetime.fromisoformat(state) - delta
                catalog.put_state(self.name, key, moment.isoformat(timespec="seconds"))
        if state := catalog.get_state(self.name, "rolled"):
            day = date.fromisoformat(state) - delta
            catalog.put_state(self.name, "rolled", day.isoformat())
        catalog.close()

    def crawl_and_die(self, after: int, **how: Any) -> bool:
        """Crawl and be killed after some writes; return whether it was, or finished."""
        return run_until_killed(lambda: self.crawl(**how), after)

    # ── stored results ────────────────────────────────────────────────────────────

    def documents(self) -> dict[str, Document]:
        """Return the documents of the catalog that are not hidden, by id."""
        catalog = Catalog(self.settings.paths.catalog)
        documents = {d.id: d for d in catalog.iter_documents()}
        catalog.close()
        return documents

    def access(self) -> dict[str, frozenset[str]]:
        """Return the access set of each readable document, by id."""
        return {name: d.access for name, d in self.documents().items() if d.access}

    def failures(self) -> dict[str, str]:
        """Return the failures of the ledger as ``stage: message``, by id."""
        catalog = Catalog(self.settings.paths.catalog)
        failures = {
            f["id"]: f"{f['stage']}: {f['message']}" for f in catalog.failures()
        }
        catalog.close()
        return failures

    def recall(self, key: str) -> Any:
        """Return the crawl state that the source stores under a key."""
        catalog = Catalog(self.settings.paths.catalog)
        value = catalog.get_state(self.name, key)
        catalog.close()
        return value
