"""An administrator's export: all statuses and versions, and all that may be wrong."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.errors import FetchError, SourceFormatError
from dunegpt.ingest.edms.export_transport import ExportTransport
from dunegpt.ingest.edms.transport import ProjectNode, Unavailable, VersionRecord
from simulators.crawled_source import folder
from simulators.edms import export as edms_export
from simulators.edms.model import FORMS, STATUSES
from simulators.edms.site import GROUP, OTHER, ROOT, EdmsSite

PUBLIC, MEMBERS = frozenset({"public"}), frozenset({GROUP})


class ExportSite(EdmsSite):
    """An EDMS of which an export is crawled."""

    def __init__(self, folder: Path, documents: int, *, as_json: bool = False) -> None:
        super().__init__(folder)
        self._as_json = as_json
        edms_export.fill(self.model, documents)
        self.configure(public_url="https://edms.test", user=None, password_file=None)
        self.export()

    def export(self) -> None:
        """Write the export as it is by now."""
        place = self.folder / "export"
        place.mkdir(exist_ok=True)
        settings = edms_export.write(self.model, place, as_json=self._as_json)
        self.configure(**settings)

    def truth(self) -> dict[str, frozenset[str]]:
        readers = dict.fromkeys(self.model.nodes[ROOT].documents, MEMBERS)
        return self.model.truth("edms", readers)


@pytest.fixture
def small() -> Iterator[ExportSite]:
    with folder() as path:
        yield ExportSite(path, 12)


def export(folder: Path, text: str, name: str = "list.csv") -> ExportTransport:
    """Return the transport of a list, with a folder of files beside it."""
    (folder / "files").mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return ExportTransport(folder / name, folder / "files")


def opened(folder: Path, text: str, name: str = "list.csv") -> ExportTransport:
    found = export(folder, text, name)
    found.open()
    return found


# ── whole exports ─────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(("documents", "as_json"), [(2000, False), (200, True)])
def test_thousands_of_documents(tmp_path: Path, documents: int, as_json: bool) -> None:
    site = ExportSite(tmp_path, documents, as_json=as_json)
    report = site.crawl()
    assert report.error == ""
    site.assert_true()
    found = site.documents()
    versions = [(d, own) for d, own in found.items()]
    assert len(versions) == sum(map(len, site.model.documents.values()))
    assert Counter(own.status for _, own in versions).keys() == set(STATUSES)
    names = {name.rpartition(":")[2] for name in found}
    assert names == {version for form in FORMS for version in form}
    again = site.crawl()
    assert (again.new, again.changed, again.fetched) == (0, 0, 0)
    assert again.requests == 0  # a visitor's look holds for a week


@pytest.mark.slow
def test_an_export(small: ExportSite) -> None:
    report = small.crawl()
    assert report.error == ""
    small.assert_true()
    older = {d.id: d.supersedes for d in small.documents().values()}
    number = list(small.model.documents)[2]  # 2.6 and 2.10, in that order
    assert older[f"edms:{number}:2.10"] == f"edms:{number}:2.6"
    number = list(small.model.documents)[11]  # A, B and AE
    assert older[f"edms:{number}:AE"] == f"edms:{number}:B"


def test_what_the_list_says_of_public_is_not_believed(tmp_path: Path) -> None:
    site = EdmsSite(tmp_path)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("Hello.")
    text = "id,version,title,status,files,public\n1,1,A,Released,a.txt,yes\n"
    (tmp_path / "l.csv").write_text(text)
    for nodes, access in (([ROOT], frozenset()), ([], MEMBERS)):
        options: dict[str, Any] = {"user": None, "password_file": None}
        options |= {"list": str(tmp_path / "l.csv"), "files": str(tmp_path / "files")}
        site.configure(transport="export", nodes=nodes, **options)
        site.crawl()
        assert site.documents()["edms:1:1"].access == access


@pytest.mark.slow
def test_changes(small: ExportSite) -> None:
    small.crawl()
    first, second, third, *_ = small.model.nodes[ROOT].documents
    version = next(iter(small.model.documents[first]))
    small.model.edit(first, version, status="Released", title="Another title")
    small.model.put_file(second, small.model.latest(second), "note.txt", b"Changed.")
    small.model.add("New", ROOT, version="AE")
    small.model.nodes[ROOT].documents.discard(third)
    small.export()
    report = small.crawl()
    assert (report.error, report.new) == ("", 1)
    small.assert_true()
    assert small.documents()[f"edms:{first}:{version}"].title == "Another title"


@pytest.mark.slow
def test_a_row_that_is_gone(small: ExportSite) -> None:
    """Hidden at once; gone when it is not there on another day."""
    small.crawl()
    number = next(iter(small.model.nodes[ROOT].documents))
    versions = len(small.model.documents[number])
    small.model.delete(number)
    small.export()
    first = small.crawl()
    assert (first.kept, first.removed) == (versions, 0)
    small.assert_true()
    assert (small.crawl().removed, small.crawl().kept) == (0, 0)  # the same day
    assert small.next_day().removed == versions
    small.assert_true()


@pytest.mark.slow
def test_half_of_a_list(tmp_path: Path) -> None:
    """Much that is gone at once is hidden, told, and never forgotten by itself."""
    site = ExportSite(tmp_path, 60)
    site.crawl()
    whole = dict(site.model.documents)
    for number in list(whole)[:30]:
        site.model.delete(number)
    site.export()
    report = site.crawl()
    assert "suddenly not found" in report.error
    assert report.removed == 0
    site.assert_true()
    report = site.next_day()
    assert report.error
    assert report.removed == 0
    site.model.documents = whole
    site.export()
    assert site.next_day().error == ""
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_", "why"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_text(""), "no column"),
        (lambda path: path.write_text(edms_export.HEAD + "\n"), "lists no document"),
        (lambda path: path.write_bytes(path.read_bytes()[:-3]), "cells"),
        (lambda path: path.write_bytes(b"\0\1\2\3" * 50), "not text"),
        (lambda path: path.write_text("<!doctype html><p>Sign in"), "no column"),
        (lambda path: path.write_text("[{]"), "not JSON"),
        (lambda path: path.write_text('{"rows": 3}'), "no list"),
        (lambda path: path.write_text(edms_export.HEAD + '\n"1;2\n'), "not CSV"),
    ],
)
def test_a_broken_list_changes_nothing(
    small: ExportSite, break_: Any, why: str
) -> None:
    small.crawl()
    before = small.access()
    path = Path(small.table["list"])
    text = path.read_text().splitlines()
    if why == "cells":
        path.write_text("\n".join(text[:-1]) + "\n" + ";".join(text[-1].split(";")[:3]))
    else:
        break_(path)
    report = small.crawl()
    assert report.error.startswith("SourceFormatError")
    assert why in report.error
    assert report.hint
    assert small.access() == before


def test_the_folder_is_not_mounted(small: ExportSite) -> None:
    small.crawl()
    before = small.access()
    small.configure(files=str(small.folder / "nowhere"))
    assert "There is no folder" in small.crawl().error
    assert small.access() == before


# ── lists ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "head",
    [
        "EDMS Id,Version,Title,Type,Status,Author,Date,Project,File Names",
        "edms_number,VERSION INDEX,document-title,doc type,document status,authors,"
        "created,structure,attachments",
        "\ufeffEDMS,Ver,Name,Kind,STATUS,AUTHORS,statusDate,NODES,Files",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_names_of_columns(tmp_path: Path, head: str, delimiter: str) -> None:
    row = "EDMS 2088713,0.1,WIB,Report,In Work,A. Okonjo,17-05-2024,CERN-1,x.pdf"
    text = f"{head}\n{row}\n".replace(",", delimiter)
    own = opened(tmp_path, text).get_document("2088713")
    assert isinstance(own, VersionRecord)
    assert (own.version, own.title, own.kind) == ("0.1", "WIB", "Report")
    assert (own.status, own.authors) == ("In Work", ("A. Okonjo",))
    assert str(own.date) == "2024-05-17"
    assert own.nodes == ("CERN-1",)
    assert [file.name for file in own.files or ()] == ["x.pdf"]


def test_json_with_lists(tmp_path: Path) -> None:
    row = {
        "edmsId": 1,
        "version": "AE",
        "title": "A",
        "status": "Released",
        "authors": ["X", "Y"],
        "nodes": ["CERN-1", "CERN-2"],
        "files": [{"fileName": "a.pdf"}, "b.pdf"],
        "somethingNew": {"kept": "in raw"},
    }
    found = opened(tmp_path, json.dumps([row, row | {"version": "B"}]), "l.json")
    own = found.get_document("1")
    assert isinstance(own, VersionRecord)
    assert (own.version, own.versions) == ("AE", ("B", "AE"))
    assert own.authors == ("X", "Y")
    assert [file.name for file in own.files or ()] == ["a.pdf", "b.pdf"]
    assert "in raw" in own.raw
    node = found.get_node("CERN-2")
    assert isinstance(node, ProjectNode)
    assert node.documents == ("1",)
    assert found.get_node("CERN-3") is Unavailable.NOT_FOUND
    assert (
        found.get_document("2") is found.get_document("1", "9") is Unavailable.NOT_FOUND
    )


def test_columns_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="no column version, status, files"):
        opened(tmp_path, "id,title\n1,A\n")


def test_rows_of_one_version(tmp_path: Path) -> None:
    """They add up; if they contradict each other, none of them holds."""
    head = "id,version,title,status,files\n"
    found = opened(tmp_path, f"{head}1,1,A,Released,a.txt\n1,1,A,Released,b.txt\n")
    own = found.get_document("1")
    assert isinstance(own, VersionRecord)
    assert [file.name for file in own.files or ()] == ["a.txt", "b.txt"]
    found = opened(tmp_path, f"{head}1,1,A,Released,a.txt\n1,1,A,In Work,a.txt\n")
    with pytest.raises(SourceFormatError, match="differently"):
        found.get_document("1")


def test_rows_that_name_nothing(small: ExportSite) -> None:
    path = Path(small.table["list"])
    text = path.read_text()
    path.write_text(text + "none;1;T;Report;Released;;;;\n5;;T;Report;Released;;;;\n")
    report = small.crawl()
    assert report.error == ""
    assert "2 rows" in small.failures()["edms:list"]
    path.write_text(text)
    small.crawl()
    assert "edms:list" not in small.failures()


def test_a_date_of_another_form(small: ExportSite) -> None:
    """The document is there without it, and the ledger says so."""
    path = Path(small.table["list"])
    path.write_text(path.read_text().replace("2024-05-17", "spring", 1))
    small.crawl()
    small.assert_true()
    [(name, why)] = [(n, w) for n, w in small.failures().items() if "#date" in n]
    assert "spring" in why
    assert small.documents()[name.partition("#")[0]].date is None


# ── files ─────────────────────────────────────────────────────────────────────────────


def fetched(folder: Path, name: str, *, version: str = "1") -> bytes:
    head = "id,version,title,status,files\n"
    found = opened(folder, f"{head}1,1,A,Released,{name}\n1,2,A,Released,{name}\n")
    return b"".join(found.fetch_file("1", version, name, 100))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "link", "none"]
)
def test_files_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("geheim")
    (tmp_path / "files" / "a").mkdir(parents=True)
    (tmp_path / "files" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(FetchError):
        fetched(tmp_path, name)


def test_a_file_that_two_versions_name(tmp_path: Path) -> None:
    """It can be the file of one of them at most, and nobody says of which."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("old or new?")
    with pytest.raises(FetchError, match="several versions"):
        fetched(tmp_path, "a.txt")
    own = tmp_path / "files" / "1" / "2"
    own.mkdir(parents=True)
    (own / "a.txt").write_text("new")
    assert fetched(tmp_path, "a.txt", version="2") == b"new"
    with pytest.raises(FetchError, match="several versions"):
        fetched(tmp_path, "a.txt", version="1")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    place = tmp_path / "files" / "1" / "1"
    place.mkdir(parents=True)
    (place / "a.txt").write_bytes(b"x" * 101)
    with pytest.raises(FetchError, match="longer than 100 bytes"):
        fetched(tmp_path, "a.txt")


def test_files_that_are_missing_or_listed_only(small: ExportSite) -> None:
    """The ledger says what is missing; CAD and too large files are metadata only."""
    number = small.model.add("Drawings", ROOT)
    small.model.put_file(number, "1", "hall & (1).stp", b"ISO-10303-21;")
    small.model.put_file(number, "1", "big.txt", b"x" * ((1 << 20) + 1))
    small.export()
    (Path(small.table["files"]) / number / "1" / "note.txt").unlink()
    small.crawl()
    told = {
        w for name, w in small.failures().items() if name.startswith(f"edms:{number}:")
    }
    assert len(told) == 3
    assert any("CAD: listed only" in why for why in told)
    assert any("1,048,577 bytes: too large" in why for why in told)
    assert any("not in the folder" in why for why in told)
    own = small.documents()[f"edms:{number}:1"]
    listed = {f.name: (f.access, bool(f.sha256)) for f in own.files}
    assert listed["hall & (1).stp"] == listed["big.txt"] == (frozenset(), False)
    assert listed["record.html"] == (MEMBERS, True)
    assert OTHER not in str(own)
