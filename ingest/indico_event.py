"""Reads one Indico event whole: what each eye is shown of it, and what that makes.

An event is read at the levels ``subcontributions`` and ``sessions``, since each lacks
what the other has, by each account and then by the anonymous visitor, back to back:
what is closed in between is closed here too. Sessions that were never scheduled are in
neither, and are found through the talks in them. Does not know which event is due.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.indico_access import Audience, Judge, View
from dunegpt.ingest.indico_objects import Reader
from dunegpt.ingest.indico_site import ANONYMOUS, Eye, Json, Site
from dunegpt.types import Document, Failure

Look = tuple[Json, Json | None]
"""What one eye was shown of an event: at ``subcontributions``, and at ``sessions``."""

_MANAGED = "an account that manages it does not count"
_BY_NETWORK = "marked as protected: who sees it without an account does not count"

MALFORMED = (KeyError, TypeError, AttributeError, ValueError)
"""What reading an answer raises that is not of the form that was seen."""


@dataclass(frozen=True, slots=True)
class Found:
    """One event.

    Attributes:
        documents: With their readers.
        failures: Parts that could not be listed.
        digest: Of what all eyes are shown of it.
        sessions: The session of each talk that is in no block, by the talk's number.
    """

    documents: list[Document]
    failures: list[Failure]
    digest: str
    sessions: dict[str, Any]


class EventReader:
    """Reads the events of one site with some eyes.

    Attributes:
        reach: By whom a file of the event in hand can be fetched that the first eye is
            not shown.
    """

    def __init__(
        self,
        site: Site,
        reader: Reader,
        audiences: Sequence[Audience],
        eyes: Sequence[Eye],
    ) -> None:
        self._site = site
        self._reader = reader
        self._judge = Judge(audiences)
        self._eyes = eyes
        self._setting = repr([(sorted(a.principals), a.eyes) for a in audiences])
        self.reach: dict[str, Eye] = {}

    def looks(
        self, ask: Callable[[str, Eye], list[Json]]
    ) -> dict[str, dict[Eye, Look]]:
        """Return what each eye is shown of some events, by their numbers."""
        shown: dict[str, dict[Eye, Look]] = {}
        for eye in self._eyes:
            events = ask("subcontributions", eye)
            has_sessions = any(e.get("type") != "simple_event" for e in events)
            full = ask("sessions", eye) if has_sessions else []
            sessions = {str(event["id"]): event for event in full}
            for event in events:
                number = str(event["id"])
                shown.setdefault(number, {})[eye] = event, sessions.get(number)
        return shown

    def read(
        self,
        number: str,
        looks: dict[Eye, Look],
        before: dict[str, Any],
        *,
        fresh: bool = False,
    ) -> Found:
        """Return what an event is made of.

        Args:
            number: Of the event.
            looks: What each eye is shown of it.
            before: `Found.sessions` of an earlier reading.
            fresh: Ask for the session of each talk again.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: See `MALFORMED`.
        """
        views = {eye: self._view(eye, *look) for eye, look in looks.items()}
        failures, sessions = self._bare_sessions(
            number, looks, views, before, fresh=fresh
        )
        self._note_reach(views)
        documents = self._judge.merged(views)
        return Found(documents, failures, self.digest(looks), sessions)

    def _view(self, eye: Eye, event: Json, full: Json | None) -> View:
        """Return what one eye was shown of an event.

        Raises:
            ValueError: The levels of detail do not agree on what is shown.
        """
        if full is None and event["type"] != "simple_event":
            raise ValueError("listed at one level of detail, and not at the other")
        blocks, documents = _blocks(full), self._listed(event, full)
        by_right = self._reader.managed(event, blocks), _MANAGED
        if eye == ANONYMOUS:
            by_right = self._reader.marked(event, blocks), _BY_NETWORK
        ids, reason = by_right
        if self._id(event["id"]) in ids:
            ids = {d.id for d in documents}
        ids |= {d.id for d in documents if d.parent in ids}
        return View({d.id: d for d in documents}, dict.fromkeys(ids, reason))

    def _bare_sessions(
        self,
        number: str,
        looks: dict[Eye, Look],
        views: dict[Eye, View],
        before: dict[str, Any],
        *,
        fresh: bool,
    ) -> tuple[list[Failure], dict[str, Any]]:
        """Add the sessions that were never scheduled, which no level of detail lists.

        Only the talks in them lead there. A talk's session is asked for once, and
        again when its title changes or all is read again. A session may be open to
        whom its talks are not.

        Returns:
            What failed, and the session of each such talk, to be kept.
        """
        placed = {
            talk["db_id"]
            for _, full in looks.values()
            for block in _blocks(full)
            for talk in block.get("contributions") or []
        }
        found: dict[str, Any] = {}
        failures: list[Failure] = []
        for eye, (event, _) in looks.items():
            for talk in event.get("contributions") or []:
                if not talk.get("session") or talk["db_id"] in placed:
                    continue
                key = str(talk["db_id"])
                if key in found:
                    continue
                kept = before.get(key)
                try:
                    known = None if fresh else kept
                    found[key] = self._session_of(number, talk, eye, known)
                except SourceFormatError as error:
                    where = f"{self._id(number)}/c{key}"
                    failures.append(failure_of(where, error))
                    # What was known of it holds on: a refusal is no deletion.
                    found |= {key: kept} if kept else {}
        titles = {number: title for _, number, title in found.values()}
        listed = {
            document_id for view in views.values() for document_id in view.documents
        }
        titles.pop(None, "")
        for session, title in sorted(titles.items()):
            if f"{self._id(number)}/sess{session}" not in listed:
                self._add_bare(
                    number,
                    {"id": session, "title": title},
                    {eye: (looks[eye][0], views[eye]) for eye in looks},
                )
        return failures, found

    def _session_of(
        self, number: str, talk: Json, eye: Eye, before: list[Any] | None
    ) -> list[Any]:
        """Return what a talk calls its session, and the session's own id and title."""
        if before and before[0] == talk["session"]:
            return before
        session = self._site.session_of(number, talk["db_id"], eye)
        if session is None:
            return [talk["session"], None, ""]
        return [talk["session"], int(session["id"]), str(session["title"])]

    def _add_bare(
        self, number: str, session: Json, looks: dict[Eye, tuple[Json, View]]
    ) -> None:
        for eye, (event, view) in looks.items():
            shown = self._site.bare_session(number, session["id"], eye)
            if shown:
                document = self._reader.bare_session(event, session, *shown)
                view.documents[document.id] = document
                if reason := view.uncounted.get(self._id(number)):
                    view.uncounted[document.id] = reason

    def _note_reach(self, views: dict[Eye, View]) -> None:
        """Note by whom a file can be fetched that the first eye is not shown."""
        self.reach = {}
        own = {
            file.url
            for document in views.get(self._eyes[0], View()).documents.values()
            for file in document.files
        }
        for eye, view in views.items():
            for document in view.documents.values():
                for file in document.files:
                    if file.url not in own:
                        self.reach.setdefault(file.url, eye)

    def ids(self, looks: dict[Eye, Look]) -> frozenset[str]:
        """Return the ids of all that any eye is shown, bare sessions left out."""
        return frozenset(d.id for look in looks.values() for d in self._listed(*look))

    def digest(self, looks: dict[Eye, Look]) -> str:
        """Return a hash of what all eyes are shown, bare sessions left out.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: See `MALFORMED`.
        """
        digest = hashlib.sha256(self._setting.encode())
        for eye, look in sorted(looks.items(), key=lambda item: item[0].label):
            event, blocks = look[0], _blocks(look[1])
            marks = [self._reader.managed(event, blocks)]
            marks.append(self._reader.marked(event, blocks))
            digest.update(repr((eye.label, *map(sorted, marks))).encode())
            for document in self._listed(*look):
                digest.update(repr(document).encode())
        return digest.hexdigest()

    def _listed(self, event: Json, full: Json | None) -> list[Document]:
        """Return what an answer lists, each document with the access ``nobody``."""
        documents = [*self._reader.event(event, _blocks(full))]
        return [*documents, *(self._reader.sessions(full) if full else ())]

    def _id(self, number: str | int) -> str:
        return self._reader.event_id(number)


def _blocks(full: Json | None) -> list[Json]:
    """Return the session blocks that the level ``sessions`` lists."""
    return (full or {}).get("sessions") or []


def failure_of(where: str, error: Exception) -> Failure:
    """Return the failure of something that could not be listed."""
    return Failure(where, "list", type(error).__name__, str(error))
