"""Commands that fill, change and read the test Indico through its own ORM.

Runs in Indico's venv with INDICO_CONFIG set; each command prints a JSON object:

    python -P seed.py seed | step NAME | objects | bulk N
    python -P seed.py serve

`serve` reads commands from its input, one JSON list per line, and prints one line for
each, which saves the start-up time of Indico. `objects` is the truth for tests.
Does not depend on how the server was started.
"""

import contextlib
import json
import sys
from pathlib import Path

from flask import session as login
from indico.core.db import db
from indico.modules.categories import Category
from indico.modules.events.models.references import ReferenceType
from indico.modules.groups.models.groups import LocalGroup
from indico.modules.users.operations import grant_admin
from indico.web.flask.app import make_app

sys.path.append(str(Path(__file__).parents[1]))  # after Indico's own packages

from seeded_site import access_cases, story
from seeded_site.make import (
    GROUPS,
    bulk,
    key_of,
    make_categories,
    make_event,
    make_token,
    make_user,
    user_of,
)
from seeded_site.steps import step
from seeded_site.truth import objects

READING = ["read:legacy_api", "read:everything"]
TOKENS = {
    "member": ("member", READING),
    "member2": ("member2", READING),
    "board1": ("board1", READING),
    "board2": ("board2", READING),
    "outsider": ("outsider", READING),
    "manager": ("manager", READING),
    "member_legacy_only": ("member", READING[:1]),
    "member_everything_only": ("member", READING[1:]),
}
PEOPLE = {
    "admin": ("Ada", "Admin"),
    "manager": ("Max", "Manager"),
    "member": ("Mia", "Member"),
    "member2": ("Milo", "Member"),
    "outsider": ("Otto", "Outsider"),
    "board1": ("Bea", "Board"),
    "board2": ("Bo", "Board"),
}
MEMBERS = {"group": ("member", "member2"), "board": ("board1", "board2")}


def seed():
    """Seed the server; return the complete truth about it."""
    root = Category.get_root()
    users = {name: make_user(name, *full) for name, full in PEOPLE.items()}
    grant_admin(users["admin"])
    login.set_session_user(users["admin"])
    tokens = {
        name: make_token(users[who], name, s) for name, (who, s) in TOKENS.items()
    }
    for name, title in GROUPS.items():
        members = {users[who] for who in MEMBERS[name]}
        db.session.add(LocalGroup(name=title, members=members))
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
    for told in (*story.EVENTS, *access_cases.EVENTS):
        deleted += make_event(told, shelves.get(told.shelf), made)
    return {
        "category": shelves["top"].id,
        "categories": {name: category.id for name, category in shelves.items()},
        "users": {name: user.id for name, user in users.items()},
        "tokens": tokens,
        "made": {name: key_of(thing) for name, thing in made.items()},
        **objects(),
        "facts": [
            {"question": question, "answer": answer, "key": key_of(made[of])}
            for question, answer, of in story.FACTS
        ],
        "deleted": deleted,
    }


def within(app, name, *args):
    """Run a command in its own context; return its result."""
    with app.app_context(), app.test_request_context():
        if name != "seed":
            login.set_session_user(user_of("admin"))
        try:
            return COMMANDS[name](*args)
        finally:
            db.session.remove()


COMMANDS = {"seed": seed, "step": step, "objects": objects, "bulk": bulk}


def main():
    """Run the command line; only JSON is written to stdout."""
    name, *args = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        app = make_app()
        if name != "serve":
            result = within(app, name, *args)
            sys.__stdout__.write(json.dumps(result, indent=1) + "\n")
            return
        for line in sys.stdin:
            result = within(app, *json.loads(line))
            sys.__stdout__.write(json.dumps(result) + "\n")
            sys.__stdout__.flush()


if __name__ == "__main__":
    main()
