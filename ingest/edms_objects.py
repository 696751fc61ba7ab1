"""Versions as EDMS tells them, turned into documents.

What there is to read of a version beside its files becomes its file ``record``, so that
one without a readable file is found too. Asks nothing, and does not know who may read
what.
"""

import hashlib
import html
import mimetypes
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

from dunegpt.ingest.edms_types import Doc, File
from dunegpt.types import NOBODY, Access, Document, FileRef

RECORD = "record"


class Reader:
    """Turns versions into documents, at first for nobody."""

    def __init__(self, source: str, prefix: str, url: str) -> None:
        """Take the names that documents go by, and where people open them."""
        self._source, self._prefix, self._url = source, prefix, url.rstrip("/")

    def holder(self, number: str) -> str:
        """Return the id that stands for all versions of a document, or for a node."""
        return f"{self._prefix}:{number}"

    def id(self, number: str, version: str) -> str:
        """Return the id of a version; its string is kept as EDMS has it."""
        return f"{self._prefix}:{number}:{quote(version, safe='')}"

    def number(self, name: str) -> str:
        """Return the number of a document that an id names; empty if it names none."""
        own = name.removeprefix(f"{self._prefix}:").partition("#")[0]
        number = own.partition(":")[0].partition("/")[0]
        return number if number.isascii() and number.isdecimal() else ""

    def version(self, document_id: str) -> str:
        """Return the version that an id names."""
        return unquote(document_id.rpartition(":")[2])

    def document(
        self,
        doc: Doc,
        before: str | None,
        nodes: Mapping[str, str],
        left: dict[str, str],
    ) -> Document:
        """Return a version as a document with its record, without its other files.

        Args:
            doc: As it was told.
            before: The version before it.
            nodes: Titles of the nodes that it is in, by their numbers.
            left: Files that are not read, and why.
        """
        content = "".join(_record(doc, nodes, left)).encode()
        url = f"{self._url}/document/{doc.number}/{quote(doc.version, safe='')}"
        record = FileRef(
            key=RECORD,
            name="record.html",
            media_type="text/html",
            url=url,
            access=NOBODY,
            checksum=f"text:{hashlib.sha256(content).hexdigest()[:32]}",
            body=content,
        )
        return Document(
            id=self.id(doc.number, doc.version),
            source=self._source,
            kind=doc.kind.casefold() or "document",
            url=url,
            title=doc.title or doc.project_number or f"EDMS {doc.number}",
            access=NOBODY,
            authors=doc.authors,
            date=doc.date,
            status=doc.status,
            files=(record,),
            supersedes="" if before is None else self.id(doc.number, before),
        )

    def file(
        self,
        doc: Doc,
        file: File,
        *,
        access: Access,
        evidence: str,
        checksum: str = "",
        size_bytes: int | None = None,
    ) -> FileRef:
        """Return a file of a version."""
        kind, _ = mimetypes.guess_type(file.name)
        parts = (doc.number, doc.version, file.name)
        place = "/".join(quote(part, safe="") for part in parts)
        return FileRef(
            key=key_of(file.name),
            name=file.name,
            media_type=kind or "application/octet-stream",
            url=f"{self._url}/file/{place}",
            access=access,
            size_bytes=size_bytes,
            checksum=checksum,
            evidence=evidence,
        )


def key_of(name: str) -> str:
    """Return what a file of a version goes by: its name may hold anything."""
    return f"f{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _record(doc: Doc, nodes: Mapping[str, str], left: dict[str, str]) -> Iterator[str]:
    facts = [
        ("Document", f"EDMS {doc.number}, version {doc.version}"),
        ("Project document number", doc.project_number),
        ("Type", doc.kind),
        ("Status", doc.status),
        ("Authors", ", ".join(doc.authors)),
        ("Date", doc.date.isoformat() if doc.date else ""),
        ("Context", doc.context),
        ("Equipment code", doc.equipment_code),
        ("Keywords", ", ".join(doc.keywords)),
        ("Description", doc.description),
    ]
    facts += [
        ("Node", f"{ref} {title}".strip()) for ref, title in sorted(nodes.items())
    ]
    for file in doc.files or ():
        why = left.get(file.name, "")
        facts.append(("File", f"{file.name} ({why})" if why else file.name))
    yield f"<h1>{html.escape(doc.title or f'EDMS {doc.number}')}</h1>\n"
    for head, text in facts:
        if text:
            lines = html.escape(text).replace("\n", "<br>\n")
            yield f"<p>{head}: {lines}</p>\n"
