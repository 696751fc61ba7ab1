"""Commands that fill, change and read the test Indico through its own ORM.

Runs in Indico's venv with INDICO_CONFIG set; each prints one JSON object:

    python -P indico_seed.py seed | mutate | objects | bulk N

-P matters: without it `import indico` finds the indico.py beside this file.
`objects` is the truth for tests: what exists, and who may read it, as Indico's
own can_access() says. Knows nothing of how the server was started.
"""

import contextlib
import html
import json
import mimetypes
import re
import sys
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytz
from flask import session as login
from indico.core.db import db
from indico.core.db.sqlalchemy.protection import ProtectionMode
from indico.core.oauth.models.personal_tokens import PersonalToken
from indico.modules.attachments.models.attachments import (
    Attachment,
    AttachmentFile,
    AttachmentType,
)
from indico.modules.attachments.models.folders import AttachmentFolder
from indico.modules.auth import Identity
from indico.modules.categories import Category
from indico.modules.categories.operations import (
    create_category,
    update_category_protection,
)
from indico.modules.events import Event
from indico.modules.events.contributions import contribution_settings
from indico.modules.events.contributions.models.contributions import Contribution
from indico.modules.events.contributions.models.persons import (
    AuthorType,
    ContributionPersonLink,
    SubContributionPersonLink,
)
from indico.modules.events.contributions.models.subcontributions import (
    SubContribution,
)
from indico.modules.events.contributions.operations import (
    create_contribution,
    create_subcontribution,
    delete_contribution,
)
from indico.modules.events.models.events import EventType
from indico.modules.events.models.persons import EventPerson
from indico.modules.events.models.references import EventReference, ReferenceType
from indico.modules.events.notes.models.notes import EventNote, RenderMode
from indico.modules.events.operations import (
    create_event,
    update_event,
    update_event_protection,
)
from indico.modules.events.sessions.operations import create_session
from indico.modules.events.timetable.operations import create_session_block_entry
from indico.modules.events.tracks.models.tracks import Track
from indico.modules.groups.models.groups import LocalGroup
from indico.modules.users import User
from indico.modules.users.operations import create_user, grant_admin
from indico.web.flask.app import make_app

sys.path.append(str(Path(__file__).parent))  # after Indico's own packages

import indico_files
import indico_story as story

ZONE = pytz.timezone("America/Chicago")
READING = ["read:legacy_api", "read:everything"]
TOKENS = {
    "member": ("member", READING),
    "outsider": ("outsider", READING),
    "manager": ("manager", READING),
    "member_legacy_only": ("member", READING[:1]),
    "member_everything_only": ("member", READING[1:]),
}
PEOPLE = {
    "admin": ("Ada", "Admin"),
    "manager": ("Max", "Manager"),
    "member": ("Mia", "Member"),
    "outsider": ("Otto", "Outsider"),
}
GROUP = "Test stand collaboration"
_PHRASE_CHARS = 80


# ---------------------------------------------------------------- looking up


def user_of(name):
    """Returns the seeded user of that login name."""
    return User.query.filter(User.all_emails == f"{name}@example.test").one()


def group():
    """Returns the local group as something that can stand in an ACL."""
    return LocalGroup.query.filter_by(name=GROUP).one().proxy


def category_of(shelf):
    """Returns the category of that story name."""
    return Category.query.filter_by(title=story.CATEGORIES[shelf][0]).one()


def event_like(told):
    """Returns the event made from a story event."""
    return Event.query.filter_by(title=told.title, is_deleted=False).one()


def talk_like(told):
    """Returns the contribution made from a story talk."""
    return Contribution.query.filter_by(title=told.title, is_deleted=False).one()


# ------------------------------------------------------------------- seeding


def seed():
    """Returns the whole truth of a freshly seeded server."""
    root = Category.get_root()
    users = {name: make_user(name, *full) for name, full in PEOPLE.items()}
    grant_admin(users["admin"])
    login.set_session_user(users["admin"])
    tokens = {
        name: make_token(users[who], name, s) for name, (who, s) in TOKENS.items()
    }
    db.session.add(LocalGroup(name=GROUP, members={users["member"]}))
    db.session.add(
        ReferenceType(
            name="DocDB",
            scheme="docdb",
            url_template="https://docdb.example.test/cgi-bin/show?docid={value}",
        )
    )
    db.session.flush()
    shelves = make_categories(root, users["manager"])
    db.session.commit()
    made, deleted = {}, []
    for told in story.EVENTS:
        deleted += make_event(told, shelves[told.shelf], made)
    return {
        "category": shelves["top"].id,
        "categories": {name: category.id for name, category in shelves.items()},
        "users": {name: user.id for name, user in users.items()},
        "tokens": tokens,
        **objects(),
        "facts": [
            {"question": question, "answer": answer, "key": key_of(made[of])}
            for question, answer, of in story.FACTS
        ],
        "deleted": deleted,
    }


def make_user(name, first, last):
    """Returns a new user who can log in with a password made from the name."""
    user = create_user(
        f"{name}@example.test",
        {"first_name": first, "last_name": last, "affiliation": "Hall 4"},
        Identity(provider="indico", identifier=name, password=f"{name}-Pass-2025!"),
    )
    db.session.flush()
    return user


def make_token(user, name, scopes):
    """Returns the text of a new personal token."""
    return PersonalToken(user=user, name=name, scopes=scopes).generate_token()


def make_categories(root, manager):
    """Returns the categories by story name: one, with two below it."""
    made = {}
    for name, (title, text) in story.CATEGORIES.items():
        data = {"title": title, "description": text}
        made[name] = create_category(made.get("top", root), data)
    made["top"].update_principal(manager, full_access=True)
    closed = made["collaboration"]
    update_category_protection(closed, {"protection_mode": ProtectionMode.protected})
    closed.update_principal(group(), read_access=True)
    return made


def make_event(told, category, made):
    """Returns the records of what was made and deleted again in one event.

    Every level is committed before the next one is made: Indico counts friendly
    ids in a second database session, which sees committed parents only.
    """
    event = new_event(category, told.title, local(told.start), told.hours, told)
    made[told.key] = event
    for track in told.tracks:
        db.session.add(Track(event=event, title=track, code=track[:3].upper()))
    if told.docdb:
        kind = ReferenceType.query.filter_by(name="DocDB").one()
        event.references.append(EventReference(reference_type=kind, value=told.docdb))
    if told.protection != "inheriting":
        close(event, ProtectionMode[told.protection])
    if told.kind == "conference":
        contribution_settings.set(event, "published", told.published)
    deleted = dress(event, told)
    db.session.commit()
    blocks = {s.key: make_session(event, s, made) for s in told.sessions}
    for talk in told.talks:
        deleted += make_talk(event, talk, blocks, made)
    if told.deleted:
        deleted.append(gone("event", event))
        event.delete("withdrawn", user_of("admin"))
        db.session.commit()
    return deleted


def new_event(category, title, start, hours, told=None):
    """Returns a new, committed event of a category."""
    event = create_event(
        category,
        EventType[told.kind if told else "meeting"],
        {
            "title": title,
            "description": told.text if told else "",
            "timezone": "America/Chicago",
            "start_dt": start,
            "end_dt": start + timedelta(hours=hours),
            "creator": user_of("manager"),
            "location_data": {
                "inheriting": False,
                "venue_name": "Hall 4",
                "room_name": "Gallery",
            },
        },
        add_creator_as_manager=False,
    )
    db.session.commit()
    return event


def local(text):
    """Returns the aware UTC time of a local 'YYYY-MM-DD HH:MM'."""
    when = datetime.strptime(text, "%Y-%m-%d %H:%M")
    return ZONE.localize(when).astimezone(pytz.utc)


def make_session(event, told, made):
    """Returns (session, its block or None)."""
    closed = ProtectionMode.protected if told.protected else ProtectionMode.inheriting
    data = {"title": told.title, "description": told.text, "protection_mode": closed}
    made[told.key] = session = create_session(event, data)
    if told.protected:
        session.update_principal(group(), read_access=True)
    block = None
    if told.at is not None:
        data = {
            "title": told.title,
            "duration": timedelta(hours=2),
            "start_dt": event.start_dt + timedelta(minutes=told.at),
            "location_data": {"inheriting": True},
        }
        block = create_session_block_entry(session, data).object
    dress(session, told)
    db.session.commit()
    return session, block


def make_talk(event, told, blocks, made):
    """Returns the records of what was made and deleted again in one talk."""
    session, block = blocks.get(told.session, (None, None))
    data = talk_data(told, ContributionPersonLink(person=person(event, told.speaker)))
    if told.at is not None:
        data["start_dt"] = event.start_dt + timedelta(minutes=told.at)
    data["session"] = session
    data["track"] = next((t for t in event.tracks if t.title == told.track), None)
    talk = create_contribution(
        event, data, session_block=block if told.in_block else None
    )
    made[told.key] = talk
    if told.protected:
        close(talk, ProtectionMode.protected)
    deleted = dress(talk, told)
    db.session.commit()
    for part in told.parts:
        made[part.key] = make_part(talk, part)
    if told.deleted:
        deleted.append(gone("contribution", talk))
        delete_contribution(talk)
        db.session.commit()
    return deleted


def talk_data(told, speaker):
    """Returns the fields of a contribution."""
    speaker.is_speaker = True
    speaker.author_type = AuthorType.primary
    return {
        "title": told.title,
        "description": told.text,
        "duration": timedelta(minutes=told.minutes),
        "person_link_data": {speaker: False},
        "location_data": {"inheriting": True},
    }


def make_part(talk, told):
    """Returns a new sub-contribution of a talk."""
    speaker = SubContributionPersonLink(person=person(talk.event, told.speaker))
    data = {
        "title": told.title,
        "description": told.text,
        "duration": timedelta(minutes=10),
        "person_links": [speaker],
    }
    part = create_subcontribution(talk, data)
    dress(part, told)
    db.session.commit()
    return part


def person(event, name):
    """Returns the event's person of that name, who has no account."""
    first, last = name.split()
    known = EventPerson.query.with_parent(event).filter_by(last_name=last).first()
    if known is None:
        known = EventPerson(event=event, first_name=first, last_name=last)
        db.session.add(known)
        db.session.flush()
    return known


def dress(thing, told):
    """Returns the records of deleted files; adds the told minutes and files."""
    if told.note:
        write_note(thing, told.note)
    deleted = []
    for told_file in told.files:
        attachment = attach(thing, told_file)
        if told_file.deleted:
            deleted.append(gone("attachment", thing, attachment))
            attachment.is_deleted = True
    return deleted


def close(thing, mode):
    """Sets the protection of an event or talk; the group may read it still."""
    if isinstance(thing, Event):
        update_event_protection(thing, {"protection_mode": mode})
    else:
        thing.protection_mode = mode
    if mode == ProtectionMode.protected:
        thing.update_principal(group(), read_access=True)
    db.session.flush()


def write_note(thing, source):
    """Gives thing new minutes: markdown when source begins with '#', else HTML."""
    mode = RenderMode.markdown if source.startswith("#") else RenderMode.html
    author = user_of("admin")  # read first: the query flushes unfinished things
    note = EventNote.get_or_create(thing)
    note.create_revision(mode, source, author)
    db.session.add(note)
    db.session.flush()


def attach(thing, told):
    """Returns the new attachment of thing."""
    author, folder = user_of("admin"), folder_of(thing, told)
    attachment = Attachment(
        folder=folder,
        user=author,
        title=Path(told.name).stem,
        type=AttachmentType.link if told.link else AttachmentType.file,
        protection_mode=(
            ProtectionMode.protected if told.protected else ProtectionMode.inheriting
        ),
    )
    if told.link:
        attachment.link_url = told.link
    else:
        store(attachment, told.name, bytes_of(told), author)
    db.session.add(attachment)
    db.session.flush()
    if told.protected:
        attachment.update_principal(group(), read_access=True)
    return attachment


def folder_of(thing, told):
    """Returns the folder of thing that the told file goes into."""
    if not told.folder:
        return AttachmentFolder.get_or_create_default(linked_object=thing)
    folder = AttachmentFolder(object=thing, title=told.folder)
    if told.hidden_folder:
        folder.protection_mode = ProtectionMode.protected
        folder.is_always_visible = False
    db.session.add(folder)
    db.session.flush()
    if told.hidden_folder:
        folder.update_principal(group(), read_access=True)
    return folder


def store(attachment, name, content, author):
    """Makes content the attachment's current file."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    attachment.file = AttachmentFile(user=author, filename=name, content_type=kind)
    attachment.file.save(BytesIO(content))


def bytes_of(told):
    """Returns the content of a told file."""
    if told.pages:
        return indico_files.pdf(told.pages)
    return indico_files.pptx(told.slides) if told.slides else told.raw


def gone(kind, thing, attachment=None):
    """Returns the record of something that must not be found any more."""
    of_file = attachment is not None
    return {
        "kind": kind,
        "id": str(attachment.id if of_file else thing.id),
        "key": key_of(thing),
        "title": attachment.file.filename if of_file else thing.title,
    }


# --------------------------------------------------------------------- truth


def objects():
    """Returns everything alive below the top category, and who may read it."""
    top = category_of("top")
    alive = Event.query.filter(~Event.is_deleted, Event.category_chain_overlaps(top.id))
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


def readers(thing, within=("public", "member", "outsider")):
    """Returns those of within whom Indico lets read thing."""
    who = {"public": None, "member": user_of("member"), "outsider": user_of("outsider")}
    return [name for name in within if thing.can_access(who[name])]


def record(kind, thing, seen):
    """Returns the truth about one object."""
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
        "files": files,
        "links": links,
        "minutes": note is not None,
        "minutes_text": phrase(note.html) if note else "",
    }


def key_of(thing):
    """Returns the unique name of an object: '22', '22/c5', '22/c5/s3', '22/sess7'."""
    if isinstance(thing, Event):
        return str(thing.id)
    if isinstance(thing, SubContribution):
        return f"{key_of(thing.contribution)}/s{thing.id}"
    letter = "c" if isinstance(thing, Contribution) else "sess"
    return f"{thing.event.id}/{letter}{thing.id}"


def attachments_of(thing, seen):
    """Returns (files, links) of thing, each with those of seen who may open it."""
    files, links = [], []
    for folder in AttachmentFolder.get_for_linked_object(thing):
        for attachment in folder.attachments:
            may = readers(attachment, readers(folder, seen))
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
    """Returns the longest run of text between two tags, cut at a word."""
    runs = (" ".join(html.unescape(r).split()) for r in re.split(r"<[^>]+>", rendered))
    longest = max(runs, key=len)
    if len(longest) <= _PHRASE_CHARS:
        return longest
    return longest[: _PHRASE_CHARS + 1].rsplit(" ", 1)[0]


# ------------------------------------------------------------------- changes


def mutate():
    """Returns what was changed ('done'), and what is gone ('deleted')."""
    login.set_session_user(user_of("admin"))
    hv, purity = event_like(story.HIGH_VOLTAGE), event_like(story.PURITY)
    readiness = event_like(story.READINESS)
    removed = [gone("event", event_like(story.GROUNDING))]
    done = [
        change_title(hv),
        change_note(purity),
        replace_file(talk_like(story.HIGH_VOLTAGE.talks[1])),
        delete_event(event_like(story.GROUNDING)),
        protect(event_like(story.DECOMMISSIONING)),
        open_talk(next(t for t in readiness.contributions if t.is_self_protected)),
        add_talk(purity),
    ]
    db.session.commit()
    return {"done": done, "deleted": removed}


def did(action, thing, **more):
    """Returns the record of one change."""
    return {"action": action, "key": key_of(thing), **more}


def change_title(event):
    """Returns the record of a new title."""
    old, new = event.title, "High voltage: conditioning finished"
    update_event(event, title=new)
    return did("title changed", event, old=old, new=new)


def change_note(event):
    """Returns the record of rewritten minutes."""
    old = phrase(event.note.html)
    new = "The getter bed now lasts 31 days between two regenerations."
    write_note(event, f"<p>{new}</p>")
    return did("minutes changed", event, old=old, new=new)


def replace_file(talk):
    """Returns the record of a file with a new name and content, same id."""
    attachment = AttachmentFolder.get_for_linked_object(talk)[0].attachments[0]
    old = attachment.file
    told = story.File("bubbles-v2.pdf", pages=("No bubbles above 1.13 bar.",))
    store(attachment, told.name, bytes_of(told), user_of("admin"))
    db.session.flush()
    return did(
        "file replaced",
        talk,
        attachment=str(attachment.id),
        old=old.md5,
        new=attachment.file.md5,
    )


def delete_event(event):
    """Returns the record of an event that was deleted."""
    record_ = did("event deleted", event)
    event.delete("not needed", user_of("admin"))
    return record_


def protect(event):
    """Returns the record of an event that only the group may read now."""
    close(event, ProtectionMode.protected)
    return did("event protected", event)


def open_talk(talk):
    """Returns the record of a protected contribution that is open now."""
    close(talk, ProtectionMode.inheriting)
    return did("contribution opened", talk)


def add_talk(event):
    """Returns the record of a new contribution with a file."""
    name = "argon-delivery.pdf"
    told = story.Talk(
        "late",
        "Late addition: argon delivery",
        "The truck brings 12 600 litres on Thursday.",
        files=(story.File(name, pages=("Delivery: 12 600 litres, 0.8 ppm oxygen.",)),),
    )
    made = {}
    make_talk(event, told, {}, made)
    return did("contribution added", made[told.key], filename=name)


def bulk(count):
    """Returns the ids of count new weekly meetings of one talk each."""
    login.set_session_user(user_of("admin"))
    category, made = category_of("weekly"), []
    for n in range(int(count)):
        start = local("2020-01-06 09:00") + timedelta(days=n % 1500)
        made.append(new_event(category, f"Shift hand-over {n:05d}", start, 1))
    for n, event in enumerate(made):
        speaker = ContributionPersonLink(person=person(event, "Ines Okafor"))
        told = story.Talk("", f"Shift report {n:05d}", f"Level {n} mm, no alarms.")
        data = talk_data(told, speaker) | {"start_dt": event.start_dt}
        create_contribution(event, data)
    db.session.commit()
    return {"events": [str(event.id) for event in made]}


COMMANDS = {"seed": seed, "mutate": mutate, "objects": objects, "bulk": bulk}


def main():
    """Runs the command of the command line; only its JSON goes to stdout."""
    name, *args = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        app = make_app()
        with app.app_context(), app.test_request_context():
            result = COMMANDS[name](*args)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
