"""Single changes to the test Indico, each a function that returns what it changed.

Runs in Indico's venv, inside an application context. Paired changes undo each other.
Does not depend on the crawler.
"""

from datetime import timedelta

from indico.core.db import db
from indico.core.db.sqlalchemy.protection import ProtectionMode
from indico.modules.attachments.models.folders import AttachmentFolder
from indico.modules.categories import Category
from indico.modules.events import Event
from indico.modules.events.contributions import contribution_settings
from indico.modules.events.contributions.operations import (
    delete_contribution,
    delete_subcontribution,
    update_contribution,
)
from indico.modules.events.operations import update_event
from indico.modules.events.sessions.operations import delete_session
from indico.modules.events.util import track_time_changes
from seeded_site import access_cases, story
from seeded_site.late_steps import LATE_STEPS
from seeded_site.make import (
    admit,
    attach,
    bytes_of,
    category_of,
    close,
    event_like,
    group_of,
    key_of,
    make_event,
    make_part,
    make_session,
    make_talk,
    store,
    talk_like,
    user_of,
    write_note,
)

OPEN, CLOSED = ProtectionMode.inheriting, ProtectionMode.protected
NEW_PAGE = ("No bubbles above 1.13 bar.",)
NEW_TALK = story.Talk(
    "late",
    "Late addition: argon delivery",
    "The truck brings 12 600 litres on Thursday.",
    files=(story.File("argon & delivery.pdf", pages=("Delivery: 12 600 litres.",)),),
    parts=(story.Talk("driver", "The driver's form", note="<p>Form 7b, signed.</p>"),),
)
NEW_SESSION = story.Session(
    "afterthought",
    "Afterthoughts",
    "Never scheduled.",
    note="<p>The afterthought was written on a napkin.</p>",
    files=(story.File("napkin.pdf", pages=("A napkin, scanned.",)),),
)
IN_SESSION = story.Talk("napkin", "Talk on a napkin", session="afterthought")
NEW_EVENTS = tuple(
    story.Event(
        f"new{year}",
        shelf,
        "meeting",
        f"New meeting of the year {year}",
        f"{year}-02-03 09:00",
        3,
        "<p>Announced today.</p>",
        protection="protected" if acl else "inheriting",
        acl=acl,
        talks=tuple(
            story.Talk(
                f"new{year}-{n}",
                f"New talk {n} of the year {year}",
                "Announced.",
                at=20 * n,
                files=(story.File(f"new {n}.pdf", pages=(f"Page {year}-{n}.",)),),
            )
            for n in range(4)
        ),
    )
    for year, shelf, acl in (
        (1986, "weekly", ()),
        (2004, "collaboration", ()),
        (2041, "top", ("board",)),
    )
)


# ------------------------------------------------------------------- lookups


def board_page(told):
    """Return the first attachment of an object of any kind."""
    return AttachmentFolder.get_for_linked_object(told)[0].attachments[0]


def file_called(thing, name):
    """Return the attachment of an object with this file name."""
    for folder in AttachmentFolder.get_for_linked_object(thing):
        for attachment in folder.attachments:
            if attachment.file and attachment.file.filename == name:
                return attachment
    raise LookupError(name)


def session_called(title):
    """Return the first session with this title in the event of all session kinds."""
    event = event_like(access_cases.SESSIONS)
    return next(s for s in event.sessions if s.title == title)


# --------------------------------------------------------------------- edits


def edit_title():
    """Change the title of an event."""
    event = Event.get(_hv())
    update_event(event, title="High voltage: conditioning finished")
    return event


def _hv():
    talk = talk_like(story.HIGH_VOLTAGE.talks[1])
    return talk.event_id


def edit_description():
    """Change the description of an event."""
    event = event_like(story.PURITY)
    update_event(event, description="<p>Second look, after the April fill.</p>")
    return event


def edit_minutes():
    """Change the minutes of an event."""
    event = event_like(story.PURITY)
    write_note(event, "<p>The getter bed now lasts 31 days.</p>")
    return event


def edit_talk():
    """Change title and text of a contribution."""
    talk = talk_like(story.PURITY.talks[0])
    update_contribution(talk, {"description": "Lifetime against time, corrected."})
    return talk


def replace_file():
    """Change name and content of a file, but not its id."""
    talk = talk_like(story.HIGH_VOLTAGE.talks[1])
    told = story.File("bubbles-v2.pdf", pages=NEW_PAGE)
    store(board_page(talk), told.name, bytes_of(told), user_of("admin"))
    return talk


def delete_file():
    """Delete a file of an event."""
    event = event_like(access_cases.DOORS)
    file_called(event, "hall plan.pdf").is_deleted = True
    return event


def add_file():
    """Add a file to an event."""
    event = event_like(access_cases.DOORS)
    attach(event, story.File("new & añadido.pdf", pages=("Added later.",)))
    return event


def delete_talk():
    """Delete a contribution."""
    talk = talk_like(story.HIGH_VOLTAGE.talks[0])
    event = talk.event
    delete_contribution(talk)
    return event


def add_talk():
    """Add a contribution with a file and a sub-contribution."""
    made = {}
    make_talk(event_like(story.PURITY), NEW_TALK, {}, made)
    return made[NEW_TALK.key]


def delete_part():
    """Delete a sub-contribution."""
    talk = talk_like(story.PURITY.talks[1])
    delete_subcontribution(talk.subcontributions[0])
    return talk


def add_part():
    """Add a sub-contribution with minutes."""
    told = story.Talk("seal", "Seal of the pump", note="<p>The seal is of tin.</p>")
    return make_part(talk_like(story.PURITY.talks[1]), told)


def add_session():
    """Add an unscheduled session with a talk."""
    event, made = event_like(access_cases.SESSIONS), {}
    blocks = {NEW_SESSION.key: make_session(event, NEW_SESSION, made)}
    make_talk(event, IN_SESSION, blocks, made)
    return made[NEW_SESSION.key]


def delete_session_():
    """Delete a session but not its talks."""
    session = session_called("Minutes & files, für alle")
    event = session.event
    delete_session(session)
    return event


def edit_session():
    """Change the minutes of a session."""
    session = session_called("Twin sessions")
    write_note(session, "<p>The twins met in the other tent.</p>")
    return session


def add_events():
    """Add events in various years; return the last one."""
    made = {}
    for told in NEW_EVENTS:
        make_event(told, category_of(told.shelf), made)
    return made[NEW_EVENTS[-1].key]


# ---------------------------------------------------------------- protection


def _switch(thing, mode):
    close(thing, mode, ("group",) if mode == CLOSED else ())
    return thing


def close_event():
    """Restrict an event to the group."""
    return _switch(event_like(story.DECOMMISSIONING), CLOSED)


def open_event():
    """Make an event public again."""
    return _switch(event_like(story.DECOMMISSIONING), OPEN)


def close_to_board():
    """Restrict an event of the group to the board."""
    event = event_like(access_cases.FOR_BOTH)
    event.update_principal(group_of("group").proxy, read_access=False)
    return event


def close_talk():
    """Restrict a contribution to the group."""
    return _switch(talk_like(story.PURITY.talks[1]), CLOSED)


def open_talk():
    """Make a contribution public again."""
    return _switch(talk_like(story.PURITY.talks[1]), OPEN)


def close_file():
    """Restrict a file to the group; return the object it belongs to."""
    talk = talk_like(story.PURITY.talks[0])
    attachment = file_called(talk, "lifetime-three-weeks.pdf")
    _switch(attachment, CLOSED)
    return talk


def open_file():
    """Make a file public again; return the object it belongs to."""
    talk = talk_like(story.PURITY.talks[0])
    _switch(file_called(talk, "lifetime-three-weeks.pdf"), OPEN)
    return talk


def _folder():
    event = event_like(access_cases.DOORS)
    return file_called(event, "Größe & Maß, 100 %.pdf").folder


def close_folder():
    """Restrict a folder to the group; return the object it belongs to."""
    return _switch(_folder(), CLOSED).object


def open_folder():
    """Make a folder public again; return the object it belongs to."""
    return _switch(_folder(), OPEN).object


def close_session():
    """Restrict a session to the group."""
    return _switch(session_called("Twin sessions"), CLOSED)


def open_session():
    """Make a session public again."""
    return _switch(session_called("Twin sessions"), OPEN)


def close_session_file():
    """Restrict a file of a session to the board; return the session."""
    session = session_called("Minutes & files, für alle")
    attachment = file_called(session, "open part.pdf")
    close(attachment, CLOSED, ("board",))
    return session


def close_category():
    """Restrict a category to the group; return an event in it."""
    category = category_of("shifts")
    category.protection_mode = CLOSED
    admit(category, ("group",))
    return event_like(story.ELECTRONICS)


def open_category():
    """Make a category public again; return an event in it."""
    category_of("shifts").protection_mode = OPEN
    return event_like(story.ELECTRONICS)


# -------------------------------------------------------------------- moving


def _move(told, shelf):
    event = event_like(told)
    event.move(category_of(shelf))
    return event


def move_visible():
    """Move an event to another public category."""
    return _move(story.ELECTRONICS, "shifts")


def move_restricted():
    """Move an event to the members' category."""
    return _move(story.PHOTONS, "collaboration")


def move_to_board():
    """Move an event to the board's category."""
    return _move(story.PHOTONS, "inner")


def move_out():
    """Move an event out of the configured categories."""
    return _move(story.SLOW_CONTROLS, "annex")


def move_in():
    """Move an event into the configured categories."""
    return _move(access_cases.GUEST, "weekly")


def reschedule():
    """Move an event to another year."""
    event = event_like(story.READINESS)
    _shift(event, days=800)
    return event


def reschedule_board():
    """Move an event of the board to another year."""
    event = event_like(access_cases.FOR_BOARD)
    _shift(event, days=-2000)
    return event


def reschedule_board_on():
    """Move an event of the board to a later year."""
    event = event_like(access_cases.FOR_BOARD)
    _shift(event, days=5000)
    return event


def _shift(event, days):
    start, end = (at + timedelta(days=days) for at in (event.start_dt, event.end_dt))
    with track_time_changes():
        update_event(event, update_timetable=True, start_dt=start, end_dt=end)


def unpublish():
    """Make the programme of a conference a draft."""
    event = event_like(story.WORKSHOP)
    contribution_settings.set(event, "published", False)
    return event


def publish():
    """Publish the programme of a conference again."""
    event = event_like(story.WORKSHOP)
    contribution_settings.set(event, "published", True)
    return event


def publish_draft():
    """Publish the programme of a conference for the first time."""
    event = event_like(story.SCHOOL)
    contribution_settings.set(event, "published", True)
    return event


def delete_event():
    """Delete an event."""
    event = event_like(story.GROUNDING)
    event.delete("not needed", user_of("admin"))
    return event


# -------------------------------------------------------------------- people


def demote():
    """Remove both accounts from the group; return an event."""
    group = group_of("group")
    group.members.clear()
    return event_like(story.PERSONNEL)


def demote_one():
    """Remove one account from the group; return an event."""
    group = group_of("group")
    group.members.discard(user_of("member2"))
    return event_like(story.PERSONNEL)


def reinstate():
    """Add both accounts to the group; return an event."""
    group = group_of("group")
    group.members.update({user_of("member"), user_of("member2")})
    return event_like(story.PERSONNEL)


def edit_ten():
    """Edit ten of the bulk events; return them."""
    weekly = Category.query.filter_by(title=story.CATEGORIES["weekly"].title).one()
    bulk = Event.query.with_parent(weekly).filter(Event.title.startswith("Shift hand"))
    events = bulk.order_by(Event.id).limit(10).all()
    for event in events:
        update_event(event, description=f"{event.description}<p>Edited.</p>")
    return events


STEPS = {
    function.__name__.strip("_").replace("_", "-"): function
    for function in (
        edit_title,
        edit_description,
        edit_minutes,
        edit_talk,
        replace_file,
        delete_file,
        add_file,
        delete_talk,
        add_talk,
        delete_part,
        add_part,
        add_session,
        delete_session_,
        edit_session,
        add_events,
        close_event,
        open_event,
        close_to_board,
        close_talk,
        open_talk,
        close_file,
        open_file,
        close_folder,
        open_folder,
        close_session,
        open_session,
        close_session_file,
        close_category,
        open_category,
        move_visible,
        move_restricted,
        move_to_board,
        move_out,
        move_in,
        reschedule,
        reschedule_board,
        reschedule_board_on,
        unpublish,
        publish,
        publish_draft,
        delete_event,
        demote,
        demote_one,
        reinstate,
        edit_ten,
        *LATE_STEPS,
    )
}


def step(name):
    """Apply a change; return the keys of the changed objects."""
    things = STEPS[name]()
    keys = [key_of(t) for t in (things if isinstance(things, list) else [things])]
    db.session.commit()
    events = sorted({key.partition("/")[0] for key in keys})
    return {"step": name, "key": keys[0], "events": events}
