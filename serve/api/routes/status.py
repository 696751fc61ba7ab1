"""What a reader can know of the server: who they are here, and how old the index is."""

from fastapi import Request

from dunegpt.schemas.serving import PersonSummaryResponse, ReaderStatusResponse
from dunegpt.serve.api.current_person import find_person
from dunegpt.serve.api.guard import READERS, GuardedRouter
from dunegpt.serve.api.routes import describe_problems
from dunegpt.serve.api.services import get_services

router = GuardedRouter("/api/v1", "status", responses=describe_problems())


@router.route("GET", "/status", READERS)
async def get_status(request: Request) -> ReaderStatusResponse:
    """Return who asks, what they may read, and the state of the index."""
    person = await find_person(request.scope)
    index = get_services(request.scope).index
    return ReaderStatusResponse(
        person=PersonSummaryResponse(
            name=person.name,
            kind=person.kind,
            role=person.role,
            principals=sorted(person.principals),
            scopes=sorted(person.scopes),
        ),
        ready=not index.reason,
        reason=index.reason,
        snapshot=index.snapshot,
        created_at=index.created_at,
        notice=index.notice,
    )
