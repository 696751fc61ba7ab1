"""The search as langchain sees it: the same hits, and nothing of what is hidden."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.retrievers import BaseRetriever

from dunegpt.access import NOBODY, Access
from dunegpt.config import EmbedSettings, Settings
from dunegpt.errors import UsageError
from dunegpt.index.build import build
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.langchain import Retriever
from tests.index.corpus import PUBLIC, document, fill, readers

FACT = "The drift field of the far detector is 475 V/cm."
LAR = readers("n:lar")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Settings:
    return Settings(
        data_dir=tmp_path_factory.mktemp("notes") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )


@pytest.fixture(scope="module")
def searcher(settings: Settings) -> Iterator[Searcher]:
    """Index two versions of a note, and one for LAr people only."""
    old = document("n:FLD-1:1", title="Field", status="draft")
    new = document(
        "n:FLD-1:2", title="Field", status="approved", supersedes="n:FLD-1:1"
    )
    secret = document("n:SEC-3:1", access=LAR, title="Quokka")
    fill(
        settings,
        [
            (old, {"a.txt": ["The drift field was 500 V/cm."]}),
            (new, {"a.txt": [FACT]}),
            (secret, {"a.txt": ["The drift field of a quokka is 180 V."]}),
        ],
    )
    build(settings)
    with closing(open_searcher(settings)) as searcher:
        yield searcher


def retriever(
    searcher: Searcher, settings: Settings, reader: Access = PUBLIC, **more: int
) -> BaseRetriever:
    return Retriever(index=searcher.as_reader(reader), settings=settings, **more)


def test_passages_can_be_cited(searcher: Searcher, settings: Settings) -> None:
    found = retriever(searcher, settings).invoke("drift field of the far detector")
    assert found[0].page_content == FACT
    assert found[0].metadata == {
        "id": "n:FLD-1:2",
        "title": "Field",
        "url": "https://notes.test/n/FLD-1/2",
        "page": 1,
        "version": "2",
        "status": "approved",
        "superseded_by": "",
    }
    [older] = retriever(searcher, settings).invoke("FLD-1 v1")
    assert older.metadata["version"] == "1"
    assert older.metadata["superseded_by"] == "n:FLD-1:2"


def test_hits_are_those_of_the_search(searcher: Searcher, settings: Settings) -> None:
    hits = searcher.as_reader(LAR).search("drift field", None, 8).hits
    found = retriever(searcher, settings, LAR).invoke("drift field")
    assert [d.page_content for d in found] == [hit.passage.text for hit in hits]
    assert len(retriever(searcher, settings, LAR, k=1).invoke("drift field")) == 1


@pytest.mark.parametrize("question", ["quokka", "drift field", "SEC-3"])
@pytest.mark.parametrize("reader", [PUBLIC, NOBODY])
def test_nothing_hidden_is_given(
    searcher: Searcher, settings: Settings, question: str, reader: Access
) -> None:
    given = str(retriever(searcher, settings, reader).invoke(question))
    assert "uokka" not in given
    assert "SEC" not in given
    assert "SEC" in str(retriever(searcher, settings, LAR).invoke(question))


def test_filters_hold(searcher: Searcher, settings: Settings) -> None:
    mine = Retriever(
        index=searcher.as_reader(PUBLIC),
        settings=settings,
        filters=Filters(statuses=("draft",)),
    )
    assert {d.metadata["status"] for d in mine.invoke("drift field")} == {"draft"}


def test_a_query_of_nothing_is_refused(searcher: Searcher, settings: Settings) -> None:
    with pytest.raises(UsageError):
        retriever(searcher, settings).invoke("")
