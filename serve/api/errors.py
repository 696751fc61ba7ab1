"""Turns every error into a response: problem+json for programs, a page for people.

What an unexpected error says goes to the log, under the id that the response has.
"""

import logging
from collections.abc import Callable
from typing import TypeAlias

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dunegpt.errors import SEARCH_UNAVAILABLE, StorageError, UsageError
from dunegpt.schemas.serving import InvalidFieldResponse, ProblemResponse
from dunegpt.serve.api.problems import PROBLEMS, ProblemError, from_http_error
from dunegpt.serve.api.record import get_record

log = logging.getLogger(__name__)

ErrorPage: TypeAlias = Callable[[Request, ProblemError, ProblemResponse], Response]
"""Renders a problem as a page."""

_FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics", "/static/")


def to_problem(error: Exception, request_id: str) -> ProblemError:
    """Return the problem for an error; what is unexpected is logged with the id."""
    match error:
        case RequestValidationError():
            return _describe_invalid(error)
        case HTTPException():
            return from_http_error(error)
        case UsageError():
            return ProblemError("invalid_question", describe_usage_error(error))
    if isinstance(error, SEARCH_UNAVAILABLE):
        log.error("request %s: %s %s", request_id, error, error.hint)
        return ProblemError("search_unavailable", headers={"Retry-After": "30"})
    if isinstance(error, StorageError):
        log.error("request %s: %s %s", request_id, error, error.hint)
        return ProblemError("storage_unavailable", headers={"Retry-After": "10"})
    log.error("request %s failed", request_id, exc_info=error)
    return ProblemError("internal")


def describe_usage_error(error: UsageError) -> str:
    """Return what is wrong, and what to do about it if that is not for a terminal."""
    is_for_terminal = "dunegpt " in error.hint or "--" in error.hint
    return str(error) if is_for_terminal else f"{error} {error.hint}".strip()


def render_problem(
    scope: Scope, problem: ProblemError, page: ErrorPage | None
) -> Response:
    """Return the response for a problem, as whoever asks can read it."""
    record = get_record(scope)
    record.problem = problem.code
    body = ProblemResponse(
        title=PROBLEMS[problem.code].title,
        status=problem.status_code,
        detail=problem.detail,
        code=problem.code,
        id=record.id,
        errors=problem.errors,
    )
    request = Request(scope)
    if page is not None and wants_page(request):
        return page(request, problem, body)
    return JSONResponse(
        body.model_dump(),
        status_code=problem.status_code,
        headers=dict(problem.headers or {}),
        media_type="application/problem+json",
    )


def wants_page(request: Request) -> bool:
    """Return whether a request came from a person's browser, not from a program."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return not path.startswith(_FOR_PROGRAMS) and "text/html" in request.headers.get(
        "accept", ""
    )


class ErrorDoor:
    """ASGI middleware: an error that nobody has handled becomes a response."""

    def __init__(self, app: ASGIApp, page: ErrorPage | None) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request.

        Raises:
            ConnectionAbortedError: A response that had begun cannot be completed.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:  # the last door of a request
            problem = to_problem(error, get_record(scope).id)
            if has_begun:
                raise ConnectionAbortedError(get_record(scope).id) from None
            response = render_problem(scope, problem, self._page)
            await response(scope, receive, send)


def install_handlers(app: FastAPI, page: ErrorPage | None) -> None:
    """Let the app answer all errors that its routes raise with a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = to_problem(error, get_record(request.scope).id)
        return render_problem(request.scope, problem, page)

    expected = (HTTPException, RequestValidationError, UsageError, StorageError)
    for kind in (*expected, *SEARCH_UNAVAILABLE):
        app.add_exception_handler(kind, handle)


def _describe_invalid(error: RequestValidationError) -> ProblemError:
    errors = [
        InvalidFieldResponse(
            where=".".join(str(part) for part in each["loc"]), message=each["msg"]
        )
        for each in error.errors()
    ]
    return ProblemError("invalid_request", errors=errors[:20])
