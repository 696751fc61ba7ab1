"""The test Indico as a configured source, with access to its catalog."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import Access
from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.receipts.recorder import answer_with_receipt
from dunegpt.types import Document, FileRef, Finished, Outcome, Sentence
from simulators.indico.compare import Truth, difference, true_access
from simulators.indico.server import IndicoServer

MEMBER, BOARD = "larch:member", "larch:board"
ACCOUNTS = {MEMBER: ("member", "member2"), BOARD: ("board1", "board2")}
EVERYBODY = ("public", "member", "member2", "outsider", "board1", "board2")
PRINCIPALS: dict[str, list[str]] = {name: [] for name in EVERYBODY} | {
    account: [principal] for principal, held in ACCOUNTS.items() for account in held
}
"""The principals of a user with each account."""


def table(server: IndicoServer, **more: Any) -> dict[str, Any]:
    """Return the settings of `[sources.larch]`: two groups with two accounts each."""
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
    """Return the environment variables with the tokens of the accounts."""
    names = ("member", "member2", "board1", "board2", "outsider")
    return {f"LARCH_{n.upper()}": server.seed["tokens"][n] for n in names}


@dataclass(frozen=True)
class Site:
    """A configured Indico and its catalog."""

    settings: Settings
    accounts: dict[str, tuple[str, ...]] = field(default_factory=lambda: {**ACCOUNTS})

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("larch", self.settings, **how)

    def documents(self) -> dict[str, Document]:
        """Return the documents of the catalog, without bytes of files closed to all.

        Such bytes are kept for a while, in case an account lost its group for a day.
        """
        return {
            key: replace(d, files=tuple(map(_without_closed_bytes, d.files)))
            for key, d in self._stored().items()
        }

    def closed_bytes(self) -> list[str]:
        """Return the documents with stored bytes of a file that nobody may read."""
        return [
            key
            for key, document in self._stored().items()
            if any(f.sha256 for f in document.files if not f.access)
        ]

    def _stored(self) -> dict[str, Document]:
        catalog = Catalog(self.settings.paths.catalog)
        documents = {d.id.partition(":")[2]: d for d in catalog.iter_documents()}
        catalog.close()
        return documents

    def hidden(self) -> dict[str, str]:
        """Return the reason for each hidden document."""
        catalog = Catalog(self.settings.paths.catalog)
        reasons = {o.document.id: o.hidden for o in catalog.iter_observed() if o.hidden}
        catalog.close()
        return {name.partition(":")[2]: why for name, why in reasons.items()}

    def age(self, **by: float) -> None:
        """Make the stored crawl state older, as if time had passed."""
        catalog = Catalog(self.settings.paths.catalog)
        rows = catalog.get_state("larch", "slices")
        for row in rows:
            for place in (2, 3, 5):  # read_at, looked_at, glanced_at
                if row[place:] and row[place]:
                    then = datetime.fromisoformat(row[place]) - timedelta(**by)
                    row[place] = then.isoformat(timespec="seconds")
        catalog.put_state("larch", "slices", rows)
        catalog.close()

    def overlay(self) -> dict[str, list[str]]:
        """Return the access sets of documents and files in the overlay."""
        with closing(sqlite3.connect(self.settings.paths.overlay)) as db:
            rows = db.execute("select id, key, principals from access").fetchall()
        return {
            f"{name.partition(':')[2]}#{key}".removesuffix("#"): json.loads(principals)
            for name, key, principals in rows
        }

    def ask(self, question: str, reader: Access) -> tuple[Outcome, str, set[str]]:
        """Answer a question; return outcome, text and ids of the cited documents."""
        events = list(
            answer_with_receipt(AnswerRequest(question, self.settings, reader))
        )
        end = events[-1]
        assert isinstance(end, Finished)
        text = " ".join(e.text for e in events if isinstance(e, Sentence))
        cited = {c.hit.document.id for c in end.references if c.cited}
        return end.outcome, text, cited

    def assert_equal(self, truth: Truth) -> None:
        """Assert that objects, files and access sets match the truth exactly."""
        documents = self.documents()
        result = difference(documents.values(), truth, self.accounts)
        assert (result.leaked, result.missing) == ([], [])
        blobs = BlobStore(self.settings.paths.blobs)
        shown = true_access(truth, self.accounts)
        for item in truth:
            if item["key"] in shown:
                _assert_content(documents[item["key"]], item, blobs)
        overlay = self.overlay()
        assert {n: overlay.get(n) for n in shown} == {
            n: sorted(a) for n, a in shown.items()
        }
        tops = {name for name in overlay if "#" not in name}
        assert tops == {name for name in shown if "#" not in name}


def _without_closed_bytes(file: FileRef) -> FileRef:
    if file.access:
        return file
    return replace(file, sha256="", checksum="", size_bytes=None)


def _assert_content(
    document: Document, item: Mapping[str, Any], blobs: BlobStore
) -> None:
    assert document.title == " ".join(item["title"].split()), item["key"]
    assert "shown to" in document.evidence
    files = {f.key: f for f in document.files}
    if item["minutes"]:
        text = blobs.path(files["minutes"].sha256).read_text(encoding="utf-8")
        assert item["minutes_text"].split()[0] in text
    for expected in item["files"]:
        file = files.get(f"a{expected['id']}")
        if file is not None and file.access:
            assert file.name == expected["filename"]
            assert file.checksum == f"md5:{expected['md5']}"
            assert blobs.path(file.sha256).stat().st_size == expected["size"]


def site(
    server: IndicoServer,
    folder: Path,
    encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    **more: Any,
) -> Site:
    """Return the site, with its tokens set in the environment."""
    for name, token in tokens(server).items():
        monkeypatch.setenv(name, token)
    settings = Settings(
        data_dir=folder / "data",
        sources={"larch": SourceSettings(**table(server, **more))},
        embed={"model": str(encoder)},
    )
    return Site(settings)


def alone(token_env: str = "") -> dict[str, Any]:
    """Return options with one account for the members, or none at all."""
    return {
        "token_env": token_env,
        "principals": [MEMBER] if token_env else [],
        "audiences": [],
        "canary": None,
    }
