"""Finding and showing without an answer: ``search``, ``show``, ``runs``."""

import shutil
from pathlib import Path

import pytest

from dunegpt.schemas.reading import (
    RunsResponse,
    SearchResponse,
    ShowResponse,
)
from tests.cli.invocation import FACT, QUESTION, Run, Write

pytestmark = pytest.mark.same_place


def test_runs(run: Run, config_file: Write, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(
        '[{"id": 8812, "timestamp": "2026-10-03 04:00", "text": "Quiet [shift]."}]'
    )
    (tmp_path / "runs.csv").write_text(
        "run,start,stop,beam,state,comment\n"
        "7,2026-10-03 04:12:00,2026-10-03 05:12:00,on,LArTPC [full],quiet\n"
        "8,2026-10-04 04:12:00,,off,cosmics,\n"
    )
    file = str(
        config_file(
            '[sources.log]\ntype = "elog"\npath = "log.json"\n'
            'access = ["log:shift"]\nruns_file = "runs.csv"\n'
        )
    )
    assert run("--config", file, "crawl", "log", "--index").code == 0
    own = ("--config", file, "runs", "--as", "log:shift")
    shown = run(*own)
    assert "7  2026-10-03 04:12:00 - 2026-10-03 05:12:00  beam on; LArTPC [full]" in (
        shown.out
    )
    assert "8  2026-10-04 04:12:00 - (no end)  beam off; cosmics" in shown.out
    [found] = run(*own, "--beam", "on", "--last", "--json").read(RunsResponse).runs
    assert (found.run, found.state, found.document) == (
        7,
        "LArTPC [full]",
        "log:runs-2026-10",
    )
    assert found.page == 1 and found.url.endswith("/runs.csv")
    for options in (["--run", "9"], ["--state", "x"], ["--since", "2027-01-01"]):
        nothing = run(*own, *options)
        assert (nothing.code, nothing.out) == (3, "No run found that you may see.\n")
    hidden = run("--config", file, "runs", "--json")
    assert (hidden.code, hidden.read(RunsResponse).runs) == (3, [])
    assert run("--config", file, "crawl", "--dry-run", "--index").code == 2
    assert run("--config", file, "crawl", "--every", "-1").code == 2


def test_search(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "search", "drift field", "-k", "1")
    assert result.code == 0
    assert result.out.startswith("1. Field")
    assert "\n2." not in result.out
    shape = run("--config", indexed, "search", "drift field", "--json")
    found = shape.read(SearchResponse)
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
    assert found.hits[0].text == FACT


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--since", "2024-02-29"], True),
        (["--since", "2024-03-01"], False),
        (["--until", "2024-02-28"], False),
        (["--author", "okonjo"], True),
        (["--author", "nobody"], False),
        (["--source", "papers"], True),
    ],
)
def test_filters(run: Run, indexed: str, options: list[str], found: bool) -> None:
    result = run("--config", indexed, "search", QUESTION, *options)
    assert result.code == (0 if found else 3)
    assert ("475 V/cm" in result.out) is found


@pytest.mark.parametrize("command", ["ask", "search"])
def test_unknown_source(run: Run, indexed: str, command: str) -> None:
    result = run("--config", indexed, command, "x", "--source", "elsewhere")
    assert result.code == 2
    assert "elsewhere" in result.err
    assert "papers" in result.err


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize("question", ["", "x" * 10_000])
def test_questions_that_cannot_be_asked(
    run: Run, indexed: str, command: str, question: str
) -> None:
    assert run("--config", indexed, command, question).code == 2


def test_show(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "show", "papers:LTS-0001:1", "--page", "1")
    assert result.code == 0
    assert "500 V/cm" in result.out
    assert "papers:LTS-0001:2" in result.out
    shape = run("--config", indexed, "show", "papers:LTS-0001:2", "--json")
    (shown,) = shape.read(ShowResponse).documents
    assert shown.supersedes == "papers:LTS-0001:1"
    assert shown.superseded_by == ""
    assert [(f.key, f.pages) for f in shown.files] == [("v2.txt", 1)]
    assert shown.pages == []
    assert (shown.cites, shown.cited_by) == ([], [])
    unknown = run("--config", indexed, "show", "LTS-0099")
    assert unknown.code == 3
    assert "LTS-0099 is not in the index" in unknown.err


def test_show_all_versions_as_json(run: Run, indexed: str) -> None:
    """What is printed with --json is one JSON text, however many versions come."""
    result = run("--config", indexed, "show", "LTS-0001", "--json")
    assert result.code == 0
    documents = result.read(ShowResponse).documents
    assert [d.document.id[-1] for d in documents] == ["1", "2"]


def test_a_page_that_is_not_there(run: Run, indexed: str) -> None:
    result = run("--config", indexed, "show", "papers:LTS-0001:1", "--page", "99")
    assert result.code == 3
    assert "has no page 99" in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "typed", "found"),
    [
        (["--type", "Document"], "type:document", True),
        (["--type", "talk"], "type:talk", False),
        (["--status", "released"], "status:Released", False),
        (["--document", "LTS-0001"], "doc:LTS-0001", True),
        (["--document", "LTS-0001", "--type", "talk"], "in:LTS-0001 type:talk", False),
        (["--since", "2024-02-01"], "after:2024-02", True),
        (["--until", "2023-12-31"], "before:2024", False),
    ],
)
def test_filters_given_and_typed(
    run: Run, indexed: str, options: list[str], typed: str, found: bool
) -> None:
    given = run("--config", indexed, "search", QUESTION, *options)
    in_words = run("--config", indexed, "search", f"{QUESTION} {typed}")
    assert given.code == in_words.code == (0 if found else 3)
    assert ("475 V/cm" in given.out) is ("475 V/cm" in in_words.out) is found
    answered = run("--config", indexed, "ask", f"{typed} {QUESTION}")
    assert answered.code == (0 if found else 3)


def test_a_document_that_is_not_there_is_named(run: Run, indexed: str) -> None:
    for command in ("ask", "search"):
        for question in ("drift field doc:LTS-0099", "doc:LTS-0099"):
            result = run("--config", indexed, command, question)
            assert result.code == 3
            assert "LTS-0099 is not in the index as of 20" in result.err


@pytest.mark.parametrize("typed", ["after:tomorrow", "source:elsewhere"])
@pytest.mark.parametrize("command", ["ask", "search"])
def test_typed_filters_that_mean_nothing(
    run: Run, indexed: str, command: str, typed: str
) -> None:
    result = run("--config", indexed, command, f"drift field {typed}")
    assert result.code == 2
    assert typed.partition(":")[2] in result.err
    assert "papers" in result.err or "2024-03" in result.err


def test_filters_alone_are_listed_and_not_answered(run: Run, indexed: str) -> None:
    listed = run("--config", indexed, "search", "author:okonjo").out
    assert listed.startswith("1. Field")
    result = run("--config", indexed, "ask", "author:okonjo")
    assert result.code == 2
    assert "filters only" in result.err


def test_no_hit_missing_and_broken_index_are_told_apart(
    run: Run, indexed: str, tmp_path: Path
) -> None:
    search = ("--config", indexed, "search")
    nothing = run(*search, f"{QUESTION} author:nobody")
    hidden = run(*search, f"{QUESTION} author:hidden")
    assert nothing.code == hidden.code == 3
    assert nothing.out == hidden.out == "No passage found that you may read.\n"
    current = (tmp_path / "data/snapshots/current").resolve()
    lexical = current / "lexical" / "meta.json"
    lexical.write_bytes(b"{" + lexical.read_bytes()[1:-1] + b"?")
    broken = run(*search, QUESTION)
    shutil.rmtree(tmp_path / "data" / "snapshots")
    missing = run(*search, QUESTION)
    assert broken.code == missing.code == 4
    assert "There is no index" in missing.err
    assert "There is no index" not in broken.err
    assert "lexical" in broken.err


def test_a_rerank_model_that_is_not_there(
    run: Run, indexed: str, config_file: Write
) -> None:
    path = str(config_file('[rerank]\nmodel = "nowhere"\n'))
    for command in ("ask", "search"):
        result = run("--config", path, command, QUESTION)
        assert result.code == 1
        assert "model.onnx" in result.err
