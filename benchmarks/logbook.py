"""Measures the crawl of a logbook and of a git repository against what they hold.

    python -m benchmarks.logbook [--entries N] [--files N] [--json OUT]

A log in memory behind a socket, with ECL's questions: a full crawl, then rounds of
late, edited and deleted entries, each compared with the log; who may read is compared
for every document and file. Then a repository of N files with a history: a full crawl,
an increment after a commit of ten files, and one after its history was written anew.
Seconds are those of a crawl without a pause between its requests.
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

from dunegpt.config import Settings, SourceTable
from dunegpt.ingest import git
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.types import Document
from tests.servers.elog import LogModel
from tests.servers.faults import FaultServer
from tests.servers.repository import Repository

SHIFT = frozenset({"log:shift"})
CHANGED = 10
DAYS = 720


@dataclass(frozen=True)
class Run:
    """One crawl.

    Attributes:
        requests: To the log; of a repository: programs that were started.
        read: Files that were fetched.
        missing: Things of the source that the catalog lacks or has otherwise.
        leaks: Documents and files with a reader that is not theirs.
        stale: Things that are gone at home and still shown to their readers.
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
    """One data folder, and what was measured in it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder / "data")
        self.done: list[Run] = []

    def use(self, name: str, **table: Any) -> None:
        """Set up a source."""
        sources = {**self.settings.sources, name: SourceTable(**table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def documents(self, name: str) -> dict[str, Document]:
        """Return what readers are shown of a source."""
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {d.id: d for d in catalog.documents() if d.source == name}
        catalog.close()
        return found

    def text(self, sha256: str) -> bytes:
        """Return the stored bytes."""
        return (self.settings.data / "blobs" / sha256[:2] / sha256).read_bytes()

    def note(
        self, what: str, report: CrawlReport, requests: int, bad: tuple[int, int, int]
    ) -> None:
        """Keep what a crawl did."""
        found = self.documents(report.source)
        rows = sum(
            len(self.text(f.sha256).splitlines()) - 1
            for d in found.values()
            if d.kind == "runs"
            for f in d.files
        )
        self.done.append(
            Run(
                what,
                len(found),
                sum(len(d.files) for d in found.values()),
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
    """Return how much is missing, shown to others, and gone but still shown."""
    found = bench.documents("log")
    missing = leaks = 0
    for document in found.values():
        leaks += document.access != SHIFT
        leaks += sum(file.access != SHIFT for file in document.files)
    entries = {f"log:{n}": e for n, e in model.entries.items()}
    shown = {name for name, d in found.items() if d.kind == "entry"}
    stale = len(shown - entries.keys())
    missing += len(entries.keys() - shown)
    for name in shown & entries.keys():
        own = {f.name: f for f in found[name].files}
        entry = entries[name]
        text = bench.text(found[name].files[0].sha256).decode()
        missing += entry.text not in text
        for file, body in {**entry.files, **entry.images}.items():
            missing += file not in own or bench.text(own[file].sha256) != body
    rows = {
        line
        for d in found.values()
        if d.kind == "runs"
        for line in bench.text(d.files[0].sha256).decode().splitlines()[1:]
    }
    told = {
        f"{r.number},{r.start},{r.stop or ''},{r.beam},{r.state},{r.comment}"
        for r in model.runs
    }
    return missing + len(told - rows), leaks, stale + len(rows - told)


def measure_log(bench: Bench, entries: int) -> None:
    """Crawl a log whole, then after changes of each kind."""
    model, dice = LogModel(), random.Random(8812)
    for number in range(entries):
        entry = model.recent(dice.randrange(DAYS), f"Entry {number} on the pumps.")
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
        change(model, dice, recent=True)
        run(f"log, {CHANGED} late, edited, deleted each, of the last days")
        change(model, dice, recent=False)
        run("log, the same among all days: a poll does not see them")
        run("log, full again", full=True)


def change(model: LogModel, dice: random.Random, *, recent: bool) -> None:
    """Add late entries; edit and delete others, all of the last days or of any."""
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
    """Return how much is missing, shown to others, and gone but still shown."""
    found = {d.title: d for d in bench.documents("code").values()}
    there = set(repository.git("ls-files").splitlines())
    missing = len(there - found.keys())
    leaks = 0
    for path in there & found.keys():
        document = found[path]
        leaks += document.access != {"code:member"}
        own = (repository.folder / path).read_bytes()
        missing += bench.text(document.files[0].sha256) != own
    return missing, leaks, len(found.keys() - there)


def measure_code(bench: Bench, folder: Path, files: int) -> None:
    """Crawl a repository whole, then after commits."""
    repository = Repository(folder / "code")
    names = [f"m{n % 50}/f{n}.{('py', 'cc', 'md', 'fcl')[n % 4]}" for n in range(files)]
    for part in range(0, files, 100):
        repository.commit({n: f"// {n}\n\ntext of {n}\n" for n in names[part:][:100]})
    for number in range(200):
        name = names[number * 7 % files]
        repository.commit({name: f"// {name}\n\nchange {number}\n"})
    access = ["code:member"]
    bench.use("code", type="git", path=str(repository.folder), access=access)
    kept: list[git.GitSource] = []

    class Noted(git.GitSource):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            kept.append(self)

    from dunegpt.ingest import source  # noqa: PLC0415 - its list is changed

    source.SOURCES["git"] = Noted

    def run(what: str, **how: Any) -> None:
        report = crawl("code", bench.settings, **how)
        found = compare_code(bench, repository)
        bench.note(what, report, kept[-1].processes, found)

    run("repository, full")
    run("repository, nothing new")
    repository.commit({n: "changed\n" for n in names[:CHANGED]})
    run(f"repository, a commit of {CHANGED} files")
    repository.git("checkout", "-q", "--orphan", "anew")
    repository.commit()
    run("repository, history written anew")


def show(done: list[Run]) -> None:
    """Print two tables: what was found and who may read it, and what it cost."""
    console = Console(width=150)
    for title, names in (
        ("Complete, and for whom", "documents files runs missing leaks stale error"),
        ("Cost", "seen new changed removed read requests seconds"),
    ):
        table = Table("crawl", *names.split(), title=title)
        for each in done:
            values = (getattr(each, name) for name in names.split())
            table.add_row(each.what, *map(str, values))
        console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--entries", type=int, default=3000)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
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
