"""``dunegpt index`` tells why nothing was published, and how to accept it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.errors import UnreadableFilesError
from dunegpt.index import build
from dunegpt.operations import index as operation
from tests.cli.invocation import Write


@pytest.mark.parametrize("accepts", [False, True])
def test_a_mass_loss(
    config_file: Write,
    papers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    accepts: bool,
) -> None:
    def build_some(settings: Any, *, accept_loss: bool, **_: Any) -> Any:
        if not accept_loss:
            raise UnreadableFilesError("25 of 30 files cannot be read any more.")
        return build.IndexReport(snapshot="abc", documents=5)

    monkeypatch.setattr(operation, "build", build_some)
    arguments = ["--config", str(config_file("")), "index"]
    more = ["--accept-loss"] if accepts else []
    monkeypatch.setattr(sys, "argv", ["dunegpt", *arguments, *more])
    with pytest.raises(SystemExit) as end:
        main.main()
    said = capsys.readouterr()
    assert (end.value.code or 0) == (0 if accepts else 1)
    assert ("abc" in said.out) == accepts
    assert ("25 of 30" in said.err) == (not accepts)
    assert ("--accept-loss" in " ".join(said.err.split())) == (not accepts)
