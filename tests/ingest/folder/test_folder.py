"""A folder as a source: what is listed, what is refused, what is never looked at."""

import datetime as dt
import errno
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from dunegpt.access import NOBODY, PUBLIC
from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError, FetchError, SourceFormatError
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.folder.source import FolderSource
from dunegpt.ingest.items import Alarm, CompleteListing, CrawlScope
from dunegpt.ingest.registry import open_source
from dunegpt.types import Document, Failure
from tests.ingest.listing import DictState, failures, items
from tests.ingest.listing import documents as listing


def source(papers: Path, **options: Any) -> FolderSource:
    table = SourceSettings(
        type="folder", **{"path": str(papers), "access": ["public"], **options}
    )
    return FolderSource("papers", table, Settings())


def write_list(papers: Path, text: str) -> None:
    (papers / "documents.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def notes(papers: Path) -> Path:
    for name in ("a.txt", "b.md", "sub/c.pdf"):
        path = papers / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"content of {name}")
    return papers


def test_unlisted_files(notes: Path) -> None:
    found = listing(source(notes))
    assert list(found) == ["papers:a.txt", "papers:b.md", "papers:sub/c.pdf"]
    document = found["papers:sub/c.pdf"]
    [file] = document.files
    assert (document.title, document.kind) == ("c.pdf", "file")
    assert document.access == file.access == {PUBLIC}
    assert file.media_type == "application/pdf"
    assert file.size_bytes == len("content of sub/c.pdf")
    assert document.url == (notes / "sub/c.pdf").as_uri()
    assert b"".join(source(notes).fetch(file)) == b"content of sub/c.pdf"


def test_documents_toml(notes: Path) -> None:
    write_list(
        notes,
        """
        [[document]]
        id = "tdr"
        version = 2
        title = "Design, again"
        authors = ["Ada Lovelace", "Émilie du Châtelet"]
        date = 2026-03-04
        status = "approved"
        access = ["docdb:DUNE"]
        files = ["sub/c.pdf", "a.txt"]
        [[document]]
        id = "tdr"
        title = "Design"
        files = ["a.txt"]
        [[document]]
        id = "secret"
        title = "For nobody"
        access = []
        files = ["a.txt"]
        """,
    )
    found = listing(source(notes, id_prefix="dune"))
    assert set(found) == {"dune:tdr:1", "dune:tdr:2", "dune:secret:1", "dune:b.md"}
    first, second = found["dune:tdr:1"], found["dune:tdr:2"]
    assert (first.supersedes, second.supersedes) == ("", "dune:tdr:1")
    assert (second.title, second.status) == ("Design, again", "approved")
    assert second.authors == ("Ada Lovelace", "Émilie du Châtelet")
    assert (second.date, second.source) == (dt.date(2026, 3, 4), "papers")
    assert [f.key for f in second.files] == ["sub/c.pdf", "a.txt"]
    assert second.access == second.files[0].access == {"docdb:DUNE"}
    assert found["dune:secret:1"].access == NOBODY
    assert first.access == found["dune:b.md"].access == {PUBLIC}


ENTRY = '[[document]]\nid = "x"\ntitle = "X"\nfiles = ["a.txt"]\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ENTRY + 'acess = ["docdb:DUNE"]', "acess"),
        (ENTRY + "version = -1", "version"),
        (ENTRY + 'access = "docdb:DUNE"', "access"),
        (ENTRY.replace('"x"', '"x y"'), "id"),
        (ENTRY.replace('"x"', '"x:1"'), "id"),
        (ENTRY.replace('["a.txt"]', "[]"), "files"),
        (ENTRY.replace('title = "X"', ""), "title"),
        (ENTRY + ENTRY, "papers:x:1 twice"),
        (ENTRY.replace('"a.txt"', '"a.txt", "a.txt"'), "a.txt"),
        ('[document]\nid = "x"', "document"),
        ("title: X", "not TOML"),
    ],
)
def test_a_list_that_cannot_be_used(notes: Path, text: str, reason: str) -> None:
    write_list(notes, text)
    with pytest.raises(SourceFormatError, match=reason):
        listing(source(notes))


def test_a_list_in_another_encoding(notes: Path) -> None:
    (notes / "documents.toml").write_bytes('title = "Ä"'.encode("latin-1"))
    with pytest.raises(SourceFormatError, match="not TOML"):
        listing(source(notes))


@pytest.mark.parametrize(
    "name", ["gone.txt", "../secret.txt", "sub", ".hidden", "documents.toml", "link"]
)
def test_a_listed_file_that_is_not_there(notes: Path, name: str) -> None:
    """What is outside the folder, hidden or a link is as good as not there."""
    (notes.parent / "secret.txt").write_text("not of this folder")
    (notes / ".hidden").write_text("x")
    (notes / "link").symlink_to(notes.parent / "secret.txt")
    write_list(notes, ENTRY.replace("a.txt", name))
    link, failure = failures(source(notes))
    assert link.id == "papers:link"
    assert (failure.id, failure.stage) == (f"papers:x:1#{name}", "fetch")
    assert name in failure.message
    found = listing(source(notes))
    assert found["papers:x:1"].files == ()
    assert {"papers:a.txt", "papers:b.md"} <= set(found)


def test_hidden_files_and_links_are_skipped(notes: Path) -> None:
    (notes.parent / "outside").mkdir()
    (notes.parent / "outside" / "x.txt").write_text("outside")
    (notes / ".git").mkdir()
    (notes / ".git" / "config").write_text("hidden folder")
    (notes / ".DS_Store").write_text("hidden file")
    (notes / "link.txt").symlink_to(notes / "a.txt")
    (notes / "folder").symlink_to(notes.parent / "outside")
    (notes / "dangling").symlink_to(notes / "nothing")
    os.mkfifo(notes / "pipe")
    assert len(listing(source(notes))) == 3


@pytest.mark.parametrize("rest", [None, ".hidden"])
def test_an_empty_folder_is_not_all_deleted(papers: Path, rest: str | None) -> None:
    if rest:
        (papers / rest).write_text("x")
    with pytest.raises(SourceFormatError, match="contains no files") as caught:
        listing(source(papers))
    assert "nothing was removed" in caught.value.hint


def test_a_missing_folder(papers: Path) -> None:
    with pytest.raises(SourceFormatError, match="no folder"):
        listing(source(papers / "nowhere"))


def test_ids_are_those_of_changes(notes: Path) -> None:
    write_list(notes, ENTRY.replace('"a.txt"', '"a.txt", "gone"'))
    *_, whole = items(source(notes))
    assert whole == CompleteListing("", frozenset(listing(source(notes))))


@pytest.mark.parametrize(
    "name",
    ["Übersicht der Kathode.txt", "a#b.txt", "100%?.txt", "naïve+&=;.txt", "x:3", "\n"],
)
def test_odd_names(papers: Path, name: str) -> None:
    (papers / name).write_text("text")
    folder = source(papers)
    [document] = listing(folder).values()
    [file] = document.files
    spelt = name.replace("%", "%25").replace(":", "%3A")
    assert (document.id, file.name) == (f"papers:{spelt}", name)
    url = urlsplit(document.url)
    assert unquote(url.path) == str(papers / name)
    assert (url.query, url.fragment) == ("", "")
    assert b"".join(folder.fetch(file)) == b"text"


def test_a_name_that_is_not_utf8_stops_nothing(notes: Path) -> None:
    """Old disks have names in Latin-1; one of them is no reason to list nothing."""
    Path(os.fsdecode(os.fsencode(notes) + b"/caf\xe9.txt")).write_text("x")
    assert "papers:a.txt" in listing(source(notes))


def test_a_file_that_vanishes_during_the_listing_stops_nothing(notes: Path) -> None:
    found = source(notes).changes(CrawlScope(), DictState())
    next(found)
    (notes / "b.md").unlink()
    rest = [item.id for item in found if isinstance(item, Document)]
    assert rest == ["papers:sub/c.pdf"]


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int) -> None:
    """Let a folder be unreadable; root may read every real one."""
    scandir = os.scandir

    def refused(path: Any = ".") -> Any:
        if os.fspath(path) == str(folder):
            raise OSError(number, os.strerror(number), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.EIO])
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(
    notes: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It stops nothing, and what is in it does not count as deleted."""
    own = 'access = ["docdb:DUNE"]'
    write_list(notes, ENTRY.replace("a.txt", "sub/c.pdf") + own)
    refuse(monkeypatch, notes / "sub", number)
    found = items(source(notes))
    assert {i.id for i in found if isinstance(i, Document)} == {
        "papers:a.txt",
        "papers:b.md",
    }
    assert [i.access for i in found if isinstance(i, Document)] == [{PUBLIC}] * 2
    unread = {i.id: i.message for i in found if isinstance(i, Failure)}
    assert unread.keys() == {"papers:sub", "papers:x:1"}
    assert os.strerror(number) in unread["papers:sub"]
    [alarm] = [i for i in found if isinstance(i, Alarm)]
    assert not alarm.is_critical
    assert "papers:sub" in alarm.message


def test_a_root_that_cannot_be_read_ends_the_run(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, notes, errno.EACCES)
    with pytest.raises(SourceFormatError, match="cannot be listed"):
        items(source(notes))


@pytest.mark.slow
def test_what_is_in_an_unreadable_folder_stays_for_a_while(
    settings: Settings, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "sub/b.txt", "other/c.txt"):
        (papers / name).parent.mkdir(exist_ok=True)
        (papers / name).write_text(name)
    crawl("papers", settings)
    (papers / "other" / "c.txt").unlink()
    refuse(monkeypatch, papers / "sub", errno.EACCES)
    report = crawl("papers", settings)
    assert (report.seen, report.removed, report.error) == (1, 1, "")
    assert "papers:sub: The folder cannot be listed" in report.warnings[0]
    catalog = Catalog(settings.paths.catalog)
    assert not {o.document.id: o.hidden for o in catalog.iter_observed()}[
        "papers:sub/b.txt"
    ]
    [unit] = catalog.get_state("papers", "unconfirmed")
    assert unit["ids"] == ["papers:sub"]
    monkeypatch.undo()
    assert not crawl("papers", settings).warnings
    assert not catalog.get_state("papers", "unconfirmed")
    assert catalog.failures() == []
    catalog.close()


def test_what_is_no_file_is_told_and_never_opened(notes: Path) -> None:
    (notes / "link.txt").symlink_to(notes / "a.txt")
    (notes / "sub" / "up").symlink_to("..")
    (notes / "dangling").symlink_to("nothing")
    (notes / "loop").symlink_to("loop")
    os.mkfifo(notes / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(notes, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/s")
        os.close(folder)
    told = {f.id: (f.stage, f.error, f.message) for f in failures(source(notes))}
    link = ("fetch", "SymbolicLinkError", "It is a symbolic link.")
    assert told == {
        "papers:link.txt": link,
        "papers:sub/up": link,
        "papers:dangling": link,
        "papers:loop": link,
        "papers:pipe": ("fetch", "SpecialFileError", "It is a FIFO."),
        "papers:s": ("fetch", "SpecialFileError", "It is a socket."),
    }
    assert len(listing(source(notes))) == 3


@pytest.mark.parametrize("kind", ["fifo", "link", "folder link"])
def test_what_takes_the_place_of_a_file_is_not_opened(notes: Path, kind: str) -> None:
    """Between the listing and the fetch; a FIFO would block for ever."""
    folder = source(notes)
    [file] = listing(folder)["papers:sub/c.pdf"].files
    place = notes / "sub" / "c.pdf"
    place.unlink()
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to(notes / "a.txt")
    else:
        (notes.parent / "outside").mkdir()
        (notes.parent / "outside" / "c.pdf").write_text("secret")
        place.parent.rmdir()
        place.parent.symlink_to(notes.parent / "outside")
    with pytest.raises(FetchError, match="Cannot read"):
        list(folder.fetch(file))


def test_a_path_that_is_too_long_stops_nothing(notes: Path) -> None:
    place = os.open(notes, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=place)
        inner = os.open("x" * 250, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    found = source(notes)
    assert len(listing(found)) == 3
    [failure] = failures(found)
    assert failure.stage == "list"
    assert "File name too long" in failure.message


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_a_list_that_is_no_file_opens_nothing(notes: Path, kind: str) -> None:
    """Passed over, what it restricts would have the folder's access."""
    path = notes / "documents.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(notes / "a.txt")
    else:
        path.mkdir()
    with pytest.raises(SourceFormatError, match="cannot be read"):
        items(source(notes))


def test_url_option(notes: Path) -> None:
    folder = source(notes, url="https://docs.test/dune")
    found = listing(folder)
    assert found["papers:sub/c.pdf"].url == "https://docs.test/dune/sub/c.pdf"


def test_the_checksum_follows_the_file(notes: Path) -> None:
    def checksum() -> str:
        return listing(source(notes))["papers:a.txt"].files[0].checksum

    before = checksum()
    assert checksum() == before
    (notes / "a.txt").write_text("something else")
    assert checksum() != before


def test_fetching_what_is_gone(notes: Path) -> None:
    folder = source(notes)
    file = listing(folder)["papers:a.txt"].files[0]
    (notes / "a.txt").unlink()
    with pytest.raises(FetchError, match=r"a\.txt"):
        list(folder.fetch(file))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"access": None}, "access"),
        ({"acces": []}, "acces"),
        ({"path": None}, "path"),
    ],
)
def test_options(papers: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[sources\.papers\] .*{reason}"):
        source(papers, **options)


@pytest.mark.parametrize("name", ["papers", "elsewhere"])
def test_open_source_refuses(name: str) -> None:
    table = SourceSettings(type="fodler")
    with pytest.raises(ConfigError, match=r"folder, .*indico|configured: papers"):
        open_source(name, Settings(sources={"papers": table}))


def test_a_misspelt_entry_opens_nothing(papers: Path) -> None:
    """A listed file that is missing may be one of those that no entry names."""
    for name in ("open.txt", "secret.txt"):
        (papers / name).write_text("text")
    entry = '[[document]]\nid = "S"\ntitle = "S"\nfiles = ["secrte.txt"]\n'
    (papers / "documents.toml").write_text(entry + 'access = ["board"]\n')
    found = listing(source(papers))
    assert {d.access for d in found.values() if d.kind == "file"} == {frozenset()}
    (papers / "documents.toml").write_text(entry)
    found = listing(source(papers))
    assert {d.access for d in found.values()} == {frozenset({"public"})}


def test_a_list_in_a_sub_folder_is_an_error(papers: Path) -> None:
    (papers / "sub").mkdir()
    (papers / "sub" / "documents.toml").write_text("")
    with pytest.raises(SourceFormatError, match="is ignored"):
        items(source(papers))


def test_a_list_can_be_required(papers: Path) -> None:
    (papers / "a.txt").write_text("text")
    folder = source(papers, require_list=True)
    with pytest.raises(SourceFormatError, match="require_list"):
        items(folder)
    (papers / "documents.toml").write_text("")
    assert set(listing(folder)) == {"papers:a.txt"}
