"""HTTP endpoints of a simulated DocDB: public, password, single sign-on, certificate.

Answers requests of `FaultServer`, or of an HTTP client directly, without a socket.
"""

import base64
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, unquote

import httpx

from simulators.docdb.model import DocDBModel
from simulators.docdb.pages import Pages
from simulators.http_server import Reply, Request

_HTML = {"Content-Type": "text/html; charset=ISO-8859-1"}
_XML = {"Content-Type": "text/xml"}
_RAW = re.compile(r"/DocDB/\d{4}/(\d{6})/(\d{3})/([^/]+)$")


class Doors:
    """The endpoints ("doors") of one DocDB.

    Attributes:
        passwords: Password by group, for groups that have one.
        sessions: Groups of the user by session cookie.
        certified: Groups of the user with the client certificate.
        elsewhere: Redirect target for users without a session.
        written: Last modification of the files of a document on the disk.
        refused: Groups whose login may not fetch files, whatever they may see.
    """

    def __init__(self, model: DocDBModel, url: str = "https://docdb.test") -> None:
        self.model, self.url = model, url
        self.passwords: dict[str, str] = {}
        self.sessions: dict[str, list[str]] = {}
        self.certified: list[str] = []
        self.elsewhere = "http://127.0.0.2:1/idp/login?SAMLRequest=x"
        self.asked: list[str] = []
        self.refused: set[str] = set()
        self.written: dict[str, datetime] = {}

    def transport(self) -> httpx.MockTransport:
        """Return a transport that answers an HTTP client without a socket."""

        def answer(request: httpx.Request) -> httpx.Response:
            query = dict(httpx.QueryParams(request.url.query.decode()))
            headers = {k.lower(): v for k, v in request.headers.items()}
            path = request.url.raw_path.decode().partition("?")[0]
            reply = self.answer(Request(path, query, headers))
            assert isinstance(reply.body, bytes)
            headers_out = [(k.encode(), v.encode()) for k, v in reply.headers.items()]
            return httpx.Response(reply.status, headers=headers_out, content=reply.body)

        return httpx.MockTransport(answer)

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request."""
        query = "&".join(f"{k}={v}" for k, v in request.query.items())
        self.asked.append(f"{request.path}?{query}")
        if raw := _RAW.search(request.path):
            return self._raw(int(raw[1]), int(raw[2]), unquote(raw[3]), request)
        door, _, program = request.path.removeprefix("/cgi-bin").rpartition("/")
        groups: list[str] | None = []
        if door == "/private":
            groups = self._by_password(request)
            if groups is None:
                challenge = {"WWW-Authenticate": 'Basic realm="All or Board"'}
                title = b"<html><title>401 Unauthorized</title></html>"
                return Reply(401, title, _HTML | challenge)
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
        record = self.model.documents[number][version]
        if not streams:
            folder = f"/DocDB/{number // 1000:04}/{number:06}/{version:03}"
            return Reply(302, b"", {"Location": f"{self.url}{folder}/{name}"})
        if name not in record.files:
            return Reply(200, pages.no_file(number, version), _HTML)
        disposition = {"Content-Disposition": f'filename="{quote(name)}"'}
        return Reply(
            200, record.files[name], disposition | {"Content-Type": _kind(name)}
        )

    def _raw(self, number: int, version: int, name: str, request: Request) -> Reply:
        """Return a file as served statically, by possibly stale access rules."""
        record = self.model.documents.get(number, {}).get(version)
        if record is None or name not in record.files:
            return Reply(404, b"<html>Not found</html>", _HTML)
        allowed = self.model.stale_access.get(number, record.groups)
        groups = self._by_password(request) or []
        above = {below for group, below in self.model.superiors if group in groups}
        is_refused = bool(self.refused.intersection(groups))
        if is_refused or (allowed and not allowed & {*groups, *above}):
            return Reply(401, b"<html>Unauthorized</html>", _HTML)
        written = self.written.get(str(number), record.touched)
        stamp = format_datetime(written.replace(tzinfo=UTC), usegmt=True)
        headers = {"Content-Type": _kind(name), "Last-Modified": stamp}
        return Reply(200, record.files[name], headers)

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
