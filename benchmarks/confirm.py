"""Asking sources before their documents are shown: its cost, and what it gains.

    python -m benchmarks.confirm [--documents 200] [--questions 60]
        [--latency-ms 0 40 120 600] [--processes 5] [--json OUT]

Crawls a generated DocDB, which is simulated in this process behind a socket and answers
each request after a latency, with a login of several groups and anonymously. Prints the
time of the same questions with ``confirm`` off, with nothing in the cache, and with all
in the cache; the share of references that were confirmed in time; and for documents
that are closed at their source, the time until an answer lacks them, and how many
answers still had them. With ``--processes``, also whole ``dunegpt ask`` processes.
"""

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dunegpt.config import EmbedSettings, Settings, SourceSettings
from dunegpt.index.build import build
from dunegpt.ingest.crawl import crawl
from dunegpt.serve.assistant import Assistant
from simulators.docdb.site import Site
from simulators.encoder import make_encoder
from simulators.http_server import FaultServer, Reply, Request

GROUPS = ("Board", "All")
PARTS = "cathode anode trigger cryostat magnet readout purity photon cable pump".split()
THINGS = (
    "voltage current pressure temperature length width mass delay rate gain".split()
)


@dataclass(frozen=True)
class Figures:
    """What was measured at one latency of the source; times in milliseconds.

    Attributes:
        off: Answers without ``confirm``: median and 95th percentile.
        cold: Answers that ask for each of their documents.
        warm: Answers whose documents were all confirmed before.
        added_p50: Median of the difference between cold and off, question by question.
        added_p95: Its 95th percentile.
        requests: Requests per cold answer.
        confirmed: Share of documents in cold answers that were confirmed in time.
        revocation_p50: From closing a document to the end of the first answer without
            it.
        revocation_worst: The longest of these.
        still_shown: Answers after the closing that still had the document, of
            ``closed``.
        closed: Number of documents that were closed.
    """

    latency_ms: float
    off: tuple[float, float]
    cold: tuple[float, float]
    warm: tuple[float, float]
    added_p50: float
    added_p95: float
    requests: float
    confirmed: float
    revocation_p50: float
    revocation_worst: float
    still_shown: int
    closed: int


class World:
    """The generated DocDB, crawled and indexed."""

    def __init__(self, folder: Path, documents: int) -> None:
        self.latency_s = 0.0
        self.requests = 0
        self.site = Site(folder)
        self.rng = random.Random(7)
        self.questions: dict[int, str] = {}
        for _ in range(documents):
            self._add_document()
        self.server = FaultServer(self._answer)
        self.site.doors.url = self.server.url
        url = f"{self.server.url}/cgi-bin"
        [door] = self.site.table["doors"]
        self.site.configure(url=url, doors=[door | {"url": f"{url}/sso"}])
        model = make_encoder(folder / "encoder")
        self.settings = self.site.settings.model_copy(
            update={"embed": EmbedSettings(model=str(model))}
        )

    def with_confirm(self, *, confirm: bool) -> Settings:
        """Return the settings with the option, and without a limit on requests."""
        table = self.site.table | {"confirm": confirm, "confirm_per_hour": 10**9}
        sources = {"docdb": SourceSettings(**table)}
        return self.settings.model_copy(update={"sources": sources})

    def make(self) -> None:
        """Crawl and index.

        Raises:
            RuntimeError: The crawl failed.
        """
        report = crawl("docdb", self.settings)
        if report.error:
            raise RuntimeError(report.error)
        build(self.settings)

    def clear_cache(self) -> None:
        """Forget which documents were confirmed."""
        with closing(sqlite3.connect(self.settings.paths.confirmations)) as db, db:
            db.execute("delete from shown")
            db.execute("delete from pauses")

    def _add_document(self) -> None:
        part, thing = self.rng.choice(PARTS), self.rng.choice(THINGS)
        groups = self.rng.choice([(), GROUPS, GROUPS[:1]])
        number = self.site.model.add(f"The {thing} of the {part}", groups)
        name = f"{part}{number}"
        text = f"The {thing} of the {name} is {self.rng.randint(100, 999)} units. " * 3
        self.site.model.put_file(number, 1, "note.txt", text.encode())
        self.questions[number] = f"What is the {thing} of the {name}?"

    def _answer(self, request: Request) -> Reply:
        if request.query.get("outformat") == "xml":
            self.requests += 1
            self.server.stopped.wait(self.latency_s)
        return self.site.doors.answer(request)


def measure_answers(
    settings: Settings, questions: list[str], before_each: Callable[[], None]
) -> tuple[list[float], int]:
    """Return the milliseconds of each answer, and how many references they have."""
    times, shown = [], 0
    with Assistant(settings) as assistant:
        reader = assistant.as_reader(frozenset({f"docdb:{g}" for g in GROUPS}))
        reader.search("warm up")
        for question in questions:
            before_each()
            started = time.perf_counter()
            answer = reader.ask(question)
            times.append(1000 * (time.perf_counter() - started))
            shown += len({each.document.id for each in answer.references})
    return times, shown


def measure(world: World, latency_ms: float, questions: int) -> Figures:
    """Return the figures at one latency of the source."""
    world.latency_s = latency_ms / 1000
    chosen = world.rng.sample(sorted(world.questions), questions)
    asked = [world.questions[number] for number in chosen]
    off, _ = measure_answers(world.with_confirm(confirm=False), asked, lambda: None)
    on = world.with_confirm(confirm=True)
    measure_answers(on, asked[:1], lambda: None)
    world.requests = 0
    cold, shown = measure_answers(on, asked, world.clear_cache)
    requests = world.requests / questions
    measure_answers(on, asked, lambda: None)
    time.sleep(world.latency_s)
    warm, _ = measure_answers(on, asked, lambda: None)
    unconfirmed = count_unconfirmed(world, on, asked[:10])
    seconds, still, closed = measure_revocations(world, on, chosen[: questions // 3])
    added = [after - before for after, before in zip(cold, off, strict=True)]
    return Figures(
        latency_ms,
        summarize(off),
        summarize(cold),
        summarize(warm),
        *summarize(added),
        round(requests, 2),
        max(round(1 - unconfirmed / (shown * min(10, questions) / questions), 3), 0.0),
        round(1000 * statistics.median(seconds), 1) if seconds else 0.0,
        round(1000 * max(seconds, default=0.0), 1),
        still,
        closed,
    )


def count_unconfirmed(world: World, settings: Settings, asked: list[str]) -> int:
    """Return how many documents of some answers were shown without confirmation."""
    count = 0
    with Assistant(settings) as assistant:
        principals = frozenset({f"docdb:{group}" for group in GROUPS})
        assistant.as_reader(principals).search("warm up")
        for question in asked:
            world.clear_cache()
            with assistant.searcher() as searcher:
                index = searcher.as_reader(principals)
                index.search(question)
                for note in index.describe_confirmation():
                    count += int(note.partition(": ")[2].partition(" ")[0])
    return count


def measure_revocations(
    world: World, settings: Settings, numbers: list[int]
) -> tuple[list[float], int, int]:
    """Close documents one by one, each right before it is asked for.

    Returns:
        For each document the seconds until an answer lacked it, how many answers still
        had it, and how many documents were closed.
    """
    seconds, still = [], 0
    principals = frozenset({f"docdb:{group}" for group in GROUPS})
    with Assistant(settings) as assistant:
        reader = assistant.as_reader(principals)
        reader.search("warm up")
        for number in numbers:
            world.clear_cache()
            world.site.model.close(number, 1, "Admin")
            started = time.perf_counter()
            for _ in range(10):
                answer = reader.ask(world.questions[number])
                if all(r.document.id != f"docdb:{number}:1" for r in answer.references):
                    seconds.append(time.perf_counter() - started)
                    break
                still += 1
    return seconds, still, len(numbers)


def measure_processes(world: World, folder: Path, runs: int) -> dict[str, float]:
    """Return the median wall seconds of ``dunegpt ask`` without and with the option."""
    world.latency_s = 0.04
    found = {}
    for confirm in (False, True):
        settings = world.with_confirm(confirm=confirm)
        path = folder / f"confirm-{confirm}.toml"
        path.write_text(render_settings(settings), encoding="utf-8")
        times = []
        for number in [*world.questions][: runs + 1]:
            if confirm and settings.paths.confirmations.exists():
                world.clear_cache()
            started = time.perf_counter()
            command = ["-m", "dunegpt", "--config", str(path), "ask"]
            subprocess.run(
                [sys.executable, *command, world.questions[number]],
                stdout=subprocess.DEVNULL,
                check=False,
            )
            times.append(time.perf_counter() - started)
        found["on" if confirm else "off"] = round(statistics.median(times[1:]), 3)
    return found


def render_settings(settings: Settings) -> str:
    """Return the settings of the world as a settings file."""
    [table] = settings.sources.values()
    lines = [f'data_dir = "{settings.data}"', "[embed]"]
    lines += [f'model = "{settings.embed.model}"', "[sources.docdb]"]
    for key, value in table.model_dump().items():
        if key != "doors":
            lines.append(f"{key} = {json.dumps(value)}")
    for door in table.model_dump()["doors"]:
        lines.append("[[sources.docdb.doors]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in door.items()]
    return "\n".join(lines)


def summarize(times: list[float]) -> tuple[float, float]:
    """Return median and 95th percentile."""
    ordered = sorted(times)
    return round(statistics.median(ordered), 1), round(
        ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)], 1
    )


def show(found: list[Figures]) -> None:
    """Print the figures as a table."""
    table = Table(title="ask, ms: median / 95th percentile")
    heads = ("source", "off", "cold", "warm", "added", "requests", "confirmed")
    for name in (*heads, "closed until gone, median / worst", "still shown"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(
            f"{each.latency_ms:g} ms",
            *(f"{p50} / {p95}" for p50, p95 in (each.off, each.cold, each.warm)),
            f"{each.added_p50} / {each.added_p95}",
            f"{each.requests}",
            f"{100 * each.confirmed:.0f} %",
            f"{each.revocation_p50} / {each.revocation_worst}",
            f"{each.still_shown} of {each.closed}",
        )
    Console(width=150).print(table)


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument(
        "--latency-ms", type=float, nargs="+", default=[0, 40, 120, 600]
    )
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dunegpt-") as name:
        world = World(Path(name), options.documents)
        with world.server:
            world.make()
            found = [measure(world, ms, options.questions) for ms in options.latency_ms]
            whole: dict[str, Any] = {"answers": [asdict(each) for each in found]}
            show(found)
            if options.processes:
                seconds = measure_processes(world, Path(name), options.processes)
                whole["processes"] = seconds
                Console().print(
                    f"dunegpt ask, whole process: {seconds['off']} s without,"
                    f" {seconds['on']} s with confirm"
                )
    if options.json:
        options.json.write_text(json.dumps(whole, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
