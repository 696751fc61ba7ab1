"""The wheel and the source distribution: what is in them, and what runs from them."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.ingest.crawl import crawl

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("ingest", "index", "serve", "slackbot", "web")
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
QUESTION = "What is the drift field of the far detector?"
ANSWER = "The drift field of the far detector is 475 V/cm."

_BUILD = "import sys, setuptools.build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"
_IMPORT_ALL = """
import importlib, pkgutil, dunegpt
names = [m.name for m in pkgutil.walk_packages(dunegpt.__path__, "dunegpt.")]
for name in names:
    # Alembic runs the migrations' environment itself.
    if not name.endswith(("__main__", ".migrations.env")):
        importlib.import_module(name)
print(len(names))
"""
_NO_INDEX = ("No matching distribution found", "Connection", "timed out")


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Return what a command prints; fail with its messages if it fails."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def build_distribution(source: Path, kind: str) -> Path:
    """Return the wheel or source distribution that setuptools builds from a tree."""
    dist = source.parent / f"{source.name}-dist"
    run(sys.executable, "-c", _BUILD, f"build_{kind}", dist, cwd=source)
    (made,) = dist.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of what is packaged, with the links as they are."""
    copy = tmp_path_factory.mktemp("tree") / "checkout"
    copy.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("dunegpt", *LINKED):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    return copy


@pytest.fixture(scope="module")
def sdist(tree: Path) -> Path:
    """Give the source distribution."""
    return build_distribution(tree, "sdist")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel that is built from the source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build_distribution(source, "wheel")


def product_files() -> set[str]:
    """Return all files of the package, by the paths they are imported under."""
    return {
        os.path.relpath(os.path.join(folder, name), ROOT)
        for folder, _, names in os.walk(ROOT / "dunegpt", followlinks=True)
        for name in names
        if "__pycache__" not in folder
    }


def packaged(wheel: Path) -> set[str]:
    """Return the files of the package in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("dunegpt/")}


def metadata(wheel: Path) -> Message:
    """Return the metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def test_source_distribution_holds_files_not_links(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert all(member.isfile() or member.isdir() for member in members)
    paths = {member.name.partition("/")[2] for member in members if member.isfile()}
    assert product_files() <= paths
    assert {"LICENSE", "README.md", "pyproject.toml"} <= paths
    assert not any(path.startswith(("tests/", "simulators/")) for path in paths)


def test_wheel_holds_the_whole_package(wheel: Path) -> None:
    assert packaged(wheel) == product_files()


def test_wheel_from_a_checkout_is_the_same(tree: Path, wheel: Path) -> None:
    assert packaged(build_distribution(tree, "wheel")) == packaged(wheel)


def test_metadata_names_licence_and_project(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["License-Expression"] == "Apache-2.0"
    assert found["License-File"] == "LICENSE"
    assert found["Author"] == "The DUNE-GPT developers"
    assert found["Requires-Python"] == ">=3.11"
    assert {"bench", "demo", "dev", "embed"} <= set(found.get_all("Provides-Extra", []))
    assert any(url.startswith("Repository") for url in found.get_all("Project-URL", []))
    base = [r for r in found.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert not any(each.startswith(("torch", "sentence")) for each in base)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an environment with the wheel and its base dependencies, nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    pip = [folder / "bin" / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    done = subprocess.run(
        [str(word) for word in (*pip, wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and any(reason in done.stderr for reason in _NO_INDEX):
        pytest.skip("no package index to install the dependencies from")
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_every_module_imports_without_extras(environment: Path, tmp_path: Path) -> None:
    python = environment / "bin" / "python"
    modules = int(run(python, "-I", "-c", _IMPORT_ALL, cwd=tmp_path))
    assert modules >= sum(name.endswith(".py") for name in product_files()) - 1
    listed = run(python, "-m", "pip", "list", "--format=json", cwd=tmp_path)
    assert "torch" not in {each["name"] for each in json.loads(listed)}


def test_help_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    program = environment / "bin" / "dunegpt"
    printed = run(program, "--help", cwd=tmp_path)
    for command in ("ask", "crawl", "index", "search", "status"):
        assert command in printed


def test_asks_a_copied_snapshot(
    environment: Path, tmp_path: Path, papers: Path, settings: Settings
) -> None:
    """What is copied is what `dunegpt snapshot push` copies."""
    (papers / "field.txt").write_text(f"{ANSWER}\n", encoding="utf-8")
    (papers / "wombats.txt").write_text("Wombats dig burrows.\n", encoding="utf-8")
    crawl("papers", settings)
    build(settings)
    host = tmp_path / "host"
    shutil.copytree(settings.paths.snapshots, host / "data/snapshots", symlinks=True)
    shutil.copy(settings.paths.overlay, host / "data")
    (host / "dunegpt.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    shutil.rmtree(settings.data)
    program = environment / "bin" / "dunegpt"
    home = str(tmp_path / "home")
    printed = run(program, "ask", "--json", QUESTION, cwd=host, HOME=home)
    answer = json.loads(printed)
    assert answer["outcome"] == "answered"
    assert ANSWER in answer["answer"]
    cited = [each["document"]["id"] for each in answer["references"] if each["cited"]]
    assert cited == ["papers:field.txt"]
