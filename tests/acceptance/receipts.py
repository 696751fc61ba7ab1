"""Receipts on the journey: asked again by their reader, before and after a change."""

import re
from collections.abc import Callable
from typing import Any

from tests.acceptance.world import PEOPLE, Fact


def asked(run: Callable[..., Any], fact: Fact, person: str) -> str:
    """Return the id of the receipt of an answer, asked again at once by its reader."""
    names = ",".join(sorted(PEOPLE[person]))
    answer = run("ask", "--json", "--as", names, fact.question).json
    assert fact.value in answer["answer"]
    identity: str = answer["receipt"]
    assert run("replay", identity, "--as", names).code == 0
    return identity


def assert_closed(
    run: Callable[..., Any], identity: str, fact: Fact, person: str
) -> None:
    """Nothing of what was closed since is told, and to others not even a receipt."""
    names = ",".join(sorted(PEOPLE[person]))
    for options in ((), ("--json",), ("--as-then",)):
        again = run("replay", identity, "--as", names, *options, good=False)
        assert again.code == 6
        assert fact.value not in again.out + again.err
        assert not re.search(rf"{fact.id}(?!\d)", again.out + again.err)
    others = run("replay", identity, "--as", "nobody:here", good=False)
    unknown = run("replay", "0000000000", "--as", "nobody:here", good=False)
    assert others.code == unknown.code == 3
    assert others.err.replace(identity, "") == unknown.err.replace("0000000000", "")
