"""An EDMS in memory, the settings that crawl it, and the truth to compare with."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import httpx

from dunegpt.config import Settings, SourceTable
from dunegpt.ingest import crawl as crawling
from dunegpt.ingest import edms
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.ledger import Ledger
from dunegpt.types import Document
from tests.servers.docdb_site import Killed
from tests.servers.edms_model import EdmsModel
from tests.servers.edms_soap import EdmsDoors

SECRET = "geheim-4711"
ROOT, OTHER = "CERN-0000193828", "CERN-0000198206"
GROUP = "edms:CENF-LBNF-DUNE"


class EdmsSite:
    """One EDMS, crawled by an account and looked at by a visitor."""

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
            "url": "http://edms.test",
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
        """Change settings of the source; None takes one away."""
        self.table |= options
        table = {k: v for k, v in self.table.items() if v is not None}
        sources = {"edms": SourceTable(**table)}
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
            patch.object(edms, "PoliteClient", Client),
            patch.object(crawling._Memory, "cited", named),
        ):
            return crawl("edms", self.settings, **how)

    def next_day(self, days: int = 1, **how: Any) -> CrawlReport:
        """Crawl as if the last run had been some days ago."""
        self.age(days)
        return self.crawl(**how)

    def age(self, days: int = 1) -> None:
        """Make what earlier runs remember look some days older than it is."""
        if not (self.settings.data / "catalog.db").is_file():
            return
        catalog = Catalog(self.settings.data / "catalog.db")
        ago = timedelta(days=days)
        for key in ("daily", "since"):
            if kept := catalog.recall("edms", key):
                moment = datetime.fromisoformat(kept) - ago
                catalog.remember("edms", key, moment.isoformat(timespec="seconds"))
        if kept := catalog.recall("edms", "rolled"):
            day = date.fromisoformat(kept) - ago
            catalog.remember("edms", "rolled", day.isoformat())
        for key, mark in list(catalog.recall_below("edms", "edms:")):
            catalog.remember("edms", key, _aged(mark, ago))
        catalog.close()

    def crawl_and_die(self, after: int, **how: Any) -> bool:
        """Crawl until so much is written, then die as by a SIGKILL between writes.

        Returns:
            Whether it died; else it came to its end.
        """
        count = 0
        write = Ledger._change

        @contextmanager
        def dying(catalog: Ledger) -> Iterator[Any]:
            nonlocal count
            count += 1
            if count == after + 1:
                raise Killed
            if count > after:
                yield MagicMock()  # what still runs on the way out writes nothing
                return
            with write(catalog) as db:
                yield db

        with patch.object(Ledger, "_change", dying):
            try:
                self.crawl(**how)
            except Killed:
                return True
        return False

    # ── what is there ─────────────────────────────────────────────────────────────

    def documents(self) -> dict[str, Document]:
        """Return what is in the catalog and not hidden, by id."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {d.id: d for d in catalog.documents()}
        catalog.close()
        return found

    def access(self) -> dict[str, frozenset[str]]:
        """Return the principals of all that somebody may read."""
        return {name: d.access for name, d in self.documents().items() if d.access}

    def file(self, document_id: str, name: str = "note.txt") -> Any:
        """Return a file of a document."""
        files = self.documents()[document_id].files
        return next(f for f in files if f.name == name)

    def failures(self) -> dict[str, str]:
        """Return the ledger: stage and message by id."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {f["id"]: f"{f['stage']}: {f['message']}" for f in catalog.failures()}
        catalog.close()
        return found

    def recall(self, key: str) -> Any:
        """Return what the source keeps under a key."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = catalog.recall("edms", key)
        catalog.close()
        return found

    def all_text(self) -> str:
        """Return all that is kept in the data folder, as text."""
        paths = sorted(self.settings.data.rglob("*"))
        parts = (p.read_bytes() for p in paths if p.is_file())
        return b"\n".join(parts).decode("latin-1")

    def truth(self) -> dict[str, frozenset[str]]:
        """Return whom each version is for."""
        below = self.model.below([ROOT])
        readers = dict.fromkeys(below, frozenset({GROUP}))
        found = self.model.truth("edms", readers)
        named = {c.split(":")[1] for c in self.cited}
        reach = below | named
        return {k: v for k, v in found.items() if k.split(":")[1] in reach}

    def assert_true(self) -> None:
        """Compare with the truth: no leak, nothing missing, every byte right."""
        assert self.access() == self.truth()
        for name, document in self.documents().items():
            _, number, version = name.split(":")
            own = self.model.documents.get(number, {}).get(version)
            if own is None or not document.access:
                continue
            for file in document.files:
                if file.key == "record" or not file.access:
                    continue
                body = own.files[file.name]
                assert file.sha256 == hashlib.sha256(body).hexdigest(), name
                given = self.model.given(number, version, file.name) == body
                assert ("public" in file.access) == given, (name, file.name)


def _aged(mark: Any, ago: timedelta) -> Any:
    """Return a mark with all days and times earlier."""
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
    """Return the recordings in a folder."""
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
