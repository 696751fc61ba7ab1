"""Lists the objects of the test Indico and their readers, by its own can_access().

Runs in Indico's venv, inside an application context. Read-only.
"""

import html
import re

from flask import g
from indico.core.db import db
from indico.modules.attachments.models.attachments import AttachmentType
from indico.modules.attachments.models.folders import AttachmentFolder
from indico.modules.events import Event
from indico.modules.events.contributions import contribution_settings
from indico.modules.events.notes.models.notes import EventNote
from seeded_site.make import category_of, key_of, user_of

ACCOUNTS = ("member", "member2", "outsider", "board1", "board2")
EVERYBODY = ("public", *ACCOUNTS)
_PHRASE_CHARS = 80


def objects(*shelves):
    """Return all existing objects below categories (top) with their readers."""
    tops = [category_of(shelf).id for shelf in shelves or ("top",)]
    below = db.or_(*map(Event.category_chain_overlaps, tops))
    alive = Event.query.filter(~Event.is_deleted, below)
    found = []
    for event in alive.order_by(Event.id):
        seen = readers(event)
        inside = seen if contribution_settings.get(event, "published") else []
        found.append(record("event", event, seen))
        for session in event.sessions:
            found.append(record("session", session, readers(session, inside)))
        for talk in event.contributions:
            may = readers(talk, inside)
            found.append(record("contribution", talk, may))
            for part in talk.subcontributions:
                found.append(record("subcontribution", part, readers(part, may)))
    return {"objects": found}


def readers(thing, within=EVERYBODY):
    """Return the accounts in `within` that may read an object."""
    return [name for name in within if thing.can_access(account(name))]


def account(name):
    """Return the user with this name, cached per command; None for the public."""
    known = g.setdefault("accounts", {"public": None})
    if name not in known:
        known[name] = user_of(name)
    return known[name]


def record(kind, thing, seen):
    """Return the record of one object."""
    event = thing if kind == "event" else thing.event
    files, links = attachments_of(thing, seen)
    note = EventNote.get_for_linked_object(thing, preload_event=False)
    return {
        "id": str(thing.id),
        "kind": kind,
        "key": key_of(thing),
        "event": str(event.id),
        "category": event.category_id,
        "title": thing.title,
        "readers": seen,
        "managers": [n for n in ACCOUNTS if thing.can_manage(account(n))],
        "files": files,
        "links": links,
        "minutes": note is not None,
        "minutes_text": phrase(note.html) if note else "",
    }


def attachments_of(thing, seen):
    """Return (files, links) of an object, each with its readers among `seen`."""
    files, links = [], []
    for folder in AttachmentFolder.get_for_linked_object(thing):
        shown = [name for name in seen if folder.can_view(account(name))]
        for attachment in folder.attachments:
            may = readers(attachment, shown)
            if attachment.type == AttachmentType.link:
                links.append(
                    {
                        "id": str(attachment.id),
                        "url": attachment.link_url,
                        "title": attachment.title,
                        "readers": may,
                    }
                )
                continue
            files.append(
                {
                    "id": str(attachment.id),
                    "filename": attachment.file.filename,
                    "md5": attachment.file.md5,
                    "size": attachment.file.size,
                    "readers": may,
                }
            )
    return files, links


def phrase(rendered):
    """Return the longest text between two tags, cut at a word boundary."""
    runs = (" ".join(html.unescape(r).split()) for r in re.split(r"<[^>]+>", rendered))
    longest = max(runs, key=len)
    if len(longest) <= _PHRASE_CHARS:
        return longest
    return longest[: _PHRASE_CHARS + 1].rsplit(" ", 1)[0]
