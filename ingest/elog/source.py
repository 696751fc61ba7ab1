"""The electronic logbook source: its settings, exports and table of runs.

Entries come from the address of a log (ECL's XML interface), from an address that
returns all of them, or from exported files; beam runs from a separate table. The
settings say who may read them. `elog.sync` decides which days are read, `elog.entries`
and `elog.run_table` parse the answers.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import Field, model_validator

from dunegpt.access import make_access_set
from dunegpt.config import Settings, SourceSettings, read_secret
from dunegpt.errors import FetchError, SourceFormatError
from dunegpt.ingest.elog.client import ElogClient, Login, check_response
from dunegpt.ingest.elog.documents import DocumentBuilder
from dunegpt.ingest.elog.entries import Entry, EntryList, parse_export
from dunegpt.ingest.elog.run_table import (
    COLUMNS,
    RunTable,
    build_month_documents,
    parse_run_table,
)
from dunegpt.ingest.elog.sync import ElogSync, SyncRules
from dunegpt.ingest.items import Alarm, CompleteListing, CrawlScope, Item, SourceState
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.ingest.options import HttpOptions, parse_options
from dunegpt.ingest.sync import HttpClients
from dunegpt.types import Failure, FileRef

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_MAX_EXAMPLES = 3


class _Options(HttpOptions):
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
    runs_columns: dict[str, str] = Field({})

    @model_validator(mode="after")
    def _check_combinations(self) -> "_Options":
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

    def __init__(self, name: str, table: SourceSettings, settings: Settings) -> None:
        options = parse_options(_Options, name, table)
        self.name = name
        self._options = options
        self._settings = settings
        self._root = settings.resolve_path(options.path) if options.path else None
        base = options.url.rstrip("/")
        if self._root:
            folder = self._root if self._root.is_dir() else self._root.parent
            base = folder.as_uri()
        own = f"{base}/E/show?e={{id}}" if options.url else base
        self._builder = DocumentBuilder(
            source=name,
            prefix=options.id_prefix or name,
            access=make_access_set(options.access),
            entry_url=options.entry_url or own,
            base=base,
            evidence=f"access of [sources.{name}]",
        )
        self._clients = HttpClients(options, settings)
        self._elog_client = self._open_client(options) if options.url else None

    @property
    def requests(self) -> int:
        """Number of requests made so far."""
        return self._clients.requests

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield the entries that the scope asks for, the runs, and what is gone.

        Raises:
            SourceError: The log is down, asks for a login, or a list is not whole.
        """
        return self._clients.track(self._iter_items(scope, memory), memory)

    def _iter_items(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        options = self._options
        yield from self._update_access(memory)
        if self._elog_client and not options.whole:
            rules = SyncRules(options.first_day, options.recent_days)
            sync = ElogSync(self._elog_client, self._builder, scope, memory, rules)
            yield from sync.sync()
        else:
            yield from self._sync_export(memory)
        if options.runs_url or options.runs_file:
            yield from self._sync_runs(scope, memory)

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of an attachment.

        Raises:
            FetchError: It is too large, elsewhere, or cannot be had.
            SourceError: A challenge page came.
        """
        limit = self._options.max_file_bytes
        if urlsplit(file.url).scheme == "file":
            return self._read_local_file(file, limit)
        if self._elog_client is None:
            raise FetchError(f"{file.name} is not among the exported files.")
        return self._elog_client.fetch_file(file.url, limit)

    def _update_access(self, memory: SourceState) -> Iterator[Item]:
        """Yield all that is known if the settings name other readers than before.

        Old entries are read again only in turn: without this they would stay open.
        """
        readers = sorted(self._builder.access)
        if memory.get("readers") != readers:
            for name in sorted(memory.top_documents()):
                if stored := memory.get_document(name):
                    yield self._builder.with_access(stored)
        memory.put("readers", readers)

    # ── exports ───────────────────────────────────────────────────────────────────

    def _sync_export(self, memory: SourceState) -> Iterator[Item]:
        """Yield all entries of an export, and that there are no others."""
        listed = (
            self._elog_client.fetch_export()
            if self._elog_client
            else self._read_files()
        )
        known = [n for n in memory.top_documents() if not self._is_run_table(n)]
        if known and not (listed.entries or listed.problems):
            raise SourceFormatError(
                f"The export has no entries; {len(known)} are known.",
                hint="If all were deleted, remove the source; nothing was removed.",
            )
        ids = set()
        for entry in listed.entries:
            document = self._builder.build_document(
                entry, self._builder.build_attachments(entry)
            )
            ids.add(document.id)
            yield document
            if entry.attachment_count > len(entry.attachments):
                where = f"{document.id}#attachments"
                count = f"{len(entry.attachments)} of {entry.attachment_count}"
                why = f"{count} attachments are in the export."
                yield Failure(where, "fetch", FetchError.__name__, why)
        for name, why in listed.problems:
            failed = self._builder.entry_id(name)
            yield Failure(failed, "list", SourceFormatError.__name__, why)
        keeps_all = any(not name.isdigit() for name, _ in listed.problems)
        kept = set(memory.top_documents()) if keeps_all else set()
        runs = {n for n in memory.top_documents() if self._is_run_table(n)}
        yield CompleteListing("", frozenset(ids | kept | runs), "gone from the export")

    def _read_files(self) -> EntryList:
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
                found = parse_export(path.read_bytes(), path.name)
            except OSError as error:
                raise SourceFormatError(
                    f"{path} cannot be read: {error.strerror}."
                ) from error
            by_number |= {entry.number: entry for entry in found.entries}
            problems += found.problems
        return EntryList([by_number[n] for n in sorted(by_number)], problems)

    def _read_local_file(self, file: FileRef, limit: int) -> Iterator[bytes]:
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

    def _is_run_table(self, document_id: str) -> bool:
        return document_id.startswith(f"{self._builder.prefix}:runs-")

    def _sync_runs(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield the runs by months, and the months that are gone.

        Raises:
            SourceError: The table cannot be had, or is none.
        """
        table = parse_run_table(self._read_run_table(), self._options.runs_columns)
        known = memory.get("runs") or 0
        if is_mass_loss(known - len(table.runs), known) and not scope.full:
            yield Alarm(
                f"The table of runs has {len(table.runs)} runs; {known} are known."
                " The table was not updated.",
                "If they were really deleted, run the crawl with --full.",
            )
            return
        maker = self._builder
        documents = build_month_documents(
            table.runs,
            source=self.name,
            prefix=maker.prefix,
            access=maker.access,
            url=self._options.runs_url or self._run_table_path().as_uri(),
            evidence=maker.evidence,
        )
        yield from documents
        yield from self._report_row_problems(table)
        for name in sorted(memory.top_documents()):
            if self._is_run_table(name) and name not in {d.id for d in documents}:
                yield CompleteListing(name, frozenset(), "gone from the table of runs")
        memory.put("runs", len(table.runs))

    def _report_row_problems(self, table: RunTable) -> Iterator[Item]:
        """Yield what is wrong with rows, as one failure; none if nothing is."""
        place = self._builder.entry_id("runs")
        if table.problems:
            told = [f"line {n}: {why}" for n, why in table.problems[:_MAX_EXAMPLES]]
            why = f"{len(table.problems)} rows cannot be read; {' '.join(told)}"
            yield Failure(place, "list", SourceFormatError.__name__, why)
        if table.duplicates:
            numbers = ", ".join(map(str, sorted(set(table.duplicates))[:10]))
            yield Alarm(f"Runs with differing rows: {numbers}.", is_critical=False)
        yield CompleteListing(place, frozenset())

    def _run_table_path(self) -> Path:
        assert self._options.runs_file is not None
        return self._settings.resolve_path(self._options.runs_file)

    def _read_run_table(self) -> bytes:
        options = self._options
        if not options.runs_url:
            try:
                return self._run_table_path().read_bytes()
            except OSError as error:
                raise SourceFormatError(
                    f"The table of runs cannot be read: {error.strerror}.",
                    hint=f"Check runs_file in [sources.{self.name}].",
                ) from error
        parts = urlsplit(options.runs_url)
        client = self._clients.get(options.runs_url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        own = self._elog_client and self._elog_client.http_client is client
        login = self._build_login() if own else Login()
        answer = client.get(
            path, token=login.token, headers=login.sign_request(parts.query)
        )
        return check_response(answer, "The table of runs").body

    # ── the log's address ─────────────────────────────────────────────────────────

    def _open_client(self, options: _Options) -> ElogClient:
        client = self._clients.get(options.url)
        path = urlsplit(options.url).path.rstrip("/")
        query = urlsplit(options.url).query
        if options.whole:
            path = f"{urlsplit(options.url).path}?{query}" if query else path
        return ElogClient(client, path, self._build_login(), limit=options.list_limit)

    def _build_login(self) -> Login:
        options = self._options
        files = [
            file and self._settings.resolve_path(file)
            for file in (options.password_file, options.token_file)
        ]
        password = read_secret(options.password_env, files[0])
        token = read_secret(options.token_env, files[1])
        return Login(options.user, password, token)
