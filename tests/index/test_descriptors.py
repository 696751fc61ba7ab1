"""Open files: few, whatever is indexed; and too many of them are never damage."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from dunegpt.config import EmbedSettings, Settings
from dunegpt.datadir import DataDir
from dunegpt.errors import HostError
from dunegpt.index.build import build
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.search.live import LiveSearcher
from dunegpt.index.search.revocations import read_revocations
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.shards import ShardFolder
from dunegpt.index.snapshot.dense import DenseIndex
from dunegpt.index.snapshot.document_store import DocumentStore
from dunegpt.index.snapshot.ivf import InvertedFile
from dunegpt.index.snapshot.lexical import LexicalIndex
from dunegpt.index.snapshot.manifest import read_manifest
from dunegpt.index.snapshot.segment import SegmentTexts
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.vectors import VectorFile
from dunegpt.ingest import reference_table
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog
from tests.index.corpus import PUBLIC, Corpus, document, fill

DAY = timedelta(days=1)


def notes(count: int, *, first: int = 0) -> Corpus:
    return [
        (document(f"notes:{n}"), {"a.txt": [f"Module {n} stands at {7 * n} metres."]})
        for n in range(first, first + count)
    ]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) - 1


def own_open_files() -> int:
    """Count what we hold open: tantivy's threads write a few files now and then."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return len([name for name in found if "/lexical/" not in name])


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no file more than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = max(int(name) for name in os.listdir("/proc/self/fd"))
    held: list[int] = []
    while not held or held[-1] < last:  # below the last one, some are free
        held.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held[-1], last) + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in held:
            os.close(handle)


CHILD = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
from dunegpt.config import Settings
from dunegpt.index.build import build
settings = Settings.model_validate_json(sys.argv[1])
print(build(settings).documents)
"""


@pytest.mark.slow
def test_more_documents_than_files_may_be_open(settings: Settings) -> None:
    fill(settings, notes(200))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, settings.model_dump_json()],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("200\n", "")


@pytest.mark.slow
def test_open_files_do_not_grow_with_documents(settings: Settings) -> None:
    table = settings.index.model_copy(update={"shard_documents": 8})
    settings = settings.model_copy(update={"index": table})
    peaks, after = [], []
    for run, count in enumerate((8, 16, 96)):
        data = settings.data.with_name(f"data-{run}")
        settings = settings.model_copy(update={"data_dir": data})
        fill(settings, notes(count))
        seen: list[int] = []
        build(settings, progress=lambda *_, to=seen: to.append(own_open_files()))
        peaks.append(max(seen))
        after.append(open_files())
    assert after[2] == after[1]  # what libraries keep open for themselves is the same
    assert peaks[2] <= peaks[1] + 1, peaks


@pytest.mark.slow
def test_an_open_snapshot_holds_two_files_and_one_for_each_part(
    settings: Settings,
) -> None:
    for run in range(3):
        fill(settings, notes(40 >> 2 * run, first=100 * run))
        build(settings)
    before = open_files()
    snapshot = Snapshot(settings.paths.current_snapshot)
    searcher = Searcher(snapshot)
    assert searcher.as_reader(PUBLIC).search("module").hits
    assert len(snapshot.segments) == 3
    assert open_files() - before == 2 + len(snapshot.segments)
    searcher.close()
    assert open_files() == before


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Settings:
    """Give the settings of a data folder with a snapshot that has all kinds of file."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("indexed") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    fill(settings, notes(40))
    build(settings)
    return settings


@dataclass(frozen=True)
class Places:
    """Where the files of a data folder are: looking for them opens folders, too."""

    data: Path
    snapshot: Path
    part: Path


def places(settings: Settings) -> Places:
    snapshot = current(settings)
    [part] = (snapshot / "parts").iterdir()
    return Places(settings.data, snapshot, part)


def current(settings: Settings) -> Path:
    return settings.paths.current_snapshot.resolve()


SITES: dict[str, Callable[[Places], object]] = {
    "vectors": lambda at: VectorFile(at.part / "vectors.faiss"),
    "dense": lambda at: DenseIndex([at.part / "vectors.faiss"]),
    "lists": lambda at: InvertedFile(at.part / "vectors.faiss"),
    "texts": lambda at: SegmentTexts(at.part / "texts.db"),
    "store": lambda at: DocumentStore(at.snapshot / "documents.db"),
    "lexical": lambda at: LexicalIndex(at.snapshot / "lexical"),
    "encoder": lambda at: Encoder(at.snapshot / "encoder"),
    "references": lambda at: reference_table.ReferenceTable(
        at.snapshot / reference_table.FILE
    ),
    "cited": lambda at: reference_table.load_cited_ids(
        at.snapshot / reference_table.FILE, "edms:"
    ),
    "manifest": lambda at: read_manifest(at.snapshot),
    "snapshot": lambda at: Snapshot(at.snapshot),
    "shards": lambda at: ShardFolder(DataDir(at.data).shards),
    "revocations": lambda at: read_revocations(
        at.snapshot, ["notes"], DataDir(at.data).overlay, DAY
    ),
    "people": lambda at: overlay.load_people_rules(at.data, DAY),
    "catalog": lambda at: Catalog(DataDir(at.data).catalog),
}


@pytest.mark.slow
@pytest.mark.parametrize("site", SITES)
def test_too_many_open_files_is_no_damage(indexed: Settings, site: str) -> None:
    before = sorted(indexed.data.rglob("*"))
    at = places(indexed)
    with no_more_files(), pytest.raises(HostError) as caught:
        SITES[site](at)
    assert "Too many open files" in str(caught.value)
    assert "ulimit -n" in caught.value.hint
    assert sorted(indexed.data.rglob("*")) == before
    SITES[site](at)


def test_too_many_open_files_while_a_shard_is_read(indexed: Settings) -> None:
    shards = ShardFolder(indexed.paths.shards)
    with no_more_files(), pytest.raises(HostError, match="Too many open files"):
        list(shards.read_entries(list(shards.locations)))
    assert len(list(shards.read_entries(list(shards.locations)))) == 40


def test_too_many_open_files_while_a_model_is_opened(indexed: Settings) -> None:
    Encoder(current(indexed) / "encoder").embed_queries(["what is imported late"])
    encoder = Encoder(current(indexed) / "encoder")
    with no_more_files(), pytest.raises(HostError, match="Too many open files"):
        encoder.count_tokens("module")
    with no_more_files(), pytest.raises(HostError, match="Too many open files"):
        encoder.embed_queries(["module"])
    assert encoder.count_tokens("module") == 1


def test_a_run_without_files_leaves_the_snapshot(indexed: Settings) -> None:
    before = current(indexed), sorted(indexed.paths.shards.iterdir())
    with no_more_files(), pytest.raises(HostError, match="Too many open files"):
        build(indexed)
    assert (current(indexed), sorted(indexed.paths.shards.iterdir())) == before


def test_a_server_without_files_stays_with_its_snapshot(settings: Settings) -> None:
    fill(settings, notes(3))
    build(settings)
    live = LiveSearcher(settings, interval_s=0)
    old = current(settings).name
    fill(settings, notes(3, first=10))
    build(settings)
    before = open_files()
    with no_more_files():
        for _ in range(3):
            assert not live.refresh()
            with live.searcher() as searcher:
                assert searcher.snapshot.id == old
    assert "Too many open files" in live.rejection_reason
    assert open_files() == before
    with no_more_files(), live.searcher() as searcher:
        assert searcher.revocations.stale is None  # the new overlay could not be read
    assert live.refresh()
    assert live.rejection_reason == ""
    live.close()
