"""Reads one document of an EDMS, all its versions, and tells for whom each is.

A version is public if a visitor was given one of its files; else, and for its other
files, it is for those whom the owner of its part of the tree named, if anybody. Of each
document a mark is kept. Does not know which documents are due.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain

from dunegpt.errors import FetchError, SourceError, SourceLoginError
from dunegpt.ingest.edms_marks import Mark, VersionMark, today
from dunegpt.ingest.edms_objects import Reader, key_of
from dunegpt.ingest.edms_proofs import AGAIN, Proof, Proofs, checksum_of
from dunegpt.ingest.edms_tree import Tree
from dunegpt.ingest.edms_types import (
    Doc,
    Fate,
    File,
    Transport,
    before,
    chosen,
    is_cad,
    order,
)
from dunegpt.ingest.items import Alarm, Item, Memory, Seen, Whole
from dunegpt.statuses import standing
from dunegpt.types import NOBODY, PUBLIC, Document, Failure, FileRef

_MOST_VERSIONS = 200
_FROZEN_DAYS = 30
_GONE = {Fate.NONE: "not found at the source", Fate.CLOSED: "closed to us"}


class Documents:
    """The documents of one EDMS during one run."""

    def __init__(
        self,
        transport: Transport,
        reader: Reader,
        proofs: Proofs,
        memory: Memory,
        tree: Tree,
        full: int,
    ) -> None:
        self._transport, self._reader, self._proofs = transport, reader, proofs
        self._memory, self._tree, self._full = memory, tree, full
        self.proven: dict[tuple[str, str, str], str] = {}
        self.cited: dict[str, set[str]] = {}
        self.visible: frozenset[str] = frozenset()
        self.vanished = 0
        self._told: set[str] = set()

    # ── marks ─────────────────────────────────────────────────────────────────────

    def mark(self, number: str) -> Mark | None:
        """Return what is kept of a document."""
        kept = self._memory.get(self._reader.holder(number))
        return Mark.loaded(kept) if kept else None

    def marks(self) -> Iterator[tuple[str, Mark]]:
        """Yield what is kept of all documents."""
        for key, kept in self._memory.below(self._reader.holder("")):
            if kept and (number := self._reader.number(key)):
                yield number, Mark.loaded(kept)

    def _keep(self, number: str, mark: Mark) -> None:
        holder, kept = self._reader.holder(number), mark.stored()
        if self._memory.get(holder) != kept:
            self._memory.put(holder, kept)

    # ── one document ──────────────────────────────────────────────────────────────

    def read(self, number: str, *, whole: bool) -> Iterator[Item]:
        """Yield the versions of a document, and that these are all.

        Args:
            number: Of the document.
            whole: Also versions that were frozen when they were last read.

        Raises:
            SourceError: It cannot be told what there is.
        """
        known = self.mark(number) or Mark()
        latest = self._latest(number, known)
        if isinstance(latest, Fate):
            yield from self._lost(number, known, latest)
            return
        mark = Mark(today(), self._full, self._tree.readers(number))
        found, problems = self._versions(latest, known)
        yield from problems
        previous = None
        for version in sorted(found, key=order):
            old = known.versions.get(version)
            own = self._reader.id(number, version)
            is_frozen = old and old.settled and old.before == previous
            if old and is_frozen and self._may_wait(version, latest, old, known, whole):
                mark.versions[version] = old
                yield Seen(frozenset({own}))
            else:
                made = yield from self._version(number, version, found, previous, old)
                if made is None:
                    del found[version]
                    continue
                mark.versions[version] = made
            previous = version
        failed = {p.id for p in problems if isinstance(p, Failure)}
        ids = {self._reader.id(number, version) for version in found}
        yield Whole(self._reader.holder(number), frozenset(ids | failed))
        self._keep(number, mark)

    def narrowed(self, number: str, mark: Mark) -> Iterator[Document]:
        """Yield the versions of a document for those only who may still read them.

        Nothing is asked: the tree has changed, and the document will be read for that.
        """
        readers = mark.readers & self._tree.readers(number)
        told = self._tree.evidence(number)
        for version in mark.versions:
            own = self._reader.id(number, version)
            stored = self._memory.document(own)
            if stored is None or own not in self.visible:
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

    def _lost(self, number: str, mark: Mark, fate: Fate) -> Iterator[Item]:
        """Yield that a document is not shown, and keep that.

        What is not found once is hidden; if it is not found on another day, it is gone.
        """
        if fate is Fate.CLOSED:
            yield Whole(self._reader.holder(number), frozenset(), _GONE[fate])
            mark.closed, mark.missing = True, ""
        else:
            is_second = mark.missing not in {"", today()}
            reason = _GONE[fate] if is_second else f"{_GONE[fate]}, for the first time"
            holder = self._reader.holder(number)
            yield Whole(holder, frozenset(), reason, keep=not is_second)
            self.vanished += bool(mark.versions) and not mark.missing
            if is_second:
                mark.versions = {}
            mark.missing, mark.closed = mark.missing or today(), False
        mark.read, mark.full = today(), self._full
        self._keep(number, mark)

    # ── versions ──────────────────────────────────────────────────────────────────

    def _latest(self, number: str, known: Mark) -> Doc | Fate:
        """Return the latest version that is shown.

        While a new one is in work and closed to us, those before it may still be shown.

        Raises:
            SourceError: It cannot be told.
        """
        found = self._transport.document(number)
        if found is not Fate.CLOSED:
            return found
        versions = known.versions.keys() | self.cited.get(number, set())
        for version in sorted(versions, key=order, reverse=True):
            own = self._transport.document(number, version)
            if isinstance(own, Doc):
                return own
        return found

    def _versions(
        self, latest: Doc, known: Mark
    ) -> tuple[dict[str, Doc | None], list[Item]]:
        """Return the versions that exist, those asked for already with what was told.

        Where none are listed, they are counted down from the latest; others are those
        that were known or are cited.
        """
        found: dict[str, Doc | None] = {latest.version: latest}
        problems: list[Item] = []
        if latest.versions is not None:
            found = dict.fromkeys(latest.versions) | found
            return found, problems
        asked = [*known.versions, *sorted(self.cited.get(latest.number, ()))]
        for version in dict.fromkeys(asked):
            found.setdefault(version)
        version = before(latest.version)
        for _ in range(_MOST_VERSIONS):
            if not version or version in found:
                version = before(version)
                continue
            own = self._asked(latest.number, version)
            if isinstance(own, Failure):
                problems.append(own)
            elif own is Fate.NONE:
                break
            elif isinstance(own, Doc):
                found[version] = own
            version = before(version)
        return found, problems

    def _may_wait(
        self, version: str, latest: Doc, old: VersionMark, known: Mark, whole: bool
    ) -> bool:
        """Return whether a frozen version need not be asked for now."""
        if whole or version == latest.version:
            return False
        if self._tree.readers(latest.number) != known.readers:
            return False
        now = datetime.now(UTC)
        age = now.date() - date.fromisoformat(old.read)
        own = self._reader.id(latest.number, version)
        stored = self._memory.document(own)
        if not stored or own not in self.visible or old.failed:
            return False
        is_whole = all(file.sha256 for file in stored.files if file.access)
        looked = all(proof.is_younger(AGAIN, now) for proof in old.proofs.values())
        return is_whole and age.days < _FROZEN_DAYS and looked

    def _asked(self, number: str, version: str) -> Doc | Fate | Failure:
        """Return a version, or why it cannot be told.

        Raises:
            SourceLoginError: Nothing can be told at present.
        """
        try:
            return self._transport.document(number, version)
        except SourceLoginError:
            raise
        except SourceError as error:
            own = self._reader.id(number, version)
            return Failure(own, "list", type(error).__name__, str(error))

    def _version(
        self,
        number: str,
        version: str,
        found: dict[str, Doc | None],
        previous: str | None,
        old: VersionMark | None,
    ) -> Generator[Item, None, VersionMark | None]:
        """Yield a version with what went wrong; return its mark, None without one."""
        own = found[version] or self._asked(number, version)
        if isinstance(own, Failure):
            yield own
            found[version] = None
            return old or VersionMark("")
        if isinstance(own, Fate):
            return None
        mark = VersionMark(
            today(), previous, standing(own.status) in {"approved", "withdrawn"}
        )
        for item in chain(self._remarks(own), self._document(own, mark, old)):
            mark.failed |= isinstance(item, Failure)
            yield item
        return mark

    def _remarks(self, doc: Doc) -> Iterator[Item]:
        own = self._reader.id(doc.number, doc.version)
        for part, told in doc.remarks:
            yield Failure(f"{own}#{part}", "list", "SourceFormatError", told)
        if doc.files is None and "files" not in self._told:
            self._told.add("files")
            told = "EDMS lists no files: documents are known by their metadata."
            yield Alarm(told, grave=False)

    # ── files and readers ─────────────────────────────────────────────────────────

    def _document(
        self, doc: Doc, mark: VersionMark, old: VersionMark | None
    ) -> Iterator[Item]:
        """Yield a version for its readers, after what went wrong with its files."""
        stored = self._memory.document(self._reader.id(doc.number, doc.version))
        kept = {file.key: file for file in stored.files} if stored else {}
        files, left = chosen(doc.files or ())
        refs: list[FileRef] = []
        self._proofs.let_go()
        for told in files:
            file = _frozen(told) if mark.settled else told
            here = kept.get(key_of(file.name))
            if why := self._unfit(file):
                left[file.name] = why
                yield self._failure(doc, file, "fetch", f"{file.name}: {why}.")
                refs.append(self._listed_only(doc, file, why))
                continue
            known = old.proofs.get(key_of(file.name)) if old else None
            place = (doc.number, doc.version)
            proof, problem = self._proofs.look(place, file, known, here)
            if problem:
                yield self._failure(doc, file, "list", problem)
            if proof:
                mark.proofs[key_of(file.name)] = proof
            refs.append(self._file(doc, file, proof, here))
        public = [ref.evidence for ref in refs if PUBLIC in ref.access]
        access = frozenset({PUBLIC}) if public else self._tree.readers(doc.number)
        evidence = public[0] if public else self._tree.evidence(doc.number)
        nodes = self._tree.titles(doc.number)
        if public:
            # Whoever sees a public document need not see the tree, nor other files.
            names = {ref.name for ref in refs if PUBLIC in ref.access}
            shown = tuple(file for file in doc.files or () if file.name in names)
            doc, nodes = replace(doc, files=shown), {}
        made = self._reader.document(doc, mark.before, nodes, left)
        record = replace(made.files[0], access=access, evidence=evidence)
        yield replace(made, access=access, evidence=evidence, files=(record, *refs))

    def _failure(self, doc: Doc, file: File, stage: str, message: str) -> Failure:
        """Return what is wrong with a file, or with the look at it as a visitor."""
        own = f"{self._reader.id(doc.number, doc.version)}#{key_of(file.name)}"
        where = own if stage == "fetch" else f"{own}/public"
        return Failure(where, stage, FetchError.__name__, message)

    def _listed_only(self, doc: Doc, file: File, why: str) -> FileRef:
        size = file.size_bytes
        return self._reader.file(
            doc, file, access=NOBODY, evidence=why, size_bytes=size
        )

    def _file(
        self,
        doc: Doc,
        file: File,
        proof: Proof | None,
        here: FileRef | None,
    ) -> FileRef:
        """Return a file for its readers; note the hash that its bytes must have."""
        place = (doc.number, doc.version, file.name)
        self.proven.pop(place, None)
        is_public = bool(proof and proof.sha256)
        if proof and is_public:
            self.proven[place] = proof.sha256
        said = self._tree.evidence(doc.number)
        told = "; ".join(filter(None, (proof.told if proof else "", said)))
        inner = self._tree.readers(doc.number)
        return self._reader.file(
            doc,
            file,
            access=frozenset({PUBLIC}) if is_public else inner,
            evidence=proof.told if proof and is_public else told,
            checksum=checksum_of(file, proof, here),
        )

    def _unfit(self, file: File) -> str:
        """Return why a file is listed and not fetched; empty if it is."""
        if is_cad(file.name):
            return "CAD: listed only, not fetched"
        size = file.size_bytes or 0
        if size > self._proofs.max_bytes:
            return f"{size:,} bytes: too large, listed only, not fetched"
        return ""


def _frozen(file: File) -> File:
    """Return a file of a released version: it stays as it is, told or not."""
    return file if file.stamp else replace(file, stamp=f"frozen,{file.size_bytes}")
