"""One line of JSON for each request: when, who, which route, how it ended.

Without question text, document names, addresses with their query, or tokens: the route
stands there with its placeholders. Which documents a person was shown is in the audit.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dunegpt.serve.api.metrics import Metrics
from dunegpt.serve.api.record import RequestRecord, start_record

log = logging.getLogger(__name__)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class AccessLog:
    """ASGI middleware, the outermost: starts the record of a request, and logs it."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        out: TextIO | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._out = out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and write its line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record, status, size = start_record(scope), 0, 0

        async def send_counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            self._write(scope, record, status, size)

    def _write(
        self, scope: Scope, record: RequestRecord, status: int, size: int
    ) -> None:
        seconds = time.monotonic() - record.started
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._metrics.count_request(method, record.route, status, seconds)
        person = record.person
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": record.id,
            "client": record.client,
            "account": person.account_id if person else None,
            "kind": person.kind if person else "",
            "method": method,
            "route": record.route,
            "status": status,  # 0: the client went away
            "problem": record.problem,
            "bytes": size,
            "ms": round(seconds * 1000, 1),
        }
        out = self._out or sys.stdout
        try:
            out.write(json.dumps(line, separators=(",", ":")) + "\n")
            out.flush()
        except (OSError, ValueError) as error:  # a full disk must not stop answers
            log.warning("the access log cannot be written: %s", error)
