"""Measures the crawl of a real Indico, and compares the result with Indico's truth.

    python benchmarks/indico.py [--events N] [--json OUT]

Starts the test Indico of `simulators/indico` (as root; installs it if necessary) with
events that have every kind of protection, then adds 200 weekly meetings, then N. It is
crawled by five identities: two accounts of each of two groups, and anonymously. Each
crawl runs in its own process, without delay between requests. An increment after an
hour looks over everything with one account per group, one after a day with all of them;
time is simulated by making the crawl state older. Objects
are events, sessions, contributions and sub-contributions.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest import change_notices
from simulators.indico.commands import Clerk
from simulators.indico.compare import Tally, difference, tallies, true_access
from simulators.indico.server import IndicoServer, start
from simulators.indico.site import ACCOUNTS, EVERYBODY, Site, table, tokens

FEW = 200
CHANGES = 10


@dataclass(frozen=True)
class Run:
    """A crawl.

    Attributes:
        events: Weekly meetings besides the events with protection.
        objects: Documents in the catalog afterwards.
        seen: Observed objects.
        changed: New and changed objects.
        peak_mib: Peak memory of its process.
    """

    what: str
    events: int
    objects: int
    seen: int
    changed: int
    requests: int
    seconds: float
    peak_mib: float
    error: str

    @property
    def per_thousand(self) -> tuple[float, float]:
        """Requests and seconds per 1,000 objects of the catalog."""
        share = max(self.objects, 1) / 1000
        return self.requests / share, self.seconds / share


def crawl(settings: Settings, full: bool) -> tuple[dict[str, Any], float]:
    """Run a crawl; return its report and the peak memory of this process in MiB."""
    report = asdict(Site(settings).crawl(full=full))
    return report, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Bench:
    """A server and the measurements on it."""

    def __init__(self, server: IndicoServer, clerk: Clerk, folder: Path) -> None:
        self.server, self.clerk, self.folder = server, clerk, folder
        self.events = 0
        self.runs: list[Run] = []

    def site(self, **more: Any) -> Site:
        """Return the site with an empty data folder for this number of events."""
        return Site(
            Settings(
                data_dir=self.folder / f"data-{self.events}",
                sources={"larch": SourceSettings(**self._table() | more)},
            )
        )

    def _table(self) -> dict[str, Any]:
        """Return the settings of the site, with the tokens in files."""
        settings, secrets = table(self.server), tokens(self.server)
        for group in (settings, *settings["audiences"]):
            group["token_file"] = []
            for name in group.pop("token_env"):
                path = self.folder / name
                path.touch(mode=0o600)
                path.write_text(secrets[name], encoding="utf-8")
                group["token_file"].append(str(path))
        return settings

    def grow(self, events: int) -> None:
        """Add weekly meetings up to this number."""
        while self.events < events:
            more = min(events - self.events, 500)
            self.clerk.ask("bulk", str(more))
            self.events += more

    def run(self, what: str, site: Site, *, full: bool = False) -> None:
        """Crawl in a new process and record the measurements."""
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            report, peak = pool.submit(crawl, site.settings, full).result()
        self.runs.append(
            Run(
                what,
                self.events,
                len(site.documents()),
                report["seen"],
                report["new"] + report["changed"],
                report["requests"],
                report["seconds"],
                round(peak, 1),
                report["error"],
            )
        )

    def measure(self, events: int) -> Site:
        """Measure all kinds of crawls with this number of events."""
        self.grow(events)
        site = self.site()
        self.run("full, first", site, full=True)
        self.run("increment, no change", site)
        site.age(hours=1)
        self.run("increment after an hour, no change", site)
        self.clerk.step("edit-ten")
        site.age(hours=1)
        self.run(f"increment after an hour, {CHANGES} changes", site)
        done = self.clerk.step("edit-ten")
        change_notices.write_notice(site.settings.data, "larch", done["events"])
        self.run(f"increment, {CHANGES} changes told by a notice", site)
        site.age(days=1.1)
        self.run("increment after a day, no change", site)
        self.clerk.step("edit-ten")
        site.age(days=1.1)
        self.run(f"increment after a day, {CHANGES} changes", site)
        self.run("full, again", site, full=True)
        return site


def completeness(site: Site, clerk: Clerk) -> tuple[dict[str, Any], dict[str, Tally]]:
    """Return seeded, found, leaked and missing counts, in total and by account."""
    truth = clerk.objects()
    documents = list(site.documents().values())
    found = difference(documents, truth, ACCOUNTS)
    seeded = true_access(truth, ACCOUNTS)
    total = {
        "objects": len(truth),
        "readable_objects": sum("#" not in name for name in seeded),
        "readable_files": sum("#" in name for name in seeded),
        "found_objects": sum(bool(d.access) for d in documents),
        "leaked": found.leaked,
        "missing": found.missing,
    }
    return total, tallies(documents, truth, ACCOUNTS, EVERYBODY)


def shown(total: dict[str, Any], counts: dict[str, Tally], title: str) -> Table:
    """Return a table of completeness and access."""
    title += (
        f": {total['objects']} objects seeded; readable by some group"
        f" {total['readable_objects']}, found {total['found_objects']};"
        f" leaked {len(total['leaked'])}, missing {len(total['missing'])}"
    )
    view = Table(title=title)
    view.add_column("account")
    for name in ("may there", "by name only", "shown here", "leaked", "missing"):
        view.add_column(name, justify="right")
    for account, tally in counts.items():
        view.add_row(account, *(str(n) for n in asdict(tally).values()))
    return view


def costs(runs: list[Run]) -> Table:
    """Return a table of requests, seconds and memory."""
    view = Table(title="Crawls; requests and seconds also per 1,000 objects held")
    view.add_column("crawl")
    names = ("events", "objects", "changed", "requests", "s", "req/1000", "s/1000")
    for name in (*names, "MiB"):
        view.add_column(name, justify="right")
    for run in runs:
        requests, seconds = run.per_thousand
        numbers = (run.events, run.objects, run.changed, run.requests)
        view.add_row(
            run.what + (f" [red]{run.error}[/]" if run.error else ""),
            *map(str, numbers),
            f"{run.seconds:.1f}",
            f"{requests:.0f}",
            f"{seconds:.1f}",
            f"{run.peak_mib:.0f}",
        )
    return view


def main() -> None:
    """Run the benchmark, print the results and write them if requested."""
    parser = argparse.ArgumentParser(description="Crawls of a real Indico.")
    parser.add_argument("--events", type=int, default=2000, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="dunegpt-bench-") as folder:
        server = start(Path(folder, "server"))
        try:
            with Clerk(server) as clerk:
                bench = Bench(server, clerk, Path(folder))
                doors = bench.site()
                bench.run("full, only the doors", doors, full=True)
                total, counts = completeness(doors, clerk)
                console.print(shown(total, counts, "Doors"))
                for events in sorted({FEW, options.events}):
                    site = bench.measure(events)
                    after, by_account = completeness(site, clerk)
                    title = f"With {events} weekly meetings"
                    console.print(shown(after, by_account, title))
        finally:
            server.stop()
    console.print(costs(bench.runs))
    if options.json:
        result = {
            "access": total
            | {"accounts": {name: asdict(tally) for name, tally in counts.items()}},
            "crawls": [
                asdict(run)
                | {
                    "requests_per_1000": run.per_thousand[0],
                    "s_per_1000": run.per_thousand[1],
                }
                for run in bench.runs
            ],
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    wrong = after["leaked"] or after["missing"] or total["leaked"] or total["missing"]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
