"""Searches a snapshot under a memory limit that includes mapped files.

    python -m benchmarks.small_host --base DATA --snapshot FOLDER [--limit-mb 4096]
        [--seconds 60]

FOLDER is a snapshot of ``benchmarks/search.py --folder``. Requires root. Files are
dropped from the page cache; then a child process joins its own memory cgroup, so that
everything it reads and maps counts, opens the snapshot like a server, prefetches it,
and searches for SECONDS without repeating a query. Prints the peak memory counted by
the kernel, anonymous memory, CPU and wall milliseconds per query, major page faults,
bytes read from disk, and whether the kernel killed the process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.search import anonymous_mb, drop, percentiles, questions, time_one
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.snapshot import Snapshot

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
QUESTIONS = 5000


class Cgroup:
    """A memory cgroup of version 1 or 2."""

    def __init__(self, limit_mb: int) -> None:
        is_v2 = (V2 / "cgroup.controllers").exists()
        root = V2 if is_v2 else V1
        self.folder = root / f"dunegpt-{os.getpid()}"
        self.folder.mkdir()
        limit = "memory.max" if is_v2 else "memory.limit_in_bytes"
        (self.folder / limit).write_text(str(limit_mb << 20))
        self._peak = "memory.peak" if is_v2 else "memory.max_usage_in_bytes"

    def peak_mb(self) -> float:
        """Return the peak memory, including files in the page cache."""
        return int((self.folder / self._peak).read_text()) / (1 << 20)

    def join(self) -> None:
        """Move this process into the cgroup."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the cgroup, which must be empty."""
        self.folder.rmdir()


def serve(folder: Path, asked: list[str], seconds: float) -> dict[str, object]:
    """Run queries for some seconds; return the measurements."""
    clock = time.perf_counter()
    searcher = Searcher(Snapshot(folder))
    size = searcher.snapshot.prefetch()
    opened = time.perf_counter() - clock
    index = searcher.as_reader(frozenset({"b:all"}))
    cpu, wall = list[float](), list[float]()
    before, read_before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt, disk()
    clock = time.perf_counter()
    for question in asked:
        if time.perf_counter() - clock > seconds:
            break
        start = time.perf_counter()
        cpu.append(time_one(time.process_time, index.search, question))
        wall.append(1000 * (time.perf_counter() - start))
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt - before
    return {
        "opened and read in s": round(opened, 1),
        "MB read ahead": round(size / 1e6),
        "anonymous MB": round(anonymous_mb()),
        "questions": len(cpu),
        "cpu ms": percentiles(cpu),
        "wall ms": percentiles(wall),
        "major faults a question": round(faults / len(cpu), 2),
        "MB read from the disk a question": round(
            (disk() - read_before) / 1e6 / len(cpu), 2
        ),
    }


def disk() -> int:
    """Return the number of bytes read from disk by this process."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel does not say")


def main() -> None:
    """Run the child in a new cgroup and print its measurements."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--limit-mb", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asked = json.loads(options.serve.read_text())
        print(json.dumps(serve(options.snapshot, asked, options.seconds)))
        return
    drop(options.snapshot)
    group = Cgroup(options.limit_mb)
    file = Path(f"/tmp/dunegpt-questions-{os.getpid()}.json")
    file.write_text(json.dumps(questions(options.base, QUESTIONS)))
    call = [sys.executable, "-m", "benchmarks.small_host", "--base", options.base]
    call += ["--snapshot", options.snapshot, "--serve", file]
    call += ["--seconds", str(options.seconds)]
    try:
        result = subprocess.run(
            call, preexec_fn=group.join, capture_output=True, text=True, check=False
        )
        print(f"limit {options.limit_mb} MB, peak {group.peak_mb():.0f} MB")
        if result.returncode:
            print(f"ended with {result.returncode}: {result.stderr[-500:]}")
            raise SystemExit(1)
        for name, value in json.loads(result.stdout).items():
            print(f"{name}: {value}")
    finally:
        group.remove()
        file.unlink()


if __name__ == "__main__":
    main()
