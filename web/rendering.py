"""Renders the templates: what every page has, and problems as pages.

Templates escape what they are given; nothing here marks text as safe.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dunegpt.schemas.reading import DocumentResponse, ReferenceResponse
from dunegpt.schemas.serving import ProblemResponse
from dunegpt.serve.api.csrf import SAFE_METHODS, make_token
from dunegpt.serve.api.current_person import get_session_cookie
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.record import get_record
from dunegpt.serve.api.services import get_services

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"

_templates = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    token: str = "",
    **values: Any,
) -> HTMLResponse:
    """Return a page.

    Args:
        request: That it answers.
        template: Name of the file.
        status: HTTP status.
        token: Of its forms; default: that of the session.
        values: For the template.
    """
    base = get_services(request.scope).settings.server.base_path
    person = get_record(request.scope).person
    cookie = get_session_cookie(request.scope)
    has_session = person is not None and person.session_id is not None
    text = _templates.get_template(template).render(
        base=base,
        person=person,
        has_session=has_session,
        token=token or (make_token(cookie) if has_session else ""),
        make_link=lambda found: make_link(base, found),
        make_view=lambda document, **query: make_view(base, document, **query),
        **values,
    )
    return HTMLResponse(text, status)


def render_problem_page(
    request: Request, problem: ProblemError, body: ProblemResponse
) -> Response:
    """Return the page for a problem; who has not signed in is sent to the login."""
    headers = dict(problem.headers or {})
    if problem.code == "not_signed_in":
        base = get_services(request.scope).settings.server.base_path
        query = ""
        if request.method in SAFE_METHODS and request.url.path != f"{base}/":
            path = quote(request.scope["path"], safe="/:")
            asked = f"{path}?{request.url.query}" if request.url.query else path
            query = f"?{urlencode({'next': asked})}"
        return RedirectResponse(f"{base}/login{query}", 303)
    page = render_page(request, "problem.html", status=body.status, problem=body)
    page.headers.update(headers)
    return page


def make_link(base: str, reference: ReferenceResponse) -> str:
    """Return where a reference leads: its own address, if a browser may open it."""
    if urlsplit(reference.url).scheme in {"http", "https"}:
        return reference.url
    return make_view(base, reference.document, file=reference.file, page=reference.page)


def make_view(base: str, document: DocumentResponse, **query: Any) -> str:
    """Return the address of our own page about a document."""
    address = f"{base}/view/{quote(document.id, safe='/:')}"
    return f"{address}?{urlencode(query)}" if query else address
