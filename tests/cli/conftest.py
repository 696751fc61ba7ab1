"""What the tests of commands share: a call of ``dunegpt``, and an indexed folder."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from tests.cli.invocation import FACT, LIST, Result, Run, Write
from tests.made_once import MakeOnce


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Give the loggers back as they were."""
    root = logging.getLogger("dunegpt")
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.level, root.propagate = before


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> Result:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["dunegpt", *arguments])
        try:
            main.main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        return Result(int(code), *capsys.readouterr())

    return call


@pytest.fixture
def file(config_file: Write, papers: Path) -> str:
    (papers / "documents.toml").write_text(LIST)
    (papers / "v1.txt").write_text("The drift field of the far detector is 500 V/cm.")
    (papers / "v2.txt").write_text(FACT)
    (papers / "secret.txt").write_text("Wombats eat the drift field in Tasmania.")
    (papers / "broken.pdf").write_bytes(b"%PDF broken")
    return str(config_file(""))


@pytest.fixture
def indexed(run: Run, file: str, tmp_path: Path, make_once: MakeOnce) -> str:
    def make() -> None:
        assert run("--config", file, "crawl").code == 0
        assert run("--config", file, "index").code == 0

    make_once("cli", tmp_path, make)
    return file
