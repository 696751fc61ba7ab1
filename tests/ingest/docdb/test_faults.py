"""A DocDB that goes wrong by name: nothing is lost, and the ledger says what it was."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from simulators.docdb.site import Site
from simulators.http_server import FaultServer, Reply, Request

LASTING = ["slow", "drop", "partial", "error", "html", "endless", "drip"]
LASTING += ["forbidden", "not-gzip"]  # no length is promised that could be wrong
PASSING = ["flaky", "busy", "drop-once"]
LOGIN = ["login", "away", "unauthorized", "challenge", "mitigated"]


class Served(Site):
    """A DocDB behind a real socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = FaultServer(self._answer)
        self.broken: dict[str, str] = {}
        url = f"{self.server.url}/cgi-bin"
        self.doors.url = self.server.url
        door = self.table["doors"][0] | {"url": f"{url}/sso"}
        more = {"timeout_s": 1.0, "max_file_mb": 1}
        self.configure(url=url, doors=[door], **more)

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("docdb", self.settings, **how)

    def _answer(self, request: Request) -> Reply | None:
        told = f"{request.path}?" + "&".join(
            f"{k}={v}" for k, v in request.query.items()
        )
        for part, fault in self.broken.items():
            if part in told:
                # A resource that fails once counts its own requests: by its own path.
                self.server.requests[-1] = Request(f"/{fault}", {}, {})
                return self.server._fault(fault)
        return self.doors.answer(request)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    client = partial(PoliteClient, attempts=2, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    made = Served(tmp_path / "site")
    for number in range(3):
        made.model.add(f"A {number}", ["All"])
    made.model.add("Open")
    with made.server:
        yield made


@pytest.mark.slow
def test_files(site: Served) -> None:
    for fault in [*LASTING, *PASSING]:
        number = site.model.add(fault, ["All"])
        site.model.put_file(number, 1, f"{fault}.pdf", b"all is well\n")
        site.broken[f"filename={fault}.pdf"] = fault
    report = site.crawl()
    assert report.error == ""
    by_key = {
        f"{d.id}#{f.key}": f.name.removesuffix(".pdf")
        for d in site.documents().values()
        for f in d.files
    }
    failed = {by_key[where]: why for where, why in site.failures().items()}
    assert sorted(failed) == sorted(LASTING)
    assert all(why.startswith("fetch: ") for why in failed.values())
    site.broken.clear()
    assert site.crawl(full=True).failed == 0
    assert site.failures() == {}
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["login", "away", "unauthorized"])
def test_a_file_that_leads_to_a_login(site: Served, fault: str) -> None:
    site.broken["filename=note.txt"] = fault
    report = site.crawl()
    assert report.error.startswith("SourceLoginError")
    assert "/file.pdf" not in report.error
    site.broken.clear()
    assert site.crawl().error == ""
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["sso/ListBy?alldocs", "sso/ListBy?days"])
@pytest.mark.parametrize("fault", [*LASTING, *LOGIN])
def test_lists(site: Served, where: str, fault: str) -> None:
    """Whatever comes where a list was due, nothing is taken for gone."""
    assert site.crawl().error == ""
    before = site.access()
    site.broken[where] = fault
    report = site.crawl(full=True)
    assert report.error
    assert report.hint
    assert (report.removed, report.hidden) == (0, 0)
    assert site.access() == before
    site.broken.clear()
    assert site.crawl().error == ""
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["outformat=xml", "ShowDocument?docid=2&"])
@pytest.mark.parametrize("fault", [*LASTING, *LOGIN])
def test_documents(site: Served, where: str, fault: str) -> None:
    """One document that fails is a failure; all that fail are an error."""
    assert site.crawl().error == ""
    before = site.access()
    for number in range(4):
        site.model.add(f"More {number}")
    site.broken[where] = fault
    report = site.crawl(full=True)
    is_all = where == "outformat=xml"
    refused = {*LOGIN, "forbidden", "html"}
    assert bool(report.error) == (is_all or fault in refused)
    assert (report.removed, report.hidden) == (0, 0)
    assert before.items() <= site.access().items()
    if not report.error:
        assert "docdb:2" in site.failures()
    site.broken.clear()
    assert site.crawl().error == ""
    assert site.failures() == {}
    site.assert_true()


@pytest.mark.slow
def test_one_page_for_people_that_fails(site: Served) -> None:
    """The document is there without what only the page says."""
    site.model.edit(2, 1, status="Approved")
    answer = site.doors.answer
    site.doors.answer = _xml_only(site)  # type: ignore[method-assign]
    report = site.crawl()
    assert report.error == ""
    assert site.documents()["docdb:2:1"].status == ""
    assert list(site.failures()) == ["docdb:2#page"]
    site.doors.answer = answer  # type: ignore[method-assign]
    site.crawl(full=True)
    assert site.documents()["docdb:2:1"].status == "Approved"
    assert site.failures() == {}


def _xml_only(site: Served) -> Any:
    answer = site.doors.answer

    def xml_only(request: Request) -> Reply:
        is_page = "outformat" not in request.query and "ShowDoc" in request.path
        if is_page and request.query.get("docid") == "2":
            return Reply(404, b"<html>gone</html>", {"Content-Type": "text/html"})
        return answer(request)

    return xml_only
