"""What ``ShowDocument?outformat=xml`` says of one version.

An answer without a document stands for "not yours" and for "no such thing" alike: the
caller asks the page for people. Names of documents that refer to this one (``xrefby``)
are left out: the reader may not know them. Does not ask anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote_from_bytes

from lxml import etree

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.docdb_text import decoded, file_name, readable

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ROOT = re.compile(r"<docdb[\s/>]")
_FILE_NAME = re.compile(r"[?&;]filename=([^&;]*)")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a version.

    Attributes:
        name: For people.
        encoded: Its bytes, percent-encoded, as an address needs them.
        number: Of its row; a new one for each change of file or metadata.
    """

    name: str
    encoded: str
    description: str
    number: str
    is_main: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of one document, as one login was shown it.

    Attributes:
        viewgroups: Names of the groups that may view it; none: everybody.
        versions: All versions that this login may see, with when they were modified.
        facts: What there is to read of it, under headings, in order.
    """

    number: int
    version: int
    title: str
    kind: str
    modified: str
    project: str
    submitter: str
    viewgroups: frozenset[str]
    authors: tuple[str, ...]
    files: tuple[File, ...]
    versions: dict[int, str]
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def day(self) -> datetime | None:
        """When it was modified, by the server's clock; None if that says nothing."""
        try:
            return datetime.fromisoformat(self.modified)
        except ValueError:
            return None


def revision(body: bytes, number: int, version: int | None = None) -> Revision | None:
    """Return what an answer says of a version; None if it names no document.

    Args:
        body: Of the answer.
        number: Of the document that was asked for.
        version: That was asked for; None for the latest.

    Raises:
        SourceFormatError: It is not DocDB's XML, is cut short, or of something else.
    """
    root = _parsed(body)
    found = root.find("document/docrevision")
    if found is None:
        if len(root):
            raise SourceFormatError(f"The XML of document {number} has no version.")
        return None
    shown = _number(found, "docid"), _number(found, "version")
    if shown[0] != number or (version is not None and shown[1] != version):
        raise SourceFormatError(
            f"Document {number}, version {version} was asked for, and"
            f" {shown[0]}, version {shown[1]} came."
        )
    project = root.get("shortproject") or root.get("project") or ""
    return _read(found, shown[1], project)


def _parsed(body: bytes) -> etree._Element:
    text = _DECLARATION.sub("", decoded(body)).strip()
    if not _ROOT.match(text):
        raise SourceFormatError("Something else than DocDB's XML came.")
    is_whole = text.endswith("</docdb>") or text.count("<") == 1
    if not (is_whole and text.endswith(">")):
        raise SourceFormatError("DocDB's XML was cut short.")
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


def _read(found: etree._Element, version: int, project: str) -> Revision:
    number = _number(found, "docid")
    versions = {
        _number(other, "version"): other.get("modified") or ""
        for other in found.findall("otherversions/docrevision")
        if _number(other, "docid") == number
    }
    versions[version] = found.get("modified") or ""
    groups = [readable(name) for name in _texts(found, "viewgroup/name")]
    if len(groups) != len(found.findall("viewgroup")) or not all(groups):
        # A group without a name must not read as no group at all: that is public.
        raise SourceFormatError(f"Document {number} is for a group without a name.")
    authors = map(readable, _texts(found, "author/fullname"))
    return Revision(
        number=number,
        version=version,
        title=_text(found, "title"),
        kind=_text(found, "doctype/name"),
        modified=found.get("modified") or "",
        project=project,
        submitter=_text(found, "submitter/fullname"),
        viewgroups=frozenset(groups),
        authors=tuple(dict.fromkeys(filter(None, authors))),
        files=tuple(_files(found)),
        versions=versions,
        facts=[(head, text) for head, text in _facts(found, project) if text],
    )


def _facts(found: etree._Element, project: str) -> Iterator[tuple[str, str]]:
    yield "Topics", "; ".join(map(readable, _texts(found, "topic/name")))
    for event in found.findall("event"):
        days = "/".join(filter(None, (event.get("start"), event.get("end"))))
        parts = [_text(event, "fullname") or _text(event, "name")]
        parts += [_text(event, "location"), days]
        yield "Event", ", ".join(filter(None, parts))
    # DocDB splits keywords at blanks: only side by side two words are one again.
    yield "Keywords", " ".join(map(readable, _texts(found, "keyword")))
    yield "Abstract", _text(found, "abstract")
    yield "Notes and changes", _text(found, "note")
    yield "Publication", _text(found, "publicationinfo")
    for reference in found.findall("reference"):
        parts = [_text(reference, name) for name in ("citation", "journal")]
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


def _files(found: etree._Element) -> Iterator[File]:
    for file in found.findall("file"):
        # Escaped twice: one more time than an XML parser undoes.
        match = _FILE_NAME.search((file.get("href") or "").replace("&amp;", "&"))
        if match:
            name, raw = file_name(match[1])
        else:
            name = _text(file, "name")
            raw = name.encode()
        yield File(
            name=name,
            encoded=quote_from_bytes(raw, safe=""),
            description=_text(file, "description"),
            number=file.get("id") or "",
            is_main=file.get("main") == "yes",
        )


def _number(element: etree._Element, name: str) -> int:
    value = element.get(name) or ""
    if not (value.isascii() and value.isdigit()):
        raise SourceFormatError(f"DocDB's XML says {name}={value!r}.")
    return int(value)


def _texts(element: etree._Element, path: str) -> list[str]:
    return ["".join(found.itertext()) for found in element.findall(path)]


def _text(element: etree._Element, path: str) -> str:
    return readable(next(iter(_texts(element, path)), ""))
