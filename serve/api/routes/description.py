"""The description of the API, as OpenAPI."""

from typing import Any

from fastapi import Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from dunegpt.serve.api.guard import READERS, GuardedRouter
from dunegpt.serve.api.routes import describe_problems
from dunegpt.serve.api.services import get_services
from dunegpt.version import __version__

router = GuardedRouter("/api/v1", responses=describe_problems())


@router.route("GET", "/openapi.json", READERS)
async def get_description(request: Request) -> JSONResponse:
    """Return the description of all routes of the API."""
    services = get_services(request.scope)
    description = await services.database_workers.run(
        lambda: describe_api(request.app.routes, services.settings.server.url)
    )
    return JSONResponse(description)


def describe_api(routes: Any, url: str = "") -> dict[str, Any]:
    """Return the description of the routes of an app.

    Args:
        routes: All of them; those outside of the API are left out.
        url: Public address; default: that of the description.
    """
    described = get_openapi(
        title="DUNE-GPT",
        version=__version__,
        routes=routes,
        servers=[{"url": url}] if url else None,
    )
    schemes = described.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["token"] = {"type": "http", "scheme": "bearer"}
    described["security"] = [{"token": []}]
    return described
