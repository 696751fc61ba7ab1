"""Reads one document of a DocDB, all its versions, and tells for whom each is.

Every login that lists a document is asked, since each is told of its own versions only.
Of each document a mark is kept: what its versions say of their readers, so that these
can be worked out again when only a list has changed. Does not know which documents are
due.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.docdb_access import Judge, Rule, principals
from dunegpt.ingest.docdb_html import CLOSED, DELETED, Page
from dunegpt.ingest.docdb_lists import Lists
from dunegpt.ingest.docdb_objects import Reader
from dunegpt.ingest.docdb_site import Door, Site, View
from dunegpt.ingest.docdb_xml import Revision
from dunegpt.ingest.items import Item, Memory, Whole
from dunegpt.types import NOBODY, PUBLIC, Access, Document, Failure

_MOST_ASKED = 200
REASONS = {DELETED: "deleted at the source", CLOSED: "closed to us"}


@dataclass(slots=True)
class Mark:
    """What is kept of a document.

    Attributes:
        rules: For whom each version says that it is.
        seen: The latest version that each view was shown when it was read.
        look: The daily look that ``seen`` is newer than; lists of a later one hold.
        access: Whom each version was for when it was last told.
        full: The full pass in which it was read.
        read: The day on which it was read; empty: not to its end.
    """

    rules: dict[int, Rule]
    seen: dict[str, int]
    look: int
    access: dict[int, Access]
    full: int
    read: str

    @property
    def top(self) -> int:
        """The latest version."""
        return max(self.rules, default=-1)

    @classmethod
    def loaded(cls, kept: dict[str, Any]) -> "Mark":
        """Return the mark that was stored."""
        rules = {
            int(version): Rule(_names(*groups), _names(*proofs))
            for version, (groups, proofs) in kept["rules"].items()
        }
        access = {int(v): _names(*names) for v, names in kept["access"].items()}
        seen, look = kept["seen"], kept["look"]
        return cls(rules, seen, look, access, kept["full"], kept["read"])

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        rules = {
            str(version): [sorted(rule.groups), sorted(rule.proofs)]
            for version, rule in sorted(self.rules.items())
        }
        access = {str(v): sorted(names) for v, names in sorted(self.access.items())}
        kept = {"rules": rules, "seen": self.seen, "look": self.look}
        return kept | {"access": access, "full": self.full, "read": self.read}


@cache
def _names(*names: str) -> frozenset[str]:
    """Return a set of names; equal ones are one, since most documents have the same."""
    return frozenset(names)


def _has_text(stored: Document) -> bool:
    """Return whether what a version says is here; files are fetched when told."""
    own = [file.sha256 for file in stored.files if file.key == "about"]
    return bool(stored.access) and all(own)


class Documents:
    """The documents of one DocDB during one run."""

    def __init__(
        self,
        site: Site,
        reader: Reader,
        views: Sequence[View],
        lists: Lists,
        memory: Memory,
        *,
        prefix: str,
        full: int,
    ) -> None:
        self._site, self._reader, self._views = site, reader, views
        self._lists, self._memory = lists, memory
        self._prefix, self._full = prefix, full
        self._asked = 0
        self.judge = Judge()
        self.changed: Mapping[int, int] = {}
        self.changes: Mapping[str, Mapping[int, int]] = {}
        self.reach: dict[tuple[int, int], Door] = {}

    # ── marks ─────────────────────────────────────────────────────────────────────

    def mark(self, number: int) -> Mark | None:
        """Return what is kept of a document."""
        kept = self._memory.get(self._reader.holder(number))
        return Mark.loaded(kept) if kept else None

    def marks(self) -> Iterator[tuple[int, Mark]]:
        """Yield what is kept of all documents."""
        for key, kept in self._memory.below(self._reader.holder(0)[:-1]):
            number = self._reader.number(key)
            if number is not None and kept:
                yield number, Mark.loaded(kept)

    def shown(self, number: int, mark: Mark | None) -> dict[str, int]:
        """Return the latest version that each view is shown, by the newest look."""
        if mark and mark.look == self._lists.look:
            return mark.seen
        return self._lists.shown(number)

    # ── again, without a request ──────────────────────────────────────────────────

    def again(
        self, number: int, mark: Mark, known: set[str]
    ) -> Generator[Item, None, bool]:
        """Yield the versions of a document whose readers are others now.

        Nothing is asked. Returns whether something must be: a version that is shown
        anew, or was for nobody, has not all its bytes here.

        Args:
            number: Of the document.
            mark: What is kept of it.
            known: Ids of the documents that are shown here.
        """
        is_lacking = False
        readers = self._readers(mark.rules, self.shown(number, mark))
        for version, access in readers.items():
            own = self._reader.id(number, version)
            if mark.access.get(version) == access and own in known:
                continue
            stored = self._memory.document(own)
            if stored is None or (access and not _has_text(stored)):
                is_lacking = True
                access = NOBODY  # noqa: PLW2901 - until it is read
            if stored is not None:
                evidence = self._evidence(mark, version)
                yield self._reader.shown(stored, access, evidence)
        if mark.read and not is_lacking and readers != mark.access:
            mark.access = readers
            self._memory.put(self._reader.holder(number), mark.stored())
        return is_lacking

    # ── anew ──────────────────────────────────────────────────────────────────────

    def read(self, number: int) -> Iterator[Item]:
        """Yield all versions of a document, and that these are all.

        Raises:
            SourceError: It cannot be told what there is.
        """
        found, proofs, door = self._versions(number)
        if not found or door is None:
            yield self.lost(number, is_listed=bool(self._doors(number)))
            return
        page, failure = self._page(door, number)
        before = self.mark(number)
        seen = dict(self._seen(number))
        rules = {v: Rule(r.viewgroups, proofs[v]) for v, r in found.items()}
        if 0 not in found and any(0 in r.versions for r in found.values()):
            lowest = rules[min(rules)]
            rules[0] = replace(lowest, proofs=frozenset())
        self._confirm(number, rules, seen)
        gone = {v: self._why_gone(door, number, v) for v in self._gone(before, rules)}
        mark = Mark(rules, seen, self._lists.look, {}, self._full, "")
        if before and before.rules != rules:
            # Until all of it is stored, it counts as not read.
            self._memory.put(self._reader.holder(number), mark.stored())
        yield from self._documents(number, found, page, mark)
        if failure:
            yield failure
        for version, reason in gone.items():
            yield Whole(self._reader.id(number, version), frozenset(), reason)
        ids = frozenset(self._reader.id(number, v) for v in rules)
        yield Whole(self._reader.holder(number), ids)
        mark.access = self._readers(rules, seen)
        mark.read = datetime.now(UTC).date().isoformat()
        self._memory.put(self._reader.holder(number), mark.stored())

    def lost(self, number: int, *, is_listed: bool) -> Whole:
        """Return what became of a document that no login is shown.

        Gone it is in any case where no list has it either; the page for people only
        says why.

        Raises:
            SourceError: It is listed, and the page says that it is shown, or nothing.
        """
        fate = CLOSED
        try:
            for door in self._site.doors:
                fate = self._site.fate(door, number)
                if fate != CLOSED:
                    break
        except SourceFormatError:
            if is_listed:
                raise
            fate = ""
        if fate in REASONS:
            self._memory.put(self._reader.holder(number), None)
        elif is_listed:
            raise SourceFormatError(
                f"Document {number} exists, and its versions are not shown to us."
            )
        # Its mark stays where it may be back: then it need not be read for that.
        reason = REASONS.get(fate, "no longer listed")
        return Whole(self._reader.holder(number), frozenset(), reason)

    def door_of(self, number: int, version: int) -> Door:
        """Return the login that is most likely shown a version."""
        if (number, version) in self.reach:
            return self.reach[number, version]
        for door in self._site.doors:
            if self._lists.doors.get(door.name, {}).get(number, -1) >= version:
                return door
        return self._site.doors[0]

    # ── one document's parts ──────────────────────────────────────────────────────

    def _doors(self, number: int) -> list[tuple[Door, int]]:
        """Return who lists a document, with the version; the public if nobody else."""
        found = [
            (door, self._lists.doors[door.name][number])
            for door in self._site.doors
            if number in self._lists.doors.get(door.name, {})
        ]
        logins = [(door, v) for door, v in found if door.group != PUBLIC]
        return logins or found

    def _versions(
        self, number: int
    ) -> tuple[dict[int, Revision], dict[int, frozenset[str]], Door | None]:
        """Return all versions that any login is shown, and which group saw which."""
        found: dict[int, Revision] = {}
        proofs: dict[int, frozenset[str]] = {}
        first = None
        for door, listed in self._doors(number):
            top = self._site.revision(door, number, listed)
            if top is None:
                continue
            first = first or door
            for version in sorted(top.versions, reverse=True):
                if version == 0 and top.version != 0:
                    continue
                one: Revision | None = top
                if version != top.version:
                    one = found.get(version) or self._site.revision(
                        door, number, version
                    )
                if one is None:
                    raise SourceFormatError(
                        f"Version {version} of document {number} is listed, and not"
                        " shown."
                    )
                found[version] = one
                self.reach.setdefault((number, version), door)
                if door.group:
                    seen = proofs.get(version, frozenset())
                    proofs[version] = seen | {door.group}
        return found, {v: proofs.get(v, frozenset()) for v in found}, first

    def _page(self, door: Door, number: int) -> tuple[Page | None, Failure | None]:
        """Return what the page for people adds, or why that could not be had.

        Without it a document lacks its status and the sizes of its files, no more.

        Raises:
            SourceLoginError: The login has lapsed.
        """
        try:
            return self._site.page(door, number), None
        except SourceFormatError as error:
            where = f"{self._reader.holder(number)}#page"
            return None, Failure(where, "list", type(error).__name__, str(error))

    def _documents(
        self, number: int, found: dict[int, Revision], page: Page | None, mark: Mark
    ) -> Iterator[Document]:
        readers = self._readers(mark.rules, mark.seen)
        below: int | None = 0 if 0 in mark.rules and 0 not in found else None
        for version in sorted(found):
            own = page if page and page.version == version else None
            document = self._reader.document(found[version], own, below)
            if below == 0 and 0 not in found:
                placeholder = self._reader.reserved(document, number)
                evidence = self._evidence(mark, 0)
                yield self._reader.shown(placeholder, readers[0], evidence)
            evidence = self._evidence(mark, version)
            yield self._reader.shown(document, readers[version], evidence)
            below = version

    def _readers(
        self, rules: Mapping[int, Rule], seen: Mapping[str, int]
    ) -> dict[int, Access]:
        """Return the principals of each version."""
        return {
            version: principals(self._prefix, self.judge.readers(version, rule, seen))
            for version, rule in rules.items()
        }

    def _evidence(self, mark: Mark, version: int) -> str:
        rule = mark.rules[version]
        groups = ", ".join(sorted(rule.groups)) or "everybody"
        return f"says it is for {groups}; lists of {len(self._views)} views looked at"

    def _seen(self, number: int) -> Mapping[str, int]:
        """Return what the views are shown: by today's lists, or by the daily ones."""
        if number in self.changed:
            return {
                name: rows[number]
                for name, rows in self.changes.items()
                if number in rows
            }
        return self.shown(number, self.mark(number))

    def _confirm(
        self, number: int, rules: Mapping[int, Rule], seen: dict[str, int]
    ) -> None:
        """Ask, as each group that should be shown a version and is not listed with it.

        A list is older than the document may be, or has left it out.
        """
        for view in self._views:
            for version in sorted(rules, reverse=True):
                if version <= seen.get(view.name, -1):
                    break
                if not self.judge.explains(view.name, False, rules[version]):
                    continue
                if self._asked >= _MOST_ASKED or (version == 0 and len(rules) > 1):
                    break
                self._asked += 1
                if self._site.sees(view, number, version):
                    seen[view.name] = version
                    break

    def _gone(self, before: Mark | None, rules: Mapping[int, Rule]) -> list[int]:
        return sorted(before.rules.keys() - rules.keys()) if before else []

    def _why_gone(self, door: Door, number: int, version: int) -> str:
        if version == 0:
            return "no longer listed"
        fate = self._site.fate(door, number, version)
        if fate not in REASONS:
            raise SourceFormatError(
                f"Version {version} of document {number} is shown, and not listed."
            )
        return REASONS[fate]
