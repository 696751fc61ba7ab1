"""Limits on the body of a request: its size and the pace at which it comes.

The head of a request, idle connections and slow readers are limited in
`dunegpt.serve.api.protocol`, the time of a whole request in `dunegpt.serve.api.guard`.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dunegpt.serve.api.problems import ProblemError
from dunegpt.server_settings import ServerSettings

_CLOSE = {"Connection": "close"}


class BodyLimits:
    """ASGI middleware that refuses a body that is too large or too slow."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._max_bytes = settings.max_body_kb * 1024
        self._timeout_s = settings.body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body is counted as it is read.

        Raises:
            ProblemError: The body is too large, by its own account or in fact; or it
                stopped coming.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            raise ProblemError("body_too_large", headers=_CLOSE)
        await self._app(scope, self._limit(receive), send)

    def _limit(self, receive: Receive) -> Receive:
        count, is_complete = 0, False

        async def receive_limited() -> Message:
            nonlocal count, is_complete
            if is_complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._timeout_s)
            except TimeoutError:
                raise ProblemError("request_timeout", headers=_CLOSE) from None
            count += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if count > self._max_bytes:
                raise ProblemError("body_too_large", headers=_CLOSE)
            return message

        return receive_limited
