"""What is asked of EDMS's SOAP services, and what their answers mean: all in one place.

Nobody has tried this on the real service. `OPERATIONS` and `FIELDS` say of each name
how it is known: *shown* in public code that calls the service, *inferred* from such, or
*guessed*. Whoever has the service's definitions (``?wsdl``) corrects these two tables
and `_fate`, and nothing else. Only what stands in `OPERATIONS` can be asked, and that
only reads. Knows no login and no socket: `edms_wire.py` does. Which questions make a
document is in `edms_service.py`.
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
from dunegpt.ingest.edms_types import Fate, NotOfferedError
from dunegpt.ingest.extract.clean import one_line
from dunegpt.ingest.http import Answer

NAMESPACE = "http://webservices.edms.cern.ch"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
LATEST = "LATEST"

Known = Literal["shown", "inferred", "guessed"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One question.

    Attributes:
        service: Where it is asked, below ``/ws/``.
        parameters: In their order.
        reads: What is taken from the answer.
        known: How the name and the parameters are known.
    """

    service: str
    parameters: tuple[str, ...]
    reads: str
    known: Known


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

FIELDS: dict[str, tuple[tuple[str, ...], Known]] = {
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

_NONE_CODES = frozenset({"21001", "100"})
_NONE_WORDS = re.compile(r"does not exist|not found|no such|unknown (?:doc|obj)", re.I)
_CLOSED_WORDS = re.compile(
    r"privilege|permission|not allowed|access (?:is )?denied|forbidden"
    r"|not authori[sz]ed|no (?:read )?access|insufficient right",
    re.I,
)
_LATER_WORDS = re.compile(
    r"temporar|try again|too many|overload|timed? ?out|busy", re.I
)
_LACKS_WORDS = re.compile(
    r"dispatch method|unknown operation|no such operation|operation .*not (?:found"
    r"|supported|recogni[sz]ed)|unexpected wrapper element",
    re.I,
)


def envelope(operation: str, parameters: dict[str, str]) -> bytes:
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


def understood(answer: Answer) -> etree._Element | Fate:
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
        raise SourceLoginError("EDMS sent a page in the place of an answer: a login?")
    if 300 <= answer.status < 400:
        raise SourceLoginError("EDMS leads to another address: a login?")
    if answer.status in {401, 403, 407}:
        raise SourceLoginError(f"EDMS refuses the login ({answer.status}).")
    root = _parsed(answer.body)
    body = next((e for e in root if _name(e) == "Body"), None)
    if _name(root) != "Envelope" or body is None or len(body) == 0:
        raise SourceFormatError("EDMS sent XML that is no SOAP answer.")
    told = body[0]
    if _name(told) == "Fault":
        said = " ".join(filter(None, (e.text for e in told.iter() if _name(e))))
        return _fate("", said)
    while len(told) == 1 and len(told[0]) and _name(told[0]) in {"return", "document"}:
        told = told[0]
    code = _first(told, ("exitcode", "exitCode"))
    if code not in {"", "0"}:
        return _fate(code, _first(told, ("exittext", "exitText")))
    if answer.status != 200:
        raise SourceFormatError(f"EDMS answered {answer.status}.")
    return told


def _fate(code: str, said: str) -> Fate:
    """Return what a fault, or an exit code that is not 0, says of an object.

    The codes are *shown*, all words are *guessed*.

    Raises:
        NotOfferedError: The service has no such operation.
        SourceBusyError: It asks to come again.
        SourceFormatError: Anything else.
    """
    if _LACKS_WORDS.search(said):
        raise NotOfferedError(one_line(said))
    if _CLOSED_WORDS.search(said):
        return Fate.CLOSED
    if code in _NONE_CODES or _NONE_WORDS.search(said):
        return Fate.NONE
    what = f"exit code {code}" if code else "a fault"
    if _LATER_WORDS.search(said):
        raise SourceBusyError(f"EDMS asks to come again ({what}).")
    raise SourceFormatError(f"EDMS answers with {what}: {one_line(said)[:200]}")


def _parsed(body: bytes) -> etree._Element:
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
        raise SourceFormatError("EDMS's answer has a document type, which none has.")
    return root


def _name(element: etree._Element) -> str:
    """Return an element's name without its namespace; empty for a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def each(told: etree._Element, field: str) -> Iterator[etree._Element]:
    """Yield the elements of a field, at any depth."""
    names = FIELDS[field][0]
    return (element for element in told.iter() if _name(element) in names)


def whole_text(element: etree._Element) -> str:
    """Return all text in an element."""
    return "".join(element.itertext()).strip()


def text_of(told: etree._Element, field: str) -> str:
    """Return a field's text: of its first name that stands directly in an answer."""
    return _first(told, FIELDS[field][0])


def _first(told: etree._Element, names: tuple[str, ...]) -> str:
    for name in names:
        for element in told:
            if _name(element) == name and (text := whole_text(element)):
                return text
    return ""


def texts(told: etree._Element, field: str) -> tuple[str, ...]:
    """Return the texts of all elements of a field, at any depth, once each."""
    leaves = (whole_text(e) for e in each(told, field) if not len(e))
    return tuple(dict.fromkeys(filter(None, leaves)))


def raw(told: etree._Element) -> str:
    """Return an answer as it came, with what is not understood."""
    found: str = etree.tostring(told, encoding="unicode")
    return found


def is_id(text: str) -> bool:
    """Return whether a text is a number of EDMS's."""
    return text.isascii() and text.isdecimal()


def day(text: str) -> tuple[dt.date | None, tuple[tuple[str, str], ...]]:
    """Return the day of a date, if there is one, and what is to be said of it."""
    try:
        return dt.date.fromisoformat(text[:10]) if text else None, ()
    except ValueError:
        told = f"{text!r} is no date; the document is here without it."
        return None, (("date", told),)
