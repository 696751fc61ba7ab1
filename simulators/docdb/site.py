"""A simulated DocDB with crawl settings and the expected results."""

import hashlib
from pathlib import Path
from typing import Any

import httpx

from dunegpt.access import PUBLIC
from dunegpt.config import Settings
from dunegpt.types import Document
from simulators.crawled_source import CrawledSource
from simulators.docdb.endpoints import Doors
from simulators.docdb.model import DocDBModel

SECRET = "geheim-4711"
SERVICE = "service-session"


class Site(CrawledSource):
    """A DocDB, crawled by an account in all groups and anonymously."""

    name = "docdb"

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

    def by_passwords(self, *groups: str) -> None:
        """Crawl by the passwords of some groups, and anonymously."""
        path = self.cookie.with_name("password")
        path.touch(mode=0o600)
        path.write_text(SECRET, encoding="utf-8")
        self.doors.passwords = dict.fromkeys(groups, SECRET)
        url = f"{self.doors.url}/cgi-bin/private"
        entry = {"kind": "basic", "url": url, "password_file": str(path)}
        self.configure(doors=[entry | {"user": g, "group": g} for g in groups])

    def transport(self) -> httpx.BaseTransport:
        """Return the doors."""
        return self.doors.transport()

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
