"""Start-up: CPU seconds and memory of single commands, and what each import costs.

    python -m benchmarks.startup [--config FILE] [--question TEXT] [--runs 5]
        [--json OUT]

FILE is the configuration of an indexed data folder, by default that of ``make demo``.
Measures ``dunegpt --help`` and a warm ``dunegpt ask``, each in new processes, beside an
empty Python and the native libraries that a search needs, imported alone. Of the
imports of ``ask`` the slowest are listed, their own time without what they import.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

QUESTION = "How much argon evaporates each hour when Larch loses electrical power?"
NATIVE = "import numpy, faiss, onnxruntime, tokenizers"
CONFIG = Path(__file__).parents[1] / "examples" / "dunegpt.toml"
IMPORTS = 25
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")

Figures = dict[str, float]


def measure_process(arguments: list[str]) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MB of a Python process.

    Raises:
        RuntimeError: The process fails.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {process.returncode}")
    # Linux counts in kilobytes.
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure_runs(arguments: list[str], runs: int) -> Figures:
    """Return medians of several runs, after one that warms the caches."""
    measure_process(arguments)
    measured = [measure_process(arguments) for _ in range(runs)]
    return {
        "cpu_s": round(statistics.median(cpu for cpu, _ in measured), 3),
        "least_cpu_s": round(min(cpu for cpu, _ in measured), 3),
        "peak_mb": round(statistics.median(memory for _, memory in measured)),
    }


def measure_imports(arguments: list[str]) -> dict[str, float]:
    """Return the milliseconds of each import of a process, the slowest first."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    costs = {
        name: int(microseconds) / 1000
        for microseconds, name in _IMPORT.findall(done.stderr)
    }
    return dict(sorted(costs.items(), key=lambda each: -each[1]))


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    ask = ["-m", "dunegpt", "--config", str(options.config), "ask", options.question]
    processes = {
        "python -c pass": ["-c", "pass"],
        "native libraries": ["-c", NATIVE],
        "dunegpt --help": ["-m", "dunegpt", "--help"],
        "dunegpt ask": ask,
    }
    results = {
        name: measure_runs(arguments, options.runs)
        for name, arguments in processes.items()
    }
    for name, figures in results.items():
        print(
            f"{name:18} {figures['cpu_s']:.2f} s CPU (least"
            f" {figures['least_cpu_s']:.2f}), {figures['peak_mb']:.0f} MB"
        )
    imports = measure_imports(ask)
    print(f"\nslowest imports of ask, of {sum(imports.values()):.0f} ms in all:")
    for name, cost in list(imports.items())[:IMPORTS]:
        print(f"{cost:7.1f} ms  {name}")
    if options.json:
        content = {"processes": results, "imports_ms": imports}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
