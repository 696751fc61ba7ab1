"""Names of documents, and what in a question may name one."""

import datetime as dt
from dataclasses import replace

import pytest

from dunegpt.index.document_names import collect_names, find_mentions
from tests.index.corpus import document


def called(question: str) -> set[str]:
    """Return the names that a question mentions, but for those of files."""
    every = {name for m in find_mentions(question) for name, _ in m.lookups}
    return {name for name in every if not name.startswith("file ")}


@pytest.mark.parametrize(
    ("question", "name", "version", "series"),
    [
        ("DUNE-doc-12345-v3", "docdb:12345", "3", "docdb:"),
        ("What does dune-doc-12345 say?", "docdb:12345", None, "docdb:"),
        ("docdb 12345", "docdb:12345", None, "docdb:"),
        ("DocDB #12345, version 2", "docdb:12345", "2", "docdb:"),
        ("docdb no. 12345 v2", "docdb:12345", "2", "docdb:"),
        ("EDMS 2145137", "edms:2145137", None, "edms:"),
        ("edms:2145137", "edms:2145137", None, "edms:"),
        ("docdb:12345:3", "docdb:12345", "3", "docdb:"),
        ("Is LTS-0003 v2 approved?", "lts-0003", "2", "lts-"),
        ("LTS-0003-v2", "lts-0003", "2", "lts-"),
        ("(LTS-0003)", "lts-0003", None, "lts-"),
        ("lts-0003.", "lts-0003", None, "lts-"),
        ("indico.fnal.gov:22661", "indico.fnal.gov:22661", None, "indico.fnal.gov:"),
        ("indico.fnal.gov:22661/c68849", "indico.fnal.gov:22661/c68849", None, ""),
        ("see https://notes.test/n:1?", "https://notes.test/n", "1", ""),
        ("at http://indico.test/e/2/", "http://indico.test/e/2/", None, ""),
        ("DUNE-doc-20618", "docdb:20618", None, "docdb:"),
        ("see DUNE-doc-6652-v5.", "docdb:6652", "5", "docdb:"),
        ("DUNE-doc-32655 v7", "docdb:32655", "7", "docdb:"),
        ("DUNE docdb 1701", "docdb:1701", None, "docdb:"),
        ("DUNE DocDB-3833", "docdb:3833", None, "docdb:"),
        ("DocDB 11314", "docdb:11314", None, "docdb:"),
        ("docdb 49", "docdb:49", None, "docdb:"),
        ("doc-db id 1504 (v2)", "docdb:1504", "2", "docdb:"),
        ("EDMS 2026379/0.1", "edms:2026379", "0.1", "edms:"),
        ("EDMS 223695/AE", "edms:223695", "AE", "edms:"),
        ("edms:223695:ae", "edms:223695", "AE", "edms:"),
        ("EDMS 2145137 v1", "edms:2145137", "1", "edms:"),
        ("EDMS 3315615/1, section 5", "edms:3315615", "1", "edms:"),
        ("EDMS 2088726 v7.0", "edms:2088726", "7.0", "edms:"),
        ("EDMS document no. 2145183", "edms:2145183", None, "edms:"),
        ("EDMS 2145137 v A", "edms:2145137", "A", "edms:"),
        ("edms:2145137:1", "edms:2145137", "1", "edms:"),
        ("https://edms.cern.ch/document/2145137/1", "edms:2145137", "1", "edms:"),
        ("http://edms.cern.ch/ui/file/2145137", "edms:2145137", None, "edms:"),
        (
            "https://docs.dunescience.org/cgi-bin/private/ShowDocument?docid=1234",
            "docdb:1234",
            None,
            "docdb:",
        ),
        (
            "http://docs.dunescience.org:440/cgi-bin/sso/RetrieveFile?filename=a.pdf"
            "&version=3&docid=1234",
            "docdb:1234",
            "3",
            "docdb:",
        ),
        (
            "indico.fnal.gov/event/22661/contributions/68849",
            "indico.fnal.gov:22661/c68849",
            None,
            "indico.fnal.gov:",
        ),
        (
            "https://indico.cern.ch/event/22661/timetable/#all",
            "indico.cern.ch:22661",
            None,
            "indico.cern.ch:",
        ),
        ("event 22661", "event 22661", None, ""),
        ("e-log entry 8812", "entry 8812", None, ""),
        ("dunelog:8812", "dunelog:8812", None, "dunelog:"),
        ("arXiv:2002.03005v2", "arxiv:2002.03005", "2", ""),
    ],
)
def test_mentions(question: str, name: str, version: str | None, series: str) -> None:
    found = list(find_mentions(question))
    read = [((name, version), m.series) for m in found for name, version in m.lookups]
    assert ((name, version), series) in read
    assert all(m.text in question for m in found)


@pytest.mark.parametrize(
    "question",
    [
        "Why was the cathode voltage lowered?",
        "Which version of the note is approved?",
        "argon, purity; and (field)!",
        "",
    ],
)
def test_plain_words_name_nothing(question: str) -> None:
    assert list(find_mentions(question)) == []


@pytest.mark.parametrize(
    "question",
    ["at 475 V/cm", "from 10:30 to 12:45", "in 2024", "3.5 mm", "at -180 kV", "on/off"],
)
def test_quantities_are_no_series(question: str) -> None:
    """Then the question is searched, even if nothing goes by that name."""
    assert [m for m in find_mentions(question) if m.series] == []


@pytest.mark.parametrize(
    "question",
    [
        "DocDB Version 8.9.0",
        "LBNE-doc-9876",
        "LBNE docdb 9876",
        "doc 12 pages",
        "DocDB 8.9.0",
        "EDMS versions",
        "https://sbn-docdb.fnal.gov/cgi-bin/ShowDocument?docid=1234",
    ],
)
def test_other_systems_and_plain_numbers_are_no_ids(question: str) -> None:
    found = list(find_mentions(question))
    assert not [m for m in found if m.series in {"docdb:", "edms:"}]
    assert not [n for n in called(question) if n.startswith(("docdb:", "edms:"))]


def test_several_in_one_question() -> None:
    found = called("Compare LTS-0003 with LTS-0004 and docdb 777.")
    assert found == {"lts-0003", "lts-0004", "docdb:777"}


@pytest.mark.parametrize(
    ("identity", "expected", "excluded"),
    [
        ("docdb:12345:3", {"docdb:12345:3", "docdb:12345"}, {"12345", "12345:3"}),
        ("papers:LTS-0003:2", {"lts-0003", "lts-0003-v2", "lts-0003:2"}, set()),
        ("indico:226/c6", {"indico:226/c6", "226/c6"}, {"indico"}),
        ("n:1", {"file a.txt", "notes.test/n/1"}, {"1"}),
    ],
)
def test_names(identity: str, expected: set[str], excluded: set[str]) -> None:
    found = collect_names(document(identity, date=dt.date(2024, 1, 1)))
    assert expected | {document(identity).url.casefold()} <= found
    assert not excluded & found


@pytest.mark.parametrize("identity", ["docdb:12345:3", "papers:LTS-0003:2", "x:226/c6"])
def test_every_document_is_named_by_its_own_names(identity: str) -> None:
    made = document(identity)
    for name in collect_names(made) - {"file a.txt"}:
        found = called(f"what is {name} ?")
        assert found & collect_names(made), name
    [mention] = find_mentions("a.txt")
    assert ("file a.txt", None) in mention.lookups


def test_kind_and_number_name_a_thing_and_closed_files_do_not() -> None:
    talk = replace(document("indico:226/c68849"), kind="contribution")
    assert "contribution 68849" in collect_names(talk)
    closed = document("n:1", files={"secret.txt": frozenset()})
    assert not [name for name in collect_names(closed) if "secret" in name]


def test_address_with_a_query_names_its_document() -> None:
    """DocDB's addresses are like that."""
    url = "https://docs.test/ShowDocument?docid=12345&version=3"
    made = replace(document("docdb:12345:3"), url=url)
    assert collect_names(made) & called(f"What is {url}?")


@pytest.mark.parametrize(
    "question",
    [
        "docdb:12345:3",
        "DUNE-doc-12345-v3",
        "LTS-0003 v2",
        "LTS-0003-v2",
        "edms 2145137",
    ],
)
def test_a_mention_takes_its_version_along(question: str) -> None:
    """So that of a bare name nothing is left that could be searched."""
    found = next(find_mentions(question))
    assert found.text == question
