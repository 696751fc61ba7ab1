"""Typed filters: what is one, what is none, and what cannot be."""

import datetime as dt
from pathlib import Path

import pytest

from dunegpt.errors import UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.search.query import parse_query
from dunegpt.index.search.searcher import Searcher
from dunegpt.types import FoundBy
from tests.index.corpus import PUBLIC, document, pack, readers

LAR = readers("n:lar")
DAY = dt.date


@pytest.mark.parametrize(
    ("question", "text", "filters"),
    [
        ("purity author:okonjo", "purity", Filters(author="okonjo")),
        ('author:"A. Okonjo" purity', "purity", Filters(author="A. Okonjo")),
        ("a author:lee author:wu", "a", Filters(author="lee wu")),
        ("after:2024 a", "a", Filters(since=DAY(2024, 1, 1))),
        ("a AFTER:2024-03", "a", Filters(since=DAY(2024, 3, 1))),
        ("a since:2024-3-5, b", "a b", Filters(since=DAY(2024, 3, 5))),
        ("a before:2025-01-31", "a", Filters(until=DAY(2025, 1, 30))),
        ("a before:2025", "a", Filters(until=DAY(2024, 12, 31))),
        ("a until:2024-02", "a", Filters(until=DAY(2024, 2, 29))),
        ("a until:2024", "a", Filters(until=DAY(2024, 12, 31))),
        ("after:2023 after:2024 a", "a", Filters(since=DAY(2024, 1, 1))),
        ("source:indico source:x a", "a", Filters(sources=("indico", "x"))),
        ("type:Talk", "", Filters(kinds=("talk",))),
        ("status:released a", "a", Filters(statuses=("released",))),
        ("doc:LTS-0003 a", "a", Filters(documents=("LTS-0003",))),
        ("in:docdb:12345:3 a", "a", Filters(documents=("docdb:12345:3",))),
        ("a author:okonjo?", "a", Filters(author="okonjo")),
    ],
)  # fmt: skip
def test_filters(question: str, text: str, filters: Filters) -> None:
    found = parse_query(question)
    assert found.filters == filters
    assert found.text == text


@pytest.mark.parametrize(
    "question",
    [
        "foo:bar",
        "http://after:2024/x",
        "https://notes.test/author:lee",
        "from 10:30 to 11:00",
        "docdb:12345",
        "docdb:12345:3",
        "indico.fnal.gov:22661/c3",
        "what is the status: green",
        "author: okonjo",
        'author:""',
        "coauthor:lee",
        "  two   spaces stay  ",
        "std::vector in::out",
    ],
)
def test_text(question: str) -> None:
    found = parse_query(question)
    assert found.text == question
    assert found.filters == Filters()


@pytest.mark.parametrize(
    "question", ["after:tomorrow", "before:2024-13", "until:2024-02-30", "since:0000"]
)
def test_no_day(question: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_query(f"purity {question}")
    assert "2024-03" in caught.value.hint
    assert question.partition(":")[2] in str(caught.value)


# ── applied ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def searcher(tmp_path: Path, tiny_encoder: Path) -> Searcher:
    """Two open sources and one of which only LAr people see anything."""
    corpus = [
        (
            document("n:A-1:1", authors=("Ada Okonjo",), date=DAY(2024, 5, 1)),
            {"a.txt": ["Argon purity."]},
        ),
        (
            document("n:A-2:1", authors=("Bo Lee",), date=DAY(2023, 5, 1)),
            {"a.txt": ["Argon purity then."]},
        ),
        (
            document("i.test:7", source="i.test", date=DAY(2022, 5, 1)),
            {"a.txt": ["Argon agenda."]},
        ),
        (document("i.test:7/c1", source="i.test"), {"a.txt": ["Argon talk."]}),
        (document("i.test:70", source="i.test"), {"a.txt": ["Argon seventy."]}),
        (document("s:1", source="secret", access=LAR), {"a.txt": ["Argon key."]}),
    ]
    return Searcher(pack(tmp_path / "s", tiny_encoder, corpus))


def ids(result: SearchResult) -> set[str]:
    return {hit.document.id for hit in result.hits}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("argon author:okonjo", {"n:A-1:1"}),
        ("argon after:2024", {"n:A-1:1"}),
        ("argon before:2024 source:notes", {"n:A-2:1"}),
        ("argon source:i.test", {"i.test:7", "i.test:7/c1", "i.test:70"}),
        ("argon source:I", {"i.test:7", "i.test:7/c1", "i.test:70"}),
        ("argon in:i.test:7", {"i.test:7", "i.test:7/c1"}),
        ("argon doc:A-2", {"n:A-2:1"}),
        ("argon type:NOTE author:lee", {"n:A-2:1"}),
        ("argon type:talk", set()),
        ("argon status:approved", set()),
        ("argon author:okonjo author:lee", set()),
    ],
)
def test_applied(searcher: Searcher, question: str, expected: set[str]) -> None:
    assert ids(searcher.as_reader(PUBLIC).search(question)) == expected


@pytest.fixture
def authored(tmp_path: Path, tiny_encoder: Path) -> Searcher:
    names = {
        "n:1": ("Li Smith", "Tara Smythe"),
        "n:2": ("Ada Byron", "Smith, Tara"),
        "n:3": ("Li Smith, Tara Smythe",),
        "n:4": ("Garc\u00eda L\u00f3pez, Mar\u00eda Jos\u00e9", "Tom Smith"),
    }
    corpus = [
        (document(identity, authors=authors), {"a.txt": [f"Argon {identity}."]})
        for identity, authors in names.items()
    ]
    return Searcher(pack(tmp_path / "authored", tiny_encoder, corpus))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ('argon author:"Tara Smith"', {"n:2"}),
        ('argon author:"Li Smith"', {"n:1", "n:3"}),
        ('argon author:"T. Smith"', {"n:2", "n:4"}),
        ('argon author:"Smythe, Tara"', {"n:1", "n:3"}),
        ("argon author:tara author:li", {"n:1", "n:3"}),
        ('argon author:"li smith" author:"tara smythe"', {"n:1", "n:3"}),
        ('argon author:"tara smith" author:byron', {"n:2"}),
        ('argon author:"tara byron"', set()),
        ('argon author:"maria garcia"', {"n:4"}),
        ("argon author:smi", set()),
        ("argon author:T.", set()),
    ],
)
def test_a_filter_matches_one_person(
    authored: Searcher, question: str, expected: set[str]
) -> None:
    assert ids(authored.as_reader(PUBLIC).search(question)) == expected


def test_typed_filters_narrow_those_of_the_call(searcher: Searcher) -> None:
    given = Filters(sources=("i.test",))
    assert ids(searcher.as_reader(PUBLIC).search("argon in:A-1", given)) == set()
    assert ids(searcher.as_reader(PUBLIC).search("argon after:2020", given)) == {
        "i.test:7"
    }


def test_filters_alone_list_the_newest_documents(searcher: Searcher) -> None:
    result = searcher.as_reader(PUBLIC).search("after:2022")
    found = [hit.document.id for hit in result.hits]
    assert found == ["n:A-1:1", "n:A-2:1", "i.test:7"]
    assert {hit.found_by for hit in result.hits} == {FoundBy.FILTER}
    assert result.question == ""


def test_hidden_sources_and_documents_are_like_unknown_ones(
    searcher: Searcher,
) -> None:
    said = []
    for name in ("secret", "nowhere"):
        with pytest.raises(UsageError) as caught:
            searcher.as_reader(PUBLIC).search(f"argon source:{name}")
        said.append(str(caught.value).replace(name, "?"))
    assert said[0] == said[1]
    assert "there are: i.test, notes" in said[0]
    assert ids(searcher.as_reader(LAR).search("argon source:secret")) == {"s:1"}
    hidden, unknown = (
        searcher.as_reader(PUBLIC).search(f"argon in:{name}") for name in ("s:1", "s:2")
    )
    assert (hidden.hits, hidden.unknown) == ((), ("s:1",))
    assert (unknown.hits, unknown.unknown) == ((), ("s:2",))


def test_identifiers_are_no_filters(searcher: Searcher) -> None:
    result = searcher.as_reader(PUBLIC).search("i.test:7/c1")
    assert ids(result) == {"i.test:7/c1"}
    assert {hit.found_by for hit in result.hits} == {FoundBy.ID}
