"""Requests that change something have to come from our own pages.

A browser sends its cookies along with what another site makes it send. So a request by
cookie that changes something needs a token that only our pages know: a keyed hash of
the cookie itself, which another site can neither read nor set. Requests with an API
token need none: no browser adds it by itself.
"""

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from dunegpt.serve.api.problems import ProblemError

HEADER = "X-CSRF-Token"
FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_FORM = "application/x-www-form-urlencoded"


def make_token(cookie: str) -> str:
    """Return the token of the pages that are shown to who holds a cookie."""
    return hmac.new(cookie.encode(), b"dunegpt csrf", hashlib.sha256).hexdigest()


def check_origin(scope: Scope, public_url: str) -> None:
    """Return if a request changes nothing, or no other site has caused it.

    Browsers say so of themselves; what sends neither header is no browser.

    Raises:
        ProblemError: Another site has.
    """
    if scope["method"] in SAFE_METHODS:
        return
    headers = Headers(scope=scope)
    own = {headers.get("host"), urlsplit(public_url).netloc or None}
    origin = headers.get("origin")
    is_other = origin is not None and urlsplit(origin).netloc not in own
    site = headers.get("sec-fetch-site", "none")
    if is_other or site not in {"same-origin", "none"}:
        raise ProblemError("cross_site")


async def check_token(scope: Scope, receive: Receive, cookie: str) -> Receive:
    """Return what gives the body again if a request has the token of a cookie.

    The token is looked for in a header, then in a form.

    Raises:
        ProblemError: It has not.
    """
    headers = Headers(scope=scope)
    sent = headers.get(HEADER, "")
    if not sent and headers.get("content-type", "").startswith(_FORM):
        body = await Request(scope, receive).body()
        sent = _find_field(body.decode("utf-8", errors="replace"))
        receive = _repeat(body, receive)
    own = make_token(cookie).encode()
    if not cookie or not hmac.compare_digest(sent.encode(), own):
        raise ProblemError("cross_site")
    return receive


def _find_field(form: str) -> str:
    """Return the token in a form; empty if it has none, or too many fields."""
    try:
        return parse_qs(form, max_num_fields=50).get(FIELD, [""])[0]
    except ValueError:
        return ""


def _repeat(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, then whatever follows."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again
