"""The doors of a DocDB in memory: public, password, sign-on session, certificate.

Answers requests of `FaultServer`, or of an HTTP client directly, without a socket.
"""

import base64
import re
from urllib.parse import quote, unquote

import httpx

from tests.servers.docdb_model import DocDBModel
from tests.servers.docdb_pages import Pages
from tests.servers.faults import Reply, Request

_HTML = {"Content-Type": "text/html; charset=ISO-8859-1"}
_XML = {"Content-Type": "text/xml"}
_RAW = re.compile(r"/DocDB/\d{4}/(\d{6})/(\d{3})/([^/]+)$")


class Doors:
    """One DocDB with its doors.

    Attributes:
        passwords: Of the groups that have one.
        sessions: Groups of the person behind each value of the session's cookie.
        certified: Groups of the person whose certificate the connection shows.
        elsewhere: Where people without a session are sent.
    """

    def __init__(self, model: DocDBModel, url: str = "http://docdb.test") -> None:
        self.model, self.url = model, url
        self.passwords: dict[str, str] = {}
        self.sessions: dict[str, list[str]] = {}
        self.certified: list[str] = []
        self.elsewhere = "http://127.0.0.2:1/idp/login?SAMLRequest=x"
        self.asked: list[str] = []

    def transport(self) -> httpx.MockTransport:
        """Return what answers an HTTP client without a socket."""

        def answer(request: httpx.Request) -> httpx.Response:
            query = dict(httpx.QueryParams(request.url.query.decode()))
            headers = {k.lower(): v for k, v in request.headers.items()}
            path = request.url.raw_path.decode().partition("?")[0]
            reply = self.answer(Request(path, query, headers))
            assert isinstance(reply.body, bytes)
            kept = [(k.encode(), v.encode()) for k, v in reply.headers.items()]
            return httpx.Response(reply.status, headers=kept, content=reply.body)

        return httpx.MockTransport(answer)

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request."""
        query = "&".join(f"{k}={v}" for k, v in request.query.items())
        self.asked.append(f"{request.path}?{query}")
        if raw := _RAW.search(request.path):
            return self._raw(int(raw[1]), int(raw[2]), unquote(raw[3]), request)
        door, _, program = request.path.removeprefix("/cgi-bin").rpartition("/")
        groups: list[str] | None = []
        if door == "/private":
            groups = self._by_password(request)
            if groups is None:
                asks = {"WWW-Authenticate": 'Basic realm="All or Board"'}
                title = b"<html><title>401 Unauthorized</title></html>"
                return Reply(401, title, _HTML | asks)
        elif door == "/sso":
            groups = self._by_session(request)
            if groups is None:
                return Reply(303, b"see there", {"Location": self.elsewhere})
        elif door == "/cert":
            groups = list(self.certified)
        limit = re.search(r"groupids=([\d,]+)", request.headers.get("cookie", ""))
        if limit:
            wanted = {self.model.groups.get(int(n)) for n in limit[1].split(",")}
            groups = [g for g in groups or [] if g in wanted]
        pages = Pages(self.model, f"{self.url}/cgi-bin{door}", groups or [])
        return self._program(program, pages, request, streams=door in {"/sso", "/cert"})

    def _program(
        self, program: str, pages: Pages, request: Request, *, streams: bool
    ) -> Reply:
        query = request.query
        if program == "RetrieveFile":
            return self._file(pages, query, streams=streams)
        if program == "ShowDocument":
            number = int(query["docid"]) if query.get("docid", "").isdigit() else 0
            version = int(query["version"]) if "version" in query else None
            if query.get("outformat") == "xml":
                return Reply(200, pages.xml(number, version), _XML)
            return Reply(200, pages.page(number, version), _HTML)
        bodies = {
            "ListBy": lambda: self._list(pages, request),
            "ListGroups": pages.groups_page,
            "ListGroupUsers": pages.members,
            "SelectGroups": pages.own_groups,
            "Statistics": pages.statistics,
        }
        if program not in bodies:
            return Reply(404, b"<html>not found</html>", _HTML)
        return Reply(200, bodies[program](), _HTML)

    def _list(self, pages: Pages, request: Request) -> bytes:
        is_short = "Default=Docid" in request.headers.get("cookie", "")
        if "days" in request.query:
            rows = self.model.changed(int(request.query["days"]), pages.groups)
        else:
            rows = self.model.listed(pages.groups)
        return pages.list(rows, is_short=is_short)

    def _file(self, pages: Pages, query: dict[str, str], *, streams: bool) -> Reply:
        number, version = int(query["docid"]), int(query["version"])
        name = query["filename"]
        if version not in self.model.visible(pages.groups, number):
            return Reply(200, pages.no_file(number, version), _HTML)
        own = self.model.documents[number][version]
        if not streams:
            folder = f"/DocDB/{number // 1000:04}/{number:06}/{version:03}"
            return Reply(302, b"", {"Location": f"{self.url}{folder}/{name}"})
        if name not in own.files:
            return Reply(200, pages.no_file(number, version), _HTML)
        shown = {"Content-Disposition": f'filename="{quote(name)}"'}
        return Reply(200, own.files[name], shown | {"Content-Type": _kind(name)})

    def _raw(self, number: int, version: int, name: str, request: Request) -> Reply:
        """Return a file as the web server alone gives it, by what it was told once."""
        own = self.model.documents.get(number, {}).get(version)
        if own is None or name not in own.files:
            return Reply(404, b"<html>Not found</html>", _HTML)
        told = self.model.stale_access.get(number, own.groups)
        groups = self._by_password(request) or []
        above = {below for group, below in self.model.superiors if group in groups}
        if told and not told & {*groups, *above}:
            return Reply(401, b"<html>Unauthorized</html>", _HTML)
        return Reply(200, own.files[name], {"Content-Type": _kind(name)})

    def _by_password(self, request: Request) -> list[str] | None:
        login = request.headers.get("authorization", "")
        if not login.startswith("Basic "):
            return None
        user, _, password = base64.b64decode(login[6:]).decode().partition(":")
        return [user] if password and self.passwords.get(user) == password else None

    def _by_session(self, request: Request) -> list[str] | None:
        session = re.search(r"session=([\w-]+)", request.headers.get("cookie", ""))
        return self.sessions.get(session[1]) if session else None


def _kind(name: str) -> str:
    return "text/html" if name.endswith(".html") else "application/octet-stream"
