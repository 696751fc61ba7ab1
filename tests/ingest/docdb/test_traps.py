"""The traps of DocDB's text, XML and pages, each by itself."""

# ruff: noqa: RUF001 - letters that look alike are what this is about

import pytest

from dunegpt.access import PUBLIC
from dunegpt.errors import SourceFormatError, SourceLoginError
from dunegpt.ingest.docdb import html_pages
from dunegpt.ingest.docdb.documents import RecordParser, parse_file_url
from dunegpt.ingest.docdb.text_repair import decode_body, parse_file_name, repair_text
from dunegpt.ingest.docdb.xml_records import parse_revision
from simulators.docdb.model import DocDBModel
from simulators.docdb.pages import Pages, stored

URL = "https://docdb.test/cgi-bin/sso"
READER = RecordParser("docdb", "docdb", "https://docdb.test/cgi-bin", URL)


@pytest.fixture
def model() -> DocDBModel:
    return DocDBModel()


def pages(model: DocDBModel, *groups: str) -> Pages:
    return Pages(model, URL, groups or model.groups.values())


# ── text ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain", "plain"),
        ("Mu&#xF1;oz", "Muñoz"),
        ("1 &#x26;#8804; 2", "1 ≤ 2"),  # stored twice over
        ("&#x28;a&#x2c; b&#x29;", "(a, b)"),
        ("caf&#xC3;&#xA9; &#xE2;&#x80;&#x93; x", "café – x"),
        ("Ã© and ñ", "é and ñ"),  # one run of bytes, one of letters
        ("&#xE9; alone", "é alone"),
        ("AT&amp;amp;T", "AT&T"),
        ("a\x0cb", "a b"),
        ("σ = 5 ½", "σ = 5 ½"),
        (None, ""),
        ("&amp;" * 3 + "lt;", "&&<"),
    ],
)
def test_text_is_made_readable(raw: str | None, expected: str) -> None:
    assert repair_text(raw) == expected


def test_what_forms_store_comes_back() -> None:
    text = "Neutrino–argon σ: “Muñoz & O'Neil” <ν_μ>, 30 °C"
    assert repair_text(stored(text)) == text


def test_bytes_say_what_encoding_they_are_in() -> None:
    assert decode_body("é ’".encode()) == "é ’"
    assert decode_body("é ’".encode("cp1252")) == "é ’"
    assert decode_body(b"a\x0cb\x00c\td\n") == "a b c\td\n"


def test_names_of_files_are_bytes() -> None:
    assert parse_file_name("nota%20%C3%B1%20%26%20%231.txt")[0] == "nota ñ & #1.txt"
    assert parse_file_name("nota%20%F1.txt") == ("nota ñ.txt", b"nota \xf1.txt")


# ── XML ───────────────────────────────────────────────────────────────────────────


def test_a_version_with_everything(model: DocDBModel) -> None:
    number = model.add("Σ & <more>", ["All", "Board"])
    model.edit(
        number,
        1,
        authors=["José Muñoz", "Ada Anode", "José Muñoz"],
        abstract="E > 500 V/cm\nλ",
        keywords="liquid argon a,b",
        event="Reviews:Final review",
        refers=[("LARCH", 7), ("OTHER", 9876)],
        referred=[4711],
        topics=["HV & grounding"],
        note="Corrected",
    )
    model.put_file(number, 1, "nota ñ & #1.txt", b"x")
    found = parse_revision(pages(model).xml(number, 1), number, 1)
    assert found
    assert found.title == "Σ & <more>"
    assert found.authors == ("José Muñoz", "Ada Anode")
    assert found.view_groups == {"All", "Board"}
    assert [f.encoded_name for f in found.files] == [
        "note.txt",
        "nota%20%C3%B1%20%26%20%231.txt",
    ]
    assert dict(found.facts) == {
        "Topics": "HV & grounding",
        "Event": "Reviews:Final review",
        "Keywords": "liquid argon a,b",
        "Abstract": "E > 500 V/cm\nλ",
        "Notes and changes": "Corrected",
        "Refers to": "LARCH-doc-7",
        "Refers elsewhere to": "document 9876 of OTHER",
    }
    document = READER.build_document(found, None, None)
    about = (document.files[0].body or b"").decode()
    assert "liquid argon" in about
    # Who refers to it is not for all who may read it.
    assert "4711" not in about
    assert "OTHER-doc" not in about
    name = document.files[2]
    assert (name.name, name.media_type) == ("nota ñ & #1.txt", "text/plain")
    assert parse_file_url(name.url) == (number, 1, "nota%20%C3%B1%20%26%20%231.txt")


def test_raw_old_bytes(model: DocDBModel) -> None:
    number = model.add()
    title = "é ’ <b>bold</b> & amp".encode("cp1252")
    raw = title.decode("utf-8", "surrogateescape")
    model.edit(number, 1, title=raw, stored=True, abstract="form\x0cfeed")
    found = parse_revision(pages(model).xml(number, None), number)
    assert found
    assert found.title == "é ’ <b>bold</b> & amp"
    assert dict(found.facts)["Abstract"] == "form feed"


def test_nothing_is_shown(model: DocDBModel) -> None:
    number = model.add("Closed", ["Board"])
    assert parse_revision(pages(model, "All").xml(number, 1), number, 1) is None
    assert parse_revision(pages(model).xml(99, None), 99) is None


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html>log in</html>",
        b"<docdb><document>",
        b'<?xml version="1.0"?><other/>',
        b"<docdb><document/></docdb>",
        b'<docdb><document><docrevision docid="x" version="1"/></document></docdb>',
    ],
)
def test_what_is_no_xml_of_a_docdb(broken: bytes) -> None:
    with pytest.raises(SourceFormatError):
        parse_revision(broken, 1, 1)


def test_xml_that_is_cut_short(model: DocDBModel) -> None:
    whole = pages(model).xml(model.add("A", ["All"]), 1)
    assert parse_revision(whole, 1, 1)
    for length in range(60, len(whole) - 2, 97):
        with pytest.raises(SourceFormatError):
            parse_revision(whole[:length], 1, 1)


def test_another_version_than_was_asked_for(model: DocDBModel) -> None:
    xml = pages(model).xml(model.add(), 1)
    with pytest.raises(SourceFormatError, match="version 2 was asked"):
        parse_revision(xml, 1, 2)
    with pytest.raises(SourceFormatError):
        parse_revision(xml, 2, 1)


def test_a_group_without_a_name_is_not_the_public(model: DocDBModel) -> None:
    xml = pages(model).xml(model.add("A", ["All"]), 1)
    with pytest.raises(SourceFormatError, match="without a name"):
        parse_revision(xml.replace(b"<name>All</name>", b"<name></name>"), 1, 1)
    with pytest.raises(SourceFormatError, match="without a name"):
        parse_revision(xml.replace(b"<name>All</name>", b""), 1, 1)


# ── pages ─────────────────────────────────────────────────────────────────────────


def test_lists(model: DocDBModel) -> None:
    number = model.add("Open")
    model.add_version(number, "Closed", ["Board"])
    model.add("Reserved", ["All"], version=0)
    own = pages(model, "All")
    for is_short in (False, True):
        body = own.list(model.listed(["All"]), is_short=is_short)
        assert html_pages.parse_document_list(body, "it") == {1: 1, 2: 0}
    assert html_pages.parse_document_list(own.list([], is_short=True), "it") == {}
    with pytest.raises(SourceFormatError, match="says that it has 3"):
        html_pages.parse_document_list(body.replace(b"found: 2", b"found: 3"), "it")
    with pytest.raises(SourceFormatError, match="how many"):
        html_pages.parse_document_list(body.replace(b"found: 2", b""), "it")
    with pytest.raises(SourceFormatError, match="truncated"):
        html_pages.parse_document_list(body[:-9], "it")
    with pytest.raises(SourceLoginError):
        html_pages.parse_document_list(
            b"<title>Sign in</title><form></form></html>", "it"
        )
    with pytest.raises(SourceFormatError, match="Another page came"):
        html_pages.parse_document_list(b"<title>Welcome</title></html>", "it")


def test_fates(model: DocDBModel) -> None:
    number = model.add("Closed", ["Board"])
    model.add_version(number, "Closed", ["Board"])
    model.delete(number, 1)
    own, other = pages(model), pages(model, "All")
    assert (
        html_pages.parse_availability(own.page(number, None), number)
        == html_pages.SHOWN
    )
    assert (
        html_pages.parse_availability(other.page(number, None), number)
        == html_pages.CLOSED
    )
    assert (
        html_pages.parse_availability(own.page(number, 1), number) == html_pages.DELETED
    )
    assert html_pages.parse_availability(own.page(99, None), 99) == html_pages.DELETED
    with pytest.raises(SourceFormatError, match="is not about document"):
        html_pages.parse_availability(own.page(number, None), 98)


def test_what_the_page_adds(model: DocDBModel) -> None:
    number = model.add("Procedure")
    model.edit(number, 1, status="Unapproved")
    found = html_pages.parse_document_page(pages(model).page(number, None), number)
    assert found
    assert (found.version, found.status) == (1, "Unapproved")
    assert found.revised_on == model.now.date()
    assert found.sizes == {"note.txt": "4 bytes"}
    assert html_pages.parse_document_page(pages(model).page(99, None), 99) is None
    shown = parse_revision(pages(model).xml(number, 1), number, 1)
    assert shown
    document = READER.build_document(shown, found, 0)
    assert (document.status, document.supersedes) == ("Unapproved", "docdb:1:0")
    assert document.date == model.now.date()


def test_groups_and_members(model: DocDBModel) -> None:
    model.members = {"All": [("ada@lab.test", "ada@x.test"), ("bo@lab.test", "")]}
    model.powerless = {"Board"}
    own = pages(model, "All")
    assert html_pages.parse_group_numbers(own.groups_page()) == model.groups
    assert html_pages.parse_own_groups(own.own_groups()) == {2: "All"}
    found = {g.name: g for g in html_pages.parse_group_members(own.members())}
    assert found.keys() == {"Admin", "All", "Board"}
    assert [m.sso for m in found["All"].members] == ["ada@lab.test", "bo@lab.test"]
    assert not found["Board"].can_view
    assert found["Admin"].members == ()
    for read in (html_pages.parse_group_numbers, html_pages.parse_group_members):
        with pytest.raises(SourceFormatError):
            read(own.statistics())
    model.add()
    assert html_pages.parse_total(own.statistics()) == 1


def test_links_are_those_that_readers_can_open(model: DocDBModel) -> None:
    found = parse_revision(pages(model).xml(model.add(), 1), 1, 1)
    assert found
    document = READER.build_document(found, None, None)
    closed = READER.with_access(document, frozenset({"docdb:All"}), "why")
    opened = READER.with_access(closed, frozenset({PUBLIC}), "why")
    assert closed.url == f"{URL}/ShowDocument?docid=1&version=1"
    assert opened.url == "https://docdb.test/cgi-bin/ShowDocument?docid=1&version=1"
    assert opened.files[1].url.startswith("https://docdb.test/cgi-bin/RetrieveFile?")
