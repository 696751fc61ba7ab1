"""Looks for leaks: random worlds, readers, filters and changes against brute force.

    python -m benchmarks.access [--queries 100000] [--seed 0]

Each world is 25 documents and more in two systems, with versions, files that differ
from their document in access, and five groups. It changes eight times: documents come,
go, open, close, are edited. After each change questions are asked of the old snapshot
under the new record of access, then of the new snapshot, which was packed on top of the
old one. What is found is compared with what looking at everything says; see
``tests/index/access_model.py``. Exit code 1 if anything is wrong.
"""

import argparse
import tempfile
import time
from pathlib import Path

from tests.encoder import make_encoder
from tests.index.test_access_model import run

STEPS, EACH = 9, 60


def main() -> None:
    """Run worlds until enough was asked; print what was wrong."""
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
                found = run(Path(folder), encoder, seed, steps=STEPS, each=EACH)
            wrong += [f"world {seed}: {each}" for each in found]
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
