"""A simulated EDMS: documents, versions, project nodes and access rules.

Also computes the access sets that a crawl is compared with.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

STATUSES = (
    "In Work",
    "Draft For Discussion",
    "Engineering Check",
    "Under Approval",
    "Released",
    "Obsolete",
    "Cancelled",
    "Approval rejected",
)
FORMS = (("1", "2", "3"), ("0.1", "0.2", "1.0"), ("2.6", "2.10"), ("A", "B", "AE"))


@dataclass
class Version:
    """A version of a document.

    Attributes:
        files: File contents by name.
        shown: Names of the public files.
        touched: Time of the last write, by file name.
        closed: Whether the version is hidden from the account.
    """

    title: str = "A document"
    kind: str = "Report"
    status: str = "Released"
    authors: tuple[str, ...] = ("A. Okonjo",)
    day: date = date(2024, 5, 17)
    description: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    touched: dict[str, datetime] = field(default_factory=dict)
    closed: bool = False
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class NodeModel:
    """A project node."""

    title: str
    nodes: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    closed: bool = False


class EdmsModel:
    """The contents and behaviour of an EDMS.

    Attributes:
        lacks: Operations that the service does not support.
        tells_stamps: Whether file lists include modification dates.
        hides_latest: Whether ``LATEST`` is refused if the newest version of all is
            closed to the account.
        others: Bytes served to the public instead of a file's own.
    """

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Version]] = {}
        self.nodes: dict[str, NodeModel] = {}
        self.lacks: set[str] = set()
        self.tells_stamps = True
        self.hides_latest = False
        self.others: dict[tuple[str, str, str], bytes] = {}
        self._number, self._tick = 2_000_000, 0

    def node(self, ref: str, title: str = "A node", above: str = "") -> NodeModel:
        """Add a node, below another one if given; return it."""
        added = self.nodes[ref] = NodeModel(title)
        if above:
            self.nodes[above].nodes.add(ref)
        return added

    def add(self, title: str = "A document", *nodes: str, **facts: object) -> str:
        """Add a document with one version; return its number."""
        self._number += 1
        number = str(self._number)
        self.documents[number] = {}
        for ref in nodes:
            self.nodes[ref].documents.add(number)
        version = str(facts.pop("version", "1"))
        self.add_version(number, version, title=title, **facts)
        return number

    def add_version(self, number: str, version: str, **facts: object) -> Version:
        """Add a version with one file; return it."""
        added = Version(**facts)  # type: ignore[arg-type]
        self.documents[number][version] = added
        text = f"{number}/{version} is about {added.title}.".encode()
        self.put_file(number, version, "note.txt", text)
        return added

    def put_file(
        self, number: str, version: str, name: str, body: bytes, *, shown: bool = False
    ) -> None:
        """Add or replace a file."""
        target = self.documents[number][version]
        target.files[name] = body
        self._tick += 1
        target.touched[name] = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(
            seconds=self._tick
        )
        if shown:
            target.shown.add(name)
        self.touch(number)

    def open(self, number: str, version: str, *names: str) -> None:
        """Make these files of a version public, and no others."""
        target = self.documents[number][version]
        target.shown = set(names)
        self.touch(number)

    def edit(self, number: str, version: str, **facts: object) -> None:
        """Change attributes of a version."""
        for name, value in facts.items():
            setattr(self.documents[number][version], name, value)
        self.touch(number)

    def touch(self, number: str) -> None:
        """Mark a document as changed now."""
        for target in self.documents[number].values():
            target.changed = datetime.now(UTC)

    def delete(self, number: str, version: str = "") -> None:
        """Delete a version or a whole document."""
        if version:
            del self.documents[number][version]
        if not version or not self.documents[number]:
            del self.documents[number]

    def latest(self, number: str) -> str:
        """Return the latest version visible to the account; empty if none."""
        versions = [
            v
            for v, record in self.documents.get(number, {}).items()
            if not record.closed
        ]
        return max(versions, key=place_of, default="")

    def below(self, roots: Iterable[str]) -> set[str]:
        """Return the documents of these nodes and all nodes below them."""
        seen, pending, documents = set(roots), list(roots), set()
        while pending:
            node = self.nodes.get(pending.pop())
            if node is None or node.closed:
                continue
            documents |= node.documents
            pending += node.nodes - seen
            seen |= node.nodes
        return documents

    def given(self, number: str, version: str, name: str) -> bytes | None:
        """Return the bytes of a file served to the public, or None."""
        record = self.documents.get(number, {}).get(version)
        if record is None or name not in record.shown or name not in record.files:
            return None
        return self.others.get((number, version, name), record.files[name])

    def is_public(self, number: str, version: str) -> bool:
        """Return whether any readable file of a version is public."""
        record = self.documents[number][version]
        return any(
            self.given(number, version, name) == body
            for name, body in record.files.items()
            if not name.endswith((".stp", ".dwg"))
        )

    def truth(
        self, prefix: str, readers: dict[str, frozenset[str]]
    ) -> dict[str, frozenset[str]]:
        """Return the expected access set of each version, by document id.

        Args:
            prefix: Prefix of the ids.
            readers: Access sets of non-public documents, by number.
        """
        expected = {}
        for number, versions in self.documents.items():
            for version, record in versions.items():
                if record.closed:
                    continue
                access = readers.get(number, frozenset())
                if self.is_public(number, version):
                    access = frozenset({"public"})
                if access:
                    expected[f"{prefix}:{number}:{version}"] = access
        return expected


def place_of(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return the sort key of a version; implemented independently of the product."""
    parts = re.findall(r"\d+|[A-Z]+", version)
    return tuple((0, int(p), "") if p.isdigit() else (1, len(p), p) for p in parts)
