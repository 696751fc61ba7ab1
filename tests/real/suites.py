"""The suites that test with real programs, and whether each has to run in full again.

A suite has smoke tests (marked `smoke`), which always run, and a full run, which is
repeated when one of the suite's inputs has changed since it last passed: `proven.toml`
records a hash of the inputs of each suite, and the result. Only `tests.real.run`
writes that file.
"""

import ast
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROVEN = Path("tests/real/proven.toml")
_SHARED_INPUTS = ("constraints.txt",)
_FOLLOWED = frozenset({"tests", "simulators"})

_BASE = ("dunegpt/*.py", "dunegpt/text")
_CRAWL = (*_BASE, "ingest/*.py", "ingest/catalog")
_ANSWER = (*_BASE, "serve/*.py", "serve/answer", "serve/question", "serve/verify")
_INDICO = ("ingest/indico", "simulators/indico")


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests that need the same real programs.

    Attributes:
        name: How the suite is named on the command line and in `proven.toml`.
        tests: Test files. What they import from `tests` and `simulators` is an input.
        inputs: Other inputs: files, folders, or patterns of both, below the repository.
        packages: Debian packages to install before the suite starts.
        cores: How many cores the full run keeps busy.
        whole_is_smoke: Whether the suite is short enough to run in full every time.
    """

    name: str
    tests: tuple[str, ...]
    inputs: tuple[str, ...]
    packages: tuple[str, ...] = ()
    cores: int = 1
    whole_is_smoke: bool = False


_INDICO_PACKAGES = (
    "postgresql",
    "redis-server",
    "libpangoft2-1.0-0",
    "libpq-dev",
    "gcc",
)

SUITES = (
    Suite(
        "indico",
        tests=("tests/real/indico/test_crawl.py", "tests/real/indico/test_runs.py"),
        inputs=(*_CRAWL, *_INDICO, "ingest/extract", "index", "serve/answer"),
        packages=_INDICO_PACKAGES,
    ),
    Suite(
        "indico_steps",
        tests=(
            "tests/real/indico/test_steps.py",
            "tests/real/indico/test_units.py",
            "tests/real/indico/test_withdrawals.py",
        ),
        inputs=(*_CRAWL, *_INDICO),
        packages=_INDICO_PACKAGES,
    ),
    Suite(
        "models",
        tests=("tests/real/test_llm.py",),
        inputs=(*_ANSWER, "serve/llm", "examples/set_up_llm.py"),
        cores=2,
    ),
    Suite(
        "encoder",
        tests=("tests/real/test_model.py",),
        inputs=(*_CRAWL, *_ANSWER, "ingest/extract", "index", "examples"),
        cores=2,
    ),
    Suite(
        "programs",
        tests=("tests/real/test_programs.py",),
        inputs=(*_BASE, "ingest/extract"),
        packages=(
            "tesseract-ocr",
            "libreoffice-impress-nogui",
            "libreoffice-writer-nogui",
            "libreoffice-calc-nogui",
        ),
    ),
    Suite(
        "oidc",
        tests=("tests/real/oidc/test_login.py",),
        inputs=(
            *_BASE,
            "serve/login",
            "serve/accounts",
            "serve/api",
            "simulators/oidc",
            "web",
        ),
        packages=("nodejs", "npm"),
    ),
    Suite(
        "push",
        tests=("tests/real/test_push.py",),
        inputs=("dunegpt/*.py", "index/*.py", "index/snapshot"),
        packages=("openssh-server", "openssh-client", "rsync"),
        whole_is_smoke=True,
    ),
    Suite(
        "postgresql",
        tests=(
            "tests/real/postgresql/test_accounts.py",
            "tests/real/postgresql/test_server.py",
        ),
        inputs=(*_BASE, "ingest/catalog/overlay.py", "serve/accounts"),
        packages=("postgresql",),
    ),
    Suite(
        "telemetry",
        tests=("tests/real/test_telemetry.py",),
        inputs=(
            *_BASE,
            "dunegpt/cli",
            "ingest/extract",
            "index/encoder",
            "serve/llm",
            "simulators/isolated_network.py",
            "tests/open_chat.py",
        ),
        packages=("iproute2", "libreoffice-writer-nogui"),
    ),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a full run that passed.

    Attributes:
        inputs: The hash of the suite's inputs.
        passed: The number of tests.
        seconds: The duration.
        date: The day, as YYYY-MM-DD.
    """

    inputs: str
    passed: int
    seconds: int
    date: str


def input_files(suite: Suite, root: Path = ROOT) -> list[Path]:
    """Return all files that the result of a suite depends on, sorted.

    Raises:
        ValueError: A test file or an input does not exist.
    """
    found: set[Path] = set()
    for pattern in (*_SHARED_INPUTS, *suite.inputs):
        matches = set(_files(root.glob(pattern)))
        if not matches:
            raise ValueError(f"suite {suite.name}: no file matches {pattern}")
        found |= matches
    tests = [root / name for name in suite.tests]
    if missing := [path for path in tests if not path.is_file()]:
        raise ValueError(f"suite {suite.name}: {missing[0]} does not exist")
    shared = {folder / "conftest.py" for path in tests for folder in path.parents}
    tests += [path for path in shared if path.is_relative_to(root) and path.is_file()]
    return sorted(found | _follow(tests, root))


def hash_inputs(suite: Suite, root: Path = ROOT) -> str:
    """Return a hash over names and contents of a suite's inputs.

    It depends neither on the location of the checkout nor on times of files.
    """
    total = hashlib.sha256()
    for path in input_files(suite, root):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return total.hexdigest()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _files(path.iterdir())
        elif path.suffix != ".pyc" and not path.name.startswith("."):
            yield path


def _follow(paths: Iterable[Path], root: Path) -> set[Path]:
    """Return test files and, in turn, what they import from tests and simulators."""
    seen: set[Path] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            for module in _imports(path):
                waiting += _module_files(module, root)
    return seen


def _imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports from tests and simulators."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (n for n in names if n.partition(".")[0] in _FOLLOWED)


def _module_files(name: str, root: Path) -> Iterator[Path]:
    """Yield the file of a module and the `__init__.py` of its packages."""
    folder = root
    for part in name.split("."):
        for path in (folder / f"{part}.py", folder / part / "__init__.py"):
            if path.is_file():
                yield path
        folder /= part


def read_proofs(path: Path = ROOT / PROVEN) -> dict[str, Proof]:
    """Return what the file of proofs says of each suite."""
    if not path.exists():
        return {}
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Proof(**table) for name, table in tables.items()}


def write_proof(name: str, proof: Proof, path: Path = ROOT / PROVEN) -> None:
    """Record that a suite passed in full."""
    proofs = read_proofs(path) | {name: proof}
    lines = ["# Written by tests/real/run.py when a suite passes in full.\n"]
    for each, table in sorted(proofs.items()):
        lines.append(
            f'\n[{each}]\ninputs = "{table.inputs}"\npassed = {table.passed}\n'
            f'seconds = {table.seconds}\ndate = "{table.date}"\n'
        )
    part = path.with_suffix(".part")
    part.write_text("".join(lines), encoding="utf-8")
    part.replace(path)


def is_unchanged(suite: Suite, proofs: dict[str, Proof], root: Path = ROOT) -> bool:
    """Return whether a suite passed in full with the inputs that it has now."""
    proof = proofs.get(suite.name)
    return proof is not None and proof.inputs == hash_inputs(suite, root)


def rotate(unchanged: list[Suite], commits: int) -> Suite | None:
    """Return the unchanged suite whose turn it is to run in full all the same."""
    return unchanged[commits % len(unchanged)] if unchanged else None
