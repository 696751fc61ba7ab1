"""Imports go one way: a layer uses itself and what stands before it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("ingest", "index", "serve", "slackbot", "web")
LAYERS = ["types", "errors", "config", "log", "receipt_schemas", "schemas"]
LAYERS += ["operating_schemas", "schema_table"]
LAYERS += FOLDERS[:4]
LAYERS += ["output", "options", "polling", "telling", "reading", "chat", "replaying"]
LAYERS += ["operating", "snapshots", "llms", "cli"]


def layer_of(module: str) -> int:
    """Rank ``dunegpt.<layer>...``; whatever is outside ranks lowest."""
    package, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    return LAYERS.index(name) if package == "dunegpt" and name in LAYERS else -1


def imported(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.append(node.module or "")
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("layer", LAYERS)
def test_one_way(layer: str) -> None:
    files = list((ROOT / layer).rglob("*.py")) or [ROOT / "dunegpt" / f"{layer}.py"]
    for file in files:
        for name in imported(file):
            assert layer_of(name) <= LAYERS.index(layer), f"{file}: {name}"


def test_links() -> None:
    for folder in FOLDERS:
        assert (ROOT / "dunegpt" / folder).is_symlink()
        assert (ROOT / "dunegpt" / folder).resolve() == ROOT / folder


def test_serving_needs_no_torch() -> None:
    """Only the batch side imports what the base installation does not have."""
    heavy = {
        "torch",
        "sentence_transformers",
        "transformers",
        "onnx",
        "huggingface_hub",
    }
    for folder in ("dunegpt", *FOLDERS):
        for file in (ROOT / folder).glob("*.py"):
            if file.resolve() != ROOT / "index" / "embed.py":
                roots = {name.partition(".")[0] for name in imported(file)}
                assert not roots & heavy, file
