"""What a route needs to read for a person: their assistant, limits, the audit."""

import math
import re
from collections.abc import Iterable

from fastapi import Request, Response
from pydantic import BaseModel

from dunegpt.schemas.reading import ShowResponse
from dunegpt.serve.accounts.names import find_network
from dunegpt.serve.accounts.rate_limits import RateLimit
from dunegpt.serve.api.current_person import find_person
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.record import get_record
from dunegpt.serve.api.services import get_services
from dunegpt.serve.assistant import ReaderAssistant

_FILE_ADDRESS = re.compile(r'"url":"file:(?:[^"\\]|\\.)*"')


async def as_reader(request: Request, action: str) -> ReaderAssistant:
    """Return the assistant of who sent a request, which counts against their limit.

    Args:
        request: Of somebody who may read.
        action: Kind of work that is limited: ``ask`` or ``search``.

    Raises:
        ProblemError: They have asked too much for the moment.
    """
    services = get_services(request.scope)
    server = services.settings.server
    person = await find_person(request.scope)
    key = f"account {person.account_id}"
    if person.account_id is None:
        key = f"address {find_network(get_record(request.scope).client)}"
    per_minute = {
        "ask": server.questions_per_minute,
        "search": server.searches_per_minute,
    }
    limit = await services.database_workers.run(
        lambda: services.accounts.limits.take(
            action, key, limit=per_minute[action], per_s=60
        )
    )
    get_record(request.scope).headers = _describe_limit(limit)
    if not limit.is_allowed:
        retry = {"Retry-After": str(math.ceil(limit.retry_after_s))}
        raise ProblemError("too_many_requests", headers=retry)
    return services.assistant.as_reader(person.principals, person=key)


def _describe_limit(limit: RateLimit) -> dict[str, str]:
    """Return the headers that tell a client how much it may still ask."""
    return {
        "RateLimit-Limit": str(limit.limit),
        "RateLimit-Remaining": str(limit.remaining),
        "RateLimit-Reset": str(math.ceil(limit.reset_s)),
    }


async def record_shown(
    request: Request, documents: Iterable[str], face: str = "api"
) -> None:
    """Record that a person is shown documents, before they are.

    Args:
        request: Of the person.
        documents: Ids, in any order.
        face: ``api`` or ``web``.

    Raises:
        StorageError: It cannot be recorded, so nothing may be shown.
    """
    services = get_services(request.scope)
    person = await find_person(request.scope)
    ids = sorted(set(documents))
    if ids:
        await services.database_workers.run(
            lambda: services.accounts.audit.record(person, ids, face=face)
        )


async def send_json(request: Request, model: BaseModel) -> Response:
    """Return a response model as JSON, which is written in a thread."""
    workers = get_services(request.scope).database_workers
    text = await workers.run(lambda: hide_host_paths(model.model_dump_json()))
    return Response(text, media_type="application/json")


def hide_host_paths(text: str) -> str:
    """Return JSON without the addresses of files on this host.

    Quotes within a string are escaped, so that only keys and their values match.
    """
    return _FILE_ADDRESS.sub('"url":""', text)


async def show_documents(
    request: Request, name: str, page: int, face: str = "api"
) -> ShowResponse:
    """Return the documents of a name that a reader may see, and record that.

    Raises:
        ProblemError: There is none, or none that the reader may see.
    """
    reader = await as_reader(request, "search")
    found = await get_services(request.scope).answer_workers.run(
        lambda: reader.show(name, page=page)
    )
    if not found.documents:
        raise ProblemError("not_found")
    await record_shown(request, [each.document.id for each in found.documents], face)
    return found
