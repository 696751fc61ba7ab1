"""A DocDB in memory: documents, versions, groups and who may see what.

The rules of DocDB 8.9.0 by the facts that were measured on it, not its code. What it
answers is written in `docdb_pages.py`, through which door in `docdb_doors.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PUBLIC = "public"


@dataclass
class Version:
    """One version.

    Attributes:
        groups: Names of the groups that may view it; none: everybody.
        modified: As people may set it.
        touched: When a row of it was last written, by the server's own clock.
        files: Bytes by name.
        rows: Numbers of the files' rows; new ones with each change.
        stored: Title, abstract, ... are as stored: bytes or entities, not plain text.
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
    """Documents by number, each with its versions by number."""

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

    # ── what people do ────────────────────────────────────────────────────────────

    def add(
        self, title: str = "A note", groups: Iterable[str] = (), version: int = 1
    ) -> int:
        """Return the number of a new document with one version."""
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
        """Return a new version, with one file if it is no reserved number."""
        own = self.documents[number]
        version = max(own, default=0) + 1 if version is None else version
        made = Version(title, frozenset(groups), self.now, self.now)
        own[version] = made
        if version:
            self.put_file(number, version, "note.txt", f"{number}-v{version}".encode())
        return made

    def put_file(self, number: int, version: int, name: str, content: bytes) -> None:
        """Add a file to a version, or put another in its place."""
        self._row += 1
        own = self.documents[number][version]
        own.files[name], own.rows[name] = content, self._row
        self.edit(number, version)

    def edit(self, number: int, version: int, **facts: object) -> Version:
        """Return a version after its facts were changed."""
        own = self.documents[number][version]
        for name, value in facts.items():
            setattr(own, name, value)
        own.modified = own.touched = self.now
        return own

    def close(self, number: int, version: int, *groups: str) -> None:
        """Let only some groups view a version; nobody named: everybody."""
        self.edit(number, version, groups=frozenset(groups))

    def delete(self, number: int, version: int | None = None) -> None:
        """Delete a version, or a document; its number is never given again."""
        own = self.documents[number]
        if version is not None:
            del own[version]
        if version is None or not own:
            del self.documents[number]

    def pass_days(self, days: int) -> None:
        """Let time go by on the server's clock, as if all had happened earlier."""
        ago = timedelta(days=days)
        for own in self.documents.values():
            for version in own.values():
                version.touched -= ago

    # ── who sees what ─────────────────────────────────────────────────────────────

    def sees(self, groups: Iterable[str], version: Version) -> bool:
        """Return whether somebody in these groups may view a version."""
        able = [g for g in groups if g not in self.powerless]
        above = {below for group, below in self.superiors if group in able}
        granted = set(able) | (above - self.powerless)
        return not version.groups or bool(granted & version.groups)

    def visible(self, groups: Iterable[str], number: int) -> list[int]:
        """Return the versions of a document that somebody in these groups may view."""
        own = self.documents.get(number, {})
        return sorted(v for v, version in own.items() if self.sees(groups, version))

    def listed(self, groups: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield the documents that these groups see, each with the latest version."""
        for number in self.documents:
            if shown := self.visible(groups, number):
                yield number, shown[-1]

    def changed(self, days: int, groups: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield what these groups see of what was touched within calendar days."""
        today = self.now.date()
        for number, version in self.listed(groups):
            touched = max(v.touched for v in self.documents[number].values())
            if 0 <= (today - touched.date()).days <= days and days > 0:
                yield number, version

    def readers(self, number: int, version: int) -> frozenset[str]:
        """Return who may view a version: groups by name, or the public."""
        own = self.documents[number][version]
        if not own.groups:
            return frozenset({PUBLIC})
        return frozenset(g for g in self.groups.values() if self.sees([g], own))
