"""Searching: nobody finds, counts or names what they may not open.

The differential test asks random readers of random corpora, with random filters, and
compares with brute force over what they may read.
"""

import datetime as dt
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunegpt.access import PUBLIC as PUBLIC_NAME
from dunegpt.access import Access, intersect_access, make_access_set
from dunegpt.errors import UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.lexical_filter import LexicalFilter
from dunegpt.types import Document, FoundBy
from tests.index.corpus import PUBLIC, document, pack, readers

WORDS = "argon purity cathode drift voltage light trigger laser".split()
GROUPS = ["n:lar", "n:daq"]
DAYS = [None, dt.date(2023, 5, 1), dt.date(2024, 5, 1), dt.date(2024, 6, 1)]
LAR, DAQ = readers("n:lar"), readers("n:daq")

access_sets = st.sets(st.sampled_from([PUBLIC_NAME, *GROUPS])).map(make_access_set)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


def marker(*numbers: int) -> str:
    """Return a word that only one thing has, without digits."""
    return "mark" + "x".join("abcdefghij"[n] * 3 for n in numbers) + "z"


@dataclass(frozen=True)
class Plan:
    """One document of a random corpus; a file is its readers and its pages."""

    access: Access
    source: str
    author: str
    day: dt.date | None
    files: list[tuple[Access, list[str]]]


plans = st.builds(
    Plan,
    access=access_sets,
    source=st.sampled_from(["one", "two"]),
    author=st.sampled_from(["Okonjo", "Lee"]),
    day=st.sampled_from(DAYS),
    files=st.lists(
        st.tuples(access_sets, st.lists(texts, min_size=1, max_size=2)),
        min_size=1,
        max_size=2,
    ),
)
filters = st.builds(
    Filters,
    sources=st.sampled_from([(), (), ("one",), ("one", "two")]),
    since=st.sampled_from([None, None, dt.date(2024, 1, 1)]),
    until=st.sampled_from([None, None, dt.date(2024, 5, 1)]),
    author=st.sampled_from(["", "", "lee"]),
    kinds=st.sampled_from([(), (), (), ("note",), ("talk",)]),
)


def made(number: int, plan: Plan) -> tuple[Document, dict[str, list[str]]]:
    keys = [f"{marker(number, 9, n)}.txt" for n in range(len(plan.files))]
    doc = document(
        f"n:{marker(number)}",
        access=plan.access,
        files={
            key: intersect_access(plan.access, own)
            for key, (own, _) in zip(keys, plan.files, strict=True)
        },
        title=f"About {marker(number, 8)}",
        source=plan.source,
        authors=(f"{plan.author} {marker(number, 7)}",),
        date=plan.day,
    )
    return doc, {
        key: [f"{text} {marker(number, n, p)}" for p, text in enumerate(pages)]
        for n, (key, (_, pages)) in enumerate(zip(keys, plan.files, strict=True))
    }


def passes(doc: Document, wanted: Filters) -> bool:
    dated = wanted.since or wanted.until
    return (
        (not wanted.sources or doc.source in wanted.sources)
        and (not wanted.kinds or doc.kind in wanted.kinds)
        and (not dated or doc.date is not None)
        and (not wanted.since or not doc.date or doc.date >= wanted.since)
        and (not wanted.until or not doc.date or doc.date <= wanted.until)
        and wanted.author in doc.authors[0].casefold()
    )


def told(result: object) -> str:
    return json.dumps(result, default=str).casefold()


def secrets_of(doc: Document, pages: Mapping[str, Sequence[str]], who: Access) -> Any:
    """Yield the words that a reader may not see."""
    if not doc.access & who:
        yield from (doc.id, doc.title.split()[-1], doc.authors[0].split()[-1])
    for file in doc.files:
        if not file.access & who:
            yield file.key
            yield from (text.split()[-1] for text in pages[file.key])


@pytest.mark.slow
@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    planned=st.lists(plans, min_size=1, max_size=6),
    reader=st.sets(st.sampled_from(GROUPS)).map(frozenset),
    wanted=filters,
    question=texts,
)
def test_nobody_finds_what_they_may_not_read(
    tiny_encoder: Path,
    planned: list[Plan],
    reader: Access,
    wanted: Filters,
    question: str,
) -> None:
    corpus = [made(number, plan) for number, plan in enumerate(planned)]
    who = reader | {PUBLIC_NAME}
    with tempfile.TemporaryDirectory() as folder:
        snapshot = pack(Path(folder), tiny_encoder, corpus)
        index = Searcher(snapshot).as_reader(reader)
        rows = range(snapshot.manifest["counts"]["passages"])
        allowed = [row for row in rows if is_allowed(snapshot.store, row, who, wanted)]
        sources = {
            doc.source
            for doc, _ in corpus
            if any(doc.access & who and f.access & who for f in doc.files)
        }
        # every row that may be found, scored without any clause
        everything = LexicalFilter(tuple(range(len(snapshot.access_sets))))
        by_words = snapshot.lexical.score_rows(question, everything, list(rows))
        vector = snapshot.encoder.embed_queries([question])[0]
        cosines = snapshot.dense.score_rows(vector, np.arange(len(rows)))
        expected = {
            Ranking.LEXICAL: {r: by_words[r] for r in allowed if r in by_words},
            Ranking.DENSE: {r: float(cosines[r]) for r in allowed},
        }
        for ranking, scores in expected.items():
            if not set(wanted.sources) <= sources:
                with pytest.raises(UsageError) as caught:
                    index.search(question, wanted, 50, ranking)
                sources_named = set(re.findall(r"\b(?:one|two)\b", str(caught.value)))
                assert sources_named <= {*sources, *wanted.sources}
                continue
            hits = index.search(question, wanted, 50, ranking).hits
            found = {h.row: h.score for h in hits}
            if ranking is Ranking.LEXICAL:  # its unit is a maximum that readers share
                found, scores = relative(found), relative(scores)  # noqa: PLW2901
            assert found == pytest.approx(scores, abs=2e-3)
            assert scores_of(hits) == sorted(scores_of(hits), reverse=True)
        seen = []
        if set(wanted.sources) <= sources:
            fused = index.search(question, wanted, 50)
            assert {hit.row for hit in fused.hits} == set(allowed)
            seen = [told(asdict(fused))]
        for doc, _ in corpus:
            asked = index.search(f"what is {doc.id} ?")
            seen.append(told(asdict(asked)).replace(doc.id, ""))
            named = [asdict(found) for found, _ in index.find_documents(doc.id)]
            seen.append(told(named))
        snapshot.close()
    for doc, pages in corpus:
        for secret in secrets_of(doc, pages, who):
            assert not [text for text in seen if secret in text], secret


def relative(scores: dict[int, float]) -> dict[int, float]:
    most = max(scores.values(), default=1.0)
    return {row: score / most for row, score in scores.items()}


def scores_of(hits: Sequence[Any]) -> list[float]:
    return [hit.score for hit in hits]


def is_allowed(store: Any, row: int, who: Access, wanted: Filters) -> bool:
    number, passage = store.get_passages([row])[row]
    doc = store.get_documents([number])[number].document
    file = next(f for f in doc.files if f.key == passage.file_key)
    return bool(doc.access & who and file.access & who) and passes(doc, wanted)


# ── a small story ─────────────────────────────────────────────────────────────────


@pytest.fixture
def searcher(tmp_path: Path, tiny_encoder: Path) -> Searcher:
    """LTS-0001 has a version 2 for LAr people; LTS-0002 has a file for DAQ people."""
    v2 = document("n:LTS-0001:2", access=LAR, supersedes="n:LTS-0001:1", title="Field")
    mixed = document("n:LTS-0002:1", files={"open.txt": PUBLIC, "closed.txt": DAQ})
    corpus = [
        (document("n:LTS-0001:1", title="Field"), {"a.txt": ["The drift field is 5."]}),
        (v2, {"a.txt": ["The drift field is 6, quokka."]}),
        (mixed, {"open.txt": ["Triggers are open."], "closed.txt": ["Wombat keys."]}),
        (document("n:LTS-0003:1", access=DAQ), {"a.txt": ["A wombat trigger."]}),
        (document("n:LTS-0004:1"), {"a.txt": ["Laser light.", "Argon.", "Laser."]}),
        (document("n:SEC-0001:1", access=DAQ), {"a.txt": ["Wombats again."]}),
    ]
    return Searcher(pack(tmp_path / "s", tiny_encoder, corpus))


def ids(result: SearchResult) -> list[str]:
    return [hit.document.id for hit in result.hits]


@pytest.mark.parametrize("ranking", list(Ranking))
def test_hits(searcher: Searcher, ranking: Ranking) -> None:
    result = searcher.as_reader(PUBLIC).search("laser light", k=2, ranking=ranking)
    assert ids(result)[0] == "n:LTS-0004:1"
    assert [hit.rank for hit in result.hits] == [1, 2]
    assert {hit.found_by.value for hit in result.hits} == {ranking.value}
    assert result.asked == "laser light"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "unknown"),
    [
        ("n:LTS-0003", "n:LTS-0009"),
        ("n:LTS-0003:1", "n:LTS-0009:1"),
        ("LTS-0003", "LTS-0009"),
        ("LTS-0003 v1", "LTS-0009 v1"),
        ("LTS-0001-v2", "LTS-0001-v3"),
        ("SEC-0001", "SEC-0009"),
        ("https://notes.test/n/LTS-0003/1", "https://notes.test/n/LTS-0009/1"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "What does {} say of laser light?"])
def test_hidden_is_like_unknown(
    searcher: Searcher, hidden: str, unknown: str, form: str
) -> None:
    found, nothing = (
        searcher.as_reader(PUBLIC).search(form.format(name))
        for name in (hidden, unknown)
    )
    assert told(asdict(found)).replace(hidden.casefold(), "?") == told(
        asdict(nothing)
    ).replace(unknown.casefold(), "?")
    assert (
        searcher.as_reader(PUBLIC).find_documents(hidden)
        == searcher.as_reader(PUBLIC).find_documents(unknown)
        == []
    )
    if "LTS-0003" in hidden:
        assert searcher.as_reader(DAQ).find_documents(hidden)


def test_hidden_word_is_like_unknown_word(searcher: Searcher) -> None:
    """A score must not tell whether a hidden document has a word."""
    hidden, unknown = (
        searcher.as_reader(PUBLIC).search(f"laser {word}", ranking=Ranking.LEXICAL)
        for word in ("quokka", "quoll")
    )
    assert searcher.as_reader(LAR).search("quokka", ranking=Ranking.LEXICAL).hits
    assert scores_of(hidden.hits) == scores_of(unknown.hits)


def test_unknown_names_are_told(searcher: Searcher) -> None:
    result = searcher.as_reader(PUBLIC).search("LTS-0099")
    assert result.unknown == ("LTS-0099",)
    assert result.hits == ()
    both = searcher.as_reader(PUBLIC).search("LTS-0099 and LTS-0004: laser?")
    assert both.unknown == ("LTS-0099",)
    assert set(ids(both)) == {"n:LTS-0004:1"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "reader", "expected"),
    [
        ("LTS-0001", PUBLIC, "n:LTS-0001:1"),
        ("LTS-0001", LAR, "n:LTS-0001:2"),
        ("LTS-0001 v1", LAR, "n:LTS-0001:1"),
        ("n:LTS-0001:1", LAR, "n:LTS-0001:1"),
        ("What does lts-0001-v2 say?", LAR, "n:LTS-0001:2"),
        ("https://notes.test/n/LTS-0001/2", LAR, "n:LTS-0001:2"),
    ],
)
def test_named(
    searcher: Searcher, question: str, reader: Access, expected: str
) -> None:
    result = searcher.as_reader(reader).search(question)
    assert set(ids(result)) == {expected}
    assert {hit.found_by for hit in result.hits} == {FoundBy.ID}


@pytest.mark.parametrize("question", ["LTS-0001", "LTS-0001 v1", "LTS-0001-v1"])
def test_bare_name_asks_nothing_else(searcher: Searcher, question: str) -> None:
    assert searcher.as_reader(PUBLIC).search(question).asked == ""


def test_bare_name_gives_passages_in_their_order(searcher: Searcher) -> None:
    result = searcher.as_reader(PUBLIC).search("LTS-0004")
    texts = [hit.passage.text for hit in result.hits]
    assert texts == ["Laser light.", "Argon.", "Laser."]


def test_named_and_filtered_out(searcher: Searcher) -> None:
    found = searcher.as_reader(PUBLIC).search(
        "LTS-0004", Filters(since=dt.date(2024, 1, 1))
    )
    assert found.hits == ()
    with pytest.raises(UsageError, match="there are: notes"):
        searcher.as_reader(PUBLIC).search("LTS-0004", Filters(sources=("elsewhere",)))


def test_superseded_as_the_reader_sees_it(searcher: Searcher) -> None:
    public, insider = (
        searcher.as_reader(w).search("drift field") for w in (PUBLIC, LAR)
    )
    assert ids(public)[0] == "n:LTS-0001:1"
    assert public.hits[0].superseded_by == ""
    assert "n:LTS-0001:2" in ids(insider)
    assert "n:LTS-0001:1" not in ids(insider)
    for reader, expected in ((LAR, "n:LTS-0001:2"), (PUBLIC, "")):
        [hit] = searcher.as_reader(reader).search("LTS-0001 v1").hits
        assert hit.superseded_by == expected


def test_find_tells_what_the_reader_may_know(searcher: Searcher) -> None:
    [(mixed, newest)] = searcher.as_reader(PUBLIC).find_documents("LTS-0002")
    assert [file.key for file in mixed.files] == ["open.txt"]
    assert newest == mixed.id
    [(mixed, _)] = searcher.as_reader(DAQ).find_documents("n:lts-0002:1")
    assert [file.key for file in mixed.files] == ["open.txt", "closed.txt"]
    [(old, newest)] = searcher.as_reader(PUBLIC).find_documents("LTS-0001")
    assert old.id == newest == "n:LTS-0001:1"
    versions = {
        d.id: new for d, new in searcher.as_reader(LAR).find_documents("LTS-0001")
    }
    assert versions == dict.fromkeys(["n:LTS-0001:1", "n:LTS-0001:2"], "n:LTS-0001:2")
    for asked in ("LTS-0001 v2", "LTS-0001-v2"):
        assert [d.id for d, _ in searcher.as_reader(LAR).find_documents(asked)] == [
            "n:LTS-0001:2"
        ]
    assert searcher.as_reader(LAR).find_documents("no such thing") == []


def test_hidden_version_and_parent_are_not_named(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    talk = document("n:T-1:2", supersedes="n:T-1:1", parent="n:E-1:1")
    corpus = [
        (document("n:T-1:1", access=LAR), {"a.txt": ["Argon."]}),
        (document("n:E-1:1", access=LAR), {"a.txt": ["Agenda."]}),
        (talk, {"a.txt": ["Argon talk."]}),
    ]
    found = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    for reader, expected in ((PUBLIC, ("", "")), (LAR, ("n:T-1:1", "n:E-1:1"))):
        [(doc, _)] = found.as_reader(reader).find_documents("n:T-1:2")
        assert (doc.supersedes, doc.parent) == expected
        hit = found.as_reader(reader).search("argon talk").hits[0]
        assert (hit.document.supersedes, hit.document.parent) == expected


def test_a_file_is_found_by_its_name(tmp_path: Path, tiny_encoder: Path) -> None:
    """Unless many have it, more is asked, or the reader may not open it."""
    corpus = [
        (
            document("n:1", files={"purge-flow_run005141.pdf": PUBLIC, "k.pdf": LAR}),
            {"purge-flow_run005141.pdf": ["Argon."], "k.pdf": ["Key."]},
        ),
        *((document(f"n:x{n}"), {"a.txt": [f"Text {n}."]}) for n in range(6)),
    ]
    found = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    named = found.as_reader(PUBLIC).search("purge-flow_run005141.pdf")
    assert ids(named) == ["n:1"]
    assert named.hits[0].found_by is FoundBy.ID
    for question in ("a.txt", "What is in purge-flow_run005141.pdf about argon?"):
        assert (
            found.as_reader(PUBLIC).search(question).hits[0].found_by is FoundBy.FUSED
        )
    hidden, unknown = (
        found.as_reader(PUBLIC).search(name) for name in ("k.pdf", "j.pdf")
    )
    assert hidden.named == unknown.named == ()
    assert found.as_reader(LAR).search("k.pdf").named == ("n:1",)
    assert (
        found.as_reader(PUBLIC).find_documents("file k.pdf")
        == found.as_reader(PUBLIC).find_documents("file j.pdf")
        == []
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("DocDB 7 v1", "docdb:7:1"),
        ("what is DUNE-doc-7?", "docdb:7:2"),
        ("EDMS 2145137/1", "edms:2145137:1"),
        ("edms.cern.ch/document/2145137/1", "edms:2145137:1"),
        ("indico.test/event/226/contributions/68/", "indico.test:226/c68"),
        ("http://indico.test/event/226", "indico.test:226"),
        ("docs.dunescience.org/cgi-bin/ShowDocument?version=1&docid=7", "docdb:7:1"),
        ("e-log entry 8812", "log:8812"),
        ("log:8812", "log:8812"),
    ],
)
def test_each_kind_of_identifier(
    tmp_path: Path, tiny_encoder: Path, question: str, expected: str
) -> None:
    names = ("docdb:7:1", "edms:2145137:1", "indico.test:226", "indico.test:226/c68")
    corpus = [(document(name), {"a.txt": [f"About {name}."]}) for name in names]
    entry = replace(document("log:8812"), kind="entry")
    newer = document("docdb:7:2", supersedes="docdb:7:1")
    corpus += [(entry, {"a.txt": ["Shift."]}), (newer, {"a.txt": ["Newer."]})]
    found = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    result = found.as_reader(PUBLIC).search(question)
    assert ids(result) == [expected]
    assert result.hits[0].found_by is FoundBy.ID


@pytest.mark.parametrize(
    "name",
    ["DUNE-doc-999", "EDMS 999999 v1", "indico.test/event/999", "EDMS 999999 v A"],
)
def test_unknown_identifiers_of_a_system_have_no_neighbours(
    tmp_path: Path, tiny_encoder: Path, name: str
) -> None:
    corpus = [(document("indico.test:226"), {"a.txt": ["Agenda, event, 999."]})]
    found = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    result = found.as_reader(PUBLIC).search(f"What does {name} say?")
    assert (result.hits, result.unknown) == ((), (name,))


def test_equal_texts_are_one_hit(tmp_path: Path, tiny_encoder: Path) -> None:
    corpus = [(document(f"n:{n}"), {"a.txt": ["Argon purity."]}) for n in "abc"]
    found = Searcher(pack(tmp_path / "s", tiny_encoder, corpus))
    assert len(found.as_reader(PUBLIC).search("argon").hits) == 1


@pytest.mark.parametrize("question", ["", "  \n\t ", "x" * 4001, "x" * 10_000])
def test_questions_that_cannot_be_asked(searcher: Searcher, question: str) -> None:
    with pytest.raises(UsageError) as caught:
        searcher.as_reader(PUBLIC).search(question)
    assert caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize(
    "question",
    [
        "🚀",
        "the",
        "what is it and why",
        "' OR 1=1 --",
        "\0",
        "\udcff",
        "a" * 4000,
        'laser "light',
        "(laser AND",
        "laser OR NOT *",
        "body:laser^2~ [a TO b]",
        r"^(laser|light)+$\d{3}",
        "?!...",
    ],
)
def test_odd_questions_are_searched(searcher: Searcher, question: str) -> None:
    assert len(searcher.as_reader(PUBLIC).search(question, k=3).hits) <= 3
