"""The commands on receipts, through the door of the command line."""

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.schemas.reading import AskResponse
from dunegpt.schemas.receipts import ReceiptsResponse, ReplayResponse
from simulators.llm.openai_server import fake_model
from tests.made_once import MakeOnce

pytestmark = pytest.mark.same_place

FACT = "The drift field of the far detector is 475 V/cm."
QUESTION = "What is the drift field of the far detector?"
LIST = """
[[document]]
id = "LTS-0001"
title = "Field [note]"
files = ["field.txt"]
[[document]]
id = "SEC-0002"
title = "Secret wombats"
access = ["papers:lar"]
files = ["secret.txt"]
"""
LAR = ("--as", "papers:lar")


class Result:
    """What a call of ``dunegpt`` left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Run = Callable[..., Result]


@pytest.fixture
def run(
    config_file: Callable[[str], Path],
    papers: Path,
    tmp_path: Path,
    make_once: MakeOnce,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Give a function that calls the command on two notes, one for LAr people."""
    file = str(config_file(""))

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["dunegpt", "--config", file, *arguments])
        with pytest.raises(SystemExit) as stop:
            main.main()
        return Result(int(stop.value.code or 0), *capsys.readouterr())

    (papers / "documents.toml").write_text(LIST)
    (papers / "field.txt").write_text(FACT)
    (papers / "secret.txt").write_text("Wombats eat the drift field in Tasmania.")

    def make() -> None:
        assert call("crawl").code == call("index").code == 0

    make_once("cli-replay", tmp_path, make)
    return call


def asked(run: Run, question: str = QUESTION, *options: str) -> str:
    """Return the id of the receipt of an answer."""
    result = run("ask", question, *options, "--json")
    receipt = AskResponse.model_validate_json(result.out).receipt
    assert re.fullmatch(r"[0-9A-Z]{10}", receipt)
    return receipt


@pytest.mark.slow
def test_ask_ends_with_its_receipt(run: Run) -> None:
    last = run("ask", QUESTION).out.splitlines()[-1]
    identity = last.removeprefix("Receipt ")
    assert run("replay", identity).code == 0
    assert run("ask", "What do wombats eat?").out.splitlines()[-1].startswith("Receipt")


def test_what_was_left_out_is_counted(
    run: Run, config_file: Callable[[str], Path]
) -> None:
    reply = "The drift field is 475 V/cm [1]. It was 9 V [1]. It is far."
    with fake_model([reply]) as model:
        config_file(f'[llm.fake]\nbase_url = "{model.url}"\nmodel = "m"\n')
        last = run("ask", QUESTION).out.splitlines()[-1]
        shape = AskResponse.model_validate_json(run("ask", QUESTION, "--json").out)
    assert re.fullmatch(r"Receipt [0-9A-Z]{10}, 2 sentences not supported", last)
    assert shape.dropped == 2
    found = run("receipts", "--json")
    counts = ReceiptsResponse.model_validate_json(found.out).counts
    assert counts.dropped == {"number": 2, "citation": 2}
    assert counts.servers == {"fake": {"wrote": 2}}
    told = run("receipts").out
    assert "not supported   2 citation, 2 number" in told
    assert "server fake     2 wrote" in told
    assert "1 kept, 2 not supported by m" in told


def test_the_same(run: Run) -> None:
    identity = asked(run)
    result = run("replay", f"{identity[:5].lower()}-{identity[5:]}")
    assert (result.code, result.err) == (0, "")
    assert "The same." in result.out
    assert QUESTION in result.out
    shape = ReplayResponse.model_validate_json(run("replay", identity, "--json").out)
    assert (shape.id, shape.same) == (identity, True)


@pytest.mark.slow
def test_what_differs(run: Run, papers: Path) -> None:
    identity = asked(run)
    (papers / "field.txt").write_text(FACT.replace("475", "500"))
    assert run("crawl", "--index").code == 0
    result = run("replay", identity)
    assert result.code == 6
    assert "The answer differs." in result.out
    assert f"sentence gone: “{FACT}” (supported)" in result.out
    gone = r"passage gone \[1\]: papers:LTS-0001\S*, field.txt, page 1, score 0\.\d+\n"
    assert re.search(gone, result.out)
    assert "snapshot: " in result.out
    assert run("replay", identity, "--json").code == 6
    assert run("replay", identity, "--as-then").code == 0


def test_a_snapshot_that_is_not_kept(run: Run, papers: Path) -> None:
    identity = asked(run)
    (papers / "field.txt").write_text("Nothing.")
    assert run("crawl", "--index").code == 0
    assert run("snapshot", "collect", "--keep", "1").code == 0
    result = run("replay", identity, "--as-then")
    assert result.code == 1
    assert "not kept any more" in result.err
    assert "--as-then" in result.err


def test_hidden_and_unknown_receipts_are_one(run: Run, tmp_path: Path) -> None:
    assert run("replay", "0000000000").code == 3  # no file at all
    hidden = asked(run, "What do wombats eat in Tasmania?", *LAR)
    for options in ((), ("--json",), ("--as-then",)):
        told = [run("replay", name, *options) for name in (hidden, "0000000000")]
        blank = [
            (r.code, r.out, r.err.replace(name, "X"))
            for r, name in zip(told, (hidden, "0000000000"), strict=True)
        ]
        assert blank[0] == blank[1] == (3, "", blank[0][2])
        assert "There is no receipt X that you may see." in blank[0][2]
    assert run("replay", hidden, *LAR).code == 0
    assert run("replay", hidden, "--as", "papers:lar,papers:other").code == 0


def test_own_receipts_are_listed(run: Run) -> None:
    nothing = run("receipts", "--json")
    assert json.loads(nothing.out)["counts"]["answers"] == 0
    first = asked(run)
    hidden = asked(run, "What do wombats eat in Tasmania?", *LAR)
    last = asked(run, "What is [bold]loud?")
    shown = run("receipts", "--json")
    shape = ReceiptsResponse.model_validate_json(shown.out)
    assert [each.id for each in shape.receipts] == [last, first]
    assert shape.counts.outcomes == {"answered": 1, "not_in_documents": 1}
    assert "ombat" not in shown.out
    wide = ReceiptsResponse.model_validate_json(run("receipts", *LAR, "--json").out)
    assert [each.id for each in wide.receipts] == [last, hidden, first]
    assert wide.counts.answers == 3
    told = run("receipts", "--last", "1").out
    assert f"{last}  20" in told
    assert "What is [bold]loud?" in told
    assert first not in told
    assert "answers         2" in told


def test_what_was_closed_since(run: Run, papers: Path) -> None:
    identity = asked(run, QUESTION, *LAR)
    (papers / "documents.toml").write_text(LIST.replace("papers:lar", "papers:daq"))
    assert run("crawl").code == 0
    result = run("replay", identity, *LAR)
    assert result.code == 6
    assert "passage [2]: no longer there or not for you" in result.out
    assert "ombat" not in result.out + result.err
    assert "SEC-0002" not in result.out + result.err


def test_forgotten(run: Run, tmp_path: Path) -> None:
    kept = asked(run)
    gone = asked(run, "What do wombats eat in Tasmania?", *LAR)
    result = run("forget", "papers:SEC-0002", "--prove")
    assert result.code == 0
    assert re.search(r"receipts +1 removed +0 left", result.out)
    assert run("replay", gone, *LAR).code == 3
    assert run("replay", kept).code == 6
    with closing(sqlite3.connect(tmp_path / "data" / "receipts.db")) as db:
        assert db.execute("select count(*) from receipts").fetchone() == (1,)


def test_no_receipts_if_the_settings_say_so(
    run: Run, config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    config_file("[receipts]\nenabled = false\n")
    result = run("ask", QUESTION)
    assert (result.code, result.err) == (0, "")
    assert "Receipt" not in result.out
    assert not (tmp_path / "data" / "receipts.db").exists()


def test_what_cannot_be_kept_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "receipts.db").write_bytes(b"no database" * 500)
    result = run("ask", QUESTION, "--json")
    shape: Any = AskResponse.model_validate_json(result.out)
    assert (result.code, shape.receipt) == (0, "")
    assert shape.answer.startswith(FACT)
    assert "No receipt was kept" in shape.notices[-1]
    assert run("receipts").code == 1
    assert run("replay", "0000000000").code == 1
