"""Any history of a DocDB, with kills in between, ends in the truth."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.crawled_source import folder
from simulators.docdb.model import DocDBModel
from simulators.docdb.site import Site, truth

GROUPS = ("Admin", "All", "Board")
ACLS: list[tuple[str, ...]] = [(), ("All",), ("Board",), ("All", "Board"), ("Admin",)]
EDGES = [("Board", "All"), ("Admin", "Board"), ("Admin", "All"), ("All", "Admin")]

acls, numbers = st.sampled_from(ACLS), st.integers(0, 7)
ops = st.one_of(
    st.tuples(st.just("add"), numbers, acls),
    st.tuples(st.just("version"), numbers, acls),
    st.tuples(st.just("close"), numbers, acls),
    st.tuples(st.just("close"), numbers, acls),
    st.tuples(st.sampled_from(["delete", "cut", "edit", "file", "reserve"]), numbers),
    st.tuples(st.just("edge"), st.sampled_from(EDGES)),
    st.tuples(st.just("powerless"), st.sampled_from(GROUPS)),
    st.tuples(st.just("crawl"), st.sampled_from(["hour", "day", "full"])),
    st.tuples(st.just("die"), st.integers(0, 60), st.sampled_from(["hour", "day"])),
    st.tuples(st.just("later"), st.integers(2, 40)),
)


class History:
    """What people do to a DocDB, and the crawls in between."""

    def __init__(self, site: Site) -> None:
        self.site, self.model = site, site.model

    def pick(self, number: int) -> int | None:
        """Return a document that may be touched: not one of those that stay."""
        free = sorted(self.model.documents)[len(GROUPS) + 1 :]
        return free[number % len(free)] if free else None

    def do(self, op: tuple[Any, ...]) -> None:
        name, *rest = op
        if name in {"delete", "cut", "edit", "file", "version", "close"}:
            own = self.pick(rest[0])
            if own is not None:
                self._touch(name, own, rest)
            return
        doings: dict[str, Callable[..., Any]] = {
            "add": lambda _, acl: self.model.add("New", acl),
            "reserve": lambda _: self.model.add("Reserved", ("All",), version=0),
            "edge": lambda edge: self.model.superiors.symmetric_difference_update(
                {edge}
            ),
            "powerless": lambda group: self.model.powerless.symmetric_difference_update(
                {group}
            ),
            "crawl": self.crawl,
            "die": lambda after, how: self.crawl(how, after),
            "later": self.later,
        }
        doings[name](*rest)

    def _touch(self, name: str, number: int, rest: list[Any]) -> None:
        versions = sorted(self.model.documents[number])
        version = versions[rest[0] % len(versions)]
        if name == "delete":
            self.model.delete(number)
        elif name == "cut":
            self.model.delete(number, version)
        elif name == "edit":
            self.model.edit(number, version, title=f"Edited {rest[0]}")
        elif name == "file" and version:
            self.model.put_file(number, version, "note.txt", bytes([65 + rest[0]]) * 9)
        elif name == "version":
            self.model.add_version(number, "Newer", rest[1])
        elif name == "close":
            self.model.close(number, version, *rest[1])

    def later(self, days: int) -> None:
        self.model.pass_days(days)
        if self.site.settings.paths.catalog.is_file():
            self.site.age(days)

    def crawl(self, how: str, after: int = -1) -> None:
        if how == "day":
            self.later(1)
        call = {"full": True} if how == "full" else {}
        if after >= 0:
            self.site.crawl_and_die(after, **call)
            return
        report = self.site.crawl(**call)
        assert report.error == ""
        if how == "full":
            self.assert_no_leak()

    def assert_no_leak(self) -> None:
        allowed = truth(self.model)
        for name, readers in self.site.access().items():
            if not name.endswith(":0"):
                assert readers <= allowed.get(name, frozenset()), name


def run_history(history: list[tuple[Any, ...]]) -> None:
    with folder() as path:
        site = Site(path, DocDBModel(GROUPS))
        for group in GROUPS:
            site.model.add("Stays", [group])
        site.model.add("Stays open")
        story = History(site)
        for op in history:
            story.do(op)
        story.later(1)
        report = site.crawl(accept_loss=True)
        assert (report.error, report.failed) == ("", 0)
        site.assert_true()
        clean = Site(path / "clean", site.model)
        clean.crawl()
        assert essence(site) == essence(clean)


def essence(site: Site) -> dict[str, tuple[Any, ...]]:
    """Return all that readers are shown of what somebody may read."""
    return {
        name: (d.title, d.status, d.access, d.supersedes, site.content(d))
        for name, d in site.documents().items()
        if d.access and not d.id.endswith(":0")
    }


QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ops, min_size=6, max_size=14))
def test_some_histories(history: list[tuple[Any, ...]]) -> None:
    run_history(history)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ops, min_size=8, max_size=30))
def test_many_histories(history: list[tuple[Any, ...]]) -> None:
    run_history(history)
