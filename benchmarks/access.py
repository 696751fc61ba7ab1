"""Searches for access leaks: random documents, readers and changes vs. brute force.

    python -m benchmarks.access [--queries 100000] [--seed 0]

Each world has at least 25 documents in two systems, with versions, five groups, and
files whose access sets differ from their document's. It changes eight times: documents
are added, removed, opened, closed and edited. After each change, the old snapshot is
searched under the new access sets, then the new, incrementally built snapshot.
Results are compared with brute force; see ``simulators/access_model.py``. The exit code
is 1 if anything is wrong.
"""

import argparse
import tempfile
import time
from pathlib import Path

from simulators.access_model import run
from simulators.encoder import make_encoder

STEPS, EACH = 9, 60


def main() -> None:
    """Run worlds until enough queries are done; print the wrong results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asked, worlds, wrong = 0, 0, list[str]()
    clock = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        encoder = make_encoder(Path(temporary) / "encoder" / "tiny")
        while asked < options.queries:
            with tempfile.TemporaryDirectory(dir=temporary) as folder:
                seed = options.seed + worlds
                errors = run(Path(folder), encoder, seed, steps=STEPS, each=EACH)
            wrong += [f"world {seed}: {each}" for each in errors]
            asked, worlds = asked + (2 * STEPS - 1) * EACH, worlds + 1
            if worlds % 10 == 0:
                print(f"{asked:,} queries, {len(wrong)} wrong", flush=True)
    for each in wrong[:20]:
        print(each)
    kinds = [each.split(": ")[1] for each in wrong]
    leaks = sum("leak" in kind for kind in kinds)
    seconds = time.perf_counter() - clock
    print(
        f"{asked:,} queries in {worlds} worlds, {seconds:.0f} s:"
        f" {leaks} leaks, {len(wrong) - leaks} missing"
    )
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
