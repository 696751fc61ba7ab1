"""A snapshot that begins with the one before: the same as one made anew."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dunegpt.config import IndexSettings, Settings
from dunegpt.index.build import build
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot import repack_policy
from dunegpt.index.snapshot.merge import count_to_merge
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.catalog.database import Catalog
from tests.index.corpus import PUBLIC, Corpus, document, fill, readers

WORDS = (
    "argon purity cathode field lifetime photon cryostat valve monitor xenon".split()
)
GROUP = readers("n:lar")


def texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(WORDS, k=12)) + f" {seed}, see DUNE-doc-{n}."
        for n in range(count)
    ]


def corpus(version: int) -> Corpus:
    """Return 30 documents; from one version to the next some change, come and go."""
    made = []
    for number in range(30):
        if (number + version) % 7 == 0:
            continue
        seed = number if number % 5 else number + 100 * version
        access = GROUP if (number + version) % 3 == 0 else PUBLIC
        own = document(f"n:{number:02d}", access=access, title=f"Note {number}")
        made.append((own, {"a.txt": texts(seed, 1 + number % 3)}))
    return made


def put(settings: Settings, version: int) -> None:
    """Make the catalog hold one version of the corpus and nothing else."""
    catalog = Catalog(settings.paths.catalog)
    wanted = corpus(version)
    catalog.remove(catalog.ids("notes") - {doc.id for doc, _ in wanted}, reason="gone")
    catalog.close()
    fill(settings, wanted)


def elsewhere(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"data_dir": settings.data.parent / name})


def opened(settings: Settings) -> Snapshot:
    return Snapshot(settings.paths.current_snapshot)


def said(snapshot: Snapshot) -> dict[str, object]:
    """Return all that a snapshot says of each document, by its id."""
    store = snapshot.store
    found: dict[str, object] = {}
    for number in range(len(snapshot.documents)):
        for stored in store.get_documents([number]).values():
            rows = store.get_rows(number)
            passages = [store.get_passages([row])[row][1] for row in rows]
            pages = [
                store.get_pages(stored.document.id, f.key)
                for f in stored.document.files
            ]
            access = [snapshot.access_sets[snapshot.row_access[row]] for row in rows]
            vectors = snapshot.dense.get_vectors(np.array(rows, np.int64)).tolist()
            records = snapshot.records[snapshot.row_record[rows].astype(np.int64)]
            files = store.get_file_numbers(number)
            edges = snapshot.references.references_from(files.values())
            found[stored.document.id] = [
                stored.document,
                [(e.target, e.version, e.page) for e in edges],
                passages,
                pages,
                access,
                vectors,
                np.asarray(records).tolist(),
            ]
    return found


@pytest.fixture
def mine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings.data.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(repack_policy, "NEGLIGIBLE_ROWS", 10_000)
    return settings


@pytest.mark.slow
def test_the_same_as_made_anew(mine: Settings) -> None:
    """Ids, texts, pages, readers, vectors; and who finds what."""
    for version in range(6):
        put(mine, version)
        report = build(mine)
        fresh = elsewhere(mine, f"fresh{version}")
        fresh.data.mkdir()
        put(fresh, version)
        assert report.snapshot == build(fresh).snapshot
        one, other = opened(mine), opened(fresh)
        assert said(one) == said(other)
        assert one.manifest["counts"]["passages"] == other.manifest["counts"]["rows"]
        if version:
            assert one.manifest["counts"]["rows"] > one.manifest["counts"]["passages"]
        for reader in (PUBLIC, GROUP):
            for ranking in (Ranking.DENSE, Ranking.LEXICAL):
                found = [
                    {
                        (h.document.id, h.passage.text)
                        for h in Searcher(s)
                        .as_reader(reader)
                        .search("xenon valve", None, 1000, ranking)
                        .hits
                    }
                    for s in (one, other)
                ]
                assert found[0] == found[1]
        one.close()
        other.close()


@pytest.mark.slow
def test_documents_without_a_passage(mine: Settings) -> None:
    """Files that nobody may read, and empty ones, run after run."""
    put(mine, 0)
    build(mine)
    rows = len(opened(mine).dense)
    for number in range(3):
        closed = document(f"n:closed{number}", files={"a.txt": frozenset()})
        fill(mine, [(closed, {"a.txt": ["xyzzy"]})])
        build(mine)
        fill(mine, [(document(f"n:empty{number}"), {"a.txt": [" "]})])
        build(mine)
        snapshot = opened(mine)
        assert len(snapshot.dense) == rows
        assert Searcher(snapshot).as_reader(PUBLIC).find_documents(f"n:empty{number}")
        assert Searcher(snapshot).as_reader(PUBLIC).search("argon").hits
        snapshot.close()


def inodes(folder: Path) -> set[int]:
    return {p.stat().st_ino for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_only_what_changed_is_written(mine: Settings) -> None:
    put(mine, 0)
    build(mine)
    before = opened(mine)
    catalog = Catalog(mine.paths.catalog)
    catalog.close()
    fill(mine, [(document("n:77"), {"a.txt": ["A new note on the cathode."]})])
    build(mine)
    after = opened(mine)
    assert [s.rows for s in after.segments] == [before.segments[0].rows, 1]
    shared = inodes(before.folder) & inodes(after.folder)
    old_part = inodes(before.folder / "parts")
    assert old_part <= shared
    assert len(inodes(after.folder / "lexical") & shared) >= 5
    hits = Searcher(after).as_reader(PUBLIC).search("new note on the cathode").hits
    assert hits[0].document.id == "n:77"
    before.close()
    after.close()


@pytest.mark.slow
def test_parts_are_joined(mine: Settings) -> None:
    put(mine, 0)
    build(mine)
    for number in range(20):
        added = document(f"n:new{number}", title=f"Added {number}")
        fill(mine, [(added, {"a.txt": [f"This is the added text {number}."]})])
        build(mine)
    snapshot = opened(mine)
    assert len(snapshot.segments) <= 6
    for number in range(20):
        hit = (
            Searcher(snapshot).as_reader(PUBLIC).search(f"added text {number}").hits[0]
        )
        assert hit.document.title == f"Added {number}"
        assert snapshot.store.get_pages(hit.document.id, "a.txt")[0].text
    snapshot.close()


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([], 0),
        ([5], 1),
        ([5, 5], 1),
        ([1000, 40, 9, 5], 2),
        ([1000, 9, 5], 2),
        ([1000, 12, 9, 5], 3),
        ([1000, 40, 5], 1),
    ],
)
def test_which_parts_are_joined(rows: list[int], count: int) -> None:
    assert count_to_merge(rows) == count


@pytest.mark.slow
def test_made_anew_when_much_is_gone(
    mine: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(mine, 0)
    build(mine)
    monkeypatch.setattr(repack_policy, "NEGLIGIBLE_ROWS", 3)
    put(mine, 1)
    build(mine)
    assert opened(mine).manifest["counts"]["rows"] > 0
    put(mine, 2)
    build(mine)
    counts = opened(mine).manifest["counts"]
    assert counts["rows"] == counts["passages"]


@pytest.mark.slow
def test_what_is_gone_does_not_stay_for_long(mine: Settings) -> None:
    """Texts of what was removed leave the newest snapshot after some days."""
    table = IndexSettings(repack_after_days=1e-9)
    soon = mine.model_copy(update={"index": table})
    put(mine, 0)
    build(mine)
    put(mine, 1)
    build(mine)
    assert opened(mine).manifest["counts"]["rows"] > len(opened(mine).lexical)
    report = build(soon)
    assert report.published
    counts = opened(mine).manifest["counts"]
    assert counts["rows"] == counts["passages"]
    assert not build(soon).published


@pytest.mark.slow
def test_a_damaged_base_is_not_built_upon(mine: Settings) -> None:
    put(mine, 0)
    build(mine)
    folder = mine.paths.current_snapshot.resolve()
    path = next(folder.glob("parts/*/records.npy"))
    path.write_bytes(path.read_bytes()[:-1])
    put(mine, 1)
    build(mine)
    counts = opened(mine).manifest["counts"]
    assert counts["rows"] == counts["passages"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from dunegpt.config import load_settings
import dunegpt.index.{module} as module
from dunegpt.index.build import build

original, calls = module.{name}, 0

def killed(*args, **kwargs):
    global calls
    calls += 1
    if calls == {stop}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)

module.{name} = killed
build(load_settings(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        ("snapshot.writer", "SnapshotWriter.add", 1),
        ("snapshot.writer", "SnapshotWriter._remove", 3),
        ("snapshot.writer", "hash_file", 2),
        ("snapshot.writer", "sync_folder", 2),
        ("snapshot.writer", "link", 5),
        ("build", "publish", 1),
        ("build", "remove_old_snapshots", 1),
    ],
)
def test_killed_on_top_of_another(
    mine: Settings, config_file: Callable[[str], Path], where: tuple[str, str, int]
) -> None:
    """The old snapshot keeps working, and the next run ends with the same id."""
    module, name, stop = where
    put(mine, 0)
    first = build(mine).snapshot
    put(mine, 1)
    script = _KILLED.format(module=module, name=name, stop=stop)
    done = subprocess.run(
        [sys.executable, "-c", script, str(config_file(""))], check=False
    )
    assert done.returncode == -signal.SIGKILL
    snapshot = opened(mine)
    if name != "remove_old_snapshots":
        assert snapshot.id == first
    assert Searcher(snapshot).as_reader(PUBLIC).search("argon").hits
    snapshot.close()
    again = build(mine).snapshot
    fresh = elsewhere(mine, "fresh")
    fresh.data.mkdir()
    put(fresh, 1)
    assert again == build(fresh).snapshot == opened(mine).id
    assert list(mine.paths.snapshots.glob(".*")) == []
