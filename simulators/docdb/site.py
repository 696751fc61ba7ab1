"""A simulated DocDB with crawl settings and the expected results."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from dunegpt.access import PUBLIC
from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.types import Document
from simulators.docdb.endpoints import Doors
from simulators.docdb.model import DocDBModel
from simulators.killed import run_until_killed

SECRET = "geheim-4711"
SERVICE = "service-session"


@contextmanager
def folder() -> Iterator[Path]:
    """Create a temporary folder, in memory if possible: crawls write a lot."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="dunegpt-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Site:
    """A DocDB, crawled by an account in all groups and anonymously."""

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
        """Change options of the source."""
        self.table |= options
        sources = {"docdb": SourceSettings(**self.table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def by_passwords(self, *groups: str) -> None:
        """Crawl by the passwords of some groups, and anonymously."""
        path = self.cookie.with_name("password")
        path.touch(mode=0o600)
        path.write_text(SECRET, encoding="utf-8")
        self.doors.passwords = dict.fromkeys(groups, SECRET)
        url = f"{self.doors.url}/cgi-bin/private"
        entry = {"kind": "basic", "url": url, "password_file": str(path)}
        self.configure(doors=[entry | {"user": g, "group": g} for g in groups])

    def crawl(self, **how: Any) -> CrawlReport:
        """Crawl without a socket."""
        doors = self.doors

        class Client(PoliteClient):
            def __init__(self, *args: Any, **more: Any) -> None:
                quick = {"attempts": 2, "sleep": lambda seconds: None}
                super().__init__(*args, **(more | quick))
                self._http.close()
                self._http = httpx.Client(transport=doors.transport())

        with patch("dunegpt.ingest.sync.PoliteClient", Client):
            return crawl("docdb", self.settings, **how)

    def next_day(self, days: int = 1, **how: Any) -> CrawlReport:
        """Crawl as if the last run was some days ago."""
        self.age(days)
        return self.crawl(**how)

    def age(self, days: int = 1) -> None:
        """Make the stored crawl state look this many days older."""
        catalog = Catalog(self.settings.paths.catalog)
        delta = timedelta(days=days)
        for key in ("daily", "since"):
            if state := catalog.get_state("docdb", key):
                moment = datetime.fromisoformat(state) - delta
                catalog.put_state("docdb", key, moment.isoformat(timespec="seconds"))
        if state := catalog.get_state("docdb", "rolled"):
            day = date.fromisoformat(state) - delta
            catalog.put_state("docdb", "rolled", day.isoformat())
        catalog.close()

    def crawl_and_die(self, after: int, **how: Any) -> bool:
        """Crawl and be killed after some writes; return whether it was, or finished."""
        return run_until_killed(lambda: self.crawl(**how), after)

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
        value = catalog.get_state("docdb", key)
        catalog.close()
        return value

    def content(self, document: Document) -> dict[str, str]:
        """Return the hash of each file by name, without ``about``."""
        return {f.name: f.sha256 for f in document.files if f.key != "about"}

    def assert_true(self) -> None:
        """Assert that access sets and file contents are exactly as expected."""
        former = {}
        for name, access in self.access().items():
            at = tuple(map(int, name.split(":")[1:]))
            versions = self.model.documents.get(at[0], {})
            if at[1] in versions and is_former_reservation(self.model, *at):
                former[name] = access
                allowed = principals(self.model, *at)
                assert PUBLIC in allowed or access <= allowed
        shown = {k: a for k, a in self.access().items() if k not in former}
        assert shown == truth(self.model)
        for name, document in self.documents().items():
            _, number, version = name.split(":")
            own = self.model.documents[int(number)].get(int(version))
            if own and document.access and (int(version) or document.files):
                assert self.content(document) == hashes(own.files)


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file by name."""
    return {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}


def truth(model: DocDBModel) -> dict[str, frozenset[str]]:
    """Return the expected access set of each version, by document id.

    Without the numbers that were reserved before there was a first version.
    """
    expected = {}
    for number, versions in model.documents.items():
        for version in versions:
            names = principals(model, number, version)
            if names and not is_former_reservation(model, number, version):
                expected[f"docdb:{number}:{version}"] = names
    return expected


def principals(model: DocDBModel, number: int, version: int) -> frozenset[str]:
    """Return who may read a version."""
    readers = model.readers(number, version)
    return frozenset(g if g == PUBLIC else f"docdb:{g}" for g in readers)


def is_former_reservation(model: DocDBModel, number: int, version: int) -> bool:
    """Return whether a version is a reserved number that is none any more.

    DocDB shows it to nobody: its own groups are known only if it was crawled before.
    """
    return version == 0 and len(model.documents[number]) > 1
