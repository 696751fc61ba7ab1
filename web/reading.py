"""Pages for readers: a question with its answer, and a document.

They work without JavaScript.
"""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from dunegpt.errors import UsageError
from dunegpt.serve.accounts.person import Scope
from dunegpt.serve.api.answers import run_answer
from dunegpt.serve.api.errors import describe_usage_error
from dunegpt.serve.api.forms import read_form
from dunegpt.serve.api.guard import GuardedRouter, readers_with
from dunegpt.serve.api.reading import as_reader, record_shown, show_documents
from dunegpt.serve.api.services import get_services
from dunegpt.web.rendering import render_page

router = GuardedRouter()


@router.route("GET", "/", readers_with(Scope.ASK))
async def get_start(request: Request) -> Response:
    """Show the form for a question."""
    return _render_start(request)


@router.route("POST", "/", readers_with(Scope.ASK), is_answer=True)
async def ask(request: Request) -> Response:
    """Show the answer to a question."""
    form = await read_form(request)
    question = form.get("question", "")
    reader = await as_reader(request, "ask")
    try:
        answer = await run_answer(request, reader.stream(question))
    except UsageError as error:
        message = describe_usage_error(error)
        return _render_start(request, question, status=422, message=message)
    await record_shown(request, [each.document.id for each in answer.references], "web")
    return _render_start(request, question, answer=answer)


def _render_start(
    request: Request,
    question: str = "",
    *,
    status: int = 200,
    message: str = "",
    answer: object = None,
) -> Response:
    return render_page(
        request,
        "start.html",
        status=status,
        question=question,
        message=message,
        answer=answer,
        index=get_services(request.scope).index,
    )


@router.route("GET", "/view/{name:path}", readers_with(Scope.SEARCH), is_answer=True)
async def view(
    request: Request,
    name: str,
    page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    file: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Show a document, and the text of a page of one of its files."""
    found = await show_documents(request, name, page, "web")
    return render_page(
        request, "document.html", documents=found.documents, file=file, page=page
    )
