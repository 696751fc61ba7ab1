"""Descriptions of figures by a model: found by, marked, never words of the document."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import ExtractSettings, Settings, SourceSettings
from dunegpt.index.search.open import open_searcher
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from dunegpt.llm_settings import LLMSettings
from dunegpt.operations.forget import forget
from dunegpt.operations.index import build_index
from dunegpt.schemas.reading import HitResponse
from dunegpt.types import Finished, Hit
from simulators.llm.openai_server import FakeModel, fake_model
from tests.ingest.extract.test_figures import Paper
from tests.serve.asking import answer

pytestmark = pytest.mark.slow

PUBLIC = frozenset({"public"})
SAID = "A wombat-shaped plateau of the quokka rate"


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with fake_model([SAID]) as server:
        yield server


@pytest.fixture
def described(settings: Settings, papers: Path, model: FakeModel) -> Settings:
    """Give settings with a describer, and a paper that has a figure in the catalog."""
    paper = Paper()
    paper.plot(200, 500)
    paper.lines(180, 460, "Figure 9: Velocity of electrons.", size=9)
    paper.lines(80, 380, "The vessel was cold.")
    (papers / "a.pdf").write_bytes(paper.save())
    crawl("papers", settings)
    return with_model(settings, model)


def with_model(settings: Settings, model: FakeModel) -> Settings:
    table = LLMSettings(base_url=model.url, model="fake", timeout_s=5)
    extract = ExtractSettings(describe_figures="eyes")
    return settings.model_copy(update={"llm": {"eyes": table}, "extract": extract})


def search(settings: Settings, question: str) -> list[Hit]:
    result = open_searcher(settings).as_reader(PUBLIC).search(question, None, 5)
    return [hit for hit in result.hits if hit.passage.figure]


def failures(settings: Settings) -> list[str]:
    catalog = Catalog(settings.paths.catalog)
    try:
        return [f["message"] for f in catalog.failures() if f["stage"] == "describe"]
    finally:
        catalog.close()


def test_a_description_finds_a_figure_and_is_not_its_text(
    described: Settings, model: FakeModel
) -> None:
    build_index(described)
    [hit] = search(described, "wombat quokka")
    assert hit.passage.figure == "Figure 9"
    assert hit.passage.description == SAID
    assert "quokka" not in hit.passage.text
    shape = HitResponse.from_hit(hit)
    assert shape.machine_description == SAID
    assert shape.box is not None
    assert shape.box.page == 1

    [request] = model.requests
    text, picture = request["messages"][0]["content"]
    assert "Figure 9: Velocity of electrons." in text["text"]
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")

    assert not build_index(described).published
    assert len(model.requests) == 1


def test_a_description_is_never_quoted_or_sent_as_evidence(
    described: Settings, model: FakeModel
) -> None:
    build_index(described)
    settings = described.model_copy(update={"llm": {}, "extract": ExtractSettings()})
    *_, finished = answer("What is the quokka rate?", settings, reader=PUBLIC)
    assert isinstance(finished, Finished)
    assert not any("quokka" in each.quote for each in finished.references)

    model.replies[:] = ["The rate is shown there [1]."]
    *_, finished = answer("What is the quokka rate?", described, reader=PUBLIC)
    assert "wombat" not in json.dumps(model.requests[1:])
    assert isinstance(finished, Finished)


def test_without_the_setting_nothing_is_described(
    described: Settings, model: FakeModel
) -> None:
    settings = described.model_copy(update={"extract": ExtractSettings()})
    build_index(settings)
    assert model.requests == []
    assert build_index(described).published
    assert build_index(settings).published  # and the description is out again
    [hit] = search(settings, "velocity of electrons")
    assert hit.passage.description == ""


def test_what_the_server_may_not_read_is_not_sent(
    settings: Settings, papers: Path, described: Settings, model: FakeModel
) -> None:
    source = SourceSettings(type="folder", path=str(papers), access=["members"])
    closed = described.model_copy(update={"sources": {"papers": source}})
    crawl("papers", closed)
    build_index(closed)
    assert model.requests == []
    assert failures(closed) == []


def test_a_server_that_fails_is_in_the_ledger_and_asked_again(
    described: Settings, model: FakeModel
) -> None:
    model.replies[:] = ["500"]
    build_index(described)
    [message] = failures(described)
    assert message.startswith("Figure 9 on page 1: The model server 'eyes' refuses")
    assert search(described, "velocity of electrons")

    model.replies[:] = [SAID]
    assert build_index(described).published
    assert failures(described) == []
    assert search(described, "wombat quokka")[0].passage.description == SAID


def test_a_server_that_is_down_is_left_alone(
    described: Settings, papers: Path, model: FakeModel
) -> None:
    for number in range(5):
        paper = Paper()
        paper.plot(200, 500)
        paper.lines(180, 460, f"Figure {number}: Velocity.", size=9)
        (papers / f"{number}.pdf").write_bytes(paper.save())
    crawl("papers", described)
    model.replies[:] = ["503"]
    build_index(described)
    assert len(model.requests) == 3
    assert len(failures(described)) == 6
    assert sum("Not tried" in message for message in failures(described)) == 3


def test_forgetting_removes_descriptions(described: Settings) -> None:
    build_index(described)
    assert list(described.paths.pages.rglob("*.figures"))
    shape = forget(described, "papers:a.pdf")
    assert all(place.left == 0 for place in shape.places)
    assert not list(described.paths.pages.rglob("*.figures"))
