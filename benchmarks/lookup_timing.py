"""Whether the time of a look-up tells that a hidden document exists.

    python -m benchmarks.lookup_timing [--documents 400] [--rounds 200] [--json]

Packs a snapshot with every other document hidden from the reader, and looks up the ids
of hidden and of unknown documents in turns, in a random order. Prints for each way to
look up the median CPU microseconds of both, and their ratio. Needs the package of the
small model, see ``[embed]``.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dunegpt.access import NOBODY, make_access_set
from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.ingest.crawl import crawl

WAYS: dict[str, Callable[[ReaderIndex, str], object]] = {
    "show": lambda index, name: index.find_documents(name),
    "cited by": lambda index, name: index.find_related(name),
    "ask": lambda index, name: index.search(f"What is in {name}?"),
    "filter": lambda index, name: index.search(f"argon doc:{name}"),
}


def write_documents(folder: Path, count: int) -> Settings:
    """Write notes with even numbers; every other one is for a group only."""
    folder.mkdir()
    lines = []
    for number in range(0, 2 * count, 2):
        (folder / f"{number}.txt").write_text(f"Argon purity of run {number}.\n")
        access = '"public"' if number % 4 else '"notes:group"'
        lines.append(
            f'[[document]]\nid = "D-{number:06}"\ntitle = "Note {number}"\n'
            f'access = [{access}]\nfiles = ["{number}.txt"]\n'
        )
    (folder / "documents.toml").write_text("\n".join(lines))
    return Settings.model_validate(
        {
            "data_dir": str(folder.parent / "data"),
            "sources": {
                "notes": {"type": "folder", "path": str(folder), "access": ["public"]}
            },
        }
    )


def measure(index: ReaderIndex, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median microseconds and their ratio for each way to look up."""
    rng = random.Random(1)
    result = {}
    for name, look_up in WAYS.items():
        times: dict[str, list[int]] = {"hidden": [], "unknown": []}
        for _ in range(rounds):
            number = 4 * rng.randrange(count // 2)
            pairs = [("hidden", number), ("unknown", number + 1)]
            rng.shuffle(pairs)
            for kind, wanted in pairs:
                start = time.process_time_ns()
                look_up(index, f"D-{wanted:06}")
                times[kind].append(time.process_time_ns() - start)
        medians = {k: statistics.median(v) / 1000 for k, v in times.items()}
        ratio = medians["hidden"] / medians["unknown"]
        result[name] = {
            "hidden_us": round(medians["hidden"], 1),
            "unknown_us": round(medians["unknown"], 1),
            "ratio": round(ratio, 3),
        }
    return result


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = write_documents(Path(folder) / "notes", options.documents)
        crawl("notes", settings)
        build(settings)
        searcher = open_searcher(settings)
        hidden = searcher.as_reader(make_access_set(["notes:group"]))
        assert hidden.find_documents("D-000000")
        measured = measure(
            searcher.as_reader(NOBODY), options.documents, options.rounds
        )
        searcher.close()
    if options.json:
        sys.stdout.write(json.dumps(measured) + "\n")
        return
    for name, values in measured.items():
        sys.stdout.write(
            f"{name:>9}: hidden {values['hidden_us']:.1f} us, unknown"
            f" {values['unknown_us']:.1f} us, ratio {values['ratio']:.3f}\n"
        )


if __name__ == "__main__":
    main()
