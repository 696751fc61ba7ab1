"""The transport over EDMS's SOAP services, live or recorded.

Combines operations into documents. The format of requests and answers is in
`edms.soap_messages`, sending them in `edms.soap_client`.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Iterator

from lxml import etree

from dunegpt.errors import FetchError, SourceFormatError, SourceUnreachableError
from dunegpt.ingest.edms.soap_client import SoapClient
from dunegpt.ingest.edms.soap_messages import (
    LATEST,
    OPERATIONS,
    all_text,
    build_envelope,
    find_elements,
    find_text,
    find_texts,
    is_id,
    parse_date,
    parse_response,
    serialize_response,
)
from dunegpt.ingest.edms.transport import (
    NotOfferedError,
    ProjectNode,
    Unavailable,
    VersionFile,
    VersionRecord,
)


class SoapTransport:
    """Asks the services, or plays back what they once answered."""

    is_anonymous = False
    is_authoritative = False
    problem = ""

    def __init__(
        self, wire: SoapClient, username: str, *, is_local: bool = False
    ) -> None:
        self._client, self._username = wire, username
        self._missing_operations: set[str] = set()
        self.is_local = is_local

    def open(self) -> None:
        """Look whether there is something to ask.

        Raises:
            SourceError: There is not.
        """
        self._client.open()

    def document_numbers(self) -> frozenset[str]:
        """Return the documents that recordings name; the services list none."""
        return self._client.recorded_values("getDocument", "edmsId")

    def get_node(self, ref: str) -> ProjectNode | Unavailable:
        """Return a project node.

        Where children are not told, documents alone are asked for.

        Raises:
            SourceError: It cannot be told.
        """
        try:
            told = self._call("getChildren", parentEdmsId=ref, parentType="P")
            if isinstance(told, Unavailable):
                return told
            links = [
                (find_text(link, "child_kind").upper(), find_text(link, "child"))
                for link in find_elements(told, "link")
            ]
        except NotOfferedError:
            told = self._call("getDocuments", objectType="P", objectEdmsId=ref)
            if isinstance(told, Unavailable):
                return told
            links = [("D", all_text(one)) for one in find_elements(told, "listed")]
        nodes = tuple(sorted({own for kind, own in links if kind == "P" and own}))
        documents = tuple(sorted({o for kind, o in links if kind == "D" and is_id(o)}))
        return ProjectNode(
            ref, find_text(told, "title"), nodes, documents, serialize_response(told)
        )

    def get_document(
        self, number: str, version: str = ""
    ) -> VersionRecord | Unavailable:
        """Return a version of a document, the latest if none is named.

        Raises:
            SourceError: It cannot be told, or something else came.
        """
        told = self._call("getDocument", edmsId=number, version=version or LATEST)
        if isinstance(told, Unavailable):
            return told
        found, own = find_text(told, "version"), find_text(told, "listed")
        if not found or (version and found != version) or (own and own != number):
            raise SourceFormatError(
                f"Document {number}, version {version or LATEST} was asked for, and"
                f" {own or number}, version {found or 'without a number'} came."
            )
        date, remarks = parse_date(find_text(told, "date"))
        return VersionRecord(
            number=number,
            version=found,
            title=find_text(told, "title"),
            kind=find_text(told, "kind"),
            status=find_text(told, "status"),
            authors=find_texts(told, "author"),
            date=date,
            description=find_text(told, "description"),
            keywords=find_texts(told, "keyword"),
            context=find_text(told, "context"),
            project_number=find_text(told, "project_number"),
            equipment_code=find_text(told, "equipment_code"),
            versions=None if version else self._fetch_versions(number),
            files=self._fetch_files(number, found),
            raw=serialize_response(told),
            remarks=remarks,
        )

    def fetch_file(
        self, number: str, version: str, name: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file, in one piece.

        Raises:
            FetchError: It cannot be had.
            SourceError: No file can be had at present.
        """
        asked = {"docEdmsId": number, "docVersion": version, "fileName": name}
        try:
            told = self._call("getFile", **asked)
            if isinstance(told, Unavailable):
                raise FetchError(f"EDMS reports for the file: {told.value}.")
            content = base64.b64decode(find_text(told, "content"), validate=True)
        except (NotOfferedError, SourceFormatError, SourceUnreachableError) as error:
            raise FetchError(f"EDMS does not return the file: {error}") from error
        except binascii.Error as error:
            raise FetchError(f"The file's content is not base64: {error}.") from error
        if len(content) > max_bytes:
            raise FetchError(f"The file is longer than {max_bytes:,} bytes.")
        yield content

    def changed_since(self, moment: dt.datetime) -> frozenset[str]:
        """Return the numbers of documents that changed since then.

        Raises:
            NotOfferedError: The services have no such question.
            SourceError: It cannot be told.
        """
        since = moment.astimezone(dt.UTC).isoformat(timespec="seconds")
        told = self._call("getModifiedDocuments", since=since)
        if isinstance(told, Unavailable):
            raise SourceFormatError(f"The list of changes is {told.value}.")
        return frozenset(filter(is_id, map(all_text, find_elements(told, "listed"))))

    def _fetch_versions(self, number: str) -> tuple[str, ...] | None:
        try:
            told = self._call("getDocumentVersions", edmsId=number)
        except NotOfferedError:
            return None
        if isinstance(told, Unavailable):
            raise SourceFormatError(
                f"Document {number} is visible, but its versions are not."
            )
        return find_texts(told, "version")

    def _fetch_files(self, number: str, version: str) -> tuple[VersionFile, ...] | None:
        """Return the files of a version; none where they are closed to us."""
        try:
            told = self._call("getFiles", docEdmsId=number, docVersion=version)
        except NotOfferedError:
            return None
        if isinstance(told, Unavailable):
            return ()
        files = {}
        for one in find_elements(told, "file"):
            name, size = find_text(one, "file_name"), find_text(one, "size")
            facts = (size, find_text(one, "modified"), find_text(one, "checksum"))
            files[name] = VersionFile(
                name,
                int(size) if is_id(size) else None,
                ",".join(facts) if any(facts[1:]) else "",
                find_text(one, "rendition"),
            )
        if "" in files:
            raise SourceFormatError(f"A file of document {number} has no name.")
        return tuple(files[name] for name in sorted(files))

    def _call(self, operation: str, **asked: str) -> etree._Element | Unavailable:
        """Return an answer, or why there is none.

        Raises:
            NotOfferedError: The service has no such operation.
            SourceError: It cannot be told.
        """
        if operation in self._missing_operations:
            raise NotOfferedError(operation)
        parameters = {"username": self._username, **asked}
        sent = build_envelope(operation, parameters)
        service = OPERATIONS[operation].service
        try:
            return parse_response(self._client.call(service, operation, asked, sent))
        except NotOfferedError:
            self._missing_operations.add(operation)
            raise
