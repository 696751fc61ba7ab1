"""What EDMS's services are asked, and what their answers are taken for."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pytest
from lxml import etree

from dunegpt.errors import (
    FetchError,
    SourceBusyError,
    SourceError,
    SourceFormatError,
    SourceLoginError,
    UsageError,
)
from dunegpt.ingest.edms.soap_messages import (
    FIELDS,
    NAMESPACE,
    OPERATIONS,
    build_envelope,
    parse_response,
)
from dunegpt.ingest.edms.soap_transport import SoapTransport
from dunegpt.ingest.edms.transport import (
    NotOfferedError,
    ProjectNode,
    Unavailable,
    VersionFile,
    VersionRecord,
    choose_files,
    native_name,
    previous_version,
    version_sort_key,
)
from dunegpt.ingest.http import HttpResponse
from simulators.edms.model import EdmsModel
from simulators.edms.soap_server import FAULTS, EdmsDoors, answered, exit_code, fault
from simulators.http_server import Reply, Request

XML = {"content-type": "text/xml"}


class Wire:
    """Carries questions to doors in memory, or a fixed answer back."""

    def __init__(self, doors: EdmsDoors | None = None) -> None:
        self.doors = doors or EdmsDoors(EdmsModel())
        self.fixed: dict[str, Reply] = {}
        self.sent: list[tuple[str, str]] = []

    def open(self) -> None:
        pass

    def recorded_values(self, operation: str, parameter: str) -> frozenset[str]:
        return frozenset()

    def call(
        self, service: str, operation: str, asked: Mapping[str, str], sent: bytes
    ) -> HttpResponse:
        self.sent.append((service, operation))
        login = {"authorization": "Bearer t"}
        self.doors.tokens.add("t")
        reply = self.fixed.get(operation) or self.doors.answer(
            Request(f"/ws/{service}", {}, login, sent)
        )
        return answer_of(reply)


def answer_of(reply: Reply) -> HttpResponse:
    assert isinstance(reply.body, bytes)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return HttpResponse(reply.status, headers, reply.body)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def soap(wire: Wire) -> SoapTransport:
    return SoapTransport(wire, "svc")


# ── the whitelist ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    "createDocument createDocumentVersion changeStatus attach putFile deleteDocument"
    " getdocument getDocument2".split(),
)
def test_nothing_else_can_be_asked(soap: SoapTransport, wire: Wire, name: str) -> None:
    with pytest.raises(UsageError):
        build_envelope(name, {"username": "svc"})
    with pytest.raises(UsageError):
        soap._call(name, edmsId="1")
    assert wire.sent == []


def test_the_list_only_reads() -> None:
    assert all(name.startswith("get") for name in OPERATIONS)
    known = {operation.certainty for operation in OPERATIONS.values()}
    known |= {known for _, known in FIELDS.values()}
    assert known == {"shown", "inferred", "guessed"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"edmsId": "1", "username": "svc"},
        {"username": "svc", "edmsId": "1", "version": "1", "newStatus": "Released"},
    ],
)
def test_other_parameters(parameters: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="takes username"):
        build_envelope("getDocument", parameters)


def test_the_message_is_the_one_that_was_shown() -> None:
    sent = build_envelope(
        "getDocument", {"username": "svc", "edmsId": "2088713", "version": "LATEST"}
    )
    asked = etree.fromstring(sent)[0][0]
    assert asked.tag == f"{{{NAMESPACE}}}getDocument"
    assert [(child.tag, child.text) for child in asked] == [
        ("username", "svc"),
        ("edmsId", "2088713"),
        ("version", "LATEST"),
    ]


def test_values_are_escaped() -> None:
    evil = "</version><newStatus>Released</newStatus>"
    sent = build_envelope(
        "getDocument", {"username": "s", "edmsId": "1", "version": evil}
    )
    asked = etree.fromstring(sent)[0][0]
    assert len(asked) == 3
    assert asked[2].text == evil


# ── answers ───────────────────────────────────────────────────────────────────────────


def test_a_document(soap: SoapTransport, wire: Wire) -> None:
    model = wire.doors.model
    model.node("CERN-1")
    number = model.add("WIB <format>", "CERN-1", version="0.1", status="In Work")
    model.add_version(number, "AE", title="WIB", kind="Technical Drawing")
    own = soap.get_document(number)
    assert isinstance(own, VersionRecord)
    assert (own.version, own.kind, own.status) == (
        "AE",
        "Technical Drawing",
        "Released",
    )
    assert own.versions == ("0.1", "AE")
    assert own.authors == ("A. Okonjo",)
    assert str(own.date) == "2024-05-17"
    assert [file.name for file in own.files or ()] == ["note.txt"]
    assert "kept in raw" in own.raw
    older = soap.get_document(number, "0.1")
    assert isinstance(older, VersionRecord)
    assert (older.title, older.versions) == ("WIB <format>", None)
    assert b"".join(soap.fetch_file(number, "AE", "note.txt", 1000)).startswith(b"200")


def test_only_what_was_shown_is_offered(soap: SoapTransport, wire: Wire) -> None:
    """With the two operations known for certain, number, version and status come."""
    model = wire.doors.model
    model.lacks = OPERATIONS.keys() - {"getDocument", "getDocuments"}
    model.node("CERN-1")
    number = model.add("A", "CERN-1", status="In Work")
    node = soap.get_node("CERN-1")
    assert isinstance(node, ProjectNode)
    assert (node.documents, node.nodes) == ((number,), ())
    own = soap.get_document(number)
    assert isinstance(own, VersionRecord)
    assert (own.status, own.versions, own.files) == ("In Work", None, None)
    soap.get_document(number)
    asked = [name for _, name in wire.sent]
    assert asked.count("getFiles") == 1  # what is not offered is asked for once
    with pytest.raises(NotOfferedError):
        soap.changed_since(dt.datetime.now(dt.UTC))
    with pytest.raises(FetchError):
        list(soap.fetch_file(number, "1", "note.txt", 10))


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (exit_code("21001", "Object does not exist"), Unavailable.NOT_FOUND),
        (exit_code("100", ""), Unavailable.NOT_FOUND),
        (exit_code("7", "Insufficient privileges"), Unavailable.CLOSED),
        (exit_code("100", "Access denied"), Unavailable.CLOSED),
        (fault("You have no read access to document 1"), Unavailable.CLOSED),
        (fault("Document 1 does not exist"), Unavailable.NOT_FOUND),
        (FAULTS["busy-fault"], SourceBusyError),
        (FAULTS["fault"], SourceFormatError),
        (FAULTS["odd-code"], SourceFormatError),
        (FAULTS["login-page"], SourceLoginError),
        (Reply(200, b"\xef\xbb\xbf\n <!DOCTYPE HTML><p>", XML), SourceLoginError),
        (FAULTS["away"], SourceLoginError),
        (FAULTS["unauthorized"], SourceLoginError),
        (FAULTS["no-xml"], SourceFormatError),
        (FAULTS["cut"], SourceFormatError),
        (FAULTS["no-soap"], SourceFormatError),
        (FAULTS["bomb"], SourceFormatError),
        (Reply(404, b"<html>none</html>", XML), SourceFormatError),
        (Reply(200, b"", XML), SourceFormatError),
        (fault("Cannot find dispatch method for {x}y"), NotOfferedError),
    ],
)
def test_what_an_answer_means(
    reply: Reply, meaning: Unavailable | type[SourceError | NotOfferedError]
) -> None:
    if isinstance(meaning, Unavailable):
        assert parse_response(answer_of(reply)) is meaning
    else:
        with pytest.raises(meaning):
            parse_response(answer_of(reply))


def test_files_on_this_machine_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    bomb = f'<!DOCTYPE x [<!ENTITY a SYSTEM "{secret.as_uri()}">]><x>&a;</x>'
    with pytest.raises(SourceFormatError) as caught:
        parse_response(HttpResponse(200, XML, bomb.encode()))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "told",
    [
        "<edmsId>2</edmsId><version>1</version>",
        "<edmsId>1</edmsId><version>2</version>",
        "<edmsId>1</edmsId>",
    ],
)
def test_another_document_came(soap: SoapTransport, wire: Wire, told: str) -> None:
    wire.fixed["getDocument"] = answered("getDocument", told)
    with pytest.raises(SourceFormatError):
        soap.get_document("1", "1")


def test_a_date_that_is_none(soap: SoapTransport, wire: Wire) -> None:
    wire.doors.model.lacks = {"getFiles"}
    told = "<version>1</version><statusDate>soon</statusDate>"
    wire.fixed["getDocument"] = answered("getDocument", told)
    own = soap.get_document("1", "1")
    assert isinstance(own, VersionRecord)
    assert own.date is None
    assert own.remarks[0][0] == "date"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answered("getFile", "<content>%%%</content>"), "base64"),
        (answered("getFile", "<content>QUFBQUFBQUFBQUFB</content>"), "longer than"),
        (exit_code("100", "File not found"), "not found"),
        (FAULTS["forbidden"], "closed to us"),
        (FAULTS["fault"], "does not return"),
    ],
)
def test_a_file_that_cannot_be_had(
    soap: SoapTransport, wire: Wire, reply: Reply, why: str
) -> None:
    wire.fixed["getFile"] = reply
    with pytest.raises(FetchError, match=why):
        list(soap.fetch_file("1", "1", "a.txt", 10))


# ── versions and files ────────────────────────────────────────────────────────────────


def test_order_of_versions() -> None:
    given = ["AE", "10", "B", "2", "0.1", "2.6", "2.10", "1.0", "1", "A", ""]
    told = ["", "0.1", "1", "1.0", "2", "2.6", "2.10", "10", "A", "B", "AE"]
    assert sorted(given, key=version_sort_key) == told
    assert [previous_version(v) for v in ("3", "1", "0", "2.6", "AE", "", "²")] == [
        "2",
        "0",
        "",
        "",
        "",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["a.docx", "a_docx_cpdf.pdf"], ["a.docx"]),
        (["a.doc", "a_doc_cpdf.pdf"], ["a_doc_cpdf.pdf"]),
        (["x y (1).dwg", "x y (1)_dwg_cpdf.pdf"], ["x y (1)_dwg_cpdf.pdf"]),
        (["a_docx_cpdf.pdf"], ["a_docx_cpdf.pdf"]),
        (["a.docx", "b_docx_cpdf.pdf"], ["a.docx", "b_docx_cpdf.pdf"]),
        (["A.DOCX", "a_docx_cpdf.pdf"], ["A.DOCX"]),
    ],
)
def test_a_file_and_its_rendition(names: list[str], read: list[str]) -> None:
    found, left = choose_files(tuple(map(VersionFile, names)))
    assert [file.name for file in found] == read
    assert left.keys() == set(names) - set(read)


def test_renditions_that_are_told() -> None:
    pair = (VersionFile("a.ppt", rendition="slides.pdf"), VersionFile("slides.pdf"))
    assert [f.name for f in choose_files(pair)[0]] == ["slides.pdf"]
    circle = (
        VersionFile("a.pdf", rendition="b.pdf"),
        VersionFile("b.pdf", rendition="a.pdf"),
    )
    assert len(choose_files(circle)[0]) == 1
    itself = (VersionFile("a.pdf", rendition="a.pdf"),)
    assert choose_files(itself)[0] == itself
    assert native_name("plain.pdf") == ""
