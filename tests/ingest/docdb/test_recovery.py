"""A DocDB that shows too much or too little for a while: no leak, and nothing lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dunegpt.access import PUBLIC
from dunegpt.errors import ConfigError
from dunegpt.ingest.catalog.database import Catalog
from simulators.crawled_source import folder
from simulators.docdb.site import Site

CLOSED, SOME = 40, 12


@pytest.fixture
def site() -> Iterator[Site]:
    with folder() as path:
        made = Site(path)
        made.model.superiors = {("Board", "All")}
        for number in range(CLOSED):
            made.model.add(f"Closed {number}", ["Board" if number % 3 else "All"])
        for number in range(SOME):
            made.model.add(f"Open {number}")
        # A version that became public later; the older one stays closed.
        mixed = made.model.add("Mixed", ["Board"])
        made.model.add_version(mixed, "Mixed", ["All"])
        made.model.pass_days(10)
        yield made


def leaks(site: Site) -> set[tuple[str, str]]:
    """Return what somebody may read here and not at the source."""
    found = set()
    for name, access in site.access().items():
        _, number, version = name.split(":")
        readers = site.model.readers(int(number), int(version))
        allowed = {g if g == PUBLIC else f"docdb:{g}" for g in readers}
        if PUBLIC not in allowed:
            found |= {(name, principal) for principal in access - allowed}
    return found


class Broken:
    """Groups of all documents that the site has forgotten for a while."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.groups = {
            (number, version): own.groups
            for number, versions in site.model.documents.items()
            for version, own in versions.items()
        }

    def begin(self) -> None:
        for number, version in self.groups:
            self.site.model.documents[number][version].groups = frozenset()

    def end(self) -> None:
        for (number, version), groups in self.groups.items():
            if own := self.site.model.documents.get(number, {}).get(version):
                own.groups = groups


@pytest.mark.slow
@pytest.mark.parametrize("is_daily", [True, False])
@pytest.mark.parametrize("canary", [True, False])
def test_a_site_that_shows_everything_to_everybody(
    site: Site, is_daily: bool, canary: bool
) -> None:
    if canary:
        site.configure(canary=1)
    assert site.crawl().error == ""
    before = site.access()
    broken = Broken(site)
    broken.begin()
    fresh = site.model.add("Written meanwhile")
    for number in range(1, CLOSED + 1):
        site.model.documents[number][1].touched = site.model.now
    report = site.next_day() if is_daily else site.crawl()
    assert "would open to more readers" in report.error
    assert "--accept-opening" in report.hint
    assert report.held >= CLOSED
    if canary:
        assert "canary" in report.error
    # As many readers as before, and of what is new nothing is known.
    assert site.access() == before
    assert site.crawl().held >= CLOSED
    assert site.access() == before
    broken.end()
    site.model.documents[fresh][1].groups = frozenset({"Board"})
    report = site.crawl()
    assert (report.error, report.held, report.warnings) == ("", 0, [])
    assert leaks(site) == set()
    site.assert_true()


@pytest.mark.slow
def test_few_that_open_by_a_fault_close_with_the_next_lists(site: Site) -> None:
    """Fewer than the guard looks for: the lists contradict what was read."""
    site.crawl()
    broken = Broken(site)
    broken.begin()
    for number in range(1, 9):
        site.model.documents[number][1].touched = site.model.now
    report = site.crawl()
    assert report.error == ""
    broken.end()
    site.next_day()
    assert leaks(site) == set()
    site.assert_true()


@pytest.mark.slow
def test_lists_tell_first_that_all_is_open(site: Site) -> None:
    """A few documents a run are read: too few for the guard, had it no lists."""
    site.configure(lists_every_min=0)
    site.crawl()
    before = site.access()
    broken = Broken(site)
    broken.begin()
    for start in (1, 13, 25):
        for number in range(start, start + 12):
            site.model.documents[number][1].touched = site.model.now
        report = site.crawl()
        assert "public sees 41 known documents more than before" in report.error
        assert site.access() == before
    broken.end()
    assert site.crawl().error == ""
    assert site.crawl().error == ""
    site.assert_true()


@pytest.mark.slow
def test_a_clock_that_was_ahead(site: Site) -> None:
    """Lists that the wrong clock dated a year ahead are not fresh for a year."""
    site.configure(requests_per_hour=5000)
    site.crawl()
    site.age(-365)
    catalog = Catalog(site.settings.paths.catalog)
    lists = catalog.get_state("docdb", "lists")
    future = datetime.now(UTC) + timedelta(days=365)
    lists["at"] = {name: future.isoformat() for name in lists["at"]}
    catalog.put_state("docdb", "lists", lists)
    catalog.put_state("docdb", "spent", [future.timestamp()] * 5000)
    catalog.close()
    # Only the lists tell it: the list of changes does not.
    site.model.documents[CLOSED + 1][1].groups = frozenset({"Board"})
    assert site.crawl().error == ""
    assert leaks(site) == set()
    site.assert_true()


@pytest.mark.slow
def test_what_was_opened_on_purpose(site: Site) -> None:
    site.crawl()
    for number in range(1, CLOSED + 1):
        site.model.close(number, 1)
    report = site.crawl()
    assert report.held == CLOSED
    assert f"{CLOSED} to the public" in report.error
    assert site.next_day().held == CLOSED
    report = site.crawl(accept_opening=True)
    assert (report.error, report.held) == ("", 0)
    site.assert_true()
    assert site.crawl().error == ""


@pytest.mark.slow
def test_some_that_open_need_no_person(site: Site) -> None:
    site.crawl()
    for number in range(1, 16):
        site.model.close(number, 1)
    assert site.crawl().error == ""
    site.assert_true()


@pytest.mark.slow
def test_a_group_that_is_founded(site: Site) -> None:
    """A group that could read nothing so far is no sign of a fault."""
    site.doors.sessions.update({key: ["Admin", "Board"] for key in site.doors.sessions})
    site.crawl()
    for key in site.doors.sessions:
        site.doors.sessions[key] = list(site.model.groups.values())
    report = site.next_day()
    assert report.error == ""
    site.assert_true()


@pytest.mark.slow
def test_an_account_that_lost_its_groups_for_a_while(site: Site) -> None:
    site.crawl()
    before = site.access()
    full = dict(site.doors.sessions)
    for key in site.doors.sessions:
        site.doors.sessions[key] = ["Admin"]
    for each in (True, False, True):
        report = site.next_day() if each else site.crawl()
        assert report.error
        # The cause is the account: nobody is told to accept the loss first of all.
        assert "still in all its groups" in report.hint
    site.doors.sessions.update(full)
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])
    assert site.access() == before
    site.assert_true()


@pytest.mark.slow
def test_an_older_version_that_was_closed_to_us_for_a_while(site: Site) -> None:
    number = max(site.model.documents)
    site.crawl()
    full = dict(site.doors.sessions)
    for key in site.doors.sessions:
        site.doors.sessions[key] = ["Admin", "All"]
    site.model.edit(number, 2, note="read again meanwhile")
    site.next_day()
    site.doors.sessions.update(full)
    site.crawl()
    site.assert_true()


@pytest.mark.slow
def test_versions_that_few_lost_come_back_the_next_day(site: Site) -> None:
    """Too few for an alarm, so they count as gone; the latest version is as it was."""
    numbers = []
    for number in range(3):
        numbers.append(site.model.add(f"Older {number}", ["Office"]))
        site.model.add_version(numbers[-1], "Newer", ["All"])
    site.model.groups[7] = "Office"
    site.doors.sessions.update(
        {k: [*v, "Office"] for k, v in site.doors.sessions.items()}
    )
    site.crawl()
    before, full = site.access(), dict(site.doors.sessions)
    for key, groups in full.items():
        site.doors.sessions[key] = groups[:-1]
    for number in numbers:
        site.model.edit(number, 2, note="read again meanwhile")
    assert site.crawl().removed == 3
    site.doors.sessions.update(full)
    site.model.pass_days(9)
    assert site.next_day().error == ""
    assert site.access() == before


@pytest.mark.slow
def test_a_loss_that_is_accepted(site: Site) -> None:
    site.crawl()
    for key in site.doors.sessions:
        site.doors.sessions[key] = ["Admin", "All"]
    assert site.next_day().error
    report = site.crawl(accept_loss=True)
    assert report.error == ""
    assert site.crawl().error == ""
    assert not any("docdb:Board" in access for access in site.access().values())


# ── one door alone ────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_one_password_that_has_expired(site: Site) -> None:
    """The other doors go on: what is closed there is closed here."""
    site.by_passwords("All", "Board")
    assert site.crawl().error == ""
    before = site.access()
    site.doors.passwords["Board"] = "another"
    opened = CLOSED + 1
    site.model.close(opened, 1, "All")
    report = site.next_day()
    assert report.error == ""
    assert any("Board" in warning for warning in report.warnings)
    assert leaks(site) == set()
    after = site.access()
    assert before.pop(f"docdb:{opened}:1") == {PUBLIC}
    assert PUBLIC not in after.pop(f"docdb:{opened}:1")
    assert after == before
    site.doors.passwords["Board"] = site.doors.passwords["All"]
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])


@pytest.mark.slow
def test_a_login_that_has_lapsed_stops_no_public_door(site: Site) -> None:
    site.crawl()
    opened = CLOSED + 1
    site.model.close(opened, 1, "All")
    site.doors.sessions.clear()
    report = site.next_day()
    assert "leads to" in report.error
    assert PUBLIC not in site.access().get(f"docdb:{opened}:1", ())
    assert leaks(site) == set()


@pytest.mark.slow
def test_a_door_that_fails_for_long_proves_nothing(site: Site) -> None:
    site.by_passwords("All", "Board")
    site.crawl()
    site.doors.passwords["Board"] = "another"
    access = site.settings.access.model_copy(update={"max_overlay_age_h": 1e-9})
    site.settings = site.settings.model_copy(update={"access": access})
    site.next_day()
    assert not any("docdb:Board" in readers for readers in site.access().values())
    assert any("docdb:All" in readers for readers in site.access().values())


# ── canary ────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("number", [999, CLOSED + 1])
def test_a_canary_that_is_none(site: Site, number: int) -> None:
    """Never shown to us, or public: a mistake in the settings, told as such."""
    site.configure(canary=number)
    if number == 999:
        with pytest.raises(ConfigError, match="never been visible") as caught:
            site.crawl()
        assert "canary" in caught.value.hint
    else:
        report = site.crawl()
        assert "shown to the public" in report.error
        assert "choose another closed document" in report.hint
    assert site.access() == {}
    site.configure(canary=1)
    assert site.crawl().error == ""
    site.assert_true()


# ── files ─────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_file_that_the_first_door_refuses(site: Site) -> None:
    site.by_passwords("Board", "All")
    site.doors.refused = {"Board"}
    report = site.crawl()
    assert (report.error, report.failed) == ("", CLOSED - (CLOSED + 2) // 3 + 1)
    [message] = {
        m for where, m in site.failures().items() if where.startswith("docdb:2:")
    }
    assert "the door Board" in message
    assert "401" in message
    assert "would help" in message
    site.doors.refused = set()
    assert site.crawl().failed == 0
    site.assert_true()


@pytest.mark.slow
def test_a_reserved_number_is_for_nobody_once_there_is_a_version(site: Site) -> None:
    seen = site.model.add("Reserved", ["Board"], version=0)
    site.crawl()
    site.model.add_version(seen, "Published", [], version=1)
    never = site.model.add("Reserved, too", ["Board"], version=0)
    site.model.add_version(never, "Published, too", [], version=1)
    assert site.crawl().error == ""
    access = site.access()
    assert access[f"docdb:{seen}:1"] == access[f"docdb:{never}:1"] == {PUBLIC}
    # DocDB shows it to nobody any more, and does not tell whose it was.
    assert not {f"docdb:{seen}:0", f"docdb:{never}:0"} & access.keys()


@pytest.mark.slow
def test_a_file_that_is_replaced_on_the_disk(site: Site) -> None:
    """Seen by its size on the page, or by what the web server says in a full pass."""
    number = CLOSED + 1
    site.crawl()
    site.model.documents[number][1].files["note.txt"] = b"of another length now"
    assert site.crawl(full=True).fetched == 1
    site.assert_true()
    assert site.crawl(full=True).fetched == 0
    site.by_passwords("All", "Board")
    site.crawl(full=True)
    body = site.model.documents[number][1].files["note.txt"]
    site.model.documents[number][1].files["note.txt"] = body.swapcase()
    site.doors.written[f"{number}"] = site.model.now + timedelta(days=1)
    assert site.crawl(full=True).fetched == 1
    site.assert_true()
