"""A simulated EDMS with crawl settings and the expected results."""

import hashlib
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.catalog.source_state import CatalogState
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.types import Document
from simulators.edms.model import EdmsModel
from simulators.edms.soap_server import EdmsDoors
from simulators.killed import run_until_killed

SECRET = "geheim-4711"
ROOT, OTHER = "CERN-0000193828", "CERN-0000198206"
GROUP = "edms:CENF-LBNF-DUNE"


class EdmsSite:
    """An EDMS, crawled by an account and anonymously."""

    def __init__(self, folder: Path, model: EdmsModel | None = None) -> None:
        self.model = model or EdmsModel()
        if ROOT not in self.model.nodes:
            self.model.node(ROOT, "Cold electronics")
            self.model.node(OTHER, "Elsewhere")
        self.doors = EdmsDoors(self.model)
        self.cited: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, password = folder, folder / "password"
        password.touch(mode=0o600)
        password.write_text(SECRET, encoding="utf-8")
        self.table: dict[str, Any] = {
            "type": "edms",
            "transport": "soap",
            "url": "https://edms.test",
            "user": "svc",
            "password_file": str(password),
            "nodes": [ROOT],
            "principals": [GROUP],
            "delay_s": 0,
            "requests_per_hour": 0,
            "max_file_mb": 1,
        }
        self.settings = Settings(data_dir=folder / "data")
        self.configure()

    def configure(self, **options: Any) -> None:
        """Change options of the source; None removes one."""
        self.table |= options
        table = {k: v for k, v in self.table.items() if v is not None}
        sources = {"edms": SourceSettings(**table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def crawl(self, **how: Any) -> CrawlReport:
        """Crawl without a socket."""
        doors, cited = self.doors, frozenset(self.cited)

        class Client(PoliteClient):
            def __init__(self, *args: Any, **more: Any) -> None:
                quick = {"attempts": 2, "sleep": lambda seconds: None, "trust": False}
                super().__init__(*args, **(more | quick))
                self._http.close()
                self._http = httpx.Client(transport=doors.transport())

        def named(self: object, beginning: str) -> frozenset[str]:
            return frozenset(n for n in cited if n.startswith(beginning))

        with (
            patch("dunegpt.ingest.sync.PoliteClient", Client),
            patch.object(CatalogState, "cited_ids", named),
        ):
            return crawl("edms", self.settings, **how)

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
            if state := catalog.get_state("edms", key):
                moment = datetime.fromisoformat(state) - delta
                catalog.put_state("edms", key, moment.isoformat(timespec="seconds"))
        if state := catalog.get_state("edms", "rolled"):
            day = date.fromisoformat(state) - delta
            catalog.put_state("edms", "rolled", day.isoformat())
        for key, mark in list(catalog.iter_state("edms", "edms:")):
            catalog.put_state("edms", key, _aged(mark, delta))
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

    def file(self, document_id: str, name: str = "note.txt") -> Any:
        """Return a file of a document."""
        files = self.documents()[document_id].files
        return next(f for f in files if f.name == name)

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
        value = catalog.get_state("edms", key)
        catalog.close()
        return value

    def all_text(self) -> str:
        """Return the contents of all files in the data folder, as text."""
        paths = sorted(self.settings.data.rglob("*"))
        parts = (p.read_bytes() for p in paths if p.is_file())
        return b"\n".join(parts).decode("latin-1")

    def truth(self) -> dict[str, frozenset[str]]:
        """Return the expected access set of each version, by document id."""
        below = self.model.below([ROOT])
        readers = dict.fromkeys(below, frozenset({GROUP}))
        expected = self.model.truth("edms", readers)
        cited = {c.split(":")[1] for c in self.cited}
        crawled = below | cited
        return {k: v for k, v in expected.items() if k.split(":")[1] in crawled}

    def assert_true(self) -> None:
        """Assert that access sets and file contents are exactly as expected."""
        assert self.access() == self.truth()
        for name, document in self.documents().items():
            _, number, version = name.split(":")
            record = self.model.documents.get(number, {}).get(version)
            if record is None or not document.access:
                continue
            for file in document.files:
                if file.key == "record" or not file.access:
                    continue
                body = record.files[file.name]
                assert file.sha256 == hashlib.sha256(body).hexdigest(), name
                is_served = self.model.given(number, version, file.name) == body
                assert ("public" in file.access) == is_served, (name, file.name)


def _aged(mark: Any, ago: timedelta) -> Any:
    """Return crawl state with all dates and times moved back."""
    if isinstance(mark, dict):
        return {key: _aged(value, ago) for key, value in mark.items()}
    if not isinstance(mark, str):
        return mark
    try:
        if len(mark) == 10:
            return (date.fromisoformat(mark) - ago).isoformat()
        if len(mark) == 25:
            return (datetime.fromisoformat(mark) - ago).isoformat(timespec="seconds")
    except ValueError:
        pass
    return mark


def recorded(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded responses in a folder."""
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
