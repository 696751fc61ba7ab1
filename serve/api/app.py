"""The server as an ASGI app: its routes, and the layers around them."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from dunegpt.config import Settings
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api import health
from dunegpt.serve.api.access_log import AccessLog
from dunegpt.serve.api.errors import ErrorDoor, ErrorPage, install_handlers
from dunegpt.serve.api.guard import GuardedRouter, check_routes
from dunegpt.serve.api.headers import SecurityHeaders
from dunegpt.serve.api.limits import SizeLimits
from dunegpt.serve.api.metrics import Metrics
from dunegpt.serve.api.protocol import limit_connections
from dunegpt.serve.api.proxies import Proxies
from dunegpt.serve.api.routes import (
    answers,
    description,
    documents,
    provider_login,
    status,
)
from dunegpt.serve.api.services import Services
from dunegpt.version import __version__

log = logging.getLogger(__name__)

API_ROUTERS = (
    health.router,
    answers.router,
    documents.router,
    status.router,
    description.router,
    provider_login.router,
)


def create_app(
    settings: Settings,
    *,
    routers: Sequence[GuardedRouter] = (),
    error_page: ErrorPage | None = None,
    open_accounts: Callable[[Settings], AccountStore] = AccountStore,
    shared_metrics: str = "",
) -> FastAPI:
    """Return the app; nothing is opened before it starts.

    Args:
        settings: Of the data folder, and of the server.
        routers: Further routes: the pages, other protocols.
        error_page: Renders problems for browsers; default: as for programs.
        open_accounts: Opens what is known of persons.
        shared_metrics: Folder for the figures of several processes.
    """
    metrics = Metrics(shared_metrics)
    max_connections = limit_connections(settings.server.max_connections)

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        check_routes(app.routes)
        services = Services.open(settings, metrics, open_accounts(settings))
        app.state.services = services
        services.start()
        try:
            yield {
                "settings": settings.server,
                "shutdown": services.shutdown,
                "max_connections": max_connections,
            }
        finally:
            await services.close()

    app = FastAPI(
        title="DUNE-GPT",
        version=__version__,
        lifespan=live,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in (*API_ROUTERS, *routers):
        app.router.routes.extend(router.routes)
    install_handlers(app, error_page)
    # The one added last is the outermost.
    app.add_middleware(SizeLimits, settings=settings.server)
    app.add_middleware(Proxies, settings=settings.server)
    app.add_middleware(ErrorDoor, page=error_page)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(AccessLog, metrics=metrics)
    return app
