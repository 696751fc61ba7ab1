"""Outgoing and incoming citations of a document, as far as one reader may see.

Citations in files that the reader may not open are left out. A cited document that they
may not open looks like one that is not in the index: only its identifier is shown.
"""

from collections.abc import Iterable, Iterator

from dunegpt.ids import split_id
from dunegpt.index.document_names import select_project_targets
from dunegpt.index.search.lookup import DocumentLookup, is_same_version
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.document_store import StoredDocument
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.reference_table import ReferenceEdge
from dunegpt.ingest.references import FOREIGN, format_label, get_system, parse_url
from dunegpt.types import Document, IncomingCitation, OutgoingCitation


class CitationLinks:
    """Resolves the references of a snapshot for one reader."""

    def __init__(
        self, snapshot: Snapshot, view: ReaderView, lookup: DocumentLookup
    ) -> None:
        self._snapshot = snapshot
        self._view = view
        self._lookup = lookup

    def find_cited(self, stored: StoredDocument) -> list[OutgoingCitation]:
        """Return what the readable files of a document cite, each identifier once."""
        citations: dict[tuple[str, str], OutgoingCitation] = {}
        keys = self._list_readable_files(stored)
        own = self._list_project_targets(stored)
        for edge in self._snapshot.references.references_from(sorted(keys)):
            if edge.target in own:
                continue
            document = self._resolve_edge(edge, stored)
            system = get_system(edge.target)
            citations.setdefault(
                (edge.target, edge.version),
                OutgoingCitation(
                    format_label(edge.target, edge.version),
                    "docdb" if document and system == "foreign" else system,
                    keys[edge.file],
                    edge.page,
                    document,
                ),
            )
        return list(citations.values())

    def find_citing(self, stored: StoredDocument) -> list[IncomingCitation]:
        """Return the documents that cite one, each in its newest version that does."""
        *own, wanted = split_id(stored.document.id)
        citations: dict[int, IncomingCitation] = {}
        edges = self._snapshot.references.references_to(
            [*_list_targets(stored.document), *self._list_project_targets(stored)]
        )
        for edge in edges:
            if edge.version and wanted and not is_same_version(edge.version, wanted):
                continue
            for citing, key in self._find_owners(edge.file):
                is_own = own == [*split_id(citing.document.id)][:2]
                if citing.number not in citations and not is_own:
                    document = self._lookup.redact_document(citing)
                    citations[citing.number] = IncomingCitation(
                        document, key, edge.page, edge.version
                    )
        return [citations[number] for number in self._drop_older_versions(citations)]

    def _list_project_targets(self, stored: StoredDocument) -> list[str]:
        """Return the targets of a document by the name of its DocDB's project."""
        return select_project_targets(self._snapshot.store.get_names(stored.number))

    def _list_readable_files(self, stored: StoredDocument) -> dict[int, str]:
        """Return the keys of the files that the reader may open, by file number."""
        return {
            number: key
            for key, number in self._snapshot.store.get_file_numbers(
                stored.number
            ).items()
            if self._view.may_open(stored, key)
        }

    def _find_owners(self, file: int) -> Iterator[tuple[StoredDocument, str]]:
        """Yield the document of a file and the file's key, if they are readable."""
        for number, _, key in self._snapshot.store.find_owner(file):
            for stored in self._lookup.get_documents([number]):
                if self._view.may_open(stored, key):
                    yield stored, key

    def _resolve_edge(
        self, edge: ReferenceEdge, citing: StoredDocument
    ) -> Document | None:
        """Return the document that an edge points to, if the reader may see it."""
        names = [edge.target.removeprefix(FOREIGN), *_list_addresses(edge.target)]
        for name in names:
            for number in self._lookup.resolve(name, edge.version or None):
                if number != citing.number:
                    [stored] = self._lookup.get_documents([number])
                    return self._lookup.redact_document(stored)
        return None

    def _drop_older_versions(self, numbers: Iterable[int]) -> list[int]:
        """Return the documents without those that have a newer version among them."""
        candidates = set(numbers)
        older = set()
        for stored in self._lookup.get_documents(candidates):
            newest = self._lookup.find_newest(stored).number
            if newest != stored.number and newest in candidates:
                older.add(stored.number)
        return sorted(candidates - older)


def _list_targets(document: Document) -> list[str]:
    """Return the targets under which a document may be cited."""
    prefix, number, _ = split_id(document.id)
    address = parse_url(document.url)
    return [f"{prefix}:{number}", *([address[0]] if address else [])]


def _list_addresses(target: str) -> list[str]:
    """Return the addresses under which the document of a target may also be known.

    An Indico site may be configured under any name, so its documents are also found by
    address.
    """
    if get_system(target) != "indico":
        return []
    host, _, rest = target.partition(":")
    event, _, part = rest.partition("/")
    address = f"{host}/event/{event}"
    if part.startswith("c"):
        number, _, below = part[1:].partition("/s")
        address += f"/contributions/{number}"
        address += f"/subcontributions/{below}" if below else ""
    elif part:
        address += f"/sessions/{part.removeprefix('sess')}"
    return [address]
