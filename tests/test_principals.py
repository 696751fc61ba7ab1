"""Claims to principals: exactly what a rule says, and nothing for anybody else."""

from typing import Any

import pytest

from dunegpt.config import PrincipalRule
from dunegpt.principals import find_matching_rules, resolve_principals

RULES = [
    PrincipalRule(
        claim="groups", value="dune", principals=("docdb:DUNE", "indico:member")
    ),
    PrincipalRule(
        claim="realm_access.roles", value="board", principals=("docdb:board",)
    ),
    PrincipalRule(claim="email", value="ada@example.org", principals=("edms:ada",)),
    PrincipalRule(
        claim="sub", value="17", issuer="https://id.test", principals=("log:shift",)
    ),
    PrincipalRule(claim="https://id.test/groups", value="x", principals=("a:x",)),
    PrincipalRule(claim="groups", value="anyone", principals=("public",)),
]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"groups": ["dune", "other"]}, {"docdb:DUNE", "indico:member"}),
        ({"groups": "dune"}, {"docdb:DUNE", "indico:member"}),
        ({"realm_access": {"roles": ["board"]}}, {"docdb:board"}),
        ({"email": "ada@example.org", "email_verified": True}, {"edms:ada"}),
        ({"sub": "17", "iss": "https://id.test"}, {"log:shift"}),
        ({"https://id.test/groups": ["x"]}, {"a:x"}),
        (
            {"groups": ["anyone", "dune"]},
            {"public", "docdb:DUNE", "indico:member"},
        ),
        (
            {"groups": ["dune"], "realm_access": {"roles": ["board"]}},
            {"docdb:DUNE", "indico:member", "docdb:board"},
        ),
    ],
)
def test_known(claims: dict[str, Any], expected: set[str]) -> None:
    assert resolve_principals(claims, RULES) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": []},
        {"groups": None},
        {"groups": ["DUNE", "dune ", "dune-x", "xdune"]},
        {"groups": "dune,other"},
        {"groups": {"dune": True}},
        {"group": ["dune"]},
        {"realm_access": "board"},
        {"realm_access": {"roles": {"board": 1}}},
        {"email": "ada@example.org"},
        {"email": "ada@example.org", "email_verified": "true"},
        {"email": "ada@example.org", "email_verified": False},
        {"sub": "17"},
        {"sub": "17", "iss": "https://evil.test"},
        {"sub": 17, "iss": "https://id.test"},
    ],
)
def test_unknown_is_none(claims: dict[str, Any]) -> None:
    assert resolve_principals(claims, RULES) == frozenset()
    assert find_matching_rules(claims, RULES) == []
