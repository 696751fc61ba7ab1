"""The operations of EDMS's SOAP services, and how their answers are parsed.

Never tested against the real service. `OPERATIONS` and `FIELDS` record for each name
how it is known: *shown* in public code that calls the service, *inferred* from such
code, or *guessed*. With the service definitions (``?wsdl``) at hand, only these two
tables and `_parse_fault` need correction. Only what `OPERATIONS` contains can be
called, and all of it is read-only. Logins and requests are in `edms.soap_client`, the
use of the operations in `edms.soap_transport`.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from dunegpt.errors import (
    SourceBusyError,
    SourceFormatError,
    SourceLoginError,
    UsageError,
)
from dunegpt.ingest.edms.transport import NotOfferedError, Unavailable
from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.ingest.http import HttpResponse

NAMESPACE = "http://webservices.edms.cern.ch"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
LATEST = "LATEST"

Certainty = Literal["shown", "inferred", "guessed"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a service.

    Attributes:
        service: Path of its service below ``/ws/``.
        parameters: Parameter names, in order.
        result_field: What is taken from the answer.
        certainty: How its name and parameters are known.
    """

    service: str
    parameters: tuple[str, ...]
    result_field: str
    certainty: Certainty


_ID = ("username", "edmsId")
_FILE = ("username", "docEdmsId", "docVersion")
OPERATIONS = {
    "getDocument": Operation(
        "DocumentServiceT", (*_ID, "version"), "version, status; see FIELDS", "shown"
    ),
    "getDocumentVersions": Operation(
        "DocumentServiceT", _ID, "version, of each version", "guessed"
    ),
    "getDocuments": Operation(
        "DocumentServiceT",
        ("username", "objectType", "objectEdmsId"),
        "edmsId, of each document of an object (shown for assets, guessed for nodes)",
        "shown",
    ),
    "getModifiedDocuments": Operation(
        "DocumentServiceT", ("username", "since"), "edmsId, of each", "guessed"
    ),
    "getFiles": Operation("FileService", _FILE, "file: name, size, ...", "guessed"),
    "getFile": Operation(
        "FileService", (*_FILE, "fileName"), "content, in base64", "guessed"
    ),
    "getChildren": Operation(
        "StructureService",
        ("username", "parentEdmsId", "parentType"),
        "link: childEdmsId and childType, by the names that attach uses",
        "guessed",
    ),
}

FIELDS: dict[str, tuple[tuple[str, ...], Certainty]] = {
    "version": (("version",), "shown"),
    "status": (("status",), "shown"),
    "title": (("title",), "inferred"),
    "kind": (("type", "documentType"), "inferred"),
    "context": (("context",), "inferred"),
    "equipment_code": (("equipmentCode",), "inferred"),
    "author": (("author", "authorName"), "guessed"),
    "date": (("statusDate", "creationDate"), "guessed"),
    "description": (("description",), "guessed"),
    "keyword": (("keyword", "keywords"), "guessed"),
    "project_number": (("projectDocumentNumber", "documentNumber"), "guessed"),
    "file": (("file",), "guessed"),
    "file_name": (("name", "fileName"), "inferred"),
    "rendition": (("convertedName",), "inferred"),
    "size": (("size", "fileSize"), "guessed"),
    "modified": (("modificationDate", "lastModified"), "guessed"),
    "checksum": (("checksum", "md5"), "guessed"),
    "link": (("link",), "inferred"),
    "child": (("childEdmsId",), "shown"),
    "child_kind": (("childType",), "shown"),
    "listed": (("edmsId",), "shown"),
    "content": (("content",), "inferred"),
}

_NOT_FOUND_CODES = frozenset({"21001", "100"})
_NOT_FOUND_PATTERN = re.compile(
    r"does not exist|not found|no such|unknown (?:doc|obj)", re.I
)
_FORBIDDEN_PATTERN = re.compile(
    r"privilege|permission|not allowed|access (?:is )?denied|forbidden"
    r"|not authori[sz]ed|no (?:read )?access|insufficient right",
    re.I,
)
_RETRY_PATTERN = re.compile(
    r"temporar|try again|too many|overload|timed? ?out|busy", re.I
)
_NOT_OFFERED_PATTERN = re.compile(
    r"dispatch method|unknown operation|no such operation|operation .*not (?:found"
    r"|supported|recogni[sz]ed)|unexpected wrapper element",
    re.I,
)


def build_envelope(operation: str, parameters: dict[str, str]) -> bytes:
    """Return the message that asks a question.

    Raises:
        UsageError: It is none of those that only read, or has other parameters.
    """
    known = OPERATIONS.get(operation)
    if known is None:
        raise UsageError(f"{operation} is none of the operations that only read.")
    if tuple(parameters) != known.parameters:
        raise UsageError(f"{operation} takes {', '.join(known.parameters)}.")
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE})
    body = etree.SubElement(root, f"{{{ENVELOPE}}}Body")
    name = f"{{{NAMESPACE}}}{operation}"
    asked = etree.SubElement(body, name, nsmap={"ns2": NAMESPACE})
    for parameter, value in parameters.items():
        etree.SubElement(asked, parameter).text = value
    found: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return found


# ── answers ───────────────────────────────────────────────────────────────────────────


def parse_response(answer: HttpResponse) -> etree._Element | Unavailable:
    """Return what an answer tells, or that there is nothing, or nothing for us.

    Raises:
        NotOfferedError: The service has no such operation.
        SourceLoginError: It is a page for people, or the login is refused.
        SourceBusyError: It asks to come again.
        SourceFormatError: It is something else.
    """
    if answer.status == 404:
        raise SourceFormatError("There is no such service at this address.")
    start = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower()
    if answer.is_html or start.startswith((b"<!doctype html", b"<html")):
        raise SourceLoginError("EDMS sent an HTML page, probably a login page.")
    if 300 <= answer.status < 400:
        raise SourceLoginError("EDMS redirects to another URL, probably a login page.")
    if answer.status in {401, 403, 407}:
        raise SourceLoginError(f"EDMS refuses the login ({answer.status}).")
    root = _parse_xml(answer.body)
    body = next((e for e in root if _local_name(e) == "Body"), None)
    if _local_name(root) != "Envelope" or body is None or len(body) == 0:
        raise SourceFormatError("EDMS sent XML that is not a SOAP answer.")
    told = body[0]
    if _local_name(told) == "Fault":
        said = " ".join(filter(None, (e.text for e in told.iter() if _local_name(e))))
        return _parse_fault("", said)
    while (
        len(told) == 1
        and len(told[0])
        and _local_name(told[0]) in {"return", "document"}
    ):
        told = told[0]
    code = _find_first(told, ("exitcode", "exitCode"))
    if code not in {"", "0"}:
        return _parse_fault(code, _find_first(told, ("exittext", "exitText")))
    if answer.status != 200:
        raise SourceFormatError(f"EDMS answered {answer.status}.")
    return told


def _parse_fault(code: str, said: str) -> Unavailable:
    """Return what a fault, or an exit code that is not 0, says of an object.

    The codes are *shown*, all words are *guessed*.

    Raises:
        NotOfferedError: The service has no such operation.
        SourceBusyError: It asks to come again.
        SourceFormatError: Anything else.
    """
    if _NOT_OFFERED_PATTERN.search(said):
        raise NotOfferedError(to_one_line(said))
    if _FORBIDDEN_PATTERN.search(said):
        return Unavailable.CLOSED
    if code in _NOT_FOUND_CODES or _NOT_FOUND_PATTERN.search(said):
        return Unavailable.NOT_FOUND
    what = f"exit code {code}" if code else "a fault"
    if _RETRY_PATTERN.search(said):
        raise SourceBusyError(f"EDMS asks to come again ({what}).")
    raise SourceFormatError(f"EDMS answers with {what}: {to_one_line(said)[:200]}")


def _parse_xml(body: bytes) -> etree._Element:
    """Return the root of an answer; entities are not expanded, and none are allowed.

    Raises:
        SourceFormatError: It is not XML, or has a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceFormatError(f"EDMS's answer is not XML: {error}.") from error
    if root.getroottree().docinfo.doctype:
        raise SourceFormatError(
            "EDMS's answer has a document type declaration, which is not allowed."
        )
    return root


def _local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace; empty for a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def find_elements(told: etree._Element, field: str) -> Iterator[etree._Element]:
    """Yield the elements of a field, at any depth."""
    names = FIELDS[field][0]
    return (element for element in told.iter() if _local_name(element) in names)


def all_text(element: etree._Element) -> str:
    """Return all text in an element."""
    return "".join(element.itertext()).strip()


def find_text(told: etree._Element, field: str) -> str:
    """Return a field's text: of its first name that stands directly in an answer."""
    return _find_first(told, FIELDS[field][0])


def _find_first(told: etree._Element, names: tuple[str, ...]) -> str:
    for name in names:
        for element in told:
            if _local_name(element) == name and (text := all_text(element)):
                return text
    return ""


def find_texts(told: etree._Element, field: str) -> tuple[str, ...]:
    """Return the texts of all elements of a field, at any depth, once each."""
    leaves = (all_text(e) for e in find_elements(told, field) if not len(e))
    return tuple(dict.fromkeys(filter(None, leaves)))


def serialize_response(told: etree._Element) -> str:
    """Return an answer as it came, with what is not understood."""
    found: str = etree.tostring(told, encoding="unicode")
    return found


def is_id(text: str) -> bool:
    """Return whether a text is a number of EDMS's."""
    return text.isascii() and text.isdecimal()


def parse_date(text: str) -> tuple[dt.date | None, tuple[tuple[str, str], ...]]:
    """Return the day of a date, if there is one, and what is to be said of it."""
    try:
        return dt.date.fromisoformat(text[:10]) if text else None, ()
    except ValueError:
        told = f"{text!r} is no date; the document is here without it."
        return None, (("date", told),)
