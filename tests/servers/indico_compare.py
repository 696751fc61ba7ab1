"""Compares a catalog with what the test Indico says of its own objects.

The truth of a principal is what *all* accounts that stand for it may read, and not by
managing it. Knows no server and no crawl.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dunegpt.types import NOBODY, PUBLIC, Access, Document, narrow

Truth = Sequence[Mapping[str, Any]]
Accounts = Mapping[str, Sequence[str]]
"""The accounts that stand for each principal."""


@dataclass(frozen=True)
class Difference:
    """Where catalog and truth differ; each entry names a thing and a principal."""

    leaked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tally:
    """What one account may read at Indico, and what its principals may here.

    Attributes:
        may: What Indico lets the account read, documents and files.
        own: Of these, what it may read by its own name or by managing only.
        shown: What its principals may read here.
        leaked: Shown here, and closed to the account there.
        missing: Its principals may read it there, and not here.
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
    """Return who may read each object and each file that anyone may read.

    A file's name is that of its object, ``#``, and its key.
    """
    found: dict[str, Access] = {}
    for item in truth:
        key, managers = item["key"], item["managers"]
        found[key] = access = readers(item, managers, who)
        if item["minutes"]:
            found[f"{key}#minutes"] = access
        for file in (*item["files"], *item["links"]):
            own = readers(file, managers, who)
            found[f"{key}#a{file['id']}"] = narrow(access, own)
    return {name: access for name, access in found.items() if access}


def catalog_access(documents: Iterable[Document]) -> dict[str, Access]:
    """Return the same of a catalog; what Indico has no record of is left out."""
    found: dict[str, Access] = {}
    for document in documents:
        key = document.id.partition(":")[2]
        found[key] = document.access
        for file in document.files:
            if file.key == "minutes" or file.key[1:].isdecimal():
                name = f"{key}#{file.key}"
                found[name] = narrow(document.access, file.access)
    return {name: access for name, access in found.items() if access}


def difference(
    documents: Iterable[Document], truth: Truth, who: Accounts
) -> Difference:
    """Return what is shown that should not be, and what should be and is not."""
    ours, theirs = catalog_access(documents), true_access(truth, who)
    principals = [PUBLIC, *who]
    result = Difference()
    for name in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(name, NOBODY), theirs.get(name, NOBODY)
        for principal in principals:
            opened, due = may(here, principal), may(there, principal)
            if opened and not due:
                result.leaked.append(f"{name} to {principal}")
            elif due and not opened:
                result.missing.append(f"{name} to {principal}")
    return result


def may(access: Access, *principals: str) -> bool:
    """Return whether a reader with these principals may read something."""
    return not access.isdisjoint({PUBLIC, *principals})


def tallies(
    documents: Iterable[Document], truth: Truth, who: Accounts, accounts: Sequence[str]
) -> dict[str, Tally]:
    """Return for each account what it may read there and here."""
    ours, theirs = catalog_access(documents), true_access(truth, who)
    names: dict[str, set[str]] = {name: _of_account(truth, name) for name in accounts}
    found = {}
    for account in accounts:
        own = [p for p, members in who.items() if account in members]
        shown = {n for n, access in ours.items() if may(access, *own)}
        due = {n for n, access in theirs.items() if may(access, *own)}
        there = names[account]
        found[account] = Tally(
            may=len(there),
            own=len(there - due),
            shown=len(shown),
            leaked=len(shown - there),
            missing=len(due - shown),
        )
    return found


def _of_account(truth: Truth, account: str) -> set[str]:
    """Return what Indico lets one account read."""
    found = set()
    for item in truth:
        if account in item["readers"]:
            found.add(item["key"])
            if item["minutes"]:
                found.add(f"{item['key']}#minutes")
        found |= {
            f"{item['key']}#a{file['id']}"
            for file in (*item["files"], *item["links"])
            if account in file["readers"]
        }
    return found
