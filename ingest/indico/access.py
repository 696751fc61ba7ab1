"""Decides who may read what on an Indico site, by what each account was shown.

Nothing is inferred from flags: contributions have none (seen on Indico 3.3.14). An
object is public if an anonymous visitor was shown it; it is for the principals of an
audience if *every* account of the audience was shown it, so that a grant to one account
does not extend to the group. Content that differs between two accounts was not the same
object, and counts as not shown. What an account manages it sees because it manages it,
which says nothing about its group. What Indico marks as protected an anonymous visitor
sees because of the network that he comes from; the accounts come from there, too, so
that what they see of it says nothing, either.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from dunegpt.access import NOBODY, PUBLIC, Access
from dunegpt.ingest.indico.client import ANONYMOUS, Account
from dunegpt.types import Document, FileRef

_PUBLIC_EVIDENCE = f"shown to {ANONYMOUS.label}"
NETWORK_EVIDENCE = (
    "marked as protected and shown without an account: whoever sees it from our network"
    " does not count"
)


@dataclass(frozen=True, slots=True)
class Audience:
    """A group, and the accounts that each hold exactly what it holds.

    Attributes:
        canary: Number of a closed event that each of the accounts must be shown.
    """

    principals: Access
    accounts: tuple[Account, ...]
    canary: int | None = None


@dataclass(slots=True)
class AccountView:
    """What one account was shown of one event.

    Attributes:
        documents: By id, each with the access ``nobody``.
        excluded: Ids of what was shown for another reason than that its group, or
            everybody, may read it, with the reason.
        protected_files: Document id and key of the files that are marked as protected.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    protected_files: set[tuple[str, str]] = field(default_factory=set)

    def get(self, document_id: str) -> Document | None:
        """Return what was shown as to a plain reader, or None."""
        plain = document_id not in self.excluded
        return self.documents.get(document_id) if plain else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A document with its readers.

    Attributes:
        undecided: For whom else it, or one of its files, may be: an account that would
            tell could not look. By the file's key; empty for the document itself.
    """

    document: Document
    undecided: Mapping[str, Access]


class AccessJudge:
    """Turns what was shown into access."""

    def __init__(
        self,
        audiences: Sequence[Audience],
        undecided: Callable[[Iterable[Account]], Access] = lambda alike: NOBODY,
        refused: Callable[[], Set[Account]] = frozenset,
    ) -> None:
        """Take who looks.

        Args:
            audiences: Groups with their accounts.
            undecided: Returns for whom something may be, besides those to whom it is
                proven to be open, by the accounts that were shown it.
            refused: Returns the accounts that could not look.
        """
        self._audiences = audiences
        self._undecided, self._refused = undecided, refused

    def merge_views(
        self,
        views: Mapping[Account, AccountView],
        network_files: frozenset[tuple[str, str]] = frozenset(),
    ) -> list[Judgement]:
        """Return every document of an event that any eye was shown, with its readers.

        Its content is that of the first eye that was shown it.

        Args:
            views: What each account was shown.
            network_files: Document id and key of files that our network shows.
        """
        found: dict[str, Document] = {}
        for view in views.values():
            for document_id, document in view.documents.items():
                found.setdefault(document_id, document)
        visitor = views.get(ANONYMOUS, AccountView())
        closed = network_files | {
            (document.id, file.key)
            for document in visitor.documents.values()
            for file in document.files
            if (document.id, file.key) in visitor.protected_files
        }
        return [
            self._assign_access(document, views, closed) for document in found.values()
        ]

    def _assign_access(
        self,
        document: Document,
        views: Mapping[Account, AccountView],
        network_files: frozenset[tuple[str, str]],
    ) -> Judgement:
        """Return a document with the access that all looks at it prove."""
        shown = {eye: view.get(document.id) for eye, view in views.items()}
        alike = {
            eye
            for eye, seen in shown.items()
            if seen and _is_same_content(seen, document)
        }
        access, evidence = self._decide_access(
            alike, {e for e, seen in shown.items() if seen}
        )
        reasons = {
            v.excluded[document.id] for v in views.values() if document.id in v.excluded
        }
        undecided = {"": self._open_question(alike, access)}
        if NETWORK_EVIDENCE in reasons:
            access, undecided = NOBODY, {}
        evidence = "; ".join([evidence, *sorted(reasons)])
        files = []
        for file in _merge_files(document, shown, alike):
            if (document.id, file.key) in network_files:
                files.append(replace(file, access=NOBODY, evidence=NETWORK_EVIDENCE))
                continue
            with_it = _accounts_with(file, shown, alike)
            readers, why = self._decide_access(with_it, with_it)
            files.append(replace(file, access=readers, evidence=why))
            undecided[file.key] = self._open_question(with_it, readers)
        public = shown.get(ANONYMOUS)
        if PUBLIC in access and public:
            files += _public_timetables(public, files)
        files = [_restrict_file(file, access) for file in files]
        judged = replace(document, access=access, files=tuple(files), evidence=evidence)
        return Judgement(judged, {k: a for k, a in undecided.items() if a})

    def _open_question(self, alike: set[Account], access: Access) -> Access:
        """Return for whom else something may be."""
        return NOBODY if PUBLIC in access else self._undecided(alike) - access

    def _decide_access(
        self, alike: set[Account], seen: set[Account]
    ) -> tuple[Access, str]:
        """Return access and evidence.

        Args:
            alike: Who was shown the same.
            seen: Who was shown anything under that name.
        """
        if ANONYMOUS in alike:
            return frozenset({PUBLIC}), _PUBLIC_EVIDENCE
        access: Access = NOBODY
        for audience in self._audiences:
            if alike.issuperset(audience.accounts):
                access |= audience.principals
        names = ", ".join(sorted(eye.label for eye in alike)) or "nobody alike"
        everyone = {eye for audience in self._audiences for eye in audience.accounts}
        refused = self._refused()
        others = sorted(e.label for e in (everyone | {ANONYMOUS}) - alike - refused)
        evidence = f"shown to {names}"
        evidence += f", not to {' or '.join(others)}" if others else ""
        for eye in sorted(refused, key=lambda eye: eye.label):
            evidence += f"; {eye.label} could not look"
        if ANONYMOUS in seen:
            evidence = f"shown to {names} with other content than to others"
        return access, evidence


def _accounts_with(
    file: FileRef, shown: Mapping[Account, Document | None], alike: set[Account]
) -> set[Account]:
    """Return who was shown a file, of those that were shown the same document."""
    return {e for e in alike if file in (seen.files if (seen := shown[e]) else ())}


def _merge_files(
    document: Document, shown: Mapping[Account, Document | None], alike: set[Account]
) -> list[FileRef]:
    """Return the files of a document that any eye was shown, each key once.

    One group's file may be closed to the eye that was shown the document first.
    """
    found = {file.key: file for file in document.files}
    for eye, seen in shown.items():
        for file in seen.files if seen and eye in alike else ():
            found.setdefault(file.key, file)
    return list(found.values())


def _public_timetables(public: Document, files: Sequence[FileRef]) -> list[FileRef]:
    """Return the timetable as all may see it, where members see another one."""
    own = [f for f in public.files if f.key == "timetable"]
    shared = {f.key for f in files if PUBLIC in f.access}
    return [
        replace(
            file,
            key="timetable-public",
            access=frozenset({PUBLIC}),
            evidence=_PUBLIC_EVIDENCE,
        )
        for file in own
        if "timetable" not in shared
    ]


def _restrict_file(file: FileRef, access: Access) -> FileRef:
    """Return a file that is for nobody if its document is."""
    return file if access else replace(file, access=NOBODY)


def _is_same_content(one: Document, other: Document) -> bool:
    """Return whether two eyes were shown the same, files left out."""
    about = [d.files[0].body for d in (one, other)]
    return about[0] == about[1] and replace(one, files=()) == replace(other, files=())
