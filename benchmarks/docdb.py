"""Measures the crawl of a DocDB: against recordings of a real one, and at full size.

    python -m benchmarks.docdb [RECORDINGS] [--documents N] [--json OUT]

RECORDINGS is a folder or tar with answers of a real DocDB in two states. They are
played to the source: a crawl of the first state, the increment to the second. Who may
read which version is compared with what is true there; requests that were not recorded
are named. Then a DocDB in memory with N documents is crawled on loopback, each crawl in
a process of its own, without a pause between requests; the first one is killed on its
way, and what it and the next one left is compared with the truth.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks.docdb_replay import LISTED_IN_BOTH, Recordings, Replay, age, opened
from dunegpt.config import Settings, SourceTable
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import crawl
from tests.servers.docdb_doors import Doors
from tests.servers.docdb_model import DocDBModel
from tests.servers.docdb_site import hashes, truth
from tests.servers.faults import FaultServer

GROUPS = ("Admin", "All", "Board", "Office", "Near")
CHANGES = 30


@dataclass(frozen=True)
class Run:
    """One crawl; ``changed`` counts new and changed versions."""

    what: str
    documents: int
    versions: int
    changed: int
    requests: int
    seconds: float
    peak_mib: float
    error: str

    @property
    def per_thousand(self) -> float:
        """Requests per 1,000 documents of the DocDB."""
        return self.requests / max(self.documents, 1) * 1000


# ── recordings ────────────────────────────────────────────────────────────────────


def replay(source: Path, folder: Path) -> list[dict[str, Any]]:
    """Return what was found in each state, with five groups and with six."""
    rows = []
    with opened(source) as recorded:
        for groups, states in ((LISTED_IN_BOTH, "AB"), (["DocDBAdm"], "A")):
            names = [*dict.fromkeys((*LISTED_IN_BOTH, *groups))]
            recordings = Recordings(recorded)
            played = Replay(recordings, folder / f"groups-{len(names)}", names)
            for state in states:
                rows.append(_played(played, state))
    return rows


def _played(played: Replay, state: str) -> dict[str, Any]:
    recordings = played.recordings
    recordings.missing.clear()
    recordings.nearest.clear()
    report = played.crawl(state)
    agreed, leaked, missing = played.compared(state)
    documents = played.documents()
    files = [f for d in documents.values() for f in d.files if f.key != "about"]
    return {
        "state": state,
        "groups": len(played.groups),
        "versions": len(documents),
        "cells": agreed + len(leaked) + len(missing),
        "agreed": agreed,
        "leaked": leaked,
        "missing": missing,
        "files": len(files),
        "files_with_bytes": sum(bool(f.sha256) for f in files),
        "hashes_right": played.right_hashes(),
        "removed": report.removed,
        "requests": report.requests,
        "error": report.error,
        "warnings": report.warnings,
        "answered_by_another_recording": list(recordings.nearest),
        "not_recorded": list(recordings.missing),
    }


# ── full size ─────────────────────────────────────────────────────────────────────


def fill(documents: int) -> DocDBModel:
    """Return a DocDB of so many documents, twice as many versions, mixed access."""
    model, chance = DocDBModel(GROUPS), random.Random(4711)
    model.superiors = {("Admin", "All"), ("Board", "All"), ("All", "Near")}
    kinds: list[tuple[str, ...]] = [(), ("All",), ("Board",), ("Office", "Board")]
    kinds.append(("Near",))
    for number in range(documents):
        own = chance.choices(kinds, (3, 5, 1, 0.5, 0.5))[0]
        model.add(f"Note {number}", own)
        for _ in range(chance.choice((0, 0, 1, 1, 3))):
            model.add_version(number + 1, f"Note {number}, newer", own)
    model.pass_days(100)
    return model


class Served:
    """A DocDB on loopback, served from this process."""

    def __init__(self, model: DocDBModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.doors = Doors(model)
        self.server = FaultServer(self.doors.answer)
        self.doors.url = self.server.url
        self.doors.sessions["service"] = list(GROUPS)
        self.runs: list[Run] = []
        cookie = folder / "cookie"
        cookie.touch(mode=0o600)
        cookie.write_text("session=service", encoding="utf-8")

    def settings(self, name: str) -> Settings:
        """Return settings with an own data folder."""
        url = f"{self.server.url}/cgi-bin"
        cookie = str(self.folder / "cookie")
        door = {"kind": "cookie", "url": f"{url}/sso", "cookie_file": cookie}
        table = SourceTable(
            type="docdb", url=url, doors=[door], delay_s=0, requests_per_hour=0
        )
        return Settings(data_dir=self.folder / name, sources={"docdb": table})

    def run(self, what: str, settings: Settings, *, full: bool = False) -> None:
        """Crawl in a process of its own, and keep the figures."""
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            report, peak = pool.submit(measured, settings, full).result()
        self.doors.asked.clear()
        self.server.requests.clear()
        versions = sum(map(len, self.model.documents.values()))
        self.runs.append(
            Run(
                what,
                len(self.model.documents),
                versions,
                report["new"] + report["changed"],
                report["requests"],
                report["seconds"],
                round(peak, 1),
                report["error"],
            )
        )

    def kill(self, settings: Settings, share: float) -> None:
        """Begin a first crawl, and end it by SIGKILL when so much of it is there."""
        spawn, started = multiprocessing.get_context("spawn"), time.monotonic()
        child = spawn.Process(target=measured, args=(settings, False))
        child.start()
        versions = sum(map(len, self.model.documents.values()))
        while child.is_alive() and count(settings) < share * versions:
            time.sleep(0.5)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        self.runs.append(
            Run(
                f"first, killed at {share:.0%}",
                len(self.model.documents),
                versions,
                count(settings),
                len(self.server.requests),
                round(time.monotonic() - started, 2),
                0.0,
                "",
            )
        )
        self.server.requests.clear()


def measured(settings: Settings, full: bool) -> tuple[dict[str, Any], float]:
    """Return the record of a crawl, and the peak memory of this process in MiB."""
    report = asdict(crawl("docdb", settings, full=full))
    # Not ru_maxrss: that begins with what the parent held, the whole DocDB.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak_kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return report, int(peak_kib) / 1024


def count(settings: Settings) -> int:
    """Return how many versions a catalog has so far."""
    path = settings.data / "catalog.db"
    if not path.is_file():
        return 0
    catalog = Catalog(path)
    found = catalog.counts("docdb")["documents"]
    catalog.close()
    return found


def differences(settings: Settings, model: DocDBModel) -> dict[str, int]:
    """Return how many versions there are, and how many are not as in truth.

    Their readers are compared, and the bytes of each of their files.
    """
    catalog, true = Catalog(settings.data / "catalog.db"), truth(model)
    counts = {"versions": len(true), "found": 0, "files": 0, "differ": 0}
    for document in catalog.documents():
        _, number, version = document.id.split(":")
        own = model.documents[int(number)][int(version)]
        files = {f.name: f.sha256 for f in document.files if f.key != "about"}
        counts["found"] += 1
        counts["files"] += len(files)
        counts["differ"] += document.access != true[document.id] or files != hashes(
            own.files
        )
    catalog.close()
    return counts


def full_size(documents: int, folder: Path) -> tuple[list[Run], dict[str, int]]:
    """Measure crawls of a DocDB of so many documents."""
    served = Served(fill(documents), folder)
    with served.server:
        settings = served.settings("data")
        served.kill(settings, 0.4)
        served.run("gone on with, to its end", settings)
        compared = differences(settings, served.model)
        served.run("increment, no change", settings)
        chance = random.Random(11)
        for number in chance.sample(sorted(served.model.documents), CHANGES):
            served.model.edit(number, 1, title="Edited")
        served.run(f"increment, {CHANGES} documents changed", settings)
        age(settings)
        served.run("increment after a day, and a thirtieth again", settings)
    return served.runs, compared


# ── printed ───────────────────────────────────────────────────────────────────────


def costs(runs: list[Run]) -> Table:
    """Return the table of requests, seconds and memory."""
    shown = Table(title="A DocDB in memory; requests also per 1,000 documents")
    names = ("crawl", "documents", "versions", "changed", "requests")
    for name in (*names, "req/1000", "s", "MiB"):
        shown.add_column(name, justify="left" if name == "crawl" else "right")
    for run in runs:
        numbers = (run.documents, run.versions, run.changed, run.requests)
        told = (f"{run.per_thousand:.0f}", f"{run.seconds:.0f}", f"{run.peak_mib:.0f}")
        error = f" [red]{run.error}[/]" if run.error else ""
        shown.add_row(run.what + error, *map(str, numbers), *told)
    return shown


def viewers(rows: list[dict[str, Any]]) -> Table:
    """Return the table of what was found in the recordings against what is true."""
    shown = Table(title="Recordings of a real DocDB: who may read which version")
    names = ("state", "groups", "versions", "cells", "agreed", "leaked", "missing")
    more = ("files", "bytes recorded", "hashes right", "removed", "requests")
    for name in (*names, *more):
        shown.add_column(name, justify="right")
    for row in rows:
        counts = [row["leaked"], row["missing"]]
        shown.add_row(
            row["state"],
            *(str(row[name]) for name in names[1:5]),
            *(str(len(found)) for found in counts),
            *(str(row[n]) for n in ("files", "files_with_bytes", "hashes_right")),
            str(row["removed"]),
            str(row["requests"]),
        )
    return shown


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description="Crawls of a DocDB.")
    parser.add_argument("recordings", nargs="?", type=Path)
    parser.add_argument("--documents", type=int, default=30000, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    console = Console()
    result: dict[str, Any] = {}
    wrong = False
    with tempfile.TemporaryDirectory(prefix="dunegpt-bench-") as folder:
        if options.recordings:
            rows = replay(options.recordings, Path(folder))
            console.print(viewers(rows))
            for row in rows:
                for name in ("error", "warnings", "leaked", "missing", "not_recorded"):
                    for line in (
                        [row[name]] if isinstance(row[name], str) else row[name]
                    ):
                        if line:
                            console.print(f"  {row['state']} {name}: {line}")
            result["recordings"] = rows
            wrong |= any(r["leaked"] or r["missing"] or r["error"] for r in rows)
        if options.documents:
            runs, compared = full_size(options.documents, Path(folder))
            console.print(costs(runs))
            console.print(compared)
            result["crawls"] = [
                asdict(run) | {"requests_per_1000": run.per_thousand} for run in runs
            ]
            result["compared"] = compared
            wrong |= (
                bool(compared["differ"]) or compared["found"] < compared["versions"]
            )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
