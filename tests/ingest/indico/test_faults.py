"""A site that goes wrong by name: the crawl survives, and the ledger says what."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.http import PoliteClient
from simulators.http_server import Reply, Request
from simulators.indico.model import File, Talk
from tests.ingest.indico.site import ACCOUNTS, NEAR, Site, assert_true, view_of

LASTING = [
    "slow",
    "drop",
    "partial",
    "error",
    "login",
    "away",
    "html",
    "endless",
    "drip",
]
LASTING += ["wrong-length", "forbidden", "not-gzip"]
PASSING = ["flaky", "busy", "drop-once"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    client = partial(PoliteClient, attempts=2, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    for name in ACCOUNTS:
        monkeypatch.setenv(f"TOKEN_{name.upper()}", name)
    with Site(tmp_path / "data") as found:
        options = found.settings.sources["larch"].model_dump()
        options |= {"timeout_s": 0.4, "max_file_mb": 1}
        sources = {"larch": SourceSettings(**options)}
        found.settings = found.settings.model_copy(update={"sources": sources})
        yield found


def ledger(site: Site) -> dict[str, str]:
    catalog = Catalog(site.settings.paths.catalog)
    found = {f["id"]: f"{f['stage']}: {f['message']}" for f in catalog.failures()}
    catalog.close()
    return found


@pytest.mark.slow
def test_files(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    event = site.model.add("Meeting", NEAR)
    by_number: dict[int, str] = {}
    for fault in ["ok", *LASTING, *PASSING]:
        talk = Talk(site.model.next(), fault)
        talk.files = [File(site.model.next(), "all is well\n")]
        by_number[talk.files[0].number] = fault
        event.talks[talk.number] = talk
    answer = site.model.answer

    def broken(request: Request) -> Reply | None:
        parts = request.path.split("/")
        if parts[1] != "file":
            return answer(request)
        # A resource that fails once counts its own requests: by its own path.
        site.server.requests[-1] = Request(f"/{by_number[int(parts[2])]}", {}, {})
        return site.server._fault(by_number[int(parts[2])])

    # All have one content: each is to be fetched all the same.
    monkeypatch.setattr(Catalog, "find_sha256", lambda *_: "")
    monkeypatch.setattr(site.server, "_answer", broken)
    report = site.crawl()
    assert report.error == ""
    failed = {
        by_number[int(where.rpartition("#a")[2])]: why
        for where, why in ledger(site).items()
    }
    assert sorted(failed) == sorted(LASTING)
    assert all(why.startswith("fetch: ") for why in failed.values())
    whole = [
        k
        for k, (sha256, _) in view_of(site.settings.data).items()
        if "#a" in k and sha256
    ]
    assert len([k for k in whole if not k.endswith("#about")]) == 1 + len(PASSING)
    monkeypatch.setattr(site.server, "_answer", answer)
    assert site.crawl().failed == 0
    assert ledger(site) == {}
    assert_true(site)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["/export/categ", "/category", "/export/event"])
@pytest.mark.parametrize("fault", [*LASTING, "challenge", "mitigated", "unauthorized"])
def test_lists(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: str, fault: str
) -> None:
    """Whatever comes where a list was due, nothing is taken for gone."""
    for number in range(3):
        site.model.add(f"Meeting {number}", NEAR)
    site.crawl()
    before = view_of(site.settings.data)
    answer = site.model.answer

    def broken(request: Request) -> Reply | None:
        if request.path.startswith(where):
            return site.server._fault(fault)
        return answer(request)

    monkeypatch.setattr(site.server, "_answer", broken)
    report = site.crawl(full=True)
    asked = where != "/export/event"
    assert bool(report.error) == asked
    assert bool(report.hint) == asked
    assert (report.removed, report.hidden) == (0, 0)
    assert view_of(site.settings.data) == before
    monkeypatch.setattr(site.server, "_answer", answer)
    assert site.crawl().error == ""
    assert_true(site)


@pytest.mark.slow
def test_one_broken_event_in_a_list_that_the_site_cannot_give(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [site.model.add(f"Meeting {n}", NEAR).number for n in range(30)]
    broken_one = numbers[17]
    answer = site.model.answer

    def broken(request: Request) -> Reply | None:
        level: Any = request.query.get("detail")
        in_list = request.path.startswith("/export/categ") and level != "events"
        by_number = request.path.startswith("/export/event")
        if in_list or (by_number and str(broken_one) in request.path.split("/")[3]):
            return site.server._fault("error")
        return answer(request)

    monkeypatch.setattr(site.server, "_answer", broken)
    report = site.crawl()
    assert (report.error, report.new) == ("", 29)
    assert list(ledger(site)) == [f"larch:{broken_one}"]
    monkeypatch.setattr(site.server, "_answer", answer)
    site.crawl()
    assert ledger(site) == {}
    assert_true(site)
