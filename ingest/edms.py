"""An EDMS as a source: its settings, its transport and its logins.

What is read when is in `edms_round.py`, for whom it is in `edms_documents.py`, what the
services are asked in `edms_soap.py`. Nothing of it was ever tried on the real service:
``docs/edms.md`` says what is known and how.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from dunegpt.config import Settings, SourceTable, explain, read_secret
from dunegpt.errors import ConfigError, FetchError
from dunegpt.ingest.edms_export import ExportTransport
from dunegpt.ingest.edms_files import FileUrlTransport, Visitor, place_of
from dunegpt.ingest.edms_objects import Reader
from dunegpt.ingest.edms_proofs import Proofs
from dunegpt.ingest.edms_round import Round, Rules
from dunegpt.ingest.edms_service import SoapTransport
from dunegpt.ingest.edms_types import Transport
from dunegpt.ingest.edms_wire import (
    BasicLogin,
    HttpWire,
    Login,
    ReplayWire,
    TokenLogin,
)
from dunegpt.ingest.http import PoliteClient, trusting
from dunegpt.ingest.items import Item, Memory, Scope
from dunegpt.types import PUBLIC, Access, FileRef

_COUNT_EVERY = 20
_DOCUMENT = re.compile(
    r"^(?:https?://[^?#]+/document/)?(\d+)(?:/([^/?#]+))?/?$|^(https?://[^?#]+/file/.+)$"
    r"|^(\d+/[^/?#]+/[^/?#]+)$"
)
_NODE = re.compile(r"^(?:https?://[^?#]+/project/)?([A-Za-z]+-\d+|\d+)/?$")


def _principals(names: list[str]) -> list[str]:
    """Return principals.

    Raises:
        ValueError: One is ``public``: only a visitor who is given a file proves that.
    """
    if PUBLIC in names:
        raise ValueError("public cannot be claimed: it is proven by an anonymous fetch")
    return names


class _Node(BaseModel):
    """One node of ``nodes``, with readers of its own."""

    model_config = ConfigDict(extra="forbid")

    node: str
    principals: list[str]

    _checked = field_validator("principals")(_principals)


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    transport: Literal["soap", "file_url", "export", "replay"]
    url: str = Field("https://edms.cern.ch", pattern="^https?://.+$")
    public_url: str | None = Field(None, pattern="^(https?://.+)?$")
    nodes: list[str | _Node] = []
    documents: list[Annotated[str, Field(pattern=_DOCUMENT)]] = []
    cited: bool = True
    principals: list[str] = []
    canary: str = Field("", pattern=r"^\d*$")
    user: str = ""
    password_env: str = ""
    password_file: Path | None = None
    token_url: str = Field("", pattern="^(https?://.+)?$")
    client_id: str = ""
    client_secret_env: str = ""
    client_secret_file: Path | None = None
    audience: str = ""
    answers: Path | None = None
    list: Path | None = None
    files: Path | None = None
    authorities: Path | None = None
    delay_s: float = Field(1.0, ge=0)
    timeout_s: float = Field(120, gt=0)
    requests_per_hour: int = Field(3000, ge=0)
    max_file_mb: int = Field(200, ge=1)

    _checked = field_validator("principals")(_principals)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "_Options":
        password = self.user and (self.password_env or self.password_file)
        secret = self.client_secret_env or self.client_secret_file
        token = self.token_url and self.client_id and secret and self.audience
        needs = {
            "soap": (
                password or (token and self.user),
                "user with password_env or _file; or user, token_url, client_id,"
                " client_secret_env or _file, and audience",
            ),
            "file_url": (
                self.documents and all(len(_place(d)) == 3 for d in self.documents),
                "documents as NUMBER/VERSION/NAME",
            ),
            "export": (self.list and self.files, "list and files"),
            "replay": (self.answers, "answers"),
        }
        given, names = needs[self.transport]
        if not given:
            raise ValueError(f"the transport {self.transport} needs {names}")
        if self.transport == "file_url" and (self.principals or self.nodes):
            raise ValueError("the transport file_url reads what is public alone")
        return self


class EdmsSource:
    """All versions of the documents below some nodes, and of those that texts name."""

    UNTRIED = (
        "everything on the real EDMS: no part of this was ever tried there; see"
        " docs/edms.md"
    )

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        self.name = name
        self._options, self._settings = options, settings
        self._clients: list[PoliteClient] = []
        prefix = options.id_prefix or name
        self._reader = Reader(name, prefix, options.url)
        self._visitor = self._open_visitor()
        self._transport = self._open_transport()
        self._rules = self._open_rules()
        self._proofs = self._new_proofs(is_full=False)
        self._round: Round | None = None

    @property
    def requests(self) -> int:
        """How many requests were made so far, for a visitor's view and tokens too."""
        return sum(client.requests for client in self._clients)

    def close(self) -> None:
        """Close the connections."""
        self._proofs.let_go()
        for client in self._clients:
            client.close()

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield the versions that the scope asks for, and what is gone.

        Raises:
            SourceError: The service is down, the login has lapsed, or a list is not
                whole.
        """
        spent = memory.get("spent") or {}
        for host, client in self._paces().items():
            client.recall(spent.get(host) or [])
        self._proofs = self._new_proofs(is_full=scope.full)
        self._round = Round(
            self._transport, self._reader, self._proofs, scope, memory, self._rules
        )
        try:
            counted = self.requests
            for item in self._round.items():
                yield item
                if self.requests - counted >= _COUNT_EVERY:
                    counted = self.requests
                    memory.put("spent", self._spent())
        finally:
            memory.put("spent", self._spent())

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file; what is public has the hash that was proven.

        Raises:
            FetchError: It cannot be had, or is another file by now.
            SourceError: The login has lapsed.
        """
        try:
            place = place_of(file.url)
        except ValueError as error:
            raise FetchError(f"{file.name} has no address: {error}") from error
        taken = self._proofs.taken.get(place)
        pieces = (
            taken.pieces()
            if taken
            else self._transport.file(*place, self._proofs.max_bytes)
        )
        sha256 = hashlib.sha256()
        for piece in pieces:
            sha256.update(piece)
            yield piece
        proven = self._round.documents.proven.get(place) if self._round else None
        if PUBLIC in file.access and proven != sha256.hexdigest():
            raise FetchError("These are not the bytes that were proven to be public.")

    def _paces(self) -> dict[str, PoliteClient]:
        """Return one client of each host: all of one host keep one pace."""
        return {_host(client.url): client for client in self._clients}

    def _spent(self) -> dict[str, list[float]]:
        return {host: client.spent() for host, client in self._paces().items()}

    # ── settings ──────────────────────────────────────────────────────────────────

    def _new_proofs(self, *, is_full: bool) -> Proofs:
        limit = self._options.max_file_mb << 20
        return Proofs(self._transport, self._visitor, limit, is_full)

    def _open_visitor(self) -> Visitor | None:
        """Return who asks without a login, with a client of his own."""
        given = self._options.public_url
        if given is None and self._options.transport in {"soap", "file_url"}:
            given = self._options.url
        if not given:
            return None
        parts = urlsplit(given)
        client = self._client(f"{parts.scheme}://{parts.netloc}")
        return Visitor(client, parts.path.rstrip("/"))

    def _open_transport(self) -> Transport:
        """Return the transport that the settings name.

        Raises:
            ConfigError: A secret is missing, or others may read it.
        """
        options, path = self._options, self._settings.path
        if options.transport == "export" and options.list and options.files:
            return ExportTransport(path(options.list), path(options.files))
        if options.transport == "replay" and options.answers:
            wire = ReplayWire(path(options.answers))
            return SoapTransport(wire, options.user, is_local=True)
        if options.transport == "file_url" and self._visitor:
            return FileUrlTransport(self._visitor, options.documents)
        if options.transport != "soap":
            raise ConfigError(f"[sources.{self.name}] public_url is empty.")
        client = self._client(options.url.rstrip("/"))
        record = path(options.answers) if options.answers else None
        return SoapTransport(HttpWire(client, self._sign_on(), record), options.user)

    def _sign_on(self) -> Login:
        """Return the login of the services.

        Raises:
            ConfigError: Its secret is missing, or others may read it.
        """
        options, path = self._options, self._settings.path
        if not options.token_url:
            file = options.password_file and path(options.password_file)
            return BasicLogin(options.user, read_secret(options.password_env, file))
        file = options.client_secret_file and path(options.client_secret_file)
        secret = read_secret(options.client_secret_env, file)
        parts = urlsplit(options.token_url)
        client = self._client(f"{parts.scheme}://{parts.netloc}")
        credentials = {
            "client_id": options.client_id,
            "client_secret": secret,
            "audience": options.audience,
        }
        return TokenLogin(client, parts.path, credentials)

    def _client(self, url: str) -> PoliteClient:
        """Return a new client; those of one host keep one pace.

        Raises:
            ConfigError: A certificate cannot be used.
        """
        own = self._options
        beside = next((c for c in self._clients if _host(c.url) == _host(url)), None)
        authorities = self._settings.path(own.authorities) if own.authorities else None
        client = PoliteClient(
            url,
            contact=self._settings.contact,
            delay_s=own.delay_s,
            timeout_s=own.timeout_s,
            per_hour=own.requests_per_hour,
            trust=trusting(None, authorities),
        )
        if beside:
            client.keep_pace_with(beside)
        self._clients.append(client)
        return client

    def _open_rules(self) -> Rules:
        options = self._options
        default: Access = frozenset(options.principals)
        roots: dict[str, Access] = {}
        for each in options.nodes:
            name = each if isinstance(each, str) else each.node
            found = _NODE.match(name)
            if not found:
                raise ConfigError(f"[sources.{self.name}] {name!r} names no node.")
            own = default if isinstance(each, str) else frozenset(each.principals)
            roots[found[1]] = own
        documents: dict[str, set[str]] = {}
        for name in options.documents:
            number, *rest = _place(name)
            documents.setdefault(number, set()).update(rest[:1])
        return Rules(roots, default, documents, options.cited, options.canary)


def _place(name: str) -> tuple[str, ...]:
    """Return number, version and file of a document, as far as the settings say."""
    found = _DOCUMENT.match(name)
    if found and found[1]:
        return (found[1], found[2]) if found[2] else (found[1],)
    return place_of(name)


def _host(url: str) -> str:
    return urlsplit(url).netloc
