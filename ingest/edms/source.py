"""The EDMS source: its settings, transport and logins.

`edms.sync` decides what is read, `edms.versions` and `edms.nodes` who may read it, and
the transports make the requests. Never tested against the real service:
``docs/sources/edms.md`` lists what is known, and how.
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
    field_validator,
    model_validator,
)

from dunegpt.access import PUBLIC, Access
from dunegpt.config import Settings, SourceSettings, read_secret
from dunegpt.errors import ConfigError, FetchError
from dunegpt.ingest.edms.documents import RecordParser
from dunegpt.ingest.edms.export_transport import ExportTransport
from dunegpt.ingest.edms.public_check import PublicChecker
from dunegpt.ingest.edms.public_files import (
    AnonymousClient,
    FileUrlTransport,
    parse_file_url,
)
from dunegpt.ingest.edms.soap_client import (
    BasicLogin,
    HttpSoapClient,
    Login,
    ReplaySoapClient,
    TokenLogin,
)
from dunegpt.ingest.edms.soap_transport import SoapTransport
from dunegpt.ingest.edms.sync import EDMSSync, SyncRules
from dunegpt.ingest.edms.transport import Transport
from dunegpt.ingest.items import CrawlScope, Item, SourceState
from dunegpt.ingest.options import HttpOptions, parse_options
from dunegpt.ingest.sync import HttpClients, get_origin
from dunegpt.types import FileRef

_DOCUMENT = re.compile(
    r"^(?:https?://[^?#]+/document/)?(\d+)(?:/([^/?#]+))?/?$|^(https?://[^?#]+/file/.+)$"
    r"|^(\d+/[^/?#]+/[^/?#]+)$"
)
_NODE = re.compile(r"^(?:https?://[^?#]+/project/)?([A-Za-z]+-\d+|\d+)/?$")


def _check_principals(names: list[str]) -> list[str]:
    """Return principals.

    Raises:
        ValueError: One is ``public``: only a visitor who is given a file proves that.
    """
    if PUBLIC in names:
        raise ValueError("public cannot be claimed: it is proven by an anonymous fetch")
    return names


class _NodeSettings(BaseModel):
    """One node of ``nodes``, with readers of its own."""

    model_config = ConfigDict(extra="forbid")

    node: str
    principals: list[str]

    _checked = field_validator("principals")(_check_principals)


class _Options(HttpOptions):
    transport: Literal["soap", "file_url", "export", "replay"]
    url: str = Field("https://edms.cern.ch", pattern="^https?://.+$")
    public_url: str | None = Field(None, pattern="^(https?://.+)?$")
    nodes: list[str | _NodeSettings] = Field([])
    documents: list[Annotated[str, Field(pattern=_DOCUMENT)]] = Field([])
    cited: bool = True
    principals: list[str] = Field([])
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
    timeout_s: float = Field(120, gt=0)

    _checked = field_validator("principals")(_check_principals)

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
                self.documents
                and all(len(_parse_document_name(d)) == 3 for d in self.documents),
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
        " docs/sources/edms.md"
    )

    def __init__(self, name: str, table: SourceSettings, settings: Settings) -> None:
        options = parse_options(_Options, name, table)
        self.name = name
        self._options, self._settings = options, settings
        self._clients = HttpClients(
            options, settings, authorities=options.authorities, host_key=_get_host
        )
        prefix = options.id_prefix or name
        self._parser = RecordParser(name, prefix, options.url)
        self._anonymous_client = self._open_anonymous_client()
        self._transport = self._open_transport()
        self._rules = self._build_rules()
        self._checker = self._new_checker(is_full=False)
        self._sync: EDMSSync | None = None

    @property
    def requests(self) -> int:
        """Number of requests made so far, with or without a login."""
        return self._clients.requests

    def close(self) -> None:
        """Close the connections."""
        self._checker.discard_downloads()
        self._clients.close()

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield the versions that the scope asks for, and what is gone.

        Raises:
            SourceError: The service is down, the login has lapsed, or a list is not
                whole.
        """
        self._checker = self._new_checker(is_full=scope.full)
        self._sync = EDMSSync(
            self._transport, self._parser, self._checker, scope, memory, self._rules
        )
        yield from self._clients.track(self._sync.sync(), memory)

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file; what is public has the hash that was proven.

        Raises:
            FetchError: It cannot be had, or is another file by now.
            SourceError: The login has lapsed.
        """
        try:
            place = parse_file_url(file.url)
        except ValueError as error:
            raise FetchError(f"{file.name} has no address: {error}") from error
        taken = self._checker.downloads.get(place)
        pieces = (
            taken.chunks()
            if taken
            else self._transport.fetch_file(*place, self._checker.max_bytes)
        )
        sha256 = hashlib.sha256()
        for piece in pieces:
            sha256.update(piece)
            yield piece
        proven = self._sync.documents.sha256_by_file.get(place) if self._sync else None
        if PUBLIC in file.access and proven != sha256.hexdigest():
            raise FetchError(
                "The bytes differ from those that were checked to be public."
            )

    # ── settings ──────────────────────────────────────────────────────────────────

    def _new_checker(self, *, is_full: bool) -> PublicChecker:
        limit = self._options.max_file_bytes
        return PublicChecker(self._transport, self._anonymous_client, limit, is_full)

    def _open_anonymous_client(self) -> AnonymousClient | None:
        """Return who asks without a login, with a client of his own."""
        given = self._options.public_url
        if given is None and self._options.transport in {"soap", "file_url"}:
            given = self._options.url
        if not given:
            return None
        client = self._clients.open(get_origin(given))
        return AnonymousClient(client, urlsplit(given).path.rstrip("/"))

    def _open_transport(self) -> Transport:
        """Return the transport that the settings name.

        Raises:
            ConfigError: A secret is missing, or others may read it.
        """
        options, path = self._options, self._settings.resolve_path
        if options.transport == "export" and options.list and options.files:
            return ExportTransport(path(options.list), path(options.files))
        if options.transport == "replay" and options.answers:
            wire = ReplaySoapClient(path(options.answers))
            return SoapTransport(wire, options.user, is_local=True)
        if options.transport == "file_url" and self._anonymous_client:
            return FileUrlTransport(self._anonymous_client, options.documents)
        if options.transport != "soap":
            raise ConfigError(f"[sources.{self.name}] public_url is empty.")
        client = self._clients.open(options.url.rstrip("/"))
        record = path(options.answers) if options.answers else None
        return SoapTransport(
            HttpSoapClient(client, self._build_login(), record), options.user
        )

    def _build_login(self) -> Login:
        """Return the login of the services.

        Raises:
            ConfigError: Its secret is missing, or others may read it.
        """
        options, path = self._options, self._settings.resolve_path
        if not options.token_url:
            file = options.password_file and path(options.password_file)
            return BasicLogin(options.user, read_secret(options.password_env, file))
        file = options.client_secret_file and path(options.client_secret_file)
        secret = read_secret(options.client_secret_env, file)
        client = self._clients.open(get_origin(options.token_url))
        credentials = {
            "client_id": options.client_id,
            "client_secret": secret,
            "audience": options.audience,
        }
        return TokenLogin(client, urlsplit(options.token_url).path, credentials)

    def _build_rules(self) -> SyncRules:
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
            number, *rest = _parse_document_name(name)
            documents.setdefault(number, set()).update(rest[:1])
        return SyncRules(
            roots,
            default,
            documents,
            options.cited,
            options.canary,
            self._settings.access.max_overlay_age,
        )


def _parse_document_name(name: str) -> tuple[str, ...]:
    """Return number, version and file of a document, as far as the settings say."""
    found = _DOCUMENT.match(name)
    if found and found[1]:
        return (found[1], found[2]) if found[2] else (found[1],)
    return parse_file_url(name)


def _get_host(url: str) -> str:
    return urlsplit(url).netloc
