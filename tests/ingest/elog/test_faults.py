"""A log behind a socket that goes wrong by name: nothing is lost, nothing removed."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from simulators.elog.site import LogSite
from simulators.http_server import FaultServer, Reply, Request

LASTING = ["slow", "drop", "partial", "error", "html", "endless", "drip", "forbidden"]
PASSING = ["flaky", "busy", "drop-once"]
LOGIN = ["login", "away", "unauthorized", "challenge", "mitigated"]


class Served(LogSite):
    """A log behind a real socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = FaultServer(self._answer)
        self.broken: dict[str, str] = {}
        self.once: dict[str, str] = {}
        url = f"{self.server.url}/ECL/larch"
        self.configure(url=url, timeout_s=20, max_file_mb=1, list_limit=50)

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("log", self.settings, **how)

    def _answer(self, request: Request) -> Reply | None:
        told = f"{request.path}?" + "&".join(
            f"{k}={v}" for k, v in request.query.items()
        )
        for part, fault in (self.broken | self.once).items():
            if part in told:
                self.once.pop(part, None)
                # A resource that fails once counts its own requests: by its own path.
                self.server.requests[-1] = Request(f"/{fault}", {}, {})
                return self.server._fault(fault)
        return self.model.answer(request)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    client = partial(PoliteClient, attempts=2, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    made = Served(tmp_path / "site")
    for days in range(3):
        made.model.recent(days)
    with made.server:
        yield made


@pytest.mark.slow
def test_attachments(site: Served) -> None:
    site.configure(timeout_s=0.8)
    for fault in [*LASTING, *PASSING]:
        entry = site.model.recent()
        entry.files[f"{fault}.txt"] = b"all is well\n"
        site.broken[f"n={fault}.txt"] = fault
    report = site.crawl()
    assert report.error == ""
    names = {
        f"{d.id}#{f.key}": f.name.removesuffix(".txt")
        for d in site.documents().values()
        for f in d.files
    }
    assert sorted(names[where] for where in site.failures()) == sorted(LASTING)
    site.broken.clear()
    assert site.crawl(full=True).failed == 0
    assert site.failures() == {}
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*LASTING, *LOGIN])
def test_lists(site: Served, fault: str) -> None:
    site.configure(timeout_s=0.8)
    site.crawl()
    before = site.essence()
    site.broken["xml_search"] = fault
    report = site.crawl()
    assert report.error.startswith("Source")
    assert (report.removed, report.hidden) == (0, 0)
    assert site.essence() == before
    site.broken.clear()
    assert site.crawl().error == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", PASSING)
def test_a_list_that_comes_at_the_second_time(site: Served, fault: str) -> None:
    site.once["xml_search"] = fault
    assert site.crawl().error == ""
    assert site.once == {}
    site.assert_true()


def test_a_host_is_asked_with_our_name_and_at_its_pace(site: Served) -> None:
    site.settings = site.settings.model_copy(update={"contact": "ops@larch.test"})
    site.crawl()
    for request in site.server.requests:
        agent = request.headers["user-agent"]
        assert agent.startswith("dunegpt/") and "ops@larch.test" in agent
