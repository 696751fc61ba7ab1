"""A DocDB in memory, the settings that crawl it, and the truth to compare with."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import httpx

from dunegpt.config import Settings, SourceTable
from dunegpt.ingest import docdb
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.ledger import Ledger
from dunegpt.types import PUBLIC, Document
from tests.servers.docdb_doors import Doors
from tests.servers.docdb_model import DocDBModel

SECRET = "geheim-4711"
SERVICE = "service-session"


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder in memory, if there is such a place: a history writes much."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="dunegpt-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Killed(BaseException):
    """The process is gone: nothing that it was about to do is done."""


class Site:
    """One DocDB, crawled by an account of all groups and by the public."""

    def __init__(self, folder: Path, model: DocDBModel | None = None) -> None:
        self.model = model or DocDBModel()
        self.doors = Doors(self.model)
        self.doors.sessions[SERVICE] = list(self.model.groups.values())
        self.cookie = folder / "cookie"
        folder.mkdir(parents=True, exist_ok=True)
        self.cookie.touch(mode=0o600)
        self.cookie.write_text(f"session={SERVICE}", encoding="utf-8")
        url = f"{self.doors.url}/cgi-bin"
        door = {"kind": "cookie", "url": f"{url}/sso", "cookie_file": str(self.cookie)}
        self.table: dict[str, Any] = {
            "type": "docdb",
            "url": url,
            "doors": [door],
            "delay_s": 0,
            "requests_per_hour": 0,
            "few_documents": 0,
        }
        self.settings = Settings(data_dir=folder / "data")
        self.configure()

    def configure(self, **options: Any) -> None:
        """Change settings of the source."""
        self.table |= options
        sources = {"docdb": SourceTable(**self.table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def by_passwords(self, *groups: str) -> None:
        """Crawl by the password doors of some groups, and by the public."""
        path = self.cookie.with_name("password")
        path.touch(mode=0o600)
        path.write_text(SECRET, encoding="utf-8")
        self.doors.passwords = dict.fromkeys(groups, SECRET)
        url = f"{self.doors.url}/cgi-bin/private"
        own = {"kind": "basic", "url": url, "password_file": str(path)}
        self.configure(doors=[own | {"user": g, "group": g} for g in groups])

    def crawl(self, **how: Any) -> CrawlReport:
        """Crawl without a socket."""
        doors = self.doors

        class Client(PoliteClient):
            def __init__(self, *args: Any, **more: Any) -> None:
                quick = {"attempts": 2, "sleep": lambda seconds: None}
                super().__init__(*args, **(more | quick))
                self._http.close()
                self._http = httpx.Client(transport=doors.transport())

        with patch.object(docdb, "PoliteClient", Client):
            return crawl("docdb", self.settings, **how)

    def next_day(self, days: int = 1, **how: Any) -> CrawlReport:
        """Crawl as if the last run had been some days ago."""
        self.age(days)
        return self.crawl(**how)

    def age(self, days: int = 1) -> None:
        """Make what earlier runs remember look some days older than it is."""
        catalog = Catalog(self.settings.data / "catalog.db")
        ago = timedelta(days=days)
        for key in ("daily", "since"):
            if kept := catalog.recall("docdb", key):
                moment = datetime.fromisoformat(kept) - ago
                catalog.remember("docdb", key, moment.isoformat(timespec="seconds"))
        if kept := catalog.recall("docdb", "rolled"):
            day = date.fromisoformat(kept) - ago
            catalog.remember("docdb", "rolled", day.isoformat())
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

    def documents(self) -> dict[str, Document]:
        """Return what is in the catalog and not hidden, by id."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {d.id: d for d in catalog.documents()}
        catalog.close()
        return found

    def access(self) -> dict[str, frozenset[str]]:
        """Return the principals of all that somebody may read."""
        return {name: d.access for name, d in self.documents().items() if d.access}

    def failures(self) -> dict[str, str]:
        """Return the ledger: stage and message by id."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {f["id"]: f"{f['stage']}: {f['message']}" for f in catalog.failures()}
        catalog.close()
        return found

    def recall(self, key: str) -> Any:
        """Return what the source keeps under a key."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = catalog.recall("docdb", key)
        catalog.close()
        return found

    def content(self, document: Document) -> dict[str, str]:
        """Return the hash of each file's bytes, ``about`` left out, by name."""
        return {f.name: f.sha256 for f in document.files if f.key != "about"}

    def assert_true(self) -> None:
        """Compare with the truth: no leak, nothing missing, every byte right."""
        assert self.access() == truth(self.model)
        for name, document in self.documents().items():
            _, number, version = name.split(":")
            own = self.model.documents[int(number)].get(int(version))
            if own and document.access and (int(version) or document.files):
                assert self.content(document) == hashes(own.files)


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """Return the hash of each file by its name."""
    return {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}


def truth(model: DocDBModel) -> dict[str, frozenset[str]]:
    """Return whom each version is for.

    A reserved number is as the first version that an account of all groups is shown.
    """
    found = {}
    for number, own in model.documents.items():
        visible = model.visible(model.groups.values(), number)
        for version in own:
            shown = version
            if version == 0 and len(own) > 1:
                others = [v for v in visible if v]
                if 0 not in visible or not others:
                    continue
                shown = min(others)
            readers = model.readers(number, shown)
            names = {g if g == PUBLIC else f"docdb:{g}" for g in readers}
            if names:
                found[f"docdb:{number}:{version}"] = frozenset(names)
    return found
