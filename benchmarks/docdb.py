"""Measures the DocDB crawl, against recordings of a real DocDB and at full size.

    python -m benchmarks.docdb [RECORDINGS] [--documents N] [--json OUT]

RECORDINGS is a folder or tar file with responses of a real DocDB in two states. They
are replayed to the source: a crawl of the first state, then an increment to the second.
The access set of each version is compared with the true one; requests that were not
recorded are listed. Then a simulated DocDB with N documents is crawled on loopback,
each crawl in its own process, without delay between requests. The first crawl is killed
halfway; the result of the resumed crawl is compared with the truth.
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
from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from simulators.docdb.endpoints import Doors
from simulators.docdb.model import DocDBModel
from simulators.docdb.site import hashes, truth
from simulators.http_server import FaultServer

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
    """Return the results for each state, with five groups and with six."""
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
    """Return a DocDB with twice as many versions as documents and mixed access."""
    model, rng = DocDBModel(GROUPS), random.Random(4711)
    model.superiors = {("Admin", "All"), ("Board", "All"), ("All", "Near")}
    kinds: list[tuple[str, ...]] = [(), ("All",), ("Board",), ("Office", "Board")]
    kinds.append(("Near",))
    for number in range(documents):
        groups = rng.choices(kinds, (3, 5, 1, 0.5, 0.5))[0]
        model.add(f"Note {number}", groups)
        for _ in range(rng.choice((0, 0, 1, 1, 3))):
            model.add_version(number + 1, f"Note {number}, newer", groups)
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
        """Return settings with a separate data folder."""
        url = f"{self.server.url}/cgi-bin"
        cookie = str(self.folder / "cookie")
        door = {"kind": "cookie", "url": f"{url}/sso", "cookie_file": cookie}
        table = SourceSettings(
            type="docdb", url=url, doors=[door], delay_s=0, requests_per_hour=0
        )
        return Settings(data_dir=self.folder / name, sources={"docdb": table})

    def run(self, what: str, settings: Settings, *, full: bool = False) -> None:
        """Crawl in a new process and record the measurements."""
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
        """Start a first crawl, and SIGKILL it when this share of versions is stored."""
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
    """Run a crawl; return its report and the peak memory of this process in MiB."""
    report = asdict(crawl("docdb", settings, full=full))
    # Not ru_maxrss, which includes the memory of the parent with the whole DocDB.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak_kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return report, int(peak_kib) / 1024


def count(settings: Settings) -> int:
    """Return the number of versions in the catalog."""
    path = settings.paths.catalog
    if not path.is_file():
        return 0
    catalog = Catalog(path)
    versions = catalog.get_statistics("docdb")["documents"]
    catalog.close()
    return versions


def differences(settings: Settings, model: DocDBModel) -> dict[str, int]:
    """Return the numbers of expected, found and differing versions, and of files.

    Compares the access sets and the bytes of all files.
    """
    catalog, true = Catalog(settings.paths.catalog), truth(model)
    counts = {"versions": len(true), "found": 0, "files": 0, "differ": 0}
    for document in catalog.iter_documents():
        _, number, version = document.id.split(":")
        record = model.documents[int(number)][int(version)]
        files = {f.name: f.sha256 for f in document.files if f.key != "about"}
        counts["found"] += 1
        counts["files"] += len(files)
        counts["differ"] += document.access != true[document.id] or files != hashes(
            record.files
        )
    catalog.close()
    return counts


def full_size(documents: int, folder: Path) -> tuple[list[Run], dict[str, int]]:
    """Measure crawls of a simulated DocDB with this many documents."""
    served = Served(fill(documents), folder)
    with served.server:
        settings = served.settings("data")
        served.kill(settings, 0.4)
        served.run("gone on with, to its end", settings)
        compared = differences(settings, served.model)
        served.run("increment, no change", settings)
        rng = random.Random(11)
        for number in rng.sample(sorted(served.model.documents), CHANGES):
            served.model.edit(number, 1, title="Edited")
        served.run(f"increment, {CHANGES} documents changed", settings)
        age(settings)
        served.run("increment after a day, and a thirtieth again", settings)
    return served.runs, compared


# ── output ────────────────────────────────────────────────────────────────────────


def costs(runs: list[Run]) -> Table:
    """Return a table of requests, seconds and memory."""
    table = Table(title="A DocDB in memory; requests also per 1,000 documents")
    names = ("crawl", "documents", "versions", "changed", "requests")
    for name in (*names, "req/1000", "s", "MiB"):
        table.add_column(name, justify="left" if name == "crawl" else "right")
    for run in runs:
        numbers = (run.documents, run.versions, run.changed, run.requests)
        measures = (
            f"{run.per_thousand:.0f}",
            f"{run.seconds:.0f}",
            f"{run.peak_mib:.0f}",
        )
        error = f" [red]{run.error}[/]" if run.error else ""
        table.add_row(run.what + error, *map(str, numbers), *measures)
    return table


def viewers(rows: list[dict[str, Any]]) -> Table:
    """Return a table comparing the access sets in the recordings with the truth."""
    table = Table(title="Recordings of a real DocDB: who may read which version")
    names = ("state", "groups", "versions", "cells", "agreed", "leaked", "missing")
    more = ("files", "bytes recorded", "hashes right", "removed", "requests")
    for name in (*names, *more):
        table.add_column(name, justify="right")
    for row in rows:
        counts = [row["leaked"], row["missing"]]
        table.add_row(
            row["state"],
            *(str(row[name]) for name in names[1:5]),
            *(str(len(found)) for found in counts),
            *(str(row[n]) for n in ("files", "files_with_bytes", "hashes_right")),
            str(row["removed"]),
            str(row["requests"]),
        )
    return table


def main() -> None:
    """Run the benchmark, print the results and write them if requested."""
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
