"""Who is asking: by an API token, or else by the cookie of a session.

A request with an ``Authorization`` header is judged by that alone, so that a token that
is not valid never falls back to a session.
"""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.person import ANONYMOUS, Person
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.record import get_record
from dunegpt.serve.api.services import get_services

_SESSION = "dunegpt-session"
_FORM = "dunegpt-form"
_ATTEMPT = "dunegpt-login"
_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


async def find_person(scope: Scope) -> Person:
    """Return who sent a request; whoever is not known is `ANONYMOUS`.

    Looked up once for each request.

    Raises:
        ProblemError: The request has a token that is not valid.
    """
    record = get_record(scope)
    if record.person is None:
        record.person = await _look_up(scope)
    return record.person


async def _look_up(scope: Scope) -> Person:
    services = get_services(scope)
    header = Headers(scope=scope).get("authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise ProblemError("invalid_token", headers=_CHALLENGE)
        person = await services.database_workers.run(
            lambda: services.accounts.tokens.find(token.strip())
        )
        if person is None:
            raise ProblemError("invalid_token", headers=_CHALLENGE)
        return person
    cookie = get_session_cookie(scope)
    if not cookie:
        return ANONYMOUS
    found = await services.database_workers.run(
        lambda: services.accounts.sessions.find(cookie)
    )
    if found and found.refresh_at and found.refresh_at <= utc_now():
        due = found
        await services.login_workers.run(lambda: services.logins.refresh(due))
        found = await services.database_workers.run(
            lambda: services.accounts.sessions.find(cookie)
        )
    return found or ANONYMOUS


def get_session_cookie(scope: Scope) -> str:
    """Return the value of the session's cookie; empty if there is none."""
    return _read_cookies(scope).get(_name(_SESSION, scope), "")


def get_form_cookie(scope: Scope) -> str:
    """Return the value of the cookie that forms before a login go with, or nothing."""
    return _read_cookies(scope).get(_name(_FORM, scope), "")


def set_session_cookie(scope: Scope, response: Response, value: str) -> None:
    """Let a response start a session in the browser."""
    _set_cookie(scope, response, _SESSION, value)


def set_form_cookie(scope: Scope, response: Response, value: str) -> None:
    """Let a response tie the forms on its page to the browser."""
    _set_cookie(scope, response, _FORM, value)


def get_attempt_cookie(scope: Scope) -> str:
    """Return the cookie that ties logins by a provider to the browser, or nothing."""
    return _read_cookies(scope).get(_name(_ATTEMPT, scope), "")


def set_attempt_cookie(scope: Scope, response: Response, value: str) -> None:
    """Let a response tie the logins that it begins to the browser."""
    _set_cookie(scope, response, _ATTEMPT, value)


def clear_cookies(scope: Scope, response: Response) -> None:
    """Let a response end the session in the browser."""
    for name in (_SESSION, _FORM, _ATTEMPT):
        response.delete_cookie(
            _name(name, scope), secure=is_secure(scope), httponly=True, samesite="lax"
        )


def is_secure(scope: Scope) -> bool:
    """Return whether the client uses TLS: the request does, or the public address."""
    return scope["scheme"] == "https" or get_services(scope).settings.server.is_https


def _set_cookie(scope: Scope, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        _name(name, scope),
        value,
        secure=is_secure(scope),
        httponly=True,
        samesite="lax",
    )


def _name(name: str, scope: Scope) -> str:
    """Return the name of a cookie; with TLS, one that no other host can set."""
    return f"__Host-{name}" if is_secure(scope) else name


def _read_cookies(scope: Scope) -> dict[str, str]:
    return cookie_parser(Headers(scope=scope).get("cookie", ""))
