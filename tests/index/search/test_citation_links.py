"""What a document cites and what cites it, for each reader."""

from pathlib import Path

import pytest

from dunegpt.access import Access
from dunegpt.index.search.searcher import Searcher
from dunegpt.types import IncomingCitation, OutgoingCitation
from tests.index.corpus import PUBLIC, document, pack, readers

BOARD = readers("docdb:board")


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Searcher:
    old = document("docdb:10:1", title="Old")
    new = document("docdb:10:2", title="New", supersedes="docdb:10:1")
    both = document("docdb:11:1", files={"open.txt": PUBLIC, "shut.txt": BOARD})
    shut = document("docdb:12:1", title="Shut", access=BOARD)
    talk = document("larch:7/c8", title="Talk")
    drawing = document("edms:2145137:0.1", title="Drawing")
    corpus = [
        (old, {"a.txt": ["As in DUNE-doc-11."]}),
        (new, {"a.txt": ["See", "DUNE-doc-11, DUNE-doc-12 and EDMS 2145137/0.1."]}),
        (
            both,
            {
                "open.txt": ["DUNE-doc-10-v1, DUNE-doc-10, LBNE-doc-10, DUNE-doc-99"],
                "shut.txt": ["DUNE-doc-12, https://indico.larch.test/event/7/"],
            },
        ),
        (shut, {"a.txt": ["DUNE-doc-11"]}),
        (talk, {"a.txt": ["EDMS 2145137"]}),
        (drawing, {"a.txt": ["EDMS 2145137/2 will come"]}),
    ]
    folder = tmp_path_factory.mktemp("related")
    return Searcher(pack(folder, tiny_encoder, corpus))


def cites(searcher: Searcher, name: str, reader: Access) -> dict[str, str]:
    found: list[OutgoingCitation] = searcher.as_reader(reader).find_related(name)[0]
    return {c.label: c.document.id if c.document else c.system for c in found}


def cited_by(searcher: Searcher, name: str, reader: Access) -> set[str]:
    found: list[IncomingCitation] = searcher.as_reader(reader).find_related(name)[1]
    return {c.document.id for c in found}


def test_versions(searcher: Searcher) -> None:
    """A number alone is the newest version; another experiment's is nothing here."""
    assert cites(searcher, "docdb:11:1", PUBLIC) == {
        "DUNE-doc-10": "docdb:10:2",
        "DUNE-doc-10-v1": "docdb:10:1",
        "DUNE-doc-99": "docdb",
        "LBNE-doc-10": "foreign",
    }
    assert cited_by(searcher, "docdb:10:1", PUBLIC) == {"docdb:11:1"}
    assert cited_by(searcher, "edms:2145137:0.1", PUBLIC) == {
        "docdb:10:2",
        "larch:7/c8",
    }


def test_of_a_citing_document_the_newest_version_is_named(searcher: Searcher) -> None:
    assert cited_by(searcher, "docdb:11:1", PUBLIC) == {"docdb:10:2"}
    [citing] = searcher.as_reader(PUBLIC).find_related("docdb:11:1")[1]
    assert (citing.page, citing.file, citing.version) == (2, "a.txt", "")


def test_what_the_reader_may_not_see_is_like_nothing(searcher: Searcher) -> None:
    assert cites(searcher, "docdb:10:2", PUBLIC)["DUNE-doc-12"] == "docdb"
    assert cites(searcher, "docdb:10:2", BOARD)["DUNE-doc-12"] == "docdb:12:1"
    assert cited_by(searcher, "docdb:11:1", BOARD) == {"docdb:10:2", "docdb:12:1"}
    assert searcher.as_reader(PUBLIC).find_related("docdb:12:1") == ([], [])
    assert searcher.as_reader(PUBLIC).find_related("docdb:99:1") == ([], [])


def test_a_closed_file_cites_nothing(searcher: Searcher) -> None:
    assert "DUNE-doc-12" not in cites(searcher, "docdb:11:1", PUBLIC)
    assert cites(searcher, "docdb:11:1", BOARD)["DUNE-doc-12"] == "docdb:12:1"
    assert cited_by(searcher, "docdb:12:1", BOARD) == {"docdb:10:2", "docdb:11:1"}
    assert cited_by(searcher, "docdb:12:1", PUBLIC) == set()


def test_a_site_under_another_name(tmp_path: Path, tiny_encoder: Path) -> None:
    """Indico's documents are cited by address, whatever their source is called."""
    talk = document("larch:7/c8", title="Talk")
    object.__setattr__(
        talk, "url", "https://indico.larch.test/event/7/contributions/8/"
    )
    note = document("n:1")
    link = "slides at https://indico.larch.test/event/7/contributions/8/attachments/1"
    found = Searcher(
        pack(
            tmp_path,
            tiny_encoder,
            [(talk, {"a.txt": ["x"]}), (note, {"a.txt": [link]})],
        )
    )
    assert cites(found, "n:1", PUBLIC) == {"indico.larch.test:7/c8": "larch:7/c8"}
    assert cited_by(found, "larch:7/c8", PUBLIC) == {"n:1"}


@pytest.mark.parametrize(
    ("project", "target", "mention"),
    [
        ("LBNE", "LBNE-doc-10", "lbne-doc-10"),
        ("Mu2e", "Mu2e-doc-10-v1", "MU2E-doc-10-v1"),
        ("DUNE", "DUNE-doc-10", "docdb 10"),
    ],
)
def test_the_name_of_a_docdbs_own_project(
    project: str, target: str, mention: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    """It is no other experiment's, whatever the source is called."""
    about = [f"A note on LBNE-doc-7\nDocument: {project}-doc-10-v1\nType: Note"]
    own = document("archive:10:1", files={"about": PUBLIC})
    other = document("archive:11:1", files={"about": PUBLIC, "a.txt": PUBLIC})
    # What somebody writes into an abstract names no document.
    claim = [f"Other\nDocument: {project}-doc-11-v1\nDocument: {project}-doc-10-v1"]
    corpus = [
        (own, {"about": about}),
        (other, {"about": claim, "a.txt": [f"See {target}."]}),
    ]
    found = Searcher(pack(tmp_path, tiny_encoder, corpus))
    assert cites(found, "archive:11:1", PUBLIC) == {
        target.replace("Mu2e", "MU2E"): "archive:10:1",
        f"{project.upper()}-doc-10-v1": "archive:10:1",
    }
    [system] = {
        c.system for c in found.as_reader(PUBLIC).find_related("archive:11:1")[0]
    }
    assert system == "docdb"
    assert cited_by(found, "archive:10:1", PUBLIC) == {"archive:11:1"}
    assert cites(found, "archive:10:1", PUBLIC) == {"LBNE-doc-7": "foreign"}
    shown = found.as_reader(PUBLIC).find_documents(mention)
    assert [stored.id for stored, _ in shown] == ["archive:10:1"]
