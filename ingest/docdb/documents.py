"""Converts DocDB versions to documents.

The metadata of a version becomes its file ``about``. Based on DocDB 8.9.0. Makes no
requests, and does not decide who may read what.
"""

import hashlib
import html
import mimetypes
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from dunegpt.access import NOBODY, PUBLIC, Access
from dunegpt.ingest.docdb.html_pages import DocumentPage
from dunegpt.ingest.docdb.xml_records import Revision, RevisionFile
from dunegpt.types import Document, FileRef

RESERVED = "reserved"


class RecordParser:
    """Turns versions into documents, at first for nobody."""

    def __init__(self, source: str, prefix: str, public_url: str, url: str) -> None:
        """Take the names that documents go by, and the addresses of two doors.

        Args:
            source: Name of the source.
            prefix: Of the ids.
            public_url: Where everybody can open what is public; may be empty.
            url: Where members can open what they may read.
        """
        self._source, self._prefix = source, prefix
        self._public_url, self._url = public_url, url

    def document_id(self, number: int) -> str:
        """Return the id that stands for all versions of a document."""
        return f"{self._prefix}:{number}"

    def version_id(self, number: int, version: int) -> str:
        """Return the id of a version."""
        return f"{self._prefix}:{number}:{version}"

    def parse_number(self, document_id: str) -> int | None:
        """Return the number that an id, or what somebody wrote for one, names."""
        name = document_id.removeprefix(f"{self._prefix}:").partition(":")[0]
        return int(name) if name.isascii() and name.isdigit() else None

    def parse_version(self, document_id: str) -> int:
        """Return the version that an id names."""
        return int(document_id.rpartition(":")[2])

    def build_document(
        self, revision: Revision, page: DocumentPage | None, before: int | None
    ) -> Document:
        """Return a version as a document.

        Args:
            revision: From the XML.
            page: What the page for people adds, if it is on this version.
            before: The next lower version that exists.
        """
        number, version = revision.number, revision.version
        place = f"ShowDocument?docid={number}&version={version}"
        day = page.revised_on if page else None
        modified = revision.modified_at
        if day is None and modified:
            day = modified.date()
        status = page.status if page else ""
        return Document(
            id=self.version_id(number, version),
            source=self._source,
            kind=revision.kind.casefold() or "document",
            url=f"{self._url}/{place}",
            title=revision.title,
            access=NOBODY,
            authors=revision.authors,
            date=day,
            status=status or ("" if version else RESERVED),
            files=(
                self._build_about_file(revision, page),
                *(self._build_file(revision, file) for file in revision.files),
            ),
            supersedes="" if before is None else self.version_id(number, before),
        )

    def build_placeholder(self, first: Document, number: int) -> Document:
        """Return version 0, a number reserved before there was a first version.

        DocDB lists it and no longer shows it, so it has the title and, for the caller,
        the readers of the version that came first.
        """
        place = f"{self._url}/ShowDocument?docid={number}&version=0"
        own = replace(first, id=self.version_id(number, 0), url=place, status=RESERVED)
        return replace(own, date=None, files=(), supersedes="")

    def with_access(
        self, document: Document, access: Access, evidence: str
    ) -> Document:
        """Return a document for its readers, with links that they can open."""
        base = self._public_url if PUBLIC in access and self._public_url else self._url
        files = tuple(
            replace(
                file, url=_rebase_url(file.url, base), access=access, evidence=evidence
            )
            for file in document.files
        )
        return replace(
            document,
            url=_rebase_url(document.url, base),
            access=access,
            evidence=evidence,
            files=files,
        )

    def _build_about_file(
        self, revision: Revision, page: DocumentPage | None
    ) -> FileRef:
        content = "".join(_render_about(revision, page)).encode()
        place = f"ShowDocument?docid={revision.number}&version={revision.version}"
        return FileRef(
            key="about",
            name="about.html",
            media_type="text/html",
            url=f"{self._url}/{place}",
            access=NOBODY,
            checksum=f"text:{hashlib.sha256(content).hexdigest()[:32]}",
            body=content,
        )

    def _build_file(self, revision: Revision, file: RevisionFile) -> FileRef:
        """Return a file; its claimed checksum is another one after each change.

        Neither the date nor the row's number says what is in it: only that it is time
        to look again.
        """
        place = f"RetrieveFile?docid={revision.number}&version={revision.version}"
        kind, _ = mimetypes.guess_type(file.name)
        name = hashlib.sha256(file.encoded_name.encode()).hexdigest()[:12]
        return FileRef(
            key=f"f{name}",
            name=file.name,
            media_type=kind or "application/octet-stream",
            url=f"{self._url}/{place}&filename={file.encoded_name}",
            access=NOBODY,
            checksum=f"row:{revision.modified}#{file.number}",
        )


def parse_file_url(url: str) -> tuple[int, int, str]:
    """Return number, version and encoded name of a file from its address.

    Raises:
        ValueError: It is the address of none.
    """
    query = urlsplit(url).query
    fields = parse_qs(query)
    encoded = query.partition("&filename=")[2]
    try:
        return int(fields["docid"][0]), int(fields["version"][0]), encoded
    except KeyError as error:
        raise ValueError(f"no file of a DocDB: {error}") from error


def _rebase_url(url: str, base: str) -> str:
    """Return an address of one door as that of another."""
    program = url.rfind("/", 0, url.index("?"))
    return f"{base}{url[program:]}"


def _render_about(revision: Revision, page: DocumentPage | None) -> Iterator[str]:
    name = f"{revision.project}-doc-{revision.number}-v{revision.version}"
    facts = [("Document", name), ("Type", revision.kind)]
    facts.append(("Authors", ", ".join(revision.authors)))
    facts.append(("Submitted by", page.submitter if page else revision.submitter))
    facts.append(("Modified", revision.modified))
    if page:
        facts.append(
            ("Created", page.created_on.isoformat() if page.created_on else "")
        )
        facts.append(("Status", page.status))
        facts.append(("Signatures", "; ".join(page.signatures)))
    facts += revision.facts
    sizes = page.sizes if page else {}
    for file in revision.files:
        about = [
            file.description,
            f"({size})" if (size := sizes.get(file.name)) else "",
        ]
        named = " ".join(filter(None, (file.name, *about)))
        facts.append(("Main file" if file.is_main else "File", named))
    yield f"<h1>{html.escape(revision.title)}</h1>\n"
    for head, text in facts:
        if text:
            lines = html.escape(text).replace("\n", "<br>\n")
            yield f"<p>{head}: {lines}</p>\n"
