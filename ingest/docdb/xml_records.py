"""Parses ``ShowDocument?outformat=xml``: the record of one version.

An answer without a document means "not yours" or "does not exist": the caller checks
the HTML page. Documents that refer to this one (``xrefby``) are left out, since the
reader may not know about them. Makes no requests.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote_from_bytes

from lxml import etree

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.docdb.text_repair import decode_body, parse_file_name, repair_text

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ROOT = re.compile(r"<docdb[\s/>]")
_FILE_NAME = re.compile(r"[?&;]filename=([^&;]*)")


@dataclass(frozen=True, slots=True)
class RevisionFile:
    """One file of a version.

    Attributes:
        name: Readable file name.
        encoded_name: The bytes of its name, percent-encoded for a URL.
        number: Number of its row; a new one for each change of file or metadata.
    """

    name: str
    encoded_name: str
    description: str
    number: str
    is_main: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of one document, as one login sees it.

    Attributes:
        view_groups: Names of the groups that may view it; if empty, everybody.
        versions: All versions that this login may see, with when they were modified.
        facts: Its metadata as heading and text, in order.
    """

    number: int
    version: int
    title: str
    kind: str
    modified: str
    project: str
    submitter: str
    view_groups: frozenset[str]
    authors: tuple[str, ...]
    files: tuple[RevisionFile, ...]
    versions: dict[int, str]
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def modified_at(self) -> datetime | None:
        """When it was modified, by the server's clock; None if that says nothing."""
        try:
            return datetime.fromisoformat(self.modified)
        except ValueError:
            return None


def parse_revision(
    body: bytes, number: int, version: int | None = None
) -> Revision | None:
    """Return what an answer says of a version; None if it names no document.

    Args:
        body: Of the answer.
        number: Of the document that was asked for.
        version: That was asked for; None for the latest.

    Raises:
        SourceFormatError: It is not DocDB's XML, is cut short, or of something else.
    """
    root = _parse_xml(body)
    found = root.find("document/docrevision")
    if found is None:
        if len(root):
            raise SourceFormatError(f"The XML of document {number} has no version.")
        return None
    shown = _read_number(found, "docid"), _read_number(found, "version")
    if shown[0] != number or (version is not None and shown[1] != version):
        raise SourceFormatError(
            f"Document {number}, version {version} was asked for, and"
            f" {shown[0]}, version {shown[1]} came."
        )
    project = root.get("shortproject") or root.get("project") or ""
    return _build_revision(found, shown[1], project)


def _parse_xml(body: bytes) -> etree._Element:
    text = _DECLARATION.sub("", decode_body(body)).strip()
    if not _ROOT.match(text):
        raise SourceFormatError("The answer is not DocDB's XML.")
    is_whole = text.endswith("</docdb>") or text.count("<") == 1
    if not (is_whole and text.endswith(">")):
        raise SourceFormatError("DocDB's XML is truncated.")
    for recover in (False, True):
        parser = etree.XMLParser(
            recover=recover, resolve_entities=False, no_network=True, huge_tree=True
        )
        try:
            root = etree.fromstring(text, parser)
        except etree.XMLSyntaxError as error:
            problem = error
            continue
        if root is not None:
            return root
    raise SourceFormatError(f"DocDB's XML cannot be read: {problem}.")


def _build_revision(found: etree._Element, version: int, project: str) -> Revision:
    number = _read_number(found, "docid")
    versions = {
        _read_number(other, "version"): other.get("modified") or ""
        for other in found.findall("otherversions/docrevision")
        if _read_number(other, "docid") == number
    }
    versions[version] = found.get("modified") or ""
    groups = [repair_text(name) for name in _find_texts(found, "viewgroup/name")]
    if len(groups) != len(found.findall("viewgroup")) or not all(groups):
        # A group without a name must not read as no group at all: that is public.
        raise SourceFormatError(f"Document {number} is for a group without a name.")
    authors = map(repair_text, _find_texts(found, "author/fullname"))
    return Revision(
        number=number,
        version=version,
        title=_find_text(found, "title"),
        kind=_find_text(found, "doctype/name"),
        modified=found.get("modified") or "",
        project=project,
        submitter=_find_text(found, "submitter/fullname"),
        view_groups=frozenset(groups),
        authors=tuple(dict.fromkeys(filter(None, authors))),
        files=tuple(_iter_files(found)),
        versions=versions,
        facts=[(head, text) for head, text in _iter_facts(found, project) if text],
    )


def _iter_facts(found: etree._Element, project: str) -> Iterator[tuple[str, str]]:
    yield "Topics", "; ".join(map(repair_text, _find_texts(found, "topic/name")))
    for event in found.findall("event"):
        days = "/".join(filter(None, (event.get("start"), event.get("end"))))
        parts = [_find_text(event, "fullname") or _find_text(event, "name")]
        parts += [_find_text(event, "location"), days]
        yield "Event", ", ".join(filter(None, parts))
    # DocDB splits keywords at blanks: only side by side two words are one again.
    yield "Keywords", " ".join(map(repair_text, _find_texts(found, "keyword")))
    yield "Abstract", _find_text(found, "abstract")
    yield "Notes and changes", _find_text(found, "note")
    yield "Publication", _find_text(found, "publicationinfo")
    for reference in found.findall("reference"):
        parts = [_find_text(reference, name) for name in ("citation", "journal")]
        yield "Published in", "; ".join(filter(None, parts))
    own, foreign = [], []
    for other in found.findall("xrefto"):
        place = other.get("shortproject") or project
        version = f"-v{other.get('version')}" if other.get("version") else ""
        if place == project:
            own.append(f"{place}-doc-{other.get('docid')}{version}")
        else:
            # Another experiment's number: never to be taken for one of ours.
            foreign.append(f"document {other.get('docid')}{version} of {place}")
    yield "Refers to", ", ".join(own)
    yield "Refers elsewhere to", ", ".join(foreign)


def _iter_files(found: etree._Element) -> Iterator[RevisionFile]:
    for file in found.findall("file"):
        # Escaped twice: one more time than an XML parser undoes.
        match = _FILE_NAME.search((file.get("href") or "").replace("&amp;", "&"))
        if match:
            name, raw = parse_file_name(match[1])
        else:
            name = _find_text(file, "name")
            raw = name.encode()
        yield RevisionFile(
            name=name,
            encoded_name=quote_from_bytes(raw, safe=""),
            description=_find_text(file, "description"),
            number=file.get("id") or "",
            is_main=file.get("main") == "yes",
        )


def _read_number(element: etree._Element, name: str) -> int:
    value = element.get(name) or ""
    if not (value.isascii() and value.isdigit()):
        raise SourceFormatError(f"DocDB's XML says {name}={value!r}.")
    return int(value)


def _find_texts(element: etree._Element, path: str) -> list[str]:
    return ["".join(found.itertext()) for found in element.findall(path)]


def _find_text(element: etree._Element, path: str) -> str:
    return repair_text(next(iter(_find_texts(element, path)), ""))
