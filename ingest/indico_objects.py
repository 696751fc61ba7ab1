"""What Indico's export API answers, turned into documents.

Events, sessions, contributions and sub-contributions each become a `Document`; their
description, minutes, files and links are its files. Facts on the answers: Indico 3.3
on a test server. Does not ask anything, and does not know who may read what: the
caller compares what two readers were shown.
"""

import html
import re
from collections.abc import Iterator
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

    def event(self, event: dict[str, Any]) -> Iterator[Document]:
        """Yield the event and what it holds, from the level ``subcontributions``."""
        kind = _KINDS.get(event["type"], event["type"])
        top = self._document(
            event, self.event_id(event["id"]), kind, people=event.get("chairs") or []
        )
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
                {**session, "note": own[0].get("note")},
                f"{self.event_id(event['id'])}/sess{number}",
                "session",
                people=people,
                holder=event,
            )

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
            name=attachment["title"],
            media_type="text/plain",
            url=attachment["link_url"],
            access=NOBODY,
            body="\n".join(filter(None, lines)).encode(),
        )
    return FileRef(
        key=key,
        name=attachment["filename"],
        media_type=attachment.get("content_type") or "application/octet-stream",
        url=attachment["download_url"],
        access=NOBODY,
        size_bytes=attachment["size"],
        checksum=f"md5:{attachment['checksum']}",
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


def _place(event: dict[str, Any]) -> str:
    parts = [event.get("roomFullname") or event.get("room"), event.get("location")]
    return ", ".join(str(part) for part in parts if part)


def _references(item: dict[str, Any]) -> str:
    found = item.get("references") or []
    return ", ".join(f"{r['type']} {r['value']} {r.get('url') or ''}" for r in found)


def _name(person: dict[str, Any]) -> str:
    """Return ``First Last``; the field ``fullName`` comes in either order."""
    return f"{person.get('first_name', '')} {person.get('last_name', '')}".strip()


def _day(moment: dict[str, str] | None) -> date | None:
    return date.fromisoformat(moment["date"]) if moment else None


def _day_and_time(moment: dict[str, str] | None) -> str:
    return f"{moment['date']} {moment['time'][:5]} {moment['tz']}" if moment else ""


def _number(url: str, kind: str) -> str:
    found = re.search(rf"/{kind}/(\d+)", url)
    if found is None:
        raise ValueError(f"no {kind} number in {url}")
    return found[1]
