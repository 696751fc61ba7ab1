"""An index without many files that were readable before is not published."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.errors import UnreadableFilesError
from dunegpt.index.build import build
from dunegpt.index.search.open import open_searcher
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.extract import ExtractResult
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import Page
from tests.index.corpus import PUBLIC

pytestmark = pytest.mark.slow

COUNT = 30


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the reasons, by file name, why files cannot be read on this host."""
    reasons: dict[str, str] = {}

    def extract(
        sandbox: Sandbox, path: Path, name: str, media_type: str
    ) -> ExtractResult:
        if name in reasons:
            return ExtractResult((), (), {}, reasons[name])
        return ExtractResult((Page(1, "", path.read_text("utf-8")),), ())

    monkeypatch.setattr(Sandbox, "extract", extract)
    return reasons


@pytest.fixture
def indexed(settings: Settings, papers: Path, failing: dict[str, str]) -> Settings:
    failing["n0.txt"] = "The file is encrypted."
    for number in range(COUNT + 1):
        (papers / f"n{number}.txt").write_text(f"The valve {number} is at 5 bar.\n")
    crawl("papers", settings)
    report = build(settings)
    assert (report.passages, len(report.failures)) == (COUNT, 1)
    return settings


def fail(failing: dict[str, str], count: int) -> None:
    for number in range(1, count + 1):
        reason = f"needs {number} MB" if number % 5 else "took too long"
        failing[f"n{number}.txt"] = f"Reading it {reason}."


def count_found(settings: Settings) -> int:
    searcher = open_searcher(settings)
    found = searcher.as_reader(PUBLIC).search("valve", k=COUNT + 9).hits
    searcher.close()
    return len(found)


@pytest.mark.parametrize("how", [{"rebuild": True}, {}])
def test_a_host_that_cannot_read_publishes_nothing(
    indexed: Settings, failing: dict[str, str], how: dict[str, Any]
) -> None:
    before = indexed.paths.current_snapshot.resolve()
    fail(failing, 25)
    if not how:  # as after an update of the extractor
        shutil.rmtree(indexed.paths.pages)
    for _ in range(2):
        with pytest.raises(UnreadableFilesError) as caught:
            build(indexed, **how)
        assert "25 of 30 files" in str(caught.value)
        assert "(20 files): Reading it needs" in str(caught.value)
        assert "--accept-loss" in caught.value.hint
        assert indexed.paths.current_snapshot.resolve() == before
        assert count_found(indexed) == COUNT
    for number in range(1, COUNT + 1):
        failing.pop(f"n{number}.txt", None)
    build(indexed, rebuild=True)
    assert count_found(indexed) == COUNT


def test_a_loss_that_is_accepted(indexed: Settings, failing: dict[str, str]) -> None:
    fail(failing, 25)
    report = build(indexed, rebuild=True, accept_loss=True)
    assert (report.published, report.passages) == (True, 5)
    assert count_found(indexed) == 5
    again = build(indexed, rebuild=True)
    assert again.passages == 5, "they were not readable before"


def test_a_few_losses_are_published(indexed: Settings, failing: dict[str, str]) -> None:
    fail(failing, 20)
    report = build(indexed, rebuild=True)
    assert (report.published, len(report.failures)) == (True, 21)
    assert count_found(indexed) == 10


def test_stored_bytes_that_are_lost(indexed: Settings) -> None:
    shutil.rmtree(indexed.paths.blobs)
    with pytest.raises(UnreadableFilesError, match="missing from the store"):
        build(indexed)
    assert count_found(indexed) == COUNT


def test_what_was_removed_is_no_loss(indexed: Settings, papers: Path) -> None:
    for number in range(1, COUNT + 1):
        (papers / f"n{number}.txt").unlink()
    crawl("papers", indexed, accept_loss=True)
    assert build(indexed).passages == 0
