"""Each third-party import is declared, by the package that it is imported from."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = packages_distributions()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

EXTRA_OF_FILE = {
    "index/encoder/batch.py": "embed",
}
"""Product files that run only with an extra installed."""

ISOLATED = {
    "xllamacpp": "runs in the environment that `make llm` makes for it",
}
"""Modules that are never imported in this environment."""

IN_INDICO = "seeded_site"
"""Scripts in folders of this name run in Indico's own environment."""

NAMES = {
    "PIL": "pillow",
    "Stemmer": "pystemmer",
    "bs4": "beautifulsoup4",
    "faiss": "faiss-cpu",
    "pptx": "python-pptx",
}
"""Distributions of modules that have another name."""


def normalized(requirement: str) -> str:
    """Return the name of a requirement as package indexes compare it."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """Return the distributions of the project and of extras, and what these include."""
    required = list(PROJECT["dependencies"])
    for extra in extras:
        required += PROJECT["optional-dependencies"][extra]
    names = {normalized(each) for each in required}
    for each in required:
        if inner := re.match(r"dunegpt\[([\w,-]+)\]", each):
            names |= declared(*inner[1].split(","))
    return names


def files_of(folder: str) -> Iterator[Path]:
    """Yield the Python files of a top-level folder."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        if IN_INDICO not in file.parts:
            yield file


@cache
def imported(file: Path) -> set[str]:
    """Return the top-level modules that a file imports, by a statement or by name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant):
                found.add(str(name.value).partition(".")[0])
    return found


def third_party(file: Path) -> set[str]:
    """Return the imported modules of others, as their distributions' names."""
    own = {each.stem for each in ROOT.iterdir() if each.is_dir()}
    own |= {each.stem for each in file.parent.glob("*.py")}  # scripts beside each other
    foreign = imported(file) - sys.stdlib_module_names - own - ISOLATED.keys()
    return {
        NAMES.get(module) or normalized(INSTALLED.get(module, [module])[0])
        for module in foreign
    }


FOLDERS = {
    "dunegpt": (),
    "ingest": (),
    "index": (),
    "serve": (),
    "slackbot": (),
    "web": (),
    "examples": ("demo",),
    "docs": ("dev",),
    "benchmarks": ("bench", "dev"),
    "simulators": ("bench", "dev"),
    "tests": ("dev",),
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_import_is_declared(folder: str) -> None:
    undeclared = {}
    for file in files_of(folder):
        path = str(file.relative_to(ROOT))
        extras = FOLDERS[folder]
        if path in EXTRA_OF_FILE:
            extras = (*extras, EXTRA_OF_FILE[path])
        if missing := third_party(file) - declared(*extras):
            undeclared[path] = sorted(missing)
    assert undeclared == {}


def test_base_dependencies_are_imported() -> None:
    """What no file imports is not installed for everybody."""
    product = ("dunegpt", "ingest", "index", "serve", "slackbot", "web")
    used = set()
    for folder in product:
        for file in files_of(folder):
            used |= third_party(file)
    assert declared() - used == set()


def test_every_top_level_package_is_looked_at() -> None:
    packages = {each.parent.name for each in ROOT.glob("*/__init__.py")}
    assert packages <= FOLDERS.keys()


def test_nothing_outside_the_tests_imports_them() -> None:
    importing = [
        str(file.relative_to(ROOT))
        for folder in FOLDERS
        if folder != "tests"
        for file in files_of(folder)
        if "tests" in imported(file)
    ]
    assert importing == []


def test_the_product_imports_no_simulator() -> None:
    product = [folder for folder, extras in FOLDERS.items() if not extras]
    for folder in product:
        for file in files_of(folder):
            assert not imported(file) & {"simulators", "benchmarks", "examples"}, file


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_every_dependency_is_pinned(extra: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {normalized(line) for line in lines if "==" in line}
    assert declared(extra) - {"dunegpt"} <= pinned
