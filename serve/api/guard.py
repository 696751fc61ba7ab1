"""Deny by default: each route declares its audience, and answers nobody else.

`GuardedRoute` and `GuardedMount` are the only routes that a server may have;
`check_routes` lets no other one start. Who calls is looked up, and admitted or refused,
before anything of a request but its head is read.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from dunegpt.errors import DuneGPTError
from dunegpt.serve.accounts.person import Person
from dunegpt.serve.accounts.person import Scope as TokenScope
from dunegpt.serve.api.csrf import SAFE_METHODS, check_origin, check_token
from dunegpt.serve.api.current_person import (
    find_person,
    get_form_cookie,
    get_session_cookie,
)
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.proxies import is_in
from dunegpt.serve.api.record import get_record
from dunegpt.serve.api.services import get_services

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class UnguardedRouteError(DuneGPTError):
    """A route declares no audience, so the server does not start."""

    hint = "Add it through dunegpt.serve.api.guard."


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may call a route.

    Attributes:
        name: For the documentation.
        is_open: Anybody, without being looked up.
        scope: What the caller has to be allowed to do, if anything.
        by_network: Clients in ``metrics_networks``, too.
        needs_token: Also those who are not looked up need the token of a form.
    """

    name: str
    is_open: bool = False
    scope: TokenScope | None = None
    by_network: bool = False
    needs_token: bool = False


PUBLIC = Audience("everybody", is_open=True)
LOGIN = Audience("everybody", is_open=True, needs_token=True)
READERS = Audience("readers")
SIGNED_IN = Audience("signed in", scope=TokenScope.ACCOUNT)
OPERATORS = Audience("operators", scope=TokenScope.OPERATE)
METRICS = Audience(
    "operators and named networks", scope=TokenScope.OPERATE, by_network=True
)


def readers_with(scope: TokenScope) -> Audience:
    """Return the audience of everybody who is allowed one kind of thing.

    As of `READERS`, whoever has not signed in is among them if the settings say so.
    """
    return Audience(f"readers: {scope.value}", scope=scope)


class GuardedRoute(APIRoute):
    """A route that only its audience reaches."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        audience: Audience,
        is_answer: bool = False,
        **options: Any,
    ) -> None:
        """Declare a route.

        Args:
            path: With placeholders, without the base path.
            endpoint: Coroutine function that serves it; it must not block.
            audience: Who may call it.
            is_answer: Whether the time limit of answers holds, not that of requests.
            options: Of a FastAPI route.
        """
        super().__init__(path, endpoint, **options)
        self.audience = audience
        self.is_answer = is_answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of somebody who may call this.

        Raises:
            ProblemError: They may not, or it took too long.
        """
        get_record(scope).route = self.path
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)  # 405
            return
        settings = get_services(scope).settings.server
        limit_s = settings.request_timeout_s
        if self.is_answer:
            limit_s += settings.answer_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                receive = await admit(scope, receive, self.audience)
                await super().handle(scope, receive, send)
        except TimeoutError:
            raise ProblemError("timeout") from None


class GuardedMount(Mount):
    """Another ASGI app that only its audience reaches."""

    def __init__(self, path: str, app: Any, *, audience: Audience) -> None:
        super().__init__(path, app)
        self.audience = audience

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of somebody who may call this.

        Raises:
            ProblemError: They may not.
        """
        get_record(scope).route = f"{self.path}/{{path}}"
        receive = await admit(scope, receive, self.audience)
        await super().handle(scope, receive, send)


class GuardedRouter:
    """Routes of one area below a prefix, each with its audience."""

    def __init__(self, prefix: str = "", tag: str = "", **options: Any) -> None:
        """Begin an area.

        Args:
            prefix: Of all its paths.
            tag: In the description of the API; empty for routes that it leaves out.
            options: Of all its routes.
        """
        self._prefix = prefix
        self._options = {
            "tags": [tag] if tag else [],
            "include_in_schema": bool(tag),
            **options,
        }
        self.routes: list[GuardedRoute | GuardedMount] = []

    def route(
        self, method: str, path: str, audience: Audience, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that makes a coroutine function serve a path.

        Args:
            method: ``GET``, ``POST``, ...
            path: Below the prefix.
            audience: Who may call it.
            options: See `GuardedRoute`.
        """

        def add(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self.routes.append(
                GuardedRoute(
                    self._prefix + path,
                    endpoint,
                    audience=audience,
                    methods=[method],
                    **self._options | options,
                )
            )
            return endpoint

        return add

    def mount(self, path: str, app: Any, audience: Audience) -> None:
        """Serve everything below a path by another app."""
        self.routes.append(GuardedMount(self._prefix + path, app, audience=audience))


async def admit(scope: Scope, receive: Receive, audience: Audience) -> Receive:
    """Return what gives the body of a request whose sender is in an audience.

    Raises:
        ProblemError: They are not, or it changes something and came from elsewhere.
    """
    services = get_services(scope)
    settings = services.settings.server
    check_origin(scope, settings.url)
    record = get_record(scope)
    if audience.by_network and not record.is_relayed:
        if is_in(record.client, settings.metrics_networks):
            return receive
    is_by_cookie, cookie = audience.needs_token, get_form_cookie(scope)
    if not audience.is_open:
        person = await find_person(scope)
        check_person(person, audience, anonymous=settings.anonymous)
        # The form's cookie, which without TLS another site of the domain can set, would
        # not do for a session.
        is_by_cookie, cookie = person.session_id is not None, get_session_cookie(scope)
    if is_by_cookie and scope["method"] not in SAFE_METHODS:
        return await check_token(scope, receive, cookie)
    return receive


def check_person(person: Person, audience: Audience, *, anonymous: bool) -> None:
    """Return if a person is in an audience.

    Args:
        person: Who asks.
        audience: Who may.
        anonymous: Whether readers need not sign in.

    Raises:
        ProblemError: The person is not in it.
    """
    is_allowed = audience.scope is None or audience.scope in person.scopes
    if audience.scope is TokenScope.OPERATE:
        is_allowed = person.is_operator
    if person.kind == "anonymous" and not (anonymous and is_allowed):
        raise ProblemError("not_signed_in", headers=_CHALLENGE)
    if not is_allowed:
        raise ProblemError("forbidden")


def walk_routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield all routes and, of mounts, what lies below."""
    for route in routes:
        yield route
        yield from walk_routes(getattr(route, "routes", None) or [])


def check_routes(routes: Sequence[BaseRoute]) -> None:
    """Return if all routes have an audience.

    What lies below a guarded mount has that of the mount.

    Raises:
        UnguardedRouteError: One has none.
    """
    for route in routes:
        if not isinstance(route, GuardedRoute | GuardedMount):
            name = getattr(route, "path", repr(route))
            raise UnguardedRouteError(f"The route {name} declares no audience.")
