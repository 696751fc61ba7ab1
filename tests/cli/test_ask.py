"""The command ``ask``: answers, refusals, readers, folders."""

from pathlib import Path

import pytest

from dunegpt.schemas.reading import (
    AskResponse,
)
from dunegpt.schemas.registry import RESPONSES
from dunegpt.types import Outcome
from simulators.llm.openai_server import fake_model
from tests.cli.invocation import FACT, QUESTION, Run, Write

pytestmark = pytest.mark.same_place


def test_ask(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "ask", QUESTION)
    assert result.code == 0
    assert result.out.startswith(f"{FACT} [1]\n")
    assert "References" in result.out
    shape = run("--config", indexed, "ask", QUESTION, "--json").read(AskResponse)
    assert shape.outcome is Outcome.ANSWERED
    assert shape.answer.startswith(f"{FACT} [1]")
    assert shape.references[0].document.id == "papers:LTS-0001:2"
    assert shape.references[0].cited


def test_names_are_printed_as_they_are(run: Run, indexed: str) -> None:
    """Neither markup nor emoji is made of a title, nor of an id like docdb:100:3."""
    for command in (["ask", QUESTION], ["search", QUESTION], ["show", "LTS-0001"]):
        result = run("--config", indexed, *command)
        assert "Field [note] :100: of $1" in result.out, command


def test_ask_what_is_not_there(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "ask", "What do wombats eat in Tasmania?")
    assert result.code == 3
    assert "Not in the documents" in result.out
    shape = run("--config", indexed, "ask", "LTS-0099", "--json")
    assert shape.code == 3
    assert shape.read(AskResponse).notices


@pytest.mark.parametrize("command", ["ask", "search", "show"])
def test_as(run: Run, indexed: str, command: str) -> None:
    arguments = ["--config", indexed, command, "SEC-0002", "--json"]
    hidden = run(*arguments)
    assert hidden.code == (0 if command == "search" else 3)  # it finds other things
    assert "ombat" not in hidden.out + hidden.err
    seen = run(*arguments, "--as", "papers:lar, papers:other")
    assert seen.code == 0
    assert "Secret wombats" in seen.out
    seen.read(RESPONSES[command])


def test_cli_principals(run: Run, indexed: str, config_file: Write) -> None:
    config_file('[cli]\nprincipals = ["papers:lar"]\n')
    assert run("--config", indexed, "show", "SEC-0002").code == 0


def test_the_public_is_told_how_to_read_as_a_member(
    run: Run, indexed: str, config_file: Write
) -> None:
    """Only by the settings, and only if nothing was found."""
    question = ["ask", "What do wombats eat in Tasmania?"]
    assert "--as" not in run("--config", indexed, *question).err
    closed = '[sources.docs]\ntype = "docdb"\nurl = "https://docs.example.org"\n'
    closed += '[[sources.docs.doors]]\nkind = "cookie"\nurl = "https://d.example.org"\n'
    config_file(closed)
    for command in (question, ["show", "SEC-0002"]):
        result = run("--config", indexed, *command)
        assert "You read as the public. docs may have documents" in result.err
        assert "--as SOURCE:GROUP" in result.err
    for arguments in (["ask", QUESTION], [*question, "--as", "docs:A"]):
        assert "You read as" not in run("--config", indexed, *arguments).err


def test_broken_index(run: Run, indexed: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "snapshots" / "current" / "documents.npy"
    path.write_bytes(b"x")
    for command in ("ask", "search", "show"):
        result = run("--config", indexed, command, "LTS-0001")
        assert result.code == 4
        assert "--rebuild" in result.err
    assert "documents.npy" in run("--config", indexed, "status").out


def test_model(run: Run, indexed: str, config_file: Write) -> None:
    with fake_model(["The drift field is 475 V/cm [1]. It was 9 V [1].", "500"]) as on:
        table = f'[llm.fake]\nbase_url = "{on.url}"\nmodel = "fake"\n'
        config_file(table)
        good = run("--config", indexed, "ask", QUESTION)
        down = run("--config", indexed, "ask", QUESTION, "--json")
        without = run("--config", indexed, "ask", QUESTION, "--no-llm")
    assert good.code == 0
    assert "The drift field is 475 V/cm. [1]" in good.out
    assert "It was 9 V. [1] (not supported: 9 V is not in the source)" in good.out
    assert down.code == 5
    shape = down.read(AskResponse)
    assert (shape.outcome.value, shape.mode.value) == (
        "model_unavailable",
        "extractive",
    )
    assert shape.answer.startswith(FACT)
    assert "500" in shape.notices[0]
    assert without.code == 0
    assert len(on.requests) == 3  # the second asked to repair a sentence


def test_folder(run: Run, config_file: Write, papers: Path, tmp_path: Path) -> None:
    """Its files belong to a principal of their own, outside of the data folder."""
    file = str(config_file(""))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.txt").write_text(FACT)
    arguments = ["--config", file, "ask", QUESTION, "--folder", str(mine)]
    shape = run(*arguments, "--json").read(AskResponse)
    assert shape.answer.startswith(FACT)
    assert not (tmp_path / "data").exists()
    [index] = (tmp_path / "home" / "dunegpt" / "folders").iterdir()
    assert shape.receipt == ""
    assert not any("receipt" in path.name for path in index.iterdir())
    stolen = tmp_path / "stolen.toml"
    stolen.write_text(f'data_dir = "{index}"\n')
    assert run("--config", str(stolen), "search", QUESTION).code == 3
    (mine / "a.txt").unlink()
    (mine / "b.txt").write_text("Laser light enters through 20 ports.")
    assert run(*arguments).code == 3
    (mine / "b.txt").unlink()
    assert run(*arguments).code == 2


def test_folder_is_not_sent_to_a_model(
    run: Run, config_file: Write, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text(FACT)
    with fake_model(["Yes [1]."]) as model:
        table = f'[llm.fake]\nbase_url = "{model.url}"\nmodel = "fake"\n'
        file = str(config_file(table))
        folder = str(tmp_path / "mine")
        result = run("--config", file, "ask", QUESTION, "--folder", folder)
    assert result.code == 0
    assert model.requests == []


def test_a_folder_says_what_could_not_be_read(
    run: Run, config_file: Write, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "scan.pdf").write_bytes(b"%PDF-1.4 broken")
    file = str(config_file(""))
    result = run("--config", file, "ask", "x y", "--folder", str(mine), "--json")
    assert any(
        "scan.pdf could not be read" in n for n in result.read(AskResponse).notices
    )
    refused = run("--config", file, "ask", "x", "--folder", str(mine), "--as", "a:b")
    assert refused.code == 2
