"""Compares a catalog with the access that the test Indico reports for its objects.

A principal may read what *all* accounts that represent it may read, other than as
managers. Does not depend on the server or the crawl.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dunegpt.access import NOBODY, PUBLIC, Access, intersect_access
from dunegpt.types import Document

Truth = Sequence[Mapping[str, Any]]
Accounts = Mapping[str, Sequence[str]]
"""The accounts that represent each principal."""


@dataclass(frozen=True)
class Difference:
    """Differences between catalog and truth, as ``NAME to PRINCIPAL``."""

    leaked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tally:
    """Counts of documents and files that an account may read in Indico and here.

    Attributes:
        may: Readable by the account in Indico.
        own: Of these, readable only individually or as a manager.
        shown: Readable here by the principals of the account.
        leaked: Readable here, but not by the account in Indico.
        missing: Readable by its principals in Indico, but not here.
    """

    may: int
    own: int
    shown: int
    leaked: int
    missing: int


def readers(
    record: Mapping[str, Any], managers: Iterable[str], who: Accounts
) -> Access:
    """Return the principals that may read an object or a file, by the truth."""
    if PUBLIC in record["readers"]:
        return frozenset({PUBLIC})
    plain = set(record["readers"]) - set(managers)
    return frozenset(p for p, accounts in who.items() if plain.issuperset(accounts))


def true_access(truth: Truth, who: Accounts) -> dict[str, Access]:
    """Return the access set of each readable object and file, by the truth.

    A file is named ``OBJECT#KEY``.
    """
    access_by_name: dict[str, Access] = {}
    for item in truth:
        key, managers = item["key"], item["managers"]
        access_by_name[key] = access = readers(item, managers, who)
        if item["minutes"]:
            access_by_name[f"{key}#minutes"] = access
        for file in (*item["files"], *item["links"]):
            file_access = readers(file, managers, who)
            access_by_name[f"{key}#a{file['id']}"] = intersect_access(
                access, file_access
            )
    return {name: access for name, access in access_by_name.items() if access}


def catalog_access(documents: Iterable[Document]) -> dict[str, Access]:
    """Return the same for a catalog, without files that Indico has no record of."""
    access_by_name: dict[str, Access] = {}
    for document in documents:
        key = document.id.partition(":")[2]
        access_by_name[key] = document.access
        for file in document.files:
            if file.key == "minutes" or file.key[1:].isdecimal():
                name = f"{key}#{file.key}"
                access_by_name[name] = intersect_access(document.access, file.access)
    return {name: access for name, access in access_by_name.items() if access}


def difference(
    documents: Iterable[Document], truth: Truth, who: Accounts
) -> Difference:
    """Return what leaks and what is missing."""
    ours, theirs = catalog_access(documents), true_access(truth, who)
    principals = [PUBLIC, *who]
    result = Difference()
    for name in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(name, NOBODY), theirs.get(name, NOBODY)
        for principal in principals:
            is_open, expected = may(here, principal), may(there, principal)
            if is_open and not expected:
                result.leaked.append(f"{name} to {principal}")
            elif expected and not is_open:
                result.missing.append(f"{name} to {principal}")
    return result


def may(access: Access, *principals: str) -> bool:
    """Return whether a reader with these principals has access."""
    return not access.isdisjoint({PUBLIC, *principals})


def tallies(
    documents: Iterable[Document], truth: Truth, who: Accounts, accounts: Sequence[str]
) -> dict[str, Tally]:
    """Return the counts for each account."""
    ours, theirs = catalog_access(documents), true_access(truth, who)
    names: dict[str, set[str]] = {name: _of_account(truth, name) for name in accounts}
    counts = {}
    for account in accounts:
        principals = [p for p, members in who.items() if account in members]
        shown = {n for n, access in ours.items() if may(access, *principals)}
        expected = {n for n, access in theirs.items() if may(access, *principals)}
        readable = names[account]
        counts[account] = Tally(
            may=len(readable),
            own=len(readable - expected),
            shown=len(shown),
            leaked=len(shown - readable),
            missing=len(expected - shown),
        )
    return counts


def _of_account(truth: Truth, account: str) -> set[str]:
    """Return the names of what one account may read in Indico."""
    names = set()
    for item in truth:
        if account in item["readers"]:
            names.add(item["key"])
            if item["minutes"]:
                names.add(f"{item['key']}#minutes")
        names |= {
            f"{item['key']}#a{file['id']}"
            for file in (*item["files"], *item["links"])
            if account in file["readers"]
        }
    return names
