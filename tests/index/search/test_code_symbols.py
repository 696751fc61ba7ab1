"""Code from a real repository: a name finds its definition first, at its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import EmbedSettings, Settings, SourceSettings
from dunegpt.index.build import build
from dunegpt.index.search import code_symbols as defining
from dunegpt.index.search import ranking as search
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.ranking import Ranking
from dunegpt.ingest.crawl import crawl
from dunegpt.serve.answer.citations import make_citation
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Hit
from simulators.git.repository import Repository
from tests.index.corpus import PUBLIC, document, fill

HEADER = """// Declares the drift.
#pragma once

namespace larch {
double computeDriftVelocity(double field);
}
"""
SOURCE = """#include "Drift.h"

// How fast electrons drift.
// The parametrisation is that of Walkowiak.
double larch::computeDriftVelocity(double field)
{
  double const base = 1.6;
  return base * field / 500.;
}

void PDSPTPCRawDecoder::produce(art::Event& event)
{
  double const v = computeDriftVelocity(500.);
  double const w = computeDriftVelocity(250.);
  double const x = computeDriftVelocity(125.);
  event.put(v + w + x);
}
"""
CALLS = """# Calls computeDriftVelocity again and again.


class HitFinder:
    \"\"\"Finds hits with computeDriftVelocity and drift_time_of.\"\"\"

    def find_hits(self, waveform):
        speed = computeDriftVelocity(500)
        other = computeDriftVelocity(250)
        third = computeDriftVelocity(125)
        return [speed, other, third, drift_time_of(waveform)]


def drift_time_of(waveform):
    ticks = len(waveform)
    # A tick is half a microsecond.
    return ticks * 0.5
"""
FCL = """#include "services.fcl"

physics.producers.caldata: {
  module_type: "DataPrep"
  # The nominal field.
  DriftField: 500
  LogLevel: 1
}
"""
NESTED = """physics: {
  producers: {
    # Finds hits.
    gaushit: {
      module_type: "GausHitFinder"
      Threshold: 3
    }
  }
}
"""
NOTE = """# Notes

The function computeDriftVelocity, or `drift_time_of`, was checked by hand. See
computeDriftVelocity for the parametrisation, and computeDriftVelocity for its test.

## Checks

Everything agreed within a percent.
"""
FILES: dict[str, str | bytes] = {
    "larch/Drift.h": HEADER,
    "larch/Drift.cc": SOURCE,
    "python/hits.py": CALLS,
    "fcl/prep.fcl": FCL,
    "fcl/reco.fcl": NESTED,
    "notes.md": NOTE,
    "plain.txt": "One line.\n\n\nAnother line, further down.\n",
}


@dataclass
class Indexed:
    settings: Settings

    def hits(self, question: str) -> tuple[Hit, ...]:
        searcher = open_searcher(self.settings)
        return searcher.as_reader(frozenset()).search(question).hits

    def line(self, hit: Hit, quote: str) -> tuple[int, str]:
        """Return the line that a citation opens, and its address."""
        index = open_searcher(self.settings).as_reader(frozenset())
        made = make_citation(hit, quote, index, self.settings)
        return made.line, made.url


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Indexed:
    folder = tmp_path_factory.mktemp("code")
    repository = Repository(folder / "larch")
    repository.commit(FILES)
    table = SourceSettings(
        type="git",
        path=str(repository.folder),
        access=["public"],
        web="https://git.test/blob/{commit}/{path}",
    )
    settings = Settings(
        data_dir=folder / "data",
        sources={"larch": table},
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    assert crawl("larch", settings).error == ""
    build(settings)
    return Indexed(settings)


def test_only_kinds_that_hold_code_are_read_for_definitions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prose of another kind is not; where a snapshot notes no kinds, all are."""
    fill(settings, [(document("n:1"), {"a.txt": ["computeDriftVelocity is quick."]})])
    build(settings)
    searcher = open_searcher(settings)
    assert searcher.snapshot.manifest["code_kinds"] == []
    asked: list[int] = []
    original = defining.find_definitions

    def noted(question: str, rows: list[int], *more: Any) -> Iterator[int]:
        asked.append(len(rows))
        yield from original(question, rows, *more)

    monkeypatch.setattr(search, "find_definitions", noted)
    assert searcher.as_reader(PUBLIC).search("computeDriftVelocity").hits
    del searcher.snapshot.manifest["code_kinds"]
    assert searcher.as_reader(PUBLIC).search("computeDriftVelocity").hits
    assert asked == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "file", "heading"),
    [
        ("computeDriftVelocity", "Drift.cc", "larch::computeDriftVelocity"),
        ("Where is computeDriftVelocity defined?", "Drift.cc", ""),
        ("larch::computeDriftVelocity", "Drift.cc", ""),
        ("PDSPTPCRawDecoder::produce", "Drift.cc", "PDSPTPCRawDecoder::produce"),
        ("produce()", "Drift.cc", "PDSPTPCRawDecoder::produce"),
        ("drift_time_of", "hits.py", "drift_time_of"),
        ("HitFinder.find_hits", "hits.py", "HitFinder.find_hits"),
        ("HitFinder", "hits.py", ""),
        ("physics.producers.caldata", "prep.fcl", ""),
        ("physics.producers.gaushit", "reco.fcl", ""),
    ],
)
def test_a_name_finds_its_definition_first(
    code: Indexed, question: str, file: str, heading: str
) -> None:
    first = code.hits(question)[0]
    assert first.document.title.endswith(file)
    assert heading in first.passage.heading


def test_the_parts_of_a_name_find_it_too(code: Indexed) -> None:
    searcher = open_searcher(code.settings)
    for question in ("raw decoder", "compute drift velocity", "hit finder"):
        found = (
            searcher.as_reader(frozenset())
            .search(question, ranking=Ranking.LEXICAL)
            .hits
        )
        assert found, question
        assert found[0].document.title.endswith((".cc", ".h", ".py")), question


def test_a_citation_opens_the_line_of_its_quote(code: Indexed) -> None:
    """For every sentence of every file whose pages keep their lines."""
    count = 0
    searcher = open_searcher(code.settings)
    rows = range(len(searcher.snapshot.row_document))
    for row, (number, passage) in searcher.snapshot.store.get_passages(rows).items():
        [stored] = searcher.snapshot.store.get_documents([number]).values()
        path = stored.document.title
        if path.endswith((".md", ".txt")):
            continue
        hit = Hit(row, passage, stored.document, 1.0, 1, code.hits("tick")[0].found_by)
        lines = str(FILES[path]).split("\n")
        for quote in split_sentences(passage.text):
            line, url = code.line(hit, quote)
            first = quote.split("\n")[0].strip()
            assert first in lines[line - 1], (path, quote)
            assert url.endswith(f"{path}#L{line}")
            count += 1
    assert count > 10


def test_a_section_opens_at_its_heading(code: Indexed) -> None:
    hit = next(h for h in code.hits("agreed percent") if "notes" in h.document.title)
    line, url = code.line(hit, "Everything agreed within a percent.")
    assert NOTE.split("\n")[line - 1] == "## Checks"
    assert url.endswith(f"/notes.md#L{line}")


def test_a_quote_that_stands_there_twice(code: Indexed) -> None:
    hit = code.hits("PDSPTPCRawDecoder::produce")[0]
    line, _ = code.line(hit, "double const w = computeDriftVelocity(250.);")
    assert "double const w" in SOURCE.split("\n")[line - 1]
