"""A simulated DocDB: documents, versions, groups and access rules.

Follows the measured behaviour of DocDB 8.9.0, not its code. `pages` renders the
responses, `endpoints` serves them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PUBLIC = "public"


@dataclass
class Version:
    """A version of a document.

    Attributes:
        groups: Names of the groups that may view it; empty means everybody.
        modified: Modification time, which users may set.
        touched: Time of the last database write, by the server's clock.
        files: File contents by name.
        rows: Database row id by file name; a new one after each change.
        stored: Whether the texts are as stored (bytes or entities), not plain text.
    """

    title: str
    groups: frozenset[str]
    modified: datetime
    touched: datetime
    files: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    abstract: str = ""
    note: str = ""
    authors: list[str] = field(default_factory=lambda: ["Ada Anode"])
    keywords: str = ""
    topics: list[str] = field(default_factory=list)
    event: str = ""
    refers: list[tuple[str, int]] = field(default_factory=list)
    referred: list[int] = field(default_factory=list)
    status: str = ""
    stored: bool = False


class DocDBModel:
    """The documents by number, each with its versions by number."""

    def __init__(self, groups: Iterable[str] = ("Admin", "All", "Board")) -> None:
        self.groups = dict(enumerate(groups, start=1))
        self.superiors: set[tuple[str, str]] = set()
        self.powerless: set[str] = set()
        self.members: dict[str, list[tuple[str, str]]] = {}
        self.documents: dict[int, dict[int, Version]] = {}
        self.last = 0
        self.now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        self.stale_access: dict[int, frozenset[str]] = {}
        self._row = 0

    # ── what users do ─────────────────────────────────────────────────────────────

    def add(
        self, title: str = "A note", groups: Iterable[str] = (), version: int = 1
    ) -> int:
        """Add a document with one version; return its number."""
        self.last = number = self.last + 1
        self.documents[number] = {}
        self.add_version(number, title, groups, version)
        return number

    def add_version(
        self,
        number: int,
        title: str = "A note",
        groups: Iterable[str] = (),
        version: int | None = None,
    ) -> Version:
        """Add a version; it has one file unless it is 0, a reserved number."""
        versions = self.documents[number]
        version = max(versions, default=0) + 1 if version is None else version
        added = Version(title, frozenset(groups), self.now, self.now)
        versions[version] = added
        if version:
            self.put_file(number, version, "note.txt", f"{number}-v{version}".encode())
        return added

    def put_file(self, number: int, version: int, name: str, content: bytes) -> None:
        """Add a file to a version, or replace it."""
        self._row += 1
        target = self.documents[number][version]
        target.files[name], target.rows[name] = content, self._row
        self.edit(number, version)

    def edit(self, number: int, version: int, **facts: object) -> Version:
        """Change attributes of a version; return it."""
        target = self.documents[number][version]
        for name, value in facts.items():
            setattr(target, name, value)
        target.modified = target.touched = self.now
        return target

    def close(self, number: int, version: int, *groups: str) -> None:
        """Restrict a version to these groups; without groups, open it to everybody."""
        self.edit(number, version, groups=frozenset(groups))

    def delete(self, number: int, version: int | None = None) -> None:
        """Delete a version or a whole document; its number is never reused."""
        versions = self.documents[number]
        if version is not None:
            del versions[version]
        if version is None or not versions:
            del self.documents[number]

    def pass_days(self, days: int) -> None:
        """Advance the server's clock: all changes then are this many days older."""
        delta = timedelta(days=days)
        for versions in self.documents.values():
            for version in versions.values():
                version.touched -= delta

    # ── who sees what ─────────────────────────────────────────────────────────────

    def sees(self, groups: Iterable[str], version: Version) -> bool:
        """Return whether a member of these groups may view a version."""
        able = [g for g in groups if g not in self.powerless]
        above = {below for group, below in self.superiors if group in able}
        granted = set(able) | (above - self.powerless)
        return not version.groups or bool(granted & version.groups)

    def visible(self, groups: Iterable[str], number: int) -> list[int]:
        """Return the versions of a document that a member of these groups may view."""
        versions = self.documents.get(number, {})
        return sorted(
            v for v, version in versions.items() if self.sees(groups, version)
        )

    def listed(self, groups: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield the documents visible to these groups, with their latest version."""
        for number in self.documents:
            if shown := self.visible(groups, number):
                yield number, shown[-1]

    def changed(self, days: int, groups: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield the visible documents that were touched within the last days."""
        today = self.now.date()
        for number, version in self.listed(groups):
            touched = max(v.touched for v in self.documents[number].values())
            if 0 <= (today - touched.date()).days <= days and days > 0:
                yield number, version

    def readers(self, number: int, version: int) -> frozenset[str]:
        """Return the groups that may view a version, or `PUBLIC`."""
        record = self.documents[number][version]
        if not record.groups:
            return frozenset({PUBLIC})
        return frozenset(g for g in self.groups.values() if self.sees([g], record))
