"""Decides who may read a DocDB version, by its groups and by the groups' lists.

A version names the groups that may view it; a superior group sees what its direct
subordinates see; no group means everybody. The list of each group shows what the group
actually sees, but only the latest version of each document. Both must agree: the
stricter one counts. The hierarchy of groups is not published; it is inferred from the
lists. Makes no requests and stores nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dunegpt.access import NOBODY, PUBLIC, Access

GroupEdge = tuple[str, str]
"""A superior group, and one directly below it."""

ShownVersions = Mapping[str, Mapping[int, int]]
"""For each view the documents that it shows, each with the latest version shown."""

_CONFLICT_TOLERANCE = 50
"""One document in so many may speak against an edge: it changed between two looks."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Which groups stand above which, by what the lists showed.

    Attributes:
        proven: Nothing else explains some document that the superior sees.
        possible: Nothing speaks against it.
    """

    proven: frozenset[GroupEdge] = frozenset()
    possible: frozenset[GroupEdge] = frozenset()


@dataclass(frozen=True, slots=True)
class VersionRule:
    """Who may read one version, by its record.

    Attributes:
        groups: Groups that may view it; if empty, everybody.
        shown_to: Views that were shown exactly this version.
    """

    groups: frozenset[str]
    shown_to: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccessConflict:
    """A version that a group's list shows, and its groups do not, or the reverse."""

    number: int
    version: int
    view: str
    is_shown: bool

    def __str__(self) -> str:
        says = "shown to" if self.is_shown else "not shown to"
        return f"{self.number}-v{self.version} is {says} {self.view}"


@dataclass(frozen=True, slots=True)
class AccessJudge:
    """Decides who may read the versions of documents.

    Attributes:
        hierarchy: Which groups stand above which.
        non_viewing_groups: Groups that give nobody the right to view.
        has_public_view: Whether there is a list of what the public is shown.
    """

    hierarchy: Hierarchy = Hierarchy()
    non_viewing_groups: frozenset[str] = field(default=NOBODY)
    has_public_view: bool = False

    def allowed_views(
        self, version: int, rule: VersionRule, shown: Mapping[str, int]
    ) -> frozenset[str]:
        """Return the views for whom a version is.

        Args:
            version: Its number.
            rule: What it says of itself.
            shown: The latest version of the document that each view is shown.
        """
        is_for_everybody = not rule.groups
        if (
            is_for_everybody
            and self.has_public_view
            and version > shown.get(PUBLIC, -1)
        ):
            # The public is not shown it: its record is outdated, so nobody is.
            return NOBODY
        return frozenset(
            view
            for view, latest in shown.items()
            if version <= latest and self.grants_access(view, version == latest, rule)
        )

    def grants_access(self, view: str, is_latest: bool, rule: VersionRule) -> bool:
        """Return whether a version's groups say that it is for a view.

        For the latest that the view is shown a possible edge is enough: its list has
        shown that very version.
        """
        if not rule.groups or (view in rule.shown_to and view != PUBLIC):
            return True
        edges = self.hierarchy.possible if is_latest else self.hierarchy.proven
        groups = rule.groups - self.non_viewing_groups
        return view in groups or any((view, group) in edges for group in groups)

    def find_conflicts(
        self,
        number: int,
        top: int,
        rule: VersionRule,
        shown: Mapping[str, int],
        views: Access,
    ) -> Iterator[AccessConflict]:
        """Yield where the lists contradict what the top version says of itself."""
        for view in sorted(views):
            is_shown = shown.get(view) == top
            if is_shown != self.grants_access(view, is_shown, rule):
                yield AccessConflict(number, top, view, is_shown)


def infer_hierarchy(
    rules: Mapping[int, tuple[int, VersionRule]], lists: ShownVersions
) -> Hierarchy:
    """Return who is whose superior.

    Args:
        rules: For each document the top version, and for whom that is.
        lists: What each view is shown.
    """
    seen: Counter[GroupEdge] = Counter()
    missed: Counter[GroupEdge] = Counter()
    views = [view for view in lists if view != PUBLIC]
    restricted = [(n, top, r.groups) for n, (top, r) in rules.items() if r.groups]
    for number, top, groups in restricted:
        for view in views:
            if view not in groups:
                counter = seen if lists[view].get(number) == top else missed
                counter.update((view, group) for group in groups)
    possible = {
        e for e in seen if missed[e] * _CONFLICT_TOLERANCE <= seen[e] + missed[e]
    }
    proven = set()
    for number, top, groups in restricted:
        for view in views:
            if view not in groups and lists[view].get(number) == top:
                edges = [(view, g) for g in groups if (view, g) in possible]
                if len(edges) == 1:
                    proven.add(edges[0])
    return Hierarchy(frozenset(proven), frozenset(possible))


def build_principals(prefix: str, views: frozenset[str]) -> Access:
    """Return the principals of some views; the public stands for all."""
    if PUBLIC in views:
        return frozenset({PUBLIC})
    return frozenset(f"{prefix}:{view}" for view in views)


def pack_list(rows: Mapping[int, int]) -> str:
    """Return a list as one short text."""
    return " ".join(f"{number}:{version}" for number, version in sorted(rows.items()))


def unpack_list(text: str) -> dict[int, int]:
    """Return the list that a text stands for."""
    pairs = (pair.partition(":") for pair in text.split())
    return {int(number): int(version) for number, _, version in pairs}
