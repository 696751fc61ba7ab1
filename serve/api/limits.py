"""Limits on the size of a request, and on the pace at which its body comes.

The pace of a head, idle connections and slow readers are limited in
`dunegpt.serve.api.protocol`, the time of a whole request in `dunegpt.serve.api.guard`.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dunegpt.serve.api.problems import ProblemError
from dunegpt.server_settings import ServerSettings

MAX_HEAD_BYTES = 16 * 1024

_CLOSE = {"Connection": "close"}


class SizeLimits:
    """ASGI middleware that refuses a request that is too large or too slow."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._max_bytes = settings.max_body_kb * 1024
        self._timeout_s = settings.body_timeout_s
        self._total_s = settings.request_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body is counted as it is read.

        Raises:
            ProblemError: The head is too large, or the body is, by its own account or
                in fact; or it stopped coming; or the head names two lengths.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if measure_head(scope) > MAX_HEAD_BYTES:
            raise ProblemError("head_too_large", headers=_CLOSE)
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            # A proxy may read another end of the request (RFC 9112, section 6.1).
            raise ProblemError("bad_request", headers=_CLOSE)
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            raise ProblemError("body_too_large", headers=_CLOSE)
        await self._app(scope, self._limit(receive), send)

    def _limit(self, receive: Receive) -> Receive:
        count, is_complete = 0, False
        clock = asyncio.get_running_loop().time
        ends = clock() + self._total_s

        async def receive_limited() -> Message:
            nonlocal count, is_complete
            if is_complete:
                return await receive()
            try:
                left = min(self._timeout_s, ends - clock())
                message = await asyncio.wait_for(receive(), left)
            except TimeoutError:
                raise ProblemError("request_timeout", headers=_CLOSE) from None
            count += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if count > self._max_bytes:
                raise ProblemError("body_too_large", headers=_CLOSE)
            return message

        return receive_limited


def measure_head(scope: Scope) -> int:
    """Return the bytes of the head of a request: its address and headers."""
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return headers + len(scope["path"]) + len(scope["query_string"])
