"""Logins by a provider of OpenID Connect: to it and back, and its logout notices."""

import secrets

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from dunegpt.errors import LoginRefusedError
from dunegpt.serve.accounts.names import find_network
from dunegpt.serve.api.current_person import (
    get_attempt_cookie,
    get_session_cookie,
    set_attempt_cookie,
    set_session_cookie,
)
from dunegpt.serve.api.forms import read_form
from dunegpt.serve.api.guard import PUBLIC, GuardedRouter
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.record import get_record
from dunegpt.serve.api.services import get_services
from dunegpt.serve.login.errors import (
    LoginError,
    ProviderUnavailableError,
    TokenInvalidError,
)
from dunegpt.serve.login.logins import Browser
from dunegpt.serve.login.provider import Provider

router = GuardedRouter()

_PER_ADDRESS = 60
_PERIOD_S = 600.0


@router.route("GET", "/login/{provider}", PUBLIC)
async def begin_login(request: Request, provider: str) -> Response:
    """Send a browser to a provider."""
    chosen = _find_provider(request, provider)
    await _count(request, "provider-login")
    services = get_services(request.scope)
    # The same for several logins at a time, in several tabs.
    cookie = get_attempt_cookie(request.scope) or secrets.token_urlsafe(32)
    wanted = request.query_params.get("next", "")
    try:
        url = await services.login_workers.run(
            lambda: services.logins.begin(chosen, wanted, Browser(cookie))
        )
    except ProviderUnavailableError:
        raise ProblemError("login_unavailable", headers={"Retry-After": "30"}) from None
    response = RedirectResponse(url, 303)
    set_attempt_cookie(request.scope, response, cookie)
    return response


@router.route("GET", "/login/{provider}/callback", PUBLIC)
async def finish_login(request: Request, provider: str) -> Response:
    """Start a session for whom a provider vouches."""
    chosen = _find_provider(request, provider)
    await _count(request, "provider-callback")
    services = get_services(request.scope)
    answer = dict(request.query_params)
    if len(answer) < len(request.query_params.multi_items()):
        raise ProblemError("login_failed")  # a parameter that is there twice
    browser = Browser(
        get_attempt_cookie(request.scope),
        address=get_record(request.scope).client,
        agent=request.headers.get("user-agent", ""),
        session=get_session_cookie(request.scope),
    )
    try:
        session, next_path = await services.login_workers.run(
            lambda: services.logins.finish(chosen, answer, browser)
        )
    except ProviderUnavailableError:
        raise ProblemError("login_unavailable", headers={"Retry-After": "30"}) from None
    except LoginError as error:
        raise ProblemError("login_failed", f"{error} {error.hint}") from None
    except LoginRefusedError:
        raise ProblemError("forbidden", "The account is closed.") from None
    response = RedirectResponse(next_path, 303)
    set_session_cookie(request.scope, response, session.secret)
    return response


@router.route("POST", "/login/{provider}/backchannel-logout", PUBLIC)
async def end_sessions(request: Request, provider: str) -> Response:
    """End the sessions that a provider's logout token names.

    Source: OpenID Connect Back-Channel Logout 1.0, sections 2.5 and 2.8.
    """
    chosen = _find_provider(request, provider)
    form = await read_form(request)
    services = get_services(request.scope)
    try:
        await services.login_workers.run(
            lambda: services.logins.end_by_notice(chosen, form.get("logout_token"))
        )
    except TokenInvalidError as error:
        body = {"error": "invalid_request", "error_description": str(error)}
        return JSONResponse(body, 400)
    except ProviderUnavailableError:
        raise ProblemError("login_unavailable", headers={"Retry-After": "30"}) from None
    return Response(status_code=200)


def _find_provider(request: Request, name: str) -> Provider:
    """Return a provider.

    Raises:
        ProblemError: There is none of that name.
    """
    provider = get_services(request.scope).logins.get(name)
    if provider is None:
        raise ProblemError("not_found")
    return provider


async def _count(request: Request, kind: str) -> None:
    """Count a step of a login, of all from an address.

    Raises:
        ProblemError: There were too many.
    """
    services = get_services(request.scope)
    network = find_network(get_record(request.scope).client)
    state = await services.database_workers.run(
        lambda: services.accounts.limits.take(
            kind, network, limit=_PER_ADDRESS, per_s=_PERIOD_S
        )
    )
    if not state.is_allowed:
        wait = str(max(1, round(state.retry_after_s)))
        raise ProblemError("too_many_requests", headers={"Retry-After": wait})
