"""The lists of documents that each login and each group sees, stored between runs.

The lists are stored whole, so that access can be computed again without a request. If a
list cannot be fetched, the previous one is used until it is too old. Does not read
documents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from dunegpt.access import PUBLIC
from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.docdb.access import pack_list, unpack_list
from dunegpt.ingest.docdb.client import DocDBClient, Endpoint, GroupView
from dunegpt.ingest.items import Alarm, Concern, CrawlScope, SourceState
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.ingest.sync import UnitFailures, is_within

_STATE_KEY = "lists"


class DocumentLists:
    """The lists of doors and views, as of the last daily look."""

    def __init__(
        self,
        site: DocDBClient,
        views: Sequence[GroupView],
        memory: SourceState,
        max_age: timedelta,
    ) -> None:
        self._client, self._views, self._state = site, views, memory
        self._max_age = max_age
        self.generation = 0
        self.by_endpoint: dict[str, dict[int, int]] = {}
        self.by_view: dict[str, dict[int, int]] = {}
        self._fetched_at: dict[str, str] = {}
        self._units = UnitFailures(memory)
        self._before_loss: dict[str, dict[int, int]] = {}
        self._before_gain: dict[str, dict[int, int]] = {}
        self._removed_views: dict[str, dict[int, int]] = {}
        self._load()

    @property
    def is_reconfigured(self) -> bool:
        """Whether another set of doors and views is configured than was looked at."""
        names = {door.name for door in self._client.endpoints} | self._failed()
        return names != self.by_endpoint.keys() or {v.name for v in self._views} != set(
            self._fetched_at
        )

    def are_older_than(self, age: timedelta) -> bool:
        """Return whether the newest list was fetched longer ago."""
        last = max(self._fetched_at.values(), default="")
        return not last or not is_within(last, age)

    def refresh(self, scope: CrawlScope) -> Iterator[Alarm]:
        """Ask for all lists, and keep them; yield what is wrong with them.

        Raises:
            SourceError: No door works, or the lists of two views on end fail: nothing
                was changed.
        """
        doors = self._fetch_from_doors(self._client.fetch_documents)
        if scope.accepts_opening or not scope.recheck:
            # No alarm stands: what the lists gained, they gained by right.
            self._before_gain.clear()
        views: dict[str, dict[int, int]] = {}
        at: dict[str, str] = {}
        has_failed = False
        for view in self._views:
            try:
                found = self._fetch_view(view, doors, self._client.fetch_documents)
            except SourceLoginError:
                raise
            except SourceError as error:
                if has_failed:
                    raise
                has_failed = True
                yield self._report_failed_view(view.name, error)
                found = None
            if found is None:
                views[view.name], at[view.name] = self._previous_list(view.name)
                continue
            has_failed = False
            self._units.confirm(_unit_name(view.name))
            yield from self._check_gain(view.name, found, scope)
            yield from self._check_loss(view.name, found, scope)
            self._note_gain(view.name, found)
            views[view.name] = found
            at[view.name] = datetime.now(UTC).isoformat(timespec="seconds")
        for name in sorted(self._lost_views()):
            if self._client.failures:
                # It may be a view of a door that does not work.
                views[name], at[name] = self._previous_list(name)
            else:
                yield from self._check_loss(name, {}, scope)
        for door in self._client.endpoints:
            yield from self._check_endpoint_access(
                door, doors[door.name], views.get(PUBLIC)
            )
        previous = {name: self.by_endpoint.get(name, {}) for name in self._failed()}
        self.by_endpoint, self.by_view, self._fetched_at = doors | previous, views, at
        self.generation += 1
        self._save()

    def fetch_changes(
        self, days: int, *, are_fresh: bool
    ) -> tuple[dict[int, int], dict[str, dict[int, int]]]:
        """Return what changed, of all doors together, and as each view is shown it.

        Args:
            days: Of the server's calendar.
            are_fresh: All lists were just taken: then no view is asked once more.

        Raises:
            SourceError: A list cannot be trusted.
        """
        found = self._fetch_from_doors(
            lambda door: self._client.fetch_changed(door, days)
        )
        for name, rows in found.items():
            self.by_endpoint.setdefault(name, {}).update(rows)
        merged: dict[int, int] = {}
        for rows in found.values():
            for number, version in rows.items():
                merged[number] = max(version, merged.get(number, version))

        def ask(door: Endpoint, cookie: str = "") -> dict[int, int]:
            return self._client.fetch_changed(door, days, cookie)

        known = {n: self._select_rows(n, merged) for n in self.by_view}
        if are_fresh or not merged:
            return merged, known
        fetched = {v.name: self._fetch_view(v, found, ask) for v in self._views}
        return merged, known | {n: r for n, r in fetched.items() if r is not None}

    def is_out_of_reach(self, number: int) -> bool:
        """Return whether only doors that do not work list a document."""
        failed = self._failed()
        listing = {n for n, rows in self.by_endpoint.items() if number in rows}
        return bool(listing) and listing <= failed

    def _failed(self) -> set[str]:
        return set(self._client.failures)

    def _fetch_from_doors(
        self, ask: Callable[[Endpoint], dict[int, int]]
    ) -> dict[str, dict[int, int]]:
        """Return the list of each door that works.

        Raises:
            SourceError: None does.
        """
        found = {}
        for door in [*self._client.endpoints]:
            try:
                found[door.name] = ask(door)
            except SourceError as error:
                self._client.drop(door, error)
        return found

    def _report_failed_view(self, name: str, error: SourceError) -> Alarm:
        """Note that the list of a view failed; return the warning."""
        since = self._units.fail(_unit_name(name), ())
        hours = self._max_age.total_seconds() / 3600
        return Alarm(
            f"The list of {name} failed (since {since}): {error} Its last list is used"
            f" for {hours:g} h; then what only it proves is hidden.",
            is_critical=False,
        )

    def _lost_views(self) -> set[str]:
        """Return the views that had a list, and are none of today's."""
        current = {view.name for view in self._views}
        return (self._removed_views.keys() | self._before_loss.keys()) - current

    def _select_rows(self, name: str, numbers: Mapping[int, int]) -> dict[int, int]:
        return {n: v for n, v in self.by_view[name].items() if n in numbers}

    def document_numbers(self) -> set[int]:
        """Return all documents that some door lists."""
        return set().union(*self.by_endpoint.values()) if self.by_endpoint else set()

    def latest_version(self, number: int) -> int | None:
        """Return the latest version that any door lists of a document."""
        found = [rows[number] for rows in self.by_endpoint.values() if number in rows]
        return max(found, default=None)

    def latest_by_view(self, number: int) -> dict[str, int]:
        """Return the latest version of a document that each view is shown."""
        return {
            name: rows[number] for name, rows in self.by_view.items() if number in rows
        }

    def _fetch_view(
        self,
        view: GroupView,
        doors: Mapping[str, dict[int, int]],
        ask: Callable[[Endpoint, str], dict[int, int]],
    ) -> dict[int, int] | None:
        """Return the list of a view, or None if its door does not work."""
        if view.endpoint.name in self._client.failures:
            return None
        if view.number is None:
            return doors[view.endpoint.name]
        return ask(view.endpoint, view.cookie)

    def _is_recent(self, at: str) -> bool:
        """Return whether a list of that time holds; none of the future does."""
        return bool(at) and is_within(at, self._max_age)

    def _previous_list(self, name: str) -> tuple[dict[int, int], str]:
        """Return the earlier list of a view, empty when it is too old to hold."""
        at = self._fetched_at.get(name, "")
        if self._is_recent(at):
            return self.by_view.get(name) or self._removed_views.get(name, {}), at
        return {}, at

    def _check_gain(
        self, name: str, found: Mapping[int, int], scope: CrawlScope
    ) -> Iterator[Alarm]:
        """Yield an alarm if a view gained very many documents that were known before.

        Documents are read bit by bit, so it is the lists that tell first that a site
        shows everything to everybody. A group that was shown no more than the public
        was just founded; a list that was dropped with age says nothing.
        """
        known, public = self.document_numbers(), self.by_view.get(PUBLIC, {})
        before = self._before_gain.get(name, self.by_view.get(name))
        if before is None or scope.accepts_opening:
            return
        if not before and not self._is_recent(self._fetched_at.get(name, "")):
            return
        if name != PUBLIC and before.keys() <= public.keys():
            return
        mine = before.keys() | self._before_loss.get(name, {}).keys()
        gained = len((found.keys() & known) - mine)
        if is_mass_loss(gained, len(known)):
            yield Alarm(
                f"{name} sees {gained} known documents more than before.",
                "Open some of its documents as that group, or without a login for"
                " the public. If that shows what is closed, tell its administrators:"
                " nothing opens here meanwhile. If they were really opened, run the"
                " crawl with --accept-opening.",
                concern=Concern.OPENING,
            )

    def _note_gain(self, name: str, found: Mapping[int, int]) -> None:
        """Keep the list of a view that gained very many documents.

        If the site shows everything to everybody for a while, it is not a loss when
        they are gone from the list again.
        """
        before = self._before_gain.get(name, self.by_view.get(name))
        if before is not None and is_mass_loss(
            len(found.keys() - before.keys()), len(before)
        ):
            self._before_gain[name] = before
        else:
            self._before_gain.pop(name, None)

    def _check_loss(
        self, name: str, found: Mapping[int, int], scope: CrawlScope
    ) -> Iterator[Alarm]:
        """Yield an alarm if a view lost very many documents.

        It is compared with its list before the loss until the documents are back, or an
        operator accepts it: so the alarm stands as long as the loss.
        """
        before = self._before_loss.get(name) or self.by_view.get(name)
        before = before or self._removed_views.get(name, {})
        trusted = self._before_gain.get(name, before)
        lost = len((before.keys() & trusted.keys()) - found.keys())
        if not scope.accepts_loss and is_mass_loss(lost, len(before)):
            self._before_loss[name] = before
            yield Alarm(
                f"{name} sees {lost} documents fewer than before"
                f" ({len(found)} are left).",
                "Check that the account is still in all its groups: when it is, the"
                " next run shows everything again. Only if the documents were really"
                " deleted, or the group was removed on purpose, run the crawl with"
                " --accept-loss.",
            )
        else:
            self._before_loss.pop(name, None)

    def _check_endpoint_access(
        self, door: Endpoint, found: Mapping[int, int], public: Mapping[int, int] | None
    ) -> Iterator[Alarm]:
        if door.group != PUBLIC and public and found.keys() <= public.keys():
            yield Alarm(
                f"{door.name} sees no more than the public: is its login accepted?",
                is_critical=False,
            )

    # ── kept ──────────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        kept = self._state.get(_STATE_KEY) or {}
        self.generation = kept.get("look", 0)
        self.by_endpoint = {
            n: unpack_list(rows) for n, rows in kept.get("doors", {}).items()
        }
        self.by_view = {
            n: unpack_list(rows) for n, rows in kept.get("views", {}).items()
        }
        self._fetched_at = kept.get("at", {})
        for key, lists in self._suspended_lists().items():
            lists |= {n: unpack_list(rows) for n, rows in kept.get(key, {}).items()}
        current = {view.name for view in self._views}
        self._removed_views = {
            n: self.by_view.pop(n) for n in [*self.by_view] if n not in current
        }

    def _save(self) -> None:
        views = {name: pack_list(rows) for name, rows in self.by_view.items()}
        doors = {name: pack_list(rows) for name, rows in self.by_endpoint.items()}
        kept = {
            "look": self.generation,
            "at": self._fetched_at,
            "views": views,
            "doors": doors,
        }
        for key, lists in self._suspended_lists().items():
            kept[key] = {name: pack_list(rows) for name, rows in lists.items()}
        self._state.put(_STATE_KEY, kept)

    def _suspended_lists(self) -> dict[str, dict[str, dict[int, int]]]:
        """Return the lists before what may be a fault, by the key in the state."""
        return {"before_loss": self._before_loss, "before_gain": self._before_gain}


def _unit_name(view: str) -> str:
    return f"list of {view}"
