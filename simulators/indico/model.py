"""A simulated Indico: its objects, their readers and the responses of its API.

For tests with thousands of changes or objects. Responses follow Indico 3.3.14 with its
quirks: limits apply before access, closed objects give an empty 200, attachments give
403 or 404, and each of the two levels of detail lacks something.
"""

import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from simulators.http_server import Reply, Request

JSON = {"Content-Type": "application/json"}
_LOGIN = Reply(302, b"", {"Location": "/login/"})
EVERYBODY = None
Readers = frozenset[str] | None
"""Names of accounts; None means everybody."""


@dataclass
class File:
    """An attached file, or the minutes of an object."""

    number: int
    text: str
    readers: Readers = EVERYBODY
    title: str = ""
    description: str = ""
    folder: dict[str, str] = field(default_factory=dict)


@dataclass
class Talk:
    """A contribution; if it has a session, it is in none of its blocks."""

    number: int
    title: str
    readers: Readers = EVERYBODY
    files: list[File] = field(default_factory=list)
    parts: dict[int, str] = field(default_factory=dict)
    session: int | None = None


@dataclass
class Session:
    """A session; without a block, only a filter and its talks lead to it."""

    number: int
    title: str
    readers: Readers = EVERYBODY
    has_block: bool = True


@dataclass
class Event:
    """An event; ``inside`` is True if it is below a crawled category.

    Attributes:
        network: Whether an access list lets the crawler's network in, too.
        details: Further fields of the answers: ``timezone``, ``label``, ``chairs``.
        breaks: The breaks of its timetable, as answered.
    """

    number: int
    title: str
    day: str
    readers: Readers = EVERYBODY
    inside: bool = True
    published: bool = True
    minutes: str = ""
    category: int = 7
    network: bool = False
    time: str = "10:00:00"
    details: dict[str, Any] = field(default_factory=dict)
    breaks: list[dict[str, Any]] = field(default_factory=list)
    talks: dict[int, Talk] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)


def may(who: str, *readers: Readers) -> bool:
    """Return whether an account ("" for anonymous) is in all reader lists."""
    return all(names is EVERYBODY or who in names for names in readers)


class IndicoModel:
    """The site; pass `answer` to a `FaultServer`.

    Attributes:
        closed: Accounts ("" for anonymous) to which each category is closed.
        opens_files: Whether the crawler's network has full access to attachments.
    """

    def __init__(self, accounts: Iterable[str] = ()) -> None:
        self.events: dict[int, Event] = {}
        self.deleted: set[int] = set()
        self.accounts = set(accounts)
        self.last = 0
        self.closed: dict[int, set[str]] = {}
        self.opens_files = False
        self.url = "http://127.0.0.1"

    def next(self) -> int:
        """Return an unused number."""
        self.last += 1
        return self.last

    def add(self, title: str, day: str, **more: Any) -> Event:
        """Add an event; return it."""
        event = Event(self.next(), title, day, **more)
        self.events[event.number] = event
        return event

    def delete(self, number: int) -> None:
        """Delete an event."""
        self.deleted.add(number)
        del self.events[number]

    def visible(self, who: str) -> dict[str, str]:
        """Return the titles of everything an account may see, by id."""
        titles: dict[str, str] = {}
        for event in self.events.values():
            if not event.inside or not self._may_open(event, who):
                continue
            titles[str(event.number)] = event.title
            for talk in self._talks(event, who):
                titles[f"{event.number}/c{talk.number}"] = talk.title
                for part, title in talk.parts.items():
                    titles[f"{event.number}/c{talk.number}/s{part}"] = title
                for file in talk.files:
                    if may(who, file.readers):
                        titles[f"{event.number}/c{talk.number}#a{file.number}"] = (
                            file.text
                        )
            for session in event.sessions.values():
                # The filter of a conference's talks names all its sessions.
                if event.published and may(who, session.readers):
                    titles[f"{event.number}/sess{session.number}"] = session.title
        return titles

    def _may_open(self, event: Event, who: str) -> bool:
        is_closed = who in self.closed.get(event.category, ())
        return event.network or (not is_closed and may(who, event.readers))

    def _may_read(self, file: File, who: str) -> bool:
        return self.opens_files or may(who, file.readers)

    # ── the API ───────────────────────────────────────────────────────────────────

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.accounts:
            return Reply(401, b'{"error": "invalid_token"}', JSON)
        parts = PurePosixPath(request.path).with_suffix("").parts[1:]
        if parts[:1] == ("export",):
            reply = self._export(parts[1:], request.query, token)
        else:
            reply = self._page(parts, token)
        missing = Reply(404, b"<h1>Not found</h1>", {"Content-Type": "text/html"})
        return reply or missing

    def _export(
        self, parts: tuple[str, ...], query: dict[str, str], who: str
    ) -> Reply | None:
        match parts:
            case ["categ", numbers]:
                return self._listed({*map(int, numbers.split("-"))}, query, who)
            case ["timetable", numbers]:
                return self._timetables(numbers.split("-"))
            case ["event", numbers]:
                events = [self.events.get(int(n)) for n in numbers.split("-")]
                return self._results([e for e in events if e], query, who)
            case ["attachments" | "note" as kind, number, *rest]:
                return self._inner(kind, int(number), rest, who)
        return None

    def _page(self, parts: tuple[str, ...], who: str) -> Reply | None:
        match parts:
            case ["category", number, "info"]:
                return self._category(int(number), who)
            case ["event", number, "contributions", "customize"]:
                return self._session_filter(int(number), who)
            case ["event", number, "contributions", talk]:
                return self._talk_page(int(number), int(talk), who)
            case ["file", number, _]:
                return self._file(int(number), who)
        return None

    def _category(self, number: int, who: str) -> Reply:
        if who in self.closed.get(number, ()):
            page = {"Content-Type": "text/html"}
            return Reply(403, b"<h1>Access denied</h1>", page) if who else _LOGIN
        inside = [e for e in self.events.values() if e.inside and e.category == number]
        about = {"deep_event_count": len(inside), "can_manage": False}
        return _json({"category": about, "subcategories": []})

    def _timetables(self, numbers: list[str]) -> Reply:
        """Return the breaks; the real one has all that is scheduled."""
        found = {}
        for number in numbers:
            event = self.events.get(int(number))
            entries: dict[str, Any] = {}
            for count, pause in enumerate(event.breaks if event else ()):
                entry = {"entryType": "Break", "sessionSlotId": None, **pause}
                slot = f"s{entry['sessionSlotId']}"
                if entry["sessionSlotId"] is None:
                    entries[f"b{count}"] = entry
                else:
                    block = {"entryType": "Session", "entries": {}}
                    entries.setdefault(slot, block)["entries"][f"b{count}"] = entry
            if event and event.published:
                found[number] = {event.day.replace("-", ""): entries}
        return _json({"results": found})

    def _session_filter(self, number: int, who: str) -> Reply:
        event = self.events.get(number)
        if event is None or not event.published:
            return Reply(404, b"<h1>Not found</h1>", {"Content-Type": "text/html"})
        if not self._may_open(event, who):
            return _LOGIN
        boxes = "".join(
            f'<li><input type="checkbox" name="field_session" value="{s.number}">'
            f"<label>{html.escape(s.title)}</label></li>"
            for s in event.sessions.values()
        )
        return _json({"html": f"<form>{boxes}</form>", "js": ""})

    def _listed(self, roots: set[int], query: dict[str, str], who: str) -> Reply:
        first, last = query.get("from", "0"), query.get("to", "9999")
        order = sorted(self.events.values(), key=lambda e: e.number)
        if query.get("descending") == "yes":
            order.reverse()
        mine = [e for e in order if e.inside and e.category in roots]
        inside = [e for e in mine if first <= e.day <= last]
        limit = int(query.get("limit", len(inside)))
        return self._results(inside[:limit], query, who)

    def _results(self, events: list[Event], query: dict[str, str], who: str) -> Reply:
        level = query.get("detail", "events")
        shown = [self._event(e, level, who) for e in events if self._may_open(e, who)]
        return _json({"results": shown})

    def _talks(self, event: Event, who: str) -> list[Talk]:
        talks = event.talks.values() if event.published else ()
        return [talk for talk in talks if may(who, talk.readers)]

    def _event(self, event: Event, level: str, who: str) -> dict[str, Any]:
        url = f"{self.url}/event/{event.number}/"
        note = {"html": f"<p>{event.minutes}</p>", "url": f"{url}note/"}
        answer: dict[str, Any] = {
            "id": str(event.number),
            "type": "conference",
            "title": event.title,
            "url": url,
            "startDate": _moment(event.day, event.time),
            "note": note if event.minutes else {},
            "folders": [],
            "hasAnyProtection": event.readers is not EVERYBODY,
            **event.details,
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
            "startDate": _moment(event.day, event.time),
            "session": session.title if session else None,
            "folders": self._folders(event, talk, who),
        }
        if parts:
            answer["subContributions"] = [
                {"db_id": number, "title": title}
                for number, title in talk.parts.items()
            ]
        return answer

    def _folders(self, event: Event, talk: Talk, who: str) -> list[dict[str, Any]]:
        """Return the files by folder; one that is not protected carries no mark."""
        files = {each.number: each for each in talk.files}
        mark = event.readers is not EVERYBODY or talk.readers is not EVERYBODY
        folders: dict[str, dict[str, Any]] = {}
        for answer in self._files(talk, who):
            own = files[answer["id"]].folder
            folder = folders.setdefault(repr(own), {**own, "attachments": []})
            folder["attachments"].append(answer)
        marks = {"is_protected": True} if mark else {}
        return [folder | marks for folder in folders.values()]

    def _files(self, talk: Talk, who: str) -> list[dict[str, Any]]:
        return [
            {
                "id": file.number,
                "type": "file",
                "filename": f"{file.number}.txt",
                "title": file.title or f"{file.number}.txt",
                "description": file.description,
                "is_protected": file.readers is not EVERYBODY,
                "content_type": "text/plain",
                "size": len(file.text.encode()),
                "checksum": hashlib.md5(file.text.encode()).hexdigest(),
                "download_url": f"{self.url}/file/{file.number}/{file.number}.txt",
            }
            for file in talk.files
            if self._may_read(file, who)
        ]

    def _block(self, event: Event, session: Session) -> dict[str, Any]:
        url = f"{self.url}/event/{event.number}/sessions/{session.number}/"
        details = {"title": session.title, "url": url, "folders": []}
        moment = _moment(event.day, event.time)
        rest = {"title": session.title, "note": {}, "contributions": []}
        about = {"id": session.number, "url": url, "session": details}
        return {**about, "startDate": moment, **rest}

    def _inner(self, kind: str, number: int, rest: list[str], who: str) -> Reply:
        """Return attachments or minutes of an event or a session."""
        event = self.events.get(number)
        if event is None:
            return _json({"message": "No such event"}, 404)
        readers: list[Readers] = []
        files: list[dict[str, Any]] = []
        if rest and rest[0] == "contribution":
            talk = event.talks.get(int(rest[1]))
            if talk is None:
                return _json({"message": "No such contribution"}, 404)
            readers.append(talk.readers)
            files = self._files(talk, who)
        elif rest:
            session = event.sessions.get(int(rest[1]))
            if session is None:
                return _json({"message": "No such session"}, 404)
            readers.append(session.readers)
        if not self._may_open(event, who) or not may(who, *readers):
            return _json({"message": "Access to this resource is restricted."}, 403)
        if kind == "note":
            return _json({"message": "No such note"}, 404)
        return _json({"results": {"folders": [{"attachments": files}]}})

    def _talk_page(self, number: int, talk_number: int, who: str) -> Reply:
        event = self.events.get(number)
        talk = event.talks.get(talk_number) if event else None
        if event is None or talk is None:
            return Reply(404, b"{}", JSON)
        if not self._may_open(event, who) or not may(who, talk.readers):
            return _LOGIN
        session = event.sessions.get(talk.session or 0)
        about = {"id": session.number, "title": session.title} if session else None
        return _json({"title": talk.title, "session": about})

    def _file(self, number: int, who: str) -> Reply:
        for event in self.events.values():
            for talk in event.talks.values():
                for file in talk.files:
                    if file.number == number:
                        shown = self._may_open(event, who) and may(who, talk.readers)
                        if self.opens_files or (shown and may(who, file.readers)):
                            return Reply(200, file.text.encode())
                        return _LOGIN
        return Reply(404, b"gone")


def _moment(day: str, time: str) -> dict[str, str]:
    return {"date": day, "time": time, "tz": "UTC"}


def _json(content: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode(), JSON)
