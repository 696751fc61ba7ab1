"""Identifiers in texts, and the table of them."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunegpt.errors import IndexBrokenError, StorageError
from dunegpt.ingest import references
from dunegpt.ingest.reference_table import (
    ReferenceEdge,
    ReferenceTable,
    ReferenceWriter,
    load_cited_ids,
)
from dunegpt.ingest.references import find_references, format_label
from dunegpt.types import Page


def named(text: str) -> list[tuple[str, str]]:
    return [(each.target, each.version) for each in find_references(text)]


IDENTIFIERS = (
    "DUNE-doc-12-v3 DocDB 123 # EDMS 2145183/1 no. documents arXiv:2101.00001v2"
    " 2101.00001 [hep-ex] hep-ex/0101001 eprint={ https://indico.cern.ch/event/514104/"
    " edms.cern.ch/document/223695/AE lbne-doc-9876 a-doc- 3.14 \u0130 ( )"
    " http://docs.dunescience.org/ShowDocument?docid=7"
).split()
GAPS = [" ", "  ", "\n", "\n\n", "x" * 150, "word " * 60]
PIECES = st.sampled_from([*IDENTIFIERS, *GAPS])


@given(st.lists(PIECES, max_size=30))
def test_looking_near_some_words_only_misses_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    near = list(find_references(text))
    parts = list(references._windows(text))
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "_windows", lambda whole: [(0, len(whole))])
        assert near == list(find_references(text))


@pytest.mark.parametrize(
    ("text", "target", "version"),
    [
        ("DUNE-doc-20618", "docdb:20618", ""),
        ("see DUNE-doc-6652-v5.", "docdb:6652", "5"),
        ("DUNE-doc-32655 v7", "docdb:32655", "7"),
        ("(DUNE docdb 1701)", "docdb:1701", ""),
        ("DUNE DocDB-3833", "docdb:3833", ""),
        ("DocDB 11314, page 3", "docdb:11314", ""),
        ("docdb #49, version 02", "docdb:49", "2"),
        ("LBNF/DUNE DocDB 12", "docdb:12", ""),
        (
            "http://docs.dunescience.org:8080/cgi-bin/ShowDocument?docid=7",
            "docdb:7",
            "",
        ),
        (
            "<https://docs.dunescience.org/cgi-bin/sso/RetrieveFile?filename=a.pdf"
            "&version=3&docid=1234>.",
            "docdb:1234",
            "3",
        ),
        ("EDMS 2145183", "edms:2145183", ""),
        ("EDMS 3315615/1, section 5", "edms:3315615", "1"),
        ("EDMS 2088726 v7.0", "edms:2088726", "7.0"),
        ("CERN EDMS document number 1856841.", "edms:1856841", ""),
        ("EDMS CERN-0000193828", "edms:CERN-0000193828", ""),
        ("https://edms.cern.ch/document/223695/AE", "edms:223695", "AE"),
        ("edms.cern.ch/ui/file/2411710/2.6/a%20(b).pdf", "edms:2411710", "2.6"),
        ("https://edms.cern.ch/file/685351//CANbus.pdf", "edms:685351", ""),
        ("https://edms.cern.ch/project/CERN-0000198206", "edms:CERN-0000198206", ""),
        ("[agenda](https://indico.cern.ch/event/514104/)", "indico.cern.ch:514104", ""),
        (
            "indico.fnal.gov/event/22661/contributions/68849/attachments/1/2/a.pdf",
            "indico.fnal.gov:22661/c68849",
            "",
        ),
        (
            "https://indico.fnal.gov/event/1/contributions/2/subcontributions/3",
            "indico.fnal.gov:1/c2/s3",
            "",
        ),
        ("https://indico.fnal.gov/event/1/sessions/7/", "indico.fnal.gov:1/sess7", ""),
        (
            "https://indico.fnal.gov/conferenceDisplay.py?confId=8981)",
            "indico.fnal.gov:8981",
            "",
        ),
        ("https://indico.fnal.gov/event/9/contribution/1/x", "indico.fnal.gov:9", ""),
        ("arXiv:2002.03005v2", "arxiv:2002.03005", "2"),
        ("https://arxiv.org/pdf/hep-ex/0101001", "arxiv:hep-ex/0101001", ""),
        ("https://doi.org/10.48550/arXiv.2504.01050", "arxiv:2504.01050", ""),
        ("1807.10334 [physics.ins-det]", "arxiv:1807.10334", ""),
        ('eprint = "1502.04213"', "arxiv:1502.04213", ""),
    ],
)
def test_forms(text: str, target: str, version: str) -> None:
    assert named(text) == [(target, version)]
    [reference] = find_references(text)
    written = text[reference.start : reference.end]
    assert re.findall(r"\d+", target)[-1] in written
    assert written[-1] not in ".,)>]"
    assert reference.system == reference.target.partition(":")[0].split(".")[0]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("LBNE-doc-9876", "foreign:lbne-doc-9876"),
        ("LBNE docdb 9876", "foreign:lbne-doc-9876"),
        ("MicroBooNE DocDB 1234", "foreign:microboone-doc-1234"),
        ("SBN-doc-12 v3", "foreign:sbn-doc-12"),
        ("XYZ-doc-12", "foreign:xyz-doc-12"),
        (
            "https://sbn-docdb.fnal.gov/cgi-bin/ShowDocument?docid=1234",
            "foreign:sbn-docdb.fnal.gov-1234",
        ),
    ],
)
def test_other_experiments_are_told_apart(text: str, target: str) -> None:
    [reference] = find_references(text)
    assert (reference.target, reference.system) == (target, "foreign")


@pytest.mark.parametrize(
    "text",
    [
        "DocDB Version 8.9.0",
        "doc 12 pages",
        "post-doc 12 months",
        "at 2101.00001 V",
        "EDMS versions 2016",
        "docdb 12.5 MB",
        "DUNE-doc-1234567",
        "https://indico.cern.ch/category/443/",
        "https://docs.dunescience.org/cgi-bin/ListBy?authorid=12",
        "https://docs.dunescience.org/cgi-bin/ShowDocument?docid=²",
        "https://[indico.broken/event/12",
        "https://edms.cern.ch/ui/#!master/navigator/document?D:100:100:subDocs",
        "",
    ],
)
def test_what_is_no_identifier(text: str) -> None:
    assert named(text) == []


def test_several_in_order() -> None:
    text = "DUNE-doc-1 and EDMS 2145137/1; then DUNE-doc-1-v2, arXiv:2101.00001."
    assert named(text) == [
        ("docdb:1", ""),
        ("edms:2145137", "1"),
        ("docdb:1", "2"),
        ("arxiv:2101.00001", ""),
    ]


@pytest.mark.parametrize(
    ("target", "version", "written"),
    [
        ("docdb:6652", "5", "DUNE-doc-6652-v5"),
        ("edms:2145137", "0.1", "EDMS 2145137/0.1"),
        ("arxiv:2101.00001", "2", "arXiv:2101.00001v2"),
        ("foreign:lbne-doc-9876", "", "LBNE-doc-9876"),
    ],
)
def test_labels_are_read_back(target: str, version: str, written: str) -> None:
    assert format_label(target, version) == written
    assert named(written) == [(target, version)]


def write(path: Path, base: Path | None = None, **texts: str) -> None:
    """Write a table of files named f1, f2, ..., each of one page."""
    writer = ReferenceWriter(path, base)
    for name, text in texts.items():
        writer.remove([int(name[1:])])
        writer.add(int(name[1:]), [Page(1, "", ""), Page(2, "", text)], "docdb:1:2")
    writer.close()


def test_table(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    write(path, f1="DUNE-doc-2, DUNE-doc-2, DUNE-doc-1-v1", f2="EDMS 2145137/1")
    table = ReferenceTable(path)
    assert table.references_from([1, 2]) == [
        ReferenceEdge(1, "docdb:2", "", 2),
        ReferenceEdge(2, "edms:2145137", "1", 2),
    ]
    assert table.references_to(["docdb:2", "docdb:2"]) == [
        ReferenceEdge(1, "docdb:2", "", 2)
    ]
    assert load_cited_ids(path, "edms:") == {"edms:2145137:1"}
    table.close()


def test_a_changed_copy(tmp_path: Path) -> None:
    """What a file no longer names is gone, to the byte."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    write(old, f1="EDMS 7654321", f2="DUNE-doc-3")
    write(new, old, f1="DUNE-doc-4")
    assert load_cited_ids(new, "docdb:") == {"docdb:3", "docdb:4"}
    assert load_cited_ids(new, "edms:") == frozenset()
    assert b"7654321" in old.read_bytes()
    assert b"7654321" not in new.read_bytes()


def test_a_missing_and_a_damaged_table(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    assert load_cited_ids(path, "edms:") == frozenset()
    with pytest.raises(IndexBrokenError):
        ReferenceTable(path)
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StorageError, match="cannot be read"):
        load_cited_ids(path, "edms:")
    with pytest.raises(IndexBrokenError):
        ReferenceTable(path)
