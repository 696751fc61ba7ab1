"""Contents of the test Indico: the fictional Cryostat Test Stand, as plain data.

All numbers are invented, and each number asked for in FACTS occurs only once.
Does not depend on Indico: seed.py turns this into events and files.
"""

from dataclasses import dataclass

Slide = tuple[str, tuple[str, ...], str]  # title, bullets, speaker notes


@dataclass(frozen=True)
class File:
    """A file: one of pages (PDF), slides (PPTX) or raw bytes; or a link."""

    name: str
    pages: tuple[str, ...] = ()
    slides: tuple[Slide, ...] = ()
    raw: bytes = b""
    link: str = ""
    folder: str = ""
    protected: bool = False  # the file is readable only by those in acl
    hidden_folder: bool = False  # its folder is protected and hidden from others
    closed_folder: bool = False  # its folder is protected, but its name is visible
    deleted: bool = False
    acl: tuple[str, ...] = ("group",)  # or board, or login names
    folder_acl: tuple[str, ...] = ("group",)


@dataclass(frozen=True)
class Talk:
    """A contribution, or (inside `parts`) a sub-contribution."""

    key: str
    title: str
    text: str = ""
    speaker: str = "Ines Okafor"
    at: int | None = None  # minutes after the event's start; None: not scheduled
    minutes: int = 20
    note: str = ""  # markdown when it starts with '#', else HTML
    files: tuple[File, ...] = ()
    parts: tuple["Talk", ...] = ()
    session: str = ""
    in_block: bool = False
    track: str = ""
    protected: bool = False
    opened: bool = False  # public, regardless of where it is
    deleted: bool = False
    acl: tuple[str, ...] = ("group",)


@dataclass(frozen=True)
class Session:
    """A conference session; without a block when `at` is None."""

    key: str
    title: str
    text: str
    at: int | None = None
    note: str = ""
    files: tuple[File, ...] = ()
    protected: bool = False
    acl: tuple[str, ...] = ("group",)
    managers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """An event in the category named by `shelf`; unlisted if that is empty."""

    key: str
    shelf: str
    kind: str  # meeting, lecture or conference
    title: str
    start: str  # local time in Chicago
    hours: int
    text: str
    talks: tuple[Talk, ...] = ()
    sessions: tuple[Session, ...] = ()
    tracks: tuple[str, ...] = ()
    note: str = ""
    files: tuple[File, ...] = ()
    docdb: str = ""
    protection: str = "inheriting"  # or public, protected
    published: bool = True
    deleted: bool = False
    acl: tuple[str, ...] = ("group",)
    managers: tuple[str, ...] = ()
    access_key: str = ""
    nowhere: bool = False  # visible in no calendar


@dataclass(frozen=True)
class Category:
    """A subcategory; with an acl, only those in it have access."""

    title: str
    text: str
    below: str = "top"
    acl: tuple[str, ...] | None = None


CATEGORIES = {
    "top": Category(
        "Cryostat Test Stand", "A 3-tonne liquid-argon vessel in Hall 4.", "root"
    ),
    "weekly": Category("Weekly meetings", "Working groups of the test stand."),
    "collaboration": Category(
        "Collaboration only", "For members of the collaboration.", acl=("group",)
    ),
    "inner": Category(
        "Board papers", "For the board alone.", "collaboration", acl=("board",)
    ),
    "shifts": Category("Shift meetings", "Of those on shift.", "weekly"),
    "vault": Category("Sealed", "For administrators.", acl=()),
    "annex": Category("Annex", "Not of the test stand.", "root"),
}

CALIBRATION_TABLE = File(
    "calibration-table.pdf",
    pages=(
        "Calibration constants, run period 7.\nCollection plane gain: 14.3 mV/fC, "
        "spread 2.1 percent. Induction plane gain: 13.9 mV/fC.\nPedestal: 612 ADC "
        "counts on the collection plane.",
    ),
)

PURITY = Event(
    "purity",
    "weekly",
    "meeting",
    "Purity working group: first argon in the vessel",
    "2025-03-04 09:00",
    2,
    "<p>First look at the electron lifetime after the <b>February fill</b>.</p>",
    note="<h2>Minutes</h2><p>Seventeen people present, nine of them remotely.</p>"
    "<ul><li>The getter bed is regenerated every 23 days from now on.</li>"
    "<li>Tomas will order a second trace oxygen analyser.</li></ul>",
    talks=(
        Talk(
            "lifetime",
            "Electron lifetime from the short purity monitor",
            "Lifetime against time for the first three weeks of recirculation.",
            "Ines Okafor",
            at=0,
            minutes=30,
            note="# Discussion\n\n* The dip on day nine is the **pump swap**.\n"
            "* Repeat the measurement at a drift field of 350 V/cm.\n",
            files=(
                File(
                    "lifetime-three-weeks.pdf",
                    pages=(
                        "Electron lifetime in the Cryostat Test Stand.\nInes Okafor, "
                        "4 March 2025. The short purity monitor stands 40 cm above "
                        "the floor of the vessel.",
                        "Result. After 21 days of recirculation the electron "
                        "lifetime reached 6.42 ms, which is an oxygen equivalent "
                        "impurity of 47 parts per trillion.",
                        "Systematic effects. Cathode transparency moves the result "
                        "by 0.3 ms. The xenon flash lamp lost 11 percent of its "
                        "intensity and was replaced on day 15.",
                    ),
                ),
                File(
                    "lifetime-slides.pptx",
                    slides=(
                        (
                            "Purity monitor status",
                            ("Lamp replaced on day 15", "Gold photocathode cleaned"),
                            "Say that the quartz fibre was broken during "
                            "transport and that the spare has 8 metres.",
                        ),
                        (
                            "Next steps",
                            ("Long monitor in May", "Compare with cosmic muons"),
                            "If asked: muon tracks give 5.9 ms with the old gains.",
                        ),
                    ),
                ),
            ),
        ),
        Talk(
            "recirculation",
            "Gas and liquid recirculation",
            "How the two loops shared the load in February.",
            "Tomas Reinholt",
            at=30,
            minutes=40,
            parts=(
                Talk(
                    "boiloff",
                    "Boil-off condenser",
                    "Heat load of the roof.",
                    "Tomas Reinholt",
                    note="<p>The condenser removes 1.85 kW when the vessel is "
                    "filled to ninety percent.</p>",
                    files=(
                        File(
                            "condenser.pdf",
                            pages=(
                                "Boil-off condenser, heat balance. Roof feedthroughs "
                                "contribute 410 W, the side walls 760 W.",
                            ),
                        ),
                    ),
                ),
                Talk(
                    "pump",
                    "Liquid pump vibration",
                    "Accelerometer spectra on the suction line.",
                    "Wen Castellanos",
                    note="# Decision\n\nRun the pump at 58 Hz, away from the "
                    "resonance of the suction line.\n",
                ),
            ),
        ),
    ),
)

ELECTRONICS = Event(
    "electronics",
    "weekly",
    "meeting",
    "Cold electronics: noise after the grounding work",
    "2025-03-11 09:00",
    3,
    "<p>Noise maps before and after the new ground strap.</p>",
    note="# Minutes\n\nThe **equivalent noise charge** fell to 372 electrons on the "
    "collection wires.\n\n1. Wen repeats the scan with the pump off.\n"
    "2. Spare front-end boards arrive in week 20.\n",
    sessions=(
        Session(
            "hardware",
            "Hardware round table",
            "Short reports from the cage, without slides.",
            at=60,
        ),
    ),
    talks=(
        Talk(
            "noise",
            "Noise map of the 480 collection wires",
            "Five dead channels remain, all on adapter board C.",
            "Wen Castellanos",
            at=0,
            files=(
                File(
                    "noise-scan.root", raw=b"root\x00\x00\xf7\x2c" + bytes(range(256))
                ),
                File("noise-map.pdf", raw=b"%PDF-1.4\n1 0 obj\n<< /Type /Cat\x00\xff"),
            ),
        ),
        Talk(
            "adc",
            "Cold ADC linearity",
            "Differential non-linearity stays below 0.6 counts down to 87 kelvin.",
            "Marisol Beck",
            at=20,
            files=(CALIBRATION_TABLE,),
        ),
        Talk(
            "spares",
            "Spare parts in the cage",
            "Eleven adapter boards and one cold cable are left.",
            "Tomas Reinholt",
            at=60,
            session="hardware",
            in_block=True,
        ),
        Talk(
            "firmware",
            "Firmware wish list (not scheduled yet)",
            "Deadtime-free readout, and a counter for dropped packets.",
            "Marisol Beck",
        ),
    ),
)

HIGH_VOLTAGE = Event(
    "hv",
    "weekly",
    "meeting",
    "High voltage: conditioning of the cathode",
    "2025-03-18 10:00",
    2,
    "<p>Conditioning up to the nominal drift field.</p>",
    talks=(
        Talk(
            "conditioning",
            "Conditioning log",
            "The cathode was ramped in steps of 5 kV with two hours of rest each.",
            "Tomas Reinholt",
            at=0,
            note="<p>Stable for 36 hours at minus 91 kV; one spark at 03:12 that "
            "the ammeter saw as 4 microamperes.</p>",
            files=(
                File(
                    "Überschlag & ramp log.pdf",
                    pages=(
                        "Ramp log of the cathode. Step, hold, inspect. The field "
                        "cage divider has 29 resistors of 1 gigaohm.",
                    ),
                ),
                CALIBRATION_TABLE,
                File(
                    "withdrawn-limits.pdf",
                    pages=("Withdrawn: voltage limits of the marmalade proposal.",),
                    deleted=True,
                ),
            ),
        ),
        Talk(
            "bubbles",
            "Bubbles near the feedthrough",
            "Camera images of bubble chains at a pressure of 1.08 bar.",
            "Ines Okafor",
            at=25,
            files=(
                File(
                    "bubbles.pdf",
                    pages=("Bubble chains start 12 cm below the feedthrough flange.",),
                ),
            ),
        ),
        Talk(
            "cancelled",
            "Cancelled: porcelain insulator quote",
            "A pelican-shaped insulator that nobody wanted.",
            at=50,
            files=(File("porcelain.pdf", pages=("Pelican insulator, 900 francs.",)),),
            deleted=True,
        ),
    ),
)

PHOTONS = Event(
    "photons",
    "weekly",
    "meeting",
    "Photon detection: wavelength shifter samples",
    "2025-04-01 14:00",
    1,
    "<p>Samples from two vendors, coated in the clean room.</p>",
    docdb="50417",
    talks=(
        Talk(
            "shifter",
            "Coating thickness and yield",
            "Yield is flat between 180 and 260 micrograms per square centimetre.",
            "Marisol Beck",
            at=0,
            note="<p>Vendor B samples peel after four thermal cycles; vendor A "
            "samples survive <em>all eleven</em>.</p>",
            files=(
                File("recording", link="https://vimeo.example.test/123"),
                File(
                    "shifter yield.pptx",
                    slides=(
                        ("Set-up", ("VUV lamp", "Monochromator", "128 nm line"), ""),
                        (
                            "Yield",
                            ("Vendor A: 0.71 photons", "Vendor B: 0.66 photons"),
                            "The reference tile came from the 2019 production.",
                        ),
                        ("Summary", ("Choose vendor A",), "Delivery takes 14 weeks."),
                    ),
                ),
            ),
        ),
    ),
)

GROUNDING = Event(
    "grounding",
    "weekly",
    "meeting",
    "Grounding and shielding walk-through",
    "2025-04-08 09:00",
    1,
    "<p>Walk along the detector ground with a clamp meter.</p>",
    note="<p>The clamp meter showed 63 mA between the rack row and the roof.</p>",
    talks=(
        Talk(
            "loops",
            "Known ground loops",
            "Three loops, one of them through the crane rail.",
            "Wen Castellanos",
            at=0,
            files=(
                File(
                    "ground-loops.pdf",
                    pages=("Ground loops: crane rail, chiller hose, camera cable.",),
                ),
            ),
        ),
    ),
)

EMPTY_SLOT = Event(
    "empty", "weekly", "meeting", "Slot kept free", "2025-04-15 09:00", 1, ""
)

PERSONNEL = Event(
    "personnel",
    "weekly",
    "meeting",
    "Shift crediting (members)",
    "2025-04-22 11:00",
    1,
    "<p>How shifts are credited to institutes.</p>",
    protection="protected",
    note="<p>Each institute owes 26 shifts per author and year.</p>",
    talks=(
        Talk(
            "credits",
            "Proposal for night shifts",
            "Night shifts count one and a half times.",
            "Odile Farran",
            at=0,
            files=(
                File(
                    "night-shifts.pdf",
                    pages=("Night shifts count 1.5 credits, weekends 1.25 credits.",),
                ),
            ),
        ),
    ),
)

DELETED_EVENT = Event(
    "deleted",
    "weekly",
    "meeting",
    "Withdrawn: zeppelin test",
    "2025-04-29 09:00",
    1,
    "<p>The zeppelin test was never agreed.</p>",
    talks=(
        Talk(
            "zeppelin",
            "Zeppelin mooring",
            "Withdrawn by the authors.",
            at=0,
            files=(File("zeppelin.pdf", pages=("Mooring mast, withdrawn.",)),),
        ),
    ),
    deleted=True,
)

LECTURE = Event(
    "lecture",
    "top",
    "lecture",
    "Why liquid argon glows",
    "2025-05-15 16:00",
    1,
    "<p>A public lecture by <i>Odile Farran</i> on scintillation, dimers and the "
    "triplet lifetime of 1.6 microseconds.</p>",
    files=(
        File(
            "why-argon-glows.pptx",
            slides=(
                (
                    "Why liquid argon glows",
                    ("Excited dimers", "Singlet and triplet states"),
                    "Start with the neon sign story from Lyon.",
                ),
                (
                    "How many photons?",
                    ("About 41 000 photons per MeV at zero field",),
                    "Compare with a firefly: it needs a whole second.",
                ),
            ),
        ),
    ),
)

WORKSHOP = Event(
    "workshop",
    "top",
    "conference",
    "Cryostat Test Stand Workshop 2025",
    "2025-06-10 08:30",
    57,
    "<p>Three days on results, upgrades and analysis tools.</p>",
    docdb="50999",
    tracks=("Detector", "Analysis"),
    note="<p>Workshop dinner moved to the boathouse; 84 people registered.</p>",
    sessions=(
        Session(
            "plenary",
            "Opening plenary",
            "Status of the vessel and the plans for the second fill.",
            at=30,
            note="<p>The spokesperson asked for a second fill before week 40, with "
            "720 kg of argon in reserve.</p>",
            files=(
                File(
                    "plenary-summary.pdf",
                    pages=(
                        "Summary of the opening plenary. The second fill needs 31 "
                        "hours at 95 litres per hour.",
                    ),
                ),
            ),
        ),
        Session(
            "posters",
            "Poster pool",
            "Posters that were never given a time.",
            note="# Poster prize\n\nThe prize went to the poster on **ionisation "
            "quenching**, number 19.\n",
            files=(
                File(
                    "poster-guidelines.pdf",
                    pages=(
                        "Posters are printed in A0, upright, with margins of 3 cm.",
                    ),
                ),
            ),
        ),
        Session(
            "finance",
            "Resources review",
            "Closed session on money and people.",
            at=1500,
            note="<p>The contingency stands at 18.4 percent of the remaining cost.</p>",
            files=(
                File(
                    "resources.pdf",
                    pages=("Remaining cost of the upgrade: 2.37 million francs.",),
                ),
            ),
            protected=True,
        ),
    ),
    talks=(
        Talk(
            "status",
            "Status of the test stand",
            "One year of operation, 94.6 percent of the time above 3 ms.",
            "Odile Farran",
            at=30,
            minutes=40,
            session="plenary",
            in_block=True,
            track="Detector",
            note="<p>Somebody asked about radon: 11.2 microbecquerel per kilogram "
            "in the last sample.</p>",
            files=(
                File(
                    "status-plenary.pdf",
                    pages=(
                        "Status of the test stand, plenary talk.",
                        "Up-time. Recirculation stopped 6 times, the longest stop "
                        "lasting 19 hours after a power cut.",
                    ),
                ),
            ),
        ),
        Talk(
            "upgrade",
            "Upgrade of the anode planes",
            "Wire pitch goes from 4.67 mm to 3.0 mm.",
            "Wen Castellanos",
            at=75,
            session="plenary",
            in_block=True,
            track="Detector",
        ),
        Talk(
            "backup",
            "Reserve talk of the plenary",
            "To be given if the plenary runs early.",
            "Ines Okafor",
            session="plenary",
        ),
        Talk(
            "quenching",
            "Poster: ionisation quenching of alpha particles",
            "The quenching factor is measured with a polonium source.",
            "Marisol Beck",
            session="posters",
            track="Analysis",
            files=(
                File(
                    "quenching-poster.pdf",
                    pages=("Quenching factor 0.715 at 500 V/cm, polonium source.",),
                ),
            ),
        ),
        Talk(
            "muons",
            "Poster: cosmic muons as a ruler",
            "Stopping muons calibrate the energy scale.",
            "Tomas Reinholt",
            session="posters",
            track="Analysis",
        ),
        Talk(
            "budget",
            "Budget until 2028",
            "Spending profile by quarter.",
            "Odile Farran",
            at=1500,
            session="finance",
            in_block=True,
            files=(
                File(
                    "budget-2028.pdf",
                    pages=("Peak spending in the third quarter of 2026.",),
                ),
            ),
        ),
        Talk(
            "tools",
            "Analysis tools hands-on",
            "Bring a laptop with the container image.",
            "Marisol Beck",
            at=2900,
            minutes=60,
            track="Analysis",
            parts=(
                Talk(
                    "hits",
                    "Hit finding exercise",
                    "Thresholds by hand.",
                    note="<p>Most groups found 1312 hits in event number seven.</p>",
                ),
            ),
        ),
    ),
)

SCHOOL = Event(
    "school",
    "top",
    "conference",
    "Cryogenic Detector School 2027",
    "2027-07-05 09:00",
    80,
    "<p>The programme will appear here in spring.</p>",
    published=False,
    talks=(
        Talk(
            "draft",
            "Draft: thermometry below 90 kelvin",
            "Lecturer not confirmed.",
            "Odile Farran",
            at=0,
            files=(File("draft-thermometry.pdf", pages=("Draft lecture outline.",)),),
        ),
    ),
)

PROPOSAL = Event(
    "proposal",
    "top",
    "meeting",
    "Proposal for a small argon vessel",
    "1998-11-17 13:30",
    3,
    "<p>Minutes typed from paper in 2009.</p>",
    note="<p>Present: Adair, Lindqvist, Moreau. The vessel shall hold 2150 litres "
    "and be insulated with perlite. Cost estimate: 385 000 marks.</p>",
)

DECOMMISSIONING = Event(
    "decommissioning",
    "top",
    "meeting",
    "Decommissioning planning day",
    "2031-09-24 09:00",
    7,
    "<p>What happens to the vessel after the last run.</p>",
    talks=(
        Talk(
            "emptying",
            "Emptying the vessel",
            "Venting the argon takes 12 days through the roof stack.",
            "Tomas Reinholt",
            at=0,
            files=(
                File(
                    "emptying-plan.pdf",
                    pages=(
                        "Emptying plan: vent stack, oxygen alarms at 19.5 percent.",
                    ),
                ),
            ),
        ),
    ),
)

NEW_YEAR = Event(
    "newyear",
    "top",
    "meeting",
    "Fill watch over the turn of the year",
    "2025-12-31 22:00",
    8,
    "<p>Hand-over notes of the night crew.</p>",
    talks=(
        Talk(
            "before",
            "Before midnight: level gauges",
            "Both gauges agree within 4 mm.",
            "Wen Castellanos",
            at=0,
        ),
        Talk(
            "after",
            "After midnight: first level above the field cage",
            "The liquid passed the top ring.",
            "Ines Okafor",
            at=150,
            note="<p>At 00:47 the liquid reached 1.94 m and covered the top ring.</p>",
        ),
    ),
)

SLOW_CONTROLS = Event(
    "slow",
    "top",
    "meeting",
    "Slow controls and alarms",
    "2025-09-02 15:00",
    2,
    "<p>New alarm tree, and who is called at night.</p>",
    note="<p>Alarm texts are sent to two phones; silence ends after 90 seconds.</p>",
    talks=(
        Talk(
            "alarms",
            "Alarm tree",
            "Forty-one alarms were merged into twelve.",
            "Marisol Beck",
            at=0,
            files=(
                File(
                    "alarm-tree.pdf",
                    pages=("Alarm tree. Level low-low trips the heater at 0.62 m.",),
                ),
                File(
                    "call-list.pdf",
                    pages=("Call list for members: control room extension 7261.",),
                    protected=True,
                ),
                File(
                    "gateway-draft.pdf",
                    pages=("Draft: the gateway moves to subnet blue in October.",),
                    folder="Drafts",
                    hidden_folder=True,
                ),
                File(
                    "interlocks.pdf",
                    pages=("Interlock matrix: 9 inputs, 4 outputs, fail-safe.",),
                    folder="Reference",
                ),
            ),
        ),
    ),
)

READINESS = Event(
    "readiness",
    "top",
    "meeting",
    "Operational readiness review",
    "2025-10-14 09:00",
    6,
    "<p>Review before the second fill.</p>",
    note="<p>The reviewers signed the readiness form with five remarks.</p>",
    talks=(
        Talk(
            "hazards",
            "Oxygen deficiency hazard analysis",
            "The hall is class 1 with fans running at 8500 cubic metres per hour.",
            "Odile Farran",
            at=0,
            files=(
                File(
                    "hazard-analysis.pdf",
                    pages=("Hazard analysis. A full spill lowers oxygen to 16.8 %.",),
                ),
            ),
        ),
        Talk(
            "incident",
            "Incident of 3 September (members only)",
            "What happened at the relief valve.",
            "Tomas Reinholt",
            at=60,
            note="<p>The relief valve opened at 1.31 bar because its pilot line "
            "was swapped.</p>",
            files=(
                File(
                    "incident-report.pdf",
                    pages=("Incident report. Argon lost: 214 kg in 38 minutes.",),
                ),
            ),
            parts=(
                Talk(
                    "lessons",
                    "Lessons from the incident",
                    "Label both ends of every pilot line.",
                    note="<p>Every pilot line gets a yellow tag with two "
                    "signatures.</p>",
                ),
            ),
            protected=True,
        ),
    ),
)

OPEN_DAY = Event(
    "openday",
    "collaboration",
    "lecture",
    "Open day: a walk around the vessel",
    "2025-09-20 14:00",
    2,
    "<p>Everybody is welcome; closed shoes, please.</p>",
    protection="public",
    files=(
        File(
            "open-day-map.pdf",
            pages=("Open day map. Meet at gate 6 at two o'clock; groups of 15.",),
        ),
    ),
)


def _board(number: int, start: str, text: str, note: str, page: str) -> Event:
    """Return a collaboration board meeting with one talk."""
    return Event(
        f"board{number}",
        "collaboration",
        "meeting",
        f"Collaboration board {number}",
        start,
        2,
        f"<p>{text}</p>",
        note=f"<p>{note}</p>",
        talks=(
            Talk(
                f"board{number}-report",
                f"Report to board {number}",
                text,
                "Odile Farran",
                at=0,
                files=(File(f"board-{number}.pdf", pages=(page,)),),
            ),
        ),
    )


BOARDS = (
    _board(
        1,
        "2025-02-12 17:00",
        "Election rules and the author list.",
        "The author list closes on the ninth of May; quorum was 22 of 30 institutes.",
        "Election rules. A spokesperson serves for 30 months, at most twice.",
    ),
    _board(
        2,
        "2025-07-16 17:00",
        "New institutes and a common fund.",
        "The common fund rises to 4750 francs per author.",
        "Two institutes join: Port Ellery and the Halvorsen Laboratory.",
    ),
    _board(
        3,
        "2025-11-19 17:00",
        "Unblinding of the muon decay analysis.",
        "Unblinding is allowed after the control sample agrees within 2.5 sigma.",
        "Muon decay analysis, not yet public: 8846 selected events.",
    ),
)

EVENTS = (
    PURITY,
    ELECTRONICS,
    HIGH_VOLTAGE,
    PHOTONS,
    GROUNDING,
    EMPTY_SLOT,
    PERSONNEL,
    DELETED_EVENT,
    LECTURE,
    WORKSHOP,
    SCHOOL,
    PROPOSAL,
    DECOMMISSIONING,
    NEW_YEAR,
    SLOW_CONTROLS,
    READINESS,
    OPEN_DAY,
    *BOARDS,
)

FACTS = (
    (
        "What electron lifetime was reached after 21 days of recirculation?",
        "6.42 ms",
        "lifetime",
    ),
    ("How much power does the boil-off condenser remove?", "1.85 kW", "boiloff"),
    (
        "What equivalent noise charge was measured on the collection wires?",
        "372 electrons",
        "electronics",
    ),
    (
        "At which cathode voltage was the vessel stable for 36 hours?",
        "minus 91 kV",
        "conditioning",
    ),
    (
        "How much argon in reserve did the spokesperson ask for?",
        "720 kg",
        "plenary",
    ),
    (
        "How many litres was the vessel of the 1998 proposal to hold?",
        "2150 litres",
        "proposal",
    ),
    ("At which pressure did the relief valve open?", "1.31 bar", "incident"),
    ("How much is the common fund per author?", "4750 francs", "board2"),
)
