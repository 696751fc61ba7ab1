"""An EDMS in memory: documents, versions, nodes, and who may see what of it.

Knows the truth that a crawl is compared with.
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
    """One version.

    Attributes:
        files: By their names.
        shown: Names of the files that everybody is given.
        touched: When each file was last written.
        closed: Whether the account is not shown it.
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
    """All that is in an EDMS.

    Attributes:
        lacks: Operations that this service does not have.
        tells_stamps: Whether files are told with dates.
        hides_latest: Whether the latest version is that of all, even if it is closed to
            the account, and then nothing is told.
        others: Bytes that everybody is given in the place of a file's own.
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
        """Return a new node, below another one if that is named."""
        made = self.nodes[ref] = NodeModel(title)
        if above:
            self.nodes[above].nodes.add(ref)
        return made

    def add(self, title: str = "A document", *nodes: str, **facts: object) -> str:
        """Return the number of a new document with version 1."""
        self._number += 1
        number = str(self._number)
        self.documents[number] = {}
        for ref in nodes:
            self.nodes[ref].documents.add(number)
        version = str(facts.pop("version", "1"))
        self.add_version(number, version, title=title, **facts)
        return number

    def add_version(self, number: str, version: str, **facts: object) -> Version:
        """Return a new version with one file."""
        made = Version(**facts)  # type: ignore[arg-type]
        self.documents[number][version] = made
        text = f"{number}/{version} is about {made.title}.".encode()
        self.put_file(number, version, "note.txt", text)
        return made

    def put_file(
        self, number: str, version: str, name: str, body: bytes, *, shown: bool = False
    ) -> None:
        """Add a file, or put another one in its place."""
        own = self.documents[number][version]
        own.files[name] = body
        self._tick += 1
        own.touched[name] = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(
            seconds=self._tick
        )
        if shown:
            own.shown.add(name)
        self.touch(number)

    def open(self, number: str, version: str, *names: str) -> None:
        """Let everybody have some files of a version, and no others."""
        own = self.documents[number][version]
        own.shown = set(names)
        self.touch(number)

    def edit(self, number: str, version: str, **facts: object) -> None:
        """Change facts of a version."""
        for name, value in facts.items():
            setattr(self.documents[number][version], name, value)
        self.touch(number)

    def touch(self, number: str) -> None:
        """Note that a document was changed now."""
        for own in self.documents[number].values():
            own.changed = datetime.now(UTC)

    def delete(self, number: str, version: str = "") -> None:
        """Delete a version, or a document."""
        if version:
            del self.documents[number][version]
        if not version or not self.documents[number]:
            del self.documents[number]

    def latest(self, number: str) -> str:
        """Return the latest version that the account is shown; empty if none."""
        own = [
            v for v, each in self.documents.get(number, {}).items() if not each.closed
        ]
        return max(own, key=place_of, default="")

    def below(self, roots: Iterable[str]) -> set[str]:
        """Return the documents of some nodes and of all below them."""
        seen, waiting, found = set(roots), list(roots), set()
        while waiting:
            node = self.nodes.get(waiting.pop())
            if node is None or node.closed:
                continue
            found |= node.documents
            waiting += node.nodes - seen
            seen |= node.nodes
        return found

    def given(self, number: str, version: str, name: str) -> bytes | None:
        """Return what everybody is given of a file, or None."""
        own = self.documents.get(number, {}).get(version)
        if own is None or name not in own.shown or name not in own.files:
            return None
        return self.others.get((number, version, name), own.files[name])

    def is_public(self, number: str, version: str) -> bool:
        """Return whether everybody is given a file of a version that can be read."""
        own = self.documents[number][version]
        return any(
            self.given(number, version, name) == body
            for name, body in own.files.items()
            if not name.endswith((".stp", ".dwg"))
        )

    def truth(
        self, prefix: str, readers: dict[str, frozenset[str]]
    ) -> dict[str, frozenset[str]]:
        """Return whom each version is for.

        Args:
            prefix: Of the ids.
            readers: Of documents that are not public, by their number.
        """
        found = {}
        for number, versions in self.documents.items():
            for version, own in versions.items():
                if own.closed:
                    continue
                access = readers.get(number, frozenset())
                if self.is_public(number, version):
                    access = frozenset({"public"})
                if access:
                    found[f"{prefix}:{number}:{version}"] = access
        return found


def place_of(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return what versions are ordered by here, written again for the test's sake."""
    parts = re.findall(r"\d+|[A-Z]+", version)
    return tuple((0, int(p), "") if p.isdigit() else (1, len(p), p) for p in parts)
