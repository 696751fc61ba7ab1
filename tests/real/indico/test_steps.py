"""Changes a real Indico in every way, and follows by increments.

After each increment the catalog and the overlay say what Indico says, object by object
and account by account. Time does not pass: what was read is made older instead. What
only the deeper levels of detail show is due within the time of its class, and is told
here by a change notice.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport
from dunegpt.ingest.indico import schedule as plan
from simulators.indico.commands import Clerk
from simulators.indico.server import IndicoServer
from simulators.indico.site import MEMBER, Site, site

pytestmark = pytest.mark.indico

LOOKED_OVER: tuple[tuple[str, ...], ...] = (
    (
        "edit-title",
        "edit-description",
        "edit-minutes",
        "edit-talk",
        "replace-file",
        "add-file",
        "delete-file",
        "add-talk",
        "delete-talk",
        "add-events",
    ),
    (
        "close-event",
        "close-to-board",
        "close-talk",
        "close-file",
        "close-folder",
        "move-visible",
        "move-out",
        "unpublish",
    ),
    (
        "open-event",
        "open-talk",
        "open-file",
        "open-folder",
        "close-category",
        "move-restricted",
        "move-in",
        "publish",
    ),
    (
        "reschedule",
        "reschedule-board",
        "open-category",
        "move-to-board",
        "publish-draft",
        "add-session",
        "delete-event",
    ),
    ("reschedule-board-on",),
)
DEEPER: tuple[tuple[str, ...], ...] = (
    ("add-part", "edit-session", "close-session-file"),
    ("delete-part", "close-session"),
    ("open-session", "delete-session"),
)
MARKS = ("1990-01-01", "2010-01-01", "2025-07-01", "2027-01-01", "2035-01-01")


@pytest.fixture(autouse=True)
def few_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the days of a small site, too, and not into as many slices as of a large."""
    few = [plan.DateRange(*ends) for ends in pairwise(["", *MARKS, ""])]
    monkeypatch.setattr(plan, "MAX_EVENTS", 30)
    monkeypatch.setattr(plan, "cut", lambda today, expected: few)


def test_every_change_is_followed(
    larch: Site,
    indico: IndicoServer,
    clerk: Clerk,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert larch.crawl().error == ""
    assert len(slices(larch)) == len(MARKS) + 1
    for names in LOOKED_OVER:
        for name in names:
            clerk.step(name)
        larch.age(days=1.1)
        report = follow(larch, clerk, names)
        withdrawn = [w for w in larch.hidden().values() if w == "programme withdrawn"]
        assert report.kept == len(withdrawn)
        assert (len(withdrawn) > 5) == ("unpublish" in names)
    for names in DEEPER:
        for name in names:
            clerk.step(name)
        # By then each slice is due, however far from today its days are.
        larch.age(days=31)
        follow(larch, clerk, names)
    documents = larch.documents()
    full = larch.crawl(full=True)
    assert (full.error, full.new, full.changed) == ("", 0, 0)
    assert larch.documents() == documents
    clean = site(indico, tmp_path / "clean", tiny_encoder, monkeypatch)
    assert clean.crawl().error == ""
    assert clean.documents() == documents


def follow(larch: Site, clerk: Clerk, names: Sequence[str]) -> CrawlReport:
    """Return what an increment did, after which all is as Indico says."""
    report = larch.crawl()
    assert (report.error, report.failed, report.mode) == ("", 0, "increment"), names
    try:
        larch.assert_equal(clerk.objects())
    except AssertionError as error:
        raise AssertionError(f"after {names}: {error}") from error
    return report


def slices(larch: Site) -> list[list[str | int]]:
    catalog = Catalog(larch.settings.paths.catalog)
    found: list[list[str | int]] = catalog.get_state("larch", "slices")
    catalog.close()
    return found


@pytest.mark.parametrize("way", ["full", "in a month"])
def test_what_lies_deeper_is_seen_without_a_notice(
    larch: Site, clerk: Clerk, way: str
) -> None:
    assert larch.crawl().error == ""
    for name in ("close-session", "edit-session", "add-part", "open-session"):
        clerk.step(name)
        if way == "full":
            assert larch.crawl(full=True).error == ""
        else:
            larch.age(days=31)
            assert larch.crawl().error == ""
        larch.assert_equal(clerk.objects())


@pytest.mark.smoke
def test_new_events_are_found_at_once(larch: Site, clerk: Clerk) -> None:
    """Of any year, in any category, whoever may read them; nothing is aged."""
    assert larch.crawl().error == ""
    clerk.step("add-events")
    report = larch.crawl()
    assert (report.error, report.new) == ("", 15)
    larch.assert_equal(clerk.objects())


@pytest.mark.parametrize("step", ["demote", "demote-one"])
def test_an_account_that_leaves_its_group(larch: Site, clerk: Clerk, step: str) -> None:
    """An alarm; nothing is purged; all is closed to the group, and comes back."""
    assert larch.crawl().error == ""
    before = larch.documents()
    try:
        clerk.step(step)
        larch.age(days=1.1)
        report = larch.crawl()
        assert "canary" in report.error
        assert report.removed == 0
        told = larch.overlay()
        assert not any(MEMBER in who for who in told.values())
        larch.assert_equal(clerk.objects())
        assert larch.documents().keys() | larch.hidden().keys() == before.keys()
        again = larch.crawl(full=True)
        assert "canary" in again.error
        assert larch.documents().keys() | larch.hidden().keys() == before.keys()
    finally:
        clerk.step("reinstate")
    larch.age(days=1.1)
    assert larch.crawl().error == ""
    larch.assert_equal(clerk.objects())
    assert larch.documents() == before
