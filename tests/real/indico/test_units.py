"""A real Indico of which one part fails, or that tells more than its lists do."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from dunegpt.access import PUBLIC
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog
from simulators.indico.commands import Clerk
from simulators.indico.server import IndicoServer
from simulators.indico.site import BOARD, MEMBER, Site, site

pytestmark = pytest.mark.indico

Undo = Callable[[str], None]


@pytest.fixture
def undo(clerk: Clerk) -> Iterator[Undo]:
    """Give what notes a step that is to be done at the end."""
    steps: list[str] = []
    yield steps.append
    for step in reversed(steps):
        clerk.step(step)


def text(larch: Site, name: str, key: str = "about") -> str:
    files = {file.key: file for file in larch.documents()[name].files}
    path = BlobStore(larch.settings.paths.blobs).path(files[key].sha256)
    return path.read_text(encoding="utf-8")


def test_a_category_that_is_closed_to_one_account(
    indico: IndicoServer,
    clerk: Clerk,
    undo: Undo,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other category is crawled: what was closed in it is closed."""
    seed = indico.seed
    roots = [seed["category"], seed["categories"]["annex"]]
    larch = site(indico, tmp_path, tiny_encoder, monkeypatch, categories=roots)
    first = larch.crawl()
    assert (first.error, first.warnings) == ("", [])
    annex, doors = seed["made"]["outside"], seed["made"]["doors"]
    assert larch.documents()[annex].access == {PUBLIC}
    assert larch.documents()[doors].access == {PUBLIC}
    clerk.step("close-annex")
    undo("open-annex")
    clerk.step("close-doors")
    undo("open-doors")
    report = larch.crawl()
    assert report.error == ""
    assert f"Category {roots[1]} is closed to the account of" in report.warnings[0]
    assert "LARCH_MEMBER2" in report.warnings[0]
    documents = larch.documents()
    assert not any(
        document.access
        for name, document in documents.items()
        if name.split("/")[0] == annex
    )
    assert documents[doors].access == {MEMBER}
    clerk.step("open-annex")
    again = larch.crawl()
    assert (again.error, again.warnings) == ("", [])
    assert larch.documents()[annex].access == {PUBLIC}


def test_a_network_that_opens_attachments(
    larch: Site, indico: IndicoServer, clerk: Clerk, undo: Undo
) -> None:
    """And one that an access list names: nothing leaks, and all of it comes back."""
    assert larch.crawl().error == ""
    before = larch.documents()
    clerk.step("network-on")
    undo("network-off")
    report = larch.crawl(full=True)
    assert report.error == ""
    assert "full access to attachments" in " ".join(report.warnings)
    truth = clerk.objects()
    protected = {
        (item["key"], f"a{file['id']}")
        for item in truth
        for file in (*item["files"], *item["links"])
        if "public" not in file["readers"]
    }
    assert protected
    shown = {
        (name, file.key)
        for name, document in larch.documents().items()
        for file in document.files
        if file.access
    }
    assert not protected & shown
    clerk.step("network-off")
    assert larch.crawl(full=True).error == ""
    assert larch.documents() == before
    clerk.step("admit-network")
    undo("refuse-network")
    report = larch.crawl(full=True)
    name = indico.seed["made"]["forboard"]
    assert not larch.documents()[name].access
    assert f"larch:{name}" in " ".join(report.warnings)
    clerk.step("refuse-network")
    assert larch.crawl(full=True).error == ""
    assert larch.documents()[name].access == {BOARD}
    assert larch.documents() == before


def test_what_only_the_api_tells(
    larch: Site, indico: IndicoServer, clerk: Clerk
) -> None:
    assert larch.crawl().error == ""
    doors, talk = clerk.step("tell-more")["key"], indico.seed["made"]["door-open"]
    cancelled = clerk.step("cancel")["key"]
    session = clerk.step("add-nameless-session")["key"]
    report = larch.crawl(full=True)
    assert (report.error, report.warnings) == ("", [])
    told = "Cancelled (the event does not take place): The pump &lt;P2&gt; failed."
    assert told in text(larch, cancelled)
    assert "Organizer: The purity &lt;working&gt; group" in text(larch, cancelled)
    assert larch.documents()[cancelled].status == "Cancelled"
    assert "Cut at &lt;MeV&gt; and &gt; 3, *not* <b>2</b>." in text(larch, talk)
    assert "America/Chicago" in text(larch, doors)
    assert "09:30-09:40 Break: Coffee &lt;black&gt;, In the yard." in text(
        larch, doors, "timetable-public"
    )
    [info] = [
        file
        for file in larch.documents()[doors].files
        if file.key.startswith("info-")
        and file.access
        and "great" in text(larch, doors, file.key)
    ]
    assert "Drawn by the night shift." in text(larch, doors, info.key)
    assert info.access == {PUBLIC}
    found = larch.documents()[session]
    assert found.title == "Posters that nobody signed up for"
    assert found.access == {PUBLIC}
    assert "chess club" in text(larch, session, "minutes")
    larch.assert_equal(clerk.objects())


def test_the_hourly_look_closes_and_opens_what_is_far(
    larch: Site, clerk: Clerk, undo: Undo
) -> None:
    assert larch.crawl().error == ""
    catalog = Catalog(larch.settings.paths.catalog)
    [[*_, read_at, looked_at, events]] = [
        row[:5] for row in catalog.get_state("larch", "slices")
    ]
    days = ["", "2010-01-01", "2025-07-01", "2027-01-01", "2035-01-01", ""]
    rows = [[a, b, read_at, looked_at, events] for a, b in pairwise(days)]
    catalog.put_state("larch", "slices", rows)
    catalog.close()
    quiet = larch.crawl().requests
    for step, back in (("close-talk", "open-talk"), ("close-doors", "open-doors")):
        clerk.step(step)
        undo(back)
    larch.age(hours=1)
    looked = larch.crawl()
    assert looked.error == ""
    larch.assert_equal(clerk.objects())
    assert looked.requests > quiet
    assert larch.crawl().requests == quiet
