"""Converts answers of Indico's export API to documents.

Events, sessions, contributions and sub-contributions each become a `Document`; their
description, minutes, files and links are its files, and so is an event's timetable.
Based on Indico 3.3. Makes no requests, and does not decide who may read what: the
caller compares what several accounts were shown.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dunegpt.access import NOBODY
from dunegpt.ingest.indico.rendering import (
    Roles,
    format_name,
    render_about,
    render_attachment,
    render_timetable,
)
from dunegpt.ingest.indico.times import local_date
from dunegpt.types import Document, FileRef

_KINDS = {"simple_event": "lecture"}
_TALK_ROLES = {
    "Speakers": "speakers",
    "Authors": "primaryauthors",
    "Co-authors": "coauthors",
}


class RecordParser:
    """Turns the answers of one site into documents, all with the access ``nobody``."""

    def __init__(self, source: str, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    def event_id(self, number: str | int) -> str:
        """Return the document id of an event."""
        return f"{self._prefix}:{number}"

    def parse_event(
        self,
        event: dict[str, Any],
        blocks: Sequence[dict[str, Any]] = (),
        breaks: Sequence[dict[str, Any]] = (),
    ) -> Iterator[Document]:
        """Yield the event and what it holds, from the level ``subcontributions``.

        Args:
            event: As answered.
            blocks: Its session blocks, from the level ``sessions``, for its timetable.
            breaks: Its breaks, for its timetable, too.
        """
        kind = _KINDS.get(event["type"], event["type"])
        role = "Speakers" if kind == "lecture" else "Chairs"
        roles = [(role, event.get("chairs") or [])]
        top = self._build_document(event, self.event_id(event["id"]), kind, roles=roles)
        entries = render_timetable(event, blocks, breaks)
        if entries:
            own = _build_html_file(
                "timetable", entries, f"{event['url'].rstrip('/')}/timetable/"
            )
            top = replace(top, files=(*top.files, own))
        yield top
        for contribution in event.get("contributions") or []:
            yield from self._parse_contribution(contribution, event, top)

    def parse_sessions(self, event: dict[str, Any]) -> Iterator[Document]:
        """Yield the sessions of an event, from the level ``sessions``.

        That level lists the blocks of a session; each repeats what the session has.
        """
        blocks: dict[str, list[dict[str, Any]]] = {}
        for block in event.get("sessions") or []:
            blocks.setdefault(_parse_url_number(block["url"], "sessions"), []).append(
                block
            )
        for number, own in blocks.items():
            session = own[0]["session"]
            conveners = [
                p for b in own for p in b["session"].get("sessionConveners") or []
            ]
            conveners += [p for b in own for p in b.get("conveners") or []]
            yield self._build_document(
                {**session, "note": own[0].get("note"), "blocks": own},
                f"{self.event_id(event['id'])}/sess{number}",
                "session",
                roles=[("Conveners", conveners)],
                holder=event,
            )

    def managed_ids(
        self, event: dict[str, Any], blocks: Sequence[dict[str, Any]] = ()
    ) -> set[str]:
        """Return the ids of what the account manages: only that says who is allowed."""
        top = self.event_id(event["id"])
        own = {top} if "allowed" in event else set()
        for talk in event.get("contributions") or []:
            if "allowed" in talk:
                own.add(f"{top}/c{talk['db_id']}")
        numbers = {
            _parse_url_number(b["url"], "sessions") for b in blocks if "allowed" in b
        }
        return own | {f"{top}/sess{number}" for number in numbers}

    def protected_ids(
        self, event: dict[str, Any], blocks: Sequence[dict[str, Any]] = ()
    ) -> set[str]:
        """Return the ids of what is marked as protected.

        An anonymous visitor is shown such a thing only if his network may see it (an
        access list may name networks). Talks and sessions have no mark of their own,
        and are told by their files, which inherit it.
        """
        top = self.event_id(event["id"])
        mark = event.get("hasAnyProtection")
        found = {top} if mark or (mark is None and _seems_closed(event)) else set()
        for talk in event.get("contributions") or []:
            if _seems_closed(talk, *(talk.get("subContributions") or [])):
                found.add(f"{top}/c{talk['db_id']}")
        for block in blocks:
            if _seems_closed(block["session"]):
                found.add(f"{top}/sess{_parse_url_number(block['url'], 'sessions')}")
        return found

    def protected_files(
        self, event: dict[str, Any], blocks: Sequence[dict[str, Any]] = ()
    ) -> set[tuple[str, str]]:
        """Return document id and key of each file that is marked as protected."""
        top = self.event_id(event["id"])
        found = {(top, key) for key in _closed_keys(event)}
        for talk in event.get("contributions") or []:
            own = f"{top}/c{talk['db_id']}"
            found |= {(own, key) for key in _closed_keys(talk)}
            for part in talk.get("subContributions") or []:
                found |= {
                    (f"{own}/s{part['db_id']}", key) for key in _closed_keys(part)
                }
        for block in blocks:
            number = _parse_url_number(block["url"], "sessions")
            own = f"{top}/sess{number}"
            found |= {(own, key) for key in _closed_keys(block["session"])}
        return found

    def protected_session_files(
        self, event: dict[str, Any], session: dict[str, Any], folders: list[Any]
    ) -> set[tuple[str, str]]:
        """Return the same for a session that is in no block."""
        own = f"{self.event_id(event['id'])}/sess{session['id']}"
        return {(own, key) for key in _closed_keys({"folders": folders})}

    def build_unscheduled_session(
        self,
        event: dict[str, Any],
        session: dict[str, Any],
        folders: list[Any],
        note: Any,
    ) -> Document:
        """Return a session that no level lists, since it was never scheduled."""
        url = f"{event['url'].rstrip('/')}/sessions/{session['id']}/"
        return self._build_document(
            {"title": session["title"], "url": url, "folders": folders, "note": note},
            f"{self.event_id(event['id'])}/sess{session['id']}",
            "session",
            roles=[],
            holder=event,
        )

    def _parse_contribution(
        self, contribution: dict[str, Any], event: dict[str, Any], top: Document
    ) -> Iterator[Document]:
        roles = [
            (title, contribution.get(key) or []) for title, key in _TALK_ROLES.items()
        ]
        own_id = f"{top.id}/c{contribution['db_id']}"
        talk = self._build_document(
            contribution, own_id, "contribution", roles=roles, holder=event
        )
        yield talk
        for part in contribution.get("subContributions") or []:
            url = f"{talk.url.rstrip('/')}/subcontributions/{part['db_id']}"
            yield self._build_document(
                {**part, "url": url, "startDate": contribution.get("startDate")},
                f"{own_id}/s{part['db_id']}",
                "subcontribution",
                roles=[("Speakers", part.get("speakers") or [])],
                holder=event,
                parent=own_id,
            )

    def _build_document(
        self,
        item: dict[str, Any],
        own_id: str,
        kind: str,
        *,
        roles: Roles,
        holder: dict[str, Any] | None = None,
        parent: str = "",
    ) -> Document:
        people = [person for _, own in roles for person in own]
        names = tuple(dict.fromkeys(filter(None, map(format_name, people))))
        event = holder or item
        about = render_about(item, kind, roles, event)
        parent = parent or (self.event_id(holder["id"]) if holder else "")
        return Document(
            id=own_id,
            source=self._source,
            kind=kind,
            url=item["url"],
            title=str(item["title"]).strip(),
            access=NOBODY,
            authors=names,
            date=local_date(item.get("startDate") or event.get("startDate"), event),
            status=_parse_status(event, is_event=holder is None),
            files=(_build_html_file("about", about, item["url"]), *_parse_files(item)),
            parent=parent,
        )


def _shown_attachments(
    item: dict[str, Any],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the attachments of an object, each with its folder."""
    for folder in item.get("folders") or []:
        for attachment in folder.get("attachments") or []:
            yield attachment, folder


def _closed_keys(item: dict[str, Any]) -> Iterator[str]:
    """Yield the keys of the files that are marked as protected."""
    for attachment, folder in _shown_attachments(item):
        if attachment.get("is_protected") or folder.get("is_protected"):
            yield from (f"a{attachment['id']}", f"info-a{attachment['id']}")


def _seems_closed(*items: dict[str, Any]) -> bool:
    """Return whether an object that has no mark of its own seems to be protected.

    Its files inherit its protection; a folder that is open proves that it is open.
    """
    folders = [folder for item in items for folder in item.get("folders") or []]
    if any(folder.get("is_protected") is False for folder in folders):
        return False
    return any(True for item in items for _ in _closed_keys(item))


def _parse_files(item: dict[str, Any]) -> Iterator[FileRef]:
    """Yield minutes, files and links of an object, in that order."""
    note = item.get("note") or {}
    if note.get("html"):
        yield _build_html_file("minutes", note["html"], note["url"])
    for attachment, folder in _shown_attachments(item):
        yield from _parse_attachment(attachment, folder)


def _parse_attachment(
    attachment: dict[str, Any], folder: dict[str, Any]
) -> Iterator[FileRef]:
    """Yield a file, and what Indico says of it: both have the same readers."""
    key = f"a{attachment['id']}"
    about = render_attachment(attachment, folder)
    if attachment["type"] == "link":
        lines = [attachment["title"], about, attachment["link_url"]]
        yield FileRef(
            key=key,
            name=attachment["title"] or key,
            media_type="text/plain",
            url=attachment["link_url"],
            access=NOBODY,
            body="\n".join(dict.fromkeys(filter(None, lines))).encode(),
        )
        return
    md5, changed = attachment.get("checksum"), attachment.get("modified_dt")
    yield FileRef(
        key=key,
        name=attachment["filename"] or key,
        media_type=attachment.get("content_type") or "application/octet-stream",
        url=attachment["download_url"],
        access=NOBODY,
        size_bytes=attachment["size"],
        # Files of before 2017 may have no sum: then their time tells of changes.
        checksum=f"md5:{md5}" if md5 else f"at:{changed}" if changed else "",
    )
    if about:
        yield FileRef(
            key=f"info-{key}",
            name=f"info-{key}.txt",
            media_type="text/plain",
            url=attachment["download_url"],
            access=NOBODY,
            body=f"{attachment['filename'] or key}\n{about}".encode(),
        )


def _parse_status(event: dict[str, Any], *, is_event: bool) -> str:
    """Return the label of an event; of its parts, only that it does not take place."""
    label = event.get("label") or {}
    is_due = is_event or label.get("is_event_not_happening")
    return str(label.get("title") or "").strip() if is_due else ""


def _build_html_file(key: str, content: str, url: str) -> FileRef:
    return FileRef(
        key=key,
        name=f"{key}.html",
        media_type="text/html",
        url=url,
        access=NOBODY,
        body=content.encode(),
    )


def _parse_url_number(url: str, kind: str) -> str:
    found = re.search(rf"/{kind}/(\d+)", url)
    if found is None:
        raise ValueError(f"no {kind} number in {url}")
    return found[1]
