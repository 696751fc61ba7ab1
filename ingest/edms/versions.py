"""Reads one EDMS document with all its versions, and determines who may read each.

A version is public if an anonymous visitor can download one of its files. Otherwise it,
and its other files, are for the readers whom the settings name for its part of the
tree, if any. A `DocumentState` is stored per document. Does not decide which documents
are due.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain

from dunegpt.access import NOBODY, PUBLIC
from dunegpt.document_status import classify_status
from dunegpt.errors import FetchError, SourceError, SourceLoginError
from dunegpt.ingest.edms.documents import RecordParser, file_key
from dunegpt.ingest.edms.nodes import NodeTree
from dunegpt.ingest.edms.public_check import (
    RECHECK_AFTER,
    PublicCheck,
    PublicChecker,
    build_checksum,
)
from dunegpt.ingest.edms.state import DocumentState, VersionState
from dunegpt.ingest.edms.transport import (
    Transport,
    Unavailable,
    VersionFile,
    VersionRecord,
    choose_files,
    is_cad,
    previous_version,
    version_sort_key,
)
from dunegpt.ingest.items import Alarm, CompleteListing, Item, SourceState, Unchanged
from dunegpt.ingest.sync import today
from dunegpt.types import Document, Failure, FileRef

_MAX_VERSIONS = 200
_FROZEN_DAYS = 30
_REMOVAL_REASONS = {
    Unavailable.NOT_FOUND: "not found at the source",
    Unavailable.CLOSED: "closed to us",
}


class DocumentReader:
    """The documents of one EDMS during one run."""

    def __init__(
        self,
        transport: Transport,
        reader: RecordParser,
        proofs: PublicChecker,
        memory: SourceState,
        tree: NodeTree,
        full: int,
    ) -> None:
        self._transport, self._parser, self._checker = transport, reader, proofs
        self._state, self._tree, self._full_pass = memory, tree, full
        self.sha256_by_file: dict[tuple[str, str, str], str] = {}
        self.cited_versions: dict[str, set[str]] = {}
        self.visible_ids: frozenset[str] = frozenset()
        self.vanished_count = 0
        self._reported: set[str] = set()

    # ── marks ─────────────────────────────────────────────────────────────────────

    def get_state(self, number: str) -> DocumentState | None:
        """Return what is kept of a document."""
        kept = self._state.get(self._parser.parent_id(number))
        return DocumentState.from_json(kept) if kept else None

    def iter_states(self) -> Iterator[tuple[str, DocumentState]]:
        """Yield what is kept of all documents."""
        for key, kept in self._state.items_with_prefix(self._parser.parent_id("")):
            if kept and (number := self._parser.parse_number(key)):
                yield number, DocumentState.from_json(kept)

    def _save_state(self, number: str, mark: DocumentState) -> None:
        holder, kept = self._parser.parent_id(number), mark.to_json()
        if self._state.get(holder) != kept:
            self._state.put(holder, kept)

    # ── one document ──────────────────────────────────────────────────────────────

    def read(self, number: str, *, whole: bool) -> Iterator[Item]:
        """Yield the versions of a document, and that these are all.

        Args:
            number: Of the document.
            whole: Also versions that were frozen when they were last read.

        Raises:
            SourceError: It cannot be told what there is.
        """
        known = self.get_state(number) or DocumentState()
        latest = self._fetch_latest(number, known)
        if isinstance(latest, Unavailable):
            yield from self._mark_missing(number, known, latest)
            return
        mark = DocumentState(today(), self._full_pass, self._tree.access_of(number))
        found, problems = self._find_versions(latest, known)
        yield from problems
        previous = None
        for version in sorted(found, key=version_sort_key):
            old = known.versions.get(version)
            own = self._parser.version_id(number, version)
            is_frozen = old and old.settled and old.before == previous
            if old and is_frozen and self._can_skip(version, latest, old, known, whole):
                mark.versions[version] = old
                yield Unchanged(frozenset({own}))
            else:
                made = yield from self._read_version(
                    number, version, found, previous, old
                )
                if made is None:
                    del found[version]
                    continue
                mark.versions[version] = made
            previous = version
        failed = {p.id for p in problems if isinstance(p, Failure)}
        ids = {self._parser.version_id(number, version) for version in found}
        yield CompleteListing(self._parser.parent_id(number), frozenset(ids | failed))
        self._save_state(number, mark)

    def restrict_access(self, number: str, mark: DocumentState) -> Iterator[Document]:
        """Yield the versions of a document for those only who may still read them.

        Nothing is asked: the tree has changed, and the document will be read for that.
        """
        readers = mark.readers & self._tree.access_of(number)
        told = self._tree.access_evidence(number)
        for version in mark.versions:
            own = self._parser.version_id(number, version)
            stored = self._state.get_document(own)
            if stored is None or own not in self.visible_ids:
                continue
            files = tuple(
                file
                if PUBLIC in file.access
                else replace(file, access=file.access & readers, evidence=told)
                for file in stored.files
            )
            if PUBLIC in stored.access:
                yield replace(stored, files=files)
            else:
                access = stored.access & readers
                yield replace(stored, access=access, evidence=told, files=files)

    def _mark_missing(
        self, number: str, mark: DocumentState, fate: Unavailable
    ) -> Iterator[Item]:
        """Yield that a document is not shown, and keep that.

        What is not found once is hidden; if it is not found on another day, it is gone.
        """
        if fate is Unavailable.CLOSED:
            yield CompleteListing(
                self._parser.parent_id(number), frozenset(), _REMOVAL_REASONS[fate]
            )
            mark.closed, mark.missing = True, ""
        else:
            is_second = mark.missing not in {"", today()}
            reason = (
                _REMOVAL_REASONS[fate]
                if is_second
                else f"{_REMOVAL_REASONS[fate]}, for the first time"
            )
            holder = self._parser.parent_id(number)
            yield CompleteListing(
                holder, frozenset(), reason, keep_hidden=not is_second
            )
            self.vanished_count += bool(mark.versions) and not mark.missing
            if is_second:
                mark.versions = {}
            mark.missing, mark.closed = mark.missing or today(), False
        mark.read, mark.full = today(), self._full_pass
        self._save_state(number, mark)

    # ── versions ──────────────────────────────────────────────────────────────────

    def _fetch_latest(
        self, number: str, known: DocumentState
    ) -> VersionRecord | Unavailable:
        """Return the latest version that is shown.

        While a new one is in work and closed to us, those before it may still be shown.

        Raises:
            SourceError: It cannot be told.
        """
        found = self._transport.get_document(number)
        if found is not Unavailable.CLOSED:
            return found
        versions = known.versions.keys() | self.cited_versions.get(number, set())
        for version in sorted(versions, key=version_sort_key, reverse=True):
            own = self._transport.get_document(number, version)
            if isinstance(own, VersionRecord):
                return own
        return found

    def _find_versions(
        self, latest: VersionRecord, known: DocumentState
    ) -> tuple[dict[str, VersionRecord | None], list[Item]]:
        """Return the versions that exist, those asked for already with what was told.

        Where none are listed, they are counted down from the latest; others are those
        that were known or are cited.
        """
        found: dict[str, VersionRecord | None] = {latest.version: latest}
        problems: list[Item] = []
        if latest.versions is not None:
            found = dict.fromkeys(latest.versions) | found
            return found, problems
        asked = [*known.versions, *sorted(self.cited_versions.get(latest.number, ()))]
        for version in dict.fromkeys(asked):
            found.setdefault(version)
        version = previous_version(latest.version)
        for _ in range(_MAX_VERSIONS):
            if not version or version in found:
                version = previous_version(version)
                continue
            own = self._fetch_version(latest.number, version)
            if isinstance(own, Failure):
                problems.append(own)
            elif own is Unavailable.NOT_FOUND:
                break
            elif isinstance(own, VersionRecord):
                found[version] = own
            version = previous_version(version)
        return found, problems

    def _can_skip(
        self,
        version: str,
        latest: VersionRecord,
        old: VersionState,
        known: DocumentState,
        whole: bool,
    ) -> bool:
        """Return whether a frozen version need not be asked for now."""
        if whole or version == latest.version:
            return False
        if self._tree.access_of(latest.number) != known.readers:
            return False
        now = datetime.now(UTC)
        age = now.date() - date.fromisoformat(old.read)
        own = self._parser.version_id(latest.number, version)
        stored = self._state.get_document(own)
        if not stored or own not in self.visible_ids or old.failed:
            return False
        is_whole = all(file.sha256 for file in stored.files if file.access)
        looked = all(
            proof.is_newer_than(RECHECK_AFTER, now) for proof in old.proofs.values()
        )
        return is_whole and age.days < _FROZEN_DAYS and looked

    def _fetch_version(
        self, number: str, version: str
    ) -> VersionRecord | Unavailable | Failure:
        """Return a version, or why it cannot be told.

        Raises:
            SourceLoginError: Nothing can be told at present.
        """
        try:
            return self._transport.get_document(number, version)
        except SourceLoginError:
            raise
        except SourceError as error:
            own = self._parser.version_id(number, version)
            return Failure(own, "list", type(error).__name__, str(error))

    def _read_version(
        self,
        number: str,
        version: str,
        found: dict[str, VersionRecord | None],
        previous: str | None,
        old: VersionState | None,
    ) -> Generator[Item, None, VersionState | None]:
        """Yield a version with what went wrong; return its mark, None without one."""
        own = found[version] or self._fetch_version(number, version)
        if isinstance(own, Failure):
            yield own
            found[version] = None
            return old or VersionState("")
        if isinstance(own, Unavailable):
            return None
        mark = VersionState(
            today(), previous, classify_status(own.status) in {"approved", "withdrawn"}
        )
        for item in chain(
            self._report_remarks(own), self._build_document(own, mark, old)
        ):
            mark.failed |= isinstance(item, Failure)
            yield item
        return mark

    def _report_remarks(self, doc: VersionRecord) -> Iterator[Item]:
        own = self._parser.version_id(doc.number, doc.version)
        for part, told in doc.remarks:
            yield Failure(f"{own}#{part}", "list", "SourceFormatError", told)
        if doc.files is None and "files" not in self._reported:
            self._reported.add("files")
            told = "EDMS lists no files: documents are known by their metadata."
            yield Alarm(told, is_critical=False)

    # ── files and readers ─────────────────────────────────────────────────────────

    def _build_document(
        self, doc: VersionRecord, mark: VersionState, old: VersionState | None
    ) -> Iterator[Item]:
        """Yield a version for its readers, after what went wrong with its files."""
        stored = self._state.get_document(
            self._parser.version_id(doc.number, doc.version)
        )
        kept = {file.key: file for file in stored.files} if stored else {}
        files, left = choose_files(doc.files or ())
        refs: list[FileRef] = []
        self._checker.discard_downloads()
        for told in files:
            file = _with_frozen_stamp(told) if mark.settled else told
            here = kept.get(file_key(file.name))
            if why := self._skip_reason(file):
                left[file.name] = why
                yield self._file_failure(doc, file, "fetch", f"{file.name}: {why}.")
                refs.append(self._build_unfetched_file(doc, file, why))
                continue
            known = old.proofs.get(file_key(file.name)) if old else None
            place = (doc.number, doc.version)
            proof, problem = self._checker.check(place, file, known, here)
            if problem:
                yield self._file_failure(doc, file, "list", problem)
            if proof:
                mark.proofs[file_key(file.name)] = proof
            refs.append(self._build_file(doc, file, proof, here))
        public = [ref.evidence for ref in refs if PUBLIC in ref.access]
        access = frozenset({PUBLIC}) if public else self._tree.access_of(doc.number)
        evidence = public[0] if public else self._tree.access_evidence(doc.number)
        nodes = self._tree.node_titles(doc.number)
        if public:
            # Whoever sees a public document need not see the tree, nor other files.
            names = {ref.name for ref in refs if PUBLIC in ref.access}
            shown = tuple(file for file in doc.files or () if file.name in names)
            doc, nodes = replace(doc, files=shown), {}
        made = self._parser.build_document(doc, mark.before, nodes, left)
        record = replace(made.files[0], access=access, evidence=evidence)
        yield replace(made, access=access, evidence=evidence, files=(record, *refs))

    def _file_failure(
        self, doc: VersionRecord, file: VersionFile, stage: str, message: str
    ) -> Failure:
        """Return what is wrong with a file, or with the look at it as a visitor."""
        own = (
            f"{self._parser.version_id(doc.number, doc.version)}#{file_key(file.name)}"
        )
        where = own if stage == "fetch" else f"{own}/public"
        return Failure(where, stage, FetchError.__name__, message)

    def _build_unfetched_file(
        self, doc: VersionRecord, file: VersionFile, why: str
    ) -> FileRef:
        size = file.size_bytes
        return self._parser.build_file(
            doc, file, access=NOBODY, evidence=why, size_bytes=size
        )

    def _build_file(
        self,
        doc: VersionRecord,
        file: VersionFile,
        proof: PublicCheck | None,
        here: FileRef | None,
    ) -> FileRef:
        """Return a file for its readers; note the hash that its bytes must have."""
        place = (doc.number, doc.version, file.name)
        self.sha256_by_file.pop(place, None)
        is_public = bool(proof and proof.sha256)
        if proof and is_public:
            self.sha256_by_file[place] = proof.sha256
        said = self._tree.access_evidence(doc.number)
        told = "; ".join(filter(None, (proof.told if proof else "", said)))
        inner = self._tree.access_of(doc.number)
        return self._parser.build_file(
            doc,
            file,
            access=frozenset({PUBLIC}) if is_public else inner,
            evidence=proof.told if proof and is_public else told,
            checksum=build_checksum(file, proof, here),
        )

    def _skip_reason(self, file: VersionFile) -> str:
        """Return why a file is listed and not fetched; empty if it is."""
        if is_cad(file.name):
            return "CAD: listed only, not fetched"
        size = file.size_bytes or 0
        if size > self._checker.max_bytes:
            return f"{size:,} bytes: too large, listed only, not fetched"
        return ""


def _with_frozen_stamp(file: VersionFile) -> VersionFile:
    """Return a file of a released version: it stays as it is, told or not."""
    return file if file.stamp else replace(file, stamp=f"frozen,{file.size_bytes}")
