"""Who the client is, by which scheme and host: behind named proxies only.

``X-Forwarded-For`` and ``X-Forwarded-Proto`` count if the peer is one of the proxies in
the settings; from anybody else they are ignored. The host that a client names is
checked, and never used to make an address.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.record import get_record
from dunegpt.server_settings import Network, ServerSettings

_RELAYED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Proxies:
    """ASGI middleware that sets client, scheme and base path of a request."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as what its client sent.

        Raises:
            ProblemError: It names a host or a path that is not served here.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._find_client(scope, headers)
        if not is_served(headers.get("host", ""), self._settings):
            raise ProblemError("wrong_host")
        base = self._settings.base_path
        if base and scope["path"] == base and scope["method"] == "GET":
            # The public address as people type it.
            await RedirectResponse(f"{base}/", 307)(scope, receive, send)
            return
        if base and is_below(scope["path"], base):
            scope["root_path"] = base
        elif base and scope["path"] not in {"/healthz", "/readyz", "/metrics"}:
            raise ProblemError("not_found")
        await self._app(scope, receive, send)

    def _find_client(self, scope: Scope, headers: Headers) -> None:
        record = get_record(scope)
        peer = scope["client"][0] if scope.get("client") else ""
        record.client = peer
        if not is_in(peer, self._settings.proxies):
            record.is_relayed = any(name in headers for name in _RELAYED)
            return
        addresses = [
            address.strip()
            for line in headers.getlist("x-forwarded-for")
            for address in line.split(",")
        ]
        # From right to left: what stands left of an unnamed proxy is anybody's word.
        for address in reversed(addresses):
            if parse_address(address) is None:
                record.is_relayed = record.client == peer
                break
            record.client = address
            if not is_in(address, self._settings.proxies):
                break
        if headers.get("x-forwarded-proto", "") in {"http", "https"}:
            scope["scheme"] = headers["x-forwarded-proto"]


def is_below(path: str, base: str) -> bool:
    """Return whether a path is a base path, or one below it."""
    return path == base or path.startswith(f"{base}/")


def parse_address(address: str) -> IPv4Address | IPv6Address | None:
    """Return an IP address, an IPv4 one in IPv6 form as itself; None if it is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_in(address: str, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of some networks."""
    found = parse_address(address)
    return found is not None and any(found in network for network in networks)


def is_served(host: str, settings: ServerSettings) -> bool:
    """Return whether a ``Host`` header names this server.

    That is the host of the public address, the name it listens at, ``localhost`` or an
    IP address: so another site's name that resolves to this server gets nothing.
    """
    name = host.rpartition(":")[0] if _has_port(host) else host
    name = name.strip("[]").lower().rstrip(".")
    own = {settings.public_host, settings.host.lower(), "localhost"}
    return name in own or parse_address(name) is not None


def _has_port(host: str) -> bool:
    _, colon, port = host.rpartition(":")
    return bool(colon) and port.isdigit() and not host.endswith("]")
