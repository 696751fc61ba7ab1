"""Imports go one way: the contracts of pyproject.toml, checked on every module."""

from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parent.parent
FOLDERS = ("ingest", "index", "serve", "slackbot", "web")


def list_modules() -> set[str]:
    """Return the names of all modules, by the files in the top-level folders."""
    found = set()
    for folder in ("dunegpt", *FOLDERS):
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            names = parts[:-1] if parts[-1] == "__init__" else parts
            found.add(".".join(names if folder == "dunegpt" else ("dunegpt", *names)))
    return found


def test_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_module_is_checked() -> None:
    """The code lies behind links, which a check could pass over in silence."""
    assert grimp.build_graph("dunegpt", cache_dir=None).modules == list_modules()


def test_links() -> None:
    for folder in FOLDERS:
        assert (ROOT / "dunegpt" / folder).is_symlink()
        assert (ROOT / "dunegpt" / folder).resolve() == ROOT / folder
