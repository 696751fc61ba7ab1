"""Access sets: the principals who may read a document, a file or a passage."""

from collections.abc import Iterable
from typing import TypeAlias

from dunegpt.errors import UsageError

PUBLIC = "public"

Access: TypeAlias = frozenset[str]
"""A set of principals, each of which may read; the empty set means nobody."""

NOBODY: Access = frozenset()


def make_access_set(principals: Iterable[str]) -> Access:
    """Return an access set; with ``public`` in it, all other principals are dropped."""
    access = frozenset(principals)
    return frozenset({PUBLIC}) if PUBLIC in access else access


def make_reader(principals: Iterable[str]) -> Access:
    """Return the principals of a reader, who may open what any of them may.

    Raises:
        UsageError: A principal is neither ``public`` nor of the form ``SOURCE:GROUP``.
    """
    names = frozenset(principals)
    for name in sorted(names - {PUBLIC}):
        source, _, group = name.partition(":")
        if not source or not group:
            raise UsageError(
                f"{name!r} is not a principal.",
                hint="A principal is 'public' or SOURCE:GROUP, for example docdb:DUNE.",
            )
    return names


def intersect_access(outer: Access, inner: Access) -> Access:
    """Return the access set of an item that both access sets must permit.

    A principal stands for a group of people, so the intersection of two sets of
    principals never permits anyone whom one of the sets excludes.
    """
    if PUBLIC in outer:
        return inner
    if PUBLIC in inner:
        return outer
    return outer & inner
