"""Building: nothing twice, the same result after any interruption, nothing broken."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dunegpt.config import IndexSettings, Settings
from dunegpt.errors import (
    ConfigError,
    DuneGPTError,
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    StorageError,
    UsageError,
)
from dunegpt.index.build import build
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot import manifest
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.operations.status import get_status
from tests.index.corpus import PUBLIC, document, fill, pack, readers

TEXTS = {
    "a.txt": "The drift field of the far detector is 475 V/cm.",
    "b.txt": "Purity monitors measure the electron lifetime every hour.",
    "c.md": "# Cathode\n\nThe cathode hangs from the roof of the cryostat.\n",
}


@pytest.fixture
def texts(papers: Path) -> Path:
    for name, text in TEXTS.items():
        (papers / name).write_text(text)
    return papers


def current(settings: Settings) -> Path:
    return settings.paths.current_snapshot


def found(settings: Settings, question: str) -> list[str]:
    snapshot = Snapshot(current(settings))
    hits = Searcher(snapshot).as_reader(PUBLIC).search(question).hits
    snapshot.close()
    return [hit.document.id for hit in hits]


def crawl_and_build(settings: Settings) -> str:
    crawl("papers", settings)
    return build(settings).snapshot


def test_second_run_does_nothing(settings: Settings, texts: Path) -> None:
    crawl("papers", settings)
    first = build(settings)
    assert (first.documents, first.passages, first.embedded) == (3, 3, 3)
    assert first.published
    assert found(settings, "drift field")[0] == "papers:a.txt"
    second = build(settings)
    assert not second.published
    assert second.embedded == 0
    assert (second.snapshot, second.passages) == (first.snapshot, 3)


def test_only_what_changed_is_embedded(settings: Settings, texts: Path) -> None:
    first = crawl_and_build(settings)
    (texts / "a.txt").write_text("The drift field was lowered to 180 V/cm.")
    (texts / "d.txt").write_text("A new note.")
    crawl("papers", settings)
    report = build(settings)
    assert report.published
    assert report.embedded == 2
    assert report.snapshot != first
    snapshot = Snapshot(current(settings))
    hit = Searcher(snapshot).as_reader(PUBLIC).search("drift field").hits[0]
    assert "180" in hit.passage.text


def test_access_alone_embeds_nothing(settings: Settings) -> None:
    corpus = [(document("n:1"), {"a.txt": ["purity"]})]
    fill(settings, corpus)
    first = build(settings)
    fill(settings, [(document("n:1", access=readers("n:lar")), corpus[0][1])])
    second = build(settings)
    assert (second.embedded, second.published) == (0, True)
    assert second.snapshot != first.snapshot
    assert found(settings, "purity") == []


def test_what_nobody_may_read_is_not_in_it(settings: Settings) -> None:
    nobody = frozenset[str]()
    fill(
        settings,
        [
            (document("n:1", access=nobody), {"a.txt": ["purity"]}),
            (
                document("n:2", files={"a.txt": PUBLIC, "b.txt": nobody}),
                {"a.txt": ["argon"], "b.txt": ["xyzzy"]},
            ),
        ],
    )
    report = build(settings)
    assert (report.documents, report.passages) == (1, 1)
    snapshot = Snapshot(current(settings))
    (stored,) = snapshot.store.get_documents(range(2)).values()
    assert [file.key for file in stored.document.files] == ["a.txt"]
    assert "xyzzy" not in str(snapshot.store.get_passages(range(9)))
    assert b"b.txt" not in (current(settings) / "documents.db").read_bytes()
    assert b"xyzzy" not in b"".join(
        path.read_bytes() for path in (current(settings) / "lexical").iterdir()
    )


def test_removed_document_is_not_found(settings: Settings, texts: Path) -> None:
    crawl_and_build(settings)
    (texts / "b.txt").unlink()
    crawl_and_build(settings)
    assert "papers:b.txt" not in found(settings, "purity monitors")
    for name in TEXTS:
        (texts / name).unlink(missing_ok=True)
    (texts / "documents.toml").write_text("")
    crawl("papers", settings)
    report = build(settings)
    assert (report.documents, report.passages, report.published) == (0, 0, True)
    assert found(settings, "purity monitors") == []


def sized(settings: Settings, name: str, size: int) -> Settings:
    table = IndexSettings(shard_documents=size)
    data = settings.data.parent / name
    return settings.model_copy(update={"data_dir": data, "index": table})


@pytest.mark.slow
def test_equal_id_whatever_the_shards(settings: Settings, texts: Path) -> None:
    (texts / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    ids = {crawl_and_build(sized(settings, f"s{n}", n)) for n in (1, 3, 256)}
    assert len(ids) == 1
    order = sized(settings, "changed", 2)
    (texts / "a.txt").rename(texts.parent / "away.txt")
    crawl_and_build(order)
    (texts.parent / "away.txt").rename(texts / "a.txt")
    assert {crawl_and_build(order)} == ids


_KILLED = """
import sys, time
from pathlib import Path
from dunegpt.config import load_settings
from dunegpt.index.build import build
from {package} import {module}

original = {module}.{name}
calls = 0

def slow(*args, **kwargs):
    global calls
    calls += 1
    if calls == {stop}:
        print("here", flush=True)
        time.sleep(600)
    return original(*args, **kwargs)

{module}.{name} = slow
build(load_settings(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "killed",
    [
        ("dunegpt.index", "shards", "sync_folder", 2, 2),  # while a shard is written
        (
            "dunegpt.index.encoder",
            "onnx",
            "Encoder.embed_documents",
            3,
            2,
        ),  # while embedding
        (
            "dunegpt.index.snapshot",
            "writer",
            "SnapshotWriter.add",
            2,
            0,
        ),  # while packing
        (
            "dunegpt.index.snapshot",
            "writer",
            "hash_file",
            3,
            0,
        ),  # while the manifest is written
    ],
)
def test_killed_and_run_again(
    killed: tuple[str, str, str, int, int],
    settings: Settings,
    texts: Path,
    config_file: Callable[[str], Path],
) -> None:
    package, module, name, stop, left = killed
    file = config_file("[index]\nshard_documents = 1\n")
    mine = sized(settings, "data", 1)
    crawl("papers", mine)
    script = _KILLED.format(package=package, module=module, name=name, stop=stop)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(IndexMissingError):
        Snapshot(current(mine))
    report = build(mine)
    assert report.embedded == left
    assert report.snapshot == crawl_and_build(sized(settings, "reference", 256))
    rubbish = [*mine.data.glob("*/.new-*"), *mine.data.glob("snapshots/.current-*")]
    assert rubbish == []


@pytest.mark.slow
def test_unreadable_files(settings: Settings, texts: Path) -> None:
    (texts / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (texts / "empty.txt").write_bytes(b"")
    crawl("papers", settings)
    report = build(settings)
    expected = {"papers:broken.pdf#broken.pdf", "papers:empty.txt#empty.txt"}
    assert {f.id for f in report.failures} == expected
    assert {f.stage for f in report.failures} == {"extract"}
    assert {f.id for f in build(settings).failures} == expected
    state = get_status(settings)
    assert {f.id for f in state.failures} == expected
    assert state.sources[0].failures == {"extract": 2}
    assert (state.index.documents, state.index.error) == (5, "")
    (texts / "empty.txt").write_text("Now it can be read.")
    (texts / "broken.pdf").unlink()
    crawl("papers", settings)
    assert build(settings).failures == []
    assert get_status(settings).failures == []


def test_nothing_to_index(settings: Settings) -> None:
    with pytest.raises(UsageError, match="nothing to index") as caught:
        build(settings)
    assert "crawl" in caught.value.hint
    fill(settings, [(document("n:1", access=frozenset()), {"a.txt": ["purity"]})])
    with pytest.raises(UsageError, match="anybody may read"):
        build(settings)
    assert get_status(settings).index.error


@pytest.mark.slow
def test_old_snapshots_are_collected(settings: Settings, texts: Path) -> None:
    table = IndexSettings(keep_snapshots=2)
    mine = settings.model_copy(update={"index": table})
    made = []
    for number in range(4):
        (texts / "a.txt").write_text(f"The drift field is {number} V/cm.")
        made.append(crawl_and_build(mine))
    folder = mine.paths.snapshots
    assert {p.name for p in folder.iterdir()} == {"current", *made[-2:]}
    assert current(mine).is_symlink()
    assert os.readlink(current(mine)) == made[-1]
    assert len(list(mine.paths.shards.iterdir())) <= 2


def test_going_back_is_published(settings: Settings, texts: Path) -> None:
    first = crawl_and_build(settings)
    (texts / "d.txt").write_text("A new note.")
    second = crawl_and_build(settings)
    (texts / "d.txt").unlink()
    assert crawl_and_build(settings) == first != second
    assert os.readlink(current(settings)) == first


# ── damage ────────────────────────────────────────────────────────────────────────

FILES = [
    "manifest.json",
    "documents.db",
    "documents.npy",
    "parts/*/texts.db",
    "parts/*/vectors.faiss",
    "parts/*/records.npy",
    "row_access.npy",
    "row_document.npy",
    "row_record.npy",
    "lexical/meta.json",
    "lexical/*.fast",
    "lexical/*.term",
    "lexical/*.idx",
    "encoder/encoder.json",
    "encoder/model.onnx",
    "encoder/tokenizer.json",
]


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    corpus = [
        (document(f"n:{n}"), {"a.txt": [text]}) for n, text in enumerate(TEXTS.values())
    ]
    return pack(folder, tiny_encoder, corpus).folder


def searched(folder: Path) -> list[int]:
    snapshot = Snapshot(folder)
    hits = (
        Searcher(snapshot).as_reader(PUBLIC).search("drift field of the cathode").hits
    )
    snapshot.close()
    return [hit.row for hit in hits]


def use(settings: Settings) -> list[int]:
    return searched(current(settings))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "truncated", "longer", "zeros"])
def test_damaged_file(tmp_path: Path, packed: Path, name: str, how: str) -> None:
    folder = tmp_path / "snapshot"
    shutil.copytree(packed, folder)
    path = next(folder.glob(name))
    content = path.read_bytes()
    changed = {
        "truncated": content[:-2],
        "longer": content + b"x",
        "zeros": bytes(len(content)),
    }
    path.unlink()
    if how != "missing":
        path.write_bytes(changed[how])
    with pytest.raises(IndexBrokenError) as caught:
        searched(folder)
    assert "--rebuild" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.json", "documents.db", "lexical/meta.json"])
def test_rebuild_repairs_a_damaged_snapshot(
    settings: Settings, texts: Path, name: str
) -> None:
    """As the hint of the error promises."""
    crawl_and_build(settings)
    (current(settings) / name).write_bytes(b"damaged")
    with pytest.raises(IndexBrokenError):
        use(settings)
    build(settings, rebuild=True)
    assert use(settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "content"),
    [
        ("pages/*/*", b"damaged"),
        ("shards/*/shard.json", b"damaged"),
        ("shards/*/vectors.npy", b"damaged"),
    ],
)
def test_rebuild_repairs_what_lies_before_a_snapshot(
    settings: Settings, texts: Path, pattern: str, content: bytes
) -> None:
    first = crawl_and_build(settings)
    for path in settings.data.glob(pattern):
        path.write_bytes(content)
    (texts / "d.txt").write_text("A new note.")
    crawl("papers", settings)
    try:
        build(settings)
    except DuneGPTError as error:
        assert error.hint
    assert build(settings, rebuild=True).snapshot != first
    assert use(settings)


def other_format(settings: Settings) -> None:
    path = current(settings) / "manifest.json"
    form = f'"format": {manifest.FORMAT}'
    path.write_text(path.read_text().replace(form, '"format": 0'))


def test_other_format(settings: Settings, texts: Path) -> None:
    crawl_and_build(settings)
    other_format(settings)
    with pytest.raises(IndexMismatchError) as caught:
        use(settings)
    assert "dunegpt index" in caught.value.hint
    assert "format" in get_status(settings).index.error


def test_index_replaces_another_format(settings: Settings, texts: Path) -> None:
    """As the hint of the error promises."""
    crawl_and_build(settings)
    other_format(settings)
    assert build(settings).published
    assert use(settings)


def test_passages_too_long_for_the_encoder(settings: Settings, texts: Path) -> None:
    crawl("papers", settings)
    mine = settings.model_copy(update={"index": IndexSettings(passage_tokens=201)})
    with pytest.raises(ConfigError, match="at most 200"):
        build(mine)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["embed", "pack"])
def test_disk_full(
    settings: Settings, texts: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    first = crawl_and_build(settings)
    (texts / "d.txt").write_text("A new note.")
    crawl("papers", settings)
    if stage == "pack":  # then the shards are there already
        copy = settings.data.parent / "copy"
        shutil.copytree(settings.data, copy, symlinks=True)
        build(settings.model_copy(update={"data_dir": copy}))
        shutil.rmtree(settings.paths.shards)
        shutil.copytree(copy / "shards", settings.paths.shards)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numpy.save", full)
        with pytest.raises(StorageError, match="No space") as caught:
            build(settings)
    assert caught.value.hint
    assert Snapshot(current(settings)).id == first
    assert use(settings)
    assert list(settings.data.glob("*/.new-*")) == []
    assert build(settings).published


def test_two_runs_at_once(settings: Settings, texts: Path) -> None:
    crawl("papers", settings)
    with settings.paths.lock(), pytest.raises(StorageError, match="Another"):
        build(settings)
    assert build(settings).published
