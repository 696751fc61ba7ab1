"""What each login and each group is shown, kept from one daily look to the next.

The lists are kept whole, so that who may read what can be worked out again without a
request. A list that fails leaves the one before in its place until that is too old.
Does not know the documents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.docdb_access import packed, unpacked
from dunegpt.ingest.docdb_site import Door, Site, View
from dunegpt.ingest.items import Alarm, Memory
from dunegpt.types import PUBLIC

_GUARD_OBJECTS = 20
_GUARD_SHARE = 0.05
_KEY = "lists"


class Lists:
    """The lists of doors and views, as of the last daily look."""

    def __init__(
        self, site: Site, views: Sequence[View], memory: Memory, max_age: timedelta
    ) -> None:
        self._site, self._views, self._memory = site, views, memory
        self._max_age = max_age
        self.look = 0
        self.doors: dict[str, dict[int, int]] = {}
        self.views: dict[str, dict[int, int]] = {}
        self._at: dict[str, str] = {}
        self._former: dict[str, dict[int, int]] = {}
        self._load()

    @property
    def are_new(self) -> bool:
        """Whether another set of doors and views is configured than was looked at."""
        names = {door.name for door in self._site.doors}
        return names != self.doors.keys() or {v.name for v in self._views} != set(
            self._at
        )

    def take(self) -> Iterator[Alarm]:
        """Ask for all lists, and keep them; yield what is wrong with them.

        Raises:
            SourceError: The list of a door cannot be trusted, or those of two views on
                end: nothing was changed.
        """
        doors = {d.name: self._site.all_documents(d) for d in self._site.doors}
        views: dict[str, dict[int, int]] = {}
        at: dict[str, str] = {}
        has_failed = False
        for view in self._views:
            try:
                found = self._of(view, doors, self._site.all_documents)
            except SourceLoginError:
                raise
            except SourceError as error:
                if has_failed:
                    raise
                has_failed = True
                yield Alarm(f"The list of {view.name} failed: {error}", grave=False)
                views[view.name], at[view.name] = self._before(view.name)
                continue
            has_failed = False
            yield from self._check_loss(view.name, found)
            views[view.name] = found
            at[view.name] = datetime.now(UTC).isoformat(timespec="seconds")
        for name in sorted(self._former):
            yield from self._check_loss(name, {})
        for door in self._site.doors:
            yield from self._check_many(door, doors[door.name], views.get(PUBLIC))
        self.doors, self.views, self._at = doors, views, at
        self.look += 1
        self._save()

    def changes(
        self, days: int, *, are_fresh: bool
    ) -> tuple[dict[int, int], dict[str, dict[int, int]]]:
        """Return what changed, of all doors together, and as each view is shown it.

        Args:
            days: Of the server's calendar.
            are_fresh: All lists were just taken: then no view is asked once more.

        Raises:
            SourceError: A list cannot be trusted.
        """
        found = {d.name: self._site.changed(d, days) for d in self._site.doors}
        for name, rows in found.items():
            self.doors.setdefault(name, {}).update(rows)
        merged: dict[int, int] = {}
        for rows in found.values():
            for number, version in rows.items():
                merged[number] = max(version, merged.get(number, version))

        def ask(door: Door, cookie: str = "") -> dict[int, int]:
            return self._site.changed(door, days, cookie)

        if are_fresh or not merged:
            return merged, {n: self._rows(n, merged) for n in self.views}
        return merged, {v.name: self._of(v, found, ask) for v in self._views}

    def _rows(self, name: str, numbers: Mapping[int, int]) -> dict[int, int]:
        return {n: v for n, v in self.views[name].items() if n in numbers}

    def numbers(self) -> set[int]:
        """Return all documents that some door lists."""
        return set().union(*self.doors.values()) if self.doors else set()

    def top(self, number: int) -> int | None:
        """Return the latest version that any door lists of a document."""
        found = [rows[number] for rows in self.doors.values() if number in rows]
        return max(found, default=None)

    def shown(self, number: int) -> dict[str, int]:
        """Return the latest version of a document that each view is shown."""
        return {
            name: rows[number] for name, rows in self.views.items() if number in rows
        }

    def _of(
        self,
        view: View,
        doors: Mapping[str, dict[int, int]],
        ask: Callable[[Door, str], dict[int, int]],
    ) -> dict[int, int]:
        if view.number is None:
            return doors[view.door.name]
        return ask(view.door, view.cookie)

    def _before(self, name: str) -> tuple[dict[int, int], str]:
        """Return the earlier list of a view, empty when it is too old to hold."""
        at = self._at.get(name, "")
        if at and datetime.now(UTC) - datetime.fromisoformat(at) <= self._max_age:
            return self.views.get(name, {}), at
        return {}, at

    def _check_loss(self, name: str, found: Mapping[int, int]) -> Iterator[Alarm]:
        before = self.views.get(name) or self._former.get(name, {})
        lost = len(before.keys() - found.keys())
        if lost > max(_GUARD_OBJECTS, _GUARD_SHARE * len(before)):
            yield Alarm(
                f"{name} is shown {lost} documents less than before"
                f" ({len(found)} are left).",
                "Is the account still in all its groups? What is gone is hidden.",
            )

    def _check_many(
        self, door: Door, found: Mapping[int, int], public: Mapping[int, int] | None
    ) -> Iterator[Alarm]:
        if door.group != PUBLIC and public and found.keys() <= public.keys():
            yield Alarm(
                f"{door.name} is shown no more than the public is: is it let in?",
                grave=False,
            )

    # ── kept ──────────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        kept = self._memory.get(_KEY) or {}
        self.look = kept.get("look", 0)
        self.doors = {n: unpacked(rows) for n, rows in kept.get("doors", {}).items()}
        self.views = {n: unpacked(rows) for n, rows in kept.get("views", {}).items()}
        self._at = kept.get("at", {})
        current = {view.name for view in self._views}
        self._former = {n: self.views.pop(n) for n in [*self.views] if n not in current}

    def _save(self) -> None:
        views = {name: packed(rows) for name, rows in self.views.items()}
        doors = {name: packed(rows) for name, rows in self.doors.items()}
        kept = {"look": self.look, "at": self._at, "views": views, "doors": doors}
        self._memory.put(_KEY, kept)
