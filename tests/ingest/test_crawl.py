"""The crawl: nothing fetched twice, nothing lost to a fault, nothing half done."""

import hashlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import (
    ConfigError,
    FetchError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
    StorageError,
)
from dunegpt.ingest import crawl as crawl_module
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog, HiddenState
from dunegpt.ingest.crawl import crawl
from dunegpt.types import Document, Failure
from tests.ingest.fake import FakeSource, counted, last_run, ledger, run, stored


def test_counts(plain: Settings, source: FakeSource) -> None:
    for number in range(4):
        source.add(number)
    assert counted(run(plain)) == {"seen": 4, "new": 4, "fetched": 4}
    assert counted(run(plain)) == {"seen": 4, "unchanged": 4}
    source.add(1, b"changed text")
    source.items[0] = replace(source.items[0], access=frozenset({"fake:member"}))  # type: ignore[type-var]
    source.drop(3)
    source.add(4)
    report = run(plain)
    expected = {"new": 1, "changed": 2, "unchanged": 1, "removed": 1}
    assert counted(report) == {"seen": 4, "fetched": 2, **expected}
    assert report.fetched_bytes == len(b"changed text") + len(b"text")
    assert set(stored(plain)) == {"fake:0", "fake:1", "fake:2", "fake:4"}
    [file] = stored(plain)["fake:1"].files
    blob = BlobStore(plain.paths.blobs).path(file.sha256)
    assert (blob.read_bytes(), file.size_bytes) == (b"changed text", 12)
    assert stored(plain)["fake:0"].access == {"fake:member"}
    assert source.closed == 3


def test_progress_and_record(plain: Settings, source: FakeSource) -> None:
    source.add(1)
    source.items.append(Failure("fake:2", "fetch", "FetchError", "broken"))
    seen: list[tuple[int, int]] = []
    run(plain, progress=lambda report: seen.append((report.seen, report.failed)))
    assert seen == [(1, 0), (1, 1), (1, 1)]
    last = last_run(plain)
    assert (last["good"], last["record"]["new"]) == (True, 1)
    assert last["record"]["failures"] == ["fake:2"]


def test_a_known_checksum_is_not_fetched_again(
    plain: Settings, source: FakeSource
) -> None:
    document = source.add(1)
    run(plain)
    source.items = [replace(document, title="Another title")]
    assert counted(run(plain)) == {"seen": 1, "changed": 1}
    assert source.fetched == ["1"]


def test_without_a_checksum_it_is_fetched_each_time(
    plain: Settings, source: FakeSource
) -> None:
    document = source.add(1)
    file = replace(document.files[0], checksum="")
    source.items = [replace(document, files=(file,))]
    run(plain)
    assert counted(run(plain)) == {"seen": 1, "unchanged": 1, "fetched": 1}


def test_a_lost_blob_is_fetched_again(plain: Settings, source: FakeSource) -> None:
    source.add(1)
    run(plain)
    [file] = stored(plain)["fake:1"].files
    BlobStore(plain.paths.blobs).path(file.sha256).unlink()
    assert counted(run(plain)) == {"seen": 1, "unchanged": 1, "fetched": 1}


def test_a_body_is_stored_without_fetching(plain: Settings, source: FakeSource) -> None:
    document = source.add(1)
    file = replace(document.files[0], body=b"<p>minutes</p>", checksum="")
    source.items = [replace(document, files=(file,))]
    run(plain)
    assert counted(run(plain)) == {"seen": 1, "unchanged": 1}
    [kept] = stored(plain)["fake:1"].files
    assert kept.sha256 == hashlib.sha256(b"<p>minutes</p>").hexdigest()
    assert source.fetched == []


# ── faults ────────────────────────────────────────────────────────────────────────


def test_a_failed_fetch_recovers(plain: Settings, source: FakeSource) -> None:
    source.add(1)
    source.add(2, FetchError("cut short"))
    source.add(3)
    report = run(plain)
    assert counted(report) == {"seen": 3, "new": 3, "failed": 1, "fetched": 2}
    assert report.error == ""
    assert ledger(plain) == ["fake:2#a fetch FetchError"]
    assert stored(plain)["fake:2"].files[0].sha256 == ""
    assert counted(run(plain))["failed"] == 1
    source.contents["https://fake.test/2"] = b"promised"
    expected = {"seen": 3, "changed": 1, "unchanged": 2, "fetched": 1}
    assert counted(run(plain)) == expected
    assert ledger(plain) == []


def test_a_file_that_is_not_what_was_promised(
    plain: Settings, source: FakeSource
) -> None:
    source.add(1)
    source.contents["https://fake.test/1"] = b"<html>log in</html>"
    assert counted(run(plain)) == {"seen": 1, "new": 1, "failed": 1}
    assert ledger(plain) == ["fake:1#a fetch FetchError"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [SourceUnreachableError("down"), SourceLoginError("no"), SourceFormatError("odd")],
)
@pytest.mark.parametrize("where", ["changes", "ids", "fetch"])
def test_a_broken_source_removes_nothing(
    plain: Settings, source: FakeSource, error: Exception, where: str
) -> None:
    for number in range(3):
        source.add(number)
    source.add(9, FetchError("cut short"))
    run(plain)
    before = stored(plain)
    source.drop(1, 2, 9)
    source.add(5)
    if where == "changes":
        source.items.append(error)
    elif where == "ids":
        source.ids_error = error
    else:
        source.add(6, error)
    report = run(plain)
    assert str(error) in report.error
    assert report.hint
    assert (report.new, report.removed, report.hidden) == (1, 0, 0)
    assert set(stored(plain)) == {*before, "fake:5"}
    if where != "ids":  # the list ended early: what failed before may still fail
        assert ledger(plain) == ["fake:9#a fetch FetchError"]
    assert (last_run(plain)["good"], source.closed) == (False, 2)
    source.items, source.ids_error = [i for i in source.items if i is not error], None
    source.drop(6)
    assert run(plain).removed == 3


def test_what_could_not_be_listed_is_not_gone(
    plain: Settings, source: FakeSource
) -> None:
    for number in range(3):
        source.add(number)
    run(plain)
    source.drop(0, 1)
    source.items.append(Failure("fake:1", "list", "KeyError", "'title'"))
    report = run(plain)
    assert counted(report) == {"seen": 1, "unchanged": 1, "failed": 1, "removed": 1}
    assert set(stored(plain)) == {"fake:1", "fake:2"}
    assert ledger(plain) == ["fake:1 list KeyError"]
    source.items.pop()
    assert run(plain).removed == 1
    assert ledger(plain) == []


@pytest.mark.parametrize(("known", "gone", "kept"), [(30, 20, 0), (30, 21, 21)])
def test_mass_loss(
    plain: Settings, source: FakeSource, known: int, gone: int, kept: int
) -> None:
    for number in range(known):
        source.add(number)
    run(plain)
    source.drop(*range(gone))
    report = run(plain)
    assert (report.removed, report.hidden) == (gone - kept, kept)
    assert bool(report.error) == bool(kept)
    assert len(stored(plain)) == known - gone
    catalog = Catalog(plain.paths.catalog)
    assert len(catalog.ids("fake")) == known
    state = HiddenState.SUSPECT if kept else HiddenState.GONE
    assert len(catalog.hidden_ids("fake", state)) == gone
    catalog.close()


def test_after_a_mass_loss(plain: Settings, source: FakeSource) -> None:
    for number in range(30):
        source.add(number)
    run(plain)
    everything = list(source.items)
    source.items = everything[:5]
    assert "--accept-loss" in run(plain).hint
    source.items = everything
    report = run(plain)
    assert (report.changed, report.unchanged, report.error) == (25, 5, "")
    assert len(stored(plain)) == 30
    source.items = everything[:5]
    assert run(plain).hidden == 25
    report = run(plain, accept_loss=True)
    assert (report.removed, report.error) == (25, "")
    assert len(source.fetched) == 30


def test_an_odd_title_stops_nothing(plain: Settings, source: FakeSource) -> None:
    r"""JSON may hold half of a surrogate pair (``\ud83d``): Python passes it on."""
    document = source.add(1)
    source.items = [replace(document, title="cut emoji \ud83d")]
    source.add(2)
    run(plain)
    assert "fake:2" in stored(plain)


def test_a_full_disk(
    plain: Settings, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.add(1)
    source.add(2)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            run(plain)
    assert source.closed == 1
    assert counted(run(plain)) == {"seen": 2, "new": 2, "fetched": 2}


def test_two_at_once(plain: Settings, source: FakeSource) -> None:
    with (
        plain.paths.lock(),
        pytest.raises(StorageError, match="Another crawl"),
    ):
        run(plain)
    assert source.closed == 0
    assert run(plain).error == ""


def test_sources_do_not_touch_each_other(
    plain: Settings, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.add(1, FetchError("cut short"))
    run(plain)
    other = FakeSource("other")
    monkeypatch.setattr(crawl_module, "open_source", lambda name, settings: other)
    crawl("other", plain)
    assert set(stored(plain)) == {"fake:1"}
    assert len(ledger(plain)) == 1


def test_a_source_that_cannot_be_opened(settings: Settings) -> None:
    table = SourceSettings(type="folder", path="x")
    broken = settings.model_copy(update={"sources": {"papers": table}})
    with pytest.raises(ConfigError, match="access"):
        crawl("papers", broken)
    with broken.paths.lock():
        pass


# ── killed ────────────────────────────────────────────────────────────────────────

CHILD = """
import sys, time
from pathlib import Path
from dunegpt.config import load_settings
from dunegpt.ingest import crawl
from dunegpt.ingest.folder.source import FolderSource

at, count, fetch = int(sys.argv[2]), 0, FolderSource.fetch

def slow(self, file):
    global count
    count += 1
    yield from fetch(self, file)
    if count == at:
        print("waiting", flush=True)
        time.sleep(60)

FolderSource.fetch = slow
crawl.crawl("papers", load_settings(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 4])
def test_killed(settings: Settings, papers: Path, tmp_path: Path, at: int) -> None:
    """A real SIGKILL between two documents or within one; then a run to the end."""
    for number in range(6):
        (papers / f"{number}.txt").write_text(f"text {number} " * 1000)
    config = tmp_path / "dunegpt.toml"
    config.write_text(
        f'data_dir = "{tmp_path}/killed"\n[sources.papers]\ntype = "folder"\n'
        f'path = "{papers}"\naccess = ["public"]\n'
    )
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(config), str(at)],
        stdout=subprocess.PIPE,
    )
    assert child.stdout
    with child, child.stdout:
        assert child.stdout.readline() == b"waiting\n"
        child.send_signal(signal.SIGKILL)
    killed = settings.model_copy(update={"data_dir": tmp_path / "killed"})
    assert set(stored(killed)) == {f"papers:{n}.txt" for n in range(at - 1)}
    report = crawl("papers", killed)
    assert (report.unchanged, report.new) == (at - 1, 7 - at)
    assert report.fetched == 7 - at
    crawl("papers", settings)
    assert stored(killed) == stored(settings)
    assert crawl("papers", killed).unchanged == 6


def test_a_failed_fetch_keeps_the_text_of_before(
    plain: Settings, source: FakeSource
) -> None:
    source.add(1)
    run(plain)
    before = stored(plain)["fake:1"].files[0]
    source.drop(1)
    source.add(1, FetchError("gone for now"))
    assert run(plain).failed == 1
    after = stored(plain)["fake:1"].files[0]
    assert (after.sha256, after.checksum) == (before.sha256, before.checksum)


def test_names_are_one_line(plain: Settings, source: FakeSource) -> None:
    source.add(1)
    source.items = [
        replace(item, title="a\x1b[31m\nb\u202ec")
        if isinstance(item, Document)
        else item
        for item in source.items
    ]
    run(plain)
    assert stored(plain)["fake:1"].title == "a[31m bc"


def test_a_source_given_is_crawled_and_closed(plain: Settings) -> None:
    given = FakeSource()
    given.add(1)
    assert crawl("fake", plain, source=given).new == 1
    assert given.closed == 1
    assert set(stored(plain)) == {"fake:1"}
