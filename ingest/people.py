"""Turns the claims of a login into principals, by the table of the settings.

Each ``[[access.people]]`` says: who has this value in this claim has these principals.
Nothing is guessed: a claim that no rule names gives nothing. Does not know how somebody
logs in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dunegpt.config import PeopleRule
from dunegpt.types import Access, access_set


def principals(claims: Mapping[str, Any], rules: Sequence[PeopleRule]) -> Access:
    """Return the principals of a person; empty for somebody unknown.

    Args:
        claims: Of an ID token or of the userinfo answer, checked by the caller.
        rules: From the settings.
    """
    return access_set(p for rule in matching(claims, rules) for p in rule.principals)


def matching(
    claims: Mapping[str, Any], rules: Sequence[PeopleRule]
) -> list[PeopleRule]:
    """Return the rules that hold for a person, in their order."""
    return [rule for rule in rules if _holds(rule, claims)]


def _holds(rule: PeopleRule, claims: Mapping[str, Any]) -> bool:
    """Return whether a rule's value is the claim, or one of its members, exactly."""
    if rule.issuer and claims.get("iss") != rule.issuer:
        return False
    if rule.claim == "email" and claims.get("email_verified") is not True:
        return False  # anybody may claim an address that nobody has verified
    found = _claim(claims, rule.claim)
    return rule.value in (found if isinstance(found, list) else [found])


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim; a name with dots that no claim has leads into nested ones.

    Group lists lie nested at some providers (``realm_access.roles``).
    """
    if name in claims:
        return claims[name]
    head, dot, rest = name.partition(".")
    inner = claims.get(head)
    return _claim(inner, rest) if dot and isinstance(inner, Mapping) else None
