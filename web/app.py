"""The server with its pages: what `dunegpt serve` runs."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from dunegpt.config import Settings, load_settings
from dunegpt.log import set_up_logging
from dunegpt.serve.api.app import create_app
from dunegpt.serve.api.guard import PUBLIC, GuardedRouter
from dunegpt.serve.api.process import log_with
from dunegpt.web import account, reading
from dunegpt.web.rendering import STATIC, render_problem_page


@dataclass(frozen=True, slots=True)
class AppMaker:
    """Makes the app in each process of a server; can be sent to one.

    Attributes:
        config: Settings file.
        server: Settings of ``[server]`` that take precedence over the file.
        verbose: Whether to log progress.
        debug: Whether to log everything.
        shared_metrics: Folder for the figures of several processes; empty for one.
    """

    config: Path | None
    server: dict[str, Any]
    verbose: bool = False
    debug: bool = False
    shared_metrics: str = ""

    def __call__(self) -> FastAPI:
        """Return the app."""
        set_up_logging(verbose=self.verbose, debug=self.debug)
        log_with(logging.getLogger("dunegpt"))
        settings = load_server_settings(self.config, self.server)
        return create_web_app(settings, shared_metrics=self.shared_metrics)


def load_server_settings(config: Path | None, server: dict[str, Any]) -> Settings:
    """Return the settings of a file, with some of ``[server]`` from elsewhere.

    Without a public address, the one that the server listens at stands in links.

    Raises:
        ConfigError: The file is missing, or has a key or value that is not valid.
    """
    settings = load_settings(config, **({"server": server} if server else {}))
    if settings.server.url:
        return settings
    url = f"http://{format_address(settings.server.host, settings.server.port)}"
    own = settings.server.model_copy(update={"url": url})
    return settings.model_copy(update={"server": own})


def format_address(host: str, port: int) -> str:
    """Return host and port as in an address; the host that a browser can open."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def create_web_app(settings: Settings, **options: Any) -> FastAPI:
    """Return the app with API and pages; see `dunegpt.serve.api.app.create_app`."""
    files = GuardedRouter()
    files.mount("/static", StaticFiles(directory=STATIC), PUBLIC)
    return create_app(
        settings,
        routers=(reading.router, account.router, files),
        error_page=render_problem_page,
        **options,
    )
