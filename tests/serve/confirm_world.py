"""A DocDB and an Indico behind sockets, crawled and indexed, that are asked again."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dunegpt.config import EmbedSettings, Settings, SourceSettings
from dunegpt.index.build import build
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.serve.assistant import Assistant
from simulators.docdb.site import Site
from simulators.http_server import FaultServer, Reply, Request
from simulators.indico.model import File, IndicoModel, Talk

PUBLIC, BOARD, ALL = "public", "docdb:Board", "docdb:All"
MEMBER = "indico:member"
QUESTION = "What is the drift field of the far detector?"
FIELD = b"The drift field of the far detector is 475 V/cm. It is held by a divider."
LIFETIME = b"The electron lifetime in the near detector is 12 ms after purification."
BOARD_TEXT = b"The drift field of the board's wombat detector is 999 V/cm, in secret."
TALK_TEXT = "The photon yield of the wavelength shifter is 31 per MeV in the talk."


class DocDBWorld:
    """A DocDB of a few documents, with ``confirm`` on.

    Attributes:
        delay_s: How long the site waits before an answer.
        fault: Returns another reply than the site's, if any.
        field: Number of the public document on the drift field.
        board: Number of the document of two groups.
    """

    def __init__(self, folder: Path, encoder: Path, **options: Any) -> None:
        self.site = Site(folder)
        self.model, self.delay_s = self.site.model, 0.0
        self.fault: Callable[[Request], Reply | None] = lambda request: None
        self.field = self._add("Drift field", FIELD)
        self._add("Electron lifetime", LIFETIME)
        self.board = self._add("Wombat field", BOARD_TEXT, "Board", "All")
        self.server = FaultServer(self._answer)
        self.site.doors.url = self.server.url
        url = f"{self.server.url}/cgi-bin"
        [door] = self.site.table["doors"]
        self.site.configure(url=url, doors=[door | {"url": f"{url}/sso"}], confirm=True)
        self.settings = self.site.settings.model_copy(
            update={"embed": EmbedSettings(model=str(encoder))}
        )
        self.set_access(confirm_budget_ms=3000)
        self.configure(**options)

    def configure(self, **options: Any) -> None:
        """Change options of the source."""
        self.site.table |= options
        sources = {"docdb": SourceSettings(**self.site.table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def set_access(self, **values: Any) -> None:
        """Change values of ``[access]``."""
        access = self.settings.access.model_copy(update=values)
        self.settings = self.settings.model_copy(update={"access": access})

    def make(self) -> None:
        """Crawl and index."""
        assert not self.crawl().error
        build(self.settings)

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("docdb", self.settings, **how)

    def open(self) -> Assistant:
        return Assistant(self.settings)

    def asked(self) -> list[str]:
        """Return the documents whose XML was asked for, as ``NUMBER:VERSION``."""
        return [
            f"{r.query['docid']}:{r.query.get('version', '0')}"
            for r in self.server.requests
            if r.query.get("outformat") == "xml"
        ]

    def forget_requests(self) -> None:
        self.server.requests.clear()

    def _add(self, title: str, text: bytes, *groups: str) -> int:
        number = self.model.add(title, groups)
        self.model.put_file(number, 1, "note.txt", text)
        return number

    def _answer(self, request: Request) -> Reply:
        if self.delay_s and request.query.get("outformat") == "xml":
            self.server.stopped.wait(self.delay_s)
        return self.fault(request) or self.site.doors.answer(request)

    def __enter__(self) -> "DocDBWorld":
        self.server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.__exit__(*exception)


class IndicoWorld:
    """An Indico with one meeting of the members, with ``confirm`` on.

    Attributes:
        talk: The talk, with a file.
    """

    def __init__(self, folder: Path, encoder: Path) -> None:
        self.model = IndicoModel(("mia", "mo"))
        event = self.model.add("Photon meeting", "2026-01-15")
        self.event = event
        self.file = File(self.model.next(), TALK_TEXT, frozenset({"mia", "mo"}))
        self.talk = Talk(self.model.next(), "Photon yield", files=[self.file])
        event.talks[self.talk.number] = self.talk
        self.server = FaultServer(self.model.answer)
        self.model.url = self.server.url
        tokens = []
        for name in ("mia", "mo"):
            path = folder / f"{name}.token"
            path.touch(mode=0o600)
            path.write_text(name, encoding="utf-8")
            tokens.append(str(path))
        table: dict[str, Any] = {
            "type": "indico",
            "url": self.server.url,
            "categories": [7],
            "delay_s": 0,
            "requests_per_hour": 0,
            "token_file": tokens,
            "principals": [MEMBER],
            "confirm": True,
        }
        settings = Settings(
            data_dir=folder / "data",
            sources={"indico": SourceSettings(**table)},
            embed=EmbedSettings(model=str(encoder)),
        )
        access = settings.access.model_copy(update={"confirm_budget_ms": 3000})
        self.settings = settings.model_copy(update={"access": access})

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("indico", self.settings, **how)

    def asked(self) -> list[str]:
        """Return the paths of requests for attachments, in order."""
        return [p for p in self.server.paths() if p.startswith("/export/attachments")]


def wait_until(is_true: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)
