"""What Indico's export API answers, turned into documents.

Events, sessions, contributions and sub-contributions each become a `Document`; their
description, minutes, files and links are its files, and so is an event's timetable.
Facts on the answers: Indico 3.3 on a test server. Does not ask anything, and does not
know who may read what: the caller compares what several eyes were shown.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from dunegpt.types import NOBODY, Document, FileRef

_KINDS = {"simple_event": "lecture"}


class Reader:
    """Turns the answers of one site into documents, all with the access ``nobody``."""

    def __init__(self, source: str, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    def event_id(self, number: str | int) -> str:
        """Return the document id of an event."""
        return f"{self._prefix}:{number}"

    def event(
        self, event: dict[str, Any], blocks: Sequence[dict[str, Any]] = ()
    ) -> Iterator[Document]:
        """Yield the event and what it holds, from the level ``subcontributions``.

        Args:
            event: As answered.
            blocks: Its session blocks, from the level ``sessions``, for its timetable.
        """
        kind = _KINDS.get(event["type"], event["type"])
        top = self._document(
            event, self.event_id(event["id"]), kind, people=event.get("chairs") or []
        )
        entries = _timetable(event, blocks)
        if entries:
            own = _body("timetable", entries, f"{event['url'].rstrip('/')}/timetable/")
            top = replace(top, files=(*top.files, own))
        yield top
        for contribution in event.get("contributions") or []:
            yield from self._contribution(contribution, event, top)

    def sessions(self, event: dict[str, Any]) -> Iterator[Document]:
        """Yield the sessions of an event, from the level ``sessions``.

        That level lists the blocks of a session; each repeats what the session has.
        """
        blocks: dict[str, list[dict[str, Any]]] = {}
        for block in event.get("sessions") or []:
            blocks.setdefault(_number(block["url"], "sessions"), []).append(block)
        for number, own in blocks.items():
            session = own[0]["session"]
            people = [
                p for b in own for p in b["session"].get("sessionConveners") or []
            ]
            yield self._document(
                {**session, "note": own[0].get("note"), "blocks": own},
                f"{self.event_id(event['id'])}/sess{number}",
                "session",
                people=people,
                holder=event,
            )

    def managed(
        self, event: dict[str, Any], blocks: Sequence[dict[str, Any]] = ()
    ) -> set[str]:
        """Return the ids of what the account manages: only that says who is allowed."""
        top = self.event_id(event["id"])
        own = {top} if "allowed" in event else set()
        for talk in event.get("contributions") or []:
            if "allowed" in talk:
                own.add(f"{top}/c{talk['db_id']}")
        numbers = {_number(b["url"], "sessions") for b in blocks if "allowed" in b}
        return own | {f"{top}/sess{number}" for number in numbers}

    def marked(
        self, event: dict[str, Any], blocks: Sequence[dict[str, Any]] = ()
    ) -> set[str]:
        """Return the ids of what is marked as protected: it, or one of its files.

        An anonymous visitor is shown such a thing only if his network may see it (an
        access list may name networks). Talks and sessions have no mark of their own.
        """
        top = self.event_id(event["id"])
        found = {top} if event.get("hasAnyProtection") else set()
        found |= {top} if _has_closed_file(event) else set()
        for talk in event.get("contributions") or []:
            if any(
                map(_has_closed_file, (talk, *(talk.get("subContributions") or [])))
            ):
                found.add(f"{top}/c{talk['db_id']}")
        for block in blocks:
            if _has_closed_file(block["session"]):
                found.add(f"{top}/sess{_number(block['url'], 'sessions')}")
        return found

    def bare_session(
        self,
        event: dict[str, Any],
        session: dict[str, Any],
        folders: list[Any],
        note: Any,
    ) -> Document:
        """Return a session that no level lists, since it was never scheduled."""
        url = f"{event['url'].rstrip('/')}/sessions/{session['id']}/"
        return self._document(
            {"title": session["title"], "url": url, "folders": folders, "note": note},
            f"{self.event_id(event['id'])}/sess{session['id']}",
            "session",
            people=[],
            holder=event,
        )

    def _contribution(
        self, contribution: dict[str, Any], event: dict[str, Any], top: Document
    ) -> Iterator[Document]:
        people = [
            person
            for role in ("speakers", "primaryauthors", "coauthors")
            for person in contribution.get(role) or []
        ]
        own_id = f"{top.id}/c{contribution['db_id']}"
        talk = self._document(
            contribution, own_id, "contribution", people=people, holder=event
        )
        yield talk
        for part in contribution.get("subContributions") or []:
            url = f"{talk.url.rstrip('/')}/subcontributions/{part['db_id']}"
            yield self._document(
                {**part, "url": url, "startDate": contribution.get("startDate")},
                f"{own_id}/s{part['db_id']}",
                "subcontribution",
                people=part.get("speakers") or [],
                holder=event,
                parent=own_id,
            )

    def _document(
        self,
        item: dict[str, Any],
        own_id: str,
        kind: str,
        *,
        people: list[dict[str, Any]],
        holder: dict[str, Any] | None = None,
        parent: str = "",
    ) -> Document:
        names = tuple(dict.fromkeys(filter(None, map(_name, people))))
        about = _about(item, kind, names, holder)
        parent = parent or (self.event_id(holder["id"]) if holder else "")
        return Document(
            id=own_id,
            source=self._source,
            kind=kind,
            url=item["url"],
            title=str(item["title"]).strip(),
            access=NOBODY,
            authors=names,
            date=_day(item.get("startDate")) or _day((holder or {}).get("startDate")),
            files=(_body("about", about, item["url"]), *_files(item)),
            parent=parent,
        )


def _has_closed_file(item: dict[str, Any]) -> bool:
    """Return whether an object shows a file that is marked as protected."""
    return any(
        folder.get("is_protected") or attachment.get("is_protected")
        for folder in item.get("folders") or []
        for attachment in folder.get("attachments") or []
    )


def _files(item: dict[str, Any]) -> Iterator[FileRef]:
    """Yield minutes, files and links of an object, in that order."""
    note = item.get("note") or {}
    if note.get("html"):
        yield _body("minutes", note["html"], note["url"])
    for folder in item.get("folders") or []:
        for attachment in folder.get("attachments") or []:
            yield _attachment(attachment)


def _attachment(attachment: dict[str, Any]) -> FileRef:
    key = f"a{attachment['id']}"
    if attachment["type"] == "link":
        lines = [attachment["title"], attachment["description"], attachment["link_url"]]
        return FileRef(
            key=key,
            name=attachment["title"] or key,
            media_type="text/plain",
            url=attachment["link_url"],
            access=NOBODY,
            body="\n".join(filter(None, lines)).encode(),
        )
    md5, changed = attachment.get("checksum"), attachment.get("modified_dt")
    return FileRef(
        key=key,
        name=attachment["filename"] or key,
        media_type=attachment.get("content_type") or "application/octet-stream",
        url=attachment["download_url"],
        access=NOBODY,
        size_bytes=attachment["size"],
        # Files of before 2017 may have no sum: then their time tells of changes.
        checksum=f"md5:{md5}" if md5 else f"at:{changed}" if changed else "",
    )


def _body(key: str, content: str, url: str) -> FileRef:
    return FileRef(
        key=key,
        name=f"{key}.html",
        media_type="text/html",
        url=url,
        access=NOBODY,
        body=content.encode(),
    )


def _about(
    item: dict[str, Any],
    kind: str,
    names: tuple[str, ...],
    holder: dict[str, Any] | None,
) -> str:
    """Return a page on the object itself: what its own page in Indico says.

    It names nothing that the object holds: its parts may have other readers.
    """
    event = holder or item
    facts = [
        ("Type", kind),
        ("Date", _day_and_time(item.get("startDate") or event.get("startDate"))),
        ("Scheduled", "; ".join(map(_block, item.get("blocks") or []))),
        ("People", ", ".join(names)),
        ("Event", holder["title"] if holder else ""),
        ("Session", item.get("session")),
        ("Track", item.get("track")),
        ("Category", event.get("category")),
        ("Place", _place(event)),
        ("Keywords", ", ".join(item.get("keywords") or [])),
        ("References", _references(item)),
    ]
    lines = "".join(
        f"<p>{label}: {html.escape(str(value))}</p>" for label, value in facts if value
    )
    title = html.escape(str(item["title"]))
    return f"<h1>{title}</h1>{lines}<div>{item.get('description') or ''}</div>"


def _block(block: dict[str, Any]) -> str:
    """Return when a block of a session is, what it is called, and where it is."""
    facts = [
        _day_and_time(block.get("startDate")),
        block.get("slotTitle"),
        _place(block),
    ]
    return ", ".join(str(fact) for fact in facts if fact)


def _timetable(event: dict[str, Any], blocks: Sequence[dict[str, Any]]) -> str:
    """Return the programme as a page: days, and what is when; empty if nothing is.

    It names talks and sessions, so it is as closed as the most closed of them: whoever
    is shown another programme is shown another timetable.
    """
    entries: list[tuple[str, str, str]] = []
    for talk in event.get("contributions") or []:
        if start := talk.get("startDate"):
            names = ", ".join(filter(None, map(_name, talk.get("speakers") or [])))
            words = [talk["title"], names, talk.get("session") or ""]
            entries.append((start["date"], start["time"][:5], _entry(words)))
    for block in blocks:
        start = block["startDate"]
        words = [f"Session: {block['title']}", _place(block)]
        entries.append((start["date"], start["time"][:5], _entry(words)))
    if len(entries) < 2:
        return ""
    lines = [f"<h1>Timetable: {html.escape(str(event['title']))}</h1>"]
    day = ""
    for own_day, time, text in sorted(entries):
        if own_day != day:
            lines.append(f"<h2>{own_day} (UTC)</h2>")
            day = own_day
        lines.append(f"<p>{time} {text}</p>")
    return "".join(lines)


def _entry(words: list[str]) -> str:
    return html.escape(", ".join(" ".join(str(w).split()) for w in words if w))


def _place(event: dict[str, Any]) -> str:
    parts = [event.get("roomFullname") or event.get("room"), event.get("location")]
    return ", ".join(str(part) for part in parts if part)


def _references(item: dict[str, Any]) -> str:
    found = item.get("references") or []
    return ", ".join(f"{r['type']} {r['value']} {r.get('url') or ''}" for r in found)


def _name(person: dict[str, Any]) -> str:
    """Return ``First Last``; the field ``fullName`` comes in either order."""
    parts = (person.get("first_name"), person.get("last_name"))
    return " ".join(part.strip() for part in parts if part)


def _day(moment: dict[str, str] | None) -> date | None:
    return date.fromisoformat(moment["date"]) if moment else None


def _day_and_time(moment: dict[str, str] | None) -> str:
    return f"{moment['date']} {moment['time'][:5]} {moment['tz']}" if moment else ""


def _number(url: str, kind: str) -> str:
    found = re.search(rf"/{kind}/(\d+)", url)
    if found is None:
        raise ValueError(f"no {kind} number in {url}")
    return found[1]
