"""The DocDB source: its settings, endpoints, groups and group members.

Reads through the public endpoint and any number of logins: group passwords, a sign-on
session, a certificate. A login that is in many groups is best: it sees everything, and
can be narrowed by a cookie to what one group sees. `docdb.sync` decides what is read,
`docdb.access` who may read it, and `docdb.client` makes the requests.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dunegpt.access import PUBLIC
from dunegpt.config import Settings, SourceSettings, read_secret
from dunegpt.errors import ConfigError, FetchError, SourceError, SourceLoginError
from dunegpt.ingest.docdb.access_check import DocDBAccessChecker
from dunegpt.ingest.docdb.client import (
    DocDBClient,
    Endpoint,
    GroupView,
    find_public_view,
)
from dunegpt.ingest.docdb.documents import RecordParser, parse_file_url
from dunegpt.ingest.docdb.html_pages import Group
from dunegpt.ingest.docdb.sync import DocDBSync, SyncRules
from dunegpt.ingest.items import Alarm, CrawlScope, Item, SourceState
from dunegpt.ingest.options import ConfirmableOptions, parse_options
from dunegpt.ingest.sync import HttpClients
from dunegpt.types import FileRef

log = logging.getLogger(__name__)


class _EndpointSettings(BaseModel):
    """One ``[[sources.NAME.doors]]``."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["basic", "cookie", "certificate"]
    url: str = Field(pattern="^https?://")
    group: str = ""
    user: str = ""
    password_env: str = ""
    password_file: Path | None = None
    cookie_env: str = ""
    cookie_file: Path | None = None
    login_command: list[str] = []
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _check_required_keys(self) -> "_EndpointSettings":
        needs = {
            "basic": (self.user and self.group, "user and group"),
            "cookie": (self.cookie_env or self.cookie_file, "cookie_env or _file"),
            "certificate": (self.certificate and self.key, "certificate and key"),
        }
        given, names = needs[self.kind]
        if not given:
            raise ValueError(f"a door of the kind {self.kind} needs {names}")
        if self.kind == "basic" and not (self.password_env or self.password_file):
            raise ValueError("a door of the kind basic needs password_env or _file")
        return self


class _PeopleSettings(BaseModel):
    """``[sources.NAME.people]``: how a login here is the member of a group there."""

    model_config = ConfigDict(extra="forbid")

    claim: str = Field("preferred_username", min_length=1)
    issuer: str = Field(min_length=1)
    domain: str = ""


class _Options(ConfirmableOptions):
    url: str = Field("", pattern="^(https?://.+)?$")
    doors: list[_EndpointSettings] = Field([])
    groups: list[str] = Field([])
    people: _PeopleSettings | None = None
    authorities: Path | None = None
    canary: int | None = None
    few_documents: int = Field(100, ge=0)
    lists_every_min: float = Field(55, ge=0)
    timeout_s: float = Field(300, gt=0)
    max_file_mb: int = Field(500, ge=1)


class DocDBSource:
    """All versions of all documents that some logins, and the public, are shown."""

    def __init__(self, name: str, table: SourceSettings, settings: Settings) -> None:
        options = parse_options(_Options, name, table)
        if not (options.doors or options.url):
            raise ConfigError(f"[sources.{name}] has neither url nor doors.")
        self.name = name
        self._options = options
        self._prefix = options.id_prefix or name
        self._max_age = settings.access.max_overlay_age
        self._clients = HttpClients(options, settings, authorities=options.authorities)
        doors = [self._open_endpoint(door, settings) for door in options.doors]
        if options.url:
            client, path = self._clients.get(options.url), _get_path(options.url)
            doors.append(Endpoint("the public door", client, path, PUBLIC))
        if len({door.name for door in doors}) < len(doors):
            raise ConfigError(f"[sources.{name}] has one door twice.")
        self._docdb_client = DocDBClient(doors)
        public = options.url.rstrip("/")
        self._parser = RecordParser(name, self._prefix, public, doors[0].url)
        self._sync: DocDBSync | None = None

    @property
    def requests(self) -> int:
        """Number of requests made so far."""
        return self._clients.requests

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()

    def open_access_checker(self) -> DocDBAccessChecker:
        """Return what asks whether a version is still shown; closing it closes this."""
        return DocDBAccessChecker(
            self._docdb_client.endpoints,
            self._prefix,
            self._options.groups,
            self._options.confirm_per_hour,
            self.close,
        )

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield the versions that the scope asks for, and what is gone.

        Raises:
            SourceError: The site is down, a login has lapsed, or a list is not whole.
        """
        return self._clients.track(self._iter_items(scope, memory), memory)

    def _iter_items(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        views = self._build_views()
        groups, problem = self._load_groups(memory)
        if problem:
            yield problem
        rules = SyncRules(
            self._prefix,
            self._max_age,
            non_viewing_groups=frozenset(g.name for g in groups if not g.can_view),
            canary=self._options.canary,
            read_all_below=self._options.few_documents,
            lists_every=timedelta(minutes=self._options.lists_every_min),
        )
        self._sync = DocDBSync(
            self._docdb_client, self._parser, views, scope, memory, rules
        )
        yield from self._sync.sync()

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file of a version, through the first door that has it.

        Raises:
            FetchError: It is larger than ``max_file_mb``, or no door gives it.
            SourceLoginError: The login has lapsed, and no other door gives it.
        """
        try:
            number, version, encoded = parse_file_url(file.url)
        except ValueError as error:
            raise FetchError(f"{file.name} has no address: {error}") from error
        doors = [self._docdb_client.endpoints[0]]
        if self._sync:
            doors = self._sync.documents.endpoints_for(number, version)
        refusals: list[FetchError | SourceLoginError] = []
        for door in doors:
            pieces = self._docdb_client.fetch_file(
                door, number, version, encoded, self._options.max_file_bytes
            )
            try:
                first = next(pieces, b"")
            except (FetchError, SourceLoginError) as error:
                log.info("%s: %s", door.name, error)
                refusals.append(error)
                continue
            yield first
            yield from pieces
            return
        lapsed = [r for r in refusals if isinstance(r, SourceLoginError)]
        if len(lapsed) == len(refusals):
            raise lapsed[0]
        reasons = " ".join(
            f"{door.name}: {error}" for door, error in zip(doors, refusals, strict=True)
        )
        raise FetchError(
            f"No door gives the file. {reasons} A login that is shown document"
            f" {number}, version {version}, and may fetch its files would help."
        )

    # ── doors ─────────────────────────────────────────────────────────────────────

    def _open_endpoint(
        self, options: _EndpointSettings, settings: Settings
    ) -> Endpoint:
        certificate = options.certificate and settings.resolve_path(options.certificate)
        key = options.key and settings.resolve_path(options.key)
        trust = (certificate, key) if certificate and key else None
        client, path = self._clients.get(options.url, trust), _get_path(options.url)
        name = f"the door {options.group or options.kind} at {path or '/'}"
        if options.kind == "basic":
            file = options.password_file and settings.resolve_path(
                options.password_file
            )
            password = read_secret(options.password_env, file)
            return Endpoint(
                name, client, path, options.group, f"{options.user}:{password}"
            )
        if options.kind == "certificate":
            return Endpoint(name, client, path, options.group)
        cookie = options.cookie_file and settings.resolve_path(options.cookie_file)
        return Endpoint(
            name,
            client,
            path,
            options.group,
            read_cookie=partial(_read_cookie, options.cookie_env, cookie),
            renew_command=tuple(options.login_command),
        )

    # ── groups ────────────────────────────────────────────────────────────────────

    def _build_views(self) -> list[GroupView]:
        """Return one view of each group that some login is in, and of the public.

        A door that does not tell its groups is left out.

        Raises:
            SourceError: None of the doors works.
        """
        found: dict[str, GroupView] = {}
        for door in [*self._docdb_client.endpoints]:
            if door.group:
                found.setdefault(door.group, GroupView(door.group, door))
                continue
            try:
                groups = self._docdb_client.fetch_own_groups(door)
            except SourceError as error:
                self._docdb_client.drop(door, error)
                continue
            for number, name in groups.items():
                if not self._options.groups or name in self._options.groups:
                    found.setdefault(name, GroupView(name, door, number))
        public = find_public_view(self._docdb_client.endpoints)
        if public:
            found[PUBLIC] = public
        return list(found.values())

    def _load_groups(self, memory: SourceState) -> tuple[list[Group], Alarm | None]:
        """Return the groups; note who is in them, for the overlay.

        Where that list is closed, nobody is made a member by it.

        Raises:
            SourceError: None of the doors works.
        """
        door = self._docdb_client.endpoints[0]
        try:
            groups = self._docdb_client.fetch_groups(door)
        except SourceLoginError as error:
            self._docdb_client.drop(door, error)
            return self._load_groups(memory)
        except SourceError as error:
            problem = Alarm(
                f"The members of groups cannot be read: {error}", is_critical=False
            )
            return [], problem if self._options.people else None
        people = self._options.people
        rules = (
            [
                {
                    "claim": people.claim,
                    "issuer": people.issuer,
                    "value": value,
                    "principals": sorted(f"{self._prefix}:{name}" for name in names),
                }
                for value, names in sorted(_groups_by_person(groups, people).items())
            ]
            if people
            else []
        )
        kept = {"at": memory.started_at(), "rules": rules} if people else None
        memory.put("people", kept)
        return groups, None


def _groups_by_person(
    groups: list[Group], people: _PeopleSettings
) -> dict[str, set[str]]:
    """Return the groups of each person, by what the claim of a login says."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for member in group.members:
            value = member.email if people.claim == "email" else member.sso
            if people.domain and people.claim != "email":
                name, _, domain = value.rpartition("@")
                value = name if domain.casefold() == people.domain.casefold() else ""
            if value and group.can_view:
                found.setdefault(value, set()).add(group.name)
    return found


def _get_path(url: str) -> str:
    """Return the path of a URL, without a slash at its end."""
    return urlsplit(url).path.rstrip("/")


def _read_cookie(variable: str, file: Path | None) -> str:
    """Return the session's cookie, as ``name=value``.

    Raises:
        ConfigError: It is missing, or others may read it.
        SourceLoginError: It is not of that form.
    """
    value = read_secret(variable, file)
    if "=" not in value or any(mark in value for mark in "\r\n"):
        raise SourceLoginError(
            "The session's cookie is not of the form name=value.",
            hint="The login hook writes the whole cookie into the file, on one line.",
        )
    return value
