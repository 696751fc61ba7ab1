"""The server: memory of its process, and latency over HTTP against the same in process.

    python -m benchmarks.server [--data DIR] [--questions FILE] [--rounds 3]
        [--clients 8] [--json OUT]

DIR is an indexed data folder, by default that of ``make demo``; FILE has one question
per line, by default those about the example documents. Asks the same questions, as the
public and without a model, of an `Assistant` in this process and of ``dunegpt serve``
in another: one after the other, then from several clients at once. Nothing is written
to DIR: the server keeps its accounts elsewhere, and neither keeps receipts.

Memory is unique to the process (USS): what the page cache holds of the index is shared.
"""

import argparse
import json
import statistics
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from dunegpt.config import load_settings
from dunegpt.datadir import DataDir
from dunegpt.serve.assistant import Assistant
from simulators.dunegpt_server import ServerProcess, serving

ROOT = Path(__file__).parents[1]
DATA = ROOT / "demo" / "data"
QUESTIONS = ROOT / "examples" / "questions.toml"

_SETTINGS = """data_dir = "data"
[receipts]
enabled = false
[server]
anonymous = true
questions_per_minute = 1000000
searches_per_minute = 1000000
answers_at_once = {at_once}
answers_waiting = 1000
"""

Figures = dict[str, Any]
Ask = Callable[[str], object]


def read_questions(path: Path) -> list[str]:
    """Return the questions of a file: lines of text, or the examples' TOML."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return [each["q"] for each in tomllib.loads(text)["question"]]
    return [line for line in text.splitlines() if line.strip()]


def link_data(data: Path, folder: Path, at_once: int) -> Path:
    """Return settings for a folder with links to an index, and nothing else of it."""
    own, origin = DataDir(folder / "data"), DataDir(data.resolve())
    own.prepare()
    own.snapshots.symlink_to(origin.snapshots)
    own.overlay.symlink_to(origin.overlay)
    config = folder / "dunegpt.toml"
    config.write_text(_SETTINGS.format(at_once=at_once), encoding="utf-8")
    return config


def measure(ask: Ask, question: str) -> float:
    """Return the milliseconds of one question."""
    start = time.perf_counter()
    ask(question)
    return (time.perf_counter() - start) * 1000


def describe(times: Sequence[float]) -> Figures:
    """Return median and 95th percentile of milliseconds."""
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
    }


def measure_pairs(own: Ask, other: Ask, questions: Sequence[str]) -> list[Figures]:
    """Return the latency of both, asked in turn, and of the pairs the median ratio.

    In turn, so that whatever else this host does slows down both.
    """
    pairs = [(measure(own, q), measure(other, q)) for q in questions]
    ratio = statistics.median(b / a for a, b in pairs)
    added = statistics.median(b - a for a, b in pairs)
    return [
        describe([a for a, _ in pairs]),
        {
            **describe([b for _, b in pairs]),
            "ratio": round(ratio, 3),
            "added_ms": round(added, 2),
        },
    ]


def measure_throughput(ask: Ask, questions: Sequence[str], clients: int) -> Figures:
    """Return answers per second with several clients at once, and their latency."""
    with ThreadPoolExecutor(clients) as pool:
        start = time.perf_counter()
        times = list(pool.map(partial(measure, ask), questions))
        seconds = time.perf_counter() - start
    return {"per_second": round(len(times) / seconds, 1), **describe(times)}


def measure_memory(server: ServerProcess) -> float:
    """Return the unique memory of all processes of a server, in MB."""
    own = psutil.Process(server.process.pid)
    family = [own, *own.children(recursive=True)]
    return round(sum(each.memory_full_info().uss for each in family) / 1e6, 1)


def call(client: httpx.Client, path: str, question: str) -> None:
    """Send a question to a server.

    Raises:
        httpx.HTTPStatusError: It failed.
    """
    if path.endswith("/ask"):
        response = client.post(path, json={"question": question, "use_model": False})
    else:
        response = client.get(path, params={"q": question})
    response.raise_for_status()


def compare(
    config: Path, questions: list[str], rounds: int, clients: int
) -> dict[str, Figures]:
    """Return the figures of both, and their ratios."""
    found: dict[str, Figures] = {}
    asked = questions * rounds
    with (
        Assistant(load_settings(config), poll_interval_s=1) as assistant,
        serving(config) as server,
        httpx.Client(base_url=server.url, timeout=120) as client,
    ):
        start_mb = measure_memory(server)
        reader = assistant.as_reader({"public"})
        own: dict[str, Ask] = {
            "ask": partial(reader.ask, use_model=False),
            "search": reader.search,
        }
        for name, ask in own.items():
            send = partial(call, client, f"/api/v1/{name}")
            measure_pairs(ask, send, questions)  # warms both
            pairs = measure_pairs(ask, send, asked)
            found[f"{name} in process"], found[f"{name} over HTTP"] = pairs
            for place, each in (("in process", ask), ("over HTTP", send)):
                figures = measure_throughput(each, asked, clients)
                found[f"{name} {place}, {clients} at once"] = figures
        health = [measure(lambda _: client.get("/healthz"), q) for q in asked]
        found["healthz"] = describe(health)
        after_mb = measure_memory(server)
        found["memory"] = {"start_mb": start_mb, "after_mb": after_mb}
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--questions", type=Path, default=QUESTIONS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    questions = read_questions(given.questions)
    with tempfile.TemporaryDirectory() as folder:
        config = link_data(given.data, Path(folder), at_once=4)
        found = compare(config, questions, given.rounds, given.clients)
    for name, figures in found.items():
        print(f"{name:32}", "  ".join(f"{k} {v}" for k, v in figures.items()))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
