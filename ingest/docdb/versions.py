"""Reads one DocDB document with all its versions, and determines who may read each.

Every login that lists a document is asked, since each sees only its own versions. A
`DocumentState` is stored per document, with what its versions say about access, so that
access can be computed again when only a list has changed. Does not decide which
documents are due.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from dunegpt.access import NOBODY, PUBLIC, Access
from dunegpt.errors import SourceFormatError
from dunegpt.ingest.docdb.access import AccessJudge, VersionRule, build_principals
from dunegpt.ingest.docdb.client import DocDBClient, Endpoint, GroupView
from dunegpt.ingest.docdb.documents import RecordParser, parse_file_url
from dunegpt.ingest.docdb.group_lists import DocumentLists
from dunegpt.ingest.docdb.html_pages import CLOSED, DELETED, DocumentPage
from dunegpt.ingest.docdb.replaced_files import FileRecords, is_another_file
from dunegpt.ingest.docdb.xml_records import Revision
from dunegpt.ingest.items import CompleteListing, Item, SourceState
from dunegpt.ingest.sync import today
from dunegpt.types import Document, Failure, FileRef

_MAX_PROBES = 200
_UNKNOWN_GROUP = "(unknown)"
"""Of a reserved number that has a version by now: DocDB shows it to nobody any more."""
REMOVAL_REASONS = {DELETED: "deleted at the source", CLOSED: "closed to us"}


@dataclass(slots=True)
class DocumentState:
    """What is stored about a document between runs.

    Attributes:
        version_rules: Who may read each version, by its record.
        shown_versions: The latest version that each view saw when it was read.
        lists_generation: Generation of the lists at that time; newer lists take
            precedence over ``shown_versions``.
        access: Access of each version as it was last yielded.
        full_pass: Number of the full pass in which it was read.
        read_on: The day on which it was read; empty if it was not read completely.
        files: What its files were like.
        closed: Versions that were shown once and are closed to us now.
    """

    version_rules: dict[int, VersionRule]
    shown_versions: dict[str, int]
    lists_generation: int
    access: dict[int, Access]
    full_pass: int
    read_on: str
    files: FileRecords = field(default_factory=FileRecords)
    closed: frozenset[int] = frozenset()

    @property
    def latest_version(self) -> int:
        """The latest version."""
        return max(self.version_rules, default=-1)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "DocumentState":
        """Return the stored state."""
        rules = {
            int(version): VersionRule(_intern_names(*groups), _intern_names(*proofs))
            for version, (groups, proofs) in kept["rules"].items()
        }
        access = {int(v): _intern_names(*names) for v, names in kept["access"].items()}
        seen, look = kept["seen"], kept["look"]
        files = FileRecords(kept.get("sizes", {}), kept.get("replaced", {}))
        closed = frozenset(kept.get("closed", ()))
        return cls(rules, seen, look, access, kept["full"], kept["read"], files, closed)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        rules = {
            str(version): [sorted(rule.groups), sorted(rule.shown_to)]
            for version, rule in sorted(self.version_rules.items())
        }
        access = {str(v): sorted(names) for v, names in sorted(self.access.items())}
        kept = {
            "rules": rules,
            "seen": self.shown_versions,
            "look": self.lists_generation,
        }
        kept |= {"access": access, "full": self.full_pass, "read": self.read_on}
        if self.closed:
            kept["closed"] = sorted(self.closed)
        if self.files.sizes:
            kept["sizes"] = self.files.sizes
        if self.files.replacements:
            kept["replaced"] = self.files.replacements
        return kept


@cache
def _intern_names(*names: str) -> frozenset[str]:
    """Return a set of names; equal ones are one, since most documents have the same."""
    return frozenset(names)


def _has_text(stored: Document) -> bool:
    """Return whether what a version says is here; files are fetched when told."""
    own = [file.sha256 for file in stored.files if file.key == "about"]
    return bool(stored.access) and all(own)


class DocumentReader:
    """The documents of one DocDB during one run."""

    def __init__(
        self,
        site: DocDBClient,
        reader: RecordParser,
        views: Sequence[GroupView],
        lists: DocumentLists,
        memory: SourceState,
        *,
        prefix: str,
        full: int,
        checks_files: bool = False,
    ) -> None:
        """Prepare to read.

        Args:
            site: For the requests.
            reader: Builds documents.
            views: Of the groups and the public.
            lists: Of this run.
            memory: State of the source.
            prefix: Of ids and principals.
            full: Number of the full pass.
            checks_files: Ask the web server whether stored files were replaced.
        """
        self._client, self._parser, self._views = site, reader, views
        self._document_lists, self._state = lists, memory
        self._prefix, self._full_pass = prefix, full
        self._probe_count = 0
        self._checks_files, self._stored_read_on = checks_files, ""
        self.judge = AccessJudge()
        self.recent_changes: Mapping[int, int] = {}
        self.changes_by_view: Mapping[str, Mapping[int, int]] = {}
        self.endpoints_by_version: dict[tuple[int, int], list[Endpoint]] = {}

    # ── states ────────────────────────────────────────────────────────────────────

    def get_state(self, number: int) -> DocumentState | None:
        """Return the stored state of a document."""
        kept = self._state.get(self._parser.document_id(number))
        return DocumentState.from_json(kept) if kept else None

    def iter_states(self) -> Iterator[tuple[int, DocumentState]]:
        """Yield the stored states of all documents."""
        for key, kept in self._state.items_with_prefix(
            self._parser.document_id(0)[:-1]
        ):
            number = self._parser.parse_number(key)
            if number is not None and kept:
                yield number, DocumentState.from_json(kept)

    def latest_by_view(self, number: int, mark: DocumentState | None) -> dict[str, int]:
        """Return the latest version that each view is shown, by the newest look."""
        if mark and mark.lists_generation == self._document_lists.generation:
            return mark.shown_versions
        return self._document_lists.latest_by_view(number)

    # ── again, without a request ──────────────────────────────────────────────────

    def update_access(
        self, number: int, mark: DocumentState, known: set[str]
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
        readers = self._version_principals(
            mark.version_rules, self.latest_by_view(number, mark)
        )
        for version, access in readers.items():
            own = self._parser.version_id(number, version)
            if mark.access.get(version) == access and own in known:
                continue
            stored = self._state.get_document(own)
            if stored is None or (access and not _has_text(stored)):
                is_lacking = True
                access = NOBODY  # noqa: PLW2901 - until it is read
            if stored is not None:
                evidence = self._format_evidence(mark, version)
                yield self._parser.with_access(stored, access, evidence)
        if mark.read_on and not is_lacking and readers != mark.access:
            mark.access = readers
            self._state.put(self._parser.document_id(number), mark.to_json())
        return is_lacking

    # ── anew ──────────────────────────────────────────────────────────────────────

    def read(self, number: int) -> Iterator[Item]:
        """Yield all versions of a document, and that these are all.

        Raises:
            SourceError: It cannot be told what there is.
        """
        found, proofs, door = self._fetch_versions(number)
        if not found or door is None:
            yield self.resolve_missing(
                number, is_listed=bool(self._listing_endpoints(number))
            )
            return
        page, failure = self._fetch_page(door, number)
        before = self.get_state(number)
        seen = dict(self._current_versions_by_view(number))
        rules = {v: VersionRule(r.view_groups, proofs[v]) for v, r in found.items()}
        if 0 not in found and any(0 in r.versions for r in found.values()):
            rules[0] = VersionRule(frozenset({_UNKNOWN_GROUP}))
        self._probe_views(number, rules, seen)
        gone = {
            v: self._removal_reason(door, number, v)
            for v in self._removed_versions(before, rules)
        }
        mark = DocumentState(
            rules,
            seen,
            self._document_lists.generation,
            {},
            self._full_pass,
            "",
            before.files if before else FileRecords(),
            self._closed_versions(before, gone) - rules.keys(),
        )
        self._stored_read_on = before.read_on if before else ""
        if before and before.version_rules != rules:
            # Until all of it is stored, it counts as not read.
            self._state.put(self._parser.document_id(number), mark.to_json())
        yield from self._build_documents(number, found, page, mark)
        if failure:
            yield failure
        for version, reason in gone.items():
            yield CompleteListing(
                self._parser.version_id(number, version), frozenset(), reason
            )
        ids = frozenset(self._parser.version_id(number, v) for v in rules)
        yield CompleteListing(self._parser.document_id(number), ids)
        mark.access = self._version_principals(rules, seen)
        mark.read_on = today()
        self._state.put(self._parser.document_id(number), mark.to_json())

    def resolve_missing(self, number: int, *, is_listed: bool) -> CompleteListing:
        """Return what became of a document that no login is shown.

        Gone it is in any case where no list has it either; the page for people only
        says why.

        Raises:
            SourceError: It is listed, and the page says that it is shown, or nothing.
        """
        fate = CLOSED
        try:
            for door in self._client.endpoints:
                fate = self._client.fetch_availability(door, number)
                if fate != CLOSED:
                    break
        except SourceFormatError:
            if is_listed:
                raise
            fate = ""
        if fate in REMOVAL_REASONS:
            self._state.put(self._parser.document_id(number), None)
        elif is_listed:
            raise SourceFormatError(
                f"Document {number} exists, but its versions are not visible to us."
            )
        # Its mark stays where it may be back: then it need not be read for that.
        reason = REMOVAL_REASONS.get(fate, "no longer listed")
        return CompleteListing(self._parser.document_id(number), frozenset(), reason)

    def endpoints_for(self, number: int, version: int) -> list[Endpoint]:
        """Return the logins that are likely shown a version; the likeliest come first.

        A login that is not shown the version is not asked for its files.
        """
        seen = self.endpoints_by_version.get((number, version), [])
        lists = self._document_lists.by_endpoint
        likely = [
            door
            for door in self._client.endpoints
            if lists.get(door.name, {}).get(number, -1) >= version
        ]
        found = [door for door in seen if door in self._client.endpoints]
        found += [door for door in likely if door not in found]
        return found or self._client.endpoints[:1]

    # ── one document's parts ──────────────────────────────────────────────────────

    def _listing_endpoints(self, number: int) -> list[tuple[Endpoint, int]]:
        """Return who lists a document, with the version; the public if nobody else."""
        found = [
            (door, self._document_lists.by_endpoint[door.name][number])
            for door in self._client.endpoints
            if number in self._document_lists.by_endpoint.get(door.name, {})
        ]
        logins = [(door, v) for door, v in found if door.group != PUBLIC]
        return logins or found

    def _fetch_versions(
        self, number: int
    ) -> tuple[dict[int, Revision], dict[int, frozenset[str]], Endpoint | None]:
        """Return all versions that any login is shown, and which group saw which."""
        found: dict[int, Revision] = {}
        proofs: dict[int, frozenset[str]] = {}
        first = None
        for door, listed in self._listing_endpoints(number):
            top = self._client.fetch_revision(door, number, listed)
            if top is None:
                continue
            first = first or door
            for version in sorted(top.versions, reverse=True):
                if version == 0 and top.version != 0:
                    continue
                one: Revision | None = top
                if version != top.version:
                    one = found.get(version) or self._client.fetch_revision(
                        door, number, version
                    )
                if one is None:
                    raise SourceFormatError(
                        f"Version {version} of document {number} is listed, but not"
                        " visible."
                    )
                found[version] = one
                self.endpoints_by_version.setdefault((number, version), []).append(door)
                if door.group:
                    seen = proofs.get(version, frozenset())
                    proofs[version] = seen | {door.group}
        return found, {v: proofs.get(v, frozenset()) for v in found}, first

    def _fetch_page(
        self, door: Endpoint, number: int
    ) -> tuple[DocumentPage | None, Failure | None]:
        """Return what the page for people adds, or why that could not be had.

        Without it a document lacks its status and the sizes of its files, no more.

        Raises:
            SourceLoginError: The login has lapsed.
        """
        try:
            return self._client.fetch_page(door, number), None
        except SourceFormatError as error:
            where = f"{self._parser.document_id(number)}#page"
            return None, Failure(where, "list", type(error).__name__, str(error))

    def _build_documents(
        self,
        number: int,
        found: dict[int, Revision],
        page: DocumentPage | None,
        mark: DocumentState,
    ) -> Iterator[Document]:
        readers = self._version_principals(mark.version_rules, mark.shown_versions)
        below: int | None = 0 if 0 in mark.version_rules and 0 not in found else None
        for version in sorted(found):
            own = page if page and page.version == version else None
            document = self._parser.build_document(found[version], own, below)
            document = mark.files.update(
                document, version, own.sizes if own else {}, self._is_replaced
            )
            if below == 0 and 0 not in found:
                placeholder = self._parser.build_placeholder(document, number)
                evidence = self._format_evidence(mark, 0)
                yield self._parser.with_access(placeholder, readers[0], evidence)
            evidence = self._format_evidence(mark, version)
            yield self._parser.with_access(document, readers[version], evidence)
            below = version

    def _is_replaced(self, file: FileRef) -> bool:
        """Return, in a full pass, whether the web server has another file by now."""
        if not self._checks_files or not self._stored_read_on:
            return False
        number, version, encoded = parse_file_url(file.url)
        own = self._state.get_document(self._parser.version_id(number, version))
        stored = {f.key: f for f in own.files}.get(file.key) if own else None
        if stored is None or not stored.sha256:
            return False
        door = self.endpoints_for(number, version)[0]
        stamp = self._client.fetch_file_stamp(door, number, version, encoded)
        return is_another_file(stamp, stored, self._stored_read_on)

    def _version_principals(
        self, rules: Mapping[int, VersionRule], seen: Mapping[str, int]
    ) -> dict[int, Access]:
        """Return the principals of each version."""
        return {
            version: build_principals(
                self._prefix, self.judge.allowed_views(version, rule, seen)
            )
            for version, rule in rules.items()
        }

    def _format_evidence(self, mark: DocumentState, version: int) -> str:
        rule = mark.version_rules[version]
        groups = ", ".join(sorted(rule.groups)) or "everybody"
        return f"says it is for {groups}; lists of {len(self._views)} views looked at"

    def _current_versions_by_view(self, number: int) -> Mapping[str, int]:
        """Return what the views are shown: by today's lists, or by the daily ones."""
        if number in self.recent_changes:
            return {
                name: rows[number]
                for name, rows in self.changes_by_view.items()
                if number in rows
            }
        return self.latest_by_view(number, self.get_state(number))

    def _probe_views(
        self, number: int, rules: Mapping[int, VersionRule], seen: dict[str, int]
    ) -> None:
        """Ask, as each group that should be shown a version and is not listed with it.

        A list is older than the document may be, or has left it out.
        """
        for view in self._views:
            for version in sorted(rules, reverse=True):
                if version <= seen.get(view.name, -1):
                    break
                if not self.judge.grants_access(view.name, False, rules[version]):
                    continue
                if self._probe_count >= _MAX_PROBES or (
                    version == 0 and len(rules) > 1
                ):
                    break
                self._probe_count += 1
                if self._client.can_view(view, number, version):
                    seen[view.name] = version
                    break

    def _removed_versions(
        self, before: DocumentState | None, rules: Mapping[int, VersionRule]
    ) -> list[int]:
        return sorted(before.version_rules.keys() - rules.keys()) if before else []

    def _closed_versions(
        self, before: DocumentState | None, gone: Mapping[int, str]
    ) -> frozenset[int]:
        """Return the versions that were closed to us, now or earlier."""
        closed = {v for v, why in gone.items() if why == REMOVAL_REASONS[CLOSED]}
        return frozenset(closed) | (before.closed if before else frozenset())

    def _removal_reason(self, door: Endpoint, number: int, version: int) -> str:
        if version == 0:
            return "no longer listed"
        fate = self._client.fetch_availability(door, number, version)
        if fate not in REMOVAL_REASONS:
            raise SourceFormatError(
                f"Version {version} of document {number} is visible, but not listed."
            )
        return REMOVAL_REASONS[fate]
