"""Measures the crawls of a logbook and a git repository against their contents.

    python -m benchmarks.logbook [--entries N] [--files N] [--json OUT]

First a simulated logbook with the API of ECL on loopback: a full crawl, then rounds of
late, edited and deleted entries. Each time the entries and the access sets of all
documents and files are compared with the logbook. Then a repository of N files with a
history: a full crawl, an increment after a commit of ten files, and one after the
history was rewritten. Crawls run without delay between requests.
"""

import argparse
import json
import random
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.git import source as git
from dunegpt.types import Document
from simulators.elog.model import LogModel
from simulators.git.repository import Repository
from simulators.http_server import FaultServer

SHIFT = frozenset({"log:shift"})
CHANGED = 10
DAYS = 720


@dataclass(frozen=True)
class Run:
    """A crawl.

    Attributes:
        requests: Requests to the logbook, or git processes for a repository.
        read: Fetched files.
        missing: Entries, files or rows that are missing or differ in the catalog.
        leaks: Documents and files with the wrong readers.
        stale: Entries, files or rows that are deleted in the source, but still visible.
    """

    what: str
    documents: int
    files: int
    runs: int
    seen: int
    new: int
    changed: int
    removed: int
    read: int
    requests: int
    seconds: float
    missing: int
    leaks: int
    stale: int
    error: str


class Bench:
    """A data folder and the measurements in it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder / "data")
        self.done: list[Run] = []

    def use(self, name: str, **table: Any) -> None:
        """Configure a source."""
        sources = {**self.settings.sources, name: SourceSettings(**table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def documents(self, name: str) -> dict[str, Document]:
        """Return the visible documents of a source, by id."""
        catalog = Catalog(self.settings.paths.catalog)
        documents = {d.id: d for d in catalog.iter_documents() if d.source == name}
        catalog.close()
        return documents

    def text(self, sha256: str) -> bytes:
        """Return the stored bytes."""
        return (self.settings.paths.blobs / sha256[:2] / sha256).read_bytes()

    def note(
        self, what: str, report: CrawlReport, requests: int, bad: tuple[int, int, int]
    ) -> None:
        """Record the measurements of a crawl."""
        documents = self.documents(report.source)
        rows = sum(
            len(self.text(f.sha256).splitlines()) - 1
            for d in documents.values()
            if d.kind == "runs"
            for f in d.files
        )
        self.done.append(
            Run(
                what,
                len(documents),
                sum(len(d.files) for d in documents.values()),
                rows,
                report.seen,
                report.new,
                report.changed,
                report.removed,
                report.fetched,
                requests,
                report.seconds,
                *bad,
                report.error,
            )
        )


# ── the log ───────────────────────────────────────────────────────────────────────


def compare_log(bench: Bench, model: LogModel) -> tuple[int, int, int]:
    """Return the numbers of missing, leaked and stale items."""
    documents = bench.documents("log")
    missing = leaks = 0
    for document in documents.values():
        leaks += document.access != SHIFT
        leaks += sum(file.access != SHIFT for file in document.files)
    entries = {f"log:{n}": e for n, e in model.entries.items()}
    shown = {name for name, d in documents.items() if d.kind == "entry"}
    stale = len(shown - entries.keys())
    missing += len(entries.keys() - shown)
    for name in shown & entries.keys():
        files = {f.name: f for f in documents[name].files}
        entry = entries[name]
        text = bench.text(documents[name].files[0].sha256).decode()
        missing += entry.text not in text
        for file, body in {**entry.files, **entry.images}.items():
            missing += file not in files or bench.text(files[file].sha256) != body
    rows = {
        line
        for d in documents.values()
        if d.kind == "runs"
        for line in bench.text(d.files[0].sha256).decode().splitlines()[1:]
    }
    expected_rows = {
        f"{r.number},{r.start},{r.stop or ''},{r.beam},{r.state},{r.comment}"
        for r in model.runs
    }
    return missing + len(expected_rows - rows), leaks, stale + len(rows - expected_rows)


def measure_log(bench: Bench, entries: int) -> None:
    """Crawl a whole logbook, then again after each kind of change."""
    model, rng = LogModel(), random.Random(8812)
    for number in range(entries):
        entry = model.recent(rng.randrange(DAYS), f"Entry {number} on the pumps.")
        if number % 20 == 0:
            entry.files["note.txt"] = f"Note {number}.".encode()
    first = date.today() - timedelta(days=DAYS)
    model.take_runs(str(first), DAYS * 4, ["LArTPC running", "cosmics", "HV ramp"])
    with FaultServer(model.answer) as server:
        bench.use(
            "log",
            type="elog",
            url=f"{server.url}/ECL/x",
            access=sorted(SHIFT),
            first_day=date(2015, 1, 1),
            runs_url=f"{server.url}/ECL/x/runs.csv",
            delay_s=0,
            requests_per_hour=0,
        )

        def run(what: str, **how: Any) -> None:
            report = crawl("log", bench.settings, **how)
            bench.note(what, report, report.requests, compare_log(bench, model))

        run("log, full")
        run("log, first poll of a day")
        run("log, next poll")
        change(model, rng, recent=True)
        run(f"log, {CHANGED} late, edited, deleted each, of the last days")
        change(model, rng, recent=False)
        run("log, the same among all days: a poll does not see them")
        run("log, full again", full=True)


def change(model: LogModel, dice: random.Random, *, recent: bool) -> None:
    """Add, edit and delete entries, of the last days or of any day."""
    days = 6 if recent else DAYS
    after = date.today() - timedelta(days=days)
    old = [n for n, e in sorted(model.entries.items()) if e.time.date() >= after]
    while len(old) < 2 * CHANGED:
        old.append(model.recent(dice.randrange(days)).number)
    chosen = dice.sample(old, 2 * CHANGED)
    for number in chosen[:CHANGED]:
        model.entries[number].text += " Edited."
    for number in chosen[CHANGED:]:
        del model.entries[number]
    for _ in range(CHANGED):
        model.recent(dice.randrange(days), "Written up late.")


# ── the repository ────────────────────────────────────────────────────────────────


def compare_code(bench: Bench, repository: Repository) -> tuple[int, int, int]:
    """Return the numbers of missing, leaked and stale items."""
    documents = {d.title: d for d in bench.documents("code").values()}
    paths = set(repository.git("ls-files").splitlines())
    missing = len(paths - documents.keys())
    leaks = 0
    for path in paths & documents.keys():
        document = documents[path]
        leaks += document.access != {"code:member"}
        content = (repository.folder / path).read_bytes()
        missing += bench.text(document.files[0].sha256) != content
    return missing, leaks, len(documents.keys() - paths)


def measure_code(bench: Bench, folder: Path, files: int) -> None:
    """Crawl a whole repository, then again after commits."""
    repository = Repository(folder / "code")
    names = [f"m{n % 50}/f{n}.{('py', 'cc', 'md', 'fcl')[n % 4]}" for n in range(files)]
    for part in range(0, files, 100):
        repository.commit({n: f"// {n}\n\ntext of {n}\n" for n in names[part:][:100]})
    for number in range(200):
        name = names[number * 7 % files]
        repository.commit({name: f"// {name}\n\nchange {number}\n"})
    access = ["code:member"]
    bench.use("code", type="git", path=str(repository.folder), access=access)

    def run(what: str, **how: Any) -> None:
        source = git.GitSource("code", bench.settings.sources["code"], bench.settings)
        report = crawl("code", bench.settings, source=source, **how)
        found = compare_code(bench, repository)
        bench.note(what, report, source.processes, found)

    run("repository, full")
    run("repository, nothing new")
    repository.commit({n: "changed\n" for n in names[:CHANGED]})
    run(f"repository, a commit of {CHANGED} files")
    repository.git("checkout", "-q", "--orphan", "anew")
    repository.commit()
    run("repository, history written anew")


def show(done: list[Run]) -> None:
    """Print a table of completeness and access, and a table of costs."""
    console = Console(width=150)
    for title, names in (
        ("Complete, and for whom", "documents files runs missing leaks stale error"),
        ("Cost", "seen new changed removed read requests seconds"),
    ):
        table = Table("crawl", *names.split(), title=title)
        for run in done:
            values = (getattr(run, name) for name in names.split())
            table.add_row(run.what, *map(str, values))
        console.print(table)


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--entries", type=int, default=3000)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dunegpt-bench-") as name:
        bench = Bench(Path(name))
        measure_log(bench, options.entries)
        measure_code(bench, Path(name), options.files)
    show(bench.done)
    if options.json:
        text = json.dumps([asdict(run) for run in bench.done], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
