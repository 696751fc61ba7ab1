"""What is known of one request while it is served: id, client, person, route.

Kept in the ASGI scope, so that the outermost part (log and metrics) sees what the inner
ones found out. Knows nothing of the question.
"""

import secrets
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dunegpt.serve.accounts.person import Person

Scope: TypeAlias = MutableMapping[str, Any]

_KEY = "dunegpt.record"


@dataclass(slots=True)
class RequestRecord:
    """One request.

    Attributes:
        id: Names it in errors and in the log.
        started: By the monotonic clock, in seconds.
        client: Address of the client, behind the named proxies; empty if unknown.
        is_relayed: Whether it came through a proxy, and it is not known from whom.
        route: Path of the route with its placeholders; empty if there is none.
        person: Who asks; None until that was needed.
        headers: More headers of the response.
        problem: Code of the problem that it ended with; empty for none.
    """

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started: float = field(default_factory=time.monotonic)
    client: str = ""
    is_relayed: bool = False
    route: str = ""
    person: Person | None = None
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def start_record(scope: Scope) -> RequestRecord:
    """Return the record of a new request, kept in its scope from now on."""
    record = RequestRecord()
    scope[_KEY] = record
    return record


def get_record(scope: Scope) -> RequestRecord:
    """Return the record of a request that has been started.

    Raises:
        LookupError: It has not.
    """
    record: RequestRecord = scope[_KEY]
    return record
