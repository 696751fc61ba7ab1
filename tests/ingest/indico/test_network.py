"""What is shown because of the crawler's network is for nobody, whoever sees it."""

import pytest

from dunegpt.access import PUBLIC
from simulators.http_server import Reply, Request
from simulators.indico.model import Event, File, Talk
from tests.ingest.indico.site import (
    BOARD,
    GROUP,
    MEMBER,
    NEAR,
    Site,
    assert_true,
    rich_event,
    view_of,
)

pytestmark = pytest.mark.usefixtures("accounts")

ONE = frozenset({"mia"})


def shown(site: Site, event: Event) -> dict[str, frozenset[str]]:
    """Return all of an event that is shown, and to whom."""
    return {
        key.removeprefix(f"larch:{event.number}"): access
        for key, (_, access) in view_of(site.settings.data).items()
        if key.startswith(f"larch:{event.number}")
    }


def event_with_files(site: Site, **more: object) -> Event:
    """Return an event with one file for each kind of reader."""
    event = site.model.add("Meeting", NEAR, **more)
    talk = Talk(site.model.next(), "Talk")
    for readers in (None, GROUP, ONE, frozenset({"otto"})):
        title = f"Slides for {sorted(readers or ['all'])}"
        talk.files.append(File(site.model.next(), title, readers, title))
    event.talks[talk.number] = talk
    return event


def attachments(access: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {k: a for k, a in access.items() if "#a" in k and not k.endswith("#about")}


@pytest.fixture
def marked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each folder say whether it is protected, as the real ones do."""
    folders = site.model._folders

    def own(event: Event, talk: Talk, who: str) -> list[dict[str, object]]:
        return [{"is_protected": False, **f} for f in folders(event, talk, who)]

    monkeypatch.setattr(site.model, "_folders", own)


@pytest.mark.usefixtures("marked")
def test_files_that_our_network_opens_are_for_nobody(site: Site) -> None:
    """An open folder proves that its talk is open, whatever the marks of its files."""
    event = event_with_files(site)
    site.model.opens_files = True
    report = site.crawl()
    assert report.error == ""
    access = shown(site, event)
    [talk] = event.talks
    assert access[""] == access[f"/c{talk}"] == {PUBLIC}
    assert list(attachments(access).values()) == [frozenset({PUBLIC})]
    assert "Crawl from a network that no access list" in " ".join(report.warnings)


@pytest.mark.parametrize("readers", [GROUP, frozenset({"otto"})])
@pytest.mark.usefixtures("marked")
def test_so_are_they_in_an_event_that_no_visitor_is_shown(
    site: Site, readers: frozenset[str]
) -> None:
    """All of its files are protected: whose they are cannot be told from here."""
    event = event_with_files(site, readers=readers)
    site.model.opens_files = True
    report = site.crawl()
    assert report.error == ""
    access = shown(site, event)
    assert access[""] == ({MEMBER} if readers == GROUP else {BOARD})
    assert attachments(access) == {}
    assert "full access to attachments" in " ".join(report.warnings)
    asked = [r for r in site.server.requests if r.path.startswith("/file/")]
    assert len([r for r in asked if "authorization" not in r.headers]) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("marked")
def test_files_are_opened_and_closed_again_by_a_network(site: Site) -> None:
    """Nothing else changes, and yet all are read again."""
    event, closed = event_with_files(site), event_with_files(site, readers=GROUP)
    site.crawl()
    before = view_of(site.settings.data)
    assert_true(site)
    assert len(attachments(shown(site, closed))) == 2
    site.model.opens_files = True
    assert site.crawl().error == ""
    assert len(attachments(shown(site, event))) == 1
    assert attachments(shown(site, closed)) == {}
    site.model.opens_files = False
    assert site.crawl().error == ""
    assert view_of(site.settings.data) == before


@pytest.mark.slow
def test_an_event_that_our_network_opens_is_for_nobody(site: Site) -> None:
    event = rich_event(site, readers=GROUP)
    other = rich_event(site, readers=GROUP)
    event.network = True
    report = site.crawl()
    assert report.error == ""
    closed = {k for k, t in event.talks.items() if t.readers is None}
    access = shown(site, event)
    assert "" not in access
    assert not [k for k in access if k.split("#")[0] in {f"/c{n}" for n in closed}]
    assert not any(PUBLIC in readers for readers in access.values())
    assert shown(site, other)[""] == {MEMBER}
    assert f"larch:{event.number}" in " ".join(report.warnings)
    event.network = False
    assert site.crawl().warnings == []
    assert_true(site)


def test_a_file_that_answers_neither_yes_nor_no(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = event_with_files(site, readers=GROUP)
    site.model.opens_files = True
    site.crawl()
    assert attachments(shown(site, event)) == {}
    answer = site.model.answer

    def broken(request: Request) -> Reply | None:
        is_file = request.path.startswith("/file/")
        anonymous = "authorization" not in request.headers
        return Reply(500) if is_file and anonymous else answer(request)

    monkeypatch.setattr(site.server, "_answer", broken)
    report = site.crawl(full=True)
    assert "could not be found out" in " ".join(report.warnings)
    assert attachments(shown(site, event)) == {}
