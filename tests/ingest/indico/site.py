"""A site in memory that the tests crawl, and the truth about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dunegpt.access import PUBLIC, intersect_access
from dunegpt.config import Settings, SourceSettings
from dunegpt.datadir import DataDir
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from simulators.http_server import FaultServer, Reply, Request
from simulators.indico.model import Event, File, IndicoModel, Session, Talk
from simulators.killed import run_until_killed

ACCOUNTS = ("mia", "mo", "otto")
MEMBER, BOARD = "larch:member", "larch:board"
AUDIENCES = {MEMBER: ("mia", "mo"), BOARD: ("otto",)}
TODAY = datetime.now(UTC).date()
NEAR = (TODAY - timedelta(days=2)).isoformat()
"""A day that each increment reads, in every time zone and for days to come."""
AHEAD = (TODAY + timedelta(days=1200)).isoformat()
DAYS = ["1985-05-05", "2011-12-31", "2024-06-01", NEAR, AHEAD]
GROUP = frozenset({"mia", "mo"})


class Site:
    """A site in memory behind a real socket, and the settings that crawl it."""

    def __init__(self, folder: Path, model: IndicoModel | None = None) -> None:
        self.model = model or IndicoModel(ACCOUNTS)
        self.server = FaultServer(self._answer)
        table = {
            "type": "indico",
            "url": self.server.url,
            "categories": [7],
            "delay_s": 0,
            "requests_per_hour": 0,
            "token_env": ["TOKEN_MIA", "TOKEN_MO"],
            "principals": [MEMBER],
            "audiences": [{"principals": [BOARD], "token_env": "TOKEN_OTTO"}],
        }
        self.model.url = self.server.url
        source = SourceSettings(**table)
        self.settings = Settings(data_dir=folder, sources={"larch": source})

    def _answer(self, request: Request) -> Reply:
        return self.model.answer(request)

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("larch", self.settings, **how)

    def crawl_and_die(self, after: int, **how: Any) -> bool:
        """Crawl and be killed after some writes; return whether it was, or finished."""
        return run_until_killed(lambda: self.crawl(**how), after)

    def __enter__(self) -> "Site":
        self.server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.__exit__(*exception)


View = dict[str, tuple[str, frozenset[str]]]


def view_of(data: Path) -> View:
    """Return all that is shown: titles and hashes, each with its readers."""
    catalog = Catalog(DataDir(data).catalog)
    found: View = {}
    for document in catalog.iter_documents():
        if document.access:
            found[document.id] = document.title, document.access
        for file in document.files:
            if access := intersect_access(document.access, file.access):
                found[f"{document.id}#{file.key}"] = file.sha256, access
    catalog.close()
    return found


def truth(model: IndicoModel) -> dict[str, frozenset[str]]:
    """Return whom each object is for, by what the accounts may see."""
    seen = {who: model.visible(who).keys() for who in ("", *ACCOUNTS)}
    found: dict[str, frozenset[str]] = {}
    for key in set().union(*seen.values()):
        groups = {g for g, own in AUDIENCES.items() if all(key in seen[a] for a in own)}
        access = {PUBLIC} if key in seen[""] else groups
        if access:
            found[f"larch:{key}"] = frozenset(access)
    return found


def assert_true(site: Site) -> None:
    """Compare with the truth: no leak, nothing missing."""
    shown = {
        key: access
        for key, (_, access) in view_of(site.settings.data).items()
        if "#" not in key or "#a" in key
    }
    shown = {k: a for k, a in shown.items() if not k.endswith("#about")}
    assert shown == truth(site.model)


def rich_event(site: Site, day: str = NEAR, **more: Any) -> Event:
    """Return an event with everything in it that can be closed."""
    model = site.model
    event = model.add("Collaboration meeting", day, minutes="We agreed.", **more)
    numbers = [model.next() for _ in range(3)]
    event.sessions[numbers[0]] = Session(numbers[0], "Plenary")
    event.sessions[numbers[1]] = Session(numbers[1], "Posters", has_block=False)
    event.sessions[numbers[2]] = Session(numbers[2], "Posters", GROUP, has_block=False)
    for readers in (None, GROUP, frozenset({"mia"}), frozenset({"otto"})):
        for session in (None, *numbers):
            talk = Talk(model.next(), "A talk", readers, session=session)
            talk.files = [
                File(model.next(), f"text {talk.number}", r)
                for r in (None, GROUP, frozenset({"mia"}))
            ]
            talk.parts[model.next()] = "A part"
            event.talks[talk.number] = talk
    return event


def age_slices(site: Site, hours: float) -> None:
    """Let time pass since each slice was looked at."""
    catalog = Catalog(site.settings.paths.catalog)
    then = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")
    rows = [
        [s[0], s[1], then, then, s[4]] for s in catalog.get_state("larch", "slices")
    ]
    catalog.put_state("larch", "slices", rows)
    catalog.close()


def many_events(site: Site, count: int = 300) -> None:
    for number in range(count):
        site.model.add(f"Weekly {number}", f"20{10 + number % 12}-0{number % 9 + 1}-11")
