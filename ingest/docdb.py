"""A DocDB as a source: its settings, its doors, its groups and their members.

The public door, and any number of logins: group passwords, a sign-on session, a
certificate. A login of many groups is best: it sees everything, and shows by a cookie
what each of its groups sees. What is read when is in `docdb_round.py`, for whom it is
in `docdb_access.py`, what the answers mean in `docdb_site.py`.
"""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dunegpt.config import Settings, SourceTable, explain, read_secret
from dunegpt.errors import ConfigError, FetchError, SourceError, SourceLoginError
from dunegpt.ingest.docdb_html import Group
from dunegpt.ingest.docdb_objects import Reader, place_of
from dunegpt.ingest.docdb_round import Round, Rules
from dunegpt.ingest.docdb_site import Door, Site, View, public_view
from dunegpt.ingest.http import PoliteClient, trusting
from dunegpt.ingest.items import Alarm, Item, Memory, Scope
from dunegpt.types import PUBLIC, FileRef

log = logging.getLogger(__name__)

_COUNT_EVERY = 20


class _Door(BaseModel):
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
    def _has_what_it_needs(self) -> "_Door":
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


class _People(BaseModel):
    """``[sources.NAME.people]``: how a login here is the member of a group there."""

    model_config = ConfigDict(extra="forbid")

    claim: str = Field("preferred_username", min_length=1)
    issuer: str = Field(min_length=1)
    domain: str = ""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    url: str = Field("", pattern="^(https?://.+)?$")
    doors: list[_Door] = []
    groups: list[str] = []
    people: _People | None = None
    authorities: Path | None = None
    canary: int | None = None
    few_documents: int = Field(100, ge=0)
    delay_s: float = Field(1.0, ge=0)
    timeout_s: float = Field(300, gt=0)
    requests_per_hour: int = Field(3000, ge=0)
    max_file_mb: int = Field(500, ge=1)


class DocDBSource:
    """All versions of all documents that some logins, and the public, are shown."""

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        if not (options.doors or options.url):
            raise ConfigError(f"[sources.{name}] has neither url nor doors.")
        self.name = name
        self._options = options
        self._prefix = options.id_prefix or name
        self._max_age = settings.access.max_overlay_age
        self._clients: dict[tuple[str, Path | None], PoliteClient] = {}
        doors = [self._door(door, settings) for door in options.doors]
        if options.url:
            client, path = self._client(options.url, None, settings)
            doors.append(Door("the public door", client, path, PUBLIC))
        if len({door.name for door in doors}) < len(doors):
            raise ConfigError(f"[sources.{name}] has one door twice.")
        self._site = Site(doors)
        public = options.url.rstrip("/")
        self._reader = Reader(name, self._prefix, public, doors[0].url)
        self._round: Round | None = None

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return sum(client.requests for client in self._clients.values())

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield the versions that the scope asks for, and what is gone.

        Raises:
            SourceError: The site is down, a login has lapsed, or a list is not whole.
        """
        for (origin, _), client in self._clients.items():
            client.recall((memory.get("spent") or {}).get(origin) or [])
        try:
            groups, problem = self._groups(memory)
            if problem:
                yield problem
            views = self._views()
            rules = Rules(
                self._prefix,
                self._max_age,
                powerless=frozenset(g.name for g in groups if not g.can_view),
                canary=self._options.canary,
                few=self._options.few_documents,
            )
            current = Round(self._site, self._reader, views, scope, memory, rules)
            self._round = current
            counted = self.requests
            for item in current.items():
                yield item
                if self.requests - counted >= _COUNT_EVERY:
                    counted = self.requests
                    memory.put("spent", self._spent())
        finally:
            memory.put("spent", self._spent())

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file of a version.

        Raises:
            FetchError: It is larger than ``max_file_mb``, or cannot be had.
            SourceError: The login has lapsed.
        """
        try:
            number, version, encoded = place_of(file.url)
        except ValueError as error:
            raise FetchError(f"{file.name} has no address: {error}") from error
        door = self._site.doors[0]
        if self._round:
            door = self._round.documents.door_of(number, version)
        limit = self._options.max_file_mb << 20
        return self._site.fetch(door, number, version, encoded, limit)

    # ── doors ─────────────────────────────────────────────────────────────────────

    def _door(self, options: _Door, settings: Settings) -> Door:
        certificate = options.certificate and settings.path(options.certificate)
        key = options.key and settings.path(options.key)
        trust = (certificate, key) if certificate and key else None
        client, path = self._client(options.url, trust, settings)
        name = f"the door {options.group or options.kind} at {path or '/'}"
        if options.kind == "basic":
            file = options.password_file and settings.path(options.password_file)
            password = read_secret(options.password_env, file)
            return Door(name, client, path, options.group, f"{options.user}:{password}")
        if options.kind == "certificate":
            return Door(name, client, path, options.group)
        cookie = options.cookie_file and settings.path(options.cookie_file)
        return Door(
            name,
            client,
            path,
            options.group,
            read_cookie=partial(_cookie, options.cookie_env, cookie),
            hook=tuple(options.login_command),
        )

    def _client(
        self, url: str, certificate: tuple[Path, Path] | None, settings: Settings
    ) -> tuple[PoliteClient, str]:
        """Return the client of a site and the path of an address on it.

        Raises:
            ConfigError: A certificate cannot be used.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        key = origin, certificate[0] if certificate else None
        if key not in self._clients:
            authorities = self._options.authorities
            path = settings.path(authorities) if authorities else None
            self._clients[key] = PoliteClient(
                origin,
                contact=settings.contact,
                delay_s=self._options.delay_s,
                timeout_s=self._options.timeout_s,
                per_hour=self._options.requests_per_hour,
                trust=trusting(certificate, path),
            )
        return self._clients[key], parts.path.rstrip("/")

    def _spent(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for (origin, _), client in self._clients.items():
            found.setdefault(origin, []).extend(client.spent())
        return found

    # ── groups ────────────────────────────────────────────────────────────────────

    def _views(self) -> list[View]:
        """Return one view of each group that some login is in, and of the public.

        Raises:
            SourceError: The groups of a login cannot be told.
        """
        found: dict[str, View] = {}
        for door in self._site.doors:
            if door.group:
                found.setdefault(door.group, View(door.group, door))
                continue
            for number, name in self._site.own_groups(door).items():
                if not self._options.groups or name in self._options.groups:
                    found.setdefault(name, View(name, door, number))
        public = public_view(self._site.doors)
        if public:
            found[PUBLIC] = public
        return list(found.values())

    def _groups(self, memory: Memory) -> tuple[list[Group], Alarm | None]:
        """Return the groups; note who is in them, for the overlay.

        Where that list is closed, nobody is made a member by it.

        Raises:
            SourceLoginError: The login has lapsed.
        """
        try:
            groups = self._site.groups(self._site.doors[0])
        except SourceLoginError:
            raise
        except SourceError as error:
            problem = Alarm(f"The members of groups are not told: {error}", grave=False)
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
                for value, names in sorted(_memberships(groups, people).items())
            ]
            if people
            else []
        )
        kept = {"at": memory.started_at(), "rules": rules} if people else None
        memory.put("people", kept)
        return groups, None


def _memberships(groups: list[Group], people: _People) -> dict[str, set[str]]:
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


def _cookie(variable: str, file: Path | None) -> str:
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
