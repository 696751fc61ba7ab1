"""The examples in docstrings say what the code does."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("dunegpt", "ingest", "index", "serve", "slackbot")


def find_modules() -> list[str]:
    """Return the names of all modules with examples in their docstrings."""
    names = set()
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):  # links are not followed
            if ">>> " in file.read_text("utf-8"):
                parts = file.relative_to(ROOT).with_suffix("").parts
                names.add(".".join(("dunegpt", *parts[parts[0] == "dunegpt" :])))
    return sorted(names)


@pytest.mark.parametrize("name", find_modules())
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


def test_there_are_examples() -> None:
    assert len(find_modules()) > 10
