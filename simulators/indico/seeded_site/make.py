"""Creates users, categories, events and their contents through Indico's ORM.

Runs in Indico's venv, inside an application context. Does not define which objects
exist; see story.py and access_cases.py.
"""

import mimetypes
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytz
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
from indico.modules.events.operations import create_event, update_event_protection
from indico.modules.events.sessions.operations import create_session
from indico.modules.events.timetable.operations import create_session_block_entry
from indico.modules.events.tracks.models.tracks import Track
from indico.modules.groups.models.groups import LocalGroup
from indico.modules.users import User
from indico.modules.users.operations import create_user
from seeded_site import files, story

ZONE = pytz.timezone("America/Chicago")
GROUPS = {"group": "Test stand collaboration", "board": "Collaboration board"}


# ------------------------------------------------------------------- lookups


def user_of(name):
    """Return the seeded user with this login name."""
    return User.query.filter(User.all_emails == f"{name}@example.test").one()


def group_of(name):
    """Return the local group with this story name."""
    return LocalGroup.query.filter_by(name=GROUPS[name]).one()


def admit(thing, names):
    """Grant read access to groups and accounts, by story name."""
    for name in names:
        who = group_of(name).proxy if name in GROUPS else user_of(name)
        thing.update_principal(who, read_access=True)


def category_of(shelf):
    """Return the category with this story name."""
    return Category.query.filter_by(title=story.CATEGORIES[shelf].title).one()


def event_like(told):
    """Return the event created from a story event."""
    return Event.query.filter_by(title=told.title, is_deleted=False).one()


def talk_like(told):
    """Return the contribution created from a story talk."""
    return Contribution.query.filter_by(title=told.title, is_deleted=False).one()


# ------------------------------------------------------------------ creation


def make_user(name, first, last):
    """Create a user with a password derived from the name; return it."""
    user = create_user(
        f"{name}@example.test",
        {"first_name": first, "last_name": last, "affiliation": "Hall 4"},
        Identity(provider="indico", identifier=name, password=f"{name}-Pass-2025!"),
    )
    db.session.flush()
    return user


def make_token(user, name, scopes):
    """Create a personal token; return its text."""
    return PersonalToken(user=user, name=name, scopes=scopes).generate_token()


def make_categories(root, manager):
    """Create the categories; return them by story name."""
    made = {"root": root}
    for name, told in story.CATEGORIES.items():
        data = {"title": told.title, "description": told.text}
        made[name] = category = create_category(made[told.below], data)
        if told.acl is not None:
            closed = {"protection_mode": ProtectionMode.protected}
            update_category_protection(category, closed)
            admit(category, told.acl)
    made["top"].update_principal(manager, full_access=True)
    del made["root"]
    return made


def make_event(told, category, made):
    """Create an event; return the records of objects deleted again in it.

    Every level is committed before the next one is created: Indico counts friendly
    ids in a second database session, which only sees committed parents.
    """
    event = new_event(category, told.title, local(told.start), told.hours, told)
    made[told.key] = event
    for track in told.tracks:
        db.session.add(Track(event=event, title=track, code=track[:3].upper()))
    if told.docdb:
        kind = ReferenceType.query.filter_by(name="DocDB").one()
        event.references.append(EventReference(reference_type=kind, value=told.docdb))
    set_doors(event, told)
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


def set_doors(event, told):
    """Set the readers, managers and visibility of an event."""
    if told.protection != "inheriting":
        close(event, ProtectionMode[told.protection], told.acl)
    elif event.category is None:  # unlisted events have readers, too
        admit(event, told.acl)
    for name in told.managers:
        event.update_principal(user_of(name), full_access=True)
    if told.access_key:
        update_event_protection(event, {"access_key": told.access_key})
    if told.nowhere:
        event.visibility = 0


def new_event(category, title, start, hours, told=None):
    """Create and commit an event in a category; return it."""
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
    """Return the aware UTC time of a local 'YYYY-MM-DD HH:MM'."""
    when = datetime.strptime(text, "%Y-%m-%d %H:%M")
    return ZONE.localize(when).astimezone(pytz.utc)


def make_session(event, told, made):
    """Create a session; return it with its block or None."""
    closed = ProtectionMode.protected if told.protected else ProtectionMode.inheriting
    data = {"title": told.title, "description": told.text, "protection_mode": closed}
    made[told.key] = session = create_session(event, data)
    if told.protected:
        admit(session, told.acl)
    for name in told.managers:
        session.update_principal(user_of(name), full_access=True)
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
    """Create a talk; return the records of objects deleted again in it."""
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
        close(talk, ProtectionMode.protected, told.acl)
    if told.opened:
        close(talk, ProtectionMode.public)
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
    """Return the fields of a contribution."""
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
    """Create a sub-contribution of a talk; return it."""
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
    """Return the person with this name in an event, who has no account."""
    first, last = name.split()
    known = EventPerson.query.with_parent(event).filter_by(last_name=last).first()
    if known is None:
        known = EventPerson(event=event, first_name=first, last_name=last)
        db.session.add(known)
        db.session.flush()
    return known


def dress(thing, told):
    """Add minutes and files of a story object; return records of deleted files."""
    if told.note:
        write_note(thing, told.note)
    deleted = []
    for told_file in told.files:
        attachment = attach(thing, told_file)
        if told_file.deleted:
            deleted.append(gone("attachment", thing, attachment))
            attachment.is_deleted = True
    return deleted


def close(thing, mode, acl=()):
    """Set the protection of an object; those in the ACL may still read it."""
    if isinstance(thing, Event):
        update_event_protection(thing, {"protection_mode": mode})
    else:
        thing.protection_mode = mode
    admit(thing, acl)
    db.session.flush()


def write_note(thing, source):
    """Set the minutes of an object: Markdown if they start with '#', else HTML."""
    mode = RenderMode.markdown if source.startswith("#") else RenderMode.html
    author = user_of("admin")  # query first: it flushes incomplete objects
    note = EventNote.get_or_create(thing)
    note.create_revision(mode, source, author)
    db.session.add(note)
    db.session.flush()


def attach(thing, told):
    """Add an attachment to an object; return it."""
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
        admit(attachment, told.acl)
    return attachment


def folder_of(thing, told):
    """Return the attachment folder for a story file."""
    if not told.folder:
        return AttachmentFolder.get_or_create_default(linked_object=thing)
    folder = AttachmentFolder(object=thing, title=told.folder)
    closed = told.hidden_folder or told.closed_folder
    if closed:
        folder.protection_mode = ProtectionMode.protected
        folder.is_always_visible = told.closed_folder
    db.session.add(folder)
    db.session.flush()
    if closed:
        admit(folder, told.folder_acl)
    return folder


def store(attachment, name, content, author):
    """Store content as the current file of an attachment."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    attachment.file = AttachmentFile(user=author, filename=name, content_type=kind)
    attachment.file.save(BytesIO(content))


def bytes_of(told):
    """Return the content of a story file."""
    if told.pages:
        return files.pdf(told.pages)
    return files.pptx(told.slides) if told.slides else told.raw


def gone(kind, thing, attachment=None):
    """Return the record of an object that must no longer be found."""
    of_file = attachment is not None
    return {
        "kind": kind,
        "id": str(attachment.id if of_file else thing.id),
        "key": key_of(thing),
        "title": attachment.file.filename if of_file else thing.title,
    }


def key_of(thing):
    """Return the unique name of an object: '22', '22/c5', '22/c5/s3', '22/sess7'."""
    if isinstance(thing, Event):
        return str(thing.id)
    if isinstance(thing, SubContribution):
        return f"{key_of(thing.contribution)}/s{thing.id}"
    letter = "c" if isinstance(thing, Contribution) else "sess"
    return f"{thing.event.id}/{letter}{thing.id}"


def bulk(count):
    """Create weekly meetings of one talk each; return their ids."""
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
