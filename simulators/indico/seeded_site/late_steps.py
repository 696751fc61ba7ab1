"""Changes to the test Indico that its faults and finer contents need.

Runs in Indico's venv, inside an application context. Paired changes undo each other.
Does not depend on the crawler.
"""

from datetime import timedelta
from ipaddress import ip_network

from indico.core.db import db
from indico.core.db.sqlalchemy.protection import ProtectionMode
from indico.modules.attachments.models.attachments import Attachment
from indico.modules.attachments.models.folders import AttachmentFolder
from indico.modules.categories import Category
from indico.modules.categories.operations import update_category_protection
from indico.modules.events import Event
from indico.modules.events.contributions.models.contributions import Contribution
from indico.modules.events.contributions.operations import update_contribution
from indico.modules.events.models.labels import EventLabel
from indico.modules.events.operations import update_event
from indico.modules.events.sessions.models.sessions import Session
from indico.modules.events.timetable.operations import create_break_entry
from indico.modules.networks.models.networks import IPNetwork, IPNetworkGroup
from seeded_site import access_cases, story
from seeded_site.make import (
    attach,
    category_of,
    event_like,
    group_of,
    make_session,
    talk_like,
    user_of,
)

NAMELESS = story.Session(
    "nameless",
    "Posters that nobody signed up for",
    "Without a block and without a talk.",
    note="<p>The stands are lent to the chess club.</p>",
    files=(story.File("stands.pdf", pages=("Plan of the poster stands.",)),),
)


def network_on():
    """Give all of loopback full access to attachments; return an event."""
    group = IPNetworkGroup.query.filter_by(name="loopback").one_or_none()
    if group is None:
        group = IPNetworkGroup(name="loopback")
        db.session.add(group)
        db.session.flush()
        db.session.add(IPNetwork(network=ip_network("127.0.0.0/8"), group=group))
    group.attachment_access_override = True
    return event_like(access_cases.DOORS)


def network_off():
    """Undo network-on; return an event."""
    group = IPNetworkGroup.query.filter_by(name="loopback").one()
    group.attachment_access_override = False
    return event_like(access_cases.DOORS)


def admit_network():
    """Let that network read a closed event; return the event."""
    event = event_like(access_cases.FOR_BOARD)
    group = IPNetworkGroup.query.filter_by(name="loopback").one()
    event.update_principal(group, read_access=True)
    return event


def refuse_network():
    """Undo admit-network; return the event."""
    event = event_like(access_cases.FOR_BOARD)
    group = IPNetworkGroup.query.filter_by(name="loopback").one()
    event.update_principal(group, read_access=False)
    return event


def cancel():
    """Label an event as cancelled; return it."""
    label = EventLabel(title="Cancelled", color="red", is_event_not_happening=True)
    db.session.add(label)
    db.session.flush()
    event = event_like(story.PURITY)
    event.label = label
    event.label_message = "The pump <P2> failed."
    update_event(event, organizer_info="The purity <working> group")
    return event


def tell_more():
    """Add what only the API tells: a break, Markdown, what files are; return all."""
    event = event_like(access_cases.DOORS)
    data = {
        "title": "Coffee <black>",
        "description": "In the yard.",
        "start_dt": event.start_dt + timedelta(minutes=30),
        "duration": timedelta(minutes=10),
        "location_data": {"inheriting": True},
    }
    create_break_entry(event, data)
    talk = talk_like(access_cases.DOORS.talks[0])
    update_contribution(talk, {"description": "Cut at <MeV> and > 3, *not* <b>2</b>."})
    # A file of its own: other steps delete some of the event.
    plan = attach(event, story.File("stage.pdf", pages=("Plan of the stage.",)))
    plan.title = "Plan of the <great> hall"
    plan.description = "Drawn by the night shift."
    return [event, talk]


def add_nameless_session():
    """Add a session without a block and without a talk; return it."""
    event = event_like(access_cases.SESSIONS)
    session, _ = make_session(event, NAMELESS, {})
    return session


def close_annex():
    """Close the annex to all but one account of the group; return its event."""
    annex = category_of("annex")
    update_category_protection(annex, {"protection_mode": ProtectionMode.protected})
    annex.update_principal(user_of("member"), read_access=True)
    return event_like(access_cases.OUTSIDE)


def open_annex():
    """Undo close-annex; return its event."""
    annex = category_of("annex")
    update_category_protection(annex, {"protection_mode": ProtectionMode.inheriting})
    return event_like(access_cases.OUTSIDE)


def close_doors():
    """Close a public event to all but the group; return it."""
    event = event_like(access_cases.DOORS)
    event.protection_mode = ProtectionMode.protected
    event.update_principal(group_of("group").proxy, read_access=True)
    return event


def open_doors():
    """Undo close-doors; return the event."""
    event = event_like(access_cases.DOORS)
    event.protection_mode = ProtectionMode.inheriting
    return event


_LOST = {}
"""The protection that lose-protection took away, by table and id."""


def _protected(model):
    """Return the objects of a kind that are protected on their own, by id."""
    found = model.query.filter_by(protection_mode=ProtectionMode.protected)
    return found.order_by(model.id).all()


def _lose(each):
    """Take the protection of every nth object away; return an event."""
    for model, left in _KINDS.items():
        for thing in _protected(model)[::each]:
            _LOST[model, thing.id] = thing.protection_mode
            thing.protection_mode = left
    return event_like(access_cases.DOORS)


def lose_protection():
    """Take all protection away, as a damaged database does; return an event."""
    return _lose(1)


def lose_some_protection():
    """Take the protection of every eighth object of each kind away."""
    return _lose(8)


def restore_protection():
    """Undo lose-protection; return an event."""
    for (model, number), mode in _LOST.items():
        model.query.get(number).protection_mode = mode
    _LOST.clear()
    return event_like(access_cases.DOORS)


def demote_board():
    """Remove both accounts from the board; return an event."""
    board = group_of("board")  # which has to live as long as its change
    board.members.clear()
    return event_like(access_cases.FOR_BOARD)


def reinstate_board():
    """Undo demote-board; return the event."""
    board = group_of("board")
    board.members.update({user_of("board1"), user_of("board2")})
    return event_like(access_cases.FOR_BOARD)


_KINDS = {
    Category: ProtectionMode.public,
    Event: ProtectionMode.public,
    Session: ProtectionMode.inheriting,
    Contribution: ProtectionMode.inheriting,
    AttachmentFolder: ProtectionMode.inheriting,
    Attachment: ProtectionMode.inheriting,
}
"""What can be protected, with the mode that it is left in without."""

LATE_STEPS = (
    network_on,
    network_off,
    admit_network,
    refuse_network,
    cancel,
    tell_more,
    add_nameless_session,
    close_annex,
    open_annex,
    close_doors,
    open_doors,
    lose_protection,
    lose_some_protection,
    restore_protection,
    demote_board,
    reinstate_board,
)
