"""A crash while reading a file is not kept for good: it is tried again, and told."""

import datetime as dt
import signal
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest import page_store
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.extract import ExtractResult, format_limits
from dunegpt.ingest.extract.registry import TEXT
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.page_store import Retry
from dunegpt.operations.status import get_status
from dunegpt.types import Page
from tests.index.corpus import PUBLIC

CRASH = ExtractResult(
    (), (), {"limits": "x"}, "The reader crashed with exit code -9.", True
)
ENCRYPTED = ExtractResult((), (), {TEXT.name: TEXT.version}, "The file is encrypted.")
NOW = dt.datetime.now(dt.UTC)


class Host:
    """A host whose children die while ``results`` says so; it counts the attempts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.results: dict[str, ExtractResult] = {}
        self.asked: list[str] = []
        self.monkeypatch = monkeypatch
        real = Sandbox.extract

        def extract(
            sandbox: Sandbox, path: Path, name: str, media_type: str
        ) -> ExtractResult:
            self.asked.append(name)
            if name in self.results:
                return self.results[name]
            return real(sandbox, path, name, media_type)

        monkeypatch.setattr(Sandbox, "extract", extract)

    def wait(self, **hours: float) -> None:
        """Let time pass for the page store."""
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(**hours)

        class Clock(dt.datetime):
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> "Clock":
                return cls.fromisoformat(moment.isoformat())

        self.monkeypatch.setattr(page_store, "datetime", Clock)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.fixture
def texts(papers: Path) -> Path:
    (papers / "a.txt").write_text("The drift field of the far detector is 475 V/cm.")
    (papers / "b.txt").write_text("Purity monitors measure the electron lifetime.")
    return papers


def found(settings: Settings) -> set[str]:
    snapshot = Snapshot(settings.paths.current_snapshot)
    hits = Searcher(snapshot).as_reader(PUBLIC).search("drift field purity").hits
    snapshot.close()
    return {hit.document.id for hit in hits}


def messages(settings: Settings) -> dict[str, tuple[str, str]]:
    failures = get_status(settings).failures
    return {failure.id: (failure.error, failure.message) for failure in failures}


@pytest.mark.slow
def test_the_next_run_reads_a_file_whose_reader_crashed(
    settings: Settings, texts: Path, host: Host
) -> None:
    host.results["a.txt"] = CRASH
    crawl("papers", settings)
    build(settings)
    assert found(settings) == {"papers:b.txt"}
    error, message = messages(settings)["papers:a.txt#a.txt"]
    assert error == "TransientExtractError"
    assert message.startswith(CRASH.error)
    assert message.endswith("Tried once; the next run tries again.")
    host.results.clear()
    report = build(settings)
    assert report.published
    assert report.failures == []
    assert found(settings) == {"papers:a.txt", "papers:b.txt"}
    assert messages(settings) == {}


@pytest.mark.slow
def test_a_crash_that_lasts_is_tried_ever_less_often(
    settings: Settings, texts: Path, host: Host
) -> None:
    host.results["a.txt"] = CRASH
    crawl("papers", settings)
    first = build(settings).snapshot
    waits = [0.5, 0.6, 4.1, 24.1, 24 * 7.1, 24 * 7.1]
    attempts, passed = [], 0.0
    for wait in waits:
        passed += wait
        host.wait(hours=passed)
        host.asked.clear()
        report = build(settings)
        assert report.snapshot == first
        assert not report.published
        attempts.append(host.asked.count("a.txt"))
    assert attempts == [1, 0, 1, 1, 1, 1]
    _, message = messages(settings)["papers:a.txt#a.txt"]
    assert message.count("Tried") == 1
    assert "Tried 6 times; the next run after " in message


@pytest.mark.slow
def test_what_the_content_decides_is_kept(
    settings: Settings, texts: Path, host: Host
) -> None:
    host.results["a.txt"] = ENCRYPTED
    crawl("papers", settings)
    build(settings)
    host.wait(hours=10_000)
    build(settings)
    assert host.asked.count("a.txt") == 1
    assert messages(settings) == {
        "papers:a.txt#a.txt": ("ExtractError", "The file is encrypted.")
    }


@pytest.mark.slow
def test_a_crash_does_not_replace_what_was_read(
    settings: Settings, texts: Path, host: Host
) -> None:
    """The extractor is new, so all is read again, on a host without memory."""
    pages = tuple(Page(n, "", f"Page {n} of the drift field.") for n in (1, 2, 3))
    host.results["a.txt"] = ExtractResult(pages, (), {"text": "1"})
    crawl("papers", settings)
    build(settings)
    host.results["a.txt"] = CRASH
    build(settings)
    assert found(settings) == {"papers:a.txt", "papers:b.txt"}
    error, message = messages(settings)["papers:a.txt#a.txt"]
    assert error == "PartlyReadError"
    assert f"The last attempt failed: {CRASH.error}" in message


@pytest.mark.slow
def test_a_crash_that_an_older_version_kept(
    settings: Settings, texts: Path, host: Host
) -> None:
    limits = {"limits": format_limits(settings.extract)}
    host.results["a.txt"] = ExtractResult((), (), limits, CRASH.error)
    crawl("papers", settings)
    build(settings)
    host.results.clear()
    build(settings)
    assert found(settings) == {"papers:a.txt", "papers:b.txt"}


def test_a_date_that_a_wrong_clock_wrote() -> None:
    ahead = Retry(5, NOW + dt.timedelta(days=900), "x")
    assert ahead.is_due(NOW, "x")
    assert not Retry(5, NOW + dt.timedelta(days=6), "x").is_due(NOW, "x")
    assert Retry(5, NOW + dt.timedelta(days=6), "x").is_due(NOW, "other limits")


@pytest.mark.slow
def test_a_child_that_is_killed_while_it_reads(
    settings: Settings, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real child process, and the system's own signal."""
    crawl("papers", settings)
    real = Sandbox._start

    def start_and_kill(sandbox: Sandbox) -> object:
        child = real(sandbox)
        child.send_signal(signal.SIGKILL)
        child.wait()
        return child

    monkeypatch.setattr(Sandbox, "_start", start_and_kill)
    build(settings)
    assert {error for error, _ in messages(settings).values()} == {
        "TransientExtractError"
    }
    assert all("SIGKILL" in text for _, text in messages(settings).values())
    monkeypatch.setattr(Sandbox, "_start", real)
    build(settings)
    assert found(settings) == {"papers:a.txt", "papers:b.txt"}
