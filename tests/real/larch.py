"""A site as it is configured for the real tests, and what lies in its catalog."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings, SourceTable
from dunegpt.ingest import overlay
from dunegpt.ingest.blobs import Blobs
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.serve.answer import answer
from dunegpt.types import Access, Document, FileRef, Finished, Outcome, Sentence
from tests.servers.indico import IndicoServer
from tests.servers.indico_compare import Truth, difference, true_access

MEMBER, BOARD = "larch:member", "larch:board"
ACCOUNTS = {MEMBER: ("member", "member2"), BOARD: ("board1", "board2")}
EVERYBODY = ("public", "member", "member2", "outsider", "board1", "board2")
PRINCIPALS: dict[str, list[str]] = {name: [] for name in EVERYBODY} | {
    account: [principal] for principal, held in ACCOUNTS.items() for account in held
}
"""What a person with each account holds here."""


def table(server: IndicoServer, **more: Any) -> dict[str, Any]:
    """Return `[sources.larch]`, with two accounts for each of two groups."""
    made = server.seed["made"]
    return {
        "type": "indico",
        "url": server.url,
        "categories": [server.seed["category"]],
        "delay_s": 0,
        "requests_per_hour": 0,
        "token_env": ["LARCH_MEMBER", "LARCH_MEMBER2"],
        "principals": [MEMBER],
        "canary": int(made["personnel"]),
        "audiences": [
            {
                "token_env": ["LARCH_BOARD1", "LARCH_BOARD2"],
                "principals": [BOARD],
                "canary": int(made["inside"]),
            }
        ],
        **more,
    }


def tokens(server: IndicoServer) -> dict[str, str]:
    """Return the variables that hold the tokens of the accounts."""
    names = ("member", "member2", "board1", "board2", "outsider")
    return {f"LARCH_{n.upper()}": server.seed["tokens"][n] for n in names}


@dataclass(frozen=True)
class Site:
    """One configured Indico, and what lies in its catalog."""

    settings: Settings
    accounts: dict[str, tuple[str, ...]] = field(default_factory=lambda: {**ACCOUNTS})

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("larch", self.settings, **how)

    def documents(self) -> dict[str, Document]:
        """Return what is in the catalog, the bytes of what is closed to all left out.

        They are kept for a while, in case an account lost its group for a day.
        """
        return {
            key: replace(d, files=tuple(map(_without_closed_bytes, d.files)))
            for key, d in self._stored().items()
        }

    def closed_bytes(self) -> list[str]:
        """Return the documents that have bytes of a file that nobody may read."""
        return [
            key
            for key, document in self._stored().items()
            if any(f.sha256 for f in document.files if not f.access)
        ]

    def _stored(self) -> dict[str, Document]:
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {d.id.partition(":")[2]: d for d in catalog.documents()}
        catalog.close()
        return found

    def hidden(self) -> dict[str, str]:
        """Return why each document is hidden that is."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {o.document.id: o.hidden for o in catalog.observed() if o.hidden}
        catalog.close()
        return {name.partition(":")[2]: why for name, why in found.items()}

    def age(self, **by: float) -> None:
        """Make all that was read or looked over older, as if time had passed."""
        catalog = Catalog(self.settings.data / "catalog.db")
        rows = catalog.recall("larch", "slices")
        for row in rows:
            for place in (2, 3):  # read_at, looked_at
                if row[place]:
                    then = datetime.fromisoformat(row[place]) - timedelta(**by)
                    row[place] = then.isoformat(timespec="seconds")
        catalog.remember("larch", "slices", rows)
        catalog.close()

    def overlay(self) -> dict[str, list[str]]:
        """Return the readers of documents and files by the overlay."""
        with closing(sqlite3.connect(self.settings.data / overlay.FILE)) as db:
            rows = db.execute("select id, key, principals from access").fetchall()
        return {
            f"{name.partition(':')[2]}#{key}".removesuffix("#"): json.loads(principals)
            for name, key, principals in rows
        }

    def ask(self, question: str, reader: Access) -> tuple[Outcome, str, set[str]]:
        """Return the outcome, the sentences, and the ids of the cited documents."""
        events = list(answer(question, self.settings, reader=reader))
        end = events[-1]
        assert isinstance(end, Finished)
        text = " ".join(e.text for e in events if isinstance(e, Sentence))
        cited = {c.hit.document.id for c in end.references if c.cited}
        return end.outcome, text, cited

    def assert_equal(self, truth: Truth) -> None:
        """Compare object by object and file by file: no leak, nothing missing."""
        documents = self.documents()
        found = difference(documents.values(), truth, self.accounts)
        assert (found.leaked, found.missing) == ([], [])
        blobs = Blobs(self.settings.data / "blobs")
        shown = true_access(truth, self.accounts)
        for item in truth:
            if item["key"] in shown:
                _assert_content(documents[item["key"]], item, blobs)
        told = self.overlay()
        assert {n: told.get(n) for n in shown} == {
            n: sorted(a) for n, a in shown.items()
        }
        tops = {name for name in told if "#" not in name}
        assert tops == {name for name in shown if "#" not in name}


def _without_closed_bytes(file: FileRef) -> FileRef:
    if file.access:
        return file
    return replace(file, sha256="", checksum="", size_bytes=None)


def _assert_content(document: Document, item: Mapping[str, Any], blobs: Blobs) -> None:
    assert document.title == " ".join(item["title"].split()), item["key"]
    assert "shown to" in document.evidence
    files = {f.key: f for f in document.files}
    if item["minutes"]:
        text = blobs.path(files["minutes"].sha256).read_text(encoding="utf-8")
        assert item["minutes_text"].split()[0] in text
    for wanted in item["files"]:
        file = files.get(f"a{wanted['id']}")
        if file is not None and file.access:
            assert file.name == wanted["filename"]
            assert file.checksum == f"md5:{wanted['md5']}"
            assert blobs.path(file.sha256).stat().st_size == wanted["size"]


def site(
    server: IndicoServer,
    folder: Path,
    encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    **more: Any,
) -> Site:
    """Return the site with its tokens in the environment."""
    for name, token in tokens(server).items():
        monkeypatch.setenv(name, token)
    settings = Settings(
        data_dir=folder / "data",
        sources={"larch": SourceTable(**table(server, **more))},
        embed={"model": str(encoder)},
    )
    return Site(settings)


def alone(token_env: str = "") -> dict[str, Any]:
    """Return settings with one account for the members, or with none at all."""
    return {
        "token_env": token_env,
        "principals": [MEMBER] if token_env else [],
        "audiences": [],
        "canary": None,
    }
