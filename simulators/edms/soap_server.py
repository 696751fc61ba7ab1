"""HTTP endpoints of a simulated EDMS: its SOAP services and the public files.

Answers requests of `FaultServer`, or of an HTTP client directly. Authenticated replies
set a cookie that opens every file: sent with anonymous requests, all would look public.
"""

import base64
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from simulators.edms.model import EdmsModel, Version, place_of
from simulators.http_server import Reply, Request

_XML = {"Content-Type": "text/xml; charset=utf-8"}
_HTML = {"Content-Type": "text/html; charset=utf-8"}
LOGIN_PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
_NAMES = {
    "DocumentServiceT": {
        "getDocument",
        "getDocuments",
        "getDocumentVersions",
        "getModifiedDocuments",
    },
    "FileService": {"getFiles", "getFile"},
    "StructureService": {"getChildren"},
}


class EdmsDoors:
    """The endpoints of one EDMS.

    Attributes:
        users: Password by account name.
        tokens: Valid access tokens, issued at ``/token``.
        refuses: How a non-public file is refused: ``page``, ``redirect`` or
            ``forbidden``.
        asked: Requested operations and paths, in order.
        leaks: Anonymous requests that carried credentials or their cookie.
    """

    def __init__(self, model: EdmsModel) -> None:
        self.model = model
        self.users = {"svc": "geheim-4711"}
        self.tokens: set[str] = set()
        self.minted = 0
        self.clients = {"crawler": "client-geheim"}
        self.audience = "edms"
        self.refuses = "page"
        self.asked: list[str] = []
        self.leaks: list[str] = []
        self.broken: dict[str, str] = {}
        self.url = ""

    def transport(self) -> httpx.MockTransport:
        """Return a transport that answers an HTTP client without a socket."""

        def answer(request: httpx.Request) -> httpx.Response:
            headers = {k.lower(): v for k, v in request.headers.items()}
            path = request.url.raw_path.decode().partition("?")[0]
            reply = self.answer(Request(path, {}, headers, request.content))
            assert isinstance(reply.body, bytes)
            headers_out = [(k.encode(), v.encode()) for k, v in reply.headers.items()]
            return httpx.Response(reply.status, headers=headers_out, content=reply.body)

        return httpx.MockTransport(answer)

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request."""
        if request.path == "/token":
            return self._token(request)
        if request.path.startswith("/ws/"):
            return self._service(request)
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        if parts[0] == "file" and len(parts) == 4:
            return self._file(request, *parts[1:])
        return Reply(404, b"<html>Not found</html>", _HTML)

    # ── public files ──────────────────────────────────────────────────────────────

    def _file(self, request: Request, number: str, version: str, name: str) -> Reply:
        self.asked.append(f"file {number}/{version}/{name}")
        record = self.model.documents.get(number, {}).get(version)
        is_known = "session=account" in request.headers.get("cookie", "")
        if is_known or "authorization" in request.headers:
            self.leaks.append(request.path)
            if record and name in record.files:
                return Reply(200, record.files[name])
        body = self.model.given(number, version, name)
        if body is not None:
            kind = {"Content-Type": "application/octet-stream"}
            return Reply(200, body, kind)
        if self.refuses == "redirect":
            return Reply(302, b"", {"Location": "https://auth.test/auth/realms/x"})
        if self.refuses == "forbidden":
            return Reply(403, b"<html>Forbidden</html>", _HTML)
        return Reply(200, LOGIN_PAGE, _HTML)

    # ── logins ────────────────────────────────────────────────────────────────────

    def _token(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        required = {"grant_type": "client_credentials", "audience": self.audience}
        is_right = self.clients.get(form.get("client_id", "")) == form.get(
            "client_secret"
        )
        if not is_right or not required.items() <= form.items():
            return Reply(401, b'{"error": "unauthorized_client"}')
        self.minted += 1
        token = f"token-{self.minted}"
        self.tokens.add(token)
        body = f'{{"access_token": "{token}", "expires_in": 600}}'.encode()
        return Reply(200, body, {"Content-Type": "application/json"})

    def _is_known(self, request: Request) -> bool:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            return value in self.tokens
        if kind != "Basic":
            return False
        user, _, password = base64.b64decode(value).decode().partition(":")
        return bool(password) and self.users.get(user) == password

    # ── services ──────────────────────────────────────────────────────────────────

    def _service(self, request: Request) -> Reply:
        if not self._is_known(request):
            return Reply(401, b"", {"WWW-Authenticate": 'Basic realm="EDMS"'})
        root = ElementTree.fromstring(request.body)
        call = root[0][0]
        name = call.tag.partition("}")[2]
        arguments = {child.tag: child.text or "" for child in call}
        self.asked.append(
            f"{name} {arguments.get('edmsId') or arguments.get('docEdmsId') or ''}"
        )
        known = _NAMES.get(request.path.removeprefix("/ws/"), set())
        if name not in known or name in self.model.lacks:
            return fault(f"Cannot find dispatch method for {{{name}}}")
        for part, kind in self.broken.items():
            if part in f"{name} {' '.join(arguments.values())}":
                return FAULTS[kind]
        reply: Reply = getattr(self, f"_{name}")(**arguments)
        return Reply(
            reply.status,
            reply.body,
            reply.headers | {"Set-Cookie": "session=account; Path=/"},
        )

    def _found(self, number: str, version: str) -> Version | Reply:
        versions = self.model.documents.get(number)
        if not versions:
            return exit_code("21001", "Object does not exist")
        if version == "LATEST":
            version = self.model.latest(number)
            newest = max(versions, key=place_of)
            if not version or (self.model.hides_latest and newest != version):
                return exit_code("7", "Insufficient privileges")
        if version not in versions:
            return exit_code("100", "Version does not exist")
        if versions[version].closed:
            return exit_code("7", "Insufficient privileges")
        return versions[version]

    def _getDocument(self, username: str, edmsId: str, version: str) -> Reply:
        record = self._found(edmsId, version)
        if isinstance(record, Reply):
            return record
        version = self.model.latest(edmsId) if version == "LATEST" else version
        people = "".join(tag("author", name) for name in record.authors)
        return answered(
            "getDocument",
            tag("edmsId", edmsId)
            + tag("version", version)
            + tag("title", record.title)
            + tag("type", record.kind)
            + tag("status", record.status)
            + tag("statusDate", f"{record.day.isoformat()}T10:00:00")
            + tag("context", "DUNE")
            + tag("description", record.description)
            + f"<authors>{people}</authors>"
            + "<somethingNew><inner>kept in raw</inner></somethingNew>",
        )

    def _getDocumentVersions(self, username: str, edmsId: str) -> Reply:
        versions = self.model.documents.get(edmsId, {})
        return answered(
            "getDocumentVersions",
            "".join(
                tag("version", v) for v, record in versions.items() if not record.closed
            ),
        )

    def _getDocuments(self, username: str, objectType: str, objectEdmsId: str) -> Reply:
        node = self.model.nodes.get(objectEdmsId)
        if node is None:
            return exit_code("100", "")
        return answered("getDocuments", _ids(sorted(node.documents)))

    def _getModifiedDocuments(self, username: str, since: str) -> Reply:
        moment = datetime.fromisoformat(since)
        numbers = (
            number
            for number, versions in self.model.documents.items()
            if any(record.changed >= moment for record in versions.values())
        )
        return answered("getModifiedDocuments", _ids(numbers))

    def _getChildren(self, username: str, parentEdmsId: str, parentType: str) -> Reply:
        node = self.model.nodes.get(parentEdmsId)
        if node is None:
            return exit_code("21001", "Object does not exist")
        if node.closed:
            return fault("Access denied")
        links = [("P", ref) for ref in sorted(node.nodes)]
        links += [("D", number) for number in sorted(node.documents)]
        return answered(
            "getChildren",
            tag("title", node.title)
            + "".join(
                f"<link>{tag('childEdmsId', child)}{tag('childType', kind)}</link>"
                for kind, child in links
            ),
        )

    def _getFiles(self, username: str, docEdmsId: str, docVersion: str) -> Reply:
        record = self._found(docEdmsId, docVersion)
        if isinstance(record, Reply):
            return record
        parts = []
        for name, body in record.files.items():
            facts = tag("name", name) + tag("size", str(len(body)))
            if self.model.tells_stamps:
                moment = record.touched[name].isoformat()
                facts += tag("modificationDate", moment)
            parts.append(f"<file>{facts}</file>")
        return answered("getFiles", f"<files>{''.join(parts)}</files>")

    def _getFile(
        self, username: str, docEdmsId: str, docVersion: str, fileName: str
    ) -> Reply:
        record = self._found(docEdmsId, docVersion)
        if isinstance(record, Reply):
            return record
        if fileName not in record.files:
            return exit_code("100", "File not found")
        content = base64.b64encode(record.files[fileName]).decode()
        return answered("getFile", tag("content", content))


def tag(name: str, text: str) -> str:
    """Return an XML element."""
    return f"<{name}>{escape(text)}</{name}>" if text else f"<{name}/>"


def _ids(numbers: Iterable[str]) -> str:
    return "".join(tag("edmsId", number) for number in numbers)


def envelope(inner: str) -> bytes:
    """Return a SOAP message."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>'
        f"{inner}</S:Body></S:Envelope>"
    ).encode()


def answered(operation: str, inner: str, code: str = "0", text: str = "") -> Reply:
    """Return the reply of an operation, in the envelope of the EDMS services."""
    name = f"ns2:{operation}Response"
    status = tag("exitcode", code) + (tag("exittext", text) if text else "")
    body = (
        f'<{name} xmlns:ns2="http://webservices.edms.cern.ch"><return>{status}{inner}'
        f"</return></{name}>"
    )
    return Reply(200, envelope(body), _XML)


def exit_code(code: str, text: str) -> Reply:
    """Return the reply of an operation that failed."""
    return answered("any", "", code, text)


def fault(text: str) -> Reply:
    """Return a SOAP fault, with status 500."""
    inner = (
        "<S:Fault><faultcode>S:Client</faultcode>"
        f"<faultstring>{escape(text)}</faultstring></S:Fault>"
    )
    return Reply(500, envelope(inner), _XML)


_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
)
FAULTS = {
    "fault": fault("java.lang.NullPointerException"),
    "busy-fault": fault("The service is temporarily unavailable"),
    "odd-code": exit_code("4711", "Something else"),
    "login-page": Reply(200, LOGIN_PAGE, _HTML),
    "away": Reply(302, b"", {"Location": "http://127.0.0.2:1/stolen"}),
    "unauthorized": Reply(401, b"", {}),
    "denied": Reply(403, b"<html>Forbidden</html>", _HTML),
    "no-xml": Reply(200, b"<a><b></a>", _XML),
    "cut": Reply(200, envelope("<x/>")[:-20], _XML),
    "no-soap": Reply(200, b"<answer/>", _XML),
    "bomb": Reply(200, _BOMB, _XML),
    "challenge": Reply(
        403, b"<title>Just a moment</title>", _HTML | {"Server": "cloudflare"}
    ),
    "error": Reply(500, b"<h1>Internal error</h1>", _HTML),
    "gone": exit_code("21001", "Object does not exist"),
    "forbidden": exit_code("7", "Insufficient privileges"),
}
