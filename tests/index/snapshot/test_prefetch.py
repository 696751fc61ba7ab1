"""A server reads ahead what questions need most, and no more than memory holds."""

import shutil
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.index.search.live import LiveSearcher
from dunegpt.index.snapshot import prefetch as module
from dunegpt.index.snapshot.prefetch import get_free_memory, prefetch
from dunegpt.index.snapshot.snapshot import Snapshot
from tests.index.corpus import document, fill

NAMES = ["parts/0/texts.db", "parts/0/vectors.faiss", "lexical/a.idx", "row_access.npy"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for size, name in enumerate(NAMES, start=1):
        path = tmp_path / "snapshot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000 * size))
    return tmp_path / "snapshot"


@pytest.mark.parametrize("most", [0, 1, 4000, 6999, 10_000])
def test_no_more_is_read_than_is_allowed(files: Path, most: int) -> None:
    assert prefetch(files, NAMES, most) == most
    assert prefetch(files, NAMES, 20_000) == 10_000


def test_what_every_question_needs_is_read_first(files: Path) -> None:
    for name in NAMES[:2]:
        (files / name).unlink()
    assert prefetch(files, NAMES, 7000) == 7000
    with pytest.raises(FileNotFoundError, match=r"vectors\.faiss"):
        prefetch(files, NAMES, 7001)


def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str) -> Path:
    """Let the kernel say that 9,000 kB are free, and which cgroup this is."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroups"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 20000 kB\nMemAvailable:    9000 kB\n")
    (proc / "self/cgroup").write_text(cgroup)
    monkeypatch.setattr(module, "_PROC", proc)
    monkeypatch.setattr(module, "_CGROUPS", groups)
    return groups


@pytest.mark.parametrize(
    ("cgroup", "folder", "files", "free"),
    [
        ("0::/a/b", "a/b", {"memory.max": "5000000", "anon": 2_000_000}, 3_000_000),
        ("0::/a/b", "", {"memory.max": "5000000", "anon": 6_000_000}, 0),
        ("0::/a/b", "a/b", {"memory.max": "max", "anon": 2_000_000}, 9000 << 10),
        ("0::/", "", {"other": "5", "anon": 2_000_000}, 9000 << 10),
        (
            "4:cpu,memory:/a\n0::/",
            "memory/a",
            {"memory.limit_in_bytes": "5000000", "total_rss": 1_000_000},
            4_000_000,
        ),
        (
            "4:memory:/a",
            "memory",
            {"memory.limit_in_bytes": "9223372036854771712", "total_rss": 1_000_000},
            9000 << 10,
        ),
    ],
)
def test_free_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cgroup: str,
    folder: str,
    files: dict[str, str | int],
    free: int,
) -> None:
    group = say(tmp_path, monkeypatch, cgroup) / folder
    group.mkdir(parents=True)
    held = {name: value for name, value in files.items() if isinstance(value, int)}
    stat = "".join(f"{name} {value}\n" for name, value in held.items())
    (group / "memory.stat").write_text(f"cache 4000000\n{stat}")
    for name in files.keys() - held.keys():
        (group / name).write_text(f"{files[name]}\n")
    assert get_free_memory() == free


def test_the_kernel_of_this_machine() -> None:
    assert 0 < get_free_memory() < 1 << 50


def indexed(settings: Settings, text: str) -> str:
    settings.data.mkdir(parents=True, exist_ok=True)
    fill(settings, [(document("n:1"), {"a.txt": [text]})])
    return build(settings).snapshot


@pytest.mark.slow
def test_a_server_reads_each_new_snapshot_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def warm(snapshot: Snapshot, before: Snapshot | None) -> int:
        read.append(snapshot.id)
        assert (before.id if before else "") == "".join(read[:-1])
        return 0

    monkeypatch.setattr(Snapshot, "prefetch", warm)
    first = indexed(settings, "The valve is at 5 bar.")
    served = LiveSearcher(settings, interval_s=0)
    second = indexed(settings, "The valve is at 6 bar.")
    assert served.refresh()
    assert not served.refresh()
    served.close()
    assert read == [first, second]


def test_what_the_one_before_has_is_not_read_again(settings: Settings) -> None:
    indexed(settings, "The valve is at 5 bar.")
    old = Snapshot(settings.paths.current_snapshot)
    fill(settings, [(document("n:2"), {"a.txt": ["The valve is shut."]})])
    build(settings)
    new = Snapshot(settings.paths.current_snapshot)
    model = new.manifest["files"]["encoder/model.onnx"]["bytes"]
    assert 0 < new.prefetch(old) <= new.prefetch() - model
    old.close()
    new.close()


def test_a_snapshot_that_is_gone_meanwhile(
    settings: Settings,
) -> None:
    identity = indexed(settings, "The valve is at 5 bar.")
    snapshot = Snapshot(settings.paths.current_snapshot)
    assert snapshot.prefetch() == sum(
        f["bytes"] for f in snapshot.manifest["files"].values()
    )
    shutil.rmtree(snapshot.folder)
    with pytest.raises(FileNotFoundError):
        snapshot.prefetch()
    snapshot.close()
    assert identity == snapshot.id
