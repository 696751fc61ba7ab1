"""The problems that a request can end with: stable codes, statuses and titles.

No text here or in a detail tells anything of the host, of the code, or of documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from dunegpt.errors import DuneGPTError
from dunegpt.schemas.serving import InvalidFieldResponse


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem.

    Attributes:
        status: HTTP status.
        title: What happened, for a person.
        detail: What to do about it.
    """

    status: int
    title: str
    detail: str = ""


PROBLEMS = {
    "bad_request": Problem(400, "The request cannot be read"),
    "not_signed_in": Problem(401, "Not signed in", "Sign in, or send an API token."),
    "invalid_token": Problem(
        401, "The API token is not valid", "It may have expired or been revoked."
    ),
    "forbidden": Problem(403, "Not allowed", "Your account or token may not do this."),
    "cross_site": Problem(
        403,
        "The request did not come from these pages",
        "Load the page again, and repeat what you did.",
    ),
    "not_found": Problem(
        404, "Not found", "There is nothing here, or nothing that you may see."
    ),
    "login_failed": Problem(
        400, "The login did not succeed", "Start again from the login page."
    ),
    "login_unavailable": Problem(
        503,
        "The login provider does not answer",
        "Try again later, or sign in in another way.",
    ),
    "method_not_allowed": Problem(405, "Method not allowed"),
    "request_timeout": Problem(408, "The request did not arrive in time"),
    "body_too_large": Problem(413, "The request is too large"),
    "unsupported_media_type": Problem(415, "Unsupported media type"),
    "head_too_large": Problem(431, "The head of the request is too large"),
    "wrong_host": Problem(421, "This server does not serve that host"),
    "invalid_request": Problem(422, "The request is not valid"),
    "invalid_question": Problem(422, "The question cannot be asked"),
    "too_many_requests": Problem(429, "Too many requests", "Try again later."),
    "client_gone": Problem(499, "The client went away"),  # in the log only
    "internal": Problem(
        500, "Something went wrong", "If you report it, name the id below."
    ),
    "busy": Problem(503, "The server is busy", "Try again in a moment."),
    "shutting_down": Problem(
        503, "The server is being restarted", "Try again in a moment."
    ),
    "search_unavailable": Problem(
        503, "The search is not available", "Try again later."
    ),
    "storage_unavailable": Problem(
        503, "The server cannot reach its records", "Try again later."
    ),
    "timeout": Problem(504, "The answer took too long", "Try again later."),
}
"""All problems by code. Codes are part of the API: they are added, never changed."""

_CODES_OF_STATUSES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
}


class ProblemError(DuneGPTError, HTTPException):
    """A request ends with a problem.

    Attributes:
        code: Key of `PROBLEMS`.
        errors: Parts of the request that are not valid.
    """

    def __init__(
        self,
        code: str = "internal",
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[InvalidFieldResponse] = (),
    ) -> None:
        problem = PROBLEMS[code]
        DuneGPTError.__init__(self, problem.title)
        HTTPException.__init__(
            self, problem.status, detail or problem.detail, dict(headers or {})
        )
        self.code = code
        self.errors = list(errors)


def from_http_error(error: HTTPException) -> ProblemError:
    """Return a framework's error as a problem; its own words are not shown."""
    if isinstance(error, ProblemError):
        return error
    code = _CODES_OF_STATUSES.get(error.status_code, "internal")
    return ProblemError(code, headers=error.headers)
