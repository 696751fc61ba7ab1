"""Maps the claims of a login to principals, by the rules in the settings.

Each ``[[access.people]]`` grants principals for a value in a claim. Claims without a
rule grant nothing. Does not depend on the login itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dunegpt.access import Access
from dunegpt.config import PrincipalRule


def resolve_principals(
    claims: Mapping[str, Any], rules: Sequence[PrincipalRule]
) -> Access:
    """Return the principals of a person; empty if no rule matches.

    A person whom one rule makes ``public`` keeps what the others grant.

    Args:
        claims: Verified claims of an ID token or userinfo response.
        rules: Rules from the settings.
    """
    return frozenset(
        p for rule in find_matching_rules(claims, rules) for p in rule.principals
    )


def find_matching_rules(
    claims: Mapping[str, Any], rules: Sequence[PrincipalRule]
) -> list[PrincipalRule]:
    """Return the rules that match a person's claims, in their order."""
    return [rule for rule in rules if _rule_matches(rule, claims)]


def _rule_matches(rule: PrincipalRule, claims: Mapping[str, Any]) -> bool:
    """Return whether a rule's value equals the claim or one of its members."""
    if rule.issuer and claims.get("iss") != rule.issuer:
        return False
    if rule.claim == "email" and claims.get("email_verified") is not True:
        return False  # an unverified address proves nothing
    claim = _get_claim(claims, rule.claim)
    return rule.value in (claim if isinstance(claim, list) else [claim])


def _get_claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by a dotted path into nested claims.

    Some providers nest their group lists (``realm_access.roles``).
    """
    if name in claims:
        return claims[name]
    head, dot, rest = name.partition(".")
    inner = claims.get(head)
    return _get_claim(inner, rest) if dot and isinstance(inner, Mapping) else None
