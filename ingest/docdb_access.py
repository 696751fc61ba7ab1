"""Who may read a version: what its groups say, and what the groups' lists show.

A version names the groups that may view it; a superior group sees what its direct
subordinates see; no group means everybody. Each group's own list shows what the group
sees in fact, but only the latest version of each document. Both must agree: the
stricter one counts. Who is whose superior is written nowhere: it is inferred from the
lists. Asks nothing, stores nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dunegpt.types import NOBODY, PUBLIC, Access

Edge = tuple[str, str]
"""A superior group, and one directly below it."""

Lists = Mapping[str, Mapping[int, int]]
"""For each view the documents that it shows, each with the latest version shown."""

_TOLERATED = 50
"""One document in so many may speak against an edge: it changed between two looks."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Which groups stand above which, by what the lists showed.

    Attributes:
        proven: Nothing else explains some document that the superior sees.
        possible: Nothing speaks against it.
    """

    proven: frozenset[Edge] = frozenset()
    possible: frozenset[Edge] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """For whom one version is.

    Attributes:
        groups: That may view it; none: everybody.
        proofs: Views that were shown this very version.
    """

    groups: frozenset[str]
    proofs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dispute:
    """A version that a group's list shows, and its groups do not, or the reverse."""

    number: int
    version: int
    view: str
    is_shown: bool

    def __str__(self) -> str:
        says = "shown to" if self.is_shown else "not shown to"
        return f"{self.number}-v{self.version} is {says} {self.view}"


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides with one hierarchy, and with the groups that give no right to view."""

    hierarchy: Hierarchy = Hierarchy()
    powerless: frozenset[str] = field(default=NOBODY)

    def readers(
        self, version: int, rule: Rule, shown: Mapping[str, int]
    ) -> frozenset[str]:
        """Return the views for whom a version is.

        Args:
            version: Its number.
            rule: What it says of itself.
            shown: The latest version of the document that each view is shown.
        """
        return frozenset(
            view
            for view, latest in shown.items()
            if version <= latest and self.explains(view, version == latest, rule)
        )

    def explains(self, view: str, is_latest: bool, rule: Rule) -> bool:
        """Return whether a version's groups say that it is for a view.

        For the latest that the view is shown a possible edge is enough: its list has
        shown that very version.
        """
        if not rule.groups or (view in rule.proofs and view != PUBLIC):
            return True
        edges = self.hierarchy.possible if is_latest else self.hierarchy.proven
        groups = rule.groups - self.powerless
        return view in groups or any((view, group) in edges for group in groups)

    def disputes(
        self, number: int, top: int, rule: Rule, shown: Mapping[str, int], views: Access
    ) -> Iterator[Dispute]:
        """Yield where the lists contradict what the top version says of itself."""
        for view in sorted(views):
            is_shown = shown.get(view) == top
            if is_shown != self.explains(view, is_shown, rule):
                yield Dispute(number, top, view, is_shown)


def hierarchy(rules: Mapping[int, tuple[int, Rule]], lists: Lists) -> Hierarchy:
    """Return who is whose superior.

    Args:
        rules: For each document the top version, and for whom that is.
        lists: What each view is shown.
    """
    seen: Counter[Edge] = Counter()
    missed: Counter[Edge] = Counter()
    views = [view for view in lists if view != PUBLIC]
    restricted = [(n, top, r.groups) for n, (top, r) in rules.items() if r.groups]
    for number, top, groups in restricted:
        for view in views:
            if view not in groups:
                counter = seen if lists[view].get(number) == top else missed
                counter.update((view, group) for group in groups)
    possible = {e for e in seen if missed[e] * _TOLERATED <= seen[e] + missed[e]}
    proven = set()
    for number, top, groups in restricted:
        for view in views:
            if view not in groups and lists[view].get(number) == top:
                edges = [(view, g) for g in groups if (view, g) in possible]
                if len(edges) == 1:
                    proven.add(edges[0])
    return Hierarchy(frozenset(proven), frozenset(possible))


def principals(prefix: str, views: frozenset[str]) -> Access:
    """Return the principals of some views; the public stands for all."""
    if PUBLIC in views:
        return frozenset({PUBLIC})
    return frozenset(f"{prefix}:{view}" for view in views)


def packed(rows: Mapping[int, int]) -> str:
    """Return a list as one short text."""
    return " ".join(f"{number}:{version}" for number, version in sorted(rows.items()))


def unpacked(text: str) -> dict[int, int]:
    """Return the list that a text stands for."""
    pairs = (pair.partition(":") for pair in text.split())
    return {int(number): int(version) for number, _, version in pairs}
