"""Which documents a question names, as far as its reader may see.

What the reader may not open is never compared, so that its names are like unknown ones:
those of files too. Ranks nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dunegpt.index.names import SYSTEMS, Mention, mentions, names
from dunegpt.index.store import Store, Stored
from dunegpt.index.view import View
from dunegpt.index.words import words
from dunegpt.types import Document, parts_of_id, version_order

_MOST_OF_A_NAME = 5
"""A file's name that more documents share names none of them."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a question names.

    Attributes:
        numbers: Of the documents, in the order of the question.
        unknown: Names that look like identifiers, and name nothing to this reader.
        asked: The rest of the question; empty if that has no word to search.
    """

    numbers: tuple[int, ...]
    unknown: tuple[str, ...]
    asked: str


class Router:
    """Looks names up for one reader."""

    def __init__(self, store: Store, view: View) -> None:
        self._store = store
        self._view = view
        self._known: dict[int, Stored] = {}

    def read(self, question: str) -> Named:
        """Return what a question names; a file only if nothing else is said."""
        found: list[int] = []
        unknown: list[str] = []
        asked = question
        for mention in mentions(question):
            numbers = self._called(mention)
            rest = asked.replace(mention.text, " ")
            if not numbers and not words(rest):
                numbers = self._with_file(mention)
            if numbers:
                found += numbers
                asked = rest
            elif mention.series and self._is_series(mention):
                unknown.append(mention.text)
        searchable = asked if words(asked) else ""
        return Named(
            tuple(dict.fromkeys(found)), tuple(dict.fromkeys(unknown)), searchable
        )

    def called(self, name: str) -> list[int]:
        """Return what goes by a name, in the version named or the newest."""
        exact = Mention(name, ((name, None),), "")
        for mention in (exact, *mentions(name)):
            if mention.text == name and (numbers := self._called(mention)):
                return numbers
        return []

    def resolve(self, name: str, version: str | None) -> list[int]:
        """Return what goes by a name, in a version or the newest, if it may be seen."""
        return self._called(Mention(name, ((name.casefold(), version),), ""))

    def every(self, name: str) -> list[Stored]:
        """Return all that goes by a name: all versions if the name says none."""
        found = self._visible(name)
        for mention in mentions(name) if not found else ():
            for called, version in mention.readings:
                found += [
                    stored
                    for stored in self._visible(called)
                    if version is None or is_same_version(_version(stored), version)
                ]
        return list({stored.number: stored for stored in found}.values())

    def documents(self, numbers: Iterable[int]) -> Iterator[Stored]:
        """Yield documents by their numbers, each read from the store once."""
        for number in numbers:
            if number not in self._known:
                self._known |= self._store.documents([number])
            yield self._known[number]

    def newest(self, stored: Stored) -> Stored:
        """Return the newest version of a document that the reader may see."""
        newest, step, seen = stored, stored, {stored.number}
        while step.superseded_by is not None and step.superseded_by not in seen:
            seen.add(step.superseded_by)
            [step] = self.documents([step.superseded_by])
            if self._view.may_see(step):
                newest = step
        return newest

    def as_seen(self, stored: Stored) -> Document:
        """Return a document without the files and names that a reader may not see."""

        def visible(name: str) -> str:
            return name if name and self._visible(name) else ""

        document = self._view.as_narrowed(stored)
        return replace(
            document,
            supersedes=visible(document.supersedes),
            parent=visible(document.parent),
        )

    def _visible(self, name: str) -> list[Stored]:
        """Return what the reader may see of what goes by a name."""
        name = name.strip().casefold()
        return [
            stored
            for stored in self.documents(self._store.named(name))
            if self._view.may_see(stored)
            and name in names(self._view.as_narrowed(stored))
        ]

    def _called(self, mention: Mention) -> list[int]:
        for name, version in mention.readings:
            if name.startswith("file "):
                continue
            of_base: dict[str, list[Stored]] = {}
            for stored in self._visible(name):
                base = stored.document.id.rpartition(":")[0]
                own = base if _version(stored) else stored.document.id
                of_base.setdefault(own, []).append(stored)
            found = []
            for versions in of_base.values():
                wanted = version or max(map(_version, versions), key=version_order)
                found += [
                    s.number for s in versions if is_same_version(_version(s), wanted)
                ]
            if found:
                return found
        return []

    def _with_file(self, mention: Mention) -> list[int]:
        """Return the few documents, each in its newest version, that have a file."""
        found: dict[int, None] = {}
        for name, _ in mention.readings:
            if name.startswith("file "):
                for stored in self._visible(name):
                    found[self._newest_with(stored, name)] = None
        return list(found) if len(found) <= _MOST_OF_A_NAME else []

    def _newest_with(self, stored: Stored, name: str) -> int:
        newest = self.newest(stored)
        has_it = name in names(self._view.as_narrowed(newest))
        return newest.number if has_it else stored.number

    def _is_series(self, mention: Mention) -> bool:
        """Return whether documents are numbered in this way, as the reader may see."""
        if mention.series in SYSTEMS:
            return True
        alike = self.documents(self._store.series(mention.series))
        return any(map(self._view.may_see, alike))


def _version(stored: Stored) -> str:
    """Return the version in a document's id; empty for one without."""
    return parts_of_id(stored.document.id)[2] or ""


def is_same_version(version: str, asked: str) -> bool:
    """Return whether a version is the one asked for: ``7.0`` is 7, ``ae`` is AE."""
    return version.upper().removesuffix(".0") == asked.upper().removesuffix(".0")
