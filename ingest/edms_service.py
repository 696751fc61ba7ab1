"""EDMS asked by its SOAP services, or by what was recorded of them.

Knows which questions make a document; how each is put, and what its answer means, is in
`edms_soap.py`, and how it gets there in `edms_wire.py`.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Iterator

from lxml import etree

from dunegpt.errors import FetchError, SourceFormatError, SourceUnreachableError
from dunegpt.ingest.edms_soap import (
    LATEST,
    OPERATIONS,
    day,
    each,
    envelope,
    is_id,
    raw,
    text_of,
    texts,
    understood,
    whole_text,
)
from dunegpt.ingest.edms_types import Doc, Fate, File, Node, NotOfferedError
from dunegpt.ingest.edms_wire import Wire


class SoapTransport:
    """Asks the services, or plays back what they once answered."""

    is_anonymous = False
    vouches = False
    problem = ""

    def __init__(self, wire: Wire, username: str, *, is_local: bool = False) -> None:
        self._wire, self._username = wire, username
        self._lacks: set[str] = set()
        self.is_local = is_local

    def open(self) -> None:
        """Look whether there is something to ask.

        Raises:
            SourceError: There is not.
        """
        self._wire.open()

    def listed(self) -> frozenset[str]:
        """Return the documents that recordings name; the services list none."""
        return self._wire.recorded("getDocument", "edmsId")

    def node(self, ref: str) -> Node | Fate:
        """Return a project node.

        Where children are not told, documents alone are asked for.

        Raises:
            SourceError: It cannot be told.
        """
        try:
            told = self._ask("getChildren", parentEdmsId=ref, parentType="P")
            if isinstance(told, Fate):
                return told
            links = [
                (text_of(link, "child_kind").upper(), text_of(link, "child"))
                for link in each(told, "link")
            ]
        except NotOfferedError:
            told = self._ask("getDocuments", objectType="P", objectEdmsId=ref)
            if isinstance(told, Fate):
                return told
            links = [("D", whole_text(one)) for one in each(told, "listed")]
        nodes = tuple(sorted({own for kind, own in links if kind == "P" and own}))
        documents = tuple(sorted({o for kind, o in links if kind == "D" and is_id(o)}))
        return Node(ref, text_of(told, "title"), nodes, documents, raw(told))

    def document(self, number: str, version: str = "") -> Doc | Fate:
        """Return a version of a document, the latest if none is named.

        Raises:
            SourceError: It cannot be told, or something else came.
        """
        told = self._ask("getDocument", edmsId=number, version=version or LATEST)
        if isinstance(told, Fate):
            return told
        found, own = text_of(told, "version"), text_of(told, "listed")
        if not found or (version and found != version) or (own and own != number):
            raise SourceFormatError(
                f"Document {number}, version {version or LATEST} was asked for, and"
                f" {own or number}, version {found or 'without a number'} came."
            )
        date, remarks = day(text_of(told, "date"))
        return Doc(
            number=number,
            version=found,
            title=text_of(told, "title"),
            kind=text_of(told, "kind"),
            status=text_of(told, "status"),
            authors=texts(told, "author"),
            date=date,
            description=text_of(told, "description"),
            keywords=texts(told, "keyword"),
            context=text_of(told, "context"),
            project_number=text_of(told, "project_number"),
            equipment_code=text_of(told, "equipment_code"),
            versions=None if version else self._versions(number),
            files=self._files(number, found),
            raw=raw(told),
            remarks=remarks,
        )

    def file(
        self, number: str, version: str, name: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file, in one piece.

        Raises:
            FetchError: It cannot be had.
            SourceError: No file can be had at present.
        """
        asked = {"docEdmsId": number, "docVersion": version, "fileName": name}
        try:
            told = self._ask("getFile", **asked)
            if isinstance(told, Fate):
                raise FetchError(f"EDMS says of the file: {told.value}.")
            content = base64.b64decode(text_of(told, "content"), validate=True)
        except (NotOfferedError, SourceFormatError, SourceUnreachableError) as error:
            raise FetchError(f"EDMS does not give the file: {error}") from error
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
        told = self._ask("getModifiedDocuments", since=since)
        if isinstance(told, Fate):
            raise SourceFormatError(f"The list of changes is {told.value}.")
        return frozenset(filter(is_id, map(whole_text, each(told, "listed"))))

    def _versions(self, number: str) -> tuple[str, ...] | None:
        try:
            told = self._ask("getDocumentVersions", edmsId=number)
        except NotOfferedError:
            return None
        if isinstance(told, Fate):
            raise SourceFormatError(f"Document {number} is shown, its versions not.")
        return texts(told, "version")

    def _files(self, number: str, version: str) -> tuple[File, ...] | None:
        """Return the files of a version; none where they are closed to us."""
        try:
            told = self._ask("getFiles", docEdmsId=number, docVersion=version)
        except NotOfferedError:
            return None
        if isinstance(told, Fate):
            return ()
        files = {}
        for one in each(told, "file"):
            name, size = text_of(one, "file_name"), text_of(one, "size")
            facts = (size, text_of(one, "modified"), text_of(one, "checksum"))
            files[name] = File(
                name,
                int(size) if is_id(size) else None,
                ",".join(facts) if any(facts[1:]) else "",
                text_of(one, "rendition"),
            )
        if "" in files:
            raise SourceFormatError(f"A file of document {number} has no name.")
        return tuple(files[name] for name in sorted(files))

    def _ask(self, operation: str, **asked: str) -> etree._Element | Fate:
        """Return an answer, or why there is none.

        Raises:
            NotOfferedError: The service has no such operation.
            SourceError: It cannot be told.
        """
        if operation in self._lacks:
            raise NotOfferedError(operation)
        parameters = {"username": self._username, **asked}
        sent = envelope(operation, parameters)
        service = OPERATIONS[operation].service
        try:
            return understood(self._wire.ask(service, operation, asked, sent))
        except NotOfferedError:
            self._lacks.add(operation)
            raise
