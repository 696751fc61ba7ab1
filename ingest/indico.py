"""An Indico site as a source: what to ask its export API, and what to believe.

First form: one account (or none) and the anonymous visitor look at everything, back
to back. An object is `public` if the anonymous visitor was shown it with the same
content; else it is for the principals that the account stands for. Nothing is inferred
from protection flags: contributions have none (seen on Indico 3.3.14).

Lists are cut by date, never paged by offset: Indico filters by access after LIMIT, so
pages come short or empty in the middle. Every request carries ``nc=yes`` (answers are
cached for 600 s) and ``tz=UTC`` (the default is the server's zone).
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dunegpt.config import Settings, SourceTable, explain, read_secret
from dunegpt.errors import (
    ConfigError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)
from dunegpt.ingest.http import Answer, PoliteClient
from dunegpt.ingest.indico_objects import Reader
from dunegpt.types import PUBLIC, Access, Document, Failure, FileRef, access_set

log = logging.getLogger(__name__)

_WINDOW_EVENTS = 250
_SPARSE_EVENTS = 50
_DETAIL_EVENTS = 20
_FIRST_DAY = date(1900, 1, 1)
_FIRST_YEARS = date(1990, 1, 1)
_YEARS_AHEAD = 5
_DOWN_AFTER = 3


_TO_ALL = "shown to an anonymous visitor"
_TO_ACCOUNT = "shown to the account, not to an anonymous visitor"
_DIFFERENTLY = "shown to the account with other content than to an anonymous visitor"


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    url: str = Field(pattern="^https?://")
    categories: list[int] = Field(min_length=1)
    token_env: str = ""
    token_file: Path | None = None
    principals: list[str] = []
    delay_s: float = Field(1.0, ge=0)
    timeout_s: float = Field(60, gt=0)
    max_file_mb: int = Field(200, ge=1)


_View = dict[str, Document]


class IndicoSource:
    """What one account, or nobody in particular, finds below some categories."""

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        file = settings.path(options.token_file) if options.token_file else None
        token = read_secret(options.token_env, file)
        self.name = name
        self._options = options
        self._members: Access = access_set(options.principals)
        self._reader = Reader(name, options.id_prefix or name)
        self._logins = [True, False] if token else [False]
        self._client = PoliteClient(
            options.url,
            token=token,
            contact=settings.contact,
            delay_s=options.delay_s,
            timeout_s=options.timeout_s,
        )
        self._seen: set[str] | None = None
        if token and not self._members:
            log.warning(
                "[sources.%s] has a token but no principals: what is not public is"
                " hidden from everybody.",
                name,
            )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def changes(self, since: datetime | None) -> Iterator[Document | Failure]:
        """Yield every object below the categories, whatever ``since`` is.

        Increments come later: Indico has no time of change for anything but files
        and minutes.

        Raises:
            SourceError: The site is down, the token is refused, a category is closed.
        """
        expected = sum(map(self._category_events, self._options.categories))
        shown = {login: self._events(expected, login=login) for login in self._logins}
        numbers = sorted(set().union(*shown.values()), key=_in_order)
        hidden = expected - len(numbers)
        log.info("%s: %d events, %d more hidden", self.name, len(numbers), hidden)
        if expected and not numbers:
            raise SourceFormatError(
                f"The categories hold {expected} events, and none of them is listed.",
                hint="May this account see any of them? Nothing was removed.",
            )
        seen: set[str] = set()
        failures_in_row = 0
        todo = [
            numbers[i : i + _DETAIL_EVENTS]
            for i in range(0, len(numbers), _DETAIL_EVENTS)
        ]
        while todo:
            batch = todo.pop(0)
            try:
                documents = list(self._documents(batch, shown))
            except (SourceUnreachableError, SourceFormatError) as error:
                if len(batch) > 1:
                    half = len(batch) // 2
                    todo[:0] = [batch[:half], batch[half:]]
                    continue
                failures_in_row += 1
                if failures_in_row >= _DOWN_AFTER:
                    raise
                yield self._failure(batch[0], error)
                continue
            failures_in_row = 0
            for item in documents:
                if isinstance(item, Document):
                    seen.add(item.id)
                yield item
        if numbers and not seen:
            raise SourceFormatError(f"Of {len(numbers)} events none could be read.")
        self._seen = seen

    def ids(self) -> Iterator[str]:
        """Yield the id of every object; free after `changes` has run to its end."""
        if self._seen is None:
            for _ in self.changes(None):
                pass
        yield from sorted(self._seen or ())

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of an attached file."""
        limit = self._options.max_file_mb << 20
        return self._client.stream(file.url, max_bytes=limit)

    # ── lists ─────────────────────────────────────────────────────────────────────

    def _category_events(self, category: int) -> int:
        """Return how many events lie below a category, hidden ones included."""
        found = self._json(f"/category/{category}/info", {}, login=True)
        if found is None:
            raise SourceFormatError(
                f"{self._options.url} has no category {category}.",
                hint=f"Correct categories in [sources.{self.name}].",
            )
        try:
            return int(found["category"]["deep_event_count"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceFormatError(
                f"/category/{category}/info has no count of events."
            ) from error

    def _events(self, expected: int, *, login: bool) -> set[str]:
        """Return the numbers of the events that a reader is shown."""
        if expected <= _WINDOW_EVENTS:
            return self._window(None, None, login=login)
        end = date(datetime.now(UTC).year + _YEARS_AHEAD, 1, 1)
        found = self._window(_FIRST_DAY, _FIRST_YEARS, login=login)
        start, width = _FIRST_YEARS, timedelta(days=365)
        while start < end:
            stop = min(start + width, end)
            try:
                part = self._window(start, stop, login=login)
            except SourceUnreachableError:
                if width <= timedelta(days=1):
                    raise
                width = max(width // 2, timedelta(days=1))
                continue
            found |= part
            start = stop
            if len(part) > _WINDOW_EVENTS:
                width = max(width // 2, timedelta(days=1))
            elif len(part) < _SPARSE_EVENTS:
                width *= 2
        return found | self._window(end, None, login=login)

    def _window(
        self, start: date | None, stop: date | None, *, login: bool
    ) -> set[str]:
        """Return the events that overlap a window, both ends included."""
        path = "-".join(map(str, self._options.categories))
        params = {"detail": "events", "order": "id"}
        params |= {"from": start.isoformat()} if start else {}
        params |= {"to": stop.isoformat()} if stop else {}
        results = self._results(f"/export/categ/{path}.json", params, login=login)
        try:
            return {str(event["id"]) for event in results}
        except (KeyError, TypeError) as error:
            raise SourceFormatError(
                f"/export/categ/{path}.json lists events without an id."
            ) from error

    # ── details ───────────────────────────────────────────────────────────────────

    def _documents(
        self, numbers: list[str], shown: dict[bool, set[str]]
    ) -> Iterator[Document | Failure]:
        """Yield the documents of some events, each with its readers."""
        views: dict[bool, _View] = {}
        failed: set[str] = set()
        for login in self._logins:
            wanted = [number for number in numbers if number in shown[login]]
            views[login] = {}
            for event in self._details(wanted, "subcontributions", login=login):
                try:
                    for document in self._view(event, login=login):
                        views[login][document.id] = document
                except (KeyError, TypeError, AttributeError, ValueError) as error:
                    failed.add(str(event.get("id")))
                    yield self._failure(str(event.get("id")), error)
        public = views[False]
        everything = public | views.get(True, {})
        for number in numbers:
            if self._reader.event_id(number) not in everything and number not in failed:
                message = "listed, but gone when it was asked for"
                yield self._failure(number, SourceFormatError(message))
        for document in everything.values():
            yield self._admit(document, public.get(document.id))

    def _admit(self, document: Document, public: Document | None) -> Document:
        """Return a document with the access that the two views of it prove."""
        if public is None:
            access, evidence = self._members, _TO_ACCOUNT
        elif not _same(document, public):
            access, evidence = self._members, _DIFFERENTLY
        else:
            access, evidence = frozenset({PUBLIC}), _TO_ALL
        open_files = set(public.files) if public and evidence == _TO_ALL else set()
        files = tuple(
            replace(file, access=access, evidence=evidence)
            if file in open_files
            else replace(file, access=self._members, evidence=_TO_ACCOUNT)
            for file in document.files
        )
        return replace(document, access=access, files=files, evidence=evidence)

    def _view(self, event: dict[str, Any], *, login: bool) -> Iterator[Document]:
        """Yield all that a reader is shown of one event."""
        yield from self._reader.event(event)
        talks = [c for c in event.get("contributions") or [] if c.get("session")]
        if not talks and event["type"] != "conference":
            return
        listed: set[str] = set()
        for full in self._details([str(event["id"])], "sessions", login=login):
            for document in self._reader.sessions(full):
                listed.add(document.title)
                yield document
        yield from self._bare_sessions(
            event, [t for t in talks if t["session"] not in listed], login=login
        )

    def _bare_sessions(
        self, event: dict[str, Any], talks: list[dict[str, Any]], *, login: bool
    ) -> Iterator[Document]:
        """Yield the sessions of talks whose session was never scheduled."""
        found: dict[int, dict[str, Any]] = {}
        for talk in talks:
            path = f"/event/{event['id']}/contributions/{talk['db_id']}.json"
            try:
                session = (self._json(path, {}, login=login) or {}).get("session")
            except SourceLoginError as error:
                # This one talk is closed; a refused token would have failed before.
                raise ValueError(f"{path} is closed to this account") from error
            if session:
                found[session["id"]] = session
        for number, session in found.items():
            place = f"{event['id']}/session/{number}.json"
            files = self._json(f"/export/attachments/{place}", {}, login=login) or {}
            note = self._json(f"/export/note/{place}", {}, login=login) or {}
            folders = files.get("results", {}).get("folders", [])
            yield self._reader.bare_session(
                event, session, folders, note.get("results")
            )

    def _details(
        self, numbers: list[str], level: str, *, login: bool
    ) -> list[dict[str, Any]]:
        if not numbers:
            return []
        path = f"/export/event/{'-'.join(numbers)}.json"
        return self._results(path, {"detail": level}, login=login)

    def _failure(self, number: str, error: Exception) -> Failure:
        """Return a failure of the list: nothing is removed in this run."""
        name = type(error).__name__
        return Failure(self._reader.event_id(number), "list", name, str(error))

    # ── answers ───────────────────────────────────────────────────────────────────

    def _results(
        self, path: str, params: dict[str, str], *, login: bool
    ) -> list[dict[str, Any]]:
        """Return the list of results of an export.

        Raises:
            SourceFormatError: There is no such list in the answer.
        """
        answer = self._json(path, params, login=login)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list):
            raise SourceFormatError(f"{path} gave no list of results.")
        return results

    def _json(self, path: str, params: dict[str, str], *, login: bool) -> Any:
        """Return the JSON of an answer, or None if this reader has no such object.

        Raises:
            SourceLoginError: A login page came, or the token is refused.
            SourceFormatError: Something else than JSON came.
        """
        login = login and True in self._logins
        params = {**params, "nc": "yes", "tz": "UTC"}
        if login and path.startswith("/export/"):
            params["onlyauthed"] = "yes"
        answer = self._client.get(path, params, login=login)
        if not answer.is_html and _no_such_object(path, answer):
            return None
        self._check_login(path, answer, login=login)
        try:
            if answer.status != 200 or answer.is_html:
                raise ValueError("not JSON")
            return json.loads(answer.body)
        except ValueError as error:
            start = answer.body[:60].decode(errors="replace").strip()
            raise SourceFormatError(
                f"{path} answered {answer.status} with {start!r} where JSON was due."
            ) from error

    def _check_login(self, path: str, answer: Answer, *, login: bool) -> None:
        """Stop at an answer that says that this reader is not let in.

        What the statuses mean was seen on Indico 3.3.14: 400 on ``/export`` for a
        token that is wrong or lacks ``read:legacy_api``, 401 elsewhere for a wrong
        one, 403 for one that lacks ``read:everything``, 302 for no token at all.

        Raises:
            SourceLoginError: With the reason.
        """
        text = answer.body.decode(errors="replace")
        scope = "insufficient_scope" in text
        reasons = {
            301: "it leads to another address",
            302: "it leads to a login page" if not login else "the account may not",
            400: "the token lacks the scope read:legacy_api" if scope else "",
            401: "the token is wrong, expired or revoked",
            403: "the token lacks the scope read:everything" if scope else "no access",
        }
        if answer.status == 400 and not scope and "OAuth error" in text:
            reasons[400] = "the token is wrong, expired or revoked"
        reason = reasons.get(answer.status)
        if reason:
            site = self._options.url
            raise SourceLoginError(
                f"{site} refused {path} ({answer.status}): {reason}."
            )


def _in_order(number: str) -> tuple[int, str]:
    """Return a key that sorts ids by number; ids of old imports have letters."""
    return (int(number), "") if number.isdecimal() else (0, number)


def _no_such_object(path: str, answer: Answer) -> bool:
    """Return whether the object is missing, or closed to just this reader."""
    of_object = path.startswith(("/export/attachments/", "/export/note/"))
    closed = of_object and b"insufficient_scope" not in answer.body
    return answer.status == 404 or (answer.status == 403 and closed)


def _same(one: Document, other: Document) -> bool:
    """Return whether two readers were shown the same, files left out."""
    about = [d.files[0].body for d in (one, other)]
    return about[0] == about[1] and replace(one, files=()) == replace(other, files=())
