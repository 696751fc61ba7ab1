"""Runs the suites that test with real programs, in full only where it is needed.

    python -m tests.real.run [--full | --list | --packages] [SUITE ...]

Installs the missing Debian packages first, all at once. A suite whose inputs have
changed since it last passed runs in full, and its result is recorded in `proven.toml`;
of the others only the smoke tests run. One of those, by rotation over the commits, runs
in full all the same: an input that is missing from its list is found so.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from tests.real.suites import (
    ROOT,
    SUITES,
    Proof,
    Suite,
    hash_inputs,
    is_unchanged,
    read_proofs,
    rotate,
    write_proof,
)

_LANES = 2
_RECORDING = Lock()
_MAX_SUITE_S = 3000
_MAX_ELAPSED_S = 2400
"""No suite is run by rotation when the whole run would take longer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of pytest, or another step, ended with."""

    name: str
    seconds: float
    passed: int = 0
    fault: str = ""

    def __str__(self) -> str:
        outcome = f"FAILED: {self.fault}" if self.fault else f"{self.passed} passed"
        return f"{self.name:<32} {self.seconds:6.0f} s  {outcome}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which suites run in full, of which only the smoke tests do, and why."""

    full: tuple[Suite, ...]
    smoke: tuple[Suite, ...] = ()
    turn: Suite | None = None
    """Of those in smoke, the one that runs in full by rotation, if time allows."""


def make_plan(
    suites: Sequence[Suite], unchanged: Sequence[Suite], commits: int
) -> Plan:
    """Return what to run of suites, of which some are unchanged since they passed."""
    return Plan(
        full=tuple(s for s in suites if s not in unchanged),
        smoke=tuple(unchanged),
        turn=rotate([s for s in unchanged if not s.whole_is_smoke], commits),
    )


def describe(plan: Plan, proofs: dict[str, Proof]) -> list[str]:
    """Return a line on each suite of a plan."""
    lines = []
    for suite in plan.full:
        proof = proofs.get(suite.name)
        reason = f"last passed on {proof.date}" if proof else "no recorded result"
        lines.append(f"{suite.name}: {reason}: full run")
    for suite in plan.smoke:
        note = f"unchanged since it passed on {proofs[suite.name].date}: smoke only"
        turn = ", then in full by rotation" if suite is plan.turn else ""
        lines.append(f"{suite.name}: {note}{turn}")
    return lines


def run_plan(plan: Plan, proofs: dict[str, Proof], elapsed_s: float) -> list[Result]:
    """Return the results of all runs; those that passed in full are recorded."""
    start = time.monotonic() - elapsed_s
    jobs: list[tuple[int, Callable[[], Result]]] = [
        (suite.cores, lambda suite=suite: run_full(suite))  # type: ignore[misc]
        for suite in plan.full
    ]
    if plan.smoke:
        jobs.append((1, lambda: run_smoke(plan.smoke)))
    results = run_jobs(jobs)
    if (turn := plan.turn) is not None:
        expected_s = time.monotonic() - start + proofs[turn.name].seconds
        if expected_s < _MAX_ELAPSED_S:
            results.append(run_full(turn))
        else:
            say(f"{turn.name}: its turn to run in full, but there is no time left")
    return results


def run_jobs(jobs: Sequence[tuple[int, Callable[[], Result]]]) -> list[Result]:
    """Run jobs that keep one core busy side by side, then the others one by one."""
    lanes = min(_LANES, os.cpu_count() or 1)
    with ThreadPoolExecutor(lanes) as pool:
        running: list[Future[Result]] = [
            pool.submit(job) for cores, job in jobs if cores == 1
        ]
        results = [future.result() for future in running]
    return results + [job() for cores, job in jobs if cores > 1]


def run_full(suite: Suite) -> Result:
    """Run all tests of a suite; record it when they pass and no input has changed."""
    before = hash_inputs(suite)
    result = run_pytest(f"{suite.name} (full)", suite.tests)
    if result.fault:
        return result
    if hash_inputs(suite) != before:
        say(f"{suite.name}: not recorded: its inputs were edited while it ran")
        return result
    today = datetime.now(UTC).date().isoformat()
    proof = Proof(before, result.passed, round(result.seconds), today)
    with _RECORDING:
        write_proof(suite.name, proof)
    return result


def run_smoke(suites: Sequence[Suite]) -> Result:
    """Run the smoke tests of suites in one process: what they share starts once."""
    tests = [name for suite in suites for name in suite.tests]
    return run_pytest("smoke tests", [*tests, "-m", "smoke"])


def run_pytest(name: str, arguments: Sequence[str]) -> Result:
    """Run tests with real programs required; print the output when they end."""
    say(f"{name}: running")
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder) / "junit.xml", Path(folder) / "output"
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "--durations=5"]
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1", *arguments]
        start = time.monotonic()
        with output.open("wb") as out:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"DUNEGPT_REAL": "required"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            fault = wait(child)
        seconds = time.monotonic() - start
        passed, skipped = count(report)
        if not fault and (skipped or not passed):
            fault = f"{skipped} skipped, {passed} passed"
        say(output.read_text(encoding="utf-8", errors="replace").rstrip())
    result = Result(name, seconds, passed, fault)
    say(str(result))
    return result


def wait(child: subprocess.Popen[bytes]) -> str:
    """Wait for the end of pytest; return what went wrong, or ""."""
    try:
        code = child.wait(timeout=_MAX_SUITE_S)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)  # pytest stops what the tests have started
        try:
            child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return f"not done after {_MAX_SUITE_S} s"
    return f"exit code {code}" if code else ""


def count(report: Path) -> tuple[int, int]:
    """Return how many tests passed and were skipped by a report of pytest."""
    if not report.is_file():
        return 0, 0
    [suite] = ET.parse(report).getroot().iter("testsuite")
    number = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors")}
    skipped = int(suite.get("skipped", 0))
    passed = number["tests"] - number["failures"] - number["errors"] - skipped
    return max(passed, 0), skipped


def install_packages(packages: Sequence[str]) -> Result:
    """Install the Debian packages that are missing; where apt-get is not, do nothing.

    A suite that lacks a program then says so itself.
    """
    start = time.monotonic()
    missing = [package for package in packages if not is_installed(package)]
    fault = ""
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        say(f"installing {' '.join(missing)}")
        apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
        install = [*apt, "install", "--no-install-recommends", *missing]
        for command in ([*apt, "update"], install):
            done = subprocess.run(
                command,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                fault = f"{' '.join(command[:5])}: exit code {done.returncode}"
                say(done.stdout[-2000:])
    elif missing:
        say(f"not installed, and no root to do so: {' '.join(missing)}")
    installed = 0 if fault else len(missing)
    return Result("Debian packages", time.monotonic() - start, installed, fault)


def is_installed(package: str) -> bool:
    """Return whether a package is installed, by dpkg or as a program of its name."""
    if shutil.which(package):
        return True  # npm comes with nodejs where that is not Debian's
    if not shutil.which("dpkg-query"):
        return False
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == "installed"


def count_commits() -> int:
    """Return how many commits lead to the present one; 0 outside of a repository."""
    command = ["git", "rev-list", "--count", "HEAD"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(done.stdout) if done.returncode == 0 else 0


def say(text: str) -> None:
    """Print at once: what runs side by side prints here, too."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Return the exit status: 0 if all that ran has passed."""
    parser = argparse.ArgumentParser(description="Run the suites with real programs.")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--full", action="store_true", help="run all tests of each")
    parser.add_argument("--list", action="store_true", help="only say what would run")
    parser.add_argument(
        "--packages", action="store_true", help="only install the Debian packages"
    )
    parser.add_argument(
        "--elapsed", type=float, default=0, help="seconds used before this run"
    )
    parser.add_argument("--times", type=Path, help="file to append the results to")
    options = parser.parse_args()
    known = {suite.name: suite for suite in SUITES}
    if unknown := set(options.suites) - known.keys():
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join(known)}")
    suites = [known[name] for name in options.suites or known]
    packages = list(dict.fromkeys(p for suite in suites for p in suite.packages))
    proofs = read_proofs()
    unchanged = [s for s in suites if not options.full and is_unchanged(s, proofs)]
    plan = make_plan(suites, unchanged, count_commits())
    if options.list:
        say("\n".join(describe(plan, proofs)))
        return 0
    results = [install_packages(packages)]
    if not options.packages:
        say("\n".join(describe(plan, proofs)))
        results += run_plan(plan, proofs, options.elapsed + results[0].seconds)
    table = "\n".join(map(str, results))
    say(f"\n{table}")
    if options.times:
        with options.times.open("a", encoding="utf-8") as out:
            out.write(f"{table}\n")
    return int(any(result.fault for result in results))


if __name__ == "__main__":
    sys.exit(main())
