"""Requests to a provider: bounded in time and size, and never redirected.

A provider that is slow, endless or broken costs one request its time limit.
"""

import ssl
import time

import httpx2

MAX_BYTES = 1024 * 1024


class LimitedTransport(httpx2.BaseTransport):
    """Reads each response at once, within a time limit and `MAX_BYTES`."""

    def __init__(self, context: ssl.SSLContext, timeout_s: float) -> None:
        self._inner = httpx2.HTTPTransport(verify=context, trust_env=False)
        self._timeout_s = timeout_s

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the whole response.

        Raises:
            httpx2.TransportError: It did not come in time, is too large, or encoded.
        """
        deadline = time.monotonic() + self._timeout_s
        request.headers["Accept-Encoding"] = "identity"
        request.headers["Connection"] = "close"
        response = self._inner.handle_request(request)
        try:
            if "content-encoding" in response.headers:
                raise httpx2.DecodingError("the response is encoded")
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise httpx2.ReadError("the response is too large")
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("the response takes too long")
        finally:
            response.close()
        headers = [
            (name, value)
            for name, value in response.headers.raw
            if name.lower() not in {b"transfer-encoding", b"content-length"}
        ]
        return httpx2.Response(
            response.status_code, headers=headers, content=bytes(body)
        )

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()
