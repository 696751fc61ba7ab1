"""Converts EDMS versions to documents.

The metadata of a version becomes its file ``record``, so that a version without a
readable file can be found too. Makes no requests, and does not decide who may read
what.
"""

import hashlib
import html
import mimetypes
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

from dunegpt.access import NOBODY, Access
from dunegpt.ingest.edms.transport import VersionFile, VersionRecord
from dunegpt.types import Document, FileRef

RECORD_KEY = "record"


class RecordParser:
    """Turns versions into documents, at first for nobody."""

    def __init__(self, source: str, prefix: str, url: str) -> None:
        """Take the names that documents go by, and where people open them."""
        self._source, self._prefix, self._url = source, prefix, url.rstrip("/")

    def parent_id(self, number: str) -> str:
        """Return the id that stands for all versions of a document, or for a node."""
        return f"{self._prefix}:{number}"

    def version_id(self, number: str, version: str) -> str:
        """Return the id of a version; its string is kept as EDMS has it."""
        return f"{self._prefix}:{number}:{quote(version, safe='')}"

    def parse_number(self, name: str) -> str:
        """Return the number of a document that an id names; empty if it names none."""
        own = name.removeprefix(f"{self._prefix}:").partition("#")[0]
        number = own.partition(":")[0].partition("/")[0]
        return number if number.isascii() and number.isdecimal() else ""

    def parse_version(self, document_id: str) -> str:
        """Return the version that an id names."""
        return unquote(document_id.rpartition(":")[2])

    def build_document(
        self,
        doc: VersionRecord,
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
        content = "".join(_render_record(doc, nodes, left)).encode()
        url = f"{self._url}/document/{doc.number}/{quote(doc.version, safe='')}"
        record = FileRef(
            key=RECORD_KEY,
            name="record.html",
            media_type="text/html",
            url=url,
            access=NOBODY,
            checksum=f"text:{hashlib.sha256(content).hexdigest()[:32]}",
            body=content,
        )
        return Document(
            id=self.version_id(doc.number, doc.version),
            source=self._source,
            kind=doc.kind.casefold() or "document",
            url=url,
            title=doc.title or doc.project_number or f"EDMS {doc.number}",
            access=NOBODY,
            authors=doc.authors,
            date=doc.date,
            status=doc.status,
            files=(record,),
            supersedes="" if before is None else self.version_id(doc.number, before),
        )

    def build_file(
        self,
        doc: VersionRecord,
        file: VersionFile,
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
            key=file_key(file.name),
            name=file.name,
            media_type=kind or "application/octet-stream",
            url=f"{self._url}/file/{place}",
            access=access,
            size_bytes=size_bytes,
            checksum=checksum,
            evidence=evidence,
        )


def file_key(name: str) -> str:
    """Return what a file of a version goes by: its name may hold anything."""
    return f"f{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _render_record(
    doc: VersionRecord, nodes: Mapping[str, str], left: dict[str, str]
) -> Iterator[str]:
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
