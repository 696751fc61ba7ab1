"""Response models of the HTTP server alone: problems, and who is asking.

Does not depend on other packages. See `dunegpt.schemas.registry` for all models.
"""

from pydantic import BaseModel, ConfigDict


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InvalidFieldResponse(_Response):
    """One part of a request that is not valid; its value is not repeated."""

    where: str
    message: str


class ProblemResponse(_Response):
    """Why a request failed, as ``application/problem+json`` (RFC 9457).

    Attributes:
        type: Always ``about:blank``; the code tells problems apart.
        code: Stable name of the problem.
        id: Of the request; the log has it.
        errors: What is not valid, if that is the problem.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    id: str
    errors: list[InvalidFieldResponse] = []


class PersonSummaryResponse(_Response):
    """Who asks: name, role, and what they may read and do.

    Attributes:
        kind: How they signed in: ``anonymous``, ``local``, ``oidc`` or ``token``.
        principals: As which they read; ``public`` is one.
    """

    name: str
    kind: str
    role: str
    principals: list[str]
    scopes: list[str]


class ReaderStatusResponse(_Response):
    """Answer of ``/api/v1/status``.

    Attributes:
        ready: Whether questions can be answered, under a fresh record of access.
        reason: Why not: ``no_index``, ``access_stale``, ...; empty if ready.
        snapshot: Id of the index that is searched; empty if there is none.
        created_at: When it was made, ISO 8601; empty if there is none.
        notice: What limits the search at the moment, for the reader; often empty.
    """

    person: PersonSummaryResponse
    ready: bool
    reason: str
    snapshot: str
    created_at: str
    notice: str


class HealthResponse(_Response):
    """Answer of ``/healthz``."""

    status: str = "ok"


class ReadinessResponse(_Response):
    """Answer of ``/readyz``; ``reason`` is empty if ready."""

    ready: bool
    reason: str
