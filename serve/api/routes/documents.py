"""Documents by name: versions, files, citations, and the text of a page."""

from typing import Annotated

from fastapi import Query, Request, Response

from dunegpt.schemas.reading import ShowResponse
from dunegpt.serve.accounts.person import Scope
from dunegpt.serve.api.guard import GuardedRouter, readers_with
from dunegpt.serve.api.reading import send_json, show_documents
from dunegpt.serve.api.routes import describe_problems

router = GuardedRouter("/api/v1", "documents", responses=describe_problems(404, 422))


@router.route(
    "GET",
    "/documents/{name:path}",
    readers_with(Scope.SEARCH),
    is_answer=True,
    response_model=ShowResponse,
)
async def show(
    request: Request, name: str, page: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> Response:
    """Show the documents of a name: an id, a number or a link.

    All versions, if the name has none; with the text of a page, if one is asked for.
    What does not exist and what the reader may not see give the same problem.
    """
    return await send_json(request, await show_documents(request, name, page))
