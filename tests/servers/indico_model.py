"""An Indico in memory: what exists, who may see it, and what its API answers.

For tests that need thousands of changes or objects; the answers follow what was seen
on Indico 3.3.14, with its quirks: limits before access, 200 and nothing for what is
closed, 403 against 404 in attachments, two levels of detail that each lack something.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tests.servers.faults import Reply, Request

JSON = {"Content-Type": "application/json"}
EVERYBODY = None
Readers = frozenset[str] | None
"""Names of accounts; None: everybody."""


@dataclass
class File:
    """An attached file, or the minutes of an object."""

    number: int
    text: str
    readers: Readers = EVERYBODY


@dataclass
class Talk:
    """A contribution; one with a session is in no block of it."""

    number: int
    title: str
    readers: Readers = EVERYBODY
    files: list[File] = field(default_factory=list)
    parts: dict[int, str] = field(default_factory=dict)
    session: int | None = None


@dataclass
class Session:
    """A session; without a block only its talks lead to it."""

    number: int
    title: str
    readers: Readers = EVERYBODY
    has_block: bool = True


@dataclass
class Event:
    """An event; ``inside`` tells whether it lies below the crawled category."""

    number: int
    title: str
    day: str
    readers: Readers = EVERYBODY
    inside: bool = True
    published: bool = True
    minutes: str = ""
    talks: dict[int, Talk] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)


def may(who: str, *readers: Readers) -> bool:
    """Return whether an account (empty: nobody in particular) passes all the lists."""
    return all(names is EVERYBODY or who in names for names in readers)


class IndicoModel:
    """The site; `answer` is the door for a `FaultServer`."""

    def __init__(self, accounts: Iterable[str] = ()) -> None:
        self.events: dict[int, Event] = {}
        self.deleted: set[int] = set()
        self.accounts = set(accounts)
        self.last = 0
        self.url = "http://127.0.0.1"

    def next(self) -> int:
        """Return a number that nothing has had."""
        self.last += 1
        return self.last

    def add(self, title: str, day: str, **more: Any) -> Event:
        """Return a new event."""
        event = Event(self.next(), title, day, **more)
        self.events[event.number] = event
        return event

    def delete(self, number: int) -> None:
        """Delete an event."""
        self.deleted.add(number)
        del self.events[number]

    def visible(self, who: str) -> dict[str, str]:
        """Return the truth: ids of all that an account may see, with their titles."""
        found: dict[str, str] = {}
        for event in self.events.values():
            if not event.inside or not may(who, event.readers):
                continue
            found[str(event.number)] = event.title
            for talk in self._talks(event, who):
                found[f"{event.number}/c{talk.number}"] = talk.title
                for part, title in talk.parts.items():
                    found[f"{event.number}/c{talk.number}/s{part}"] = title
                for file in talk.files:
                    if may(who, file.readers):
                        found[f"{event.number}/c{talk.number}#a{file.number}"] = (
                            file.text
                        )
            for session in event.sessions.values():
                leads = self._leads_to(event, session.number)
                shown = event.published and may(who, session.readers)
                if shown and (session.has_block or leads):
                    found[f"{event.number}/sess{session.number}"] = session.title
        return found

    def _leads_to(self, event: Event, session: int) -> bool:
        """Return whether anybody is shown a talk that leads to a session."""
        return any(
            talk.session == session
            for who in ("", *self.accounts)
            if may(who, event.readers)
            for talk in self._talks(event, who)
        )

    # ── the API ───────────────────────────────────────────────────────────────────

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.accounts:
            return Reply(401, b'{"error": "invalid_token"}', JSON)
        path = PurePosixPath(request.path)
        parts = path.with_suffix("").parts[1:]
        match parts:
            case ["category", _, "info"]:
                count = sum(event.inside for event in self.events.values())
                about = {"deep_event_count": count, "can_manage": False}
                return _json({"category": about, "subcategories": []})
            case ["export", "categ", _]:
                return self._listed(request.query, token)
            case ["export", "event", numbers]:
                events = [self.events.get(int(n)) for n in numbers.split("-")]
                return self._results([e for e in events if e], request.query, token)
            case ["export", ("attachments" | "note") as kind, number, *rest]:
                return self._inner(kind, int(number), rest, token)
            case ["event", number, "contributions", talk]:
                return self._talk_page(int(number), int(talk), token)
            case ["file", number, _]:
                return self._file(int(number), token)
        return Reply(404, b"<h1>Not found</h1>", {"Content-Type": "text/html"})

    def _listed(self, query: dict[str, str], who: str) -> Reply:
        first, last = query.get("from", "0"), query.get("to", "9999")
        order = sorted(self.events.values(), key=lambda e: e.number)
        if query.get("descending") == "yes":
            order.reverse()
        inside = [e for e in order if e.inside and first <= e.day <= last]
        limit = int(query.get("limit", len(inside)))
        return self._results(inside[:limit], query, who)

    def _results(self, events: list[Event], query: dict[str, str], who: str) -> Reply:
        level = query.get("detail", "events")
        shown = [self._event(e, level, who) for e in events if may(who, e.readers)]
        return _json({"results": shown})

    def _talks(self, event: Event, who: str) -> list[Talk]:
        own = event.talks.values() if event.published else ()
        return [talk for talk in own if may(who, talk.readers)]

    def _event(self, event: Event, level: str, who: str) -> dict[str, Any]:
        url = f"{self.url}/event/{event.number}/"
        note = {"html": f"<p>{event.minutes}</p>", "url": f"{url}note/"}
        answer: dict[str, Any] = {
            "id": str(event.number),
            "type": "conference",
            "title": event.title,
            "url": url,
            "startDate": _moment(event.day),
            "note": note if event.minutes else {},
            "folders": [],
        }
        if level in {"contributions", "subcontributions"}:
            answer["contributions"] = [
                self._talk(event, talk, who, parts=level == "subcontributions")
                for talk in self._talks(event, who)
            ]
        if level == "sessions":
            answer["sessions"] = [
                self._block(event, session)
                for session in event.sessions.values()
                if session.has_block and event.published and may(who, session.readers)
            ]
        return answer

    def _talk(
        self, event: Event, talk: Talk, who: str, *, parts: bool
    ) -> dict[str, Any]:
        url = f"{self.url}/event/{event.number}/contributions/{talk.number}/"
        session = event.sessions.get(talk.session or 0)
        answer: dict[str, Any] = {
            "db_id": talk.number,
            "title": talk.title,
            "url": url,
            "startDate": _moment(event.day),
            "session": session.title if session else None,
            "folders": [{"attachments": self._files(talk, who)}],
        }
        if parts:
            answer["subContributions"] = [
                {"db_id": number, "title": title}
                for number, title in talk.parts.items()
            ]
        return answer

    def _files(self, talk: Talk, who: str) -> list[dict[str, Any]]:
        return [
            {
                "id": file.number,
                "type": "file",
                "filename": f"{file.number}.txt",
                "content_type": "text/plain",
                "size": len(file.text.encode()),
                "checksum": hashlib.md5(file.text.encode()).hexdigest(),
                "download_url": f"{self.url}/file/{file.number}/{file.number}.txt",
            }
            for file in talk.files
            if may(who, file.readers)
        ]

    def _block(self, event: Event, session: Session) -> dict[str, Any]:
        url = f"{self.url}/event/{event.number}/sessions/{session.number}/"
        own = {"title": session.title, "url": url, "folders": []}
        moment = _moment(event.day)
        more = {"title": session.title, "note": {}, "contributions": []}
        return {"url": url, "session": own, "startDate": moment, **more}

    def _inner(self, kind: str, number: int, rest: list[str], who: str) -> Reply:
        """Answer what is asked of an event's or a session's attachments or minutes."""
        event = self.events.get(number)
        if event is None:
            return _json({"message": "No such event"}, 404)
        readers = [event.readers]
        if rest:
            session = event.sessions.get(int(rest[1]))
            if session is None:
                return _json({"message": "No such session"}, 404)
            readers.append(session.readers)
        if not may(who, *readers):
            return _json({"message": "Access to this resource is restricted."}, 403)
        if kind == "note":
            return _json({"message": "No such note"}, 404)
        return _json({"results": {"folders": []}})

    def _talk_page(self, number: int, talk_number: int, who: str) -> Reply:
        event = self.events.get(number)
        talk = event.talks.get(talk_number) if event else None
        if event is None or talk is None:
            return Reply(404, b"{}", JSON)
        if not may(who, event.readers, talk.readers):
            return Reply(302, b"", {"Location": "/login/"})
        session = event.sessions.get(talk.session or 0)
        about = {"id": session.number, "title": session.title} if session else None
        return _json({"title": talk.title, "session": about})

    def _file(self, number: int, who: str) -> Reply:
        for event in self.events.values():
            for talk in event.talks.values():
                for file in talk.files:
                    if file.number == number:
                        if may(who, event.readers, talk.readers, file.readers):
                            return Reply(200, file.text.encode())
                        return Reply(302, b"", {"Location": "/login/"})
        return Reply(404, b"gone")


def _moment(day: str) -> dict[str, str]:
    return {"date": day, "time": "10:00:00", "tz": "UTC"}


def _json(content: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode(), JSON)
