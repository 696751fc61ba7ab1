"""Pages for signing in and out, and for one's own sessions.

The cookie of a session is made at each login anew; the one that the browser had before
is worth nothing from then on.
"""

import secrets
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dunegpt.errors import LoginRefusedError, TooManyAttemptsError
from dunegpt.serve.api.csrf import make_token
from dunegpt.serve.api.current_person import (
    clear_cookies,
    find_person,
    get_form_cookie,
    get_session_cookie,
    set_form_cookie,
    set_session_cookie,
)
from dunegpt.serve.api.forms import read_form
from dunegpt.serve.api.guard import LOGIN, PUBLIC, SIGNED_IN, GuardedRouter
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.record import get_record
from dunegpt.serve.api.services import get_services
from dunegpt.serve.login.next_path import get_local_path
from dunegpt.web.rendering import render_page

router = GuardedRouter()

_MAX_PASSWORD = 1024
"""Characters; hashing more would only take time."""


@router.route("GET", "/login", PUBLIC)
async def get_login(request: Request) -> Response:
    """Show the form for name and password."""
    query = request.query_params
    notice = "You have signed out." if "signed_out" in query else ""
    return _render_login(request, query.get("next", ""), notice=notice)


@router.route("POST", "/login", LOGIN)
async def log_in(request: Request) -> Response:
    """Start a session, or say that name or password are wrong."""
    form = await read_form(request)
    wanted = form.get("next", "")
    try:
        secret = await _start_session(
            request, form.get("name", ""), form.get("password", "")
        )
    except TooManyAttemptsError as error:
        page = _render_login(request, wanted, status=429, message=str(error))
        page.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        return page
    except LoginRefusedError:
        message = "Name or password are wrong."
        return _render_login(request, wanted, status=401, message=message)
    base = get_services(request.scope).settings.server.base_path
    response = RedirectResponse(get_local_path(wanted, base), 303)
    set_session_cookie(request.scope, response, secret)
    return response


async def _start_session(request: Request, name: str, password: str) -> str:
    """Return the cookie's value of a new session.

    Raises:
        LoginRefusedError: Name or password are wrong, or that was tried too often.
    """
    services = get_services(request.scope)
    address = get_record(request.scope).client
    if len(password) > _MAX_PASSWORD:
        raise LoginRefusedError("The password is too long.")
    account = await services.password_workers.run(
        lambda: services.accounts.local.log_in(name, password, address=address)
    )
    session = await services.database_workers.run(
        lambda: services.accounts.sessions.create(
            account.id,
            address=address,
            agent=request.headers.get("user-agent", ""),
            replaces=get_session_cookie(request.scope),
        )
    )
    return session.secret


def _render_login(
    request: Request,
    wanted: str,
    *,
    status: int = 200,
    message: str = "",
    notice: str = "",
) -> Response:
    cookie = get_form_cookie(request.scope) or secrets.token_urlsafe(32)
    page = render_page(
        request,
        "login.html",
        status=status,
        token=make_token(cookie),
        wanted=wanted,
        message=message,
        notice=notice,
        providers=[
            (provider.name, provider.label)
            for provider in get_services(request.scope).logins.providers
        ],
        query=f"?{urlencode({'next': wanted})}" if wanted else "",
    )
    set_form_cookie(request.scope, page, cookie)
    return page


@router.route("POST", "/logout", SIGNED_IN)
async def log_out(request: Request) -> Response:
    """End the session of this browser, and lead on to the logout of its provider."""
    services = get_services(request.scope)
    session_id = (await find_person(request.scope)).session_id or ""
    label, url = await services.login_workers.run(
        lambda: services.logins.end(session_id)
    )
    response: Response = RedirectResponse(
        f"{services.settings.server.base_path}/login?signed_out=1", 303
    )
    if url:
        # Not a redirect: browsers apply form-action of the form's page to it.
        get_record(request.scope).person = None
        response = render_page(request, "signed_out.html", label=label, url=url)
        response.headers["Refresh"] = f"0; url={url}"
    clear_cookies(request.scope, response)
    # Not "cookies", which would end sessions of other sites of the same domain.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.route("GET", "/account", SIGNED_IN)
async def get_account(request: Request) -> Response:
    """Show who one is here, and one's own sessions."""
    services = get_services(request.scope)
    account_id = await _get_account_id(request)
    sessions = await services.database_workers.run(
        lambda: services.accounts.sessions.list(account_id)
    )
    return render_page(request, "account.html", sessions=sessions)


@router.route("POST", "/account/sessions/{session_id}/revoke", SIGNED_IN)
async def revoke_session(request: Request, session_id: str) -> Response:
    """End one of one's own sessions."""
    services = get_services(request.scope)
    account_id = await _get_account_id(request)
    is_found = await services.database_workers.run(
        lambda: services.accounts.sessions.revoke(session_id, account_id=account_id)
    )
    if not is_found:
        raise ProblemError("not_found")
    return RedirectResponse(f"{services.settings.server.base_path}/account", 303)


@router.route("POST", "/account/sessions/revoke-others", SIGNED_IN)
async def revoke_other_sessions(request: Request) -> Response:
    """End all of one's own sessions but this one."""
    services = get_services(request.scope)
    account_id = await _get_account_id(request)
    own = (await find_person(request.scope)).session_id or ""
    await services.database_workers.run(
        lambda: services.accounts.sessions.revoke_account(account_id, but=own)
    )
    return RedirectResponse(f"{services.settings.server.base_path}/account", 303)


async def _get_account_id(request: Request) -> int:
    """Return the account of who sent a request.

    Raises:
        ProblemError: They have none.
    """
    person = await find_person(request.scope)
    if person.account_id is None:
        raise ProblemError("forbidden")
    return person.account_id
