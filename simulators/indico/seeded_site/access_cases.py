"""Contents of the test Indico that cover every kind of access protection.

`acl` lists the readers: ``group``, ``board``, or the login name of an account. Does not
depend on Indico: seed.py turns this into events and files.
"""

from seeded_site.story import Event, File, Session, Talk

INSIDE = Event(
    "inside",
    "inner",
    "meeting",
    "Board papers: succession",
    "2025-01-21 16:00",
    2,
    "<p>Who follows the spokesperson.</p>",
    note="<p>The board heard four candidates, one of them by telephone.</p>",
    talks=(
        Talk(
            "succession",
            "List of candidates",
            "In alphabetical order.",
            at=0,
            files=(File("candidates.pdf", pages=("Candidates: four names.",)),),
        ),
    ),
)

SEALED = Event(
    "sealed",
    "vault",
    "meeting",
    "Sealed: arbitration",
    "2025-02-03 09:00",
    1,
    "<p>Nobody of the collaboration may read this.</p>",
)

DOORS = Event(
    "doors",
    "top",
    "meeting",
    "Doors: who may read what of a public event",
    "2026-05-19 09:00",
    4,
    "<p>An event that all may read, with <em>every</em> kind of closed part.</p>",
    files=(
        File("hall plan.pdf", pages=("Plan of the hall, open to all.",)),
        File(
            "board only budget.pdf",
            pages=("Budget lines that the board alone reads.",),
            protected=True,
            acl=("board",),
        ),
        File(
            "members and board.pdf",
            pages=("A page for the members and for the board.",),
            protected=True,
            acl=("group", "board"),
        ),
        File(
            "for member alone.pdf",
            pages=("Lent to one member of the group.",),
            protected=True,
            acl=("member",),
        ),
        File(
            "for member2 alone.pdf",
            pages=("Lent to the other member of the group.",),
            protected=True,
            acl=("member2",),
        ),
        File(
            "closed shelf.pdf",
            pages=("Behind a folder whose name is shown.",),
            folder="Closed shelf",
            closed_folder=True,
        ),
        File(
            "twice closed.pdf",
            pages=("A closed file in a hidden folder of the board.",),
            folder="Board shelf",
            hidden_folder=True,
            folder_acl=("board", "group"),
            protected=True,
            acl=("board",),
        ),
        File(
            "board in members' shelf.pdf",
            pages=("The board may read it, and not see its folder.",),
            folder="Members' shelf",
            hidden_folder=True,
            folder_acl=("group",),
            protected=True,
            acl=("board",),
        ),
        File(
            "Größe & Maß, 100 %.pdf",
            pages=("A name that needs care in an address.",),
            folder="Entwürfe & mehr",
        ),
    ),
    talks=(
        Talk("door-open", "Open door", "For all.", at=0),
        Talk(
            "door-group",
            "Door of the members",
            "For members.",
            at=20,
            protected=True,
            files=(File("members door.pdf", pages=("Inside the members' door.",)),),
            parts=(
                Talk(
                    "door-group-part",
                    "Hinge of the members' door",
                    note="<p>Oil the hinge with eleven drops of graphite oil.</p>",
                    files=(File("hinge.pdf", pages=("A hinge, drawn at scale.",)),),
                ),
            ),
        ),
        Talk(
            "door-board",
            "Door of the board",
            "For the board.",
            at=40,
            protected=True,
            acl=("board",),
            note="<p>The board keeps its keys with the notary of Port Ellery.</p>",
            files=(File("board door.pdf", pages=("Inside the board's door.",)),),
        ),
        Talk(
            "door-both",
            "Door of members and board",
            "For both.",
            at=60,
            protected=True,
            acl=("group", "board"),
        ),
        Talk(
            "door-member",
            "Door of one account",
            "Shared with one account of the group.",
            at=80,
            protected=True,
            acl=("member",),
            files=(File("one door.pdf", pages=("Inside one account's door.",)),),
        ),
        Talk(
            "door-member2",
            "Door of the other account",
            "Shared with the other account of the group.",
            at=100,
            protected=True,
            acl=("member2",),
        ),
        Talk(
            "door-parts",
            "Door frame & <angle> brackets",
            "In parts.",
            at=120,
            parts=(
                Talk(
                    "frame-left",
                    "Left jamb: señal Größe",
                    note="# Jamb\n\nThe *left* jamb leans by 3 mm.\n",
                    files=(
                        File("left & right.pdf", pages=("Both jambs.",)),
                        File("camera", link="https://video.example.test/door?a=1&b=2"),
                        File(
                            "jamb members.pdf",
                            pages=("The jamb, for members.",),
                            protected=True,
                        ),
                    ),
                ),
                Talk("frame-right", "Right jamb"),
            ),
        ),
    ),
)

PERSONAL = Event(
    "personal",
    "top",
    "meeting",
    "Shared with one account of the group",
    "2025-08-12 11:00",
    1,
    "<p>An invitation by name.</p>",
    protection="protected",
    acl=("member",),
    note="<p>Nobody else of the group knows of the velvet gasket.</p>",
    talks=(Talk("velvet", "Velvet gasket", "By name only.", at=0),),
)

PERSONAL2 = Event(
    "personal2",
    "top",
    "meeting",
    "Shared with the other account of the group",
    "2025-08-13 11:00",
    1,
    "<p>Another invitation by name.</p>",
    protection="protected",
    acl=("member2",),
)

FOR_BOARD = Event(
    "forboard",
    "top",
    "meeting",
    "For the board, outside of its category",
    "2025-12-02 11:00",
    1,
    "<p>Draft of the memorandum.</p>",
    protection="protected",
    acl=("board",),
    files=(File("memorandum.pdf", pages=("Memorandum, third draft.",)),),
    talks=(Talk("memo", "Memorandum, third draft", "Clause nine is open.", at=0),),
)

FOR_BOTH = Event(
    "forboth",
    "top",
    "meeting",
    "For the members and the board",
    "2025-12-03 11:00",
    1,
    "<p>Read by both groups.</p>",
    protection="protected",
    acl=("group", "board"),
    files=(
        File("both.pdf", pages=("For both groups.",)),
        File(
            "both but board.pdf",
            pages=("In an event of both, for the board.",),
            protected=True,
            acl=("board",),
        ),
    ),
)

MANAGED = Event(
    "managed",
    "collaboration",
    "meeting",
    "Managed by an account of the group",
    "2025-06-24 10:00",
    1,
    "<p>One account of the group looks after this.</p>",
    managers=("member",),
    talks=(
        Talk("managed-open", "Managed talk", "For the group.", at=0),
        Talk("managed-closed", "Managed closed", at=20, protected=True, acl=("board",)),
    ),
)

MANAGED_OPEN = Event(
    "managedopen",
    "top",
    "meeting",
    "Public, and managed by an account of the group",
    "2025-06-25 10:00",
    1,
    "<p>All may read this.</p>",
    managers=("member2",),
    talks=(
        Talk("managed-public", "Public managed talk", at=0),
        Talk("managed-hidden", "Hidden managed", at=20, protected=True, acl=("board",)),
    ),
)

KEYED = Event(
    "keyed",
    "top",
    "meeting",
    "Opened by an access key",
    "2025-05-06 10:00",
    1,
    "<p>The key is on a note at the door.</p>",
    protection="protected",
    acl=(),
    access_key="sesame",
)

NOWHERE = Event(
    "nowhere",
    "weekly",
    "meeting",
    "Visible in no calendar",
    "2025-05-07 10:00",
    1,
    "<p>Below its category all the same.</p>",
    nowhere=True,
    talks=(Talk("nowhere-talk", "Talk without a calendar", at=0),),
)

OLD = Event(
    "old",
    "top",
    "lecture",
    "Bubble chambers: a look back",
    "1987-04-09 16:00",
    1,
    "<p>Typed in from a poster of 1987.</p>",
    files=(File("poster 1987.pdf", pages=("Poster of the lecture of 1987.",)),),
)

AHEAD = Event(
    "ahead",
    "top",
    "conference",
    "Liquid argon in the year 2038",
    "2038-03-01 09:00",
    80,
    "<p>Planned long ahead.</p>",
    talks=(Talk("robots", "Robots fill the vessel", "Perhaps.", at=0),),
)

TURN = Event(
    "turn",
    "collaboration",
    "meeting",
    "Run over the turn of the year, for members",
    "2024-12-30 08:00",
    100,
    "<p>Five days over the turn of the year.</p>",
    talks=(
        Talk("turn-old", "In the old year", at=0),
        Talk("turn-new", "In the new year", at=4000),
    ),
)

SESSIONS = Event(
    "sessions",
    "top",
    "conference",
    "Sessions of all kinds",
    "2026-09-07 09:00",
    60,
    "<p>With blocks, without, and of one name.</p>",
    sessions=(
        Session(
            "twin-timed",
            "Twin sessions",
            "The one with a time.",
            at=0,
            note="<p>The timed twin met in the tent.</p>",
            files=(File("timed twin.pdf", pages=("Of the timed twin.",)),),
        ),
        Session(
            "twin-untimed",
            "Twin sessions",
            "The one without a time.",
            note="<p>The untimed twin never met.</p>",
            files=(File("untimed twin.pdf", pages=("Of the untimed twin.",)),),
        ),
        Session(
            "untimed-closed",
            "Closed and untimed",
            "Closed, and holds a talk that is open.",
            note="<p>The quorum of the closed session is nine.</p>",
            files=(File("closed untimed.pdf", pages=("Of a closed session.",)),),
            protected=True,
        ),
        Session(
            "board-timed",
            "Session of the board",
            "For the board.",
            at=240,
            files=(File("board session.pdf", pages=("Of the board's session.",)),),
            protected=True,
            acl=("board",),
            managers=("member",),
        ),
        Session(
            "untimed-open",
            "Open and untimed",
            "Open, and holds a talk that is closed.",
            files=(File("open untimed.pdf", pages=("Of an open session.",)),),
        ),
        Session("empty-timed", "A block and nothing in it", "Empty.", at=480),
        Session(
            "files-timed",
            "Minutes & files, für alle",
            "With much beside it.",
            at=600,
            note="# Session\n\nA list:\n\n* **first**\n* second\n",
            files=(
                File("open part.pdf", pages=("Open part of a session.",)),
                File(
                    "members part.pdf",
                    pages=("Members' part of a session.",),
                    protected=True,
                ),
                File(
                    "board part.pdf",
                    pages=("The board's part of a session.",),
                    protected=True,
                    acl=("board",),
                ),
            ),
        ),
    ),
    talks=(
        Talk("twin-a", "First twin talk", at=0, session="twin-timed", in_block=True),
        Talk("twin-b", "Second twin talk, in no block", session="twin-timed"),
        Talk("twin-c", "Third twin talk, untimed", session="twin-untimed"),
        Talk(
            "lonely",
            "An open talk in a closed session",
            session="untimed-closed",
            opened=True,
        ),
        Talk("inmate", "A talk as closed as its session", session="untimed-closed"),
        Talk(
            "board-talk",
            "Talk before the board",
            at=240,
            session="board-timed",
            in_block=True,
            files=(File("before board.pdf", pages=("Said before the board.",)),),
        ),
        Talk(
            "files-talk",
            "Talk with a file",
            at=600,
            session="files-timed",
            in_block=True,
        ),
        Talk(
            "inner-door",
            "A closed talk in an open session",
            session="untimed-open",
            protected=True,
            acl=("board",),
        ),
        Talk("free", "Talk in no session", at=700),
    ),
)

OUTSIDE = Event(
    "outside",
    "annex",
    "meeting",
    "Annex: not of the test stand",
    "2025-04-15 09:00",
    1,
    "<p>Public, and outside of what is to be crawled.</p>",
    talks=(Talk("annex-talk", "Talk in the annex", at=0),),
)

GUEST = Event(
    "guest",
    "annex",
    "meeting",
    "Annex: moves in later",
    "2025-04-16 09:00",
    1,
    "<p>Will come to the test stand.</p>",
    talks=(Talk("guest-talk", "Talk of the guest", at=0),),
)

UNLISTED = Event(
    "unlisted",
    "",
    "meeting",
    "Unlisted: in no category",
    "2025-04-17 09:00",
    1,
    "<p>Only by its address.</p>",
    acl=("member", "member2"),
)

EVENTS = (
    INSIDE,
    SEALED,
    DOORS,
    PERSONAL,
    PERSONAL2,
    FOR_BOARD,
    FOR_BOTH,
    MANAGED,
    MANAGED_OPEN,
    KEYED,
    NOWHERE,
    OLD,
    AHEAD,
    TURN,
    SESSIONS,
    OUTSIDE,
    GUEST,
    UNLISTED,
)
