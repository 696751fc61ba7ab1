"""A simulated EDMS with crawl settings and the expected results."""

import hashlib
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from dunegpt.config import Settings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.catalog.source_state import CatalogState
from dunegpt.ingest.crawl import CrawlReport
from simulators.crawled_source import CrawledSource
from simulators.edms.model import EdmsModel
from simulators.edms.soap_server import EdmsDoors

SECRET = "geheim-4711"
ROOT, OTHER = "CERN-0000193828", "CERN-0000198206"
GROUP = "edms:CENF-LBNF-DUNE"


class EdmsSite(CrawledSource):
    """An EDMS, crawled by an account and anonymously."""

    name = "edms"

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

    def transport(self) -> httpx.BaseTransport:
        """Return the doors."""
        return self.doors.transport()

    def crawl(self, **how: Any) -> CrawlReport:
        """Crawl; of what other sources cite, ids are taken from `cited`."""
        cited = frozenset(self.cited)

        def named(self: object, beginning: str) -> frozenset[str]:
            return frozenset(n for n in cited if n.startswith(beginning))

        with patch.object(CatalogState, "cited_ids", named):
            return super().crawl(**how)

    def age(self, days: int = 1) -> None:
        """Make the stored crawl state look this many days older."""
        super().age(days)
        if not self.settings.paths.catalog.is_file():
            return
        catalog = Catalog(self.settings.paths.catalog)
        for key, mark in list(catalog.iter_state("edms", "edms:")):
            catalog.put_state("edms", key, _aged(mark, timedelta(days=days)))
        catalog.close()

    def file(self, document_id: str, name: str = "note.txt") -> Any:
        """Return a file of a document."""
        files = self.documents()[document_id].files
        return next(f for f in files if f.name == name)

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
