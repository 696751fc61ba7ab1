"""Measures recovery from an Indico's own faults, on a real Indico.

    python -m benchmarks.indico_faults [--events N] [--only WORD] [--json OUT]

The test Indico of `simulators/indico` (see `benchmarks.indico`), with N weekly meetings
besides, goes wrong in several ways for some rounds: all protection is lost or some of
it, a group loses its accounts, an account its group, tokens are revoked, a root
category is closed to one account while an event elsewhere is closed, a network opens
attachments. Each round is one crawl, an hour after the last one. Printed are the pairs
(object or file, reader) that were leaked or missing at the worst moment of the fault,
after its repair, and in how many rounds they were gone. What may be read neither before
nor in the fault is leaked; what may be read both before and in it is missing.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks.indico import Bench
from dunegpt.access import PUBLIC, Access
from simulators.indico.commands import Clerk
from simulators.indico.compare import catalog_access, may, true_access
from simulators.indico.server import start
from simulators.indico.site import ACCOUNTS, Site

ROUNDS_OF_FAULT, MOST_ROUNDS = 3, 30
Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Fault:
    """A way to go wrong.

    Attributes:
        begin: Steps of the clerk.
        end: Steps that repair it.
        revoked: Accounts whose tokens are not valid in the fault.
        accounts_only: Whether only our accounts change: what a group may read stays.
    """

    name: str
    begin: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    accounts_only: bool = False


FAULTS = (
    Fault("all protection lost", ("lose-protection",), ("restore-protection",)),
    Fault("some protection lost", ("lose-some-protection",), ("restore-protection",)),
    Fault(
        "both accounts of a group lost it",
        ("demote",),
        ("reinstate",),
        accounts_only=True,
    ),
    Fault(
        "one account of a group lost it",
        ("demote-one",),
        ("reinstate",),
        accounts_only=True,
    ),
    Fault(
        "both accounts of the board lost it", ("demote-board",), ("reinstate-board",)
    ),
    Fault("token of one account revoked", revoked=("member2",)),
    Fault("all tokens revoked", revoked=("member", "member2", "board1", "board2")),
    Fault(
        "root closed to one account, event of another closed",
        ("close-annex", "close-doors"),
        ("open-annex", "open-doors"),
    ),
    Fault("network opens attachments", ("network-on",), ("network-off",)),
)


@dataclass
class Recovery:
    """What a fault did, and what its repair took.

    Attributes:
        leaked: Pairs at the worst moment of the fault.
        missing: Pairs that were missing at the worst moment of the fault.
        told: Whether the first crawl in the fault ended with an error or a warning.
        rounds: Crawls after the repair until nothing was leaked or missing.
        leaked_after: Pairs after the first crawl after the repair.
        missing_after: As well.
        requests: Of these crawls.
        messages: Of the first crawl in the fault.
        pairs: What was leaked or missing in the fault.
    """

    fault: str
    leaked: int = 0
    missing: int = 0
    told: bool = False
    rounds: int = 0
    leaked_after: int = 0
    missing_after: int = 0
    requests: int = 0
    messages: list[str] = field(default_factory=list)
    pairs: set[str] = field(default_factory=set)


class World:
    """The test Indico as it is crawled, and its truth."""

    def __init__(self, bench: Bench, site: Site) -> None:
        self.clerk, self.folder, self.site = bench.clerk, bench.folder, site

    def crawl(self) -> tuple[list[str], int]:
        """Let an hour pass and crawl; return its messages and its requests."""
        self.site.age(hours=1)
        report = self.site.crawl()
        return [m for m in (report.error, *report.warnings) if m], report.requests

    def allowed(self) -> Pairs:
        """Return who may read what at the source."""
        return _pairs(true_access(self.clerk.objects("top", "annex"), ACCOUNTS))

    def shown(self) -> Pairs:
        """Return who may read what here."""
        return _pairs(catalog_access(self.site.documents().values()))

    @contextmanager
    def revoked(self, accounts: tuple[str, ...]) -> Iterator[None]:
        """Make the tokens of accounts invalid."""
        paths = [self.folder / f"LARCH_{name.upper()}" for name in accounts]
        before = [path.read_text(encoding="utf-8") for path in paths]
        for path, text in zip(paths, before, strict=True):
            path.write_text(text[:-6] + "000000", encoding="utf-8")
        try:
            yield
        finally:
            for path, text in zip(paths, before, strict=True):
                path.write_text(text, encoding="utf-8")


def _pairs(access: Mapping[str, Access]) -> Pairs:
    return frozenset(
        (name, principal)
        for name, readers in access.items()
        for principal in (PUBLIC, *ACCOUNTS)
        if may(readers, principal)
    )


def measure_recovery(world: World, fault: Fault) -> Recovery:
    """Return what a fault did, and what its repair took.

    Raises:
        RuntimeError: The catalog was not as the source is, before the fault.
    """
    truth = world.allowed()
    if truth != world.shown():
        raise RuntimeError(f"{fault.name}: not crawled as it is")
    found = Recovery(fault.name)
    for step in fault.begin:
        world.clerk.step(step)
    with world.revoked(fault.revoked):
        now = truth if fault.accounts_only else world.allowed()
        for number in range(ROUNDS_OF_FAULT):
            messages, _ = world.crawl()
            if not number:
                found.told, found.messages = bool(messages), messages
            shown = world.shown()
            leaked, missing = shown - (truth & now), (truth & now) - shown
            found.leaked = max(found.leaked, len(leaked))
            found.missing = max(found.missing, len(missing))
            found.pairs |= {f"leaked: {n} to {who}" for n, who in leaked}
            found.pairs |= {f"missing: {n} to {who}" for n, who in missing}
    for step in fault.end:
        world.clerk.step(step)
    _recover(world, truth, found)
    return found


def _recover(world: World, truth: Pairs, found: Recovery) -> None:
    """Crawl until all is as it was; write down what that took."""
    for number in range(1, MOST_ROUNDS + 1):
        found.requests += world.crawl()[1]
        leaked, missing = world.shown() - truth, truth - world.shown()
        if number == 1:
            found.leaked_after, found.missing_after = len(leaked), len(missing)
        found.rounds = number
        if not leaked and not missing:
            return
    found.rounds = MOST_ROUNDS + 1


def show(rows: list[Recovery], console: Console) -> None:
    """Print the table."""
    table = Table(title="Faults of a real Indico: pairs (object or file, reader)")
    for name in ("fault", "told", "leaked", "missing", "after 1: leaked", "missing"):
        table.add_column(name)
    for name in ("rounds", "requests"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = (row.leaked, row.missing, row.leaked_after, row.missing_after)
        told = "yes" if row.told else "no"
        numbers = map(str, (*counts, row.rounds, row.requests))
        table.add_row(row.fault, told, *numbers)
    console.print(table)
    for row in rows:
        for message in row.messages:
            console.print(f"{row.fault}: {message}", highlight=False, markup=False)


def run(
    events: int, faults: tuple[Fault, ...], call: Callable[[str], None]
) -> list[Recovery]:
    """Start Indico, crawl it, and measure each fault in turn."""
    with tempfile.TemporaryDirectory(prefix="dunegpt-bench-") as folder:
        server = start(Path(folder, "server"))
        try:
            with Clerk(server) as clerk:
                bench = Bench(server, clerk, Path(folder))
                bench.grow(events)
                roots = [server.seed["category"], server.seed["categories"]["annex"]]
                site = bench.site(categories=roots)
                site.crawl(full=True)
                world = World(bench, site)
                rows = []
                for fault in faults:
                    call(fault.name)
                    rows.append(measure_recovery(world, fault))
                return rows
        finally:
            server.stop()


def main() -> None:
    """Run the benchmark, print the results and write them if requested."""
    parser = argparse.ArgumentParser(description="Recovery from an Indico's faults.")
    parser.add_argument("--events", type=int, default=200, metavar="N")
    parser.add_argument("--only", metavar="WORD", help="faults with this in their name")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    console = Console(width=110)
    faults = tuple(f for f in FAULTS if (options.only or "") in f.name)
    rows = run(options.events, faults, lambda name: console.print(f"... {name}"))
    show(rows, console)
    if options.json:
        result = [asdict(row) | {"pairs": sorted(row.pairs)} for row in rows]
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if any(row.leaked or row.rounds > MOST_ROUNDS for row in rows) else 0)


if __name__ == "__main__":
    main()
