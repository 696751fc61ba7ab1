"""The command ``extract``."""

from pathlib import Path

import pytest

from dunegpt.schemas.operations import (
    ExtractResponse,
)
from tests.cli.invocation import Run
from tests.ingest.extract.test_extract import make_pdf

pytestmark = pytest.mark.same_place


def test_extract(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("# Field [x]\n\nThe field is 475 V/cm.\n")
    shown = run("extract", str(note))
    assert shown.code == 0
    assert "note.md, line 1 · Field [x]" in shown.out
    assert "The field is 475 V/cm." in shown.out


def test_extract_as_json(run: Run, tmp_path: Path) -> None:
    """A line a file; what cannot be read does not hide what can."""
    (tmp_path / "note.txt").write_text("text")
    (tmp_path / "empty.pdf").touch()
    names = [str(tmp_path / name) for name in ("empty.pdf", "note.txt")]
    result = run("extract", "--json", *names)
    assert result.code == 1
    empty, note = map(ExtractResponse.model_validate_json, result.out.splitlines())
    assert (empty.error, empty.pages) == ("The file is empty.", [])
    assert [page.text for page in note.pages] == ["text"]
    assert "empty.pdf: The file is empty." in run("extract", *names).err


def test_extract_of_no_file(run: Run) -> None:
    result = run("extract", "nowhere.pdf")
    assert (result.code, "no file nowhere.pdf" in result.err) == (2, True)


def test_extract_tells_where_a_quote_stands(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf("The drift field is 475 V/cm."))
    found = run("extract", "--quote", "field is 475", str(path))
    assert found.out.startswith("a.pdf, page 1: left 0.")
    assert (
        "not found on that page" in run("extract", "--quote", "purity", str(path)).err
    )
