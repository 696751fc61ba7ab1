"""Finds the sessions of an Indico event that were never scheduled.

No level of detail lists them. Their ids are those of the talks in them, and the choices
of a filter on the page of talks, which names all sessions of an event to whoever may
open it; each session is then asked for by each account. A session may be open to whom
its talks are not, and the other way round.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dunegpt.errors import SourceError, SourceFormatError
from dunegpt.ingest.indico.access import AccountView
from dunegpt.ingest.indico.client import Account, IndicoClient, Json
from dunegpt.ingest.indico.documents import RecordParser
from dunegpt.types import Failure

_ALL = "*"
"""Key, besides the talks' numbers, of the day, the titles that the filter gave by id,
and how many sessions were in no block."""

EventListing = tuple[Json, Json | None]


def has_bare_sessions(kept: Mapping[str, Any]) -> bool:
    """Return whether an event was found to have such sessions."""
    total = kept.get(_ALL) or [None, None, 0]
    talks = (known for key, known in kept.items() if key != _ALL)
    return bool(total[2]) or any(session for _, session, _ in talks)


class BareSessions:
    """Adds such sessions to what each account is shown of an event.

    Attributes:
        problems: The first error of what could not be had, by what it is.
    """

    def __init__(self, client: IndicoClient, parser: RecordParser) -> None:
        self._client, self._parser = client, parser
        self.problems: dict[str, SourceError] = {}

    def add(
        self,
        number: str,
        looks: Mapping[Account, EventListing],
        views: dict[Account, AccountView],
        before: Mapping[str, Any],
        *,
        fresh: bool,
    ) -> tuple[list[Failure], dict[str, Any]]:
        """Add the sessions of an event that are in no block.

        A talk's session is asked for once, and again when its title changes or all is
        read again; the filter of a conference, and of another event that has
        sessions, once a day.

        Returns:
            What failed, and what is to be kept for the next reading.
        """
        found: dict[str, Any] = {}
        failures: list[Failure] = []
        for eye, talk in _talks_in_no_block(looks):
            key = str(talk["db_id"])
            if key in found:
                continue
            kept = before.get(key)
            try:
                found[key] = self._find(number, talk, eye, None if fresh else kept)
            except SourceFormatError as error:
                where = f"{self._parser.event_id(number)}/c{key}"
                failures.append(
                    Failure(where, "list", type(error).__name__, str(error))
                )
                # What was known of it holds on: a refusal is no deletion.
                found |= {key: kept} if kept else {}
        titles = {int(s): title for _, s, title in found.values() if s is not None}
        if _may_have_sessions(looks):
            day, names = self._list_all(number, looks, before, fresh=fresh)
            titles |= {int(session): title for session, title in names.items()}
        listed = {name for view in views.values() for name in view.documents}
        top = self._parser.event_id(number)
        bare = {s: t for s, t in titles.items() if f"{top}/sess{s}" not in listed}
        for session, title in sorted(bare.items()):
            self._add_one(number, {"id": session, "title": title}, looks, views)
        if _may_have_sessions(looks):
            found[_ALL] = [day, names, len(bare)]
        return failures, found

    def _find(
        self, number: str, talk: Json, eye: Account, before: list[Any] | None
    ) -> list[Any]:
        """Return what a talk calls its session, and the session's own id and title."""
        if before and before[0] == talk["session"]:
            return before
        session = self._client.fetch_session(number, talk["db_id"], eye)
        if session is None:
            return [talk["session"], None, ""]
        return [talk["session"], int(session["id"]), str(session["title"])]

    def _list_all(
        self,
        number: str,
        looks: Mapping[Account, EventListing],
        before: Mapping[str, Any],
        *,
        fresh: bool,
    ) -> list[Any]:
        """Return the day, and the titles of all sessions of an event by id."""
        today = datetime.now(UTC).date().isoformat()
        kept = before.get(_ALL)
        # Without any talk the programme may be withdrawn, and with it its sessions.
        has_programme = any(
            event.get("contributions") or (full or {}).get("sessions")
            for event, full in looks.values()
        )
        if kept and kept[0] == today and has_programme and not fresh:
            return [today, kept[1]]
        try:
            names = self._client.fetch_session_names(number, next(iter(looks)))
        except SourceError as error:
            self.problems.setdefault("Sessions without a time", error)
            return kept[:2] if kept else ["", {}]
        return [today, {str(session): title for session, title in names.items()}]

    def _add_one(
        self,
        number: str,
        session: Json,
        looks: Mapping[Account, EventListing],
        views: dict[Account, AccountView],
    ) -> None:
        for eye, (event, _) in looks.items():
            shown = self._client.fetch_session_files(number, session["id"], eye)
            if shown is None:
                continue
            view = views[eye]
            document = self._parser.build_unscheduled_session(event, session, *shown)
            view.documents[document.id] = document
            view.protected_files |= self._parser.protected_session_files(
                event, session, shown[0]
            )
            if reason := view.excluded.get(self._parser.event_id(number)):
                view.excluded[document.id] = reason


def _talks_in_no_block(
    looks: Mapping[Account, EventListing],
) -> Iterator[tuple[Account, Json]]:
    """Yield the talks that are in a session and in none of its blocks."""
    placed = {
        talk["db_id"]
        for _, full in looks.values()
        for block in (full or {}).get("sessions") or []
        for talk in block.get("contributions") or []
    }
    for eye, (event, _) in looks.items():
        for talk in event.get("contributions") or []:
            if talk.get("session") and talk["db_id"] not in placed:
                yield eye, talk


def _may_have_sessions(looks: Mapping[Account, EventListing]) -> bool:
    """Return whether an event is a conference, or is seen to have sessions."""
    return any(
        event["type"] == "conference"
        or (full or {}).get("sessions")
        or any(talk.get("session") for talk in event.get("contributions") or [])
        for event, full in looks.values()
    )
