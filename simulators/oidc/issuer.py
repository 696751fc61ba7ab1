"""A provider of OpenID Connect in this process, with keys of its own, and its faults.

It signs whatever a test wants: `change` alters a token before it is signed, `forge`
replaces the signature, `faults` names the endpoints that fail. No browser is needed:
`authorize` does what a person does at the provider's page.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64encode

from simulators.http_server import FaultServer, Reply, Request

JSON = {"Content-Type": "application/json"}
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
Change: TypeAlias = Callable[[dict[str, Any], dict[str, Any]], None]


@dataclass
class Grant:
    """What a person has granted to a client at a login."""

    subject: str
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    sid: str
    auth_time: int = 0


@dataclass
class Issuer:
    """The provider; its claims about persons by subject.

    Attributes:
        persons: Claims of each person.
        clients: Secrets of clients by their id; empty for a public one.
        change: Alters header and claims of each token before it is signed.
        forge: Makes the whole token from header and claims, instead of signing.
        faults: By endpoint, the status or the fault of `FaultServer` that it ends with.
        metadata: Replaces entries of the discovery document.
        tokens: Replaces entries of the response of the token endpoint.
    """

    persons: dict[str, dict[str, Any]]
    clients: dict[str, str] = field(default_factory=lambda: {"gpt": "client-secret"})
    change: Change | None = None
    forge: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    faults: dict[str, int | str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    groups_in: str = "both"
    rotates: bool = True

    def __post_init__(self) -> None:
        self.server = FaultServer(self._answer)
        self.keys = [_make_key("first")]
        self.grants: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.access_tokens: dict[str, Grant] = {}

    def __enter__(self) -> "Issuer":
        self.server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        """The issuer identifier."""
        return self.server.url

    def count(self, path: str) -> int:
        """Return how often a path was asked for."""
        return self.server.paths().count(path)

    def rotate_keys(self) -> None:
        """Sign with a new key; the old one is withdrawn."""
        self.keys = [_make_key(secrets.token_hex(4))]

    def authorize(self, url: str, subject: str) -> dict[str, str]:
        """Return the parameters with which a person comes back after a login."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.grants[code] = Grant(
            subject,
            asked["client_id"],
            asked["redirect_uri"],
            asked["code_challenge"],
            asked["nonce"],
            secrets.token_urlsafe(6),
            int(time.time()),
        )
        return {"code": code, "state": asked["state"], "iss": self.url}

    def make_logout_token(
        self, client_id: str = "gpt", *, without: str = "", **claims: Any
    ) -> str:
        """Return a signed logout token, with some claims replaced or left out."""
        header = {"typ": claims.pop("typ", "logout+jwt")}
        now = int(time.time())
        body = {
            "iss": self.url,
            "aud": client_id,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(8),
            "events": {LOGOUT_EVENT: {}},
        } | claims
        body.pop(without, None)
        return self.sign(header, body)

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Return a token."""
        header = {"alg": "ES256", "kid": self.keys[0].kid, **header}
        if self.change:
            self.change(header, claims)
        if self.forge:
            return self.forge(header, claims)
        text = f"{_encode(header)}.{_encode(claims)}"
        algorithm = jws.JWSRegistry.algorithms["ES256"]  # which checks no header
        signature = algorithm.sign(text.encode(), self.keys[0])
        return f"{text}.{urlsafe_b64encode(signature).decode()}"

    def _answer(self, request: Request) -> Reply | None:
        fault = self.faults.get(request.path)
        if isinstance(fault, str):
            return self.server._fault(fault)
        if fault is not None:
            return Reply(fault, b'{"error": "server_error"}', JSON)
        pages: dict[str, Callable[[Request], tuple[int, Any]]] = {
            "/.well-known/openid-configuration": lambda _: (200, self._describe()),
            "/keys": lambda _: (
                200,
                {"keys": [key.as_dict(private=False, use="sig") for key in self.keys]},
            ),
            "/token": self._give_tokens,
            "/userinfo": self._tell_claims,
        }
        if request.path not in pages:
            return None
        status, body = pages[request.path](request)
        return Reply(status, json.dumps(body).encode(), JSON)

    def _describe(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "end_session_endpoint": f"{self.url}/end-session",
            "authorization_response_iss_parameter_supported": True,
        } | self.metadata

    def _give_tokens(self, request: Request) -> tuple[int, Any]:
        form = dict(parse_qsl(request.body.decode()))
        client_id = self._find_client(request, form)
        if client_id is None:
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "refresh_token":
            grant = self.refresh_tokens.get(form["refresh_token"])
            if grant and self.rotates:
                del self.refresh_tokens[form["refresh_token"]]
        else:
            grant = self.grants.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if grant and (proof, form["redirect_uri"]) != (
                grant.challenge,
                grant.redirect_uri,
            ):
                grant = None
        if grant is None or grant.client_id != client_id:
            return 400, {"error": "invalid_grant"}
        if grant.subject not in self.persons:
            return 400, {"error": "invalid_grant"}
        return 200, self._make_tokens(grant, form["grant_type"])

    def _find_client(self, request: Request, form: dict[str, str]) -> str | None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            names = base64.b64decode(pair).decode().split(":", 1)
            client_id, secret = map(unquote_plus, names)
        return client_id if self.clients.get(client_id) == secret else None

    def _make_tokens(self, grant: Grant, kind: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": grant.subject,
            "aud": grant.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": grant.auth_time,
            "sid": grant.sid,
        }
        if kind == "authorization_code":
            claims["nonce"] = grant.nonce
        if self.groups_in in {"both", "id_token"}:
            claims |= self.persons[grant.subject]
        access_token, refresh_token = secrets.token_hex(8), secrets.token_hex(8)
        self.access_tokens[access_token] = grant
        self.refresh_tokens[refresh_token] = grant
        found = {
            "access_token": access_token,
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.sign({}, claims),
        } | self.tokens
        return {name: value for name, value in found.items() if value is not None}

    def _tell_claims(self, request: Request) -> tuple[int, Any]:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        grant = self.access_tokens.get(token)
        if grant is None:
            return 401, {"error": "invalid_token"}
        told = self.persons[grant.subject] if self.groups_in != "id_token" else {}
        return 200, {"sub": grant.subject} | told


def _make_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def make_unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token of the algorithm ``none``."""
    return f"{_encode({**header, 'alg': 'none'})}.{_encode(claims)}."


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
