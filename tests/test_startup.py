"""What a command must not import: each of these costs a tenth of a second or more."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

NEVER_TO_READ = {
    "bs4", "charset_normalizer", "docx", "langchain_core", "langchain_openai",
    "langchain_text_splitters", "lxml", "openai", "parsl", "pptx", "pypdfium2",
    "sentence_transformers", "sqlalchemy", "torch", "transformers",
}  # fmt: skip
"""Of crawling, indexing and model servers."""
HEAVY = {
    "--help": NEVER_TO_READ | {"faiss", "httpx", "numpy", "onnxruntime", "pint"},
    "ask": NEVER_TO_READ | {"httpx"},
    "search": NEVER_TO_READ | {"httpx", "pint"},
    "show": NEVER_TO_READ | {"httpx", "pint"},
}
"""By command; `pint` comes with a question that wants an amount of some kind."""

ON_THE_WAY = (
    "dunegpt/text",
    "index/search",
    "serve/answer",
    "serve/question",
    "serve/verify",
)
"""Packages of which a question imports nearly all."""

PROGRAM = """
import json, sys
from dunegpt.cli.main import main
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
json.dump(sorted({name.partition(".")[0] for name in sys.modules}), sys.stderr)
"""


def run_command(*arguments: str) -> tuple[str, set[str]]:
    """Return what a command prints in a process of its own, and what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


def test_help_imports_no_library_of_a_command() -> None:
    printed, imported = run_command("--help")
    assert "Usage" in printed
    assert imported & HEAVY["--help"] == set()


@pytest.mark.slow
def test_a_command_imports_what_it_needs_only(
    config_file: Callable[..., Path], papers: Path
) -> None:
    (papers / "field.md").write_text(
        "# Drift field\n\nThe drift field of the far detector is 475 V/cm.\n",
        encoding="utf-8",
    )
    path = str(config_file(""))
    run_command("--config", path, "crawl")
    run_command("--config", path, "index")
    commands = {
        ("ask", "What is the drift field of the far detector?"): "475 V/cm",
        ("search", "drift field"): "475 V/cm",
        ("show", "papers:field.md"): "papers:field.md",
    }
    for (command, *arguments), expected in commands.items():
        printed, imported = run_command("--config", path, command, *arguments)
        assert expected in printed
        assert imported & HEAVY[command] == set(), command


def find_compiled_patterns(tree: ast.AST) -> Iterator[int]:
    """Yield the lines on which ``re.compile`` is called outside of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile":
            yield node.lineno
        yield from find_compiled_patterns(node)


@pytest.mark.parametrize("package", ON_THE_WAY)
def test_no_pattern_is_compiled_by_an_import(package: str) -> None:
    """All of them take a tenth of the time of ``ask``; see `compile_re`."""
    compiled = [
        f"{path.name}:{line}"
        for path in sorted((ROOT / package).glob("*.py"))
        for line in find_compiled_patterns(ast.parse(path.read_text("utf-8")))
    ]
    assert compiled == []
