"""Files about the project: they agree with each other, and are well-formed."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from dunegpt import __version__

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def load(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_one_version_everywhere() -> None:
    assert PROJECT["version"] == __version__
    assert load(ROOT / "CITATION.cff")["version"] == __version__


def test_one_licence_everywhere() -> None:
    assert PROJECT["license"] == load(ROOT / "CITATION.cff")["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert re.search(r"Copyright \d{4} The DUNE-GPT developers", text)


def test_hooks_run_what_make_check_runs() -> None:
    plan = subprocess.run(
        ["make", "-n", "--old-file=.venv/installed", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    checks = set(re.findall(r"^\.venv/bin/(ruff \w+|[\w-]+)", plan.stdout, re.M))
    repositories = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in hooks]
    run = {check for check in checks for entry in entries if entry.startswith(check)}
    tools = {"ruff format", "ruff check", "mypy", "lint-imports", "pytest"}
    assert run == checks == tools


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_issue_form_is_complete(form: Path) -> None:
    fields = load(form)
    assert {"name", "description", "body"} <= fields.keys()
    asked = [each for each in fields["body"] if each["type"] != "markdown"]
    ids = [each["id"] for each in asked]
    assert len(ids) == len(set(ids))
    assert all(each["attributes"]["label"] for each in asked)
    assert any(each.get("validations", {}).get("required") for each in asked)


def test_there_are_three_issue_forms() -> None:
    assert [form.stem for form in FORMS] == ["bug", "feature", "wrong_answer"]
