"""A new version of an extractor or a program redoes what it touches, nothing else."""

from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.operations.status import get_status
from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import make_pdf


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the names of the files that are read from now on."""
    names: list[str] = []
    extract = Sandbox.extract

    def noted(self: Sandbox, path: Path, name: str, kind: str) -> object:
        names.append(name)
        return extract(self, path, name, kind)

    monkeypatch.setattr(Sandbox, "extract", noted)
    return names


@pytest.fixture
def indexed(settings: Settings, papers: Path) -> Settings:
    """Give an index of a PDF, a scan, a workbook and a file of an unknown type."""
    (papers / "a.pdf").write_bytes(make_pdf("The drift field is 475 V/cm."))
    (papers / "b.xlsx").write_bytes(samples.workbook())
    (papers / "c.png").write_bytes(samples.picture("x", (60, 60)))
    (papers / "d.xyz").write_bytes(b"\0\1\2" * 99)
    crawl("papers", settings)
    build(settings)
    return settings


@pytest.mark.slow
def test_nothing_is_read_twice(indexed: Settings, read_files: list[str]) -> None:
    """What could not be read is not tried again either."""
    assert (build(indexed).embedded, read_files) == (0, [])
    assert len(get_status(indexed).failures) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made_with", "redone"),
    [
        ('"sheets": "', "b.xlsx"),
        ('"pdf": "', "a.pdf"),
        ('"tesseract": "', "c.png"),
        ('"types": "', "d.xyz"),
    ],
)
def test_a_new_version_redoes_what_it_made(
    indexed: Settings, read_files: list[str], made_with: str, redone: str
) -> None:
    """And what comes out the same is not embedded again."""
    for kept in indexed.paths.pages.rglob("*.pages"):
        older = f"{made_with}older-".encode()
        kept.write_bytes(kept.read_bytes().replace(made_with.encode(), older))
    report = build(indexed)
    assert read_files == [redone]
    assert (report.embedded, report.published) == (0, False)


@pytest.mark.slow
def test_other_limits_redo_what_ran_into_them(
    settings: Settings, papers: Path, read_files: list[str]
) -> None:
    (papers / "long.txt").write_text("one two three\n" * 200)
    (papers / "short.txt").write_text("four")
    crawl("papers", settings)
    small = settings.extract.model_copy(update={"max_characters": 1500})
    build(settings.model_copy(update={"extract": small}))
    [failure] = get_status(settings).failures
    assert (failure.id, failure.error) == (
        "papers:long.txt#long.txt",
        "PartlyReadError",
    )
    assert "cut off before page" in failure.message
    read_files.clear()
    build(settings)
    assert read_files == ["long.txt"]
    assert get_status(settings).failures == []


@pytest.mark.slow
def test_the_splitter_reads_nothing(
    indexed: Settings, read_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.ingest.split.VERSION", "next")
    assert build(indexed).embedded == 4
    assert read_files == []
