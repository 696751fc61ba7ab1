"""What a document cites and what cites it, as far as one reader may see.

A file that the reader may not open cites nothing for them, and what they may not open
is like what nobody has: the identifier stays a mere text. Ranks nothing.
"""

from collections.abc import Iterable, Iterator

from dunegpt.index.router import Router, is_same_version
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.store import Stored
from dunegpt.index.view import View
from dunegpt.ingest.references import Edge, label, of_address, system_of
from dunegpt.types import Cited, Citing, Document, parts_of_id


class Related:
    """The references of a snapshot, for one reader."""

    def __init__(self, snapshot: Snapshot, view: View, router: Router) -> None:
        self._snapshot = snapshot
        self._view = view
        self._router = router

    def cites(self, stored: Stored) -> list[Cited]:
        """Return what the open files of a document name, each identifier once."""
        found: dict[tuple[str, str], Cited] = {}
        keys = self._open_files(stored)
        for edge in self._snapshot.references.of_files(sorted(keys)):
            found.setdefault(
                (edge.target, edge.version),
                Cited(
                    label(edge.target, edge.version),
                    system_of(edge.target),
                    keys[edge.file],
                    edge.page,
                    self._named(edge, stored),
                ),
            )
        return list(found.values())

    def cited_by(self, stored: Stored) -> list[Citing]:
        """Return the documents that name one, each in its newest version that does."""
        wanted = parts_of_id(stored.document.id)[2]
        found: dict[int, Citing] = {}
        edges = self._snapshot.references.naming(_targets(stored.document))
        for edge in edges:
            if edge.version and wanted and not is_same_version(edge.version, wanted):
                continue
            for citing, key in self._owners(edge.file):
                if citing.number not in found:
                    document = self._router.as_seen(citing)
                    found[citing.number] = Citing(
                        document, key, edge.page, edge.version
                    )
        return [found[number] for number in self._without_older(found)]

    def _open_files(self, stored: Stored) -> dict[int, str]:
        """Return the keys of the files that the reader may open, by their numbers."""
        return {
            number: key
            for key, number in self._snapshot.store.file_numbers(stored.number).items()
            if self._view.may_open(stored, key)
        }

    def _owners(self, file: int) -> Iterator[tuple[Stored, str]]:
        """Yield the document of a file, and the file's key, if it may be opened."""
        for number, _, key in self._snapshot.store.owner(file):
            for stored in self._router.documents([number]):
                if self._view.may_open(stored, key):
                    yield stored, key

    def _named(self, edge: Edge, citing: Stored) -> Document | None:
        """Return what an edge leads to, if the reader may see it."""
        names = [edge.target, *_addresses(edge.target)]
        for name in () if system_of(edge.target) == "foreign" else names:
            for number in self._router.resolve(name, edge.version or None):
                if number != citing.number:
                    [stored] = self._router.documents([number])
                    return self._router.as_seen(stored)
        return None

    def _without_older(self, numbers: Iterable[int]) -> list[int]:
        """Return documents without those of which a newer version is among them."""
        every = set(numbers)
        older = set()
        for stored in self._router.documents(every):
            newest = self._router.newest(stored).number
            if newest != stored.number and newest in every:
                older.add(stored.number)
        return sorted(every - older)


def _targets(document: Document) -> list[str]:
    """Return under which targets a document is cited."""
    prefix, number, _ = parts_of_id(document.id)
    address = of_address(document.url)
    return [f"{prefix}:{number}", *([address[0]] if address else [])]


def _addresses(target: str) -> list[str]:
    """Return the addresses by which the document of a target may be known instead.

    A site of Indico may be configured under any name; its documents go by address too.
    """
    if system_of(target) != "indico":
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
