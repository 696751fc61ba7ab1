"""An electronic logbook as a source: its settings, its exports, its table of runs.

Entries come from a log's address (ECL's questions), from an address that gives all of
them, or from files that were exported; runs from a table beside them. Who may read is
what the settings say. Which days are read when is in `elog_round.py`, what the answers
say in `elog_entries.py` and `elog_runs.py`.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dunegpt.config import Settings, SourceTable, explain, read_secret
from dunegpt.errors import ConfigError, FetchError, SourceFormatError
from dunegpt.ingest.elog_entries import Entry, Listed, read_export
from dunegpt.ingest.elog_objects import Maker
from dunegpt.ingest.elog_round import Round, Rules
from dunegpt.ingest.elog_runs import COLUMNS, Table, months, read_table
from dunegpt.ingest.elog_site import Login, Site, checked
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.items import Alarm, Item, Memory, Scope, Whole
from dunegpt.types import Failure, FileRef, access_set

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_GUARD_ROWS, _GUARD_SHARE = 20, 0.05
_TOLD_PROBLEMS = 3


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    access: list[str] = Field(min_length=1)
    url: str = Field("", pattern="^(https?://.+)?$")
    whole: bool = False
    path: Path | None = None
    entry_url: str = ""
    user: str = ""
    password_env: str = ""
    password_file: Path | None = None
    token_env: str = ""
    token_file: Path | None = None
    first_day: dt.date = dt.date(2000, 1, 1)
    recent_days: int = Field(7, ge=1)
    list_limit: int = Field(1000, ge=2)
    runs_url: str = Field("", pattern="^(https?://.+)?$")
    runs_file: Path | None = None
    runs_columns: dict[str, str] = {}
    delay_s: float = Field(1.0, ge=0)
    timeout_s: float = Field(60, gt=0)
    requests_per_hour: int = Field(3000, ge=0)
    max_file_mb: int = Field(200, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> "_Options":
        if bool(self.url) == bool(self.path):
            raise ValueError("give either url or path")
        if self.runs_url and self.runs_file:
            raise ValueError("give runs_url or runs_file, not both")
        if self.user and not (self.password_env or self.password_file):
            raise ValueError("user needs password_env or password_file")
        if unknown := set(self.runs_columns) - set(COLUMNS):
            raise ValueError(f"runs_columns: {sorted(unknown)} is none of {COLUMNS}")
        return self


class ElogSource:
    """The entries of one log, and its runs by months."""

    UNTRIED = "a real ECL: its questions and answers are as public clients have them"

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        self.name = name
        self._options = options
        self._settings = settings
        self._root = settings.path(options.path) if options.path else None
        base = options.url.rstrip("/")
        if self._root:
            folder = self._root if self._root.is_dir() else self._root.parent
            base = folder.as_uri()
        own = f"{base}/E/show?e={{id}}" if options.url else base
        self._maker = Maker(
            source=name,
            prefix=options.id_prefix or name,
            access=access_set(options.access),
            entry_url=options.entry_url or own,
            base=base,
            evidence=f"access of [sources.{name}]",
        )
        self._clients: dict[str, PoliteClient] = {}
        self._site = self._opened(options) if options.url else None

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return sum(client.requests for client in self._clients.values())

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield the entries that the scope asks for, the runs, and what is gone.

        Raises:
            SourceError: The log is down, asks for a login, or a list is not whole.
        """
        for origin, client in self._clients.items():
            client.recall((memory.get("spent") or {}).get(origin) or [])
        options = self._options
        yield from self._for_new_readers(memory)
        try:
            if self._site and not options.whole:
                rules = Rules(options.first_day, options.recent_days)
                site = self._site
                yield from Round(site, self._maker, scope, memory, rules).items()
            else:
                yield from self._exported(memory)
            if options.runs_url or options.runs_file:
                yield from self._runs(scope, memory)
        finally:
            spent = {origin: c.spent() for origin, c in self._clients.items()}
            memory.put("spent", spent)

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of an attachment.

        Raises:
            FetchError: It is too large, elsewhere, or cannot be had.
            SourceError: A challenge page came.
        """
        limit = self._options.max_file_mb << 20
        if urlsplit(file.url).scheme == "file":
            return self._local(file, limit)
        if self._site is None:
            raise FetchError(f"{file.name} is not among the exported files.")
        return self._site.file(file.url, limit)

    def _for_new_readers(self, memory: Memory) -> Iterator[Item]:
        """Yield all that is known if the settings name other readers than before.

        Old entries are read again only in turn: without this they would stay open.
        """
        readers = sorted(self._maker.access)
        if memory.get("readers") != readers:
            for name in sorted(memory.tops()):
                if stored := memory.document(name):
                    yield self._maker.for_readers(stored)
        memory.put("readers", readers)

    # ── exports ───────────────────────────────────────────────────────────────────

    def _exported(self, memory: Memory) -> Iterator[Item]:
        """Yield all entries of an export, and that there are no others."""
        listed = self._site.export() if self._site else self._read_files()
        known = [n for n in memory.tops() if not self._is_of_runs(n)]
        if known and not (listed.entries or listed.problems):
            raise SourceFormatError(
                f"The export has no entries; {len(known)} are known.",
                hint="If all were deleted, remove the source; nothing was removed.",
            )
        ids = set()
        for entry in listed.entries:
            document = self._maker.document(entry, self._maker.attachments(entry))
            ids.add(document.id)
            yield document
            if entry.promised > len(entry.attachments):
                where = f"{document.id}#attachments"
                count = f"{len(entry.attachments)} of {entry.promised}"
                why = f"{count} attachments are in the export."
                yield Failure(where, "fetch", FetchError.__name__, why)
        for name, why in listed.problems:
            failed = self._maker.id(name)
            yield Failure(failed, "list", SourceFormatError.__name__, why)
        keeps_all = any(not name.isdigit() for name, _ in listed.problems)
        kept = set(memory.tops()) if keeps_all else set()
        runs = {n for n in memory.tops() if self._is_of_runs(n)}
        yield Whole("", frozenset(ids | kept | runs), "gone from the export")

    def _read_files(self) -> Listed:
        """Return the entries of all exported files; a later file's entry holds.

        Raises:
            SourceFormatError: There is none, or one is not what it should be.
        """
        root = self._root
        assert root is not None
        paths = (
            [root]
            if root.is_file()
            else sorted(
                path
                for path in root.glob("*")
                if path.suffix.lower() in {".xml", ".json"} and path.is_file()
            )
        )
        if not paths:
            raise SourceFormatError(
                f"There is no export in {root}.",
                hint=f"Check path in [sources.{self.name}]; nothing was removed.",
            )
        by_number: dict[int, Entry] = {}
        problems: list[tuple[str, str]] = []
        for path in paths:
            try:
                found = read_export(path.read_bytes(), path.name)
            except OSError as error:
                raise SourceFormatError(
                    f"{path} cannot be read: {error.strerror}."
                ) from error
            by_number |= {entry.number: entry for entry in found.entries}
            problems += found.problems
        return Listed([by_number[n] for n in sorted(by_number)], problems)

    def _local(self, file: FileRef, limit: int) -> Iterator[bytes]:
        """Yield the bytes of a file beside the export, and of no other.

        Raises:
            FetchError: It is elsewhere, too large, or cannot be read.
        """
        root = self._root
        path = Path(url2pathname(urlsplit(file.url).path)).resolve()
        folder = (root if root.is_dir() else root.parent) if root else None
        if folder is None or not path.is_relative_to(folder):
            raise FetchError(f"{file.name} is not among the exported files.")
        try:
            if path.stat().st_size > limit:
                raise FetchError(f"{file.name} is longer than {limit:,} bytes.")
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise FetchError(f"Cannot read {file.name}: {error.strerror}.") from error

    # ── runs ──────────────────────────────────────────────────────────────────────

    def _is_of_runs(self, document_id: str) -> bool:
        return document_id.startswith(f"{self._maker.prefix}:runs-")

    def _runs(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield the runs by months, and the months that are gone.

        Raises:
            SourceError: The table cannot be had, or is none.
        """
        table = read_table(self._table(), self._options.runs_columns)
        known = memory.get("runs") or 0
        lost = known - len(table.runs)
        if lost > max(_GUARD_ROWS, _GUARD_SHARE * known) and not scope.full:
            yield Alarm(
                f"The table of runs has {len(table.runs)} runs; {known} are known."
                " It was left as it was.",
                "If this is right, run the crawl with --full.",
            )
            return
        maker = self._maker
        documents = months(
            table.runs,
            source=self.name,
            prefix=maker.prefix,
            access=maker.access,
            url=self._options.runs_url or self._runs_path().as_uri(),
            evidence=maker.evidence,
        )
        yield from documents
        yield from self._of_rows(table)
        for name in sorted(memory.tops()):
            if self._is_of_runs(name) and name not in {d.id for d in documents}:
                yield Whole(name, frozenset(), "gone from the table of runs")
        memory.put("runs", len(table.runs))

    def _of_rows(self, table: Table) -> Iterator[Item]:
        """Yield what is wrong with rows, as one failure; none if nothing is."""
        place = self._maker.id("runs")
        if table.problems:
            told = [f"line {n}: {why}" for n, why in table.problems[:_TOLD_PROBLEMS]]
            why = f"{len(table.problems)} rows cannot be read; {' '.join(told)}"
            yield Failure(place, "list", SourceFormatError.__name__, why)
        if table.twice:
            numbers = ", ".join(map(str, sorted(set(table.twice))[:10]))
            yield Alarm(f"Runs with differing rows: {numbers}.", grave=False)
        yield Whole(place, frozenset())

    def _runs_path(self) -> Path:
        assert self._options.runs_file is not None
        return self._settings.path(self._options.runs_file)

    def _table(self) -> bytes:
        options = self._options
        if not options.runs_url:
            try:
                return self._runs_path().read_bytes()
            except OSError as error:
                raise SourceFormatError(
                    f"The table of runs cannot be read: {error.strerror}.",
                    hint=f"Check runs_file in [sources.{self.name}].",
                ) from error
        parts = urlsplit(options.runs_url)
        client = self._client(options.runs_url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        own = self._site and self._site.client is client
        login = self._login() if own else Login()
        answer = client.get(path, token=login.token, headers=login.headers(parts.query))
        return checked(answer, "The table of runs").body

    # ── the log's address ─────────────────────────────────────────────────────────

    def _opened(self, options: _Options) -> Site:
        client = self._client(options.url)
        path = urlsplit(options.url).path.rstrip("/")
        query = urlsplit(options.url).query
        if options.whole:
            path = f"{urlsplit(options.url).path}?{query}" if query else path
        return Site(client, path, self._login(), limit=options.list_limit)

    def _login(self) -> Login:
        options = self._options
        files = [
            file and self._settings.path(file)
            for file in (options.password_file, options.token_file)
        ]
        password = read_secret(options.password_env, files[0])
        token = read_secret(options.token_env, files[1])
        return Login(options.user, password, token)

    def _client(self, url: str) -> PoliteClient:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._clients:
            self._clients[origin] = PoliteClient(
                origin,
                contact=self._settings.contact,
                delay_s=self._options.delay_s,
                timeout_s=self._options.timeout_s,
                per_hour=self._options.requests_per_hour,
            )
        return self._clients[origin]
