"""Measures recovery from a DocDB's own faults, and the time until closing is seen.

    python -m benchmarks.docdb_faults [--documents N] [--hours N] [--json OUT]

A simulated DocDB with N documents goes wrong in several ways for some rounds: its
access table is lost, the account loses its groups, a password expires, the lists of a
door fail. Each round is one crawl, an hour after the last one. Printed are the pairs
(version, reader) that were leaked or missing at the worst moment of the fault, after
its repair, and in how many rounds they were gone; what was never closed is not leaked.
Then documents are closed in several ways within N hours: printed is after how many of
them that is seen here, with the lists fetched every hour and only once a day, and the
requests per hour.
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from dunegpt.access import PUBLIC
from dunegpt.ingest.catalog.database import Catalog
from simulators.crawled_source import folder
from simulators.docdb.model import DocDBModel
from simulators.docdb.site import Site, is_former_reservation, principals

GROUPS = ("Admin", "All", "Board", "Office")
ROUNDS_OF_FAULT, MOST_ROUNDS = 3, 30
Pair = tuple[str, str]


class World:
    """A DocDB that is crawled every hour."""

    def __init__(self, place: Path, documents: int, **options: Any) -> None:
        self.site = Site(place, DocDBModel(GROUPS))
        self.site.configure(**options)
        self.model = self.site.model
        self.model.superiors = {("Board", "All")}
        rng = random.Random(4711)
        kinds: list[tuple[str, ...]] = [(), ("All",), ("Board",), ("Office", "Board")]
        for number in range(documents):
            groups = rng.choices(kinds, (2, 5, 2, 1))[0]
            self.model.add(f"Note {number}", groups)
            if rng.random() < 0.3:
                newer = rng.choice(kinds)
                self.model.add_version(self.model.last, "Note, newer", newer)
        self.model.pass_days(60)
        self.hour = 0

    def crawl(self) -> str:
        """Let an hour pass and crawl; return the error."""
        self.pass_hour()
        return self.site.crawl().error

    def pass_hour(self) -> None:
        """Make the stored state of the crawl an hour older."""
        self.hour += 1
        if not self.site.settings.paths.catalog.is_file():
            return
        hour = timedelta(hours=1)
        catalog = Catalog(self.site.settings.paths.catalog)
        for key in ("daily", "since"):
            if moment := catalog.get_state("docdb", key):
                catalog.put_state("docdb", key, _earlier(moment, hour))
        if lists := catalog.get_state("docdb", "lists"):
            lists["at"] = {n: _earlier(at, hour) for n, at in lists["at"].items()}
            catalog.put_state("docdb", "lists", lists)
        catalog.close()

    def allowed(self) -> set[Pair]:
        """Return who may read what at the source."""
        return {
            (f"docdb:{number}:{version}", reader)
            for number, versions in self.model.documents.items()
            for version in versions
            if not is_former_reservation(self.model, number, version)
            for reader in self._readers(principals(self.model, number, version))
        }

    def shown(self) -> set[Pair]:
        """Return who may read what here."""
        return {
            (name, reader)
            for name, access in self.site.access().items()
            for reader in self._readers(access)
        }

    def _readers(self, access: frozenset[str]) -> set[str]:
        everybody = {PUBLIC, *(f"docdb:{group}" for group in GROUPS)}
        return everybody if PUBLIC in access else set(access)


def _earlier(moment: str, delta: timedelta) -> str:
    return (datetime.fromisoformat(moment) - delta).isoformat(timespec="seconds")


@dataclass
class Recovery:
    """What a fault did, and what its repair took.

    Attributes:
        leaked: Pairs at the worst moment of the fault.
        missing: Pairs that were missing at the worst moment of the fault.
        alarmed: Whether the first crawl in the fault ended with an error.
        rounds: Crawls after the repair until nothing was leaked or missing.
        leaked_after: Pairs after the first crawl after the repair.
        missing_after: As well.
    """

    fault: str
    leaked: int = 0
    missing: int = 0
    alarmed: bool = False
    rounds: int = 0
    leaked_after: int = 0
    missing_after: int = 0


@dataclass
class Fault:
    """A way to go wrong: how it begins and ends, and how the DocDB is read."""

    name: str
    begin: Callable[[World], Callable[[], None]]
    prepare: Callable[[World], None] = field(default=lambda world: None)


# ── faults ────────────────────────────────────────────────────────────────────────


def lose_access_table(world: World, share: float = 1.0) -> Callable[[], None]:
    """Show a share of all documents to everybody."""
    versions = [
        v for versions in world.model.documents.values() for v in versions.values()
    ]
    chosen = versions[: round(share * len(versions))]
    before = [(version, version.groups) for version in chosen]
    for version in chosen:
        version.groups = frozenset()
        version.touched = world.model.now

    def repair() -> None:
        for version, groups in before:
            version.groups = groups

    return repair


def lose_groups(world: World) -> Callable[[], None]:
    """Leave the account in one group only."""
    before = dict(world.site.doors.sessions)
    world.site.doors.sessions.update({key: ["Office"] for key in before})
    return lambda: world.site.doors.sessions.update(before)


def lose_session(world: World) -> Callable[[], None]:
    """End the session of the account."""
    before = dict(world.site.doors.sessions)
    world.site.doors.sessions.clear()
    return lambda: world.site.doors.sessions.update(before)


def change_password(world: World) -> Callable[[], None]:
    """Change the password of one group."""
    before = world.site.doors.passwords["Board"]
    world.site.doors.passwords["Board"] = "another"
    return lambda: world.site.doors.passwords.update({"Board": before})


def use_passwords(world: World) -> None:
    """Read by the passwords of all groups."""
    world.site.by_passwords(*GROUPS)


def set_canary(world: World) -> None:
    """Choose a closed document as the canary."""
    closed = (
        n for n, v in world.model.documents.items() if all(o.groups for o in v.values())
    )
    world.site.configure(canary=next(closed))


FAULTS = [
    Fault("access table lost: all is public", lose_access_table),
    Fault("access table lost, with a canary", lose_access_table, set_canary),
    Fault("access of a few documents lost", lambda w: lose_access_table(w, 0.05)),
    Fault("account in one group only", lose_groups),
    Fault("session of the account ended", lose_session),
    Fault("password of one group changed", change_password, use_passwords),
]


def measure_recovery(fault: Fault, documents: int) -> Recovery:
    """Return what a fault did, and what its repair took."""
    with folder() as place:
        world = World(place, documents)
        fault.prepare(world)
        error = world.crawl()
        if error or world.shown() != world.allowed():
            raise RuntimeError(f"not crawled as it is: {error}")
        truth = world.allowed()
        found = Recovery(fault.name)
        repair = fault.begin(world)
        for number in range(ROUNDS_OF_FAULT):
            error = world.crawl()
            found.alarmed |= bool(error) and not number
            found.leaked = max(found.leaked, len(world.shown() - truth))
            found.missing = max(found.missing, len(truth - world.shown()))
        repair()
        for number in range(1, MOST_ROUNDS + 1):
            world.crawl()
            leaked, missing = world.shown() - truth, truth - world.shown()
            if number == 1:
                found.leaked_after, found.missing_after = len(leaked), len(missing)
            if not leaked and not missing:
                found.rounds = number
                return found
        found.rounds = MOST_ROUNDS + 1
        return found


# ── time to revocation ────────────────────────────────────────────────────────────


def close_in_place(world: World, number: int) -> None:
    """Restrict all versions, as users do."""
    for version in world.model.documents[number]:
        world.model.close(number, version, "Admin")


def close_without_trace(world: World, number: int) -> None:
    """Restrict all versions in the database: no list of changes tells."""
    for version in world.model.documents[number].values():
        version.groups = frozenset({"Admin"})


def close_to_unknown(world: World, number: int) -> None:
    """Restrict all versions to a group that the account is not in."""
    world.model.groups[9] = "Secret"
    for version in world.model.documents[number]:
        world.model.close(number, version, "Secret")


def delete(world: World, number: int) -> None:
    """Delete the document."""
    world.model.delete(number)


CLOSINGS = {
    "restricted by a user": close_in_place,
    "restricted in the database": close_without_trace,
    "closed to the account": close_to_unknown,
    "deleted": delete,
}


@dataclass
class Revocation:
    """How long it took until closing was seen.

    Attributes:
        hours: For each closed document, crawls until nobody could read it here who may
            not at the source.
    """

    lists_every_min: float
    kind: str
    hours: list[int]
    requests_per_hour: float

    @property
    def median(self) -> float:
        """Half of the documents were closed within so many hours."""
        return statistics.median(self.hours)


def measure_revocation(
    every_min: float, documents: int, most_hours: int
) -> list[Revocation]:
    """Close documents at different hours; return the delays by kind."""
    rows = []
    for kind, close in CLOSINGS.items():
        with folder() as place:
            world = World(place, documents, lists_every_min=every_min)
            world.crawl()
            pending: dict[int, int] = {}
            hours: list[int] = []
            requests = 0
            free = sorted(world.model.documents)[::3]
            for hour in range(most_hours):
                if hour < most_hours // 2 and hour % 2 == 0:
                    number = free.pop()
                    close(world, number)
                    pending[number] = hour
                world.pass_hour()
                requests += world.site.crawl().requests
                leaked = {
                    int(name.split(":")[1])
                    for name, _ in world.shown() - world.allowed()
                }
                for number in [n for n in pending if n not in leaked]:
                    hours.append(hour - pending.pop(number) + 1)
            hours += [most_hours + 1] * len(pending)
            rows.append(
                Revocation(every_min, kind, hours, round(requests / most_hours, 1))
            )
    return rows


# ── output ────────────────────────────────────────────────────────────────────────


def show(recoveries: list[Recovery], delays: list[Revocation]) -> None:
    """Print both tables."""
    console = Console(width=110)
    table = Table(title="Faults of the source: pairs (version, reader)")
    for name in ("fault", "alarm", "leaked", "missing", "after 1: leaked", "missing"):
        table.add_column(name)
    table.add_column("rounds")
    for row in recoveries:
        counts = (row.leaked, row.missing, row.leaked_after, row.missing_after)
        alarm = "yes" if row.alarmed else "no"
        table.add_row(row.fault, alarm, *map(str, counts), str(row.rounds))
    console.print(table)
    table = Table(title="Hours from closing at the source to closing here")
    for name in ("lists every", "closed how", "p50", "worst", "requests/h"):
        table.add_column(name)
    for each in delays:
        every = f"{each.lists_every_min:g} min"
        numbers = (
            f"{each.median:g}",
            str(max(each.hours)),
            str(each.requests_per_hour),
        )
        table.add_row(every, each.kind, *numbers)
    console.print(table)


def main() -> None:
    """Run the benchmark, print the results and write them if requested."""
    parser = argparse.ArgumentParser(description="Recovery from a DocDB's faults.")
    parser.add_argument("--documents", type=int, default=200, metavar="N")
    parser.add_argument("--hours", type=int, default=48, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    recoveries = [measure_recovery(fault, options.documents) for fault in FAULTS]
    delays = [
        row
        for every in (55, 24 * 60)
        for row in measure_revocation(every, options.documents, options.hours)
    ]
    show(recoveries, delays)
    if options.json:
        rows = [asdict(row) for row in recoveries], [asdict(row) for row in delays]
        result = dict(zip(("recoveries", "revocations"), rows, strict=True))
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if any(row.rounds > MOST_ROUNDS for row in recoveries) else 0)


if __name__ == "__main__":
    main()
