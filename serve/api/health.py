"""Health, readiness and metrics: what monitoring asks."""

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from dunegpt.schemas.serving import HealthResponse, ReadinessResponse
from dunegpt.serve.api.guard import METRICS, PUBLIC, GuardedRouter
from dunegpt.serve.api.metrics import CONTENT_TYPE
from dunegpt.serve.api.services import get_services

router = GuardedRouter()


@router.route("GET", "/healthz", PUBLIC)
async def get_health() -> HealthResponse:
    """Return ok: the process answers."""
    return HealthResponse()


@router.route("GET", "/readyz", PUBLIC)
async def get_readiness(request: Request) -> Response:
    """Return whether an index is open and its record of access fresh; else 503."""
    services = get_services(request.scope)
    reason = services.index.reason
    if services.shutdown.has_begun:
        reason = "shutting_down"
    body = ReadinessResponse(ready=not reason, reason=reason)
    return JSONResponse(body.model_dump(), status_code=503 if reason else 200)


@router.route("GET", "/metrics", METRICS)
async def get_metrics(request: Request) -> Response:
    """Return the figures of all processes, for Prometheus."""
    services = get_services(request.scope)
    text = await services.database_workers.run(services.metrics.render)
    return Response(text, media_type=CONTENT_TYPE)
