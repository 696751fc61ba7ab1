"""Any history of an EDMS, with kills in between, ends in the truth."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulators.crawled_source import folder
from simulators.edms.model import STATUSES, EdmsModel
from simulators.edms.site import OTHER, ROOT, EdmsSite

SUB = "CERN-0000200000"
numbers, forms = st.integers(0, 7), st.sampled_from(["2", "0.1", "1.10", "AE", "10"])
statuses, places = st.sampled_from(STATUSES), st.sampled_from([ROOT, SUB, OTHER])
ops = st.one_of(
    st.tuples(st.just("add"), places, statuses),
    st.tuples(st.just("version"), numbers, forms, statuses),
    st.tuples(st.just("status"), numbers, statuses),
    st.tuples(st.sampled_from(["file", "more", "open", "shut", "close"]), numbers),
    st.tuples(st.sampled_from(["delete", "cut", "link", "unlink", "cite"]), numbers),
    st.tuples(st.just("swap"), numbers),
    st.tuples(st.just("lack"), st.sampled_from(["changes", "versions", "stamps"])),
    st.tuples(st.just("crawl"), st.sampled_from(["hour", "day", "full"])),
    st.tuples(st.just("die"), st.integers(0, 60), st.sampled_from(["hour", "day"])),
)
LACKS = {"changes": "getModifiedDocuments", "versions": "getDocumentVersions"}


class History:
    """What people do to an EDMS, and the crawls in between."""

    def __init__(self, site: EdmsSite) -> None:
        self.site, self.model = site, site.model

    def do(self, op: tuple[Any, ...]) -> None:
        name, *rest = op
        if name == "add":
            self.model.add("New", rest[0], status=rest[1])
        elif name == "lack":
            self._lack(rest[0])
        elif name == "crawl":
            self.crawl(rest[0])
        elif name == "die":
            if rest[1] == "day":
                self.site.age()
            self.site.crawl_and_die(rest[0])
        elif free := sorted(self.model.documents)[1:]:
            self._touch(name, free[rest[0] % len(free)], rest)

    def _lack(self, what: str) -> None:
        if what == "stamps":
            self.model.tells_stamps = not self.model.tells_stamps
        else:
            self.model.lacks ^= {LACKS[what]}

    def _touch(self, name: str, number: str, rest: list[Any]) -> None:
        versions = sorted(self.model.documents[number])
        version = versions[rest[0] % len(versions)]
        model, place = self.model, (number, version)
        doings: dict[str, Callable[[], object]] = {
            "version": lambda: (
                rest[1] in versions
                or model.add_version(number, rest[1], status=rest[2])
            ),
            "status": lambda: model.edit(*place, status=rest[1]),
            "file": lambda: model.put_file(*place, "note.txt", bytes([65, rest[0]])),
            "more": lambda: model.put_file(*place, "b.txt", b"More.", shown=True),
            "open": lambda: model.open(*place, "note.txt"),
            "shut": lambda: model.open(*place),
            "close": lambda: model.edit(*place, closed=True),
            "delete": lambda: model.delete(number),
            "cut": lambda: model.delete(*place),
            "link": lambda: model.nodes[SUB].documents.add(number),
            "unlink": lambda: self._unlink(number),
            "cite": lambda: self.site.cited.add(f"edms:{number}:{version}"),
            "swap": lambda: model.others.__setitem__((*place, "note.txt"), b"Other."),
        }
        doings[name]()

    def _unlink(self, number: str) -> None:
        """Take a document out of a node; a text names it, so it is not forgotten."""
        self.model.nodes[SUB].documents.discard(number)
        self.site.cited.add(f"edms:{number}")

    def crawl(self, how: str) -> None:
        if how == "day":
            self.site.age()
        full = how == "full"
        report = self.site.crawl(full=full)
        assert report.error == ""
        if full:
            self.assert_no_leak()

    def assert_no_leak(self) -> None:
        allowed = self.site.truth()
        for name, readers in self.site.access().items():
            assert readers <= allowed.get(name, frozenset()), name


def run_history(history: list[tuple[Any, ...]]) -> None:
    with folder() as path:
        site = EdmsSite(path)
        site.model.node(SUB, "Below", ROOT)
        site.model.add("Stays", ROOT)
        story = History(site)
        for op in history:
            story.do(op)
        site.model.lacks.clear()
        for _ in range(2):
            site.age()
            report = site.crawl(full=True, accept_loss=True)
            assert (report.error, report.failed) == ("", 0)
        site.assert_true()
        assert site.doors.leaks == []
        clean = EdmsSite(path / "clean", site.model)
        clean.cited = site.cited
        clean.crawl()
        assert essence(site) == essence(clean)


def essence(site: EdmsSite) -> dict[str, tuple[Any, ...]]:
    """Return all that readers are shown of what somebody may read."""
    return {
        name: (
            d.title,
            d.status,
            d.kind,
            d.access,
            d.supersedes,
            tuple((f.name, f.sha256, f.access) for f in d.files),
        )
        for name, d in site.documents().items()
        if d.access
    }


QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
SHUT = [("add", ROOT, "Released"), ("open", 0), ("crawl", "hour"), ("shut", 0)]


@pytest.mark.slow
@settings(max_examples=2, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ops, min_size=6, max_size=14))
@example([*SHUT, ("die", 9, "day")])
def test_some_histories(history: list[tuple[Any, ...]]) -> None:
    run_history(history)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ops, min_size=8, max_size=30))
def test_many_histories(history: list[tuple[Any, ...]]) -> None:
    run_history(history)


def test_the_model_orders_versions() -> None:
    model = EdmsModel()
    model.node(ROOT)
    number = model.add("Many", ROOT, version="0.1")
    for version in ("2", "10", "AE", "B", "2.6"):
        model.add_version(number, version)
    assert model.latest(number) == "AE"
