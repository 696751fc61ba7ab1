"""Who may read what on an Indico site, by what was shown to whom.

Nothing is inferred from flags: contributions have none (seen on Indico 3.3.14). An
object is public if an anonymous visitor was shown it; it is for the principals of an
audience if *every* account that stands for the audience was shown it, so that what was
granted to one account alone does not become the group's. Content that differs between
two looks was not the same object, and counts as not shown. What an account manages it
sees by right of managing, which says nothing of its group; and what Indico itself marks
as protected an anonymous visitor sees by right of his network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dunegpt.ingest.indico_site import ANONYMOUS, Eye
from dunegpt.types import NOBODY, PUBLIC, Access, Document, FileRef

_TO_ALL = f"shown to {ANONYMOUS.label}"


@dataclass(frozen=True, slots=True)
class Audience:
    """A group, and the accounts that each hold exactly what it holds.

    Attributes:
        canary: Number of a closed event that each of the accounts must be shown.
    """

    principals: Access
    eyes: tuple[Eye, ...]
    canary: int | None = None


@dataclass(slots=True)
class View:
    """What one eye was shown of one event.

    Attributes:
        documents: By id, each with the access ``nobody``.
        uncounted: Ids of what was shown for another reason than that its group, or
            everybody, may read it; with the reason.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    uncounted: dict[str, str] = field(default_factory=dict)

    def get(self, document_id: str) -> Document | None:
        """Return what was shown as to a plain reader, or None."""
        plain = document_id not in self.uncounted
        return self.documents.get(document_id) if plain else None


class Judge:
    """Turns what was shown into access."""

    def __init__(self, audiences: Sequence[Audience]) -> None:
        self._audiences = audiences

    def merged(self, views: Mapping[Eye, View]) -> list[Document]:
        """Return every document of an event that any eye was shown, with its readers.

        Its content is that of the first eye that was shown it.
        """
        found: dict[str, Document] = {}
        for view in views.values():
            for document_id, document in view.documents.items():
                found.setdefault(document_id, document)
        return [self._admitted(document, views) for document in found.values()]

    def _admitted(self, document: Document, views: Mapping[Eye, View]) -> Document:
        """Return a document with the access that all looks at it prove."""
        shown = {eye: view.get(document.id) for eye, view in views.items()}
        alike = {eye for eye, seen in shown.items() if seen and _same(seen, document)}
        access, evidence = self._judged(alike, {e for e, seen in shown.items() if seen})
        reasons = {
            v.uncounted[document.id]
            for v in views.values()
            if document.id in v.uncounted
        }
        evidence = "; ".join([evidence, *sorted(reasons)])
        files = [self._file(f, shown, alike) for f in _files(document, shown, alike)]
        public = shown.get(ANONYMOUS)
        if PUBLIC in access and public:
            files += _public_editions(public, files)
        files = [_narrowed(file, access) for file in files]
        return replace(document, access=access, files=tuple(files), evidence=evidence)

    def _file(
        self, file: FileRef, shown: Mapping[Eye, Document | None], alike: set[Eye]
    ) -> FileRef:
        with_it = {
            e for e in alike if file in (seen.files if (seen := shown[e]) else ())
        }
        access, evidence = self._judged(with_it, with_it)
        return replace(file, access=access, evidence=evidence)

    def _judged(self, alike: set[Eye], seen: set[Eye]) -> tuple[Access, str]:
        """Return access and evidence.

        Args:
            alike: Who was shown the same.
            seen: Who was shown anything under that name.
        """
        if ANONYMOUS in alike:
            return frozenset({PUBLIC}), _TO_ALL
        access: Access = NOBODY
        for audience in self._audiences:
            if alike.issuperset(audience.eyes):
                access |= audience.principals
        names = ", ".join(sorted(eye.label for eye in alike)) or "nobody alike"
        everyone = {eye for audience in self._audiences for eye in audience.eyes}
        others = sorted(eye.label for eye in (everyone | {ANONYMOUS}) - alike)
        evidence = f"shown to {names}, not to {' or '.join(others)}"
        if ANONYMOUS in seen:
            evidence = f"shown to {names} with other content than to others"
        return access, evidence


def _files(
    document: Document, shown: Mapping[Eye, Document | None], alike: set[Eye]
) -> list[FileRef]:
    """Return the files of a document that any eye was shown, each key once.

    One group's file may be closed to the eye that was shown the document first.
    """
    found = {file.key: file for file in document.files}
    for eye, seen in shown.items():
        for file in seen.files if seen and eye in alike else ():
            found.setdefault(file.key, file)
    return list(found.values())


def _public_editions(public: Document, files: Sequence[FileRef]) -> list[FileRef]:
    """Return the timetable as all may see it, where members see another one."""
    own = [f for f in public.files if f.key == "timetable"]
    shared = {f.key for f in files if PUBLIC in f.access}
    return [
        replace(
            file, key="timetable-public", access=frozenset({PUBLIC}), evidence=_TO_ALL
        )
        for file in own
        if "timetable" not in shared
    ]


def _narrowed(file: FileRef, access: Access) -> FileRef:
    """Return a file that is for nobody if its document is."""
    return file if access else replace(file, access=NOBODY)


def _same(one: Document, other: Document) -> bool:
    """Return whether two eyes were shown the same, files left out."""
    about = [d.files[0].body for d in (one, other)]
    return about[0] == about[1] and replace(one, files=()) == replace(other, files=())
